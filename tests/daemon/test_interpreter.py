"""Once all is loaded, no collection of it stops the threads of a daemon."""

import subprocess
import sys

import pytest

from daemon.interpreter import SWITCH_INTERVAL

LOADED = """
import gc, sys, time
import torch
import pytest

from daemon.interpreter import steady
steady()
print(gc.get_freeze_count(), len(gc.get_objects()), sys.getswitchinterval())
"""


def test_what_is_loaded_is_not_collected_again() -> None:
    said = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, check=True).stdout
    frozen, followed, interval = said.split()
    assert int(frozen) > 50_000, "torch alone has more"
    assert int(followed) < 1000
    assert float(interval) == pytest.approx(SWITCH_INTERVAL)
