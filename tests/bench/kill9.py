"""kill -9 of the daemon under load, again and again, with a subscriber that follows all the while.

``python -m tests.bench.kill9 --rounds 200 --seed 1 [--points 5]``. Each round the daemon is killed
at a random moment after at least 20 verdicts, and started again on the same state folder; before
that, some rounds die at each failpoint (before a commit, between commit and send, after a send, and
when nothing but the camera's counter has told of a part).
At the end what the subscriber has, the journal and the camera's own log are held together.
"""

import argparse
import json
import random
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any

from daemon.simulator.scene import Fault
from tests.audit import scene_log
from tests.audit.audited import SERIAL, Audited, Setting, made_recipe
from tests.audit.auditor import Hearing, summary
from tests.audit.rules import Promise

FAILPOINTS = ("before_commit", "after_commit", "after_send", "after_count")
EARLY = ("at_begin", "at_open")  # before it has heard its camera
BUSY = ("tests.audit.launch", "--plant", "busy")
LEAST = 20  # verdicts before a kill
LIMIT = 60.0  # seconds for a start, on a busy machine
FAULTS = (Fault.DROP, Fault.INCOMPLETE, Fault.SHORT, Fault.RESIZE)


def own(kept: Sequence[Mapping[str, Any]], started_ns: int) -> int:
    """Count what the run that was started then (Unix epoch) has said of its own parts.

    What the run before it said may still come, or be asked for only now.
    """
    of_run = takewhile(lambda verdict: verdict["epoch"] >= started_ns, reversed(kept))
    return sum(verdict["reason"] != "restart" for verdict in of_run)


@dataclass
class Follower:
    """A subscriber in a thread of its own, that asks for what it missed."""

    hearing: Hearing
    kept: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self.hearing.run, name="follower")
        self._thread.start()

    def end(self) -> None:
        self.hearing.stop()
        self._thread.join()

    def until(
        self, verdicts: int, line: Audited, *, dies: bool = False, stalls: bool = False
    ) -> None:
        """Wait until so many of a run have come, or, where it ``dies`` by itself, for its end.

        ``stalls``: now and then the camera's counter is all that tells of its triggers.
        """
        end = time.monotonic() + LIMIT
        stall = time.monotonic() + 1.0
        while dies or own(self.kept, line.started_ns) < verdicts:
            if line.daemon.poll() is not None:
                assert dies, line.words()
                return
            assert time.monotonic() < end, (
                f"{own(self.kept, line.started_ns)} of {verdicts}: {line.words()}"
            )
            if stalls and time.monotonic() > stall:
                line.scene.fault(SERIAL, Fault.STALL, 100)
                stall = time.monotonic() + 0.5
            time.sleep(0.01)


def followed(line: Audited) -> Follower:
    """Follow a line before its daemon is started."""
    kept: list[dict[str, Any]] = []
    ends = line.endpoint("results"), line.endpoint("control")
    return Follower(Hearing(*ends, "nut", kept.append), kept)


def kill(line: Audited, follower: Follower, chance: random.Random) -> None:
    """Let it inspect, with faults, and kill it somewhere in the second after 20 verdicts."""
    follower.until(LEAST, line)
    line.scene.fault(SERIAL, chance.choice(FAULTS), chance.randint(1, 3))
    if chance.random() < 0.3:
        line.scene.fault(SERIAL, Fault.STALL, chance.randint(20, 100))  # then a burst
    if chance.random() < 0.3:
        follower.hearing.vanish(chance.uniform(0.1, 0.5))
    end = time.monotonic() + chance.random()
    while time.monotonic() < end:
        time.sleep(0.0005)
    line.daemon.kill()
    line.daemon.wait()


def rounds(
    line: Audited,
    follower: Follower,
    points: Sequence[str],
    random_kills: int,
    chance: random.Random,
) -> None:
    """Start and kill; at the end start once more, and stop in order."""
    for point in points:
        line.start(*BUSY, "--plant", point)
        follower.until(0, line, dies=True, stalls=point == "after_count")
        assert line.daemon.wait() == -signal.SIGKILL, line.words()
    for number in range(random_kills):
        line.start(*BUSY)
        kill(line, follower, chance)
        if (number + 1) % 10 == 0:
            print(f"{number + 1} kills, {len(follower.kept)} verdicts", file=sys.stderr)
    line.start(*BUSY)
    follower.until(LEAST, line)
    line.daemon.send_signal(signal.SIGTERM)
    assert line.daemon.wait(LIMIT) == 0, line.words()


def journaled(path: Path) -> list[dict[str, Any]]:
    """Give all verdicts of the journal, in order."""
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute(
            "SELECT seq, epoch, header FROM verdict WHERE station = 'nut' ORDER BY seq"
        ).fetchall()
    found = [json.loads(header) for _, _, header in rows]
    assert [(v["seq"], v["epoch"]) for v in found] == [(seq, epoch) for seq, epoch, _ in rows]
    return found


def differences(kept: list[dict[str, Any]], journal: list[dict[str, Any]]) -> list[str]:
    """Say in what a subscriber's verdicts are not exactly the journal's."""
    said = [
        f"journal: seq {a['seq']} follows {b['seq']}"
        for b, a in pairwise(journal)
        if a["seq"] != b["seq"] + 1
    ]
    if [v["seq"] for v in journal[:1]] != [1]:
        said.append("journal: does not begin with seq 1")
    if len(kept) != len(journal):
        said.append(f"{len(kept)} received, {len(journal)} in the journal")
    for mine, its in zip(kept, journal, strict=False):
        if {**mine, "historical": False} != its:
            said.append(f"seq {mine['seq']}: received {mine}, journal {its}")
    return said


def run(folder: Path, recipe: Path, points: Sequence[str], kills: int, seed: int) -> dict[str, Any]:
    """Give the summary of all rounds, its ``mismatches`` among them."""
    setting = Setting(recipe, rate_hz=150, capacity=1 << 20)
    line = Audited(folder, setting)
    follower = followed(line)
    try:
        rounds(line, follower, points, kills, random.Random(seed))  # noqa: S311 (no secret)
    finally:
        line.end()
        follower.end()
    found = audited(line, follower)
    line.scene.close()
    return found


def audited(line: Audited, follower: Follower) -> dict[str, Any]:
    """Hold what a follower has, the journal and the camera's log together, after the end."""
    setting = line.setting
    log = scene_log.read(line.scene.path, SERIAL)
    promise = Promise(setting.deadline_ms * 1_000_000, 5_000_000, setting.slots)
    found = summary(follower.hearing, log, promise)
    other = differences(follower.kept, journaled(line.folder / "state" / "journal.db"))
    found["mismatches"] += len(other)
    found["shown"] = (found["shown"] + other)[:20]
    return found


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200, help="kills at random moments")
    parser.add_argument("--points", type=int, default=5, help="deaths at each failpoint")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(argv)
    with (
        tempfile.TemporaryDirectory() as made,
        tempfile.TemporaryDirectory(dir="/dev/shm") as folder,  # a disk waits now and then
    ):
        recipe = made_recipe(Path(made), deadline_ms=2000)
        points = (*FAILPOINTS, *EARLY) * args.points
        found = run(Path(folder), recipe, points, args.rounds, args.seed)
    print(json.dumps(found, indent=1))
    return 1 if found["mismatches"] else 0


if __name__ == "__main__":
    sys.exit(main())
