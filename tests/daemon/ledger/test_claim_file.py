"""What was open when the process was killed is known to the next one."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.claims import StationPlan
from daemon.ledger import ClaimFile, Ledger, left_behind
from daemon.messages import Part, Reason, TriggerSource
from daemon.parts import Unseen
from models.errors import InputError

STATIONS = {"nut": ("a", "b"), "bolt": ("c",)}


def begun(folder: Path, capacity: int = 8, **committed: int) -> ClaimFile:
    claims = ClaimFile(folder / "claims", STATIONS, capacity)
    claims.begin({"nut": 0, "bolt": 0, **committed})
    return claims


def test_what_is_open_is_left_behind(tmp_path: Path) -> None:
    claims = begun(tmp_path, nut=40)
    for number in (41, 42, 43):
        claims.opened("nut", number, 1000 + number, Part(id=f"P{number}", lot="ü"), number + 7)
    claims.started("nut", "b", 3, 2)
    claims.trigger("nut", "b", 7)
    claims.committed("nut", 41)
    left = left_behind(tmp_path / "claims")
    assert left is not None
    nut = left.stations["nut"]
    assert nut.committed == 41
    assert [(o.number, o.part.id, o.part.lot, o.known_ns, o.trigger) for o in nut.open] == [
        (42, "P42", "ü", 1042, 49),
        (43, "P43", "ü", 1043, 50),
    ]
    assert nut.triggers == {"a": (50, 0), "b": (7, 2)}, "a trigger known with its part alone"
    assert left.stations["bolt"].open == ()
    claims.close()


def test_more_open_parts_than_can_be_described_are_still_counted(tmp_path: Path) -> None:
    claims = begun(tmp_path, capacity=4)
    for number in range(1, 11):
        claims.opened("nut", number, number, Part(id=str(number)))
    left = left_behind(tmp_path / "claims")
    assert left is not None
    named = [(o.number, o.part.id) for o in left.stations["nut"].open]
    assert named == [*((n, None) for n in range(1, 7)), *((n, str(n)) for n in range(7, 11))]
    claims.close()


@given(st.text(max_size=256), st.text(max_size=256), st.text(max_size=256))
def test_any_name_of_a_part_does(id: str, lot: str, serial: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        claims = begun(Path(folder))
        part = Part(id=id or None, lot=lot or None, serial=serial or None)
        claims.opened("bolt", 1, 5, part)
        claims.opened("bolt", 2, 6, Part(id="next"))
        left = left_behind(Path(folder) / "claims")
        claims.close()
    assert left is not None
    first, second = left.stations["bolt"].open
    assert first.part in (part, Part()), "whole, or not at all"
    assert second.part == Part(id="next")
    if len(part.model_dump_json()) < 900 and part.model_dump_json().isascii():
        assert first.part == part


WRITER = """
import sys
from pathlib import Path
from daemon.ledger import ClaimFile
from daemon.messages import Part

claims = ClaimFile(Path(sys.argv[1]), {"nut": ("a",)}, 64)
claims.begin({"nut": 0})
number = 0
while True:
    number += 1
    claims.opened("nut", number, number, Part(id=f"P{number}"))
    print(number, flush=True)
    if number % 3 == 0:
        claims.committed("nut", number - 1)
