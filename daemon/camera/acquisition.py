"""From the driver's buffers to slots, and a word on every trigger."""

import select
import socket
import time

import numpy as np

from daemon import log
from daemon.camera import link
from daemon.camera.device import BUFFER_ERRORS, CAMERA_ERRORS, Camera, Delivered, Incomplete
from daemon.camera.numbering import Numbering
from daemon.camera.plan import Plan
from daemon.messages import Reason, TriggerSource
from daemon.slots import Slots
from models.errors import InputError

_IDLE = 0.0005  # seconds between two looks for a buffer
_DRAIN = 0.1  # seconds that the last frames have to come after the acquisition was stopped
_START_TRIES = 5


class Gone(Exception):
    """The camera does not answer."""


class Stopping(Exception):
    """The daemon wants an end, or is gone."""


class Acquisition:
    """One camera's frames, from start to stop."""

    def __init__(self, end: socket.socket, plan: Plan, camera: Camera, slots: Slots) -> None:
        self._end = end
        self._plan = plan
        self._camera = camera
        self._slots = slots
        begun = camera.counter() if plan.last is None else plan.last
        self._numbers = Numbering(last=begun or 0)
        self._shape = self._configured()
        self._issued = 0  # number of the last software trigger
        self._counted = 0
        self._seen = time.monotonic()  # when the camera last showed that it lives
        self._polled = 0.0
        self._away_since: int | None = None  # ns, host clock
        self._unread = 0  # incomplete buffers that did not say which frame they were

    def _configured(self) -> tuple[object, object, object]:
        node = self._camera.node
        return node("Width"), node("Height"), node("PixelFormat")

    def run(self) -> None:
        """Go on until the daemon stops it; raises ``InputError`` if the camera has changed."""
        try:
            self._start()
            while True:
                try:
                    self._step()
                except Gone as gone:
                    self._come_back(str(gone))
        except Stopping:
            self._finish()

    def _start(self) -> None:
        camera = self._camera
        camera.set_trigger(self._plan.trigger)
        for tries_left in reversed(range(_START_TRIES)):
            self._missed(
                self._numbers.started(camera.counter()),
                Reason.CAMERA_DOWN,
                "counted while nothing was acquired",
            )
            camera.start()
            # An edge between reading the counter and starting has made no frame, or the first:
            # which is not to be known, so begin again and account for it as lost.
            if self._plan.trigger is not TriggerSource.HARDWARE or self._no_edge_since():
                break
            if not tries_left:
                log.get("camera").warning("edges come as fast as the camera starts")
                break
            camera.stop()
        self._issued = self._counted = self._numbers.last
        self._seen = time.monotonic()
        self._say(link.Started(base=self._numbers.last))

    def _no_edge_since(self) -> bool:
        return self._camera.counter() in (None, self._numbers.last - self._numbers.shift)

    def _step(self) -> None:
        try:
            got = self._camera.fetch()
        except CAMERA_ERRORS as error:
            if not self._camera.alive():
                raise Gone(" ".join(str(error).split())) from error
            got = None
        except BUFFER_ERRORS as error:
            self._unread += 1
            log.get("camera").warning("unreadable buffer", error=repr(error))
            got = None
        if isinstance(got, Delivered):
            self._seen = time.monotonic()
            self._take(got)
        elif isinstance(got, Incomplete):
            self._seen = time.monotonic()
            self._note(got)
        self._listen(0.0 if got is not None else _IDLE)
        if got is None:
            self._poll()

    def _take(self, got: Delivered) -> None:
        received = time.monotonic_ns()
        try:
            number = self._account(got.frame_id)
            held = self._hold(got)
        finally:
            got.let_go()
        if not isinstance(held, int):
            self._missed(range(number, number + 1), *held, got.frame_id)
            return
        self._slots.hand_over(held)
        self._say(
            link.Frame(
                slot=held,
                trigger=number,
                frame_id=got.frame_id,
                device_ns=got.device_ns,
                exposed_ns=received,
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
        slot = self._slots.take()
        if slot is None:
            return Reason.OVERRUN, f"all {self._slots.count} slots are in use"
        np.copyto(self._slots.pixels(slot), got.data[: self._slots.size])
        return slot

    def _note(self, got: Incomplete) -> None:
        if got.frame_id is None:
            self._unread += 1
            return
        number = self._account(got.frame_id)
        self._missed(
            range(number, number + 1), Reason.INCOMPLETE, "incomplete buffer", got.frame_id
        )

    def _account(self, frame_id: int) -> int:
        """Give the trigger number of a frame; those skipped before it are lost."""
        numbers = self._numbers.frame(frame_id)
        skipped = numbers[:-1]
        unread, self._unread = min(self._unread, len(skipped)), 0
        first = frame_id - len(skipped)  # below 1 where the ids have wrapped
        for part, reason, detail in (
            (skipped[:unread], Reason.INCOMPLETE, "incomplete or unreadable buffer"),
            (skipped[unread:], Reason.FRAME_LOST, f"FrameIDs skipped before {frame_id}"),
        ):
            begins = first + (part.start - skipped.start)
            self._missed(part, reason, detail, begins if begins > 0 else None)
        return numbers[-1]

    def _missed(
        self,
        numbers: range,
        reason: Reason,
        detail: str,
        frame_id: int | None = None,
    ) -> None:
        if numbers:
            self._say(
                link.Missed(
                    first=numbers[0],
                    last=numbers[-1],
                    reason=reason,
                    detail=detail,
                    frame_id=frame_id,
                )
            )

    def _poll(self) -> None:
        """Ask for the counter now and then, and after a silence whether the camera lives."""
        now = time.monotonic()
        try:
            if now - self._polled >= self._plan.counter_poll_ms / 1000:
                self._polled = now
                counter = self._camera.counter()
                if counter is not None and counter + self._numbers.shift > self._counted:
                    self._counted = counter + self._numbers.shift
                    self._say(link.Counted(triggers=self._counted))
        except CAMERA_ERRORS as error:
            raise Gone(" ".join(str(error).split())) from error
        if now - self._seen >= self._plan.lost_after_ms / 1000:
            if not self._camera.alive():
                raise Gone(f"silent for {self._plan.lost_after_ms} ms, and does not answer")
            self._seen = now

    def _listen(self, timeout: float, *, away: bool = False) -> None:
        """Obey what the daemon says within so many seconds."""
        until = time.monotonic() + timeout
        while select.select([self._end], [], [], max(0.0, until - time.monotonic()))[0]:
            received = link.receive_to_camera(self._end)
            if received is None or isinstance(received[0], link.Stop):
                raise Stopping
            if isinstance(received[0], link.Trigger):
                number = received[0].number
                if away:
                    self._refuse(number, "the camera is away")
                else:
                    self._trigger(number)
                    return  # its frame comes soon

    def _trigger(self, number: int) -> None:
        try:
            self._camera.software_trigger()
        except (*CAMERA_ERRORS, AttributeError) as error:
            self._refuse(number, " ".join(str(error).split()))
            return
        self._issued += 1
        self._say(link.Triggered(number=number, trigger=self._issued))

    def _refuse(self, number: int, why: str) -> None:
        self._say(link.Triggered(number=number, trigger=None, error=why))

    def _come_back(self, why: str) -> None:
        since = self._away_since = time.time_ns()
        self._say(link.Away(since_ns=since, text=why))
        self._camera.abandon()
        pause = 0.1
        while not self._camera.find_again():
            self._listen(pause, away=True)
            pause = min(2.0, 2 * pause)
        if self._configured() != self._shape:
            raise InputError(
                f"camera {self._plan.name}: came back with {self._configured()}, was {self._shape};"
                " set width, height and pixel format as before, or calibrate the recipe again"
            )
        counter = self._camera.counter()
        if counter is None or counter + self._numbers.shift < self._numbers.last:
            self._say(link.Unaccounted(since_ns=since, until_ns=time.time_ns()))
        self._away_since = None
        self._start()

    def _finish(self) -> None:
        """Stop the camera, take what still comes, and account for what was counted and did not."""
        if self._away_since is not None:
            self._say(link.Unaccounted(since_ns=self._away_since, until_ns=time.time_ns()))
            self._say(link.Stopped(counter=None))
            return
        counter = None
        try:
            self._camera.stop_triggers()
            until = time.monotonic() + _DRAIN
            while time.monotonic() < until:
                got = self._camera.fetch()
                if isinstance(got, Delivered):
                    self._take(got)
                elif isinstance(got, Incomplete):
                    self._note(got)
                else:
                    time.sleep(_IDLE)
            self._camera.stop()
            counter = self._camera.counter()
        except BUFFER_ERRORS as error:
            log.get("camera").warning("stopped a camera that does not answer", error=repr(error))
        if counter is not None:
            new = self._numbers.skip_to(counter + self._numbers.shift)
            self._missed(new, Reason.SHUTDOWN, "counted, and no frame came before the stop")
        self._say(link.Stopped(counter=counter))

    def _say(self, message: link.FromCamera) -> None:
        try:
            link.send(self._end, message)
        except OSError as error:
            raise Stopping from error  # the daemon is gone, and so are we
