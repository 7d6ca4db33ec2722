"""The README's subscribers, as they stand there, without anything of effad's.

They run as programs of their own against real sockets whose messages the test chooses: a verdict
that is journaled and not sent is one that was lost on the way.
"""

import json
import os
import re
import selectors
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq

from daemon.control.server import Answer, Peer
from daemon.messages import Heartbeat, Kind, Part, Reason, State, Verdict
from daemon.publisher import Outgoing
from daemon.replies import Reply
from daemon.requests import ReplayFrom, Request
from daemon.security.command import main as effad_keys
from daemon.wire import encode_map
from models.errors import InputError
from models.geometry import Placement
from tests.daemon.security.guarded import Guarded, guarded, make
from tests.verdicts import verdict_of

README = Path(__file__).parents[2] / "README.md"
LIMIT = 30.0  # seconds that anything may take
PAGE = 2  # verdicts of a reply, so that they have to ask again


def block(name: str) -> str:
    """Give a code block of the README by the comment before it."""
    found = re.findall(rf"<!-- subscriber: {name} -->\n```\w+\n(.*?)```", README.read_text(), re.S)
    assert len(found) == 1
    return str(found[0])


class Station:
    """The daemon's end: a journal that is asked, and messages that are sent or not."""

    def __init__(self) -> None:
        self.epoch = 1
        self.journal: list[Verdict] = []
        self.asked: list[ReplayFrom] = []
        self.line: Guarded

    @property
    def last(self) -> int:
        return self.journal[-1].seq if self.journal else 0

    def answer(self, request: Request, peer: Peer) -> Answer:
        if not isinstance(request, ReplayFrom):
            raise InputError("not here")
        if request.station != "nut":
            raise InputError(f"station = {request.station!r}: there is none; allowed are ['nut']")
        self.asked.append(request)
        known = {v.seq: v.epoch for v in self.journal}
        reset = request.seq > self.last or request.epoch not in (None, known.get(request.seq))
        after = [v for v in self.journal if v.seq > (0 if reset else request.seq)]
        page = [v.model_copy(update={"historical": True}) for v in after[:PAGE]]
        return Answer(
            Reply(
                id=request.id,
                ok=True,
                verdicts=tuple(v.model_dump(mode="json") for v in page),
                last=self.last,
                more=len(after) > PAGE,
                reset=reset,
            )
        )

    def judge(self, kind: Kind = Kind.PASS, reason: Reason | None = None) -> Verdict:
        """Journal the next verdict."""
        seq = self.last + 1
        verdict = verdict_of(
            seq,
            epoch=self.epoch,
            part=Part(id=f'A-"{seq}"'),  # no part of a reply's text may be mistaken
            verdict=kind,
            reason=reason,
        )
        self.journal.append(verdict)
        return verdict

    def send(self, *verdicts: Verdict) -> None:
        for verdict in verdicts:
            self.line.inbox.put(Outgoing(verdict))

    def send_map(self, verdict: Verdict) -> None:
        """Send a map of 30 x 40 cells whose peak of 0.75 is in row 20, column 11."""
        values = np.full((30, 40), 0.25, np.float32)
        values[20, 11] = 0.75
        placement = Placement((16.0, 18.0), (4.0, 4.5), (30, 40))  # rows, then columns
        self.line.inbox.put(Outgoing(*encode_map(values, verdict, "top", placement, (200, 160))))

    def beat(self) -> None:
        # Another station stands first: who looks for a name alone must find the right one.
        said = Heartbeat(
            epoch=self.epoch,
            time_ns=time.time_ns(),
            state=State.CONTINUOUS_EXECUTION,
            seq={"bolt": 99, "nut": self.last},
            counts={},
        )
        self.line.inbox.put(Outgoing(said))


class Program:
    """A subscriber that runs, and what it has printed."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._text = b""
        self._selector = selectors.DefaultSelector()
        assert process.stdout
        self._selector.register(process.stdout, selectors.EVENT_READ)

    @property
    def lines(self) -> list[str]:
        return self._text.decode().splitlines()

    def until(self, reached: Callable[[], bool], meanwhile: Callable[[], None]) -> None:
        """Take in what it prints until a state is reached, or fail."""
        end = time.monotonic() + LIMIT
        while not reached():
            assert time.monotonic() < end, self._text.decode()
            meanwhile()
            if self._selector.select(0.05):
                said = os.read(self._selector.get_map()[self._process.stdout].fd, 1 << 16)  # type: ignore[index]
                assert said, f"it ended\n{self._text.decode()}"
                self._text += said

    def close(self) -> None:
        self._selector.close()


def nothing() -> None:
    """Do nothing meanwhile."""


@contextmanager
def station(keys: Path | None = None) -> Iterator[Station]:
    made = Station()
    with guarded(keys, made.answer) as made.line:
        yield made


@contextmanager
def running(command: Sequence[str], folder: Path, **environment: str) -> Iterator[Program]:
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={"PATH": os.environ["PATH"], **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    program = Program(process)
    try:
        yield program
    finally:
        process.kill()
        process.communicate()
        program.close()


def at(source: str, line: Guarded) -> str:
    """Put the test's endpoints where the README has the usual ones."""
    bound = line.publisher.wait_bound(LIMIT)
    real = {5555: line.endpoint, 5556: bound.results, 5557: bound.maps}
    for port, endpoint in real.items():
        source = source.replace(f"tcp://127.0.0.1:{port}", endpoint)
    return source


