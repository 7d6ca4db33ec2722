"""The frames of an acceptance report, each with its maps."""

from collections.abc import Sequence
from html import escape

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from calibration.acceptance.answer import Acceptance, SpoiltFrame
from calibration.acceptance.judge import Judge
from models.calibration import AnomalyMap
from training.evaluation.pictures import embedded, heat, outlined, shrunk

_UNUSUAL, _SUSPECTS, _SPOILT = 4, 8, 4  # rows, at most


def panels(acceptance: Acceptance, judge: Judge) -> str:
    """Lay out suspects, the most unusual good frames, and synthetic defects missed and found.

    A row each: the frame, its local, its global and its fused map. All maps share one scale, from
    the normal quantile q_a to twice the threshold.
    """
    out = {suspect.digest for suspect in acceptance.suspects}
    good = [frame for frame in judge.measured.frames if frame.digest not in out]
    highest = sorted(good, key=lambda frame: (-frame.score, frame.digest))[:_UNUSUAL]
    spoilt = sorted(acceptance.spoilt, key=lambda one: (one.score, one.digest))
    groups = {
        "Suspects": [
            _row(judge, s.name, f"{s.score:.4f}; {s.says}", judge.rgb(s.digest))
            for s in acceptance.suspects[:_SUSPECTS]
        ],
        "The most unusual good frames": [
            _row(judge, f.name, f"{f.score:.4f}", judge.rgb(f.digest)) for f in highest
        ],
        "Synthetic defects that are missed": _spoilt(judge, [s for s in spoilt if not s.found]),
        "Synthetic defects that are found, lowest scores": _spoilt(
            judge, [s for s in spoilt if s.found]
        ),
    }
    heads = ("", "frame", "local map", "global map", "anomaly map")
    made = "".join(f"<p class=head>{head}</p>" for head in heads)
    for title, rows in groups.items():
        if rows:
            made += f"<p class=gap>{title}</p>{''.join(rows)}"
    return (
        f"<div class=panels>{made}</div>"
        f"<p class=quiet>Maps from 0 (blue) to {_top(judge):.3f} and above (red); the threshold is"
        " green. Synthetic defects are outlined.</p>"
    )


def _top(judge: Judge) -> float:
    return max(2 * judge.measured.calibration.threshold, 1e-6)


def _spoilt(judge: Judge, frames: Sequence[SpoiltFrame]) -> list[str]:
    rows = []
    for frame in frames[:_SPOILT]:
        if (made := judge.spoil(frame.digest)) is not None:
            said = f"{frame.score:.4f}; {frame.kind}"
            rows.append(_row(judge, frame.name, said, made.rgb, made.visible))
    return rows


def _row(
    judge: Judge, name: str, said: str, rgb: Tensor, mask: NDArray[np.bool_] | None = None
) -> str:
    maps = judge.engine.look_at(rgb)
    frame = (rgb * 255 + 0.5).byte().permute(1, 2, 0).contiguous().numpy()
    small = shrunk(frame)
    pictures = [small if mask is None else outlined(small, mask)]
    for alpha in (1.0, 0.0, None):
        shown = _shown(judge.fuse(maps, alpha), frame.shape[:2], small.shape[:2])
        pictures.append(heat(small, shown, _top(judge)))
    told = f"{escape(name)}<br>score {escape(said)}"
    return f"<p>{told}</p>" + "".join(map(embedded, pictures))


def _shown(fused: AnomalyMap, size: tuple[int, ...], small: tuple[int, ...]) -> NDArray[np.float32]:
    """Bring a map to the size of a picture."""
    pixels = fused.placement.to_pixels(fused.values, (size[0], size[1])).numpy()
    shape = (small[1], small[0])
    shown = cv2.resize(np.maximum(pixels, 0), shape, interpolation=cv2.INTER_AREA)
    return np.asarray(shown, np.float32)
