"""The frames of a part, copied for a calibration, and what is told of each."""

from dataclasses import dataclass

import numpy as np

from daemon.messages import PixelInfo, Verdict
from daemon.parts import Inspected, Settled, SettledView
from daemon.replies import CollectedFrame
from models.pixels import RawFrame


@dataclass(frozen=True, eq=False)
class SeenView:
    camera: str
    outcome: Inspected


def seen_views(part: Settled) -> list[SeenView] | None:
    """Give a part's views if each was inspected."""
    seen = [_view(view) for view in part.views]
    found = [view for view in seen if view is not None]
    return found if found and len(found) == len(seen) else None


def _view(view: SettledView) -> SeenView | None:
    return SeenView(view.camera, view.outcome) if isinstance(view.outcome, Inspected) else None


def copies_of(views: list[SeenView]) -> list[RawFrame]:
    """Copy frames out of their slots; raises ``MemoryError``."""
    return [view.outcome.frame.pixels.copy() for view in views]


def told_of(number: int, verdict: Verdict, view: SeenView, pixels: RawFrame) -> CollectedFrame:
    return CollectedFrame(
        number=number,
        seq=verdict.seq,
        part=verdict.part,
        camera=view.camera,
        verdict=verdict.verdict,
        score=view.outcome.anomaly.score,
        frame=PixelInfo(
            pixel_format=view.outcome.frame.pixel_format.value,
            dtype="uint16" if pixels.dtype == np.uint16 else "uint8",
            shape=pixels.shape,
        ),
    )
