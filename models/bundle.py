"""The bundle: trained weights and what they need to run, immutable, each file hashed."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from pydantic import Field, JsonValue
from safetensors.torch import save_file
from torch import Tensor, nn

from models.autoencoder import autoencoder
from models.detector import INPUT_MEAN, INPUT_STD, Detector, Maps, build_teacher
from models.errors import InputError
from models.geometry import CELLS, CENTRE, STEP, TILE, Cutting, Tiles, Whole
from models.images import read_rgb, to_tensor
from models.mode import ScaleName as ScaleName
from models.pdn import CHANNELS, PdnSize, pdn
from models.pixel_format import PixelFormat
from models.records import Record, sha256, sync
from models.reduced import Reduced, reduced_like
from models.weights import read_weights, write_weights

MANIFEST = "manifest.json"
CUTTINGS: dict[ScaleName, type[Whole] | type[Tiles]] = {"whole": Whole, "tiles": Tiles}


class HashedFile(Record):
    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")  # within the bundle's folder
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class ScaleEntry(Record):
    name: ScaleName
    student: HashedFile
    autoencoder: HashedFile
    reduced: HashedFile | None = None  # ``models.reduced``; without it all layers are whole
    weight: float = Field(default=1.0, gt=0)  # among the scales that are fused


class TileGeometry(Record):
    """Must be what this code computes with; written down so that another code can tell."""

    tile: int = Field(default=TILE, ge=TILE, le=TILE)  # pixels
    step: int = Field(default=STEP, ge=STEP, le=STEP)
    cells: int = Field(default=CELLS, ge=CELLS, le=CELLS)  # a side of a tile
    centre: int = Field(default=CENTRE, ge=CENTRE, le=CENTRE)  # pixels


class Input(Record):
    height: int = Field(ge=1)  # frame pixels
    width: int = Field(ge=1)
    pixel_format: PixelFormat = PixelFormat.RGB8  # of the images trained on; others become RGB
    mean: tuple[float, float, float] = INPUT_MEAN  # of RGB in [0, 1]
    std: tuple[float, float, float] = INPUT_STD


class Reference(Record):
    """One good frame with its fp32 maps, which every engine is held against."""

    frame: HashedFile  # PNG, RGB
    maps: HashedFile  # safetensors: <scale>.local, <scale>.globally, each (h, w) float32


class Separation(Record):
    """How well the scores tell synthetic defects, put into good frames, from the frames."""

    found: float = Field(ge=0, le=1)  # share of the spoilt frames at or above the threshold
    auroc: float = Field(ge=0, le=1)  # of spoilt against clean
    frames: int = Field(ge=1)  # spoilt


class TrainingReference(Record):
    """What held-out good frames gave after training; drift and acceptance are told against it."""

    frames: int
    probabilities: tuple[float, ...]
    local: dict[str, tuple[float, ...]]  # quantiles a scale, at those probabilities
    globally: dict[str, tuple[float, ...]]
    brightness: tuple[float, float]  # mean and deviation over frames, 0 to 1
    contrast: tuple[float, float]  # of the luma's standard deviation
    sharpness: tuple[float, float]  # of the Laplacian's variance
    #: Of each frame by the ranges of these maps at alpha 0.5, ascending; a scale each.
    scores: dict[str, tuple[float, ...]]
    separation: dict[str, Separation]  # a mode each, but adaptive


class Manifest(Record):
    format: Literal[1] = 1
    name: str
    created: str  # ISO 8601, UTC
    pdn: PdnSize
    channels: int = Field(default=CHANNELS, ge=1)
    teacher: HashedFile
    scales: tuple[ScaleEntry, ...] = Field(min_length=1)
    geometry: TileGeometry = TileGeometry()
    input: Input
    reference: Reference
    training_reference: TrainingReference
    trained_on: tuple[str, ...]  # the images, each by 16 hex digits of its SHA-256
    provenance: dict[str, JsonValue]


@dataclass(frozen=True)
class Bundle:
    """A bundle that has been read and checked."""

    path: Path
    manifest: Manifest
    sha256: str  # of the manifest, and through it of every file
    detectors: dict[str, Detector]  # a scale each, in eval mode, float32, on the CPU
    reduced: dict[str, Reduced]  # a scale each that has it
    reference: Tensor  # (3, H, W) float32 in [0, 1]
    reference_maps: dict[str, Maps]  # a scale each, (h, w)

    def cutting(self, scale: str, height: int, width: int) -> Cutting:
        """Give how a scale cuts frames of this size."""
        return CUTTINGS[scale](height, width)  # type: ignore[index]

    @property
    def weights(self) -> dict[str, float]:
        return {scale.name: scale.weight for scale in self.manifest.scales}


def load(path: Path) -> Bundle:
    """Read and check a bundle.

    Raises ``InputError`` for a missing file, a wrong hash, a newer format, weights of another
    size, or anything else that is not as the manifest says.
    """
    manifest = Manifest.read(path / MANIFEST)
    teacher = build_teacher(manifest.pdn, manifest.channels)
    _load_into(teacher, path, manifest.teacher)
    detectors: dict[str, Detector] = {}
    reduced: dict[str, Reduced] = {}
    for scale in manifest.scales:
        student = pdn(manifest.pdn, 2 * manifest.channels)
        decoder = autoencoder(manifest.channels)
        _load_into(student, path, scale.student)
        _load_into(decoder, path, scale.autoencoder)
        detectors[scale.name] = Detector(teacher, student, decoder).eval().requires_grad_(False)
        if scale.reduced is not None:
            reduced[scale.name] = _read_reduced(manifest.pdn, path, scale.reduced)
    return Bundle(
        path=path,
        manifest=manifest,
        sha256=sha256(path / MANIFEST),
        detectors=detectors,
        reduced=reduced,
        reference=to_tensor(read_rgb(checked(path, manifest.reference.frame))),
        reference_maps=_read_maps(checked(path, manifest.reference.maps), list(detectors)),
    )


def checked(folder: Path, file: HashedFile) -> Path:
    """Give the path of a bundle's file; raises ``InputError`` if missing or changed."""
    path = folder / file.name
    if not path.is_file():
        raise InputError(f"{path}: missing; copy the whole bundle again")
    found = sha256(path)
    if found != file.sha256:
        raise InputError(
            f"{path}: SHA-256 {found[:12]}, but the manifest says {file.sha256[:12]};"
            " the file was changed or damaged: copy the whole bundle again"
        )
    return path


