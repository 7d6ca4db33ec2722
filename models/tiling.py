"""Networks over the tiles of a frame: local maps joined, global maps blended."""

import torch
from torch import Tensor

from models.blending import blend
from models.detector import Maps, Networks
from models.geometry import CELLS, STRIDE
from models.scope import Layout, Plan


def tile_maps(networks: Networks, rgb: Tensor, layout: Layout, plan: Plan) -> Maps:
    """Give the maps of the planned tiles of (3, H, W) as maps of the frame, (rows, columns).

    One tile a pass, so that a map's bits do not depend on which others run; beyond one tile the
    activations leave a CPU's cache. Cells that are not computed are 0.
    """
    base = layout.base
    if not plan.base:
        nothing = rgb.new_zeros(base.cells)
        return Maps(nothing, nothing)
    if layout.fine.stride != STRIDE:
        return _overlapping(networks, rgb, layout, plan)
    maps = [networks(laid(tile[None])) for tile in base.pieces(rgb, plan.base)]
    return Maps(
        local=base.join(torch.cat([m.local for m in maps]), plan.base),
        globally=_blended(layout, plan, torch.cat([m.globally for m in maps])),
    )


def _overlapping(networks: Networks, rgb: Tensor, layout: Layout, plan: Plan) -> Maps:
    """Run teacher and student on tiles that abut, and the autoencoder alone on those between.

    The student's features are the same in every tile; they are kept for the whole frame: 768 bytes
    a cell in bf16 and 384 channels, twice that in fp32.
    """
    base, fine = layout.base, layout.fine
    local, globally, kept = [], [], torch.empty(0)
    for (row, column), tile in zip(
        base.chosen(plan.base), base.pieces(rgb, plan.base), strict=True
    ):
        against_teacher, follows = networks.against_teacher(networks.norm(laid(tile[None])))
        local.append(against_teacher)
        if not kept.numel():
            kept = follows.new_zeros(follows.shape[1], *base.lattice)
        kept[:, row : row + CELLS, column : column + CELLS] = follows[0]
    for (row, column), tile in zip(
        fine.chosen(plan.fine), fine.pieces(rgb, plan.fine), strict=True
    ):
        follows = kept[None, :, row : row + CELLS, column : column + CELLS]
        images = networks.norm(laid(tile[None]))
        globally.append(networks.against_autoencoder(images, follows))
    return Maps(
        local=base.join(torch.cat(local), plan.base),
        globally=_blended(layout, plan, torch.cat(globally)),
    )


def _blended(layout: Layout, plan: Plan, maps: Tensor) -> Tensor:
    return blend(layout.fine, maps, plan.fine, plan.shares.to(maps.device))


def laid(tiles: Tensor) -> Tensor:
    """Lay out (N, 3, H, W) in memory as the networks are."""
    return tiles.contiguous(memory_format=torch.channels_last)
