"""A slot becomes free once, when the last who looks at it lets go."""

import pytest

from daemon.frames import Lease


def test_the_last_to_let_go_frees_the_slot() -> None:
    freed: list[int] = []
    lease = Lease(lambda: freed.append(1))
    assert lease.share() is lease
    lease.let_go()
    assert freed == []
    lease.let_go()
    assert freed == [1]


def test_a_slot_that_is_free_is_nobody_s_any_more() -> None:
    lease = Lease(lambda: None)
    lease.let_go()
    with pytest.raises(RuntimeError, match="twice"):
        lease.let_go()
    other = Lease(lambda: None)
    other.let_go()
    with pytest.raises(RuntimeError, match="free again"):
        other.share()
