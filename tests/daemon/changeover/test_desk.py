"""Orders are carried out one after the other, and whatever becomes of one, the next is taken."""

import os
import threading
from collections.abc import Iterator

import pytest

from daemon.changeover.desk import NICE, Desk, yield_to_others
from daemon.channel import Crew
from models.errors import InputError

LIMIT = 20.0


def never() -> bool:
    return False


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk, crew = Desk(never), Crew(lambda: None)
    crew.start("changeover", desk.run)
    yield desk
    desk.close()
    assert crew.join(LIMIT) == []
    crew.check()


def test_a_station_has_one_order_at_a_time_and_another_station_waits_its_turn(desk: Desk) -> None:
    begun, go = threading.Event(), threading.Event()

    def work() -> str:
        begun.set()
        assert go.wait(LIMIT)
        return "first"

    first = desk.submit("a", work)
    assert begun.wait(LIMIT)
    with pytest.raises(InputError, match="another recipe is being loaded"):
        desk.submit("a", lambda: "second")
    other = desk.submit("b", lambda: "other")
    assert not other.done()
    go.set()
    assert first.result(LIMIT) == "first"
    assert desk.submit("a", lambda: "third").result(LIMIT) == "third", "free as soon as it is told"
    assert other.result(LIMIT) == "other"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (InputError("no such recipe"), "no such recipe"),
        (RuntimeError("out of\nmemory"), "RuntimeError: out of memory"),
        (OSError(28, "No space left on device"), "OSError: .* No space left"),
    ],
)
def test_what_fails_is_told_in_a_line_and_the_next_is_taken(
    desk: Desk, error: Exception, said: str
) -> None:
    def work() -> None:
        raise error

    with pytest.raises(InputError, match=said):
        desk.submit("a", work).result(LIMIT)
    assert desk.submit("a", lambda: 1).result(LIMIT) == 1


def test_orders_that_wait_fail_when_effad_stops() -> None:
    desk = Desk(never)
    waits = desk.submit("a", lambda: 1)
    desk.close()
    desk.run()
    with pytest.raises(InputError, match="stopping"):
        waits.result(0)
    with pytest.raises(InputError, match="stopping"):
        desk.submit("b", lambda: 1)


def test_frames_that_wait_go_first() -> None:
    looks = iter([True, True, False])
    desk = Desk(lambda: next(looks))
    desk.step()
    assert next(looks, None) is None, "it went on at the first look that saw none wait"


def test_a_line_that_never_catches_up_does_not_stop_an_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("daemon.changeover.desk._GIVES_WAY", 0.02)
    Desk(lambda: True).step()


def test_giving_way_ends_when_effad_stops() -> None:
    desk = Desk(lambda: True)
    desk.close()
    with pytest.raises(InputError, match="stopping"):
        desk.step()


def test_yielding_is_the_threads_own() -> None:
    nice: list[int] = []

    def work() -> None:
        yield_to_others()
        nice.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    before = os.getpriority(os.PRIO_PROCESS, 0)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(LIMIT)
    assert nice == [NICE]
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
