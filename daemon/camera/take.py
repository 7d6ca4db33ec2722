"""Frames of a camera that no daemon uses: its process is started for them, and ended after."""

import contextlib
import select
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

from daemon.camera import link
from daemon.camera.plan import Plan
from daemon.camera.spawn import ending, spawn, wait
from daemon.messages import TriggerSource
from daemon.slots import Slots
from models.errors import InputError
from models.pixel_format import PixelFormat
from models.pixels import RawFrame

S = TypeVar("S", bound=link.FromCamera)

_SLOTS = 4
_OPEN_S = 60.0  # that a camera may take to open and start


@dataclass(frozen=True, eq=False)
class Taken:
    """A frame, copied out of its slot."""

    trigger: int
    pixels: RawFrame  # (H, W) or (H, W, channels), as the pixel format says
    pixel_format: PixelFormat


class Taker:
    """A camera's frames, one by one. A context manager, for one thread.

    A camera that is triggered by software gets a trigger for each frame; of any other the frames
    are taken as they come. The line's output is not driven: parts shown meanwhile are rejected.
    """

    def __init__(self, plan: Plan, patience_s: float = 30.0) -> None:
        """Take how many seconds a frame may take to come."""
        self._plan = plan.model_copy(update={"output": None})
        self._patience_s = patience_s
        self._asked = 0
        self._slots: Slots | None = None

    def __enter__(self) -> Self:
        """Open the camera and start it; raises ``InputError`` if it cannot be used."""
        self._end, self._process = spawn(self._plan)
        try:
            opened = self._opened()
            self._format = PixelFormat(opened.pixel_format)
            self._shape = self._format.shape(opened.height, opened.width)
            size = self._format.size(opened.height, opened.width)
            self._slots = Slots.create(_SLOTS, size)
            use = link.UseSlots(count=_SLOTS, size=size)
            link.send(self._end, use, self._slots.descriptor)
            self._until(link.Started, _OPEN_S)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):  # it has ended
            link.send(self._end, link.Stop())
        self._end.close()
        wait(self._process)
        if self._slots is not None:
            self._slots.close()

    def __iter__(self) -> Iterator[Taken]:
        while True:
            yield self.take()

    def take(self, *, newest: bool = False) -> Taken:
        """Give the next frame; raises ``InputError`` if none comes, or the camera is lost.

        ``newest``: the last of those that have come meanwhile.
        """
        if self._plan.trigger is TriggerSource.SOFTWARE:
            self._asked += 1
            link.send(self._end, link.Trigger(number=self._asked))
        frame = self._until(link.Frame, self._patience_s)
        if newest:
            frame = self._newer(frame)
        if self._slots is None:
            raise ValueError("not entered")
        try:
            raw = self._slots.pixels(frame.slot)
            pixels = raw.view(self._format.dtype).reshape(self._shape).copy()
        finally:
            self._slots.give_back(frame.slot)
        return Taken(frame.trigger, pixels, self._format)

    @property
    def _who(self) -> str:
        return f"camera {self._plan.name}"

    def _opened(self) -> link.Opened:
        opened = self._until(link.Opened, _OPEN_S)
        if opened.pixel_format not in list(PixelFormat):
            raise InputError(
                f"{self._who}: pixel format {opened.pixel_format}; allowed are"
                f" {', '.join(PixelFormat)}"
            )
        return opened

    def _until(self, wanted: type[S], seconds: float) -> S:
        """Hear the camera's process until it says what is wanted, or what nobody can go on with."""
        until = time.monotonic() + seconds
        while True:
            said = self._hear(max(0.0, until - time.monotonic()))
            if isinstance(said, wanted):
                return said
            match said:
                case link.Frame() if self._slots is not None:
                    self._slots.give_back(said.slot)
                case link.Refused():
                    raise InputError(said.error)
                case link.Away():
                    raise InputError(f"{self._who}: went away: {said.text}")
                case link.Triggered() if said.trigger is None:
                    raise InputError(f"{self._who}: refuses a trigger: {said.error}")

    def _hear(self, seconds: float) -> link.FromCamera:
        if not select.select([self._end], [], [], seconds)[0]:
            raise InputError(
                f"{self._who}: nothing came within {self._patience_s:g} s; its trigger is"
                f" {self._plan.trigger}: show parts, or look at its line"
            )
        said = link.receive_from_camera(self._end)
        if said is None:
            how = ending(wait(self._process))
            raise InputError(
                f"{self._who}: its process ended ({how}); see the log above, and if an effad has"
                " the camera take frames from that, with --daemon"
            )
        return said

    def _newer(self, frame: link.Frame) -> link.Frame:
        """Give the newest frame that is there already, and the slots of older ones back."""
        while select.select([self._end], [], [], 0)[0]:
            said = self._hear(0)
            if isinstance(said, link.Frame) and self._slots is not None:
                self._slots.give_back(frame.slot)
                frame = said
        return frame
