"""A follower ends with exactly what the journal holds, whatever did not arrive."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.changeover.changeovers import Changeovers
from daemon.channel import Channel, Crew
from daemon.client import Follower, Gone, Position
from daemon.control.commands import Commands
from daemon.control.server import ControlServer
from daemon.herald import Herald
from daemon.inspection.collector import Collector
from daemon.inspection.judging import Judging
from daemon.jobs import Jobs
from daemon.journal import Entry, Journal, JournalReader
from daemon.messages import Counts, Part, Verdict
from daemon.metrics.statistics import Statistics
from daemon.publisher import Outgoing, Publisher
from daemon.wire import header_of
from tests.verdicts import verdict_of

LIMIT = 20.0
FREE = "tcp://127.0.0.1:*"


def verdict(seq: int, epoch: int) -> Verdict:
    return verdict_of(seq, epoch=epoch, part=Part(id=f"P{seq}"))


class Idle(Jobs):
    """No job, and verdicts all the same: what its line says."""

    def __init__(self, line: "Line") -> None:
        self.current = None
        self._line = line

    def judgings(self) -> dict[str, Judging]:
        return {}

    def seqs(self) -> dict[str, int]:
        return {"nut": self._line.newest}

    def counts(self) -> dict[str, Counts]:
        return {"nut": Counts()}


class Line:
    """What the daemon has of a line's end: journal, publisher and control; no cameras."""

    changeovers: Changeovers  # nobody changes a recipe here

    def __init__(self, folder: Path, epoch: int) -> None:
        self.epoch = epoch
        self.crew = Crew(lambda: None)
        self.outgoing = Channel[Outgoing](1000)
        self.statistics = Statistics(["nut"])
        self.journal = Journal.open(folder, "process", epoch)
        self.reader = JournalReader(folder)
        self.herald = Herald(epoch, self.outgoing.put, self.journal.alarm)
        self.collector = Collector(lambda code, station, text: None)
        self.newest = self.journal.last.get("nut", 0)
        self.jobs: Jobs = Idle(self)
        self.silence = threading.Event()

    def start(self, results: str = FREE, control: str = FREE) -> None:
        self.publisher = Publisher(results, FREE)
        self.control = ControlServer(control, Commands(self).answer, rate=100_000)
        self.crew.start("publisher", lambda: self.publisher.run(self.outgoing))
        self.crew.start("control", lambda: self.control.serve(self.silence))
        self.results = self.publisher.wait_bound(LIMIT).results
        self.asked = self.control.wait_bound(LIMIT)

    def say(self, *, live: bool = True) -> Verdict:
        """Commit the next verdict, and publish it unless it is to be missed."""
        said = verdict(self.newest + 1, self.epoch)
        header = header_of(said)
        self.journal.commit([Entry(said, header)])
        if live:
            self.outgoing.put(Outgoing(said, header=header))
        self.newest = said.seq
        return said

    def beat(self) -> None:
        self.herald.heartbeat(self.jobs.seqs(), self.jobs.counts())

    def stop(self) -> None:
        self.silence.set()
        self.outgoing.done()
        assert self.crew.join(LIMIT) == []
        self.crew.check()
        self.reader.close()
        self.journal.close()


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    line = Line(tmp_path, 1)
    line.start()
    yield line
    line.stop()


def take(follower: Follower, count: int) -> list[int]:
    seqs: list[int] = []
    until = time.monotonic() + LIMIT
    while len(seqs) < count:
        got = follower.receive(until - time.monotonic())
        assert isinstance(got, Verdict)
        seqs.append(got.seq)
    return seqs


def test_who_comes_late_gets_all_of_it_and_goes_on_live(line: Line) -> None:
    for _ in range(1200):  # more than a page
        line.say(live=False)
    with Follower(line.results, line.asked, "nut") as follower:
        assert take(follower, 1200) == list(range(1, 1201))
        line.beat()
        line.say()
        assert take(follower, 1) == [1201]
        assert follower.position == Position(1201, 1)


def test_gaps_and_a_lost_last_one_are_filled(line: Line) -> None:
    with Follower(line.results, line.asked, "nut") as follower:
        line.say(live=False)
        assert take(follower, 1) == [1]
        for live in (True, False, True, True, False, False):
            line.say(live=live)
            line.beat()
        assert take(follower, 6) == list(range(2, 8))
        with pytest.raises(TimeoutError):
            follower.receive(0.2)


def test_replayed_ones_say_so_and_live_ones_do_not(line: Line) -> None:
    line.say(live=False)
    with Follower(line.results, line.asked, "nut") as follower:
        first = follower.receive(LIMIT)
        assert isinstance(first, Verdict)
        assert first.historical
        assert first.model_copy(update={"historical": False}).resultId == "1-nut-1"


def test_over_a_restart_nothing_is_missed_or_doubled(tmp_path: Path) -> None:
    first = Line(tmp_path, 1)
    first.start()
    results, asked = first.results, first.asked
    with Follower(results, asked, "nut", timeout=0.5) as follower:
        first.say()
        first.beat()
        assert take(follower, 1) == [1]
        first.say(live=False)  # killed between commit and send
        first.stop()
        second = Line(tmp_path, 2)
        second.start(results, asked)
        second.say(live=False)  # before anybody had connected again
        got: list[int] = []
        until = time.monotonic() + LIMIT
        while len(got) < 2:
            assert time.monotonic() < until
            second.beat()
            try:
                item = follower.receive(0.1)
            except TimeoutError:
                continue
            assert isinstance(item, Verdict)
            got.append(item.seq)
        assert got == [2, 3]
        assert follower.position == Position(3, 2)
        second.stop()


def test_another_history_is_told(line: Line) -> None:
    for _ in range(3):
        line.say(live=False)
    before = Position(seq=90, epoch=77)  # of a journal that is no more
    with Follower(line.results, line.asked, "nut", before) as follower:
        assert take(follower, 3) == [1, 2, 3]


def test_what_retention_took_is_named(line: Line) -> None:
    for _ in range(5):
        line.say(live=False)
    line.journal.database.write(lambda c: c.execute("DELETE FROM verdict WHERE seq < 4"))
    with Follower(line.results, line.asked, "nut", Position(1, 1)) as follower:
        assert follower.receive(LIMIT) == Gone(2, 3)
        assert take(follower, 2) == [4, 5]


def test_what_is_committed_and_not_sent_is_not_replayed(line: Line) -> None:
    line.say(live=False)
    unsent = verdict(2, 1)
    line.journal.commit([Entry(unsent, header_of(unsent))])
    with Follower(line.results, line.asked, "nut") as follower:
        assert take(follower, 1) == [1]
        with pytest.raises(TimeoutError):
            follower.receive(0.2)
