"""Real disks that are full, read-only or pulled out, and a writer that is killed."""

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from daemon.archive import Archive, Loss
from daemon.archive.index import PARTIAL
from daemon.archive.read import read
from daemon.archive.record import IMAGE, MAP, RECORD
from daemon.archive.store import Store
from daemon.messages import Kind
from tests.daemon.archive.offers import LIMIT, Slots, plan_, records, running, verdict_of

Mount = Callable[[str], Path]
ROOT = Path(__file__).parents[3]


def system(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False, timeout=LIMIT).returncode == 0


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """Mount a small disk in memory; skips the test where that is not allowed."""
    disk = tmp_path / "disk"
    disk.mkdir()

    def mount_(options: str) -> Path:
        if not system("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)):
            pytest.skip("mounting takes root's rights")
        return disk

    yield mount_
    while os.path.ismount(disk):
        assert system("umount", "-l", str(disk))


def free(folder: Path) -> int:
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def settled(archive: Archive, of: int) -> bool:
    """Wait until so many images were kept or lost."""
    ticks = threading.Event()
    for _ in range(int(LIMIT * 200)):
        counts = archive.counts()
        if sum(counts.kept.values()) + sum(counts.lost.values()) == of:
            return True
        ticks.wait(0.005)
    return False


def test_a_small_disk_is_never_filled(mount: Mount) -> None:
    disk, spare = mount("size=1m"), 300_000
    slots = Slots()
    archive = Archive(disk / "images", plan_(leave_free=spare), lambda _: None)
    with running(archive):
        for seq in range(100):
            assert archive.offer(slots.kept(seq))
            assert settled(archive, seq + 1)
            assert free(disk) >= spare
    assert archive.counts().kept == {Kind.FAIL: 100}
    assert not archive.counts().lost
    there = records(disk)
    assert len(there) > 10
    assert there[-1].stem == "nut_00000099_c_FAIL"
    assert len(there) == archive.counts().images


def test_a_disk_that_others_filled_costs_images_and_nothing_else(mount: Mount) -> None:
    disk = mount("size=1m")
    slots, told = Slots(), list[str]()
    archive = Archive(disk / "images", plan_(leave_free=300_000), told.append, alarm_period=0)
    with running(archive):
        for seq in range(3):
            archive.offer(slots.kept(seq))
        assert settled(archive, 3)
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(free(disk) - 100_000))
        for seq in range(3, 8):
            archive.offer(slots.kept(seq))
        assert settled(archive, 8)
        assert archive.counts().lost == {Loss.NO_SPACE: 5}
        assert ballast.exists()
        ballast.unlink()
        archive.offer(slots.kept(8))
    assert archive.counts().kept == {Kind.FAIL: 4}
    assert [path.stem for path in records(disk)] == ["nut_00000008_c_FAIL"]
    assert "no_space" in told[0]
    assert set(slots.released.values()) == {1}


def test_the_system_says_that_the_disk_is_full(mount: Mount) -> None:
    """No file can be made any more, though there is space: what statvfs says is not all."""
    disk = mount("size=4m,nr_inodes=40")
    slots, told = Slots(), list[str]()
    archive = Archive(disk / "images", plan_(), told.append)
    with running(archive):
        for seq in range(30):
            archive.offer(slots.kept(seq))
    counts = archive.counts()
    assert counts.kept[Kind.FAIL] == len(records(disk)) >= 10
    assert counts.lost == {Loss.NO_SPACE: 30 - counts.kept[Kind.FAIL]}
    assert len(told) == 1
    whole = {path.with_suffix(end) for path in records(disk) for end in (IMAGE, MAP, RECORD)}
    left = set((disk / "images").rglob("*_c_*"))
    assert left == whole, "nothing unfinished is left behind"


def test_a_disk_that_turns_read_only_and_back(mount: Mount) -> None:
    disk = mount("size=4m")
    slots = Slots()
    archive = Archive(disk, plan_(), lambda _: None)
    with running(archive):
        archive.offer(slots.kept(0))
        assert settled(archive, 1)
        assert system("mount", "--bind", str(disk), str(disk))
        assert system("mount", "-o", "remount,bind,ro", str(disk))
        for seq in range(1, 4):
            archive.offer(slots.kept(seq))
        assert settled(archive, 4)
        assert system("mount", "-o", "remount,bind,rw", str(disk))
        archive.offer(slots.kept(4))
    assert archive.counts().kept == {Kind.FAIL: 2}
    assert archive.counts().lost == {Loss.WRITE_ERROR: 3}
    assert [int(path.stem.split("_")[1]) for path in records(disk)] == [0, 4]


