"""Killed at the worst moments, effad says of every part one thing, once, and forgets none."""

from pathlib import Path

import pytest

from tests.audit.audited import made_recipe
from tests.bench.kill9 import FAILPOINTS, run


@pytest.mark.timeout(600)
def test_kill_9_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Some deaths; tests/bench/kill9.py makes hundreds."""
    recipe = made_recipe(tmp_path, 2000)
    found = run(tmp_path, recipe, FAILPOINTS, kills=4, seed=3)
    assert found["shown"] == []
    assert found["mismatches"] == 0
    assert found["epochs"] == len(FAILPOINTS) + 4 + 1
    assert found["by_word"]["restart"] > 0  # there was something open
    assert found["replayed"] > 0  # what was committed and not sent
