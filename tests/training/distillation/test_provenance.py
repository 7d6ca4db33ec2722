"""What a teacher's file says of how it was made."""

import subprocess
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.distillation.provenance import code_version, thinned


@given(st.lists(st.floats(0, 10), min_size=1, max_size=700))
def test_a_curve_has_at_most_100_points_and_all_of_the_losses(losses: list[float]) -> None:
    curve = thinned(losses)
    assert len(curve) == min(100, len(losses))
    assert curve[-1][0] == len(losses)
    first = 0
    for last, mean in curve:
        assert mean == pytest.approx(np.mean(losses[first:last]), abs=1e-4)
        first = last


def test_a_short_curve_is_every_step() -> None:
    assert thinned([3.0, 2.0, 1.0]) == [(1, 3.0), (2, 2.0), (3, 1.0)]


def test_the_commit_is_named_in_the_repository_alone(tmp_path: Path) -> None:
    """Installed inside somebody else's repository, effad is not at that one's commit."""
    (tmp_path / "__init__.py").touch()
    assert code_version(tmp_path) == version("effad")
    run = ["git", "-C", str(tmp_path)]
    subprocess.run([*run, "init", "-q"], check=True)
    assert code_version(tmp_path) == version("effad")
    subprocess.run([*run, "add", "-A"], check=True)
    author = ["-c", "user.name=a", "-c", "user.email=a@localhost"]
    subprocess.run([*run, *author, "commit", "-qm", "a"], check=True)
    head = [*run, "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(head, check=True, capture_output=True, text=True).stdout.strip()
    assert code_version(tmp_path) == commit
    (tmp_path / "__init__.py").write_text("changed")
    assert code_version(tmp_path) == f"{commit}-dirty"
