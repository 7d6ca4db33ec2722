"""What ``effad-recipe shadow`` asks a daemon, and says of its answer."""

import threading
from collections.abc import Iterator

import pytest

from daemon.changeover.told import RecipeInUse, ScoreQuantiles, ShadowReport
from daemon.control.server import Answer, ControlServer, Peer
from daemon.recipes.command import main
from daemon.replies import Reply
from daemon.requests import GetShadow, Request, Shadow

REPORT = ShadowReport(
    station="nut",
    shadow=RecipeInUse(recipe="b", version=3, bundle="x", calibration="y", engine="z"),
    since_ns=1,
    compared=200,
    both_pass=190,
    both_fail=4,
    only_deciding_fails=1,
    only_shadow_fails=5,
    skipped=30,
    failed=0,
    agreement=0.97,
    deciding_scores=ScoreQuantiles(threshold=0.5, q50=0.1, q90=0.2, q99=0.6, maximum=0.9),
    shadow_scores=ScoreQuantiles(threshold=0.4, q50=0.1, q90=0.2, q99=0.5, maximum=0.8),
    other_camera_parameters=True,
)


@pytest.fixture
def asked() -> Iterator[tuple[str, list[Request]]]:
    """A daemon's control socket, and what it was asked."""
    requests: list[Request] = []

    def handle(request: Request, peer: Peer) -> Answer:
        requests.append(request)
        return Answer(Reply(id=request.id, ok=True, shadow=REPORT))

    server, stop = ControlServer("tcp://127.0.0.1:*", handle), threading.Event()
    thread = threading.Thread(target=server.serve, args=(stop,), daemon=True)
    thread.start()
    yield server.wait_bound(10), requests
    stop.set()
    thread.join(10)


def test_a_recipe_is_asked_for_by_name_or_number_and_the_report_is_told(
    asked: tuple[str, list[Request]], capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint, requests = asked
    assert main(["shadow", "7", "--version", "3", "--daemon", endpoint]) == 0
    assert main(["shadow", "--daemon", endpoint]) == 0
    assert main(["shadow", "--off", "--json", "--daemon", endpoint]) == 0
    assert requests == [Shadow(recipe=7, version=3), GetShadow(), Shadow(on=False)]
    said = capsys.readouterr().out
    for words in (
        "recipe b version 3 looks on; 200 parts compared, 30 skipped",
        "it will see other frames",
        "agreement 97.00%",
        "only the deciding one FAIL 1, only this one FAIL 5",
        "q99 0.5000, maximum 0.8000; threshold 0.4000",
    ):
        assert words in said
    assert ShadowReport.model_validate_json(said[said.index("{\n") :]) == REPORT


def test_a_recipe_and_off_do_not_go_together(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["shadow", "7", "--off", "--daemon", "tcp://127.0.0.1:1"]) == 2
    assert "leave them out" in capsys.readouterr().err
