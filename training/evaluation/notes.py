"""What the reader of a result must know before the numbers."""

from collections.abc import Iterator

from models.bundle import Bundle
from training.data.good import digest
from training.evaluation.image_metrics import FALSE_REJECT_RATES
from training.evaluation.looked import Looked
from training.evaluation.measure import has_masks


def notes(looked: Looked, global_map: str) -> Iterator[str]:
    """Yield what the numbers rest on, a sentence each."""
    yield _calibrated(looked)
    if global_map != "student":
        yield "The global map is the teacher against the autoencoder."
    good = int((~looked.defective).sum())
    if good:
        allowed = [f"{100 * r:g} % allows {int(good * r + 1e-9)}" for r in FALSE_REJECT_RATES]
        rates = ", ".join(allowed)
        yield f"Of {good} good test images a false reject rate of {rates} to be rejected."


def warnings(looked: Looked, bundle: Bundle) -> Iterator[str]:
    """Yield what is wrong with the numbers, or missing from them, a sentence each."""
    seen = set(bundle.manifest.trained_on)
    trained = sum(digest(sample.path) in seen for sample in looked.samples)
    if trained:
        yield f"{trained} test images were trained on: all numbers here are too good."
    yield from _classes(looked)
    yield from _masks(looked)
    size = bundle.manifest.input
    other = sum((t.height, t.width) != (size.height, size.width) for t in looked.truths)
    if other:
        yield (
            f"{other} test images are not {size.width} x {size.height} pixels, which the bundle was"
            " trained for; the daemon would refuse them."
        )


def _calibrated(looked: Looked) -> str:
    normal = looked.normal
    made = {
        "recipe": f"from the recipe, which was calibrated on {normal.images} good images",
        "held-out": f"from {normal.images} good images that were not trained on",
    }[normal.source]
    return (
        f"Normal ranges and threshold are {made}, for a false reject rate of"
        f" {normal.false_reject_rate:.2%}; no test image has a part in them."
    )


def _classes(looked: Looked) -> Iterator[str]:
    bad = int(looked.defective.sum())
    good = len(looked.defective) - bad
    if not bad or not good:
        kind = "defective" if good else "good"
        yield f"No test image is {kind}: AUROC and all that compares the two is undefined."


def _masks(looked: Looked) -> Iterator[str]:
    bad = int(looked.defective.sum())
    if bad and not has_masks(looked):
        yield "No defect has a mask: there are image metrics only."
        return
    unknown = len(looked.samples) - len(looked.known)
    if unknown:
        yield f"{unknown} defective images have no mask and are left out of pixel metrics."
