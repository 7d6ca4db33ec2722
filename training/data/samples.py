"""What a data set holds, whatever its layout: images of parts, and what is known of them."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Sample:
    """One image of a part."""

    path: Path
    defect: str | None = None  # its type; None: a good part
    masks: tuple[Path, ...] = ()  # images of its defect's pixels, to be joined; none where unknown
    part: str = ""  # views of one part share it; "" is a part of its own
    view: str = ""  # of the part, where it has several

    @property
    def good(self) -> bool:
        return self.defect is None

    @property
    def part_key(self) -> str:
        """Name the part: no two parts of a data set share it, all views of one part do."""
        return self.part or str(self.path)


@dataclass(frozen=True)
class DataSet:
    """Images to train on and to test with. No part is on both sides."""

    name: str
    root: Path
    layout: str  # how the folder is laid out: "flat", "mvtec", "mvtec-loco", "visa", "real-iad"
    train: tuple[Sample, ...]  # to learn from; good, unless the setting contaminates it
    test: tuple[Sample, ...] = ()
    validation: tuple[Sample, ...] = field(default=())  # good, kept for calibration by its makers
