"""What a CUDA device says of itself."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module


@dataclass(frozen=True)
class GpuReading:
    device: str
    memory_bytes: int  # of all programs on the device, as is what is free of it
    free_bytes: int
    allocated_bytes: int  # by the networks of this daemon
    celsius: float | None  # where pynvml is installed


def read(devices: Iterable[str]) -> Iterator[GpuReading]:
    """Ask CUDA devices, such as cuda:0; others, and those that do not answer, are left out."""
    asked = [device for device in devices if device.startswith("cuda")]
    if not asked:
        return
    import torch  # the daemon has it by then; a line without a GPU is spared it here

    for device in asked:
        try:
            free, total = torch.cuda.mem_get_info(device)
            allocated = torch.cuda.memory_allocated(device)
        except (RuntimeError, AssertionError):  # a lost device; torch built without CUDA
            continue
        yield GpuReading(device, total, free, allocated, _celsius(device))


def _celsius(device: str) -> float | None:
    import torch

    try:
        nvml = import_module("pynvml")
    except ImportError:
        return None
    try:
        return float(torch.cuda.temperature(device))  # finds the device's number in NVML
    except (nvml.NVMLError, RuntimeError, AssertionError):
        return None
