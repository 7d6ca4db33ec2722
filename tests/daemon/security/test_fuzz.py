"""Whatever the control socket is sent, valid requests are answered; see bench/control_fuzz.py."""

from pathlib import Path

import pytest

from daemon.client import Requester
from daemon.requests import GetState
from daemon.security.command import main
from tests.daemon.security.fuzzing import fuzz, settled
from tests.daemon.security.guarded import guarded, make

COUNT = 4000


@pytest.mark.parametrize("secured", [True, False], ids=["keys", "no keys"])
def test_valid_requests_among_garbage_are_all_answered(tmp_path: Path, secured: bool) -> None:
    folder = tmp_path / "keys"
    main(["make-server", "--keys", str(folder)])
    keys = make(folder, "plc", "command") if secured else None
    with guarded(folder if secured else None) as line:
        books = fuzz(line, keys, seed=1, count=COUNT)
        counts = settled(line, books)
        assert (books.sent, books.valid) == (COUNT, COUNT // 5)
        assert books.unanswered == 0
        assert books.replies == books.sent
        assert books.wrong == []
        assert counts.garbage > COUNT // 3
        assert counts.limited == counts.refused == 0
        with Requester(line.endpoint, keys=keys) as requester:
            assert requester.ask(GetState()).ok
        assert not line.failed.is_set()