def bare_python(folder: Path) -> tuple[list[str], dict[str, str]]:
    """Give a Python that has pyzmq and numpy, and nothing of effad's."""
    packages = folder / "packages"
    packages.mkdir()
    for module in (zmq, np):
        assert module.__file__
        package = Path(module.__file__).parent
        for name in (package.name, f"{package.name}.libs", f"py{package.name}.libs"):
            if (package.parent / name).is_dir():  # else its libraries lie elsewhere
                (packages / name).symlink_to(package.parent / name)
    # -S: without the virtual environment's packages, -P: without the working directory.
    return [sys.executable, "-S", "-P", "-u"], {"PYTHONPATH": str(packages)}


def verdict_lines(program: Program) -> list[str]:
    return [
        line for line in program.lines if re.fullmatch(r"\d+ A-\S+ \S+ \S+ (live|missed)", line)
    ]


@contextmanager
def python_subscriber(folder: Path, source: str) -> Iterator[Program]:
    command, environment = bare_python(folder)
    for name in ("daemon", "models", "pydantic"):
        alone = subprocess.run(
            [*command, "-c", f"import {name}"], cwd=folder, env=environment, capture_output=True
        )
        assert b"ModuleNotFoundError" in alone.stderr, f"{name} can be imported: no proof"
    script = folder / "subscriber.py"
    script.write_text(source)
    with running([*command, str(script)], folder, **environment) as program:
        yield program


def connected(station: Station, program: Program) -> None:
    """Lose a verdict, and beat until that is noticed: from then on it hears everything."""
    program.until(lambda: bool(station.asked), nothing)
    lost = station.judge()
    said = len(program.lines)
    program.until(lambda: len(program.lines) > said, station.beat)
    assert str(lost.seq) in program.lines[-1]


def test_python_has_every_verdict_once(tmp_path: Path) -> None:
    with station() as nut:
        for _ in range(5):
            nut.judge()
        source = at(block("python"), nut.line)
        with python_subscriber(tmp_path, source) as program:

            def until(line: str) -> None:
                program.until(lambda: program.lines[-1:] == [line], nothing)

            until('5 A-"5" PASS None missed')
            connected(nut, program)  # 6: the last one was lost, and a heartbeat told
            nut.send(nut.judge(Kind.FAIL))
            until('7 A-"7" FAIL None live')
            nut.judge(Kind.NO_VERDICT, Reason.LATE)  # 8 is lost
            nut.send(nut.judge())
            until('9 A-"9" PASS None missed')
            nut.send(*nut.journal[-2:], *nut.journal[:3])  # all of them twice
            nut.epoch = 2  # a restart: seq goes on
            nut.send(nut.judge())
            until('10 A-"10" PASS None live')
            nut.epoch, nut.journal = 3, []  # another journal: seq begins again
            nut.judge()
            nut.send(nut.judge())
            until('2 A-"2" PASS None missed')
            nut.send(nut.judge())
            until('3 A-"3" PASS None live')
            assert verdict_lines(program) == [
                *[f'{n} A-"{n}" PASS None missed' for n in range(1, 7)],
                '7 A-"7" FAIL None live',
                '8 A-"8" NO_VERDICT late missed',
                '9 A-"9" PASS None missed',
                '10 A-"10" PASS None live',
                *[f'{n} A-"{n}" PASS None missed' for n in (1, 2)],
                '3 A-"3" PASS None live',
            ]


def test_python_sees_where_a_map_is_high(tmp_path: Path) -> None:
    with station() as nut:
        source = at(block("python"), nut.line)
        with python_subscriber(tmp_path, source) as program:
            verdict = nut.judge(Kind.FAIL)
            # Column 11 is at 18 + 11 * 4.5, row 20 at 16 + 20 * 4.
            where = f"{verdict.seq} top 0.750 at (67.5, 96)"
            program.until(lambda: where in program.lines, lambda: nut.send_map(verdict))


