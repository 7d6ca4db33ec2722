"""The auditor on its own: it reads what the simulator writes, and each of its rules can fail."""

import subprocess
import sys
from array import array
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.simulator.scene import CameraScene, Scene
from tests.audit import scene_log
from tests.audit.audited import ROOT
from tests.audit.book import Book, Clock
from tests.audit.rules import Account, Promise
from tests.audit.scene_log import FATES, SceneError, TriggerLog

MS = 1_000_000
START = 10**18  # ns of the Unix epoch where CLOCK_MONOTONIC is 0
PROMISE = Promise(deadline_ns=200 * MS, budget_ns=5 * MS, slots=2, shed_ns=20 * MS)
RIGHT = {"delivered": "PASS", "dropped": "frame_lost", "incomplete": "incomplete"}
RIGHT |= {"short": "incomplete", "resized": "invalid", "underrun": "frame_lost"}


def log_of(*fates: str) -> TriggerLog:
    """Give the log of an acquisition with a trigger each 10 ms."""
    n = len(fates)
    times = [10 * MS * i for i in range(n)]
    return TriggerLog(
        frame_id=array("Q", range(1, n + 1)),
        acquisition=array("Q", [1] * n),
        timestamp_ns=array("Q", times),
        device_ns=array("Q", times),
        image=array("i", [i % 3 for i in range(n)]),
        fate=array("B", [FATES.index(fate) for fate in fates]),
    )


def verdict(log: TriggerLog, of: int, word: str, **other: Any) -> dict[str, Any]:
    """Give what effad says of a trigger, 5 ms after it unless ``other`` says so."""
    inspected = word in ("PASS", "FAIL")
    taken = START + log.timestamp_ns[of - 1]
    view = {
        "trigger": of,
        "frame_id": log.frame_id[of - 1],
        "device_ns": log.device_ns[of - 1] if inspected else None,
        "inferred_ns": taken + 4 * MS if inspected else None,
    }
    view |= {key: other.pop(key) for key in list(other) if key in view}
    said = {"seq": of, "epoch": 1, "verdict": word if inspected else "NO_VERDICT"}
    said |= {"reason": None if inspected else word, "score": 0.5 if inspected else None}
    said |= {"published_ns": taken + 5 * MS, "views": [view], "bypassed": False}
    return said | other


def audited(log: TriggerLog, said: list[dict[str, Any]], promise: Promise = PROMISE) -> list[str]:
    book, clock = Book(), Clock()
    clock.note(0, START)
    for one in said:
        book.verdict(one, one["published_ns"] + MS)
    return list(Account(log, book, clock, promise).mismatches())


def all_right(log: TriggerLog) -> list[dict[str, Any]]:
    return [verdict(log, n, RIGHT[log.fate_of(n)]) for n in range(1, len(log) + 1)]


FIVE = log_of("delivered", "dropped", "incomplete", "resized", "delivered")


@given(st.lists(st.sampled_from(sorted(RIGHT)), max_size=30))
def test_what_is_right_passes(fates: list[str]) -> None:
    log = log_of(*fates, "delivered")  # which gives a loss before it away
    assert audited(log, all_right(log)) == []


@given(st.lists(st.sampled_from(sorted(RIGHT)), min_size=1, max_size=30), st.data())
def test_any_wrong_word_is_found(fates: list[str], data: st.DataObject) -> None:
    log = log_of(*fates, "delivered")
    at = data.draw(st.integers(0, len(fates) - 1))
    said = all_right(log)
    words = {*RIGHT.values(), "late", "overrun", "camera_down", "shutdown", "restart"}
    wrong = words - {RIGHT[fates[at]], "FAIL"}
    said[at] = verdict(log, at + 1, data.draw(st.sampled_from(sorted(wrong))))
    # With two slots the third of three frames may well have met none that was free.
    roomy = replace(PROMISE, slots=len(fates) + 1)
    assert any("must be" in text for text in audited(log, said, roomy))


@given(st.integers(0, 4))
def test_a_swallowed_and_a_doubled_verdict_are_found(at: int) -> None:
    right = all_right(FIVE)
    assert any("no verdict" in text for text in audited(FIVE, [*right[:at], *right[at + 1 :]]))
    assert any(
        "came again" in text for text in audited(FIVE, [*right[:at], right[at], *right[at:]])
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"published_ns": START + 204 * MS}, "too late"),
        ({"frame_id": 2}, "of frame 2, must be 1"),
        ({"device_ns": 7}, "taken at 7, must be 0"),
        ({"bypassed": True}, "bypassed, must be FAIL or PASS"),
        ({"trigger": 9}, "it never happened"),
        ({"trigger": None}, "names no trigger"),
        ({"reason": "late"}, "PASS with reason late"),
    ],
)
def test_a_wrong_detail_is_found(change: dict[str, Any], words: str) -> None:
    said = [verdict(FIVE, 1, "PASS", **change), *all_right(FIVE)[1:]]
    assert any(words in text for text in audited(FIVE, said))


