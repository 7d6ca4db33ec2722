"""effad-diagnose: one file for a bug report, with what is needed to find out what went wrong.

Neither images nor names of parts nor weights go into it unless asked for, and keys never do. It
may be run while effad runs, and where effad does not start.
"""

import argparse
import sys
import time
import zipfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from daemon.assembly import state_folder
from daemon.diagnose import line, machine
from daemon.journal import JournalError
from daemon.journal.options import at_least_one
from daemon.settings import read
from models.errors import InputError, reports_input_errors

DEFAULT = Path("/etc/effad/effad.toml")
#: What may be missing or damaged where something went wrong: it is told, and the rest is taken.
MISSING = (InputError, JournalError, OSError, ValueError, RuntimeError)


class Parcel:
    """A zip archive that takes what can be had, and tells what cannot."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.missing: list[str] = []

    def add(self, name: str, make: Callable[[], str | bytes]) -> None:
        """Add a file of what ``make`` gives."""
        try:
            content = make()
        except MISSING as error:
            self.missing.append(f"{name}: {' '.join(str(error).split())}")
        else:
            self._archive.writestr(name, content)


def fill(parcel: Parcel, options: argparse.Namespace) -> None:
    """Add all that is wanted."""
    parcel.add("software.txt", machine.software)
    parcel.add("hardware.txt", machine.hardware)
    parcel.add("drivers.txt", machine.drivers)
    parcel.add("effad.toml", options.config.read_bytes)
    since = datetime.now() - timedelta(days=options.days)
    for name, make in machine.service(options.unit).items():
        parcel.add(name, make)
    parcel.add("log.txt", lambda: machine.log(options.unit, since.isoformat(" ", "seconds")))
    try:
        settings = read(options.config)
    except MISSING as error:
        parcel.missing.append(f"all that the settings name: {error}")
        return
    parcel.add("disks.txt", lambda: machine.disks(state_folder(settings)))
    since_ns = round(since.timestamp() * 1e9)
    for name, make in line.journal(settings, since_ns, parts=options.parts).items():
        parcel.add(name, make)
    try:
        for name, path in line.recipes(settings):
            parcel.add(name, path.read_bytes)
        for path in line.images(settings, options.images) if options.images else ():
            parcel.add(f"images/{path.name}", path.read_bytes)
    except MISSING as error:
        parcel.missing.append(f"recipes and images: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "effad-diagnose", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--config", type=Path, default=DEFAULT, metavar="FILE", help="settings [%(default)s]")
    add("--unit", default="effad", help="of systemd, whose log is taken [%(default)s]")
    add("--days", type=at_least_one, default=3, metavar="N", help="that are told of [%(default)s]")
    add("--parts", action="store_true", help="with the parts' names, lots and serial numbers")
    add("--images", type=at_least_one, metavar="N", help="with the newest N images that were kept")
    add("--output", type=Path, metavar="FILE", help="a new zip file [effad-diagnose-TIME.zip]")
    return parser


@reports_input_errors("effad-diagnose")
def main(argv: list[str] | None = None) -> int:
    """Write the archive. Status: 0, 2 if it cannot be written."""
    options = _parser().parse_args(argv)
    output = options.output or Path(time.strftime("effad-diagnose-%Y%m%d-%H%M%S.zip"))
    try:
        with output.open("xb") as file:
            missing = _write(file, options)
    except OSError as error:
        if not isinstance(error, FileExistsError):
            output.unlink(missing_ok=True)
        why = f"{error.strerror or error}; name another with --output"
        raise InputError(f"--output {output}: {why}") from error
    for told in missing:
        print(f"not in it: {told}", file=sys.stderr)
    print(f"{output}: {output.stat().st_size / 1e6:.1f} MB; look into it before you send it")
    return 0


def _write(file: BinaryIO, options: argparse.Namespace) -> list[str]:
    """Write the archive; give what could not be had."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        parcel = Parcel(archive)
        fill(parcel, options)
        archive.writestr("missing.txt", "".join(f"{told}\n" for told in parcel.missing))
    return parcel.missing


if __name__ == "__main__":
    sys.exit(main())
