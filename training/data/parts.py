"""``parts.csv``: which images of a folder show the same part, and from where.

A table beside the images, for data sets whose parts have several views. Columns: ``image`` (its
path from the table's folder, with ``/``), ``part``, ``view``, and optionally ``defect``: what is
wrong with an image that lies among the good ones (a contaminated training set). An image without
a row is a part of its own.
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from models.errors import InputError
from models.records import write_whole
from training.data.samples import Sample

NAME = "parts.csv"
_NEEDED = ("image", "part", "view")
COLUMNS = (*_NEEDED, "defect")


@dataclass(frozen=True)
class Part:
    """What a row says of its image."""

    part: str
    view: str
    defect: str | None = None


def read_parts(root: Path) -> Mapping[Path, Part]:
    """Read the folder's table, by path of the image; empty where there is none.

    Raises ``InputError`` if a column is missing, or a row names no file, or one again.
    """
    table = root / NAME
    if not table.is_file():
        return {}
    found: dict[Path, Part] = {}
    for line, row in read_table(table, _NEEDED):
        image = root / row["image"]
        if image in found:
            raise InputError(f"{table}, line {line}: {row['image']} has a row already")
        if not image.is_file():
            raise InputError(f"{table}, line {line}: {row['image']}: no such file; correct the row")
        found[image] = Part(row["part"], row["view"], row.get("defect") or None)
    return found


def write_parts(root: Path, rows: Iterable[tuple[str, Part]]) -> None:
    """Write the folder's table: paths from the folder, and what is known of them."""
    lines = [COLUMNS, *((image, p.part, p.view, p.defect or "") for image, p in rows)]
    for line in lines:
        if any(set(field) & set(',"\r\n') for field in line):
            raise InputError(f"{root / NAME}: {line}: names must be free of commas and quotes")
    write_whole(root / NAME, "".join(",".join(line) + "\n" for line in lines).encode())


def with_parts(samples: Iterable[Sample], parts: Mapping[Path, Part]) -> tuple[Sample, ...]:
    """Give the samples with what the table knows of them."""
    return tuple(
        replace(s, part=row.part, view=row.view, defect=s.defect or row.defect)
        if (row := parts.get(s.path))
        else s
        for s in samples
    )


def read_table(path: Path, columns: Iterable[str]) -> list[tuple[int, dict[str, str]]]:
    """Read a CSV file with a header: each row with the number of its line.

    Raises ``InputError`` if it cannot be read, or lacks a column or a row's field.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            names = reader.fieldnames or ()
            if missing := [c for c in columns if c not in names]:
                raise InputError(
                    f"{path}: no column {missing[0]!r}; needed are {', '.join(columns)}"
                )
            rows = [(reader.line_num, row) for row in reader]
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: no CSV in UTF-8 ({error})") from error
    for line, row in rows:
        if None in row or None in row.values():
            raise InputError(f"{path}, line {line}: must have {len(names)} fields, as its header")
    return rows
