"""The libraries that networks can run in."""

from enum import StrEnum
from importlib.util import find_spec

from models.errors import InputError


class Backend(StrEnum):
    TORCH = "torch"
    OPENVINO = "openvino"  # on CPUs; extra effad[openvino]


def backends(device: str) -> tuple[Backend, ...]:
    """Give those that can run on a device of this machine, torch first."""
    installed = find_spec("openvino") is not None
    return tuple(Backend) if device == "cpu" and installed else (Backend.TORCH,)


def check_backend(backend: Backend, device: str) -> None:
    """Raise ``InputError`` if a backend cannot run on a device of this machine."""
    if backend in backends(device):
        return
    if device != "cpu":
        raise InputError(f"backend {backend} runs on cpu, not on {device}; take torch")
    raise InputError(
        f"backend {backend} is not installed; install effad[{backend}], or calibrate again with"
        " --backend torch"
    )
