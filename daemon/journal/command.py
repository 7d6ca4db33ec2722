"""effad-journal: what happened to a part, a lot, a shift; also while effad runs."""

import argparse
import os
import sys
from pathlib import Path

from daemon.journal.export import FORMATS, whole
from daemon.journal.listing import console, table
from daemon.journal.options import add_filters, add_journal, at_least_one, filter_of
from daemon.journal.reader import JournalReader
from daemon.journal.report import report
from daemon.journal.report_html import html
from daemon.journal.report_text import as_json, text
from models.errors import InputError, reports_input_errors

_REPORTS = {"text": text, "json": as_json, "html": html}
_LIST = 10_000  # rows: a table is laid out in memory


def _query(options: argparse.Namespace, reader: JournalReader) -> int:
    if options.limit > _LIST:
        raise InputError(f"--limit: at most {_LIST}; use export for more")
    found = table(reader.query(filter_of(options)))
    if found.row_count:
        console().print(found)
    else:
        sys.stderr.write("effad-journal: no such verdict\n")
    return 0


def _export(options: argparse.Namespace, reader: JournalReader) -> int:
    if options.format == "parquet" and options.output is None:
        raise InputError("--format parquet needs --output FILE: it is no text")
    with whole(options.output) as file:
        FORMATS[options.format](reader.query(filter_of(options)), file)
    return 0


def _report(options: argparse.Namespace, reader: JournalReader) -> int:
    made = _REPORTS[options.format](report(reader, filter_of(options)))
    with whole(options.output) as file:
        file.write(made.encode())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("effad-journal", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    query = verbs.add_parser("query", help="list verdicts, newest last")
    add_filters(query)
    query.add_argument("--late", action="store_true", help="only where a result came too late")
    query.add_argument(
        "--limit", type=at_least_one, default=50, metavar="N", help="the newest N [%(default)s]"
    )
    query.set_defaults(run=_query)
    export = verbs.add_parser("export", help="write verdicts to a file, oldest first")
    add_filters(export)
    export.add_argument("--limit", type=at_least_one, metavar="N", help="the newest N [all]")
    export.add_argument("--format", choices=FORMATS, default="csv", help="[%(default)s]")
    export.set_defaults(run=_export)
    shift = verbs.add_parser("report", help="a shift's yield, rejects, latency and alarms")
    add_filters(shift, since="8h")
    shift.add_argument("--format", choices=_REPORTS, default="text", help="[%(default)s]")
    shift.set_defaults(run=_report)
    for verb in (export, shift):
        verb.add_argument(
            "--output", type=Path, metavar="FILE", help="written whole or not at all [stdout]"
        )
    for verb in (query, export, shift):
        add_journal(verb)
    return parser


@reports_input_errors("effad-journal")
def main(argv: list[str] | None = None) -> int:
    """Read the journal. Status: 0, 2 wrong usage or no journal."""
    options = _parser().parse_args(argv)
    try:
        with JournalReader(options.journal) as reader:
            return int(options.run(options, reader))
    except BrokenPipeError:  # the reader, such as head, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
