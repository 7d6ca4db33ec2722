"""How high a frame's maps lie as a whole."""

from collections.abc import Mapping

from models.calibration import RawMaps


def local_level(maps: Mapping[str, RawMaps]) -> float:
    """Give the mean of a frame's raw local map over its counted cells.

    Of scale ``whole`` where there is one, for it is always computed in full; else of ``tiles``.
    """
    raw = maps["whole"] if "whole" in maps else maps["tiles"]
    everything = raw.computed is None and raw.ignored is None
    return float((raw.local if everything else raw.local[raw.counted]).mean())
