"""OpenVINO on the plain graph, with its own best hints and several tiles a pass, for benchmarks."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from models.detector import Networks
from models.openvino_networks import HINTS, import_openvino
from models.passes import passes
from models.precision import Precision

#: Tiles a pass that are tried: which is best is up to the machine.
BATCHES = (1, 4)


def looks(
    networks: Networks, tiles: list[Tensor], precision: Precision, threads: int
) -> dict[str, Callable[[], object]]:
    """Give what looks at all tiles, (3, 256, 256) each, by the name of its row."""
    return {
        f"plain openvino {precision}, {batch} a pass": _look(
            networks, tiles, precision, threads, batch
        )
        for batch in BATCHES
        if batch <= len(tiles)
    }


def _look(
    networks: Networks, tiles: list[Tensor], precision: Precision, threads: int, batch: int
) -> Callable[[], object]:
    openvino = import_openvino()
    example = torch.zeros(batch, 3, 256, 256)
    with torch.no_grad():
        model = openvino.convert_model(torch.export.export(networks, (example,)))
    model.reshape({0: list(example.shape)})
    hints: dict[str, Any] = {
        "PERFORMANCE_HINT": "THROUGHPUT" if len(tiles) > batch else "LATENCY",
        "INFERENCE_PRECISION_HINT": HINTS[precision],
        "INFERENCE_NUM_THREADS": threads,
    }
    compiled = openvino.Core().compile_model(model, "CPU", hints)
    queue = openvino.AsyncInferQueue(compiled)
    inputs = [stacked.contiguous().numpy() for stacked, _ in passes(tiles, batch)]

    def look() -> object:
        for one in inputs:
            queue.start_async([one], share_inputs=True)
        queue.wait_all()
        return queue

    return look