def test_python_takes_live_what_the_journal_does_not_tell_yet(tmp_path: Path) -> None:
    with station() as nut:
        source = at(block("python"), nut.line)
        with python_subscriber(tmp_path, source) as program:
            connected(nut, program)
            nut.judge()  # 2 is lost
            early = nut.judge()
            nut.journal.pop()
            nut.send(early)
            program.until(lambda: f"3 {early.part.id} PASS None live" in program.lines, nothing)
            assert verdict_lines(program)[1] == '2 A-"2" PASS None missed'


def test_python_asks_again_after_the_daemon_was_away(tmp_path: Path) -> None:
    """Its first request is lost with the one that does not answer."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as dead, station() as nut:
        port = dead.bind_to_random_port("tcp://127.0.0.1")
        source = at(block("python"), nut.line)
        source = source.replace(nut.line.endpoint, f"tcp://127.0.0.1:{port}")
        source = source.replace("rcvtimeo = 2000", "rcvtimeo = 200")
        with python_subscriber(tmp_path, source) as program:
            first = dead.recv_multipart()
            nut.judge()
            second: list[bytes] = []

            def listen() -> None:
                nut.beat()
                if dead.poll(0):
                    second[:] = dead.recv_multipart()

            program.until(lambda: bool(second), listen)
            assert json.loads(second[-1]) == json.loads(first[-1])
            reply = nut.answer(ReplayFrom(station="nut", seq=0), Peer("local", True)).reply
            # An answer to the first, which it no longer waits for, is not taken for the second's.
            dead.send_multipart([*first[:-1], b'{"ok": false, "error": "too late"}'])
            dead.send_multipart([*second[:-1], reply.model_dump_json(exclude_none=True).encode()])
            program.until(lambda: "missed" in "".join(program.lines), nothing)
            assert verdict_lines(program) == ['1 A-"1" PASS None missed']


def test_python_with_keys(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    assert effad_keys(["make-server", "--keys", str(keys)]) == 0
    make(keys, "scada", "watch")
    shutil.copy(keys / "server.key", tmp_path)
    shutil.copy(keys / "issued" / "scada.key_secret", tmp_path)
    with station(keys) as nut:
        source = at(block("python"), nut.line)
        first = source.index("live.connect(")
        with_keys = source[:first] + block("keys") + source[first:]
        with python_subscriber(tmp_path, with_keys) as program:
            connected(nut, program)
            nut.send(nut.judge())
            program.until(lambda: '2 A-"2" PASS None live' in program.lines, nothing)


@pytest.fixture
def compiler() -> str:
    found = shutil.which("cc")
    if found is None:
        pytest.skip("needs a C compiler")
    probe = subprocess.run(
        [found, "-x", "c", "-E", "-", "-o", os.devnull],
        input=b"#include <zmq.h>\n",
        capture_output=True,
    )
    if probe.returncode:
        pytest.skip("needs zmq.h: apt install libzmq3-dev")
    return found


def test_c_has_every_verdict_once(tmp_path: Path, compiler: str) -> None:
    with station() as nut:
        for _ in range(5):
            nut.judge()
        (tmp_path / "subscriber.c").write_text(at(block("c"), nut.line))
        command = [compiler, "-Wall", "-Wextra", "-Werror", "subscriber.c", "-lzmq", "-o", "sub"]
        built = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert built.returncode == 0, built.stderr
        with running([str(tmp_path / "sub")], tmp_path) as program:

            def seqs() -> list[int]:
                return [seq for line in program.lines for seq in told(line)]

            def until(seq: int) -> None:
                program.until(lambda: seq in seqs(), nothing)

            until(5)
            connected(nut, program)
            nut.send(nut.judge())
            until(7)
            nut.judge()  # 8 is lost
            nut.send(nut.judge())
            until(9)
            nut.send(*nut.journal[-3:])  # all of them twice
            nut.send(nut.judge())
            until(10)
            assert seqs() == list(range(1, 11))
            live = [seq for line in program.lines if line.startswith("live ") for seq in told(line)]
            assert live == [7, 10]


def told(line: str) -> list[int]:
    """Give the seqs of the verdicts in a line that the C program has printed whole."""
    how, _, text = line.partition(" ")
    try:
        said: dict[str, Any] = json.loads(text)
    except ValueError:
        return []  # the rest of the line is still to come
    verdicts = said["verdicts"] if how == "missed" else [said]
    return [verdict["seq"] for verdict in verdicts]
