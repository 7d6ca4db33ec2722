"""Judged, committed, published, in this order; and what is late is never told as good."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from daemon.claims import Claim, Seen, StationPlan
from daemon.frames import Frame, Lease
from daemon.inspection.infer import Inspector
from daemon.inspection.judging import Judging
from daemon.inspection.latest import Latest
from daemon.inspection.outcome import MapPlan, Origin
from daemon.inspection.outlet import Outlet, Outlets
from daemon.journal import Entry, Journal, JournalReader, LateResult
from daemon.ledger import Ledger
from daemon.messages import Kind, MapEncoding, Part, Reason, TriggerSource, Verdict
from daemon.metrics.statistics import Statistics
from daemon.parts import Belated, Inspected, Settled, SettledView
from daemon.publisher import Outgoing
from models import recipe as recipes
from models.calibration import AnomalyMap
from models.engine import Engine
from models.geometry import Whole
from models.pixel_format import PixelFormat

ORIGIN = Origin(epoch=7, job="job", code="0")


class Waiting(Journal):
    """A journal whose commit takes until a moment, as on a disk that is busy."""

    until = 0.0

    def commit(self, entries: Sequence[Entry | LateResult]) -> None:
        super().commit(entries)
        while time.monotonic() <= self.until:
            time.sleep(0.001)


class Scales:
    """An outlet with all that it needs, and what came out of it."""

    def __init__(self, folder: Path, recipe: Path) -> None:
        loaded = recipes.load(recipe)
        self.judging = Judging(loaded, (Inspector(Engine(loaded.bundle), loaded),))
        self.journal = Waiting.open(folder, "process", 7)
        self.reader = JournalReader(folder)
        self.let_go: list[int] = []
        self.published: list[Verdict] = []
        self.driven: list[int] = []
        self.violations: list[str] = []
        self.statistics = Statistics(["nut"])
        self.latest = Latest()
        plan = StationPlan(("cam",), TriggerSource.HARDWARE, 60.0)
        self.ledger = Ledger({"nut": plan}, 10)
        self.outlet = Outlet(
            ORIGIN,
            MapPlan("none", MapEncoding.RAW),
            ledger=self.ledger,
            journal=self.journal,
            latest=self.latest,
            statistics=self.statistics,
            outlets=Outlets(
                self._publish,
                lambda part, verdict: self.driven.append(verdict.seq),
                lambda part, verdict, header: None,
                lambda station, text: self.violations.append(text),
            ),
        )

    def _publish(self, outgoing: Outgoing) -> None:
        assert isinstance(outgoing.message, Verdict)
        verdict = outgoing.message
        if not verdict.isPartial:
            (kept,) = self.reader.replay("nut", verdict.seq - 1, 1, 1 << 20).headers
            assert kept == outgoing.header, "published before it was committed"
        self.published.append(verdict)

    def part(self, number: int, score: float = 0.0, deadline: float = float("inf")) -> Settled:
        result = self.result(number, score)
        seen = Seen(number, number, None, 1, 2)
        view = SettledView("cam", number, number, seen, result)
        part = Settled("nut", number, Part(), TriggerSource.HARDWARE, 1, deadline, (view,))
        return replace(part, judging=self.judging)

    def result(self, number: int, score: float = 0.0) -> Inspected:
        values = torch.zeros(Whole(128, 128).placement.cells)
        values[0, 0] = score
        frame = Frame(
            Claim("nut", number, "cam"),
            np.zeros((4, 4), np.uint8),
            PixelFormat.MONO8,
            Lease(lambda: self.let_go.append(number)),
        )
        return Inspected(AnomalyMap(values, Whole(128, 128).placement), frame, 3, 4)

    def close(self) -> None:
        self.reader.close()
        self.journal.close()


@pytest.fixture
def scales(tmp_path: Path, tiny_recipe: Path) -> Iterator[Scales]:
    scales = Scales(tmp_path, tiny_recipe)
    yield scales
    scales.close()


def test_what_settles_together_is_committed_then_published(scales: Scales) -> None:
    scales.outlet.run([[scales.part(1), scales.part(2, 9.0)], [scales.part(3)]])
    assert [v.verdict for v in scales.published] == [Kind.PASS, Kind.FAIL, Kind.PASS]
    assert scales.driven == [1, 2, 3]
    assert scales.let_go == [1, 2], "the newest is held for who asks"
    scales.latest.clear()
    assert scales.let_go == [1, 2, 3]
    assert scales.violations == []


def test_a_verdict_that_a_commit_made_late_is_amended_before_it_is_told(scales: Scales) -> None:
    deadline = time.monotonic() + 0.2
    scales.journal.until = deadline
    scales.outlet.run([[scales.part(1, deadline=deadline), scales.part(2)]])
    assert [v.reason for v in scales.published] == [Reason.LATE, None]
    (first, second) = scales.reader.replay("nut", 0, 10, 1 << 20).headers
    assert json.loads(first)["verdict"] == "NO_VERDICT"
    assert json.loads(second)["verdict"] == "PASS"
    ((kind, score),) = scales.reader.select("SELECT kind, score FROM late WHERE seq = 1")
    assert (kind, score) == ("PASS", 0.0)


def test_a_verdict_that_is_late_before_its_commit_is_never_kept_as_good(scales: Scales) -> None:
    scales.outlet.run([[scales.part(1, deadline=time.monotonic() - 1)]])
    assert [v.reason for v in scales.published] == [Reason.LATE]
    assert len(scales.reader.select("SELECT * FROM late")) == 1


def test_a_belated_result_is_kept_beside_its_verdict_and_its_frame_let_go(scales: Scales) -> None:
    claim = Claim("nut", 1, "cam", judging=scales.judging)
    scales.outlet.run([[Belated(claim, scales.result(1, 9.0))]])
    ((seq, camera, kind),) = scales.reader.select("SELECT seq, camera, kind FROM late")
    assert (seq, camera, kind) == (1, "cam", "FAIL")
    assert scales.published == []
    assert scales.let_go == [1]


def test_a_number_that_was_left_out_is_a_violation(scales: Scales) -> None:
    scales.outlet.run([[scales.part(1), scales.part(3)]])
    assert scales.violations == ["verdicts [2] were never published"]


def test_statistics_say_how_long_each_stage_took(scales: Scales) -> None:
    scales.outlet.run([[scales.part(1), scales.part(2, 9.0)]])
    statistics = scales.statistics.snapshot(scales.ledger.counts())["nut"]
    assert set(statistics.stages) >= {"receive", "queue", "infer", "settle", "commit", "total"}
    assert statistics.stages["infer"].count == 2
