"""From a new calibration to the answer whether it may be activated."""

from collections.abc import Callable, Sequence

from calibration.acceptance.answer import Acceptance, Answer, Check, Suspect
from calibration.acceptance.judge import Judge
from calibration.acceptance.light import light_checks
from calibration.acceptance.maps import map_checks
from calibration.acceptance.separation import separate, separation_checks
from calibration.acceptance.suspects import find_suspects
from calibration.looked import FrameLook, Measured
from calibration.shown import Shown
from models.bundle import Bundle, Separation, TrainingReference
from models.engine import Engine
from models.mode import Mode


def accept(
    bundle: Bundle,
    measured: Measured,
    engine: Engine,
    read: Callable[[str], Shown],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Acceptance:
    """Hold a new calibration against the bundle's training reference and synthetic defects.

    ``read`` gives a frame shown again by its digest; ``progress`` is told how many of how many
    looks are done: one a spoilt frame, 24 at most. The same frames get the same answer.
    """
    reference = bundle.manifest.training_reference
    judge = Judge.of(bundle, measured, engine, read)
    suspects = find_suspects(measured.frames, reference)
    parts = {suspect.part for suspect in suspects}
    without = {frame.digest for frame in measured.frames if frame.part in parts}
    rest = [frame for frame in measured.frames if frame.digest not in without]
    separation, spoilt = separate(judge, without, progress)
    # What a few suspects make fail is judged again without them.
    checks = [
        check
        for check in _checks(measured, rest, separation, engine.mode, reference)
        if not (suspects and check.by_few)
    ]
    return Acceptance(
        answer=decide(checks, suspects),
        checks=tuple(checks),
        suspects=tuple(suspects),
        separation=separation,
        spoilt=spoilt,
        frames=len(measured.frames),
    )


def _checks(
    measured: Measured,
    rest: Sequence[FrameLook],
    separation: Separation | None,
    mode: Mode,
    reference: TrainingReference,
) -> list[Check]:
    return [
        *map_checks(measured, reference),
        *light_checks(rest, reference),
        *separation_checks(separation, len(rest), mode, reference),
    ]


def decide(checks: Sequence[Check], suspects: Sequence[Suspect]) -> Answer:
    """Give the answer.

    What needs training needs it whoever stands out. Suspects come before light: without them it is
    judged again.
    """
    failed = {check.fails for check in checks}
    if Answer.NEEDS_RETRAINING in failed:
        return Answer.NEEDS_RETRAINING
    if suspects:
        return Answer.SUSPECT_PARTS
    return Answer.LIGHTING_CHANGED if Answer.LIGHTING_CHANGED in failed else Answer.RECALIBRATED
