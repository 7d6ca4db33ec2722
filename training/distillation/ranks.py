"""The processes that distil together under ``torchrun``; a process alone is the only rank."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from models.errors import InputError


@dataclass(frozen=True)
class Ranks:
    device: torch.device
    number: int = 0  # this process'
    count: int = 1

    @property
    def first(self) -> bool:
        """Say whether this process is the one that writes and reports."""
        return self.number == 0

    def share(self, first: int, batch: int) -> range:
        """Give this rank's part of a batch of numbers from ``first`` on.

        Raises ``InputError`` if the batch cannot be shared equally, on which rests that the mean
        of the ranks' gradients is the whole batch's.
        """
        if batch % self.count:
            raise InputError(f"batch = {batch}: must be a multiple of the {self.count} processes")
        return range(first + self.number, first + batch, self.count)

    def averaging(self, net: nn.Module) -> nn.Module:
        """Wrap a network: first rank's weights everywhere, and the mean of all ranks' gradients."""
        if self.count == 1:
            return net
        devices = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(net, device_ids=devices)

    def mean(self, value: Tensor) -> Tensor:
        """Give the mean of all ranks' values."""
        if self.count > 1:
            dist.all_reduce(value)
            value /= self.count
        return value

    def from_first(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite tensors by the first rank's, one after another."""
        if self.count > 1:
            for tensor in tensors:
                dist.broadcast(tensor, src=0)


@contextmanager
def ranks(device: torch.device) -> Iterator[Ranks]:
    """Join the other processes where ``torchrun`` started this one; leave them at the end.

    After an error the others are not waited for: ``torchrun`` ends them.
    """
    if not dist.is_torchelastic_launched():
        yield Ranks(device)
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    yield Ranks(device, dist.get_rank(), dist.get_world_size())
    dist.barrier()  # the first has more to do at the end, and the others' leaving may not end it
    dist.destroy_process_group()