"""


@pytest.mark.parametrize("after", [1, 50, 500])
def test_kill_9_leaves_every_claim(tmp_path: Path, after: int) -> None:
    path = tmp_path / "claims"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        said = 0
        while said < after:
            said = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        rest = writer.stdout.read().split("\n")
    said = max([said, *(int(line) for line in rest[:-1] if line)])
    left = left_behind(path)
    assert left is not None
    nut = left.stations["nut"]
    assert said - 4 <= nut.committed < said or nut.committed == 0
    numbers = [part.number for part in nut.open]
    assert numbers == list(range(nut.committed + 1, numbers[-1] + 1))
    assert numbers[-1] >= said, "a claim that was acted on is not there"
    assert all(part.part.id == f"P{part.number}" for part in nut.open)


@pytest.mark.parametrize("damage", [b"", b"EFFADCLM", b"x" * 9000])
def test_a_damaged_file_is_none(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "claims").write_bytes(damage)
    assert left_behind(tmp_path / "claims") is None
    assert left_behind(tmp_path / "nothing") is None


@given(st.binary(min_size=1, max_size=64), st.integers(0, 20_000))
def test_any_damage_is_survived(noise: bytes, at: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        claims = begun(Path(folder))
        claims.opened("nut", 1, 1, Part(id="P1"))
        claims.close()
        path = Path(folder) / "claims"
        data = bytearray(path.read_bytes())
        at %= len(data)
        data[at : at + len(noise)] = noise
        path.write_bytes(data)
        left_behind(path)  # raises nothing, and ends


def test_a_folder_that_cannot_be_written_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot keep open claims .*journal\.folder"):
        ClaimFile(tmp_path / "missing" / "claims", STATIONS, 8)


def test_a_killed_run_s_claims_end_as_restart_and_numbers_go_on(tmp_path: Path) -> None:
    plan = {"nut": StationPlan(("a", "b"), TriggerSource.HARDWARE, 60.0)}
    claims = begun(tmp_path)
    ledger = Ledger(plan, 10, last={"nut": 0}, claims=claims)
    ledger.started("nut", "a", 100)
    ledger.counted("nut", "a", 103)
    ledger.committed("nut", 1)
    claims.close()

    left = left_behind(tmp_path / "claims")
    assert left is not None
    assert left.stations["nut"].triggers == {"a": (103, 0)}
    assert [part.trigger for part in left.stations["nut"].open] == [102, 103]
    again = ClaimFile(tmp_path / "claims", STATIONS, 8)
    again.begin({"nut": 1, "bolt": 0})
    ledger = Ledger(plan, 10, last={"nut": 1}, left=left.stations, claims=again)
    batch = next(ledger.settled())
    assert [part.number for part in batch if hasattr(part, "number")] == [2, 3]
    reasons = {getattr(v.outcome, "reason", None) for p in batch for v in getattr(p, "views", ())}
    assert reasons == {Reason.RESTART}
    ledger.started("nut", "a", 103)
    ledger.counted("nut", "a", 104)
    counts = ledger.counts()["nut"]
    assert (counts.triggers, counts.open) == (3, 3), "two of the run before, and a new one"
    once_more = left_behind(tmp_path / "claims")
    assert once_more is not None
    assert [part.number for part in once_more.stations["nut"].open] == [2, 3, 4]
    again.close()


def test_what_was_left_is_left_again_by_a_run_that_did_nothing_about_it(tmp_path: Path) -> None:
    claims = begun(tmp_path, nut=40)
    for number in (41, 42, 43):
        claims.opened("nut", number, 1000 + number, Part(id=f"P{number}"), number + 7)
    claims.started("nut", "b", 0, 2)
    claims.close()
    first = left_behind(tmp_path / "claims")
    assert first is not None
    assert first.stations["nut"].triggers == {"a": (50, 0), "b": (0, 2)}, "b acquired, c did not"
    assert first.stations["bolt"].triggers == {}

    again = ClaimFile(tmp_path / "claims", STATIONS, 2)  # and describes fewer
    again.begin({"nut": 41, "bolt": 0}, first.stations, first.alive_ns)
    second = left_behind(tmp_path / "claims")
    assert second is not None
    assert second.alive_ns == first.alive_ns
    assert second.stations["nut"].committed == 41, "the journal has it"
    assert second.stations["nut"].open == first.stations["nut"].open[1:]
    assert second.stations["nut"].triggers == first.stations["nut"].triggers

    again.opened("nut", 42, 1042, Part(id="P42"), 49)  # as the ledger does, one after another
    third = left_behind(tmp_path / "claims")
    assert third is not None
    assert [part.number for part in third.stations["nut"].open] == [42, 43]
    again.close()


def test_a_camera_that_is_there_no_more_is_not_taken_over(tmp_path: Path) -> None:
    claims = begun(tmp_path)
    claims.started("bolt", "c", 9, 0)
    left = left_behind(tmp_path / "claims")
    claims.close()
    assert left is not None
    again = ClaimFile(tmp_path / "claims", {"bolt": ("d",)}, 8)
    again.begin({"bolt": 0}, left.stations)
    found = left_behind(tmp_path / "claims")
    assert found is not None
    assert found.stations["bolt"].triggers == {}
    again.close()


class Killed(Exception):
    """In the place of a signal."""


def test_a_trigger_is_never_known_without_its_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed right before or after any write, a missed trigger is open or still to be heard of."""
    plan = {"bolt": StationPlan(("c",), TriggerSource.HARDWARE, 60.0)}
    why = Unseen(Reason.FRAME_LOST, "")
    claims = begun(tmp_path)
    ledger = Ledger(plan, 10, claims=claims)
    ledger.started("bolt", "c", 0)
    for written in ("opened", "trigger"):
        monkeypatch.setattr(claims, written, lambda *args: _killed())
        with pytest.raises(Killed):
            ledger.missed("bolt", "c", range(1, 2), why, None)
        monkeypatch.undo()
        left = left_behind(tmp_path / "claims")
        assert left is not None
        known = left.stations["bolt"].triggers["c"][0]
        assert known == len(left.stations["bolt"].open)
    claims.close()


def _killed() -> None:
    raise Killed
