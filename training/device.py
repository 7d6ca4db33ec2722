"""The device that trains."""

import os
from collections.abc import Callable
from typing import Any

import torch

from models.errors import InputError

MOST_CACHED = 2 * 2**30  # bytes


def find_device(name: str | None) -> torch.device:
    """Give the named device, by default an accelerator where there is one.

    Raises ``InputError`` if there is no such device.
    """
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"device = {name}: must be cpu, cuda or cuda:NUMBER") from error
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"device = {name}: must be cpu, cuda or cuda:NUMBER")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(
            f"device = {name}: this machine has {torch.cuda.device_count()} of them that torch can"
            " use; give --device cpu"
        )
    return device


def room(device: torch.device) -> int:
    """The bytes that a cache on the device may take: an eighth of its memory, at most 2 GiB."""
    if device.type == "cuda":
        whole = torch.cuda.get_device_properties(device).total_memory
    else:
        whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(MOST_CACHED, whole // 8)


def make_deterministic(device: torch.device) -> None:
    """Let the same seed give the same bits on an accelerator, as it does on a CPU."""
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = False
        torch.use_deterministic_algorithms(True, warn_only=True)


def fitting(attempt: Callable[[int], Any], batch: int) -> int:
    """Give the largest batch of a half, a quarter and so on that an accelerator's memory holds.

    0 if it does not even hold 1.
    """
    while batch := batch // 2:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        try:
            attempt(batch)
        except torch.OutOfMemoryError:
            continue
        return batch
    return 0
