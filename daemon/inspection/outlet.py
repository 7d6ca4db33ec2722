"""The last stage: judge, journal, publish; in this order, in one thread."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from daemon.inspection.judge import judge
from daemon.inspection.latest import Latest
from daemon.inspection.outcome import MapPlan, Origin, maps_of, too_late, verdict_of
from daemon.journal import Entry, LateResult
from daemon.ledger import Ledger
from daemon.messages import Kind, Verdict
from daemon.metrics.statistics import Stage, Statistics
from daemon.parts import Belated, Inspected, Settled
from daemon.publisher import Outgoing
from daemon.wire import header_of


class Verdicts(Protocol):
    """Where verdicts are kept; what ``commit`` returned from is kept for good."""

    def commit(self, entries: Sequence[Entry | LateResult]) -> None: ...
    def amend(self, entries: Sequence[Entry | LateResult]) -> None: ...


@dataclass(frozen=True)
class Outlets:
    """Where a verdict goes once it is committed. None of them may wait."""

    publish: Callable[[Outgoing], None]
    drive: Callable[[Settled, Verdict], None]  # the line's own output
    keep: Callable[[Settled, Verdict, bytes], None]  # images
    violated: Callable[[str, str], None]  # station, text


@dataclass(frozen=True, eq=False)
class _Ready:
    part: Settled
    verdict: Verdict
    header: bytes
    judged_ns: int


class Outlet:
    def __init__(
        self,
        origin: Origin,
        maps: MapPlan,
        *,
        ledger: Ledger,
        journal: Verdicts,
        latest: Latest,
        statistics: Statistics,
        outlets: Outlets,
    ) -> None:
        self._origin = origin
        self._maps = maps
        self._ledger = ledger
        self._journal = journal
        self._latest = latest
        self._statistics = statistics
        self._to = outlets

    def run(self, batches: Iterable[list[Settled | Belated]]) -> None:
        """Take what the ledger settles until it is closed; what settled together is committed
        together. Raises ``JournalError`` if it cannot be: then nothing of it is published.
        """
        for batch in batches:
            self._batch(batch)

    def _batch(self, batch: list[Settled | Belated]) -> None:
        ready: list[_Ready] = []
        beside: list[Entry | LateResult] = []
        for item in batch:
            if isinstance(item, Belated):
                beside.append(self._late(item))
            elif item.partial:
                self._to.publish(Outgoing(verdict_of(item, self._origin)))
            else:
                ready.append(self._judged(item, beside))
        self._journal.commit([*(Entry(r.verdict, r.header) for r in ready), *beside])
        committed_ns = time.monotonic_ns()
        ready = self._in_time(ready)
        for one in ready:
            self._ledger.committed(one.part.station, one.part.number)
            self._send(one, committed_ns)

    def _judged(self, part: Settled, beside: list[Entry | LateResult]) -> _Ready:
        verdict = verdict_of(part, self._origin)
        if verdict.verdict is not Kind.NO_VERDICT and time.monotonic() > part.deadline:
            beside.extend(_results(part, verdict))
            verdict = too_late(verdict)
        return _Ready(part, verdict, header_of(verdict), time.monotonic_ns())

    def _in_time(self, ready: list[_Ready]) -> list[_Ready]:
        """Take back, before anybody was told, what the commit itself made late."""
        now = time.monotonic()
        amended: dict[int, _Ready] = {}
        entries: list[Entry | LateResult] = []
        for index, one in enumerate(ready):
            if one.verdict.verdict is Kind.NO_VERDICT or now <= one.part.deadline:
                continue
            verdict = too_late(one.verdict)
            amended[index] = _Ready(one.part, verdict, header_of(verdict), one.judged_ns)
            entries.append(Entry(verdict, amended[index].header))
            entries.extend(_results(one.part, one.verdict))
        if entries:
            self._journal.amend(entries)
        return [amended.get(index, one) for index, one in enumerate(ready)]

    def _send(self, one: _Ready, committed_ns: int) -> None:
        verdict, part = one.verdict, one.part
        self._to.publish(Outgoing(verdict, header=one.header))
        missing = self._ledger.published(
            verdict.station, verdict.seq, verdict.verdict, bypassed=verdict.bypassed
        )
        if missing:
            self._to.violated(verdict.station, f"verdicts {missing} were never published")
        self._to.drive(part, verdict)
        for header, payload in maps_of(part, verdict, self._maps):
            self._to.publish(Outgoing(header, payload))
        self._to.keep(part, verdict, one.header)
        for view in part.views:
            if isinstance(view.outcome, Inspected):
                self._latest.show(verdict, view.camera, view.outcome)
                view.outcome.frame.lease.let_go()
        self._count(one, committed_ns)

    def _count(self, one: _Ready, committed_ns: int) -> None:
        sent_ns = time.monotonic_ns()
        tally = self._statistics.stations[one.part.station]
        verdict = one.verdict
        tally.verdict(verdict.verdict, verdict.reason, verdict.bypassed)
        if verdict.verdict is not Kind.NO_VERDICT or verdict.score is not None:
            tally.stage(Stage.TOTAL, sent_ns - one.part.triggered_ns)
        tally.stage(Stage.COMMIT, committed_ns - one.judged_ns)
        tally.stage(Stage.SEND, sent_ns - committed_ns)
        for view in one.part.views:
            if view.seen is not None:
                tally.stage(Stage.RECEIVE, view.seen.received_ns - view.seen.exposed_ns)
                if isinstance(view.outcome, Inspected):
                    result = view.outcome
                    tally.stage(Stage.QUEUE, result.begun_ns - view.seen.received_ns)
                    tally.stage(Stage.INFER, result.ended_ns - result.begun_ns)
                    tally.stage(Stage.SETTLE, one.judged_ns - result.ended_ns)

    def _late(self, item: Belated) -> LateResult:
        result, claim = item.outcome, item.claim
        try:
            if claim.judging is None:
                raise ValueError(f"station {claim.station}: a result without what judged it")
            kind, regions = judge(result.anomaly, claim.judging.recipe)
        finally:
            result.frame.lease.let_go()
        return LateResult(
            station=claim.station,
            seq=claim.number,
            camera=claim.camera,
            verdict=kind,
            score=result.anomaly.score,
            regions=regions,
            inferred_ns=result.ended_ns + time.time_ns() - time.monotonic_ns(),
        )


def _results(part: Settled, verdict: Verdict) -> list[LateResult]:
    """Give what the views of a verdict said that is not sent."""
    return [
        LateResult(
            station=part.station,
            seq=part.number,
            camera=view.camera,
            verdict=view.verdict,
            score=view.score,
            regions=view.regions,
            inferred_ns=view.inferred_ns or verdict.published_ns,
        )
        for view in verdict.views
        if view.score is not None
    ]
