"""Networks compiled by OpenVINO, for CPUs: the same operations, fused as its compiler sees fit."""

import sys
from collections.abc import Callable
from functools import cached_property
from importlib import import_module
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from models.detector import Maps, Networks
from models.geometry import TILE
from models.precision import Precision

HINTS = {Precision.FP32: "f32", Precision.REDUCED: "f32", Precision.BF16: "bf16"}


Compiled = Callable[..., list[Tensor]]


class OpenVinoNetworks(Networks):
    """Other networks, as OpenVINO runs them: one tile a pass, on the CPU.

    Used by one thread at a time. What a call needs is compiled at the first one, in seconds.
    """

    def __init__(self, networks: Networks, precision: Precision, threads: int) -> None:
        super().__init__()
        self.norm = networks.norm
        self._networks = networks
        self._precision = precision
        self._threads = threads
        self._on_threads = {threads: self}

    def on_threads(self, threads: int) -> "OpenVinoNetworks":
        if threads not in self._on_threads:
            other = OpenVinoNetworks(self._networks, self._precision, threads)
            other._on_threads = self._on_threads
            self._on_threads[threads] = other
        return self._on_threads[threads]

    def prepare(self, *, overlapping: bool) -> None:
        _ = (self._teacher, self._autoencoder) if overlapping else self._whole

    def forward(self, tiles: Tensor) -> Maps:
        found = [Maps(*self._whole(tile[None])) for tile in tiles]
        return Maps(*(torch.cat(maps) for maps in zip(*found, strict=True)))

    def against_teacher(self, images: Tensor) -> tuple[Tensor, Tensor]:
        local, follows = self._teacher(images)
        return local, follows

    def against_autoencoder(self, images: Tensor, follows: Tensor) -> Tensor:
        (found,) = self._autoencoder(images, follows)
        return found

    @cached_property
    def _whole(self) -> Compiled:
        return self._compiled(self._networks, torch.zeros(1, 3, TILE, TILE))

    @cached_property
    def _teacher(self) -> Compiled:
        return self._compiled(_Teacher(self._networks), torch.zeros(1, 3, TILE, TILE))

    @cached_property
    def _autoencoder(self) -> Compiled:
        images = torch.zeros(1, 3, TILE, TILE)
        follows = self._networks.against_teacher(images)[1]
        return self._compiled(_Autoencoder(self._networks), images, follows)

    def _compiled(self, module: nn.Module, *inputs: Tensor) -> Compiled:
        """Give a function as the module, of inputs of exactly these shapes."""
        openvino = import_openvino()
        # A tensor that inference mode made cannot be exported.
        with torch.inference_mode(False), torch.no_grad():
            program = torch.export.export(module, tuple(i.clone() for i in inputs))
            model = openvino.convert_model(program)
        model.reshape({place: list(i.shape) for place, i in enumerate(inputs)})
        settings: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": HINTS[self._precision],
            "INFERENCE_NUM_THREADS": self._threads,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,  # the daemon's cameras and sockets have cores of their own
        }
        request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()

        def run(*given: Tensor) -> list[Tensor]:
            arrays = [one.float().contiguous().numpy() for one in given]
            found = request.infer(arrays, share_inputs=True)
            return [torch.from_numpy(one) for one in found.values()]

        return run


def import_openvino() -> ModuleType:
    """Import the extra: it takes 0.3 s."""
    # Its import would report to its maker over the network, and write to the user's home folder:
    # nothing that a line PC does. Without this module it takes a stub that does nothing.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    return import_module("openvino")


class _Teacher(nn.Module):
    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.networks = networks

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.networks.against_teacher(images)


class _Autoencoder(nn.Module):
    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.networks = networks

    def forward(self, images: Tensor, follows: Tensor) -> Tensor:
        return self.networks.against_autoencoder(images, follows)
