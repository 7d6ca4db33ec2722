"""A second recipe that looks at the live frames of a station without deciding."""

import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from daemon.changeover.swap import in_use
from daemon.changeover.told import ScoreQuantiles, ShadowReport
from daemon.frames import Frame
from daemon.inspection.judging import Judging
from daemon.inspection.outcome import Origin, verdict_of
from daemon.messages import Kind, Verdict
from daemon.parts import Inspected, Settled

_SCORES = 10_000  # that are kept of each recipe
_ORIGIN = Origin(0, "", "")  # what a shadow says goes nowhere


class Shadow:
    """The comparison of one station. ``look`` is one thread's; counts may be read by any."""

    def __init__(self, station: str, judging: Judging, other_camera_parameters: bool) -> None:
        self.judging = judging
        self.skipped = 0  # parts
        self._station = station
        self._other = other_camera_parameters
        self._since_ns = time.time_ns()
        self._failed = 0
        self._kinds: Counter[tuple[Kind, Kind]] = Counter()  # deciding, shadow
        self._scores: deque[tuple[float, float]] = deque(maxlen=_SCORES)
        self._thresholds = (0.0, judging.recipe.calibration.threshold)

    def look(self, part: Settled, verdict: Verdict) -> None:
        """Score a part whose frames are the shadow's own, and compare with its verdict."""
        try:
            seen = tuple(
                replace(view, outcome=self._inspect(view.outcome))
                for view in part.views
                if isinstance(view.outcome, Inspected)
            )
        except (ArithmeticError, RuntimeError, ValueError):  # as of a worker: no verdict
            self._failed += 1
            return
        other = verdict_of(replace(part, views=seen, judging=self.judging), _ORIGIN)
        self._thresholds = (verdict.threshold or 0.0, self._thresholds[1])
        self._kinds[verdict.verdict, other.verdict] += 1
        self._scores.append((verdict.score or 0.0, other.score or 0.0))

    def _inspect(self, outcome: Inspected) -> Inspected:
        inspector = self.judging.inspectors[0]
        one = replace(inspector, engine=inspector.engine.on_threads(1))
        return one.inspect(outcome.frame)

    def report(self) -> ShadowReport:
        kinds = self._kinds.copy()
        compared = sum(kinds.values())
        agree = kinds[Kind.PASS, Kind.PASS] + kinds[Kind.FAIL, Kind.FAIL]
        scores = list(self._scores)
        return ShadowReport(
            station=self._station,
            shadow=in_use(self.judging),
            since_ns=self._since_ns,
            compared=compared,
            both_pass=kinds[Kind.PASS, Kind.PASS],
            both_fail=kinds[Kind.FAIL, Kind.FAIL],
            only_deciding_fails=kinds[Kind.FAIL, Kind.PASS],
            only_shadow_fails=kinds[Kind.PASS, Kind.FAIL],
            skipped=self.skipped,
            failed=self._failed,
            agreement=agree / compared if compared else None,
            deciding_scores=_quantiles([old for old, _ in scores], self._thresholds[0]),
            shadow_scores=_quantiles([new for _, new in scores], self._thresholds[1]),
            other_camera_parameters=self._other,
        )


def comparable(part: Settled, verdict: Verdict) -> bool:
    """Say whether each view of a part was looked at, so that a shadow can say as much of it."""
    looked = all(isinstance(view.outcome, Inspected) for view in part.views)
    return looked and verdict.verdict is not Kind.NO_VERDICT


def copied(part: Settled) -> Settled:
    """Give a part with frames of its own, whose slots are not held any more."""
    views = []
    for view in part.views:
        if isinstance(view.outcome, Inspected):
            frame = view.outcome.frame
            own = Frame(frame.claim, frame.pixels.copy(), frame.pixel_format, frame.lease)
            view = replace(view, outcome=replace(view.outcome, frame=own))
        views.append(view)
    return replace(part, views=tuple(views))


def _quantiles(scores: Sequence[float], threshold: float) -> ScoreQuantiles:
    if not scores:
        return ScoreQuantiles(threshold=threshold)
    q50, q90, q99, maximum = (float(q) for q in np.quantile(scores, (0.5, 0.9, 0.99, 1.0)))
    return ScoreQuantiles(threshold=threshold, q50=q50, q90=q90, q99=q99, maximum=maximum)
