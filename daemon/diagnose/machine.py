"""The PC that effad runs on: software, processor, memory, disks, the service's log."""

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import distributions, version
from pathlib import Path

import torch

_COMMAND_SECONDS = 30.0


def software() -> str:
    """Name effad, Python, the system, and every package with its version."""
    packages = sorted({f"{d.name}=={d.version}" for d in distributions()}, key=str.lower)
    first = [
        f"effad {version('effad')}, Python {sys.version}",
        f"{platform.platform()}, {platform.freedesktop_os_release().get('PRETTY_NAME', '')}",
        f"run by user {os.getuid()} of groups {sorted(os.getgroups())}",
    ]
    return "\n".join([*first, "", *packages]) + "\n"


def hardware() -> str:
    """Tell processor, memory and what torch can use."""
    lines = [
        f"cores that may be used: {sorted(os.sched_getaffinity(0))}, load {os.getloadavg()}",
        f"torch {torch.__version__}: {torch.backends.cpu.get_cpu_capability()}, "
        f"{torch.get_num_threads()} threads",
    ]
    for number in range(torch.cuda.device_count()):
        lines.append(f"CUDA {number}: {torch.cuda.get_device_properties(number)}")
    for name in ("cpuinfo", "meminfo"):
        lines += ["", f"/proc/{name}:", Path("/proc", name).read_text()]
    return "\n".join(lines)


def drivers() -> str:
    """List the GenTL producers that are found, and effad's own variables of the environment."""
    lines = [
        f"{k}={v}" for k, v in sorted(os.environ.items()) if k.startswith(("EFFAD_", "GENICAM"))
    ]
    for folder in os.environ.get("GENICAM_GENTL64_PATH", "").split(":"):
        if folder:
            lines += sorted(map(str, Path(folder).glob("*.cti"))) or [f"{folder}: no producer"]
    return "\n".join(lines) + "\n"


def disks(state: Path) -> str:
    """Tell the room on the disks that effad writes to, and what lies in its state folder."""
    lines = []
    for path in (state, Path("/dev/shm"), Path("/tmp")):  # noqa: S108 (looked at, not written to)
        room = shutil.disk_usage(path)
        lines.append(f"{path}: {room.free / 1e9:.2f} GB of {room.total / 1e9:.2f} free")
    return "\n".join([*lines, "", *_tree(state)]) + "\n"


def _tree(folder: Path) -> Iterator[str]:
    for where, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            path = Path(where, name)
            status = path.lstat()
            yield f"{status.st_size:12} {status.st_mode:o} {status.st_mtime:.0f} {path}"


def service(unit: str) -> dict[str, Callable[[], str]]:
    """Give what systemd knows of a unit, by the name of its file."""
    return {
        "service.txt": lambda: without_values(_said("systemctl", "show", unit)),
        "unit.txt": lambda: without_values(_said("systemctl", "cat", unit)),
    }


def without_values(unit: str) -> str:
    """Leave the values of environment variables out: a drop-in may hold a vendor's licence."""
    return re.sub(
        r"^(Environment=)(.*)$",
        lambda line: line[1] + re.sub(r"=(\"[^\"]*\"|\S*)", "=...", line[2]),
        unit,
        flags=re.MULTILINE,
    )


def log(unit: str, since: str) -> str:
    """Give a unit's log, at most its newest 20,000 lines."""
    return _said(
        "journalctl", "--unit", unit, "--since", since, "--lines", "20000", "--output",
        "short-iso-precise", "--no-pager",
    )  # fmt: skip


def _said(*command: str) -> str:
    """Give what a command says; raises ``OSError`` where it is missing or fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_COMMAND_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise OSError(f"{command[0]} did not answer in {_COMMAND_SECONDS:.0f} s") from error
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
    return done.stdout
