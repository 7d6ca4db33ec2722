"""Exposure in host time, from whatever a camera lets us know of its clock."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.camera.clock import ExposureClock, Latch, Quality
from daemon.camera.fit import below, through

MS = 1_000_000
SECOND = 1000 * MS
EPOCHS = st.integers(0, 1 << 62)  # of either clock
DRIFTS = st.floats(-200, 200)  # ppm

Device = Callable[[int], int]  # from the host's clock to the device's


def device_clock(host: int, device: int, ppm: float) -> tuple[int, Device]:
    """Give the host's time, and a device's clock that said ``device`` then."""
    return host, lambda ns: device + (ns - host) + round((ns - host) * ppm / 1e6)


clocks = st.builds(device_clock, st.integers(10**12, 10**17), EPOCHS, DRIFTS)
randoms = st.builds(random.Random, st.integers(0, 1 << 32))  # noise, not an adversary


def silent(text: str) -> None:
    pytest.fail(text)


def latch(rng: random.Random, device: Device, at: int) -> Latch:
    """Read a device's clock over a network: mostly quick, sometimes not."""
    trip = rng.choice([200_000, 300_000, 400_000, 2 * MS, 20 * MS])
    there = rng.uniform(0.2, 0.8)
    return Latch(at, device(at + round(trip * there)), at + trip)


@given(clocks, randoms, st.integers(1, 100))
def test_a_latched_clock_is_right_within_half_a_round_trip(
    clock: tuple[int, Device], rng: random.Random, seconds: int
) -> None:
    now, device = clock
    exposures = ExposureClock(0, silent)
    latches = []
    for pause in [25 * MS] * 5 + [SECOND] * seconds:
        latches.append(latch(rng, device, now))
        exposures.latch(latches[-1])
        now += pause
    exposed = now + 100 * MS
    found = exposures.exposed_ns(device(exposed), exposed + 5000 * MS)
    assert exposures.quality is Quality.LATCHED
    assert abs(found - exposed) < MS + min(one.round_trip for one in latches)


@given(clocks, randoms)
def test_a_camera_that_began_again_is_read_anew(
    clock: tuple[int, Device], rng: random.Random
) -> None:
    now, device = clock
    exposures = ExposureClock(0, silent)
    for _ in range(60):
        exposures.latch(latch(rng, device, now))
        now += SECOND
    booted = now
    exposures.latch(Latch(now, 5 * SECOND, now + MS))
    exposed = booted + 300 * MS
    found = exposures.exposed_ns(5 * SECOND + 300 * MS, exposed + 10 * MS)
    assert abs(found - exposed) <= MS


@given(clocks, randoms, st.integers(0, 3))
def test_a_fitted_clock_finds_the_least_transfer(
    clock: tuple[int, Device], rng: random.Random, transfer_ms: int
) -> None:
    now, device = clock
    exposures = ExposureClock(transfer_ms * MS, silent)
    for number in range(1200):  # a minute at 20 a second
        now += 50 * MS
        took = transfer_ms * MS + rng.choice([0, 100_000, 2 * MS, 30 * MS]) * (number % 7 > 0)
        found = exposures.exposed_ns(device(now), now + took)
        assert found <= now + took - transfer_ms * MS, "never exposed after it was received"
    assert exposures.quality is Quality.FITTED
    assert abs(found - now) < 1 * MS


@given(st.lists(st.tuples(st.none() | EPOCHS, EPOCHS), max_size=50), st.integers(0, 10 * SECOND))
def test_no_time_is_absurd_whatever_the_camera_says(
    frames: list[tuple[int | None, int]], transfer: int
) -> None:
    said: list[str] = []
    exposures = ExposureClock(transfer, said.append)
    for device_ns, received_ns in frames:
        found = exposures.exposed_ns(device_ns, received_ns)
        assert received_ns - max(10 * SECOND, transfer) <= found <= received_ns - transfer
    assert len(said) <= 1, "told once"


@given(st.lists(EPOCHS, min_size=1, max_size=5), EPOCHS, EPOCHS)
def test_a_latch_of_another_clock_than_the_frames_does_no_harm(
    latched: list[int], device: int, received: int
) -> None:
    exposures = ExposureClock(0, lambda text: None)
    for at, device_ns in enumerate(latched):
        exposures.latch(Latch(at * SECOND, device_ns, at * SECOND + MS))
    assert received - 10 * SECOND <= exposures.exposed_ns(device, received) <= received


def test_without_a_device_s_time_it_is_the_reception_s() -> None:
    exposures = ExposureClock(3 * MS, silent)
    assert exposures.exposed_ns(None, 50 * MS) == 47 * MS
    assert exposures.quality is Quality.RECEIVED


def test_a_frame_that_was_held_up_keeps_its_exposure() -> None:
    exposures = ExposureClock(0, silent)
    for number in range(100):
        exposures.exposed_ns(number * 10 * MS, SECOND + number * 10 * MS)
    assert exposures.exposed_ns(SECOND, SECOND + SECOND + 700 * MS) == 2 * SECOND


def test_one_quick_frame_is_enough_to_know_better() -> None:
    exposures = ExposureClock(0, silent)
    assert exposures.exposed_ns(0, SECOND + 30 * MS) == SECOND + 30 * MS, "nothing better is known"
    assert exposures.exposed_ns(10 * MS, SECOND + 10 * MS) == SECOND + 10 * MS
    assert exposures.exposed_ns(20 * MS, SECOND + 40 * MS) == SECOND + 20 * MS


def test_a_fitted_clock_follows_a_device_that_was_set() -> None:
    exposures = ExposureClock(0, silent)
    for number in range(100):
        exposures.exposed_ns(number * 10 * MS, SECOND + number * 10 * MS)
    for start in (0, 900 * SECOND):  # back, then far ahead
        assert exposures.exposed_ns(start, 5 * SECOND) == 5 * SECOND
        assert exposures.exposed_ns(start + MS, 5 * SECOND + 9 * MS) == 5 * SECOND + MS


points = st.lists(
    st.tuples(st.integers(0, 60 * SECOND), st.integers(0, 60 * SECOND)), min_size=1, max_size=40
)


@given(points, EPOCHS, EPOCHS)
def test_no_point_lies_below_the_line(points: list[tuple[int, int]], x0: int, y0: int) -> None:
    moved = [(x0 + x, y0 + y) for x, y in points]
    line = below(moved, 5e-4, 2 * SECOND)
    assert min(y - line.at(x) for x, y in moved) == 0
    assert abs(line.slope) <= 5e-4


@given(EPOCHS, EPOCHS, st.floats(-4e-4, 4e-4))
def test_a_line_through_points_on_it_is_that_line(x0: int, y0: int, slope: float) -> None:
    on_it = [(x0 + x, y0 + x + round(x * slope)) for x in range(0, 60 * SECOND, SECOND)]
    line = through(on_it, [1.0, 2.0, 3.0] * 20, 5e-4, 2 * SECOND)
    assert all(abs(line.at(x) - y) <= 2 for x, y in on_it)
    assert line.slope == pytest.approx(slope, abs=1e-9)
