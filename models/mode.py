"""The inspection modes: at which scales a frame is looked at, and where (DESIGN.md section 5)."""

from collections.abc import Collection
from enum import StrEnum
from typing import Literal

from models.errors import InputError

ScaleName = Literal["whole", "tiles"]


class Mode(StrEnum):
    """``pyramid`` and ``adaptive`` take a bundle of both scales, which can run as any of the four.

    ``adaptive`` looks at the whole frame first, and at native tiles only where that is unlike good
    parts. It finds what the whole shows a trace of, with the tiles' detail, for a fraction of the
    pyramid's time; **a defect that the whole does not see at all is missed**, unless it lies in a
    tile that something else asked for. A bad frame may ask for all tiles: the deadline must allow
    for that.
    """

    WHOLE = "whole"
    TILES = "tiles"
    PYRAMID = "pyramid"
    ADAPTIVE = "adaptive"

    @property
    def scales(self) -> tuple[ScaleName, ...]:
        """The scales that it looks at, the first first."""
        if self is Mode.WHOLE:
            return ("whole",)
        return ("tiles",) if self is Mode.TILES else ("whole", "tiles")

    @classmethod
    def of(cls, scales: Collection[str]) -> "Mode":
        """Give the mode of a bundle that says no more than its scales: both are a pyramid."""
        return cls.PYRAMID if len(scales) > 1 else cls(*scales)


def mode_for(scales: Collection[str], wanted: Mode | None, where: object) -> Mode:
    """Give the wanted mode, or that of the scales.

    Raises ``InputError``, which says where it was wanted, if a scale is missing.
    """
    if wanted is None:
        return Mode.of(scales)
    missing = [scale for scale in wanted.scales if scale not in scales]
    if missing:
        allowed = [str(m) for m in Mode if set(m.scales) <= set(scales)]
        raise InputError(
            f"{where}: mode {wanted} takes the scale {' and '.join(missing)}, and the bundle has"
            f" {', '.join(sorted(scales))}; allowed here: {', '.join(allowed)}. Or train a bundle"
            f" with --scales {' '.join(wanted.scales)}"
        )
    return wanted
