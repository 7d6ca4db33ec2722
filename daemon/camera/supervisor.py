"""The daemon's side of a camera: starts its process, hears it out, starts it again."""

import itertools
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace

from daemon import log, pinning
from daemon.camera import link
from daemon.camera.plan import Plan
from daemon.camera.spawn import ending, spawn, wait
from daemon.camera.wanted import Alarms, Before, Restarts, Wanted, check_fit
from daemon.channel import Closed
from daemon.claims import Seen
from daemon.frames import Frame, Lease
from daemon.ledger import Ledger
from daemon.parts import Unseen
from daemon.slots import Slots
from models.camera_parameters import FeatureValue
from models.errors import InputError
from models.pixel_format import PixelFormat

_HOUR = 3600.0
_CONFIGURE_SECONDS = 5.0


class CameraSupervisor:
    """One camera of a station. ``run`` is a thread's work; the rest may be called from others."""

    def __init__(
        self,
        station: str,
        plan: Plan,
        wanted: Wanted,
        restarts: Restarts,
        ledger: Ledger,
        alarm: Alarms,
        before: Before | None = None,
    ) -> None:
        self.name = plan.name
        self.drives = plan.output is not None  # it tells the line of good parts
        self.overflow = plan.overflow
        self._station = station
        self._plan = plan
        self._wanted = wanted
        self._restarts = restarts
        self._ledger = ledger
        self._alarm = alarm
        self._log = log.get("camera").bind(station=station, camera=plan.name)
        self._lock = threading.Lock()
        self._held: set[int] = set()
        self._slots: Slots | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._end: socket.socket | None = None
        self._format = PixelFormat.MONO8
        self._shape: tuple[int, ...] = ()  # of a frame, as its format says
        self._last = before.last if before else None  # trigger number to go on from
        self._resumed = before is not None  # until it acquires
        self.shift = before.shift if before else 0  # of trigger numbers over the device's counter
        # Unix epoch: since when nobody hears the camera, and that as its process opened it
        self._died_ns = self._gap_ns = before.alive_ns if before else None
        self._accounted = before is None  # nothing is left to be said of its triggers
        self._asked: dict[int, Future[link.Configured]] = {}
        self._asks = itertools.count(1)
        self._stopping = threading.Event()
        self.frames = 0  # that came from it, whole or not
        self.deaths = 0  # of its process
        self._up = False
        self.started = threading.Event()  # the camera acquires, or never will
        self.opened: link.Opened | None = None

    def run(self, put: Callable[[Frame], None]) -> None:
        """Run the camera until ``stop``, handing each frame on.

        Raises ``InputError`` if it cannot be used, or dies more often than the budget allows.
        """
        deaths: deque[float] = deque()
        try:
            while not self._stopping.is_set():
                status = self._once(put)
                self._up = False
                if self._stopping.is_set():
                    return
                self._died_ns = self._died_ns or time.time_ns()
                text = f"camera process ended ({ending(status)})"
                self._log.error("camera process ended", status=ending(status))
                self._ledger.camera_away(self._station, self.name, text)
                self._alarm("camera_down", self.name, text)
                self.deaths += 1
                deaths.append(time.monotonic())
                while deaths[0] < time.monotonic() - _HOUR:
                    deaths.popleft()
                if len(deaths) > self._restarts.per_hour:
                    raise InputError(
                        f"camera {self.name}: its process ended {len(deaths)} times in an hour"
                        f" (last: {ending(status)}); see the log, then restart effad"
                    )
                self._stopping.wait(self._restarts.backoff_s * 2 ** min(len(deaths) - 1, 5))
        finally:
            self.started.set()

    def stop(self) -> None:
        """Ask the camera to stop; ``run`` ends when it has accounted for all its triggers."""
        self._stopping.set()
        self._tell(link.Stop())

    def trigger(self, number: int) -> None:
        """Send a software trigger for the station's part ``number``."""
        if not self._tell(link.Trigger(number=number)):
            self._ledger.triggered(
                self._station, self.name, number, None, "its process is not running"
            )

    def output(self, number: int, trigger: int) -> None:
        """Have the camera tell the line that the part ``number``, its ``trigger``, is good.

        What cannot be told in time is an alarm: the part is rejected.
        """
        if not self._tell(link.Output(number=number, trigger=trigger)):
            self._output_missed(number, trigger, "its process is not running")

    @property
    def features(self) -> Mapping[str, FeatureValue]:
        """What of the camera a recipe has set."""
        return self._plan.features

    @property
    def size(self) -> tuple[int | None, int | None]:
        """Width and height of its frames, pixels; None where nothing says so yet."""
        opened = self.opened
        if opened is None:
            return self._wanted.width, self._wanted.height
        return opened.width, opened.height

    def want(self, width: int, height: int) -> None:
        """Expect frames of this size (pixels) whenever the camera is opened."""
        self._wanted = replace(self._wanted, width=width, height=height)

    def configure(self, features: Mapping[str, FeatureValue]) -> dict[str, FeatureValue]:
        """Set features, at each later start too; give what they were.

        Raises ``InputError`` if the camera does not take them all: then it has none of them.
        """
        number, answer = next(self._asks), Future[link.Configured]()
        self._asked[number] = answer
        where = f"station {self._station}, camera {self.name}"
        try:
            if not self._tell(link.Configure(number=number, features=dict(features))):
                raise InputError(f"{where}: cannot be set, its process is not running; try again")
            said = answer.result(_CONFIGURE_SECONDS)
        except TimeoutError:
            raise InputError(
                f"{where}: did not say within {_CONFIGURE_SECONDS:g} s that it is set; try again"
            ) from None
        finally:
            self._asked.pop(number, None)
        if said.error is not None:
            raise InputError(f"{where}: {said.error}")
        self._plan = self._plan.model_copy(update={"features": {**self._plan.features, **features}})
        return said.before

    @property
    def unheard_ns(self) -> int | None:
        """Since when (Unix epoch) its triggers are not accounted for; None: all are, it stopped."""
        return None if self._accounted else self._died_ns or self._gap_ns or time.time_ns()

    @property
    def slots(self) -> int:
        """How many frames fit into its shared memory."""
        return self._wanted.slots + 1

    @property
    def slots_free(self) -> int:
        with self._lock:
            return self._slots.free() if self._slots is not None else 0

    @property
    def up(self) -> bool:
        """Say whether it acquires."""
        return self._up

    @property
    def full(self) -> bool:
        """Say whether the next frame will find no free slot."""
        with self._lock:
            return self._slots is not None and self._slots.free() == 0

    def kill(self) -> None:
        """End the process at once, whatever it does."""
        process = self._process
        if process is not None and process.poll() is None:
            process.kill()

    def close(self) -> None:
        """Give the memory of the slots back; nobody may use a frame any more."""
        if self._slots is not None:
            if self._wanted.on_cuda:
                pinning.unpin(self._slots)
            self._slots.close()
            self._slots = None

    def _once(self, put: Callable[[Frame], None]) -> int:
        """Run one process to its end; give its status."""
        ours, process = spawn(
            self._plan.model_copy(
                update={"last": self._last, "shift": self.shift, "resumed": self._resumed}
            )
        )
        self._process = process
        with ours:
            with self._lock:
                self._end = ours
            if self._stopping.is_set():
                self._tell(link.Stop())
            try:
                while (said := link.receive_from_camera(ours)) is not None:
                    self._hear(said, put)
            except (InputError, Closed):
                self.kill()
                raise
            finally:
                with self._lock:
                    self._end = None
                status = wait(process)
                self._reclaim()
        return status

    def _hear(self, said: link.FromCamera, put: Callable[[Frame], None]) -> None:
        match said:
            case link.Frame():
                self.frames += 1
                self._frame(said, put)
            case link.Missed():
                self._last = max(self._last or 0, said.last)
                self.frames += said.frame_id is not None
                self._ledger.missed(
                    self._station,
                    self.name,
                    range(said.first, said.last + 1),
                    Unseen(said.reason, said.detail),
                    said.frame_id,
                )
            case link.Counted():
                self._ledger.counted(self._station, self.name, said.triggers)
            case link.Triggered():
                self._ledger.triggered(
                    self._station, self.name, said.number, said.trigger, said.error
                )
            case link.Opened():
                self._open(said)
            case link.Started():
                self._last, self.shift, self._resumed = said.base, said.shift, False
                self._up, self._accounted, self._gap_ns = True, False, None
                self._ledger.started(self._station, self.name, said.base, said.shift)
                if self.started.is_set():
                    self._alarm("camera_up", self.name, "the camera delivers again")
                self.started.set()
                self._log.info("camera acquires", base=said.base)
            case link.Away():
                self._up = False
                self._ledger.camera_away(self._station, self.name, said.text)
                self._alarm("camera_down", self.name, said.text, said.since_ns)
                self._log.error("camera away", why=said.text)
            case link.Unaccounted():
                self._unaccounted(said.since_ns or self._gap_ns, said.until_ns, said.triggers)
            case link.Configured():
                answer = self._asked.get(said.number)
                if answer is not None and not answer.done():
                    answer.set_result(said)
            case link.OutputMissed():
                self._output_missed(said.number, said.trigger, said.text)
            case link.Refused() if not self.started.is_set():
                raise InputError(said.error)
            case link.Refused():  # it did acquire before: give it the chance to come back
                self._log.error("camera refused", why=said.error)
            case link.Stopped():
                self._accounted = True
                self._log.info("camera stopped", counter=said.counter)

    def _open(self, said: link.Opened) -> None:
        where = f"station {self._station}, camera {self.name} ({said.model} {said.serial})"
        check_fit(said, self._wanted.width, self._wanted.height, where)
        self._format = PixelFormat(said.pixel_format)
        size = self._format.size(said.height, said.width)
        self._shape = self._format.shape(said.height, said.width)
        if self._slots is not None and self._slots.size != size:
            raise InputError(f"{where}: changed its pixel format to {said.pixel_format}")
        if self._slots is None:
            # More than the queue is deep: the daemon keeps the newest frame for who asks, and the
            # next frame lands somewhere while the oldest is being dropped.
            more = 2 if self.overflow == "drop_oldest" else 1
            self._slots = Slots.create(self._wanted.slots + more, size)
            if self._wanted.on_cuda:
                pinning.pin(self._slots)
        self.opened = said
        lost_count = said.counter is None or said.counter + self.shift < (self._last or 0)
        if self._died_ns is not None and lost_count:
            self._unaccounted(self._died_ns, time.time_ns(), None)
        self._gap_ns, self._died_ns = self._died_ns, None
        self._log.info("camera open", vendor=said.vendor, model=said.model, serial=said.serial)
        use = link.UseSlots(count=self._slots.count, size=size)
        self._tell(use, self._slots.descriptor)

    def _unaccounted(self, since_ns: int | None, until_ns: int, triggers: int | None) -> None:
        text = "nothing could count the triggers of this interval"
        if triggers is not None:
            text = f"{triggers} triggers were counted at once: too many to give each a verdict"
        self._alarm("unaccounted_interval", self.name, text, since_ns, until_ns)
        self._log.error("unaccounted interval", since=since_ns, until=until_ns, triggers=triggers)

    def _output_missed(self, number: int, trigger: int, why: str) -> None:
        text = f"the good part {number} (trigger {trigger}) gets no pulse, and is rejected: {why}"
        self._alarm("output", self.name, text)
        self._log.error("output missed", number=number, trigger=trigger, why=why)

    def _frame(self, said: link.Frame, put: Callable[[Frame], None]) -> None:
        self._last = max(self._last or 0, said.trigger)
        with self._lock:
            self._held.add(said.slot)
        seen = Seen(said.trigger, said.frame_id, said.device_ns, said.exposed_ns, said.received_ns)
        claim = self._ledger.frame(self._station, self.name, seen)
        if claim is None or self._slots is None:
            self._give_back(said.slot)
            return
        pixels = self._slots.pixels(said.slot).view(self._format.dtype).reshape(self._shape)
        lease = Lease(lambda: self._give_back(said.slot))
        put(Frame(claim, pixels, self._format, lease))

    def _give_back(self, slot: int) -> None:
        with self._lock:
            self._held.discard(slot)
            if self._slots is not None:
                self._slots.give_back(slot)

    def _reclaim(self) -> None:
        with self._lock:
            if self._slots is not None:
                self._slots.reclaim(self._held)

    def _tell(self, message: link.ToCamera, descriptor: int | None = None) -> bool:
        with self._lock:
            if self._end is None:
                return False
            try:
                link.send(self._end, message, descriptor)
            except OSError:
                return False
        return True
