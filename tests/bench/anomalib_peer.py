"""anomalib beside effad in one benchmark, in an environment of its own that is made here."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

WORKER = Path(__file__).with_name("anomalib_worker.py")
PACKAGES = ("anomalib", "openvino")


def environment(folder: Path) -> Path:
    """Make a virtual environment with anomalib unless the folder has one; give its Python."""
    python = folder / "bin" / "python"
    if not (folder / "made").exists():
        if (uv := shutil.which("uv")) is None:
            raise RuntimeError("the environment of anomalib is made by uv: pip install uv")
        print(f"installing {', '.join(PACKAGES)} into {folder}", file=sys.stderr, flush=True)
        subprocess.run([uv, "venv", "-q", "--clear", folder], check=True)
        subprocess.run([uv, "pip", "install", "-q", "--python", python, *PACKAGES], check=True)
        (folder / "made").touch()
    return python


class Anomalib:
    """A process that looks at tiles as anomalib does, each time it is asked."""

    def __init__(self, folder: Path, threads: int) -> None:
        self._process = subprocess.Popen(
            [environment(folder), WORKER, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # warnings of its libraries
            text=True,
        )
        self._answer()

    def look(self, kind: str, tiles: int) -> None:
        """Return when it has looked at so many tiles; ``kind`` is torch or openvino."""
        pipe = self._process.stdin
        assert pipe is not None
        pipe.write(f"{kind} {tiles}\n")
        pipe.flush()
        self._answer()

    def looks(self, tiles: int) -> dict[str, Callable[[], object]]:
        """Give what looks at one frame, by the name of its row."""
        return {
            f"anomalib {kind}": partial(self.look, kind, tiles) for kind in ("torch", "openvino")
        }

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def _answer(self) -> None:
        pipe = self._process.stdout
        assert pipe is not None
        if not pipe.readline():
            raise RuntimeError(f"{WORKER.name} ended with {self._process.wait()}")
