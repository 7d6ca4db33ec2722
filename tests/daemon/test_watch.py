"""effad-watch as people run it: a process of its own beside a real publisher."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import jsonschema
import numpy as np
import pytest

from daemon.channel import Channel
from daemon.client import SeqCheck, Subscriber
from daemon.messages import (
    Alarm,
    AlarmCode,
    Heartbeat,
    Kind,
    Map,
    Part,
    Reason,
    Region,
    State,
    StateChange,
    TriggerSource,
    Verdict,
    View,
)
from daemon.publisher import Outgoing, Publisher
from daemon.watch import NOTHING_CAME, main, verdict_line
from daemon.wire import decode_map, encode_map
from models.errors import InputError
from models.geometry import Tiles
from tests.verdicts import verdict_of

FREE = "tcp://127.0.0.1:*"
LIMIT = 30.0  # seconds that a process may take to start
WIDTH, HEIGHT = 320, 200
PLACEMENT = Tiles(HEIGHT, WIDTH).placement
READY = StateChange(epoch=1, time_ns=1, state=State.READY, text="recipe nut")
REGION = Region(
    x=96, y=48, width=8, height=8, area=64, centroid=(100, 52), peak=0.9, peak_at=(101, 53)
)


def verdict(seq: int, kind: Kind = Kind.PASS, station: str = "press", epoch: int = 1) -> Verdict:
    reason = Reason.LATE if kind is Kind.NO_VERDICT else None
    score = {Kind.PASS: 0.1, Kind.FAIL: 0.9, Kind.NO_VERDICT: None}[kind]
    view = View(
        camera="top",
        trigger=seq,
        frame_id=seq,
        verdict=kind,
        reason=reason,
        score=score,
        regions=(REGION,) if kind is Kind.FAIL else (),
    )
    return verdict_of(
        seq,
        epoch=epoch,
        station=station,
        part=Part(id=f"A-{seq}"),
        trigger_source=TriggerSource.HARDWARE,
        verdict=kind,
        reason=reason,
        score=score,
        views=(view,),
        triggered_ns=1_700_000_000_000_000_000,
        published_ns=1_700_000_000_034_000_000,
    )


def heartbeat(epoch: int = 1, **seq: int) -> Heartbeat:
    return Heartbeat(epoch=epoch, time_ns=1, state=State.READY, seq=seq, counts={})


def map_of(of: Verdict) -> Outgoing:
    values = np.zeros(PLACEMENT.cells, np.float32)
    values[12:14, 24:26] = 0.9
    return Outgoing(*encode_map(values, of, "top", PLACEMENT, (WIDTH, HEIGHT)))


class Line:
    """A publisher in a thread."""

    def __init__(self) -> None:
        self._publisher = Publisher(FREE, FREE)
        self._inbox: Channel[Outgoing] = Channel(1000)
        self._thread = threading.Thread(
            target=self._publisher.run, args=(self._inbox,), daemon=True
        )
        self._thread.start()
        self.endpoints = self._publisher.wait_bound(5)

    def say(self, *messages: Verdict | Heartbeat | StateChange | Alarm | Outgoing) -> None:
        for message in messages:
            self._inbox.put(message if isinstance(message, Outgoing) else Outgoing(message))

    def close(self) -> None:
        self._inbox.done()
        self._thread.join(5)
        assert not self._thread.is_alive()


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line()
    try:
        yield line
    finally:
        line.close()


class Watching:
    """effad-watch in a process of its own, its streams read by threads."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "daemon.watch", *arguments]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.out: list[str] = []
        self.err: list[str] = []
        self._grown = threading.Condition()
        self._threads = [
            threading.Thread(target=self._read, args=streams, daemon=True)
            for streams in ((self.process.stdout, self.out), (self.process.stderr, self.err))
        ]
        for thread in self._threads:
            thread.start()

    def _read(self, stream: Iterator[str], lines: list[str]) -> None:
        for text in stream:
            with self._grown:
                lines.append(text.rstrip("\n"))
                self._grown.notify_all()

    def wait_for(self, lines: list[str], text: str) -> None:
        with self._grown:
            found = self._grown.wait_for(lambda: any(text in one for one in lines), LIMIT)
        assert found, (text, self.out, self.err)

    def end(self) -> int:
        """Wait for its end; give its status."""
        status = self.process.wait(LIMIT)
        for thread in self._threads:
            thread.join(LIMIT)
        return status


