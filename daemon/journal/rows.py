"""Verdicts and late results as rows of their tables."""

import json
from typing import Any

from daemon.journal.entries import Entry, LateResult

VERDICT = """
INSERT INTO verdict (station, seq, epoch, published_ns, kind, reason, part_id, lot, serial, recipe,
                     recipe_version, score, bypassed, latency_ns, header)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
#: Also where the verdict is not there, as in a file begun anew because of damage.
AMENDED = f"""{VERDICT}
ON CONFLICT (station, seq) DO UPDATE SET
    published_ns = excluded.published_ns,
    kind = excluded.kind,
    reason = excluded.reason,
    score = excluded.score,
    bypassed = excluded.bypassed,
    latency_ns = excluded.latency_ns,
    header = excluded.header
"""
LATE = "INSERT OR IGNORE INTO late VALUES (?, ?, ?, ?, ?, ?, ?)"


def verdict_row(entry: Entry) -> tuple[Any, ...]:
    """Give the values of VERDICT."""
    # Plain values: what only derives from str or int costs SQLite's module a search for an adapter.
    said, reason = entry.verdict, entry.verdict.reason
    part = said.part
    return (
        said.station,
        said.seq,
        said.epoch,
        said.published_ns,
        said.verdict.value,
        None if reason is None else reason.value,
        part.id,
        part.lot,
        part.serial,
        said.recipe,
        said.recipe_version,
        said.score,
        int(said.bypassed),
        said.published_ns - said.triggered_ns,
        entry.header.decode(),
    )


def late_row(late: LateResult) -> tuple[Any, ...]:
    """Give the values of LATE."""
    regions = json.dumps([region.model_dump(mode="json") for region in late.regions])
    return (
        late.station,
        late.seq,
        late.camera,
        late.verdict,
        late.score,
        regions,
        late.inferred_ns,
    )
