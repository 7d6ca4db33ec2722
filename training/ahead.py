"""Work that runs ahead of the loop that uses it: images are read while the device computes."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def ahead(
    make: Callable[[int], T], numbers: Iterable[int], *, threads: int, depth: int
) -> Generator[T, None, None]:
    """Yield ``make`` of each number in order, up to ``depth`` of them begun before their turn.

    Threads, not processes: decoding an image releases the interpreter, and nothing is copied from
    one process to another. An error of ``make`` is raised where its result would come.
    """
    waiting = iter(numbers)
    with ThreadPoolExecutor(threads, thread_name_prefix="load") as pool:
        begun: deque[Future[T]] = deque()
        try:
            begun.extend(pool.submit(make, number) for number in islice(waiting, depth))
            while begun:
                made = begun.popleft().result()
                begun.extend(pool.submit(make, number) for number in islice(waiting, 1))
                yield made
        finally:
            for future in begun:
                future.cancel()
