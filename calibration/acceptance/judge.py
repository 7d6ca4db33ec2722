"""A bundle with its new calibration, that the frames shown can be put before again."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from calibration.looked import Measured
from calibration.shown import Shown
from models.adaptive import Asking
from models.bundle import Bundle
from models.calibration import AnomalyMap, RawMaps, fuse
from models.engine import Engine
from models.pixels import to_rgb, upload
from training.separation import is_fine
from training.synthetic.frames import Spoilt, spoil


@dataclass(frozen=True, eq=False)
class Judge:
    """Looks as inspection will."""

    bundle: Bundle
    measured: Measured
    engine: Engine
    read: Callable[[str], Shown]  # a frame by its digest

    @classmethod
    def of(
        cls, bundle: Bundle, measured: Measured, engine: Engine, read: Callable[[str], Shown]
    ) -> "Judge":
        """Take the engine that frames were measured by; in mode adaptive it asks for tiles."""
        calibration = measured.calibration
        if calibration.ask is not None:
            whole = calibration.scales["whole"]
            engine = engine.asking(Asking(whole, calibration.alpha, calibration.ask.level))
        return cls(bundle, measured, engine, read)

    def rgb(self, digest: str) -> Tensor:
        """Give a frame again, (3, H, W) float32 in [0, 1], on the CPU."""
        shown = self.read(digest)
        return to_rgb(upload(shown.pixels, self.engine.device), shown.pixel_format).cpu()

    def spoil(self, digest: str) -> Spoilt | None:
        """Put a synthetic defect into a frame: for a digest always the same."""
        fine = is_fine(self.engine.mode)
        return spoil(self.rgb(digest), digest, self.engine.scope, fine=fine)

    def look(self, rgb: Tensor) -> AnomalyMap:
        return self.fuse(self.engine.look_at(rgb))

    def fuse(self, maps: dict[str, RawMaps], alpha: float | None = None) -> AnomalyMap:
        """Fuse raw maps by the new calibration; by another alpha than its own if asked to."""
        calibration = self.measured.calibration
        chosen = calibration.alpha if alpha is None else alpha
        return fuse(maps, calibration.scales, chosen, self.bundle.weights)
