"""The daemon with the tiny networks, and with what is planted in it where that is named.

``python -m tests.audit.launch [--plant NAME ...] [arguments of effad]``
"""

import ctypes
import os
import sys
import threading

from tests.audit import tiny


def name_threads() -> None:
    """Let the kernel know each thread's name, so that /proc tells what it costs."""
    libc, run = ctypes.CDLL(None), threading.Thread.run

    def named(self: threading.Thread) -> None:
        libc.prctl(15, self.name.encode()[:15], 0, 0, 0)  # PR_SET_NAME
        run(self)

    threading.Thread.run = named  # type: ignore[method-assign]


def main() -> int:
    os.environ["OMP_NUM_THREADS"] = "1"
    tiny.install()
    name_threads()
    arguments = sys.argv[1:]
    while arguments[:1] == ["--plant"]:
        from tests.audit.planted import PLANTS

        PLANTS[arguments[1]]()
        arguments = arguments[2:]
    from daemon.main import main as effad

    return effad(arguments)


if __name__ == "__main__":
    sys.exit(main())
