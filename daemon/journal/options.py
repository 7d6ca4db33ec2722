"""What may be given on effad-journal's command line."""

import argparse
import re
from datetime import datetime, timedelta
from pathlib import Path

from daemon.journal.files import default_folder
from daemon.journal.filters import Filter
from daemon.messages import Kind, Reason

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
_LARGEST = 2**63 - 1  # ns: the year 2262


def moment(text: str) -> int:
    """Read a time, such as 2h (ago) or 2026-11-24T06:00 (local), as ns of the Unix epoch."""
    ago = _AGO.fullmatch(text.strip())
    try:
        if ago:
            when = datetime.now() - timedelta(**{_UNITS[ago[2]]: float(ago[1])})
        else:
            when = datetime.fromisoformat(text.strip())
        found = round(when.timestamp() * 1e6) * 1000
    except (ValueError, OverflowError, OSError):
        found = -1
    if not 0 <= found <= _LARGEST:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time: give 30m, 2h or 3d (ago), or a local time such as"
            " 2026-11-24T06:00 or 2026-11-24"
        )
    return found


def at_least_one(text: str) -> int:
    """Read a count."""
    if not text.isdecimal() or not 1 <= int(text) <= _LARGEST:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number of at least 1")
    return int(text)


def add_filters(parser: argparse.ArgumentParser, since: str | None = None) -> None:
    """Add the options that say which verdicts; ``since``: its default."""
    add = parser.add_argument_group("which verdicts").add_argument
    started = f" [{since}]" if since else ""
    add(
        "--since",
        type=moment,
        default=since,
        metavar="TIME",
        help="published then or later: 30m, 2h, 3d (ago) or a local time such as"
        f" 2026-11-24T06:00{started}",
    )
    add("--until", type=moment, metavar="TIME", help="published before")
    add("--station", metavar="NAME", help="of this station")
    add("--part", metavar="ID", help="of the part with this id")
    add("--lot", metavar="LOT", help="of parts of this lot")
    add("--serial", metavar="SERIAL", help="of the part with this serial number")
    add("--recipe", metavar="NAME", help="by this recipe, in any version")
    add("--verdict", type=str.upper, choices=[kind.value for kind in Kind])
    add("--reason", choices=[reason.value for reason in Reason], help="of NO_VERDICT")


def filter_of(options: argparse.Namespace) -> Filter:
    """Give the filter that was asked for."""
    return Filter(
        since_ns=options.since,
        until_ns=options.until,
        station=options.station,
        part=options.part,
        lot=options.lot,
        serial=options.serial,
        recipe=options.recipe,
        verdict=None if options.verdict is None else Kind(options.verdict),
        reason=None if options.reason is None else Reason(options.reason),
        late=getattr(options, "late", False),
        limit=getattr(options, "limit", None),
    )


def add_journal(parser: argparse.ArgumentParser) -> None:
    """Add where the journal is."""
    parser.add_argument(
        "--journal",
        type=Path,
        default=default_folder(),
        metavar="FOLDER",
        help="folder of the daemon's journal [%(default)s]",
    )
