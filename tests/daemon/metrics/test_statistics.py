"""What is counted of verdicts is what GetStatistics says."""

import pytest

from daemon.messages import Counts, Kind, Reason
from daemon.metrics.statistics import Stage, Statistics
from daemon.replies import StationStatistics


def test_each_station_has_its_own_reasons_and_stages() -> None:
    statistics = Statistics(["nut", "bolt"])
    nut = statistics.stations["nut"]
    for ms in range(1, 101):
        nut.stage(Stage.INFER, ms * 1_000_000)
    nut.verdict(Kind.PASS, None)
    nut.verdict(Kind.PASS, None, bypassed=True)
    nut.verdict(Kind.NO_VERDICT, Reason.LATE)
    nut.verdict(Kind.NO_VERDICT, Reason.LATE)
    nut.verdict(Kind.NO_VERDICT, Reason.OVERRUN)
    counts = {"nut": Counts(triggers=5, passed=2, no_verdict=3, bypassed=1), "bolt": Counts()}

    said = statistics.snapshot(counts)

    assert said["bolt"] == StationStatistics(counts=Counts(), reasons={}, stages={})
    assert said["nut"].counts == counts["nut"]
    assert said["nut"].reasons == {"late": 2, "overrun": 1}
    assert list(said["nut"].stages) == ["infer"]
    infer = said["nut"].stages["infer"]
    assert (infer.count, infer.max_ms) == (100, 100)
    assert infer.mean_ms == pytest.approx(50.5)
    assert infer.p50_ms == pytest.approx(50, rel=0.05)
    assert infer.p99_ms == pytest.approx(99, rel=0.05)
    assert nut.read().bypassed == 1


def test_a_verdict_that_cannot_be_is_a_fault() -> None:
    tally = Statistics(["nut"]).stations["nut"]
    with pytest.raises(KeyError):
        tally.verdict(Kind.NO_VERDICT, None)
    with pytest.raises(KeyError):
        tally.verdict(Kind.PASS, Reason.LATE)


def test_stages_are_those_of_the_request() -> None:
    assert list(Stage) == ["receive", "queue", "infer", "settle", "commit", "send", "total"]
