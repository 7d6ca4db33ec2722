"""The simulated camera's GenTL producer: where it is, and how it is built.

python -m daemon.simulator.build            rebuilds the shipped library (needs ziglang)
python -m daemon.simulator.build --check    rebuilds it elsewhere; exit status 1 if bytes differ
"""

import argparse
import ctypes
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCES = Path(__file__).parent / "producer"
SHIPPED = SOURCES / "effad.cti"
HASH_SYMBOL = "effad_source_sha256"

_FLAGS = ("-std=gnu11", "-O2", "-g0", "-shared", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra")
_LINK = ("-Wl,--build-id=none", "-Wl,-z,nodelete")  # no dlclose under the devices' threads
# glibc 2.17 is what manylinux2014, and so genicam's own wheel, asks for.
_ZIG = (sys.executable, "-m", "ziglang", "cc", "-target", "x86_64-linux-gnu.2.17", "-s")


class ProducerError(RuntimeError):
    """There is no producer for this machine; the message says what to do."""


def producer() -> Path:
    """The library for Harvester.add_file(): the shipped one, or one compiled for this machine.

    Compiles at most once, into a folder of the user's cache. Raises ProducerError where neither
    works.
    """
    if platform.system() != "Linux":
        raise ProducerError("the simulated camera needs Linux; use viky.cti of the genicam package")
    if platform.machine() == "x86_64" and _loads(SHIPPED):
        return SHIPPED
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "effad"
    built = cache / f"effad-{source_hash()[:16]}-{platform.machine()}.cti"
    if not built.exists():
        _compile_once(built)
    if not _loads(built):
        raise ProducerError(f"{built} does not load; delete it to have it compiled again")
    return built


def source_hash() -> str:
    """SHA-256, in hex, of names and contents of all that the library is compiled from."""
    digest = hashlib.sha256()
    for path in sorted([*SOURCES.glob("*.[ch]"), *SOURCES.glob("xml/*.xml")]):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(SOURCES)} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def embedded_hash(library: Path) -> str:
    """The source_hash() a library was built from. Raises OSError if it does not load."""
    symbol = (ctypes.c_char * 65).in_dll(ctypes.CDLL(str(library)), HASH_SYMBOL)
    return symbol.value.decode()


def _loads(library: Path) -> bool:
    try:
        ctypes.CDLL(str(library))
    except OSError:
        return False
    return True


def _compile(compiler: tuple[str, ...], output: Path) -> None:
    """Runs in the sources' folder, with relative names: no path gets into the bytes."""
    names = sorted(path.name for path in SOURCES.glob("*.c"))
    macro = f'-DEFFAD_SOURCE_SHA256="{source_hash()}"'
    command = [*compiler, *_FLAGS, *_LINK, macro, "-o", str(output), *names, "-lpthread"]
    run = subprocess.run(command, cwd=SOURCES, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        lines = run.stderr.strip().splitlines() or [f"exit status {run.returncode}"]
        raise ProducerError(f"compiling the simulated camera with {compiler[0]} failed: {lines[0]}")


def _compile_once(built: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        raise ProducerError(
            "no prebuilt library of the simulated camera works on this machine, and there is no C "
            "compiler; install one (cc), or use viky.cti of the genicam package"
        )
    try:
        built.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=built.parent) as folder:
            fresh = Path(folder) / built.name
            _compile((compiler,), fresh)
            fresh.replace(built)  # in one step; who was faster has written the same
    except OSError as error:
        raise ProducerError(f"no room for the simulated camera's library: {error}") from error


def main() -> int:
    parser = argparse.ArgumentParser(description="Rebuilds the shipped GenTL producer.")
    parser.add_argument("--check", action="store_true", help="compare with the shipped library")
    check = parser.parse_args().check
    if importlib.util.find_spec("ziglang") is None:
        print("ziglang is not installed: run uv sync --group native", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder) / SHIPPED.name
        try:
            _compile(_ZIG, built)
        except ProducerError as error:
            print(error, file=sys.stderr)
            return 1
        if check and not (SHIPPED.exists() and built.read_bytes() == SHIPPED.read_bytes()):
            print(f"{SHIPPED.name} is stale: run python -m daemon.simulator.build", file=sys.stderr)
            return 1
        if not check:
            fresh = SHIPPED.with_suffix(
                ".new"
            )  # written in place, it would crash who has it mapped
            shutil.copyfile(built, fresh)
            fresh.replace(SHIPPED)
    return 0


if __name__ == "__main__":
    sys.exit(main())