def test_a_file_that_may_not_grow_is_an_error_and_no_end(tmp_path: Path) -> None:
    """RLIMIT_FSIZE, in a process of its own: it needs no mount."""
    script = f"""
import resource
from pathlib import Path
from tests.daemon.archive.offers import Slots, plan_, records, running
from daemon.archive import Archive
slots, folder = Slots(), Path({str(tmp_path)!r})
archive = Archive(folder, plan_(), lambda _: None)
resource.setrlimit(resource.RLIMIT_FSIZE, (200, resource.RLIM_INFINITY))
with running(archive):
    archive.offer(slots.kept(1))
print(dict(archive.counts().lost), [p.name for p in folder.rglob('*') if p.is_file()])
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "{<Loss.WRITE_ERROR: 'write_error'>: 1} ['.lock']"


#: For each line, such as "os.rename 2", forks a writer of one image that is killed just before it
#: does that a second time, or (file_size) when a file of its grows beyond so many bytes.
FAILPOINTS = """
import os, resource, signal, sys
from pathlib import Path
from tests.daemon.archive.offers import kept, plan_
from daemon.archive.store import Store
for line in sys.stdin:
    event, number = line.split()
    child = os.fork()
    if child:
        print(os.WIFSIGNALED(os.waitpid(child, 0)[1]), flush=True)
        continue
    store = Store(Path(sys.argv[1]), plan_(), lambda: False)
    store.open()
    item, seen = kept(1), []
    def hook(name, details):
        if name == event:
            seen.append(name)
            if len(seen) == int(number):
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
    if event == "file_size":
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(number), resource.RLIM_INFINITY))
    store.write(item)
    os._exit(0)
"""


def test_a_kill_at_any_step_leaves_no_record_without_its_image(tmp_path: Path) -> None:
    steps = [f"{event} {n}" for event in ("open", "os.rename", "os.utime") for n in (1, 2, 3)]
    steps += [f"file_size {size}" for size in (1, 100, 300, 600)]
    with subprocess.Popen(
        [sys.executable, "-c", FAILPOINTS, str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        for step in [*steps, "nothing 1"]:
            writer.stdin.write(f"{step}\n")
            writer.stdin.flush()
            killed = writer.stdout.readline() == "True\n"
            assert killed == (step != "nothing 1"), step
            assert all(read(p.with_suffix(IMAGE)).map is not None for p in records(tmp_path)), step
            assert len(records(tmp_path)) == (step == "nothing 1"), step
        writer.stdin.close()
        assert writer.wait(LIMIT) == 0
    assert leftovers(tmp_path) == 0


#: Forks a writer at each line that it reads, says its process id, then each seq that is written.
WRITER = """
import os, sys
from pathlib import Path
from tests.daemon.archive.offers import kept, plan_
from daemon.archive.store import Store
for line in sys.stdin:
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        print("over", flush=True)
        continue
    store = Store(Path(sys.argv[1]), plan_(), lambda: False)
    print(os.getpid(), flush=True)
    seq = int(line)
    while True:
        store.write(kept(seq))
        os.write(1, b"%d\\n" % seq)  # at once: a line that a kill cuts in two is none
        seq += 1
"""


def test_kill_9_leaves_nothing_that_looks_whole_and_is_not(tmp_path: Path) -> None:
    chance = np.random.default_rng(1)
    said, unfinished = set[int](), 0
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        for round_ in range(30):
            writer.stdin.write(f"{round_ * 1000}\n")
            writer.stdin.flush()
            pid = int(writer.stdout.readline())
            after = int(chance.integers(4))
            said |= {int(writer.stdout.readline()) for _ in range(after)}
            moment = time.perf_counter() + chance.uniform(0, 0.008)
            while time.perf_counter() < moment:
                pass
            os.kill(pid, signal.SIGKILL)
            said |= {int(w) for w in itertools.takewhile("over\n".__ne__, writer.stdout)}
            unfinished += leftovers(tmp_path)
            for path in records(tmp_path):
                image = read(path.with_suffix(IMAGE))
                assert image.unchanged
                assert image.record is not None
                assert image.record.verdict == verdict_of(image.record.verdict.seq)
                assert image.map is not None
        writer.stdin.close()
        assert writer.wait(LIMIT) == 0
    assert unfinished >= 3, "no kill came while an image was written: this test tests nothing"
    store = Store(tmp_path, plan_(), lambda: False)
    store.open()
    assert leftovers(tmp_path) == 0
    there = {int(path.stem.split("_")[1]) for path in records(tmp_path)}
    assert said <= there, "an image that was written is gone"
    assert store.images == len(there)


def leftovers(folder: Path) -> int:
    """Count files that belong to no whole image."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    whole = {path.with_suffix("") for path in records(folder)}
    return sum(path.with_suffix("") not in whole or path.name.endswith(PARTIAL) for path in files)
