"""Weight files: fp16 safetensors with provenance, and the names that teachers come in."""

import os
import resource
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from models.errors import InputError
from models.pdn import PdnSize, pdn
from models.weights import PdnShape, pdn_shape, plain_names, read_weights, write_weights


def test_weights_come_back_as_rounded_to_fp16(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    weights = {"a": torch.randn(3, 4), "b": torch.tensor(0.1)}
    write_weights(path, weights, {"made": "here", "steps": 3})
    found, provenance = read_weights(path)
    assert provenance == {"made": "here", "steps": 3}
    assert found.keys() == weights.keys()
    for name, value in found.items():
        assert value.dtype == torch.float32
        assert torch.equal(value, weights[name].half().float())
    with safe_open(path, framework="pt") as file:
        assert file.get_tensor("a").dtype == torch.float16
    assert os.listdir(tmp_path) == ["net.safetensors"]


def test_networks_in_channels_last_are_written(tmp_path: Path) -> None:
    net = pdn(PdnSize.SMALL, 4).to(memory_format=torch.channels_last)
    write_weights(tmp_path / "net", dict(net.state_dict()), {})
    found, _ = read_weights(tmp_path / "net")
    assert torch.equal(found["3.weight"], net.state_dict()["3.weight"].half().float())


def test_writing_twice_leaves_the_new_file(tmp_path: Path) -> None:
    for value in (1.0, 2.0):
        write_weights(tmp_path / "net", {"a": torch.tensor([value])}, {})
    assert read_weights(tmp_path / "net")[0]["a"].item() == 2


def test_a_folder_that_is_missing_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^/[^\n]*net: cannot be written[^\n]*$"):
        write_weights(tmp_path / "none" / "net", {"a": torch.zeros(1)}, {})


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "net"
    write_weights(path, {"a": torch.ones(1)}, {})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(InputError, match=r"net: cannot be written"):
            write_weights(path, {"a": torch.ones(100_000)}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(tmp_path) == ["net"]
    assert read_weights(path)[0]["a"].item() == 1


@pytest.mark.parametrize("content", [None, b"", b"not weights at all", b"\x80\x02}q\x00."])
def test_what_is_no_safetensors_file_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "net.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"^/[^\n]*net.safetensors: no readable[^\n]*$"):
        read_weights(path)


def test_provenance_that_is_no_json_is_refused(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "net", {"provenance": "from a friend"})
    with pytest.raises(InputError, match="no readable"):
        read_weights(tmp_path / "net")


@pytest.mark.parametrize("channels", [1, 256, 384])
@pytest.mark.parametrize("size", PdnSize)
def test_a_pdn_is_told_by_its_shapes(size: PdnSize, channels: int) -> None:
    with torch.device("meta"):
        weights = dict(pdn(size, channels).state_dict())
    assert pdn_shape(Path("teacher"), weights) == (size, channels)
    for wrong in (
        {**weights, "0.bias": torch.zeros(7)},
        {**weights, "another": torch.zeros(1)},
        {k: v for k, v in weights.items() if k != "0.bias"},
        {k: v for k, v in weights.items() if k not in ("8.bias", "12.bias")},
    ):
        with pytest.raises(InputError, match=r"^teacher: no EfficientAD teacher"):
            pdn_shape(Path("teacher"), wrong)


@pytest.mark.parametrize("last", [torch.zeros(0), torch.zeros(()), torch.zeros(2, 2)])
def test_a_last_bias_that_is_none(last: Tensor) -> None:
    with pytest.raises(InputError, match="no EfficientAD teacher: 1 weights"):
        pdn_shape(Path("teacher"), {"8.bias": last})


def test_a_shape_reads_as_a_user_says_it() -> None:
    assert str(PdnShape(PdnSize.MEDIUM, 384)) == "medium"
    assert str(PdnShape(PdnSize.SMALL, 100)) == "small 100-channel"


def named(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The naming conv1, conv2, ... of some published teachers."""
    places = sorted({int(key.split(".")[0]) for key in weights})
    return {
        f"conv{places.index(int(key.split('.')[0])) + 1}.{key.split('.')[1]}": value
        for key, value in weights.items()
    }


@pytest.mark.parametrize("size", PdnSize)
def test_named_layers_get_the_plain_names(size: PdnSize) -> None:
    with torch.device("meta"):
        weights = dict(pdn(size).state_dict())
    found = plain_names(named(weights))
    assert found.keys() == weights.keys()
    assert all(found[key] is weights[key] for key in weights)
    assert plain_names(weights) is weights


def test_other_names_stay() -> None:
    weights = {"encoder.weight": torch.zeros(1), "conv1.weight": torch.zeros(1)}
    assert plain_names(weights) is weights
