"""Networks compiled by OpenVINO, real ones, against torch's; skipped where the extra is missing."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from daemon.simulator.parts import draw
from models import backend as backend_module
from models import bundle as bundles
from models.backend import Backend, backends, check_backend
from models.bundle import Bundle
from models.engine import Engine
from models.errors import InputError
from models.images import to_tensor
from models.mode import Mode
from models.openvino_networks import OpenVinoNetworks
from models.precision import Precision, has_bf16
from models.scope import Scope
from tests.conftest import needs_openvino
from tests.models.thin import write_bundle

pytestmark = needs_openvino
HEIGHT, WIDTH = 300, 420


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    path = tmp_path_factory.mktemp("compiled") / "bundle"
    write_bundle(path, draw(9, size=WIDTH).image[:HEIGHT], reduced=True)
    return bundles.load(path)


@pytest.mark.parametrize(
    ("precision", "stride"),
    [(Precision.FP32, 224), (Precision.REDUCED, 112), (Precision.BF16, 224)],
)
def test_maps_are_torchs(bundle: Bundle, precision: Precision, stride: int) -> None:
    """Another frame than the reference; all scales, tiles that abut and that overlap."""
    if precision is Precision.BF16 and not has_bf16():
        pytest.skip("this processor computes no bf16")
    rgb = to_tensor(draw(3, size=WIDTH).image[:HEIGHT])
    scope = Scope(Mode.PYRAMID, tile_stride=stride)  # type: ignore[arg-type]
    plain = Precision.FP32 if precision is Precision.FP32 else Precision.REDUCED
    torchs = Engine(bundle, precision=plain, scope=scope).look_at(rgb)
    engine = Engine(bundle, precision=precision, scope=scope, backend=Backend.OPENVINO)
    found = engine.look_at(rgb)
    tolerance = 5e-2 if precision is Precision.BF16 else 1e-3
    for name, wanted in torchs.items():
        for its, fp32 in zip(found[name][:2], wanted[:2], strict=True):
            assert its.dtype == torch.float32
            torch.testing.assert_close(its, fp32, rtol=0, atol=tolerance * float(fp32.max()))
    again = engine.look_at(rgb)
    for name, raw in found.items():
        assert torch.equal(raw.local, again[name].local)
        assert torch.equal(raw.globally, again[name].globally)


def test_it_verifies_and_names_itself(bundle: Bundle) -> None:
    engine = Engine(bundle, backend=Backend.OPENVINO, threads=2)
    assert engine.fingerprint.startswith("openvino-20")
    assert "/threads-2/" in engine.fingerprint
    assert engine.verify() < 1e-3
    assert engine.on_threads(1).verify() < 1e-3
    wrong = replace(
        bundle,
        reference_maps={
            name: maps._replace(local=1.1 * maps.local)
            for name, maps in bundle.reference_maps.items()
        },
    )
    with pytest.raises(InputError, match=r"^engine openvino-[^\n]*differs[^\n]*is allowed"):
        Engine(wrong, backend=Backend.OPENVINO).verify()


@pytest.mark.parametrize("stride", [224, 112])
def test_a_first_look_waits_for_no_compiler(
    bundle: Bundle, stride: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = Scope(Mode.TILES, tile_stride=stride)  # type: ignore[arg-type]
    engine = Engine(bundle, scope=scope, backend=Backend.OPENVINO)
    engine.prepare()

    def late(*_: object) -> None:
        raise AssertionError("compiled at a look")

    monkeypatch.setattr(OpenVinoNetworks, "_compiled", late)
    engine.look_at(bundle.reference)
    engine.on_threads(1).look_at(bundle.reference)
    with pytest.raises(AssertionError, match="compiled at a look"):
        engine.on_threads(2).look_at(bundle.reference)


def test_what_is_returned_is_not_written_over(bundle: Bundle) -> None:
    engine = Engine(bundle, scope=Scope(Mode.WHOLE), backend=Backend.OPENVINO)
    first = engine.look_at(bundle.reference)["whole"].local
    before = first.clone()
    other = engine.look_at(1 - bundle.reference)["whole"].local
    assert not torch.equal(first, other)
    assert torch.equal(first, before)


def test_nothing_is_reported_to_anybody(tmp_path: Path) -> None:
    """The library's own import sends usage data; in a process of its own, and a home of its own."""
    code = (
        "import sys; from models.openvino_networks import import_openvino; import_openvino();"
        " assert sys.modules['openvino_telemetry'] is None; import openvino.tools.ovc.convert_impl"
        " as c; assert 'stub' in c.tm.__name__"
    )
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    assert not list(tmp_path.iterdir())


def test_a_backend_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="backend openvino runs on cpu, not on cuda; take torch"):
        check_backend(Backend.OPENVINO, "cuda")
    monkeypatch.setattr(backend_module, "find_spec", lambda name: None)
    assert backends("cpu") == (Backend.TORCH,)
    with pytest.raises(InputError, match=r"not installed; install effad\[openvino\], or calibrate"):
        check_backend(Backend.OPENVINO, "cpu")
