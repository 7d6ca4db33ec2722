"""Weights as others publish them: a state_dict in a torch or safetensors file."""

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor

from models.errors import InputError
from models.weights import read_weights
from training.checkpoint import UNREADABLE


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read tensors as float32; raises ``InputError`` if the file holds anything else."""
    if path.suffix == ".safetensors":
        return read_weights(path)[0]
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise InputError(
            f"{path}: holds something else than weights, and effad never unpickles objects;"
            " save the network's state_dict() alone"
        ) from error
    except UNREADABLE as error:
        raise InputError(f"{path}: no readable checkpoint; copy it again") from error
    if not isinstance(loaded, dict) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in loaded.items()
    ):
        raise InputError(f"{path}: no state_dict (names to tensors)")
    return {key: value.float() for key, value in loaded.items()}


def check_fits(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor], refused: str) -> None:
    """Raise ``InputError``, ``refused`` and the first weight, unless names and shapes are equal."""
    for key in sorted(wanted.keys() | state.keys()):
        if key not in state:
            raise InputError(f"{refused}; weight {key!r} is missing")
        if key not in wanted:
            raise InputError(f"{refused}; weight {key!r} is none of its")
        if state[key].shape != wanted[key].shape:
            raise InputError(
                f"{refused}; weight {key!r} has shape {tuple(state[key].shape)}, not"
                f" {tuple(wanted[key].shape)}"
            )
