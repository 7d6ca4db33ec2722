"""By hand: throw mutants at the control socket, with keys, and print what became of them.

python tests/bench/control_fuzz.py [--count 100000] [--seed 1] [--no-keys]

Ends with status 1 if a valid request was not answered, a reply was none, or the server ended.
"""

import argparse
import contextlib
import io
import sys
import tempfile
import time
from pathlib import Path

import structlog

sys.path.insert(0, str(Path(__file__).parents[2]))  # tests share their parts

from daemon import log
from daemon.client import Requester
from daemon.requests import GetState
from daemon.security.command import main as effad_keys
from tests.daemon.security.fuzzing import fuzz, settled
from tests.daemon.security.guarded import guarded, make


def main() -> int:
    parser = argparse.ArgumentParser("control_fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-keys", action="store_true")
    options = parser.parse_args()
    log.configure("console", "error")
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root, "keys")
        with contextlib.redirect_stdout(io.StringIO()):
            effad_keys(["make-server", "--keys", str(folder)])
            keys = None if options.no_keys else make(folder, "plc", "command")
        with guarded(None if options.no_keys else folder) as line:
            started = time.monotonic()
            books = fuzz(line, keys, options.seed, options.count)
            seconds = time.monotonic() - started
            counts = settled(line, books)
            with Requester(line.endpoint, keys=keys) as requester:
                alive = requester.ask(GetState()).ok and not line.failed.is_set()
            door = line.door.counts
    print(f"{books.sent} messages in {seconds:.1f} s, {books.sent / seconds:.0f} a second")
    print(f"{books.valid} valid requests among them, {books.unanswered} not answered")
    print(f"{books.replies} replies, {len(books.wrong)} of them wrong")
    print(f"server: {counts}; alive: {alive}")
    print(f"door: refused {door.refused}")
    for body in books.wrong[:5]:
        print(f"wrong: {body[:200]!r}")
    structlog.reset_defaults()
    return 0 if alive and not books.wrong and not books.unanswered else 1


if __name__ == "__main__":
    sys.exit(main())
