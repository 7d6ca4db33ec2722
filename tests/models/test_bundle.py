"""A bundle is whole, hashed, and says in one line what is wrong with it."""

import json
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from models import bundle as bundles
from models.bundle import (
    MANIFEST,
    BundleWriter,
    Input,
    Manifest,
    Reference,
    ScaleEntry,
    TrainingReference,
    load,
)
from models.detector import Detector, Maps, build_detector, build_teacher
from models.errors import InputError
from models.pdn import PdnSize
from models.records import sha256

CHANNELS = 4
FRAME = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
MAPS = {name: Maps(torch.rand(56, 56), torch.rand(56, 56)) for name in ("whole", "tiles")}


def write(path: Path) -> dict[str, Detector]:
    """Write a bundle of two scales with few channels."""
    torch.manual_seed(0)
    teacher = build_teacher(PdnSize.SMALL, CHANNELS)
    teacher.set_statistics(torch.randn(CHANNELS), torch.rand(CHANNELS))
    detectors = {
        name: build_detector(teacher, PdnSize.SMALL, CHANNELS) for name in ("whole", "tiles")
    }
    with BundleWriter(path) as writer:
        writer.publish(
            Manifest(
                name="nut",
                created="2026-01-01T00:00:00+00:00",
                pdn=PdnSize.SMALL,
                channels=CHANNELS,
                teacher=writer.weights("teacher", teacher, {}),
                scales=tuple(
                    ScaleEntry.model_validate(
                        {
                            "name": name,
                            "student": writer.weights(f"{name}.student", each.student, {}),
                            "autoencoder": writer.weights(f"{name}.ae", each.autoencoder, {}),
                            "weight": weight,
                        }
                    )
                    for (name, each), weight in zip(detectors.items(), (1.0, 2.0), strict=True)
                ),
                input=Input(height=40, width=50),
                reference=Reference(
                    frame=writer.frame("reference", FRAME), maps=writer.maps("maps", MAPS)
                ),
                training_reference=TrainingReference(
                    frames=1,
                    probabilities=(0.5,),
                    local={"whole": (1.0,)},
                    globally={"whole": (1.0,)},
                    brightness=(0.5, 0.1),
                    contrast=(0.2, 0.1),
                    sharpness=(0.5, 0.1),
                    scores={"whole": (1.0,)},
                    separation={},
                ),
                trained_on=("0123456789abcdef",),
                provenance={"why": "a test"},
            )
        )
    return detectors


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    write(tmp_path / "bundle")
    return tmp_path / "bundle"


