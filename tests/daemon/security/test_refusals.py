"""Who is refused often is logged seldom, and all are counted."""

from structlog.testing import capture_logs

from daemon.security.refusals import PERIOD, Refusals


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_once_in_a_period_and_then_how_many_more() -> None:
    clock = Clock()
    refusals = Refusals("door", clock)
    with capture_logs() as entries:
        for _ in range(5):
            refusals.tell("a", "refused", why="x")
        refusals.tell("b", "refused", why="x")
        clock.now = PERIOD + 1
        refusals.settle()
        refusals.settle()
        refusals.tell("a", "refused", why="x")
    assert [(entry["who"], entry.get("left_out")) for entry in entries] == [
        ("a", None),
        ("b", None),
        ("a", 4),
        ("a", None),
    ]


def test_however_many_there_are_memory_and_log_are_bounded() -> None:
    clock = Clock()
    refusals = Refusals("door", clock)
    with capture_logs() as entries:
        for number in range(5000):
            refusals.tell(str(number), "refused")
        assert len(entries) == 1001
        clock.now = PERIOD + 1
        refusals.settle()
    assert entries[-1]["left_out"] == 3999
