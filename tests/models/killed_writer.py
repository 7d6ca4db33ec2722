"""Kill a process that writes and activates versions, at each line that it runs; see that they hold.

python tests/models/killed_writer.py FOLDER   prints how many lines it was killed at
"""

import os
import shutil
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from models import recipe_store as store
from models.recipe_record import Recipe

_WATCHED = ("recipe_store.py", "recipe_lock.py", "version_files.py")


def work(folder: Path) -> None:
    """Add a version and activate it, as ``effad-calibrate`` does."""
    with store.locked(folder):
        version = store.next_version(folder)
        name = f"calibration-{version}.json"
        recipe = Recipe(name="nut", version=version, bundle="../bundle", calibration=name)
        store.add(folder, recipe, {name: b"made in process %d" % os.getpid()})
        store.activate(folder, version, who="test", why="kill")


def killed_at(line: int, folder: Path) -> bool:
    """Run ``work`` in a process that dies before its so-maniest line; False if it has fewer."""
    child = os.fork()
    if child == 0:
        left = line

        def trace(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal left
            if not frame.f_code.co_filename.endswith(_WATCHED):
                return None
            left -= event == "line"
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return trace

        sys.settrace(trace)
        work(folder)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def check(folder: Path) -> None:
    """See that every version is whole, and the active one the old or the new."""
    there = store.versions(folder)
    assert there in {(1,), (1, 2)}, there
    for version in there:
        store.check_files(folder, store.read(folder, version))
    now = store.active(folder)
    assert now in {1, there[-1]}, now
    assert [line.version for line in store.history(folder)] == list(range(1, now + 1))


def main(folder: Path) -> int:
    os.fsync = lambda fd: None  # slow, and a kill is no power cut: what was written stays
    fresh, used = folder / "fresh" / "nut", folder / "used" / "nut"
    work(fresh)
    line, died = 0, True
    while died:
        line += 1
        shutil.rmtree(used, ignore_errors=True)
        shutil.copytree(fresh, used)
        died = killed_at(line, used)
        check(used)
        work(used)
        assert not list(used.glob(".*.partial"))
    print(line - 1)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