@contextmanager
def watching(line: Line, *arguments: str) -> Iterator[Watching]:
    """Run it; it is subscribed, for it has the last state."""
    ends = ["--results", line.endpoints.results, "--maps", line.endpoints.maps]
    line.say(READY)
    watch = Watching(*ends, *arguments)
    try:
        watch.wait_for(watch.err, "state Ready: recipe nut")
        yield watch
    finally:
        watch.process.kill()
        watch.end()
        for stream in (watch.process.stdout, watch.process.stderr):
            assert stream is not None
            stream.close()


def test_verdicts_gaps_alarms_and_the_end_by_interrupt(line: Line) -> None:
    with watching(line) as watch:
        line.say(
            verdict(1),
            READY,
            verdict(2, Kind.FAIL),
            verdict(2, Kind.FAIL),
            verdict(5, Kind.NO_VERDICT),
            heartbeat(press=7),
            Alarm(
                epoch=1,
                time_ns=1,
                code=AlarmCode.CAMERA_DOWN,
                station="press",
                text="unplugged\x1b[2J",
            ),
        )
        watch.wait_for(watch.err, "alarm camera_down press: unplugged?[2J")
        watch.process.send_signal(signal.SIGINT)
        assert watch.end() == 0
    assert [text.partition("  ")[2] for text in watch.out] == [
        "press 1  A-1  PASS  score 0.100 < 0.400  34 ms",
        "press 2  A-2  FAIL  score 0.900 >= 0.400  34 ms  at (100, 52) top",
        "press 5  A-5  NO_VERDICT(late)  34 ms",
    ]
    assert [text for text in watch.err if "alarm" not in text] == [
        "effad-watch: state Ready: recipe nut",
        "effad-watch: press: lost verdicts 3 to 4 (2); they were sent and did not arrive",
        "effad-watch: press: lost verdicts 6 to 7 (2); they were sent and did not arrive",
    ]


def test_json_count_and_saved_maps(line: Line, tmp_path: Path) -> None:
    sent = [verdict(1), verdict(2, Kind.FAIL), verdict(1, Kind.PASS, "other"), verdict(3)]
    options = ["--json", "--count", "3", "--save", str(tmp_path / "maps"), "--save-maps"]
    with watching(line, "--station", "press", *options) as watch:
        line.say(*sent[:3])
        for last in (1, 1, 9):
            line.say(heartbeat(press=2, other=last))
        for station in ("other", None):
            line.say(
                Alarm(
                    epoch=1,
                    time_ns=1,
                    code=AlarmCode.JOURNAL,
                    station=station,
                    text=f"of {station}",
                )
            )
        line.say(sent[3])
        while watch.process.poll() is None:  # its subscription to maps may come late
            line.say(map_of(sent[1]))
            try:
                watch.process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
        assert watch.end() == 0
    assert watch.err == [
        "effad-watch: state Ready: recipe nut",
        "effad-watch: alarm journal: of None",
    ]
    documents = [json.loads(text) for text in watch.out]
    file = tmp_path / "maps" / "press_00000002_top_FAIL.png"
    assert documents[1].pop("map_file") == str(file)
    assert documents == [json.loads(sent[n].model_dump_json()) for n in (0, 1, 3)]
    assert {path.name for path in file.parent.iterdir()} == {file.name, f"{file.stem}.npy"}
    picture = cv2.imread(str(file))
    assert picture is not None
    assert picture.shape == (HEIGHT, WIDTH, 3)
    blue, _, red = picture[52, 100].astype(int)
    assert red > blue
    values = np.load(file.with_suffix(".npy"))
    assert values.dtype == np.float32
    assert np.flatnonzero(values.max(axis=1)).tolist() == [12, 13]


