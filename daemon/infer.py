"""The worker: from frames in slots to anomaly maps."""

import math
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from daemon import log
from daemon.claims import Claim, Inspected, Unseen
from daemon.frames import Frame
from daemon.messages import Reason
from models.calibration import fuse
from models.engine import Engine
from models.recipe import LoadedRecipe


@dataclass(frozen=True)
class Inspector:
    """What inspects a station's frames on one device."""

    engine: Engine
    recipe: LoadedRecipe

    def inspect(self, frame: Frame) -> Inspected:
        """Give a frame's anomaly map; raises ``ArithmeticError`` if it is not finite."""
        calibration, bundle = self.recipe.calibration, self.recipe.bundle
        maps = self.engine.look(frame.pixels, frame.pixel_format)
        anomaly = fuse(maps, calibration.scales, calibration.alpha, bundle.weights)
        # NaN is at or above no threshold: it would pass.
        if not math.isfinite(float(anomaly.values.sum())):
            raise ArithmeticError("the anomaly map is not finite")
        return Inspected(anomaly, time.time_ns())


def infer(
    frames: Iterable[Frame], inspectors: Mapping[str, Inspector]
) -> Iterator[tuple[Claim, Inspected | Unseen]]:
    """Inspect frames one by one; a frame that the model fails on is no verdict, not an end."""
    for frame in frames:
        outcome: Inspected | Unseen
        try:
            outcome = inspectors[frame.claim.station].inspect(frame)
        except Exception as error:  # noqa: BLE001 (the one boundary that turns failure into NO_VERDICT)
            log.get("infer").exception("model failed", claim=str(frame.claim))
            outcome = Unseen(Reason.MODEL_ERROR, f"{type(error).__name__}: {error}"[:200])
        finally:
            frame.give_back()
        yield frame.claim, outcome
