"""The JSON file beside an image, and how the files of an image are called."""

import re
import time
from pathlib import PurePath
from typing import Literal

from pydantic import Field

from daemon.archive.kept import Kept
from daemon.archive.pixels import digest
from daemon.messages import Verdict, View
from models.calibration import AnomalyMap
from models.geometry import Placement
from models.pixel_format import PixelFormat
from models.records import Record

IMAGE, MAP, RECORD = ".png", ".npy", ".json"
#: Names that this module gives, without their suffix; the epoch is there if the name was taken.
STEM = re.compile(r"[A-Za-z0-9_.-]+_\d{8,}_[A-Za-z0-9_.-]+_(?P<kind>PASS|FAIL|NO_VERDICT)(_\d+)?")
DAY = re.compile(r"\d{4}-\d\d-\d\d")
_LONGEST = 100  # characters of a name; a file system allows 255 bytes in all


class MapPlace(Record):
    """Where the cells of the map lie in the frame; (x, y), frame pixels."""

    shape: tuple[int, int]  # (rows, columns) of cells
    first: tuple[float, float]  # centre of the first cell
    step: tuple[float, float]  # from cell to cell

    @classmethod
    def of(cls, placement: Placement) -> "MapPlace":
        return cls(shape=placement.cells, first=placement.first[::-1], step=placement.step[::-1])

    @property
    def placement(self) -> Placement:
        return Placement(self.first[::-1], self.step[::-1], self.shape)


class ImageRecord(Record):
    """All that takes an image back to its verdict."""

    format: Literal[1] = 1
    camera: str
    pixel_format: PixelFormat
    dtype: Literal["uint8", "uint16"]  # little-endian
    shape: tuple[int, ...]  # (height, width), or (height, width, channels)
    pixels_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")  # of the bytes as the camera sent them
    map: MapPlace | None  # of the float32 array beside it; None if the model failed
    verdict: Verdict  # as published; names recipe, bundle, calibration and engine

    @property
    def view(self) -> View | None:
        """What the verdict says of this image."""
        return next((view for view in self.verdict.views if view.camera == self.camera), None)


def document(item: Kept) -> bytes:
    """Give the content of the JSON file of an image; its verdict is the bytes that were sent."""
    record = ImageRecord(
        camera=item.camera,
        pixel_format=item.pixel_format,
        dtype="uint8" if item.pixel_format.dtype.itemsize == 1 else "uint16",
        shape=item.pixels.shape,
        pixels_sha256=digest(item.pixels),
        map=_place(item.anomaly),
        verdict=item.verdict,
    )
    rest = record.model_dump_json(exclude={"verdict"}).encode()
    return rest.removesuffix(b"}") + b',"verdict":' + item.header + b"}\n"


def _place(anomaly: AnomalyMap | None) -> MapPlace | None:
    return None if anomaly is None else MapPlace.of(anomaly.placement)


def folder_of(verdict: Verdict) -> PurePath:
    """Give the folder of a verdict's images: its day, in local time, and its recipe."""
    day = time.strftime("%Y-%m-%d", time.localtime(verdict.triggered_ns // 1_000_000_000))
    return PurePath(day, safe(verdict.recipe or "no_recipe"))


def stem_of(verdict: Verdict, camera: str) -> str:
    """Give the name of an image's files, without their suffix."""
    name = f"{safe(verdict.station)}_{verdict.seq:08d}_{safe(camera)}"
    return f"{name}_{verdict.verdict}"


def safe(name: str) -> str:
    """Give a name that is one plain part of a path: neither hidden, nor a way up, nor too long."""
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:_LONGEST]
    return plain if plain and not plain.startswith(".") else f"_{plain}"
