"""Verdicts as a station says them, and journals that hold them."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from daemon.journal import Entry, Journal
from daemon.messages import Kind, Part, Reason, Region, TriggerSource, Verdict, View

START = 1_764_000_000 * 10**9  # ns
LIMIT = 30.0  # seconds that a test waits for a state


def region(x: float = 10, y: float = 20, peak: float = 3.0) -> Region:
    return Region(
        x=x - 2,
        y=y - 2,
        width=4,
        height=4,
        area=16,
        centroid=(x, y),
        peak=peak,
        peak_at=(x, y),
    )


def verdict(seq: int, kind: Kind = Kind.PASS, station: str = "nut", **changes: Any) -> Verdict:
    """A verdict of a station's, ``seq`` milliseconds after START, 20 ms after its trigger."""
    published = changes.pop("published_ns", START + seq * 1_000_000)
    reason = changes.pop("reason", Reason.LATE if kind is Kind.NO_VERDICT else None)
    regions: Sequence[Region] = changes.pop("regions", [region()] if kind is Kind.FAIL else [])
    score = None if kind is Kind.NO_VERDICT else 2.0 if kind is Kind.FAIL else 0.25
    view = View(
        camera="cam",
        trigger=seq,
        frame_id=seq,
        verdict=kind,
        reason=reason,
        score=score,
        regions=tuple(regions),
    )
    said: dict[str, Any] = {
        "epoch": 7,
        "seq": seq,
        "station": station,
        "part": Part(id=f"P{seq}"),
        "trigger_source": TriggerSource.HARDWARE,
        "verdict": kind,
        "reason": reason,
        "score": score,
        "threshold": 1.0,
        "views": (view,),
        "recipe": "nut-m8",
        "recipe_version": 1,
        "bundle": "b" * 64,
        "calibration": "c" * 64,
        "engine": "cpu fp32",
        "code": "0",
        "triggered_ns": published - 20_000_000,
        "published_ns": published,
        "resultId": f"7-{station}-{seq}",
        "jobId": "job",
    }
    return Verdict(**(said | changes))


def entry(said: Verdict) -> Entry:
    return Entry(said, said.model_dump_json().encode())


def entries(*seqs: int, **changes: Any) -> list[Entry]:
    return [entry(verdict(seq, **changes)) for seq in seqs]


def opened(folder: Path, epoch: int | None = None, **options: Any) -> Journal:
    return Journal.open(folder, "process", epoch or time.time_ns(), **options)


def filled(folder: Path, said: Sequence[Verdict]) -> None:
    """Make a journal that holds verdicts, and was closed."""
    with opened(folder) as journal:
        journal.commit([entry(one) for one in said])