def test_who_watches_needs_no_torch() -> None:
    code = "import sys, daemon.watch; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_nothing_for_the_timeout_ends_with_status_3(capsys: pytest.CaptureFixture[str]) -> None:
    started = time.monotonic()
    status = main(["--results", "tcp://127.0.0.1:1", "--timeout", "0.2"])
    assert status == NOTHING_CAME
    assert 0.2 <= time.monotonic() - started < 5
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("effad-watch: nothing came from tcp://127.0.0.1:1 in 0.2 s")
    assert captured.err.count("\n") == 1


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--schema"]) == 0
    document = json.loads(capsys.readouterr().out)
    described = {**document, "$ref": document["x-topics"]["verdict/"]}
    jsonschema.validate(json.loads(verdict(1, Kind.FAIL).model_dump_json()), described)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--results", "localhost:5556"], "--results: 'localhost:5556' is not an endpoint"),
        (["--station", "a/b"], "--station: 'a/b' may hold"),
        (["--save", "/proc/nothing/here"], "--save: cannot make"),
    ],
)
def test_wrong_options_are_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], text: str
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr().err
    assert captured.startswith(f"effad-watch: error: {text}")
    assert captured.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--count", "0"], ["--timeout", "-1"], ["--save-all"]])
def test_numbers_out_of_range_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


def test_the_subscriber_gives_both_sockets_messages(line: Line) -> None:
    line.say(READY)
    failed = verdict(1, Kind.FAIL)
    with Subscriber(line.endpoints.results, line.endpoints.maps, "press") as subscriber:
        assert subscriber.receive(5).message == READY
        kinds: set[type] = set()
        until = time.monotonic() + 5
        while kinds != {Verdict, Map} and time.monotonic() < until:
            line.say(failed, map_of(failed), verdict(1, station="other"))
            received = subscriber.receive(5)
            kinds |= {type(received.message)} - {StateChange}
            if isinstance(received.message, Map):
                assert decode_map(received.message, received.array).max() == pytest.approx(
                    0.9, 1e-3
                )
            else:
                assert received.message in (failed, READY)
        assert kinds == {Verdict, Map}


def test_the_subscriber_refuses_an_endpoint_and_leaves_nothing_open() -> None:
    with pytest.raises(InputError, match="--maps"), Subscriber("tcp://127.0.0.1:1", "nowhere"):
        pass


def test_seq_over_a_new_epoch() -> None:
    check = SeqCheck()
    assert check.verdict(verdict(5)) == (True, None)
    assert check.verdict(verdict(6, epoch=2)) == (True, None)
    assert check.verdict(verdict(7)) == (False, None)  # of the epoch before
    new, text = check.verdict(verdict(9, epoch=3))
    assert new
    assert text is not None
    assert "verdicts 7 to 8 (2)" in text
    new, text = check.verdict(verdict(1, epoch=4))
    assert new
    assert text is not None
    assert "new journal" in text


def test_what_heartbeats_tell() -> None:
    check = SeqCheck()
    assert not check.heartbeat(heartbeat(press=3))  # perhaps from before we came
    assert check.verdict(verdict(10)) == (True, None)
    assert not check.heartbeat(heartbeat(press=10, other=4))
    assert not check.heartbeat(heartbeat(press=3))  # sent again for somebody else
    assert "verdict 11 (1)" in check.heartbeat(heartbeat(press=11, other=4))[0]
    assert not check.heartbeat(heartbeat(press=11, other=4))  # told once
    assert "other: lost verdict 5 (1)" in check.heartbeat(heartbeat(press=11, other=5))[0]
    assert not check.heartbeat(heartbeat(epoch=2, press=2))  # a new journal
    assert check.verdict(verdict(3, epoch=2)) == (True, None)


def test_a_line_shows_the_strongest_region_and_colours_the_verdict() -> None:
    strong = REGION.model_copy(update={"peak": 2.0, "centroid": (7.0, 8.0)})
    failed = verdict(1, Kind.FAIL)
    views = (failed.views[0], failed.views[0].model_copy(update={"regions": (strong,)}))
    text = verdict_line(failed.model_copy(update={"views": views, "part": Part(id="a\x1bb")}))
    assert text.plain.endswith("at (7, 8) top")
    assert "a?b" in text.plain
    assert [text.plain[span.start : span.end] for span in text.spans] == ["FAIL"]
    assert "red" in str(text.spans[0].style)
