"""A shadow sees what the line has no other work for, and says how it would have decided."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from daemon.changeover.shadow import Shadow
from daemon.changeover.shadows import Shadows
from daemon.channel import Crew
from daemon.claims import Claim, Seen
from daemon.frames import Frame, Lease
from daemon.inspection.infer import Inspector
from daemon.inspection.judging import Judging
from daemon.inspection.outcome import Origin, verdict_of
from daemon.messages import Kind, Part, Reason, TriggerSource, Verdict
from daemon.parts import Inspected, Settled, SettledView, Unseen
from models import recipe as recipes
from models.engine import Engine
from models.errors import InputError
from models.pixel_format import PixelFormat

LIMIT = 30.0


@pytest.fixture(scope="module")
def deciding(tiny_recipe: Path) -> Judging:
    loaded = recipes.load(tiny_recipe)
    engine = Engine(loaded.bundle, precision=loaded.calibration.precision)
    return Judging(loaded, (Inspector(engine, loaded),))


def with_threshold(judging: Judging, threshold: float) -> Judging:
    loaded = judging.recipe
    calibration = loaded.calibration.model_copy(update={"threshold": threshold})
    other = replace(loaded, calibration=calibration)
    return Judging(other, (Inspector(judging.inspectors[0].engine, other),))


def part(judging: Judging, pixels: NDArray[np.uint8], given_back: list[str]) -> Settled:
    """Give a part of one view that was inspected."""
    claim = Claim("nut", 1, "a", judging=judging)
    frame = Frame(claim, pixels, PixelFormat.RGB8, Lease(lambda: given_back.append("slot")))
    outcome = judging.inspectors[0].inspect(frame)
    view = SettledView("a", 1, 1, Seen(1, 1, None, 1, 2), outcome)
    whole = Settled("nut", 1, Part(), TriggerSource.HARDWARE, 1, float("inf"), (view,))
    return replace(whole, judging=judging)


def judged(settled: Settled) -> Verdict:
    return verdict_of(settled, Origin(7, "job", "0"))


class Looking:
    """Shadows, whose thread looks at what it is given before the next is offered."""

    def __init__(self) -> None:
        self.idle = True
        self.shadows = Shadows(lambda station: self.idle)
        self.crew = Crew(lambda: None)
        self.crew.start("shadow", self.shadows.run)

    def offer(self, settled: Settled, verdict: Verdict) -> None:
        before = self.seen()
        self.shadows.offer(settled, verdict)
        done = threading.Event()
        for _ in range(round(LIMIT / 0.01)):
            if self.seen() > before and not self.shadows._looking:
                return
            done.wait(0.01)
        raise AssertionError("the shadow does not look")

    def seen(self) -> int:
        report = self.shadows.report("nut")
        return report.compared + report.skipped + report.failed


@pytest.fixture
def looking() -> Iterator[Looking]:
    looking = Looking()
    yield looking
    looking.shadows.close()
    assert looking.crew.join(LIMIT) == []
    looking.crew.check()


def test_each_of_the_four_outcomes_is_counted(
    deciding: Judging, passing: NDArray[np.uint8], failing: NDArray[np.uint8]
) -> None:
    parts = [part(deciding, pixels, []) for pixels in (passing, failing)]
    assert [judged(one).verdict for one in parts] == [Kind.PASS, Kind.FAIL]
    reports = []
    for threshold in (0.0, 1e9):
        shadow = Shadow("nut", with_threshold(deciding, threshold), False)
        for one in parts:
            shadow.look(one, judged(one))
        reports.append(shadow.report())
    counts = [
        (r.both_pass, r.both_fail, r.only_deciding_fails, r.only_shadow_fails) for r in reports
    ]
    assert counts == [(0, 1, 0, 1), (1, 0, 1, 0)]
    for report, threshold in zip(reports, (0.0, 1e9), strict=True):
        assert (report.compared, report.agreement) == (2, 0.5)
        assert report.shadow_scores.threshold == threshold
        assert report.deciding_scores.threshold == deciding.recipe.calibration.threshold
        assert report.shadow_scores.maximum == pytest.approx(judged(parts[1]).score)
        assert report.deciding_scores.q50 == pytest.approx(
            sum(judged(one).score or 0 for one in parts) / 2
        )


def test_what_was_looked_at_gives_its_slot_back_and_one_that_ended_is_gone(
    looking: Looking, deciding: Judging, passing: NDArray[np.uint8]
) -> None:
    given_back: list[str] = []
    settled = part(deciding, passing, given_back)
    looking.shadows.begin("nut", Shadow("nut", deciding, False))
    looking.offer(settled, judged(settled))
    report = looking.shadows.end("nut")
    assert report is not None
    assert (report.compared, report.agreement, report.skipped) == (1, 1.0, 0)
    assert given_back == [], "whoever holds the part holds its slot"
    view = settled.views[0].outcome
    assert isinstance(view, Inspected)
    view.frame.lease.let_go()
    assert given_back == ["slot"]
    assert looking.shadows.end("nut") is None
    with pytest.raises(InputError, match="no recipe looks on"):
        looking.shadows.report("nut")


def test_while_anything_waits_or_a_view_is_missing_it_is_skipped(
    looking: Looking, deciding: Judging, passing: NDArray[np.uint8]
) -> None:
    settled = part(deciding, passing, [])
    looking.shadows.begin("nut", Shadow("nut", deciding, False))
    looking.idle = False
    looking.offer(settled, judged(settled))
    looking.idle = True
    gone = replace(settled.views[0], camera="b", outcome=Unseen(Reason.FRAME_LOST, "gone"))
    half = replace(settled, views=(*settled.views, gone))
    looking.offer(half, judged(half))
    report = looking.shadows.report("nut")
    assert (report.skipped, report.compared, report.agreement) == (2, 0, None)
    assert report.shadow_scores.q50 is None


def test_a_shadow_that_fails_is_counted_and_the_line_goes_on(
    looking: Looking, deciding: Judging, passing: NDArray[np.uint8]
) -> None:
    settled = part(deciding, passing, [])
    broken = replace(deciding.recipe, bundle=deciding.recipe.bundle)

    class Broken(Inspector):
        def inspect(self, frame: Frame) -> object:  # type: ignore[override]
            raise ArithmeticError("not finite")

    judging = Judging(broken, (Broken(deciding.inspectors[0].engine, broken),))
    looking.shadows.begin("nut", Shadow("nut", judging, False))
    looking.offer(settled, judged(settled))
    assert looking.shadows.report("nut").failed == 1