def edit(bundle: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = bundle / MANIFEST
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def assert_refused(bundle: Path, *words: str) -> None:
    with pytest.raises(InputError) as refused:
        load(bundle)
    said = str(refused.value)
    assert "\n" not in said
    assert said.startswith(str(bundle))
    for word in words:
        assert word in said


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "bundle"
    detectors = write(path)
    found = load(path)
    assert found.path == path
    assert found.sha256 == sha256(path / MANIFEST)
    assert found.weights == {"whole": 1, "tiles": 2}
    assert found.manifest.provenance == {"why": "a test"}
    assert torch.equal(found.reference, torch.from_numpy(FRAME).permute(2, 0, 1) / 255)
    assert found.detectors.keys() == detectors.keys()
    for name, detector in detectors.items():
        for key, value in detector.state_dict().items():
            assert torch.equal(found.detectors[name].state_dict()[key], value)
        assert not found.detectors[name].training
        assert not any(p.requires_grad for p in found.detectors[name].parameters())
        assert torch.equal(found.reference_maps[name].local, MAPS[name].local)
        assert torch.equal(found.reference_maps[name].globally, MAPS[name].globally)
    assert found.detectors["whole"].teacher is found.detectors["tiles"].teacher
    assert [p.name for p in path.parent.iterdir()] == ["bundle"]
    assert path.stat().st_mode & 0o777 == 0o755


def test_networks_are_rounded_to_what_the_file_holds(tmp_path: Path) -> None:
    """Else the reference maps would be of other weights."""
    detector = write(tmp_path / "bundle")["whole"]
    for value in detector.state_dict().values():
        assert torch.equal(value, value.half().float())


@pytest.mark.parametrize("name", ["teacher", "tiles.student", "whole.ae", "maps"])
def test_a_changed_file_is_refused(bundle: Path, name: str) -> None:
    path = bundle / f"{name}.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert_refused(bundle, f"{path}: SHA-256", "the manifest says", "copy the whole bundle again")


def test_a_changed_reference_frame_is_refused(bundle: Path) -> None:
    (bundle / "reference.png").write_bytes(b"")
    assert_refused(bundle, "reference.png: SHA-256", "changed or damaged")


@pytest.mark.parametrize("name", ["teacher.safetensors", "reference.png", "tiles.ae.safetensors"])
def test_a_missing_file_is_named(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    assert_refused(bundle, f"{name}: missing; copy the whole bundle again")


def test_a_folder_without_manifest_is_no_bundle(tmp_path: Path) -> None:
    assert_refused(tmp_path, f"{MANIFEST}: No such file or directory")


def test_a_newer_format_is_told_before_its_unknown_keys(bundle: Path) -> None:
    edit(bundle, lambda m: m.update(format=2, novelty=True))
    assert_refused(bundle, "format 2 is newer than this effad, which knows 1", "upgrade effad")


def test_an_unknown_key_is_named(bundle: Path) -> None:
    edit(bundle, lambda m: m["scales"][1].update(colour="red"))
    assert_refused(bundle, "unknown key 'scales.1.colour'")


def test_a_missing_key_is_named(bundle: Path) -> None:
    edit(bundle, lambda m: m["input"].pop("height"))
    assert_refused(bundle, "key 'input.height' is missing")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m.update(pdn="large"), "pdn = 'large': Input should be 'small' or 'medium'"),
        (lambda m: m.update(scales=[]), "scales = []"),
        (lambda m: m["geometry"].update(step=8), "geometry.step = 8"),
        (lambda m: m["teacher"].update(name="../teacher"), "teacher.name = '../teacher'"),
        (lambda m: m["teacher"].update(sha256="abc"), "teacher.sha256 = 'abc'"),
    ],
)
def test_a_wrong_value_is_shown(
    bundle: Path, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    edit(bundle, change)
    assert_refused(bundle, said)


def test_a_manifest_that_is_no_json_is_refused(bundle: Path) -> None:
    (bundle / MANIFEST).write_text("{")
    assert_refused(bundle, "no JSON")


def test_weights_of_another_size_are_refused(bundle: Path) -> None:
    edit(bundle, lambda m: m.update(pdn="medium"))
    assert_refused(bundle, "teacher.safetensors: weight 'net.0.bias' has shape (128,)", "(256,)")


def test_weights_of_other_channels_are_refused(bundle: Path) -> None:
    edit(bundle, lambda m: m.update(channels=5))
    assert_refused(bundle, "has shape (4,), but this network needs (5,)", "train the bundle again")


def test_weights_of_another_network_are_refused(bundle: Path) -> None:
    edit(bundle, lambda m: m["scales"][0].update(student=m["scales"][0]["autoencoder"]))
    assert_refused(bundle, "whole.ae.safetensors: weight '0.bias' has shape (32,)")


def replace_maps(bundle: Path, content: dict[str, torch.Tensor] | bytes) -> None:
    path = bundle / "maps.safetensors"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        save_file(content, path)
    edit(bundle, lambda m: m["reference"]["maps"].update(sha256=sha256(path)))


def test_reference_maps_that_are_missing_are_named(bundle: Path) -> None:
    replace_maps(bundle, {"whole.local": torch.zeros(1), "whole.globally": torch.zeros(1)})
    assert_refused(bundle, "maps.safetensors: map 'tiles.local' is missing")


def test_reference_maps_that_cannot_be_read_are_refused(bundle: Path) -> None:
    replace_maps(bundle, b"something else")
    assert_refused(bundle, "maps.safetensors: no readable safetensors file")


def test_a_bundle_is_never_written_over(bundle: Path) -> None:
    before = sha256(bundle / MANIFEST)
    with pytest.raises(InputError, match="exists, and bundles do not change"):
        BundleWriter(bundle)
    assert sha256(bundle / MANIFEST) == before


def test_what_was_not_published_is_removed(tmp_path: Path) -> None:
    def fail(writer: BundleWriter) -> None:
        writer.weights("teacher", build_teacher(PdnSize.SMALL, 1), {})
        raise RuntimeError("no space")

    with pytest.raises(RuntimeError), BundleWriter(tmp_path / "bundle") as writer:
        fail(writer)
    assert not list(tmp_path.iterdir())


HALF = """
import sys
from pathlib import Path
from models.bundle import BundleWriter
from models.detector import build_teacher
from models.pdn import PdnSize
with BundleWriter(Path(sys.argv[1])) as writer:
    writer.weights("teacher", build_teacher(PdnSize.SMALL, 1), {})
    print("half", flush=True)
    sys.stdin.read()
"""


def test_a_killed_writer_leaves_no_bundle(tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    with subprocess.Popen(
        [sys.executable, "-c", HALF, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"half\n"
        assert not path.exists()
        child.kill()
    assert not path.exists()
    assert_refused(path, "No such file or directory")
    write(path)  # what was left behind stands in no one's way
    load(path)


def test_loading_never_unpickles(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("unpickled")

    for module, name in [
        (pickle, "load"),
        (pickle, "loads"),
        (pickle, "Unpickler"),
        (torch, "load"),
    ]:
        monkeypatch.setattr(module, name, refuse)
    load(bundle)


def test_a_pickle_under_a_weights_name_is_refused(bundle: Path) -> None:
    path = bundle / "teacher.safetensors"
    torch.save(build_teacher(PdnSize.SMALL, CHANNELS).state_dict(), path)
    edit(bundle, lambda m: m["teacher"].update(sha256=sha256(path)))
    assert_refused(bundle, "teacher.safetensors: no readable safetensors file")


@pytest.mark.parametrize("package", ["models", "daemon", "calibration"])
def test_no_code_outside_training_can_unpickle(package: str) -> None:
    unpickling = re.compile(r"import pickle|torch\.load\b|from pickle|allow_pickle=True")
    root = Path(bundles.__file__).parents[1] / package
    for path in root.rglob("*.py"):
        assert not unpickling.search(path.read_text()), path
