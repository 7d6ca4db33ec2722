"""Verdicts as files for other programs."""

import csv
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any

from daemon.journal.filters import Row
from models.errors import InputError

Value = str | int | float | bool | None
#: What a spreadsheet takes for a formula, where a text begins with it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
_GROUP = 10_000  # rows of a Parquet row group

#: Columns of CSV and Parquet, and the type of their values.
COLUMNS: dict[str, type] = {
    "published": str,  # local time, ISO 8601, with its offset
    "published_ns": int,
    "triggered_ns": int,
    "station": str,
    "seq": int,
    "epoch": int,
    "part": str,
    "lot": str,
    "serial": str,
    "verdict": str,
    "reason": str,
    "detail": str,  # of the first view without a verdict
    "bypassed": bool,
    "score": float,
    "threshold": float,
    "latency_ms": float,
    "recipe": str,
    "recipe_version": int,
    "bundle": str,
    "calibration": str,
    "engine": str,
    "code": str,
    "job": str,
    "views": int,
    "regions": int,
    "region_camera": str,  # of the strongest region, as the following
    "region_x": float,  # centroid, frame pixels
    "region_y": float,
    "region_area": float,  # square pixels
    "region_peak": float,
    "late": str,  # JSON of results that came too late
    "override": str,
    "override_operator": str,
    "override_note": str,
    "override_ns": int,
}


def flat(row: Row) -> dict[str, Value]:
    """Give a verdict as a row of COLUMNS."""
    said, word = row.document, row.override
    regions = row.regions
    camera, region = max(regions, key=lambda found: found[1]["peak"], default=("", None))
    x, y = region["centroid"] if region else (None, None)
    details = (view.get("detail") for view in said["views"])
    return {
        "published": _iso(row.published_ns),
        "published_ns": row.published_ns,
        "triggered_ns": row.published_ns - row.latency_ns,
        "station": row.station,
        "seq": row.seq,
        "epoch": row.epoch,
        "part": row.part,
        "lot": row.lot,
        "serial": row.serial,
        "verdict": str(row.verdict),
        "reason": None if row.reason is None else str(row.reason),
        "detail": next((detail for detail in details if detail), None),
        "bypassed": row.bypassed,
        "score": row.score,
        "threshold": said["threshold"],
        "latency_ms": row.latency_ns / 1e6,
        "recipe": row.recipe,
        "recipe_version": row.recipe_version,
        "bundle": said["bundle"],
        "calibration": said["calibration"],
        "engine": said["engine"],
        "code": said["code"],
        "job": said["jobId"],
        "views": len(said["views"]),
        "regions": len(regions),
        "region_camera": camera if region else None,
        "region_x": x,
        "region_y": y,
        "region_area": region["area"] if region else None,
        "region_peak": region["peak"] if region else None,
        "late": json.dumps(_late(row)) if row.late else None,
        "override": None if word is None else str(word.verdict),
        "override_operator": None if word is None else word.operator,
        "override_note": None if word is None else word.note,
        "override_ns": None if word is None else word.time_ns,
    }


def document(row: Row) -> dict[str, Any]:
    """Give a verdict as it was published, with what was said of it since."""
    word = row.override
    said = None if word is None else {**vars(word), "verdict": str(word.verdict)}
    return {**row.document, "historical": True, "late": _late(row), "override": said}


def write_csv(rows: Iterable[Row], file: IO[bytes]) -> None:
    """Write RFC 4180 in UTF-8; a text that a spreadsheet would run gets a ' before it."""
    lines = _Lines(file)
    writer = csv.writer(lines)
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([_cell(value) for value in flat(row).values()])


def write_jsonl(rows: Iterable[Row], file: IO[bytes]) -> None:
    """Write a JSON object a line."""
    for row in rows:
        file.write(json.dumps(document(row), ensure_ascii=False).encode() + b"\n")


def write_parquet(rows: Iterable[Row], file: IO[bytes]) -> None:
    """Write COLUMNS, typed. Raises ``InputError`` where pyarrow is not installed."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise InputError(
            "--format parquet needs pyarrow, which is not installed: install effad[parquet], or"
            " export csv or jsonl"
        ) from error
    types = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64()}
    types[bool] = pyarrow.bool_()
    schema = pyarrow.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        found = map(flat, rows)
        while group := list(islice(found, _GROUP)):
            writer.write_table(pyarrow.Table.from_pylist(group, schema=schema))


FORMATS: dict[str, Callable[[Iterable[Row], IO[bytes]], None]] = {
    "csv": write_csv,
    "jsonl": write_jsonl,
    "parquet": write_parquet,
}


@contextmanager
def whole(path: Path | None) -> Iterator[IO[bytes]]:
    """Give standard output, or a file that is there in whole afterwards, or as it was before.

    Raises ``InputError`` if it cannot be written.
    """
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            partial = Path(file.name)
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
                umask = os.umask(0)
                os.umask(umask)
                os.fchmod(file.fileno(), 0o666 & ~umask)
                partial.rename(path)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; give another file") from error


class _Lines:
    """What csv writes text to, on a binary file."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        return self._file.write(text.encode())


def _cell(value: Value) -> Value:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def _iso(time_ns: int) -> str:
    seconds, rest = divmod(time_ns, 10**9)
    when = datetime.fromtimestamp(seconds).astimezone().replace(microsecond=rest // 1000)
    return when.isoformat(timespec="microseconds")


def _late(row: Row) -> list[dict[str, Any]]:
    return [{**vars(late), "verdict": str(late.verdict)} for late in row.late]
