"""What each backbone costs beside the others, alone and in a step of distillation.

``python -m tests.bench.backbones [--names NAME ...] [--batch 1] [--rounds 5] [--device cpu]``.
Weights are no real ones, which costs the same. Rounds go through all backbones in turn, so that
what else the machine does falls on all; times are medians after one round that is not counted.
"""

import argparse
import ctypes
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from models.geometry import CELLS, TILE
from models.pdn import PdnSize, pdn
from models.precision import Precision, autocast, has_bf16
from training.backbones.named import NAMES, backbone
from training.backbones.pooling import PooledFeatures
from training.backbones.residual import WEIGHTS
from training.backbones.vit import TIMM
from training.distillation.comparison import Comparison
from training.distillation.targets import Batch


def made(name: str) -> PooledFeatures:
    """A backbone with weights of the right shapes."""
    with torch.device("meta"):
        if name in WEIGHTS:
            from torchvision.models import get_model

            shapes = get_model(name.removesuffix("-v1")).state_dict()
        else:
            import timm

            shapes = timm.create_model(TIMM[name], num_classes=0).state_dict()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.pth"
        # One number a tensor, repeated: a small file.
        torch.save({k: (1 / max(1, v.shape[1:].numel()) * torch.ones(())).expand(v.shape)
                    for k, v in shapes.items()}, path)  # fmt: skip
        net = backbone(name, path)
    for parameter in net.parameters():
        parameter.data = torch.randn_like(parameter.data.contiguous()).mul_(0.02)
    return net.to(memory_format=torch.channels_last)


def seconds(work: Callable[[], object], device: torch.device) -> float:
    begun = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - begun


def forward(net: PooledFeatures, images: Tensor, bf16: bool) -> Tensor:
    with torch.inference_mode(), autocast(images.device.type, enabled=bf16):
        return net(images)  # type: ignore[no-any-return]


def trained(size: PdnSize, batch: int, bf16: bool, device: torch.device) -> Callable[[], None]:
    """The teacher's part of a step: loss, gradients, Adam."""
    net = pdn(size).to(device).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(net.parameters(), 1e-4)
    comparison = Comparison(384, Precision.BF16 if bf16 else Precision.FP32, device)
    tiles = torch.rand(batch, 3, TILE, TILE, device=device)
    given = Batch(tiles, torch.randn(batch, CELLS, CELLS, 384, device=device))

    def step() -> None:
        optimizer.zero_grad()
        comparison.loss(net, given).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def memory(name: str, batch: int, bf16: bool) -> float:
    """MB that a process of its own takes for a backbone and its forward pass."""
    command = [sys.executable, "-m", "tests.bench.backbones", "--memory-of", name]
    given = ["--batch", str(batch), "--precision", "bf16" if bf16 else "fp32"]
    done = subprocess.run([*command, *given], check=True, capture_output=True, text=True)
    return float(done.stdout)


def own_memory(name: str, batch: int, bf16: bool) -> float:
    net = made(name)
    images = torch.randn(batch, 3, net.side, net.side)
    images = images.contiguous(memory_format=torch.channels_last)
    weights = sum(v.numel() * v.element_size() for v in (*net.parameters(), *net.buffers()))
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the peak is from now on
    before = status("VmRSS")
    forward(net, images, bf16)
    return weights / 1e6 + (status("VmHWM") - before) / 1e3


def status(key: str) -> int:
    """kB of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    usual = ["wide_resnet101_2", "wide_resnet50_2", "resnet50-v1", "dino_vits16", "dino_vits8"]
    usual += ["dinov2_vits14", "dinov2_vitb14"]
    parser.add_argument("--names", nargs="+", choices=NAMES, default=usual)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--precision", choices=["fp32", "bf16"])
    parser.add_argument("--memory-of", choices=NAMES, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    device: torch.device = args.device
    bf16 = args.precision == "bf16" if args.precision else device.type == "cuda" or has_bf16()
    if args.memory_of:
        print(own_memory(args.memory_of, args.batch, bf16))
        return 0

    works: dict[str, Callable[[], object]] = {}
    facts = {}
    for name in args.names:
        net = made(name).to(device)
        images = torch.randn(args.batch, 3, net.side, net.side, device=device)
        images = images.contiguous(memory_format=torch.channels_last)
        with FlopCounterMode(display=False) as counter:
            forward(net, images[:1], bf16)
        millions = sum(p.numel() for p in net.parameters()) / 1e6
        facts[name] = net.side, millions, counter.get_total_flops() / 1e9
        works[name] = lambda net=net, images=images: forward(net, images, bf16)  # type: ignore[misc]
    for size in PdnSize:
        works[size] = trained(size, args.batch, bf16, device)
    times: dict[str, list[float]] = {name: [] for name in works}
    for number in range(args.rounds + 1):
        for name, work in works.items():
            taken = seconds(work, device)
            if number:
                times[name].append(taken / args.batch)
    found = {name: median(each) for name, each in times.items()}
    precision = "bf16" if bf16 else "fp32"
    print(f"{device}, {precision}, batch {args.batch}; s an image, medians of {args.rounds} rounds")
    print(f"{'backbone':18} side  Mweights  GFLOP   MB  forward  step small  step medium")
    for name, (side, millions, gflop) in facts.items():
        own = found[name]
        mb = f"{memory(name, args.batch, bf16):5.0f}" if device.type == "cpu" else "    -"
        steps = "".join(f"  {own + found[size]:10.3f}" for size in PdnSize)
        print(f"{name:18} {side:4}  {millions:8.1f}  {gflop:5.0f}{mb}  {own:7.3f}{steps}")
    print("without backbone (features kept)", {s.value: round(found[s], 3) for s in PdnSize})
    return 0


if __name__ == "__main__":
    sys.exit(main())
