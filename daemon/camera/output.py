"""The camera's digital output: its nodes, and what the line is told by it.

It is low at the start, at rest, when the camera is lost, at the stop, and when the daemon is
killed. A process that is killed itself, or hangs, while the output is high leaves it so until the
next one sets it low: no program can promise more. A gate that must not stand open then takes the
pulse's edge, not its level, or has a timer of its own.
"""

import time
from collections.abc import Callable

from daemon import log
from daemon.camera import link
from daemon.camera.buffer import CAMERA_ERRORS
from daemon.camera.device import Camera
from daemon.camera.gate import Gate, Good, OutputPlan
from models.errors import InputError

_NODE_ERRORS = (*CAMERA_ERRORS, AttributeError)


class Output:
    """Drives one output. Its methods raise ``CAMERA_ERRORS`` where the camera does not answer."""

    def __init__(
        self, camera: Camera, plan: OutputPlan, say: Callable[[link.OutputMissed], None]
    ) -> None:
        self._camera = camera
        self._plan = plan
        self._say = say
        self._gate = Gate(plan)
        self._level: bool | None = None  # None: not known

    def set_up(self) -> None:
        """Make the line an output that is low; raises ``InputError`` if the camera cannot."""
        plan = self._plan
        nodes: list[tuple[str, object]] = [
            ("UserOutputSelector", plan.user_output),
            ("UserOutputValue", False),  # before it gets to the line: a start gives no edge
            ("LineSelector", plan.line),
            ("LineMode", "Output"),
            ("LineSource", plan.user_output),
        ]
        if self._camera.node("LineInverter") is not None:
            nodes.insert(3, ("LineInverter", False))
        for name, value in nodes:
            try:
                self._camera.write(name, value)
            except _NODE_ERRORS as error:
                if isinstance(error, CAMERA_ERRORS) and not self._camera.alive():
                    raise
                raise InputError(
                    f"camera {self._camera.serial}: {name} cannot be {value}"
                    f" ({' '.join(str(error).split())[:200]}); set output_line and output_user to"
                    " what the camera has, or output_line = '' for no output"
                ) from error
        self._level = False
        if self._gate.by_encoder and self._counts() is None:
            raise InputError(
                f"camera {self._camera.serial}: has no node EncoderValue; set output_delay_ms"
                " instead of output_encoder_counts"
            )

    def exposed(self, trigger: int, exposed_ns: int) -> None:
        """Remember where the part was whose frame has come."""
        if self._gate.by_encoder:
            self._read_belt()
        self._gate.exposed(trigger, exposed_ns)

    def good(self, number: int, trigger: int) -> None:
        """Have a pulse given when the part is at the gate."""
        if why := self._gate.good(number, trigger):
            self._say(link.OutputMissed(number=number, trigger=trigger, text=why))

    def step(self) -> None:
        """Give the output the level that it has to have now."""
        if self._gate.by_encoder:
            self._read_belt()
        level, missed = self._gate.step(time.monotonic_ns())
        if level != self._level:
            self._camera.write("UserOutputValue", level)
            self._level = level
        self._tell(missed, "the pulse came too late for the gate")

    def pause_ns(self) -> int | None:
        """Give how long nothing has to be done; None if nothing is to come."""
        return self._gate.pause_ns(time.monotonic_ns())

    def abandon(self, why: str) -> None:
        """Give no more pulses, and let the output be low, if the camera still obeys."""
        self.lower()
        self._tell(self._gate.abandon(), why)

    def lower(self) -> None:
        """Let the output be low; a camera that does not obey is logged."""
        if self._level is False:
            return
        try:
            self._camera.write("UserOutputValue", False)
            self._level = False
        except _NODE_ERRORS:
            log.get("camera").error("the output could not be set low", line=self._plan.line)

    def _read_belt(self) -> None:
        counts = self._counts()
        if counts is not None:
            self._gate.belt.read(time.monotonic_ns(), counts)

    def _counts(self) -> int | None:
        value = self._camera.node("EncoderValue")
        return None if value is None else int(value)

    def _tell(self, missed: list[Good], why: str) -> None:
        for good in missed:
            self._say(link.OutputMissed(number=good.number, trigger=good.trigger, text=why))
