"""What the daemon wants of a camera and of its process, and what it tells of them."""

from dataclasses import dataclass
from typing import Protocol

from daemon.camera import link
from models.errors import InputError
from models.pixel_format import PixelFormat


class Alarms(Protocol):
    """Where alarms go: code, camera, text, and the bounds of an interval in ns."""

    def __call__(
        self, code: str, camera: str, text: str, since: int | None = None, until: int | None = None
    ) -> None: ...


@dataclass(frozen=True)
class Restarts:
    backoff_s: float
    per_hour: int


@dataclass(frozen=True)
class Wanted:
    """What the recipe inspects, and where frames of it lie."""

    width: int | None  # pixels; None, as the height: whatever the camera delivers
    height: int | None
    slots: int  # depth of the camera's queue
    on_cuda: bool  # slots are registered with CUDA


@dataclass(frozen=True)
class Before:
    """What an earlier run of the daemon knew of a camera."""

    last: int  # number of its newest trigger
    shift: int  # as ``CameraSupervisor.shift`` was
    alive_ns: int  # Unix epoch: when that run last showed that it lives


def check_fit(camera: link.Opened, width: int | None, height: int | None, where: str) -> None:
    """Raise ``InputError`` unless a camera delivers frames that the recipe inspects (pixels).

    Without a recipe, which is None, any size is good.
    """
    if camera.pixel_format not in list(PixelFormat):
        raise InputError(
            f"{where}: pixel format {camera.pixel_format}; allowed are {', '.join(PixelFormat)}"
        )
    if (width, height) != (None, None) and (camera.width, camera.height) != (width, height):
        raise InputError(
            f"{where}: delivers {camera.width} x {camera.height} pixels, but the recipe inspects"
            f" {width} x {height}; set the camera's Width and Height,"
            " or use a bundle trained on such images"
        )
