"""anomalib's EfficientAd over tiles, in an environment of its own: ``tests.bench.engine`` asks it.

    python anomalib_worker.py THREADS

For each line ``KIND TILES``, KIND ``torch`` or ``openvino``, it looks at so many tiles of 256 x 256
pixels, one after the other, and answers with a line. Weights are random: they do not change what is
computed.
"""

import sys
from collections.abc import Callable

import openvino
import torch
from anomalib.models.image.efficient_ad.torch_model import EfficientAdModel
from torch import Tensor, nn

Look = Callable[[int], None]


def torchs(threads: int) -> tuple[Look, EfficientAdModel]:
    torch.set_num_threads(threads)
    model = EfficientAdModel().eval()
    tile = torch.rand(1, 3, 256, 256)

    def look(tiles: int) -> None:
        with torch.inference_mode():
            for _ in range(tiles):
                model(tile)

    return look, model


class Traceable(nn.Module):
    """What of its answer a traced module may give."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, tiles: Tensor) -> tuple[Tensor, Tensor]:
        found = self.model(tiles)
        return found.anomaly_map, found.pred_score


def openvinos(model: EfficientAdModel, threads: int) -> Look:
    """As its export: the traced model, at the latency hint and the processor's own precision."""
    tile = torch.rand(1, 3, 256, 256)
    converted = openvino.convert_model(Traceable(model), example_input=tile)
    hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
    compiled = openvino.Core().compile_model(converted, "CPU", hints)

    def look(tiles: int) -> None:
        for _ in range(tiles):
            compiled(tile.numpy())

    return look


def main() -> None:
    threads = int(sys.argv[1])
    torch_look, model = torchs(threads)
    looks = {"torch": torch_look, "openvino": openvinos(model, threads)}
    print("ready", flush=True)
    for line in sys.stdin:
        kind, tiles = line.split()
        looks[kind](int(tiles))
        print("looked", flush=True)


if __name__ == "__main__":
    main()
