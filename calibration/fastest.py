"""Which backend this machine is fastest with, measured on the bundle's reference frame."""

import statistics
import time
from dataclasses import replace

from calibration.crew import EnginePlan
from models.backend import Backend, backends
from models.bundle import Bundle
from models.engine import Engine

_LOOKS = 3  # after one that compiles and warms up


def fastest(plan: EnginePlan, bundle: Bundle) -> tuple[Backend, Engine, str]:
    """Give the fastest backend with its engine, and what was measured, in words.

    Backends take turns; the median of a few looks counts. No words where there is but one. Raises
    ``InputError`` as ``EnginePlan.engine``.
    """
    engines = {b: replace(plan, backend=b).engine(bundle) for b in backends(plan.device)}
    if len(engines) == 1:
        return *engines.popitem(), ""
    times: dict[Backend, list[float]] = {backend: [] for backend in engines}
    for look in range(1 + _LOOKS):
        for backend, engine in engines.items():
            began = time.perf_counter()
            engine.look_at(bundle.reference)
            if look:
                times[backend].append(time.perf_counter() - began)
    found = {backend: statistics.median(took) for backend, took in times.items()}
    taken = min(found, key=found.__getitem__)
    each = ", ".join(f"{backend} {1000 * seconds:.0f} ms" for backend, seconds in found.items())
    return taken, engines[taken], f"a frame takes {each}: {taken} is taken"
