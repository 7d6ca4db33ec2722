"""All images of a folder, each shown as a part of its own."""

from collections.abc import Iterator
from pathlib import Path

from calibration.shown import Shown
from models.images import find_images, read_rgb
from models.pixel_format import PixelFormat


class ImageSource:
    """A folder's images in the order of their names, equal ones too: a FrameSource."""

    def __init__(self, folder: Path, limit: int | None = None) -> None:
        """Raises ``InputError`` if the folder is missing or holds none."""
        self._paths = find_images(folder)[:limit]

    @property
    def total(self) -> int | None:
        return len(self._paths)

    def __iter__(self) -> Iterator[Shown]:
        for path in self._paths:
            yield Shown.of(path.name, path.name, read_rgb(path), PixelFormat.RGB8, path)
