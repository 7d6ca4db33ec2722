"""A drift is told from none, and light and focus from the product."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.drift import Cause, Channel, DriftReference, cause, explained
from models.sequential import ShiftTest

Values = dict[Channel, float]
MEANS = {
    Channel.SCORE: (0.15, 0.02),
    Channel.LOCAL: (1.2, 0.1),
    Channel.BRIGHTNESS: (0.5, 0.02),
    Channel.SHARPNESS: (0.04, 0.004),
}


def frame(rng: np.random.Generator, **shifts: float) -> Values:
    """A frame, with shifts of channels in standard deviations."""
    return {
        channel: float(mean + deviation * (rng.standard_normal() + shifts.get(channel.value, 0)))
        for channel, (mean, deviation) in MEANS.items()
    }


def reference(rng: np.random.Generator, size: int) -> DriftReference:
    frames = [frame(rng) for _ in range(size)]
    return DriftReference(
        **{str(channel): tuple(f[channel] for f in frames) for channel in Channel}
    )


def after(count: int, **shifts: float) -> dict[Channel, ShiftTest]:
    """Tests after 500 good frames and so many that have drifted."""
    rng = np.random.default_rng(1)
    tests = reference(rng, 200).tests(threshold=1.0)
    for values in [frame(rng) for _ in range(500)] + [frame(rng, **shifts) for _ in range(count)]:
        for channel, value in values.items():
            tests[channel].see(value)
    return tests


@pytest.mark.parametrize(
    ("shifts", "why"),
    [
        ({}, None),
        ({"brightness": -2, "score": 3, "local": 1, "sharpness": 0.5}, Cause.LIGHT),
        ({"brightness": 2}, Cause.LIGHT),
        ({"sharpness": -2, "score": 3}, Cause.FOCUS),
        ({"score": 1.5}, Cause.PRODUCT),
        ({"local": -1.5}, Cause.PRODUCT),
    ],
)
def test_light_and_focus_are_told_from_the_product(
    shifts: dict[str, float], why: Cause | None
) -> None:
    assert cause(after(60, **shifts)) is why


def test_light_is_the_cause_before_its_own_alarm() -> None:
    """A score that jumps is told first; the light that made it jump is on its way."""
    tests = after(0)
    rng = np.random.default_rng(2)
    for _ in range(60):
        values = frame(rng, score=6, brightness=-1)
        for channel, value in values.items():
            tests[channel].see(value)
        if cause(tests) is not None and abs(tests[Channel.BRIGHTNESS].level) >= 0.5:
            break
    assert not tests[Channel.BRIGHTNESS].over
    assert cause(tests) is Cause.LIGHT


def test_the_line_names_the_channels_and_how_far_they_went() -> None:
    tests = after(100, brightness=-4)
    said = explained(Cause.LIGHT, tests)
    assert said.startswith(
        "light: the light or the exposure has changed (brightness fell from 0.49"
    )
    assert " to 0.42" in said
    assert "score" not in said


def test_frames_like_the_reference_raise_nothing_in_any_channel() -> None:
    rng = np.random.default_rng(4)
    tests = reference(rng, 50).tests(threshold=1.0)
    for channel, test in tests.items():
        mean, deviation = MEANS[channel]
        for value in (mean + deviation * rng.standard_normal(25_000)).tolist():
            test.see(value)
            assert not test.over


def test_frames_that_would_fail_are_no_reference() -> None:
    rng = np.random.default_rng(5)
    whole = reference(rng, 100)
    limit = sorted(whole.score)[90]
    tests = whole.tests(limit)
    assert tests[Channel.SCORE].known == 90
    assert tests[Channel.BRIGHTNESS].known == 90
    passing = [b for b, s in zip(whole.brightness, whole.score, strict=True) if s < limit]
    assert tests[Channel.BRIGHTNESS].centre == pytest.approx(np.median(passing))
    assert whole.tests(min(whole.score)) == {}


@given(st.integers(1, 5), st.integers(0, 5))
def test_channels_of_different_length_are_refused(size: int, other: int) -> None:
    values = (0.5,) * size
    if size == other:
        DriftReference(score=values, local=values, brightness=values, sharpness=(0.1,) * other)
        return
    with pytest.raises(ValueError, match="one value a frame"):
        DriftReference(score=values, local=values, brightness=values, sharpness=(0.1,) * other)
