"""Finding out whether a file is a GenTL producer before it is loaded.

A library that is none crashes whoever calls into it, and a missing one gives just an empty list of
devices (GENICAM.md 4.8): so a child process looks at its symbols first.
"""

import subprocess
import sys
from pathlib import Path

from models.errors import InputError

#: What harvesters calls first; a producer has them all.
SYMBOLS = ("GCInitLib", "GCCloseLib", "GCGetInfo", "TLOpen", "IFOpenDevice", "DSAnnounceBuffer")
_LOOK = """
import ctypes, sys
try:
    library = ctypes.CDLL(sys.argv[1])
except OSError as error:
    sys.exit(str(error))
missing = [name for name in sys.argv[2:] if not hasattr(library, name)]
sys.exit("it has no " + ", ".join(missing) if missing else 0)
"""
_SECONDS = 20.0


def check_producer(path: Path) -> None:
    """Raise ``InputError`` unless the file is a library with the functions of a GenTL producer."""
    advice = "set 'producer' to the .cti file of the camera vendor's GenTL producer"
    if not path.is_file():
        raise InputError(f"{path}: no such file; {advice}")
    try:
        look = subprocess.run(
            [sys.executable, "-I", "-c", _LOOK, str(path), *SYMBOLS],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise InputError(f"{path}: did not load within {_SECONDS:.0f} s; {advice}") from None
    if look.returncode < 0:
        raise InputError(f"{path}: crashes as it loads (signal {-look.returncode}); {advice}")
    if look.returncode:
        said = (look.stderr.strip().splitlines() or ["unknown"])[-1]
        raise InputError(f"{path}: no GenTL producer ({said}); {advice}")
