"""What networks that were just trained say of frames, before there is a bundle."""

from collections.abc import Mapping

import torch
from torch import Tensor

from models.calibration import RawMaps
from models.detector import Networks
from models.passes import laid
from models.scope import Scope
from models.tiling import tile_maps


def look(networks: Mapping[str, Networks], rgb: Tensor, scope: Scope) -> dict[str, RawMaps]:
    """Give each scale's maps of a frame (3, H, W) in plain fp32, a tile at a time."""
    device = next(iter(networks.values())).norm.mean.device
    rgb = rgb.to(device)
    if (box := scope.region) is not None:
        rgb = rgb[:, box.y : box.y + box.height, box.x : box.x + box.width]
    layout = scope.lay(*rgb.shape[-2:])
    found = {}
    with torch.inference_mode():
        for name, net in networks.items():
            if name == "whole":
                local, globally = (m[0] for m in net(laid(layout.whole.cut(rgb))))
                found[name] = RawMaps(
                    local, globally, layout.whole.placement, ignored=layout.ignored_whole
                )
            else:
                maps = tile_maps(net, rgb, layout, layout.everything)
                found[name] = RawMaps(
                    *maps,
                    layout.base.placement,
                    computed=layout.everything.computed,
                    ignored=layout.ignored_base,
                )
    return found