def test_late_and_lost_are_right_once_the_deadline_has_passed() -> None:
    log = log_of("delivered", "delivered")
    for word, after, right in (
        ("late", 180, True),
        ("late", 170, False),
        ("frame_lost", 196, True),
        ("frame_lost", 180, False),
    ):
        said = [
            verdict(log, 1, word, published_ns=START + after * MS),
            verdict(log, 2, "PASS"),
        ]
        assert (audited(log, said) == []) is right, (word, after)


def test_an_overrun_needs_as_many_frames_before_it_as_there_are_slots() -> None:
    log = log_of(*["delivered"] * 4)
    held = {"published_ns": START + 40 * MS, "inferred_ns": START + 39 * MS}
    crowd = [verdict(log, n, "PASS", **held) for n in (1, 2)]
    crowd += [verdict(log, 3, "overrun", published_ns=START + 41 * MS), verdict(log, 4, "PASS")]
    assert audited(log, crowd) == []
    assert audited(log, crowd, replace(PROMISE, slots=3)) != []
    log = log_of(*["delivered"] * 40)
    alone = all_right(log)
    alone[29] = verdict(log, 30, "overrun")
    found = audited(log, alone, replace(PROMISE, slots=4))
    assert any("seq 30: overrun, must be" in text for text in found)


def test_one_image_has_one_score() -> None:
    log = log_of(*["delivered"] * 6)
    said = all_right(log)
    said[4] = verdict(log, 5, "FAIL", score=0.75)
    assert audited(log, said) == ["trigger 5: image 1 is (0.75, 'FAIL'), was (0.5, 'PASS') at 2"]


def test_what_a_killed_daemon_left_open_ends_with_restart() -> None:
    log = log_of(*["delivered"] * 4)
    before = all_right(log)[:2]
    for word, right in (("restart", True), ("PASS", False), ("late", False)):
        after = [verdict(log, n, word, epoch=2) for n in (3, 4)]
        assert (audited(log, [*before, *after]) == []) is right, word
    live = [verdict(log, n, "PASS" if n != 2 else "restart") for n in (1, 2, 3, 4)]
    assert any("restart, must be" in text for text in audited(log, live))


def test_a_heartbeat_that_counts_otherwise_is_found() -> None:
    book, clock = Book(), Clock()
    clock.note(0, START)
    for one in all_right(FIVE):
        book.verdict(one, one["published_ns"] + MS)
    counts = {"triggers": 5, "passed": 2, "failed": 0, "no_verdict": 3, "open": 0}
    for change, words in (
        ({}, ""),
        ({"passed": 1, "failed": 1}, "1 passed, but 2 came"),
        ({"open": 1}, "5 triggers, but 6 accounted"),
    ):
        book.faults.clear()
        book.heartbeat({"epoch": 1, "seq": {"nut": 5}, "counts": {"nut": counts | change}}, "nut")
        found = list(Account(FIVE, book, clock, PROMISE).mismatches())
        assert (found == []) is not bool(words)
        assert not words or any(words in text for text in found)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    image = np.zeros((8, 8), np.uint8)
    cameras = [CameraScene(serial=name, images=[image] * 3) for name in ("A1", "B2")]
    with Scene.create(tmp_path / "scene", cameras, log_capacity=64) as scene:
        yield scene


def test_the_scene_file_is_read_as_the_simulator_reads_it(scene: Scene) -> None:
    ring = scene._cameras["B2"]
    for n in range(1, 41):
        ring.log[n - 1] = (n, n + 7, 2, 1000 * n, 1000 * n + 5, n % 3, n % len(FATES))
    ring.state["triggers"] = 40
    theirs, ours = scene.log("B2"), scene_log.read(scene.path, "B2")
    assert len(ours) == len(theirs) == 40
    for record in theirs:
        at = record.trigger - 1
        assert ours.fate_of(record.trigger) == str(record.fate)
        assert (ours.frame_id[at], ours.acquisition[at], ours.timestamp_ns[at], ours.image[at]) == (
            *(record.frame_id, record.acquisition, record.timestamp_ns, record.image),
        )


def test_a_log_that_has_lost_records_is_refused(scene: Scene) -> None:
    scene._cameras["A1"].state["triggers"] = 65
    with pytest.raises(SceneError, match="65 triggers, and the log keeps 64"):
        scene_log.read(scene.path, "A1")
    with pytest.raises(SceneError, match="no camera 'C3'"):
        scene_log.read(scene.path, "C3")


def test_the_auditor_uses_nothing_of_effad() -> None:
    program = (
        "import sys, tests.audit.auditor\n"
        "print({m.partition('.')[0] for m in sys.modules} &"
        " {'daemon', 'models', 'calibration', 'training', 'pydantic', 'numpy', 'torch'})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "set()", done.stdout
