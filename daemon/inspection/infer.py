"""The worker: from frames in slots to anomaly maps."""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from daemon import log
from daemon.claims import Claim
from daemon.frames import Frame
from daemon.inspection.pace import Pace
from daemon.messages import Reason
from daemon.parts import Inspected, Unseen
from models.engine import Engine
from models.levels import local_level
from models.recipe import LoadedRecipe


@dataclass(frozen=True)
class Inspector:
    """What inspects a station's frames on one device."""

    engine: Engine
    recipe: LoadedRecipe
    pace: Pace = field(default_factory=Pace)

    def inspect(self, frame: Frame) -> Inspected:
        """Give a frame's anomaly map; raises ``ArithmeticError`` if it is not finite."""
        begun = time.monotonic_ns()
        before = self.engine.fingerprint
        maps = self.engine.look(frame.pixels, frame.pixel_format)
        if (engine := self.engine.fingerprint) != before:
            log.get("infer").warning("out of memory: fewer tiles a pass", engine=engine)
        anomaly = self.recipe.fuse(maps)
        # NaN is at or above no threshold: it would pass.
        if not math.isfinite(anomaly.score):
            raise ArithmeticError("the anomaly map is not finite")
        ended = time.monotonic_ns()
        self.pace.took((ended - begun) / 1e9, ended / 1e9)
        return Inspected(anomaly, frame, begun, ended, local_level(maps), engine)


def infer(
    frames: Iterable[Frame],
    worker: int,
    waits: Callable[[Claim], bool],
) -> Iterator[tuple[Claim, Inspected | Unseen]]:
    """Inspect frames one by one, each by what judges its part, as one of several workers does.

    A frame that the model fails on is no verdict, not an end. A frame that nobody ``waits`` for
    any more, or that cannot be in time, is not begun. A result holds its frame; of any other the
    frame is let go.
    """
    for frame in frames:
        claim = frame.claim
        inspector = claim.judging.inspectors[worker] if claim.judging else None
        outcome: Inspected | Unseen | None
        outcome = _not_begun(claim, inspector) if waits(claim) else _RESOLVED
        if outcome is None and inspector is not None:
            try:
                outcome = inspector.inspect(frame)
            except Exception as error:  # noqa: BLE001 (the one boundary that turns failure into NO_VERDICT)
                log.get("infer").exception("model failed", claim=str(claim))
                outcome = Unseen(Reason.MODEL_ERROR, f"{type(error).__name__}: {error}"[:200])
        if isinstance(outcome, Inspected):
            yield claim, outcome
        elif outcome is not None:
            frame.lease.let_go()
            yield claim, outcome


_RESOLVED = Unseen(Reason.LATE, "resolved while it waited")


def _not_begun(claim: Claim, inspector: Inspector | None) -> Unseen | None:
    """Say why an inspection is not worth its time; None if it is."""
    if inspector is None:
        return Unseen(Reason.NO_RECIPE, "the station has no recipe")
    now = time.monotonic()
    left, expected = claim.due - now, inspector.pace.expected(now)
    if left >= expected:
        return None
    return Unseen(
        Reason.LATE,
        f"not begun: {1000 * left:.0f} ms to the deadline, it takes {1000 * expected:.0f} ms",
    )
