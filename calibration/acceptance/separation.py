"""Do the recipe's scores still tell synthetic defects from the good frames shown?"""

import math
from collections.abc import Callable, Collection

from scipy import stats

from calibration.acceptance.answer import Answer, Check, SpoiltFrame
from calibration.acceptance.judge import Judge
from calibration.acceptance.limits import FOUND, KEPT, LOST, SEPARATION_CHANCE
from models.bundle import Separation, TrainingReference
from models.mode import Mode
from training.separation import separation_of
from training.synthetic.frames import chosen


def separate(
    judge: Judge, without: Collection[str], progress: Callable[[int, int], None]
) -> tuple[Separation | None, tuple[SpoiltFrame, ...]]:
    """Spoil some of the frames and score them; None if nothing could be put into any.

    ``without`` are digests of frames that are not believed to be good; ``progress`` is told how
    many of how many frames are done.
    """
    good = [frame for frame in judge.measured.frames if frame.digest not in without]
    limit = judge.measured.calibration.threshold
    places = chosen(len(good)) if good else []
    found = []
    for done, place in enumerate(places, start=1):
        frame = good[place]
        if (spoilt := judge.spoil(frame.digest)) is not None:
            score = judge.look(spoilt.rgb).score
            found.append(
                SpoiltFrame(
                    name=frame.name,
                    digest=frame.digest,
                    kind=spoilt.kind,
                    score=score,
                    found=score >= limit,
                )
            )
        progress(done, len(places))
    if not found:
        return None, ()
    clean = [frame.score for frame in good]
    return separation_of(clean, [one.score for one in found], limit), tuple(found)


def separation_checks(
    found: Separation | None, clean: int, mode: Mode, reference: TrainingReference
) -> list[Check]:
    """Hold what separates now against what did at training; ``clean``: good frames compared.

    In mode adaptive, which sees less, against mode whole. Nothing where there is nothing to hold.
    """
    kept = reference.separation.get(str(Mode.WHOLE if mode is Mode.ADAPTIVE else mode))
    if found is None or kept is None:
        return []
    least = least_auroc(kept, reference.frames, found, clean, KEPT)
    lost = least_auroc(kept, reference.frames, found, clean, LOST)
    fails: Answer | None = None
    if found.auroc < least:
        fails = Answer.NEEDS_RETRAINING if found.auroc < lost else Answer.LIGHTING_CHANGED
    return [
        _check("AUROC", (found.auroc, kept.auroc, least), fails, _AUROC_SAYS.get(fails, "")),
        _found_check(found, kept),
    ]


_AUROC_SAYS: dict[Answer | None, str] = {
    Answer.LIGHTING_CHANGED: "defects are harder to tell from these parts than at training",
    Answer.NEEDS_RETRAINING: "the recipe no longer tells defects from these parts",
}


def _found_check(found: Separation, kept: Separation) -> Check:
    least = least_found(kept, found)
    fails = None if found.found >= least else Answer.NEEDS_RETRAINING
    says = (
        "the threshold is too high to find what was found at training: look at the good frames"
        " with the highest scores, and show more parts"
    )
    numbers = found.found, kept.found, least
    check = _check("found at the threshold", numbers, fails, "" if fails is None else says)
    return check.model_copy(update={"by_few": True})


def _check(
    name: str, numbers: tuple[float, float, float], fails: Answer | None, says: str
) -> Check:
    value, normal, least = numbers
    return Check(
        name=f"synthetic defects, {name}",
        value=value,
        reference=normal,
        limit=f"{least:.3f} or above",
        ok=fails is None,
        fails=fails,
        says=says,
    )


def least_found(kept: Separation, found: Separation) -> float:
    """Give the lowest share found that is neither a real loss nor one that matters.

    A threshold is of the highest good scores, which chance moves more than it does a mean.
    """
    spread = kept.found * (1 - kept.found) * (1 / kept.frames + 1 / found.frames)
    real = kept.found - float(stats.norm.isf(SEPARATION_CHANCE)) * math.sqrt(spread)
    return max(min(FOUND * kept.found, real), 0.0)


def least_auroc(
    kept: Separation, held_out: int, found: Separation, clean: int, share: float
) -> float:
    """Give the lowest AUROC that is neither a real loss nor one that matters.

    ``kept`` was told with so many held-out frames, ``found`` with so many clean ones; of the way
    from chance to ``kept`` a ``share`` must be left.
    """
    matters = 0.5 + share * max(kept.auroc - 0.5, 0)
    errors = (
        standard_error(kept.auroc, kept.frames, held_out),
        standard_error(kept.auroc, found.frames, clean),
    )
    real = kept.auroc - float(stats.norm.isf(SEPARATION_CHANCE)) * math.hypot(*errors)
    return max(min(matters, real), 0.5)


def standard_error(auroc: float, spoilt: int, clean: int) -> float:
    """Give the standard error of an AUROC (Hanley and McNeil, Radiology 143, 1982)."""
    both = auroc / (2 - auroc)
    one = 2 * auroc**2 / (1 + auroc)
    square = auroc**2
    variance = auroc * (1 - auroc) + (spoilt - 1) * (both - square) + (clean - 1) * (one - square)
    return math.sqrt(max(variance, 0) / (spoilt * clean))
