"""Bounded channels between stages, and the threads that run them: nowhere else."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Closed(Exception):
    """The other side of a channel has ended."""


class Channel(Generic[T]):
    """A bounded queue that ends: for its consumer after the last producer is done and it is empty,
    for its producers as soon as the consumer is gone.
    """

    def __init__(self, capacity: int, producers: int = 1) -> None:
        self.capacity = capacity
        self._producers = producers
        self._items: deque[T] = deque()
        self._abandoned = False
        lock = threading.Lock()
        self._filled = threading.Condition(lock)
        self._emptied = threading.Condition(lock)

    def put(self, item: T) -> None:
        """Add an item, waiting for room; raises ``Closed`` if the consumer is gone."""
        with self._emptied:
            self._emptied.wait_for(lambda: self._abandoned or len(self._items) < self.capacity)
            if self._abandoned:
                raise Closed
            self._items.append(item)
            self._filled.notify()

    def offer(self, item: T) -> bool:
        """Add an item if there is room at once; raises ``Closed`` if the consumer is gone."""
        with self._emptied:
            if self._abandoned:
                raise Closed
            if len(self._items) >= self.capacity:
                return False
            self._items.append(item)
            self._filled.notify()
            return True

    def get(self, timeout: float | None = None) -> T:
        """Take the oldest item; raises ``TimeoutError``, or ``Closed`` at the end (seconds)."""
        with self._filled:
            if not self._filled.wait_for(lambda: self._items or self._producers <= 0, timeout):
                raise TimeoutError
            if not self._items:
                raise Closed
            item = self._items.popleft()
            self._emptied.notify()
            return item

    def take_out(self, which: Callable[[T], bool]) -> T | None:
        """Take the oldest item of a kind out of its turn; None if there is none."""
        with self._emptied:
            for index, item in enumerate(self._items):
                if which(item):
                    del self._items[index]
                    self._emptied.notify()
                    return item
            return None

    def __iter__(self) -> Iterator[T]:
        while True:
            try:
                yield self.get()
            except Closed:
                return

    def done(self) -> None:
        """Say that one producer has ended."""
        with self._filled:
            self._producers -= 1
            self._filled.notify_all()

    def abandon(self) -> list[T]:
        """Say that the consumer is gone; give back what nobody took, to be recycled."""
        with self._emptied:
            self._abandoned = True
            left = list(self._items)
            self._items.clear()
            self._emptied.notify_all()
            return left

    def __len__(self) -> int:
        return len(self._items)


class Last:
    """Runs something when the last of several threads has ended."""

    def __init__(self, count: int, then: Callable[[], None]) -> None:
        self._count = count
        self._then = then
        self._lock = threading.Lock()

    def done(self) -> None:
        with self._lock:
            self._count -= 1
            last = self._count == 0
        if last:
            self._then()


class Holding:
    """Since when a stage has been busy with its item: what the watchdog asks."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._since: float | None = None

    def seconds(self) -> float:
        """Give how long the present item has been held; 0 for a stage that waits."""
        since = self._since
        return 0.0 if since is None else time.monotonic() - since

    def watch(self, items: Iterable[T]) -> Iterator[T]:
        """Pass items on; the time from one to the asking for the next counts as held."""
        try:
            for item in items:
                self._since = time.monotonic()
                yield item
                self._since = None
        finally:
            self._since = None


class Crew:
    """The threads of a service. The first failure is kept, told, and is what ``join`` raises."""

    def __init__(self, on_failure: Callable[[], None]) -> None:
        self._on_failure = on_failure
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._failure: BaseException | None = None

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Run ``work`` in a thread of its own."""

        def guarded() -> None:
            try:
                work()
            except Closed:
                pass  # the stage behind has ended, and tells why itself
            except BaseException as error:  # noqa: BLE001 (goes on in join, in the main thread)
                with self._lock:
                    self._failure = self._failure or error
                self._on_failure()

        thread = threading.Thread(target=guarded, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    @property
    def failed(self) -> bool:
        return self._failure is not None

    def join(self, timeout: float) -> list[str]:
        """Wait so many seconds for all threads; name those that still run."""
        until = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return [thread.name for thread in self._threads if thread.is_alive()]

    def check(self) -> None:
        """Raise the first failure, if there was one."""
        if self._failure is not None:
            raise self._failure
