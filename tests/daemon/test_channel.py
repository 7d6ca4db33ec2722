"""Channels end from both sides, and never lose an item unheard."""

import threading
from collections.abc import Iterator

import pytest

from daemon.channel import Channel, Closed, Crew, Holding, Last

LIMIT = 20.0


def test_items_come_out_in_order_and_then_the_end() -> None:
    crew, channel, got = Crew(lambda: None), Channel[int](2), list[int]()

    def produce() -> None:
        for number in range(1000):
            channel.put(number)
        channel.done()

    crew.start("producer", produce)
    crew.start("consumer", lambda: got.extend(channel))
    assert crew.join(LIMIT) == []
    assert got == list(range(1000))


def test_the_end_waits_for_the_last_producer() -> None:
    channel = Channel[int](4, producers=2)
    channel.put(1)
    channel.done()
    assert channel.get(0) == 1
    with pytest.raises(TimeoutError):
        channel.get(0)
    channel.put(2)
    channel.done()
    assert list(channel) == [2]


def test_a_producer_that_waits_hears_that_the_consumer_is_gone() -> None:
    channel, heard = Channel[int](1), threading.Event()
    channel.put(1)

    def produce() -> None:
        try:
            channel.put(2)
        except Closed:
            heard.set()

    crew = Crew(lambda: None)
    crew.start("producer", produce)
    assert channel.abandon() == [1], "what nobody took comes back, to be recycled"
    assert heard.wait(LIMIT)
    assert crew.join(LIMIT) == []


def test_offer_never_waits() -> None:
    channel = Channel[int](1)
    assert channel.offer(1)
    assert not channel.offer(2)
    assert channel.get(0) == 1
    channel.abandon()
    with pytest.raises(Closed):
        channel.offer(3)


def test_the_first_failure_is_told_and_raised() -> None:
    told = threading.Event()
    crew = Crew(told.set)

    def fail() -> None:
        raise ValueError("broken")

    crew.start("stage", fail)
    assert told.wait(LIMIT)
    assert crew.join(LIMIT) == []
    with pytest.raises(ValueError, match="broken"):
        crew.check()


def test_a_stage_whose_successor_ended_is_no_failure() -> None:
    crew, channel = Crew(lambda: None), Channel[int](1)
    channel.abandon()
    crew.start("producer", lambda: channel.put(1))
    assert crew.join(LIMIT) == []
    crew.check()


def test_last_runs_once_at_the_last() -> None:
    ran: list[int] = []
    last = Last(3, lambda: ran.append(1))
    last.done()
    last.done()
    assert ran == []
    last.done()
    assert ran == [1]


def test_holding_counts_while_an_item_is_held() -> None:
    holding = Holding("stage")

    def items() -> Iterator[int]:
        assert holding.seconds() == 0, "waiting for an item is not holding one"
        yield 1
        assert holding.seconds() == 0

    for _ in holding.watch(items()):
        first = holding.seconds()
        while holding.seconds() == first:
            pass
        assert holding.seconds() > 0
    assert holding.seconds() == 0
