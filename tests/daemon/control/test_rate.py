"""How often a peer may ask."""

from hypothesis import given
from hypothesis import strategies as st

from daemon.control.rate import Rates


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_twice_the_rate_at_once_and_then_the_rate() -> None:
    clock = Clock()
    rates = Rates(10, clock)
    assert [rates.allow(b"a") for _ in range(21)] == [True] * 20 + [False]
    assert rates.allow(b"b")
    clock.now = 0.25
    assert [rates.allow(b"a") for _ in range(3)] == [True, True, False]


@given(st.lists(st.floats(0, 3), max_size=200), st.integers(1, 50))
def test_no_peer_gets_more_than_burst_and_rate(pauses: list[float], rate: int) -> None:
    clock = Clock()
    rates = Rates(rate, clock)
    allowed = 0
    for pause in pauses:
        clock.now += pause
        allowed += rates.allow(b"a")
        assert allowed <= 2 * rate + rate * clock.now + 1e-6


def test_of_many_peers_the_idle_are_forgotten() -> None:
    rates = Rates(1, Clock())
    for number in range(5000):
        rates.allow(b"busy")
        assert rates.allow(number.to_bytes(4))
    assert len(rates) <= 1000
    assert not rates.allow(b"busy")
