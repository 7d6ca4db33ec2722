"""Weight files: safetensors, fp16 on disk, with what is known of how they were made."""

import json
import os
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from models.errors import InputError
from models.pdn import CHANNELS, PdnSize, pdn

SHIPPED_TEACHER = Path(str(files("models") / "teacher_small.safetensors"))


def read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors as float32, and the provenance (empty where the file names none).

    Raises ``InputError`` if the file is missing or no safetensors file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
        return tensors, json.loads(metadata.get("provenance", "{}"))
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: no readable safetensors file ({error})") from error


def write_weights(path: Path, tensors: dict[str, Tensor], provenance: dict[str, Any]) -> None:
    """Write tensors as fp16 with their provenance; old file or new, never half."""
    partial = path.with_name(path.name + ".partial")
    halves = {k: v.detach().to(torch.float16).contiguous() for k, v in tensors.items()}
    try:
        save_file(halves, partial, {"provenance": json.dumps(provenance, sort_keys=True)})
    except SafetensorError as error:  # also for a folder that is missing, or a full disk
        partial.unlink(missing_ok=True)
        raise InputError(f"{path}: cannot be written ({error})") from error
    os.replace(partial, path)


class PdnShape(NamedTuple):
    size: PdnSize
    channels: int  # of its output

    def __str__(self) -> str:
        rest = "" if self.channels == CHANNELS else f" {self.channels}-channel"
        return f"{self.size}{rest}"


def pdn_shape(path: Path, weights: dict[str, Tensor]) -> PdnShape:
    """Tell which PDN the weights are of; raises ``InputError`` if of none."""
    found = {key: tuple(value.shape) for key, value in weights.items()}
    for size in PdnSize:
        last_bias = next(reversed(_shapes(size, CHANNELS)))
        match found.get(last_bias):
            case (channels,) if channels > 0 and found == _shapes(size, channels):
                return PdnShape(size, channels)
    raise InputError(
        f"{path}: no EfficientAD teacher: {len(found)} weights that fit neither the small nor the"
        " medium PDN (tables 5.2, 5.3)"
    )


def _shapes(size: PdnSize, channels: int) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        net = pdn(size, channels)
    return {key: tuple(value.shape) for key, value in net.state_dict().items()}


#: What published checkpoints that name their layers call them, in the order of the network.
_NAMED = {
    PdnSize.SMALL: dict(zip(("conv1", "conv2", "conv3", "conv4"), "0368", strict=True)),
    PdnSize.MEDIUM: dict(
        zip(
            ("conv1", "conv2", "conv3", "conv4", "conv5", "conv6"),
            ("0", "3", "6", "8", "10", "12"),
            strict=True,
        )
    ),
}


def plain_names(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename ``conv1.weight`` and so on to the ``nn.Sequential`` naming, which stays as it is."""
    layers = {key.split(".")[0] for key in weights}
    for names in _NAMED.values():
        if layers == names.keys():
            return {
                f"{names[layer]}.{kind}": value
                for (layer, _, kind), value in ((k.partition("."), v) for k, v in weights.items())
            }
    return weights