def _load_into(net: nn.Module, folder: Path, file: HashedFile) -> None:
    path = checked(folder, file)
    state, _ = read_weights(path)
    wanted = {key: tuple(value.shape) for key, value in net.state_dict().items()}
    found = {key: tuple(value.shape) for key, value in state.items()}
    for key in sorted(wanted.keys() | found.keys()):
        if wanted.get(key) != found.get(key):
            raise InputError(
                f"{path}: weight {key!r} has shape {found.get(key)}, but this network needs"
                f" {wanted.get(key)}; train the bundle again with this effad"
            )
    net.load_state_dict(state)


def _read_reduced(size: PdnSize, folder: Path, file: HashedFile) -> Reduced:
    path = checked(folder, file)
    state, _ = read_weights(path)
    try:
        found = reduced_like(size, state)
        found.load_state_dict(state)
    except (KeyError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{path}: does not hold the layers of a reduced detector; train the bundle again with"
            " this effad"
        ) from error
    return found.eval().requires_grad_(False)


def _read_maps(path: Path, scales: list[str]) -> dict[str, Maps]:
    tensors, _ = read_weights(path)
    try:
        return {s: Maps(tensors[f"{s}.local"], tensors[f"{s}.globally"]) for s in scales}
    except KeyError as error:
        raise InputError(f"{path}: map {error} is missing") from error


class BundleWriter:
    """Collects the files of a bundle in a temporary folder beside it; ``publish`` renames that.

    Used by ``with``: what was not published is removed.
    """

    def __init__(self, path: Path) -> None:
        """Raises ``InputError`` if the bundle exists: bundles are immutable."""
        if path.exists():
            raise InputError(f"{path}: exists, and bundles do not change; name another folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))

    def __enter__(self) -> "BundleWriter":
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def weights(self, name: str, net: nn.Module, provenance: dict[str, JsonValue]) -> HashedFile:
        """Add a network's weights; the network itself is rounded to what the file holds."""
        path = self._folder / f"{name}.safetensors"
        write_weights(path, dict(net.state_dict()), provenance)
        net.load_state_dict(read_weights(path)[0])
        return HashedFile(name=path.name, sha256=sha256(path))

    def frame(self, name: str, rgb: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> HashedFile:
        """Add an image, (H, W, 3) RGB uint8."""
        path = self._folder / f"{name}.png"
        coded = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))[1]
        path.write_bytes(coded.tobytes())
        return HashedFile(name=path.name, sha256=sha256(path))

    def maps(self, name: str, maps: dict[str, Maps]) -> HashedFile:
        """Add the maps of each scale, (h, w) float32."""
        path = self._folder / f"{name}.safetensors"
        save_file(
            {f"{s}.{k}": v.contiguous() for s, m in maps.items() for k, v in m._asdict().items()},
            path,
        )
        return HashedFile(name=path.name, sha256=sha256(path))

    def publish(self, manifest: Manifest) -> None:
        manifest.write(self._folder / MANIFEST)
        for path in self._folder.iterdir():
            path.chmod(0o644)  # the daemon's user is another than the engineer
            sync(path)
        self._folder.chmod(0o755)
        self._folder.rename(self._path)
        sync(self._path.parent)
