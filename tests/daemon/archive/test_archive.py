"""The archive never waits, frees each slot once, and counts what it does not keep."""

import fcntl
import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.archive import Archive, ArchivePlan, Loss
from daemon.archive.read import read
from daemon.archive.store import LOCK
from daemon.channel import Crew
from daemon.messages import Kind
from tests.daemon.archive.offers import LIMIT, Slots, kept, plan_, records, running, verdict_of


def nobody(text: str) -> None:
    raise AssertionError(text)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold an archive's folder as another effad does."""
    folder.mkdir(exist_ok=True)
    with (folder / LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def stuck(folder: Path, plan: ArchivePlan, slots: Slots) -> Iterator[Archive]:
    """Run an archive whose writing thread stands still for as long as the block takes.

    It does so in its first alarm, which seq 0 gives it: that one is lost.
    """
    reached, go = threading.Event(), threading.Event()

    def alarm(_: str) -> None:
        reached.set()
        assert go.wait(LIMIT)

    archive = Archive(folder, plan, alarm)
    with ExitStack() as stack:
        with locked(folder):
            stack.enter_context(running(archive))
            assert archive.offer(slots.kept(0))
            assert reached.wait(LIMIT)
        stack.callback(go.set)
        yield archive


def test_images_are_kept_with_map_and_record(tmp_path: Path) -> None:
    slots = Slots()
    archive = Archive(tmp_path, plan_(), nobody)
    with running(archive):
        for seq, kind in enumerate(Kind, start=1):
            assert archive.offer(slots.kept(seq, kind))
    assert archive.counts().kept == dict.fromkeys(Kind, 1)
    assert not archive.counts().lost
    assert (archive.counts().queued, archive.counts().queued_bytes) == (0, 0)
    assert [path.stem for path in records(tmp_path)] == [
        "nut_00000001_c_PASS",
        "nut_00000002_c_FAIL",
        "nut_00000003_c_NO_VERDICT",
    ]
    for seq, path in enumerate(records(tmp_path), start=1):
        image = read(path.with_suffix(".png"))
        item = kept(seq)
        assert image.unchanged
        assert image.pixels.tobytes() == item.pixels.tobytes()
        assert (image.map is None) == path.stem.endswith("NO_VERDICT")
        if image.map is not None and item.anomaly is not None:
            assert image.map.tobytes() == item.anomaly.values.numpy().tobytes()


@pytest.mark.parametrize(
    ("keep", "sample", "expected"),
    [
        ("all", 0, [1, 2, 3, 4, 5, 6, 7, 8]),
        ("none", 1, []),
        ("fail", 0, [4, 8]),
        ("fail", 1, [1, 2, 3, 4, 5, 6, 7, 8]),
        ("fail", 3, [1, 4, 5, 8]),  # good: 1 2 3 5 6 7
    ],
)
def test_which_are_kept(keep: str, sample: int, expected: list[int], tmp_path: Path) -> None:
    slots = Slots()
    archive = Archive(tmp_path, plan_(keep=keep, good_sample=sample), nobody)
    with running(archive):
        taken = [
            seq
            for seq in range(1, 9)
            if archive.offer(slots.kept(seq, Kind.PASS if seq % 4 else Kind.FAIL))
        ]
    assert taken == expected
    assert [int(path.stem.split("_")[1]) for path in records(tmp_path)] == expected
    assert slots.released == Counter(range(1, 9))
    assert not archive.counts().lost


def test_a_sampled_part_is_kept_with_all_its_views(tmp_path: Path) -> None:
    archive = Archive(tmp_path, plan_(keep="fail", good_sample=3), nobody)
    cameras = ("left", "right")
    with running(archive):
        for seq in range(1, 8):
            verdict = verdict_of(seq, Kind.PASS, cameras=cameras)
            for camera in cameras:
                archive.offer(kept(seq, verdict=verdict, camera=camera))
    assert [path.stem for path in records(tmp_path)] == [
        f"nut_0000000{seq}_{camera}_PASS" for seq in (1, 4, 7) for camera in cameras
    ]


def test_a_writer_that_is_stuck_holds_no_slot_and_no_line(tmp_path: Path) -> None:
    slots, one = Slots(), kept(0).memory
    with stuck(tmp_path, plan_(queue=5 * one), slots) as archive:
        # The writer is in here until the block ends: whatever waited for it would wait for ever.
        taken = [seq for seq in range(1, 101) if archive.offer(slots.kept(seq))]
        assert taken == [1, 2, 3, 4, 5]
        assert slots.all_released(101)
        assert archive.counts().queued == 5
        assert archive.counts().queued_bytes == 5 * one
    counts = archive.counts()
    assert counts.kept == {Kind.FAIL: 5}
    assert counts.lost == {Loss.WRITE_ERROR: 1, Loss.QUEUE_FULL: 95}
    assert sum(counts.kept.values()) + sum(counts.lost.values()) == 101
    assert slots.released == Counter(range(101))
    # Copied before its slot was released, which overwrote it.
    assert all(read(path.with_suffix(".png")).unchanged for path in records(tmp_path))


def test_the_end_does_not_wait_for_ever(tmp_path: Path) -> None:
    slots = Slots()
    with stuck(tmp_path, plan_(drain_s=0), slots) as archive:
        assert all(archive.offer(slots.kept(seq)) for seq in range(1, 5))
        archive.done()
    assert archive.counts().lost == {Loss.WRITE_ERROR: 1, Loss.SHUTDOWN: 4}
    assert records(tmp_path) == []
    assert not archive.offer(slots.kept(5)), "nothing is taken after the end, nor is it an error"
    assert archive.counts().lost[Loss.SHUTDOWN] == 5
    assert slots.released == Counter(range(6))
    assert archive.counts().queued == 0


def test_losses_are_told_at_once_and_then_once_a_period(tmp_path: Path) -> None:
    for period, most in ((1e6, 1), (0.0, 20)):
        told: list[str] = []
        archive = Archive(tmp_path, plan_(), told.append, alarm_period=period)
        with locked(tmp_path), running(archive):
            for seq in range(20):
                archive.offer(kept(seq))
        assert archive.counts().lost == {Loss.WRITE_ERROR: 20}
        assert 1 <= len(told) <= most
        assert "another effad keeps its images there" in told[0]
        assert "write_error" in told[0]
        assert "\n" not in told[0]


def test_it_goes_on_when_the_folder_is_free_again(tmp_path: Path) -> None:
    told = threading.Event()
    archive = Archive(tmp_path, plan_(), lambda _: told.set())
    with ExitStack() as stack:
        with locked(tmp_path):
            stack.enter_context(running(archive))
            archive.offer(kept(1))
            assert told.wait(LIMIT)
        archive.offer(kept(2))
    assert archive.counts().kept == {Kind.FAIL: 1}
    assert [path.stem for path in records(tmp_path)] == ["nut_00000002_c_FAIL"]


STEPS = st.lists(
    st.sampled_from(["fail", "pass", "none", "break", "mend", "done"]), min_size=1, max_size=40
)


@settings(max_examples=60)
@given(steps=STEPS, queue=st.integers(1, 8), keep=st.sampled_from(["fail", "all"]))
def test_every_slot_is_released_once_whatever_fails(
    steps: list[str], queue: int, keep: str
) -> None:
    kinds = {"fail": Kind.FAIL, "pass": Kind.PASS, "none": Kind.NO_VERDICT}
    with TemporaryDirectory() as name:
        folder, disk = Path(name) / "images", Path(name) / "disk"
        disk.mkdir()
        folder.symlink_to(disk)  # so that one step takes it away, and one brings it back
        slots, offered = Slots(), Counter[str]()
        plan = plan_(keep=keep, good_sample=3, queue=queue * kept(0).memory)
        archive = Archive(folder, plan, lambda _: None, alarm_period=0)
        with running(archive):
            for seq, step in enumerate(steps):
                if step == "done":
                    archive.done()
                elif step == "break":
                    disk.with_name("new").touch()
                    disk.with_name("new").replace(folder)
                elif step == "mend":
                    disk.with_name("new").symlink_to(disk)
                    disk.with_name("new").replace(folder)
                else:
                    offered[step] += 1
                    archive.offer(slots.kept(seq, kinds[step]))
        counts = archive.counts()
        assert set(slots.released.values()) <= {1}
        assert slots.released.total() == offered.total()
        good = offered["pass"] if keep == "all" else -(-offered["pass"] // 3)
        wanted = offered["fail"] + offered["none"] + good
        assert sum(counts.kept.values()) + sum(counts.lost.values()) == wanted
        assert (counts.queued, counts.queued_bytes) == (0, 0)
        there = records(disk)
        assert len(there) == sum(counts.kept.values())
        assert all(read(path.with_suffix(".png")).unchanged for path in there)


def test_a_failure_of_its_own_ends_the_service_and_frees_every_slot(tmp_path: Path) -> None:
    slots, failed = Slots(), threading.Event()
    archive = Archive(tmp_path, plan_(), nobody)  # its alarm fails, as no alarm should
    crew = Crew(failed.set)
    with locked(tmp_path):
        archive.start(crew)
        archive.offer(slots.kept(0))
        assert failed.wait(LIMIT)
    seq = 1
    while archive.offer(slots.kept(seq)):
        seq += 1
    archive.done()
    assert crew.join(LIMIT) == []
    with pytest.raises(AssertionError, match="1 images not kept"):
        crew.check()
    assert slots.released == Counter(range(seq + 1))
    assert sum(archive.counts().lost.values()) == seq + 1
    assert archive.counts().queued == 0


def test_a_slot_that_cannot_be_freed_leaves_no_other_one_behind(tmp_path: Path) -> None:
    slots, crew = Slots(), Crew(lambda: None)
    archive = Archive(tmp_path, plan_(), nobody)

    def fail() -> None:
        raise RuntimeError("a slot was let go twice")

    assert archive.offer(kept(9, release=fail))
    assert all(archive.offer(slots.kept(seq)) for seq in range(5))
    archive.start(crew)
    assert slots.all_released(5)
    assert crew.join(LIMIT) == [], "the end comes of itself"
    with pytest.raises(RuntimeError, match="let go twice"):
        crew.check()
    assert archive.counts().lost == {Loss.SHUTDOWN: 5}


def test_an_archive_that_keeps_nothing_makes_no_folder(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    archive = Archive(folder, plan_(keep="none"), nobody)
    with running(archive):
        assert not archive.offer(kept(1))
    assert not folder.exists()
    assert os.listdir(tmp_path) == []
