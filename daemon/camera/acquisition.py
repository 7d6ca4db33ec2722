"""From the driver's buffers to slots, and a word on every trigger."""

import socket
import time

import numpy as np

from daemon import log
from daemon.camera import link
from daemon.camera.account import Account
from daemon.camera.buffer import BUFFER_ERRORS, CAMERA_ERRORS, Delivered, Incomplete
from daemon.camera.commands import Commands, Orphaned, Stopping
from daemon.camera.device import Camera
from daemon.camera.numbering import Numbering
from daemon.camera.output import Output
from daemon.camera.parameters import configure
from daemon.camera.patience import Patience
from daemon.camera.plan import Plan
from daemon.camera.timekeeper import Timekeeper
from daemon.messages import Reason, TriggerSource
from daemon.slots import Slots
from models.errors import InputError

_DRAIN = 0.1  # seconds that the last frames have to come after the acquisition was stopped
_START_TRIES = 5
_ROOM = 0.005  # seconds


class Gone(Exception):
    """The camera does not answer."""


class Acquisition:
    """One camera's frames, from start to stop."""

    def __init__(self, end: socket.socket, plan: Plan, camera: Camera, slots: Slots) -> None:
        self._end = end
        self._plan = plan
        self._camera = camera
        self._slots = slots
        begun = camera.counter() if plan.last is None else plan.last
        self._account = Account(Numbering(last=begun or 0, shift=plan.shift), self._say)
        self._output = Output(camera, plan.output, self._say) if plan.output else None
        self._commands = Commands(end, camera, self._output, self._say, plan.features)
        self._patience = Patience(plan.trigger, self._output)
        self._clock = Timekeeper(camera, plan.transfer_ms)
        self._shape = self._configured()
        self._polled = 0.0  # when the camera was last asked for its counter, time.monotonic
        self._seen = time.monotonic()  # when the camera last showed that it lives
        self._away_since: int | None = None  # ns, Unix epoch

    def _configured(self) -> tuple[object, object, object]:
        node = self._camera.node
        return node("Width"), node("Height"), node("PixelFormat")

    def run(self) -> None:
        """Go on until the daemon stops it; raises ``InputError`` if the camera has changed."""
        try:
            self._acquire()
            self._finish()
        except Orphaned:
            log.get("camera").warning("the daemon is gone")
        finally:
            if self._output is not None:
                self._output.lower()

    def _acquire(self) -> None:
        """Go on until the daemon wants an end."""
        try:
            self._first_start()
            while True:
                try:
                    self._step()
                except Gone as gone:
                    self._come_back(str(gone))
        except Stopping:
            return

    # Start.

    def _first_start(self) -> None:
        if self._plan.trigger is TriggerSource.SOFTWARE:
            # Each one that was sent is a part already, and was closed when its sender died.
            self._account.passed_over(self._camera.counter())
        if self._plan.resumed:
            self._start(Reason.RESTART, "counted while effad was away")
        else:
            self._start(Reason.CAMERA_DOWN, "counted while nothing was acquired")

    def _start(self, reason: Reason, detail: str) -> None:
        camera = self._camera
        if self._output is not None:
            self._output.set_up()
        self._configure()
        camera.set_trigger(self._plan.trigger)
        self._clock.start()
        for tries_left in reversed(range(_START_TRIES)):
            self._account.started(camera.counter(), reason, detail)
            camera.start()
            # An edge between reading the counter and starting has made no frame, or the first:
            # which is not to be known, so begin again and account for it as lost.
            if self._plan.trigger is not TriggerSource.HARDWARE or self._account.at_edge(
                camera.counter()
            ):
                break
            if not tries_left:
                log.get("camera").warning("edges come as fast as the camera starts")
                break
            camera.stop()
        self._commands.begin(self._account.last)
        self._seen = time.monotonic()
        self._account.acquiring()

    def _configure(self) -> None:
        try:
            configure(self._camera, self._commands.features)
        except InputError as error:
            raise InputError(f"camera {self._plan.name}: {error}") from error

    # Run.

    def _step(self) -> None:
        try:
            if self._output is not None:
                self._output.step()
            got = self._fetch()
            if got is None:
                self._commands.obey(self._patience.pause())
                self._look_after()
            elif self._patience.is_time_to_obey():
                self._commands.obey(0.0)
        except CAMERA_ERRORS as error:
            raise Gone(" ".join(str(error).split())) from error

    def _fetch(self) -> Delivered | Incomplete | None:
        waited = self._patience.wait_ms(self._due, self._commands.expecting(self._account.last))
        asked = time.monotonic()
        try:
            got = self._camera.fetch(waited)
        except CAMERA_ERRORS:
            if not self._camera.alive():
                raise
            return None
        except BUFFER_ERRORS as error:
            self._account.incomplete(None)
            log.get("camera").warning("unreadable buffer", error=repr(error))
            return None
        now = time.monotonic()
        if got is None:
            self._patience.waited(waited, now - asked)
            return None
        self._seen = now
        if isinstance(got, Delivered):
            self._take(got)
        else:
            self._account.incomplete(got.frame_id)
        return got

    def _take(self, got: Delivered) -> None:
        received = time.monotonic_ns()
        try:
            number = self._account.frame(got.frame_id)
            exposed = self._clock.exposed_ns(got.device_ns, received)
            if self._output is not None:
                self._output.exposed(number, exposed)
            held = self._hold(got)
        finally:
            got.let_go()
        if not isinstance(held, int):
            self._account.missed(number, got.frame_id, *held)
            return
        self._slots.hand_over(held)
        self._say(
            link.Frame(
                slot=held,
                trigger=number,
                frame_id=got.frame_id,
                device_ns=got.device_ns,
                exposed_ns=exposed,
                received_ns=received,
            )
        )

    def _hold(self, got: Delivered) -> int | tuple[Reason, str]:
        """Copy a frame into a slot, and give that; or say why not."""
        width, height, name = self._shape
        if got.pixel_format is None or got.pixel_format != name:
            return Reason.INVALID, f"pixel format {got.pixel_format}, configured is {name}"
        if (got.width, got.height) != (width, height):
            return Reason.INVALID, f"{got.width} x {got.height}, configured is {width} x {height}"
        if got.data.size < self._slots.size:
            return Reason.INCOMPLETE, f"{got.data.size} of {self._slots.size} bytes"
        slot = self._free_slot()
        if slot is None:
            return Reason.OVERRUN, f"all {self._slots.count} slots are in use"
        np.copyto(self._slots.pixels(slot), got.data[: self._slots.size])
        return slot

    def _free_slot(self) -> int | None:
        slot = self._slots.take()
        if self._plan.overflow == "drop_oldest":
            until = time.monotonic() + _ROOM  # the daemon is about to drop the oldest
            while slot is None and time.monotonic() < until:
                time.sleep(_ROOM / 20)
                slot = self._slots.take()
        return slot

    @property
    def _due(self) -> float:
        """When the camera has to be asked something, in seconds of ``time.monotonic``."""
        return min(self._clock.due, self._polled + self._plan.counter_poll_ms / 1000)

    def _look_after(self) -> None:
        """Ask for counter and clock now and then, and after a silence whether the camera lives."""
        now = time.monotonic()
        if now - self._polled >= self._plan.counter_poll_ms / 1000:
            self._polled = now
            self._account.counted(self._camera.counter())
        if now >= self._clock.due:
            self._clock.read()
        if now - self._seen >= self._plan.lost_after_ms / 1000:
            if not self._camera.alive():
                raise Gone(f"silent for {self._plan.lost_after_ms} ms, and does not answer")
            self._seen = now

    # Loss and end.

    def _come_back(self, why: str) -> None:
        since = self._away_since = time.time_ns()
        self._say(link.Away(since_ns=since, text=why))
        if self._output is not None:
            self._output.abandon("the camera is away")
        self._camera.abandon()
        pause = 0.1
        while not self._camera.find_again():
            self._commands.refuse(pause, "the camera is away")
            pause = min(2.0, 2 * pause)
        if self._configured() != self._shape:
            raise InputError(
                f"camera {self._plan.name}: came back with {self._configured()}, was {self._shape};"
                " set width, height and pixel format as before, or calibrate the recipe again"
            )
        if self._account.lags(self._camera.counter()):
            self._account.away(since)
        self._away_since = None
        self._clock.begin_anew()
        self._start(Reason.CAMERA_DOWN, "counted while nothing was acquired")

    def _finish(self) -> None:
        """Stop the camera, take what still comes, and account for what was counted and did not."""
        if self._away_since is not None:
            self._account.away(self._away_since)
            self._say(link.Stopped(counter=None))
            return
        counter = None
        try:
            if self._output is not None:
                self._output.abandon("effad was stopped")
            self._camera.stop_triggers()
            until = time.monotonic() + _DRAIN
            while time.monotonic() < until:
                got = self._camera.fetch(1)
                if isinstance(got, Delivered):
                    self._take(got)
                elif isinstance(got, Incomplete):
                    self._account.incomplete(got.frame_id)
            self._camera.stop()
            counter = self._camera.counter()
        except BUFFER_ERRORS as error:
            log.get("camera").warning("stopped a camera that does not answer", error=repr(error))
            self._account.away()
        if counter is not None:
            self._account.stopped(counter)
        self._say(link.Stopped(counter=counter))

    def _say(self, message: link.FromCamera) -> None:
        try:
            link.send(self._end, message)
        except OSError as error:
            raise Orphaned from error
