"""A checkpoint is whole, of the same run, and never an object that runs code."""

import io
import pickle
import random
import resource
from pathlib import Path

import pytest
import torch

from models.errors import InputError
from training.checkpoint import Checkpoint

STATE = {"net": {"a": torch.arange(3.0)}, "losses": [1.0, 0.5], "step": 2}


def test_round_trip(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "new" / "folder" / "run", "settings")
    assert checkpoint.load() is None
    checkpoint.save({**STATE, "step": 1})
    checkpoint.save(STATE)
    found = checkpoint.load()
    assert found is not None
    assert torch.equal(found.pop("net")["a"], torch.arange(3.0))
    assert found == {"losses": [1.0, 0.5], "step": 2}
    assert [p.name for p in checkpoint.path.parent.iterdir()] == ["run"]
    checkpoint.remove()
    checkpoint.remove()
    assert checkpoint.load() is None


def test_other_settings_are_refused(tmp_path: Path) -> None:
    Checkpoint(tmp_path / "run", "rate 1").save(STATE)
    with pytest.raises(InputError, match=r"^/[^\n]*run: checkpoint of a run with other settings"):
        Checkpoint(tmp_path / "run", "rate 2").load()


def test_something_else_is_refused(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "run")
    with pytest.raises(InputError, match="other settings"):
        Checkpoint(tmp_path / "run", "settings").load()


def damaged(content: bytes, seed: int) -> bytes:
    """Some bytes changed, or the end missing."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    changed = bytearray(content)
    for _ in range(4):
        changed[chance.randrange(min(len(changed), 300))] = chance.randrange(256)
    return bytes(changed[: chance.randrange(len(changed))] if seed % 2 else changed)


@pytest.mark.parametrize("new_format", [True, False])
@pytest.mark.filterwarnings("ignore")  # torch warns of damaged files before it refuses them
def test_a_damaged_file_is_one_line(tmp_path: Path, new_format: bool) -> None:
    path = tmp_path / "run"
    whole = io.BytesIO()
    torch.save(STATE, whole, _use_new_zipfile_serialization=new_format)
    for seed in range(150):
        path.write_bytes(damaged(whole.getvalue(), seed))
        with pytest.raises(InputError, match=r"^[^\n]+$"):
            Checkpoint(path, "settings").load()


class Harm:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('code of a checkpoint has run')",)


def test_an_object_is_never_made(tmp_path: Path) -> None:
    (tmp_path / "run").write_bytes(pickle.dumps({"settings": Harm()}, protocol=2))
    with pytest.raises(InputError, match="damaged checkpoint"):
        Checkpoint(tmp_path / "run", "settings").load()


@pytest.mark.parametrize("before", [False, True])
def test_what_cannot_be_written_leaves_the_checkpoint_of_before(
    tmp_path: Path, before: bool
) -> None:
    """As on a full disk: the file may not grow beyond 2 kB."""
    checkpoint = Checkpoint(tmp_path / "run", "settings")
    if before:
        checkpoint.save(STATE)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(InputError) as caught:
            checkpoint.save({"net": torch.zeros(1000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    kept = "; the last checkpoint is kept" if before else ""
    said = f"{tmp_path}/run: cannot be written (File too large); make room, start again{kept}"
    assert str(caught.value) == said
    assert [p.name for p in tmp_path.iterdir()] == ["run"] * before
    found = checkpoint.load()
    assert (found is not None) is before
    if found is not None:
        assert found["losses"] == STATE["losses"]
