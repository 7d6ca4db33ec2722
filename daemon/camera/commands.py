"""What the daemon tells a camera's process while it acquires."""

import select
import socket
import time
from collections.abc import Callable, Mapping

from daemon.camera import link
from daemon.camera.buffer import CAMERA_ERRORS
from daemon.camera.device import Camera
from daemon.camera.output import Output
from daemon.camera.parameters import configure
from models.camera_parameters import FeatureValue
from models.errors import InputError

_SOON = 1.0  # seconds


class Stopping(Exception):
    """The daemon wants an end."""


class Orphaned(Exception):
    """The daemon is gone."""


class Commands:
    """Hears the daemon, and obeys."""

    def __init__(
        self,
        end: socket.socket,
        camera: Camera,
        output: Output | None,
        say: Callable[[link.FromCamera], None],
        features: Mapping[str, FeatureValue],
    ) -> None:
        self._end = end
        self._camera = camera
        self._output = output
        self._say = say
        self._issued = 0  # number of the last software trigger
        self._issued_at = 0.0
        self.features = dict(features)  # that the camera is to have at each start

    def begin(self, last: int) -> None:
        """Begin an acquisition: the next software trigger is the one after ``last``."""
        self._issued = last

    def expecting(self, last: int) -> bool:
        """Say whether the frame of a software trigger is to come soon, ``last`` having come."""
        return self._issued > last and time.monotonic() < self._issued_at + _SOON

    def obey(self, timeout: float) -> None:
        """Obey what is said, or within so many seconds; back at once after a trigger.

        Raises ``Stopping``, ``Orphaned``.
        """
        if timeout > 0 and not self._said_within(timeout):
            return
        while (said := self._next()) is not None:
            if isinstance(said, link.Trigger):
                self._trigger(said.number)
                return  # its frame comes soon
            if isinstance(said, link.Output) and self._output is not None:
                self._output.good(said.number, said.trigger)
            elif isinstance(said, link.Configure):
                self._configure(said)

    def refuse(self, seconds: float, why: str) -> None:
        """Refuse for so long what only a camera could do; raises as above."""
        until = time.monotonic() + seconds
        while self._said_within(max(0.0, until - time.monotonic())):
            said = self._next()
            if isinstance(said, link.Trigger):
                self._say(link.Triggered(number=said.number, trigger=None, error=why))
            elif isinstance(said, link.Output):
                missed = link.OutputMissed(number=said.number, trigger=said.trigger, text=why)
                self._say(missed)
            elif isinstance(said, link.Configure):
                self._say(link.Configured(number=said.number, error=why))

    def _said_within(self, timeout: float) -> bool:
        return bool(select.select([self._end], [], [], timeout)[0])

    def _next(self) -> link.ToCamera | None:
        try:
            received = link.receive_to_camera(self._end, wait=False)
        except BlockingIOError:
            return None
        except OSError as error:
            raise Orphaned from error
        if received is None:
            raise Orphaned
        if isinstance(received[0], link.Stop):
            raise Stopping
        return received[0]

    def _configure(self, wanted: link.Configure) -> None:
        try:
            before = configure(self._camera, wanted.features)
        except InputError as error:
            self._say(link.Configured(number=wanted.number, error=str(error)))
            return
        self.features |= wanted.features
        self._say(link.Configured(number=wanted.number, before=before))

    def _trigger(self, number: int) -> None:
        try:
            self._camera.software_trigger()
        except (*CAMERA_ERRORS, AttributeError) as error:
            text = " ".join(str(error).split())
            self._say(link.Triggered(number=number, trigger=None, error=text))
            return
        self._issued += 1
        self._issued_at = time.monotonic()
        self._say(link.Triggered(number=number, trigger=self._issued))
