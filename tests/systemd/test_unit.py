"""The files beside the code are what the code, and systemd, expect."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from daemon.messages import Reason
from daemon.settings import load, read
from daemon.settings.example import example
from daemon.settings.keys import KEYS

SYSTEMD = Path(__file__).parents[2] / "systemd"
UNIT = (SYSTEMD / "effad.service").read_text()
BINARY = "/opt/effad/venv/bin/effad"


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not here")
    return found


def verify(unit: Path) -> str:
    done = subprocess.run(
        [program("systemd-analyze"), "verify", unit],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout or ("" if done.returncode == 0 else f"status {done.returncode}")


def test_systemd_has_nothing_to_say_about_the_unit(tmp_path: Path) -> None:
    binary = tmp_path / "effad"
    binary.touch(mode=0o755)
    assert f"\nExecStart={BINARY} --config /etc/effad/effad.toml\n" in UNIT
    unit = tmp_path / "effad.service"
    unit.write_text(UNIT.replace(f"ExecStart={BINARY}", f"ExecStart={binary}"))
    assert verify(unit) == ""
    unit.write_text(unit.read_text().replace("WatchdogSec", "WatchDogSec"))
    assert "Unknown key 'WatchDogSec'" in verify(unit)


def test_systemd_makes_the_user_of_the_unit(tmp_path: Path) -> None:
    for folder in ("etc", "run"):
        (tmp_path / folder).mkdir()
    done = subprocess.run(
        [program("systemd-sysusers"), f"--root={tmp_path}", "--dry-run", "-"],
        input=(SYSTEMD / "sysusers.d/effad.conf").read_bytes(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"Creating user 'effad'" in done.stdout + done.stderr
    assert "\nUser=effad\nGroup=effad\n" in UNIT


def test_the_example_is_made_from_the_settings() -> None:
    shipped = (SYSTEMD / "effad.toml").read_text()
    assert shipped == f"{example()}\n", "python -m daemon.settings.example > systemd/effad.toml"


def test_the_example_is_the_defaults(tmp_path: Path) -> None:
    shipped = (SYSTEMD / "effad.toml").read_text()
    as_shipped, spelled_out, bare = (tmp_path / name for name in ("a.toml", "b.toml", "c.toml"))
    as_shipped.write_text(shipped)
    # A setting that is commented out has no space after its mark. The cores differ by machine.
    spelled_out.write_text(re.sub(r"^#(?=\w)(?!threads)", "", shipped, flags=re.M))
    bare.write_text(
        '[[stations]]\nname = "nut"\nrecipe = "recipes/nut"\n'
        'cameras = [{ producer = "/opt/vendor/lib/vendor.cti" }]\n'
    )
    assert read(as_shipped) == read(bare) == read(spelled_out)
    written = {
        line.partition(" = ")[0] for line in spelled_out.read_text().splitlines() if line[:1] != "#"
    }
    assert {key.path[-1] for key in KEYS.values() if not key.table} - written == {"threads"}


def test_the_threads_of_the_example_are_allowed(tmp_path: Path) -> None:
    file = tmp_path / "effad.toml"
    file.write_text((SYSTEMD / "effad.toml").read_text().replace("#threads", "threads"))
    assert load(["--config", str(file)]).settings.engine.threads == 4


@pytest.mark.parametrize("reason", Reason)
def test_the_guide_explains_every_reason(reason: Reason) -> None:
    assert f"\n| `{reason}` | " in (SYSTEMD / "operations.md").read_text()


def test_the_guide_names_the_files_that_are_shipped() -> None:
    guide = (SYSTEMD / "operations.md").read_text()
    shipped = {
        str(path.relative_to(SYSTEMD))
        for path in SYSTEMD.rglob("*")
        if path.is_file() and path.suffix in {".service", ".conf", ".toml"}
    }
    assert shipped == {"effad.service", "sysusers.d/effad.conf", "effad.toml"}
    assert all(f" {name} " in guide for name in shipped)
