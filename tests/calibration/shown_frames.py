"""How tests of this folder show frames to a measurement."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from calibration.acceptance.answer import Acceptance, Answer
from calibration.crew import EnginePlan
from calibration.looked import Measured
from calibration.measure import Measurement
from calibration.record import Choice
from calibration.shown import Shown
from calibration.verbs import run as verb
from models.bundle import Bundle
from models.engine import Engine
from models.images import read_rgb
from models.pixel_format import PixelFormat
from models.precision import Precision
from models.scope import Scope
from tests.conftest import SIZE
from tests.models.thin import bundle_of, thin_detector

CHOICE = Choice(alpha=0.5, device="cpu", precision=Precision.FP32)


@dataclass(frozen=True)
class ThinPlan(EnginePlan):
    """Makes networks of three channels, in any process the same."""

    size: tuple[int, int] = (SIZE, SIZE)  # height and width of the frames

    def make(self) -> tuple[Bundle, Engine]:
        bundle = bundle_of({"whole": thin_detector(1), "tiles": thin_detector(2)}, *self.size)
        return bundle, Engine(bundle, threads=self.threads, scope=self.scope)


def thin_plan(scope: Scope | None = None, size: tuple[int, int] = (SIZE, SIZE)) -> ThinPlan:
    return ThinPlan(Path("in memory"), "cpu", Precision.FP32, 1, scope or Scope(), size=size)


def from_files(paths: Iterable[Path]) -> list[Shown]:
    """Show images, each of a part of its own."""
    return [Shown.of(p.name, str(p), read_rgb(p), PixelFormat.RGB8, p) for p in paths]


def measured(
    bundle: Bundle,
    engine: Engine,
    frames: Sequence[Shown],
    folder: Path,
    choice: Choice = CHOICE,
) -> Measured:
    """Measure frames in this process."""
    with Measurement(bundle, engine, choice, folder) as measurement:
        measurement.show(frames, len(frames), lambda seen: None)
        return measurement.finish()


def answering(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> None:
    """Let acceptance answer this, whatever is shown."""

    def accept(bundle: object, measured: Measured, *_: object) -> Acceptance:
        return Acceptance(answer=answer, checks=(), frames=len(measured.frames))

    monkeypatch.setattr(verb, "accept", accept)
