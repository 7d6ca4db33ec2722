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
    local, globally = [], []
    for tiles, count in passes(base.pieces(rgb, plan.base), at_once):
        maps = networks(tiles)
        local.append(maps.local[:count])
        globally.append(maps.globally[:count])
    return Maps(
        local=base.join(torch.cat(local), plan.base),
        globally=_blended(layout, plan, torch.cat(globally)),
    )


def _overlapping(networks: Networks, rgb: Tensor, layout: Layout, plan: Plan, at_once: int) -> Maps:
    """Run teacher and student on tiles that abut, and the autoencoder alone on those between.

    The student's features are the same in every tile; they are kept for the whole frame: 768 bytes
    a cell in bf16 and 384 channels, twice that in fp32.
    """
    base, fine = layout.base, layout.fine
    local, globally, kept = [], [], torch.empty(0)
    places = iter(base.chosen(plan.base))
    for tiles, count in passes(base.pieces(rgb, plan.base), at_once):
        against_teacher, follows = networks.against_teacher(networks.norm(tiles))
        local.append(against_teacher[:count])
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
        globally.append(found[:count])
    return Maps(
        local=base.join(torch.cat(local), plan.base),
        globally=_blended(layout, plan, torch.cat(globally)),
    )


def _blended(layout: Layout, plan: Plan, maps: Tensor) -> Tensor:
    return blend(layout.fine, maps, plan.fine, plan.shares.to(maps.device))
