"""Networks over the tiles of a frame: local maps joined, global maps blended."""

import torch
from torch import Tensor

from models.blending import blend
from models.detector import Maps, Networks
from models.geometry import CELLS, STRIDE
from models.passes import passes
from models.scope import Layout, Plan


def tile_maps(
    networks: Networks, rgb: Tensor, layout: Layout, plan: Plan, at_once: int = 1
) -> Maps:
    """Give the maps of the planned tiles of (3, H, W) as maps of the frame, (rows, columns).

    ``at_once`` tiles a pass. Cells that are not computed are 0.
    """
    base = layout.base
    if not plan.base:
        nothing = rgb.new_zeros(base.cells)
        return Maps(nothing, nothing)
    if layout.fine.stride != STRIDE:
        return _overlapping(networks, rgb, layout, plan, at_once)
    local, globally = _Collected(rgb, len(plan.base)), _Collected(rgb, len(plan.base))
    for tiles, count in passes(base.pieces(rgb, plan.base), at_once):
        maps = networks(tiles)
        local.add(maps.local[:count])
        globally.add(maps.globally[:count])
    return Maps(
        local=base.join(local.maps, plan.base),
        globally=_blended(layout, plan, globally.maps),
    )


def _overlapping(networks: Networks, rgb: Tensor, layout: Layout, plan: Plan, at_once: int) -> Maps:
    """Run teacher and student on tiles that abut, and the autoencoder alone on those between.

    The student's features are the same in every tile; they are kept for the whole frame: 768 bytes
    a cell in bf16 and 384 channels, twice that in fp32.
    """
    base, fine = layout.base, layout.fine
    local, globally = _Collected(rgb, len(plan.base)), _Collected(rgb, len(plan.fine))
    kept = torch.empty(0)
    places = iter(base.chosen(plan.base))
    for tiles, count in passes(base.pieces(rgb, plan.base), at_once):
        against_teacher, follows = networks.against_teacher(networks.norm(tiles))
        local.add(against_teacher[:count])
        if not kept.numel():
            kept = follows.new_zeros(follows.shape[1], *base.lattice)
        for features, (row, column) in zip(follows[:count], places, strict=False):
            kept[:, row : row + CELLS, column : column + CELLS] = features
    places = iter(fine.chosen(plan.fine))
    for tiles, count in passes(fine.pieces(rgb, plan.fine), at_once):
        follows = kept.new_zeros(at_once, len(kept), CELLS, CELLS)
        for features, (row, column) in zip(follows[:count], places, strict=False):
            features.copy_(kept[:, row : row + CELLS, column : column + CELLS])
        found = networks.against_autoencoder(networks.norm(tiles), follows)
        globally.add(found[:count])
    return Maps(
        local=base.join(local.maps, plan.base),
        globally=_blended(layout, plan, globally.maps),
    )


class _Collected:
    """The maps of tiles, (N, 56, 56), as passes give them.

    Room for all is taken before the first pass. Maps that were kept one by one would lie between
    the activations of each pass and the next, and a large frame's heap would grow by megabytes a
    tile.
    """

    def __init__(self, like: Tensor, count: int) -> None:
        self.maps = like.new_empty(count, CELLS, CELLS)
        self._filled = 0

    def add(self, some: Tensor) -> None:
        self.maps[self._filled : self._filled + len(some)] = some
        self._filled += len(some)


def _blended(layout: Layout, plan: Plan, maps: Tensor) -> Tensor:
    return blend(layout.fine, maps, plan.fine, plan.shares.to(maps.device))
