"""effad-diagnose: one file for a bug report, with what is needed to find out what went wrong.

Neither images nor names of parts go into it unless asked for; keys and weights never do. It may be
run while effad runs, and where effad does not start.
"""

import argparse
import sys
import time
import zipfile
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

from daemon.assembly import state_folder
from daemon.diagnose import line, machine
from daemon.journal import JournalError
from daemon.journal.export import whole
from daemon.journal.options import at_least_one
from daemon.settings import read
from models.errors import InputError, reports_input_errors

DEFAULT = Path("/etc/effad/effad.toml")
#: What may be missing or damaged where something went wrong: it is told, and the rest is taken.
MISSING = (InputError, JournalError, OSError, ValueError, RuntimeError)


class Evidence:
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

    def add_all(self, what: str, files: Callable[[], Iterable[tuple[str, Path]]]) -> None:
        """Add files, each with its name in the archive."""
        try:
            found = list(files())
        except MISSING as error:
            self.missing.append(f"{what}: {error}")
            return
        for name, path in found:
            self.add(name, path.read_bytes)


def fill(evidence: Evidence, options: argparse.Namespace) -> None:
    """Add all that is wanted."""
    evidence.add("software.txt", machine.software)
    evidence.add("hardware.txt", machine.hardware)
    evidence.add("drivers.txt", machine.drivers)
    evidence.add("effad.toml", options.config.read_bytes)
    since = datetime.now() - timedelta(days=options.days)
    for name, make in machine.service(options.unit).items():
        evidence.add(name, make)
    evidence.add("log.txt", lambda: machine.log(options.unit, since.isoformat(" ", "seconds")))
    try:
        settings = read(options.config)
    except MISSING as error:
        evidence.missing.append(f"all that the settings name: {error}")
        return
    evidence.add("disks.txt", lambda: machine.disks(state_folder(settings)))
    since_ns = round(since.timestamp() * 1e9)
    for name, make in line.journal(settings, since_ns, parts=options.parts).items():
        evidence.add(name, make)
    evidence.add_all("recipes", lambda: line.recipes(settings))
    if options.images:
        evidence.add_all(
            "images", lambda: line.images(settings, options.images, parts=options.parts)
        )


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
    if output.exists():
        raise InputError(f"--output {output}: File exists; name another with --output")
    with whole(output) as file:
        missing = _write(file, options)
    for told in missing:
        print(f"not in it: {told}", file=sys.stderr)
    print(f"{output}: {output.stat().st_size / 1e6:.1f} MB; look into it before you send it")
    return 0


def _write(file: IO[bytes], options: argparse.Namespace) -> list[str]:
    """Write the archive; give what could not be had."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        evidence = Evidence(archive)
        fill(evidence, options)
        archive.writestr("missing.txt", "".join(f"{told}\n" for told in evidence.missing))
    return evidence.missing


if __name__ == "__main__":
    sys.exit(main())
