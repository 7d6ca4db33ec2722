"""Vision Transformers pretrained by DINO and DINOv2 (thesis chapter 6), from timm.

Two blocks' tokens take the place of a residual network's two layers: the sixth and the ninth of
twelve, through the final layer norm, since some of a block's raw values are many times the others
and would drown them in PatchCore's averages.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from models.errors import InputError
from training.backbones.pooling import GRID, PooledFeatures
from training.state_dict import check_fits, read_state_dict

#: The authors' names, and timm's.
TIMM = {
    "dino_vits16": "vit_small_patch16_224.dino",
    "dino_vits8": "vit_small_patch8_224.dino",
    "dino_vitb16": "vit_base_patch16_224.dino",
    "dino_vitb8": "vit_base_patch8_224.dino",
    "dinov2_vits14": "vit_small_patch14_dinov2.lvd142m",
    "dinov2_vitb14": "vit_base_patch14_dinov2.lvd142m",
    "dinov2_vitl14": "vit_large_patch14_dinov2.lvd142m",
    "dinov2_vits14_reg": "vit_small_patch14_reg4_dinov2.lvd142m",
    "dinov2_vitb14_reg": "vit_base_patch14_reg4_dinov2.lvd142m",
}
#: Depths of the two blocks, as shares of all blocks.
DEPTHS = (1 / 2, 3 / 4)


class Blocks(nn.Module):
    """(N, 3, p h, p w), p pixels a patch, to two blocks' patch tokens, both (N, width, h, w)."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        numbers = [round(depth * len(net.blocks)) - 1 for depth in DEPTHS]
        self.numbers = net.prune_intermediate_layers(numbers, prune_norm=False, prune_head=True)
        self.net = net

    def forward(self, images: Tensor) -> list[Tensor]:
        maps: list[Tensor] = self.net.forward_intermediates(
            images, indices=self.numbers, norm=True, intermediates_only=True
        )
        return maps


def vit(name: str, weights: Path | None, channels: int) -> PooledFeatures:
    """Load a Vision Transformer of ``TIMM``, from a file or through timm.

    The file: timm's safetensors or the authors' state_dict. Raises ``InputError`` if timm is not
    installed, if the file is missing or of another network, or if the weights are not here and
    cannot be downloaded.
    """
    if find_spec("timm") is None:
        raise InputError(f"{name}: needs timm, which is not installed; install effad[vit]")
    import timm

    state = None if weights is None else read_state_dict(weights)
    patch = int(TIMM[name].partition("patch")[2].split("_")[0])
    try:
        # Positions are brought to the grid once, here; other sizes of input stay possible.
        net: Any = timm.create_model(
            TIMM[name],
            pretrained=state is None,
            img_size=GRID * patch,
            dynamic_img_size=True,
            num_classes=0,
        )
    except OSError as error:
        raise InputError(
            f"{name}: no network (its weights are not here, and the Hugging Face hub is not"
            f" reached); download model.safetensors of timm/{TIMM[name]} elsewhere and give the"
            " file as --backbone-weights"
        ) from error
    if state is not None:
        _load(net, state, f"{weights}: not a {name}")
    return PooledFeatures(Blocks(net), [net.embed_dim] * len(DEPTHS), channels, GRID * patch)


def _load(net: Any, state: dict[str, Tensor], refused: str) -> None:
    from timm.models.vision_transformer import checkpoint_filter_fn

    wanted = net.state_dict()
    # timm would stretch the kernels of another patch size.
    kernel = "patch_embed.proj.weight"
    check_fits({k: v for k, v in state.items() if k == kernel}, {kernel: wanted[kernel]}, refused)
    state = checkpoint_filter_fn(state, net)
    check_fits(state, wanted, refused)
    net.load_state_dict(state)
