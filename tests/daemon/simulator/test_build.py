"""The producer's library: what it is built from, what it exports, and where it comes from."""

from __future__ import annotations

import ctypes
import importlib.util
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from genicam import gentl

from daemon.simulator import build

FUNCTIONS = """
GCGetInfo GCGetLastError GCInitLib GCCloseLib GCReadPort GCWritePort GCGetPortURL GCGetPortInfo
GCRegisterEvent GCUnregisterEvent EventGetData EventGetDataInfo EventGetInfo EventFlush EventKill
TLOpen TLClose TLGetInfo TLGetNumInterfaces TLGetInterfaceID TLGetInterfaceInfo TLOpenInterface
TLUpdateInterfaceList IFClose IFGetInfo IFGetNumDevices IFGetDeviceID IFUpdateDeviceList
IFGetDeviceInfo IFOpenDevice DevGetPort DevGetNumDataStreams DevGetDataStreamID DevOpenDataStream
DevGetInfo DevClose DSAnnounceBuffer DSAllocAndAnnounceBuffer DSFlushQueue DSStartAcquisition
DSStopAcquisition DSGetInfo DSGetBufferID DSClose DSRevokeBuffer DSQueueBuffer DSGetBufferInfo
GCGetNumPortURLs GCGetPortURLInfo GCReadPortStacked GCWritePortStacked DSGetBufferChunkData
IFGetParentTL DevGetParentIF DSGetParentDev DSGetNumBufferParts DSGetBufferPartInfo
DSAnnounceCompositeBuffer DSGetNumFlows DSGetFlowInfo DSGetNumBufferSegments DSGetBufferSegmentInfo
""".split()  # noqa: SIM905 - 57 of GenTL 1.5, and five of 1.6 that genicam looks for

needs_x86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="the library is for x86-64")
needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler here")


@needs_x86
def test_the_shipped_library_is_built_from_these_sources() -> None:
    assert build.embedded_hash(build.SHIPPED) == build.source_hash(), (
        "stale: run python -m daemon.simulator.build"
    )
    assert build.producer() == build.SHIPPED


@needs_x86
def test_the_shipped_library_runs_on_old_systems() -> None:
    content = build.SHIPPED.read_bytes()
    versions = re.findall(rb"GLIBC_(\d+)\.(\d+)", content)
    assert max((int(major), int(minor)) for major, minor in versions) <= (2, 17)
    for folder in (str(Path(__file__).parents[3]), str(Path.home())):
        assert folder.encode() not in content


def test_every_function_is_exported() -> None:
    assert len(set(FUNCTIONS)) == 62
    library = ctypes.CDLL(str(build.producer()))
    assert [name for name in FUNCTIONS if not hasattr(library, name)] == []


def test_numbers_are_the_standard_s() -> None:
    header = (build.SOURCES / "gentl.h").read_text()
    ours = {
        name: int(value) for name, value in re.findall(r"\b([A-Z][A-Z0-9_]+) = (-?\d+)", header)
    }
    theirs: dict[str, int] = {}
    for name, enumeration in vars(gentl).items():
        if isinstance(enumeration, type) and name.endswith(("_LIST", "_IDS")):
            for member, value in vars(enumeration).items():
                if member.isupper():
                    theirs.setdefault(member, int(value))
    assert len(ours) > 100
    assert ours == {name: theirs[name] for name in ours}


@needs_cc
def test_elsewhere_it_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "SHIPPED", tmp_path / "none.cti")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    library = build.producer()
    assert library.parent == tmp_path / "cache" / "effad"
    assert build.source_hash()[:16] in library.name
    assert build.embedded_hash(library) == build.source_hash()
    monkeypatch.setenv("PATH", "")  # no compiler any more
    assert build.producer() == library
    assert [path.name for path in library.parent.iterdir()] == [library.name]


def test_without_a_compiler_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "SHIPPED", tmp_path / "none.cti")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(build.ProducerError, match="install one") as caught:
        build.producer()
    assert "\n" not in str(caught.value)


@needs_cc
def test_an_unusable_cache_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "SHIPPED", tmp_path / "none.cti")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(build.ProducerError, match="no room for the simulated camera's library"):
        build.producer()


@needs_x86
@pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="ziglang not installed")
def test_a_rebuild_gives_the_same_bytes() -> None:
    command = [sys.executable, "-m", "daemon.simulator.build", "--check"]
    run = subprocess.run(
        command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")
