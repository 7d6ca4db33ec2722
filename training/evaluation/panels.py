"""The best and the worst test images, each with its truth and its three maps (figure 5.3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import cv2
import numpy as np
from numpy.typing import NDArray

from models.images import read_rgb
from training.evaluation.looked import Looked
from training.evaluation.pictures import Image, embedded, heat, outlined, shrunk


@dataclass(frozen=True)
class Group:
    """Images that are shown for one reason."""

    title: str
    images: tuple[int, ...]


def choose(looked: Looked, scores: NDArray[np.float64], each: int = 4) -> list[Group]:
    """Choose the images to show by the fused map's scores.

    The defective ones with the lowest scores, the good ones with the highest, and of each type of
    defect the one with the highest.
    """
    order = np.argsort(scores, kind="stable").tolist()
    bad = [i for i in order if looked.defective[i]]
    good = [i for i in order if not looked.defective[i]]
    best: dict[str, int] = {looked.samples[i].defect or "": i for i in bad}
    return [
        Group(title, tuple(images))
        for title, images in (
            ("Defective, lowest scores", bad[:each]),
            ("Good, highest scores", good[::-1][:each]),
            ("Highest score of each type of defect", [best[kind] for kind in sorted(best)][:8]),
        )
        if images
    ]


def panels(looked: Looked, scores: NDArray[np.float64], groups: Sequence[Group]) -> str:
    """Lay out the chosen images, a row each, as HTML with the pictures in it.

    All maps share one scale: from 0, the normal quantile q_a, to twice the threshold or the
    middle score of defective images, whichever is larger.
    """
    limit = looked.normal.thresholds(looked.normal.alpha) or 0.1
    defective = scores[looked.defective]
    top = max(2 * limit, float(np.median(defective)) if len(defective) else 0)
    heads = ("", "input", "ground truth", "local map", "global map", "fused map")
    found = [f"<p class=head>{head}</p>" for head in heads]
    for group in groups:
        found.append(f"<p class=gap>{escape(group.title)}</p>")
        for image in group.images:
            told = escape(f"{looked.name(image)}, score {scores[image]:.4f}")
            found.append(f"<p>{told}</p>" + "".join(map(embedded, _row(looked, image, top))))
    return (
        f"<div class=panels>{''.join(found)}</div>"
        f"<p class=quiet>Maps from 0 (blue) to {top:.3f} and above (red).</p>"
    )


def _row(looked: Looked, image: int, top: float) -> list[Image]:
    """Make an image's five panels, RGB."""
    rgb, truth = read_rgb(looked.samples[image].path), looked.truths[image]
    small = shrunk(rgb)
    size = small.shape[1], small.shape[0]
    found = [small, outlined(small, truth.mask)]
    for alpha in looked.map_alphas.values():
        values = looked.pixels(image, alpha)
        shown = cv2.resize(np.maximum(values, 0), size, interpolation=cv2.INTER_AREA)
        found.append(heat(small, np.asarray(shown, np.float32), top))
    return found
