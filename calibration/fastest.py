"""Which backend this machine is fastest with, measured on the bundle's reference frame."""

import statistics
import time
from dataclasses import replace

from calibration.crew import EnginePlan
from models.backend import Backend, backends

_LOOKS = 3  # after one that compiles and warms up


def fastest(plan: EnginePlan) -> tuple[EnginePlan, str]:
    """Give the plan with the fastest backend, and what was measured, in words.

    Backends take turns; the median of a few looks counts. No words where there is but one. Raises
    ``InputError`` as ``EnginePlan.make``.
    """
    choices = backends(plan.device)
    if len(choices) == 1:
        return replace(plan, backend=choices[0]), ""
    made = {backend: replace(plan, backend=backend).make() for backend in choices}
    times: dict[Backend, list[float]] = {backend: [] for backend in choices}
    for look in range(1 + _LOOKS):
        for backend, (bundle, engine) in made.items():
            began = time.perf_counter()
            engine.look_at(bundle.reference)
            if look:
                times[backend].append(time.perf_counter() - began)
    found = {backend: statistics.median(took) for backend, took in times.items()}
    taken = min(choices, key=lambda backend: found[backend])
    each = ", ".join(f"{backend} {1000 * seconds:.0f} ms" for backend, seconds in found.items())
    return replace(plan, backend=taken), f"a frame takes {each}: {taken} is taken"
