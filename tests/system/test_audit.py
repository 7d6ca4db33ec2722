"""The auditor finds what a daemon does wrong, and nothing where it does right."""

from pathlib import Path

import pytest

from daemon.simulator.scene import Fault
from tests.audit.audited import SERIAL, Audited, Setting, made_recipe
from tests.audit.planted import AT

DEADLINE_MS = 500


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_recipe(tmp_path_factory.mktemp("audit"), DEADLINE_MS)


def setting(recipe: Path, *launch: str) -> Setting:
    return Setting(
        recipe,
        deadline_ms=DEADLINE_MS,
        rate_hz=100,
        capacity=1 << 12,
        heartbeat_s=0.2,
        launch=("tests.audit.launch", *launch),
    )


def test_a_line_with_every_fault_passes_the_audit(recipe: Path, tmp_path: Path) -> None:
    with Audited(tmp_path, setting(recipe)) as line:
        line.until(20)
        for fault, amount in (
            (Fault.DROP, 2),
            (Fault.INCOMPLETE, 2),
            (Fault.SHORT, 2),
            (Fault.RESIZE, 2),
            (Fault.STALL, 200),
            (Fault.LOST, 300),
        ):
            line.scene.fault(SERIAL, fault, amount)
            line.until(line.triggers + 20)
        status, found = line.finish()
    assert (status, found["shown"]) == (0, [])
    assert found["triggers"] == found["verdicts"] >= 140
    assert {"PASS", "FAIL", "frame_lost", "incomplete", "invalid"} <= found["by_word"].keys()
    assert found["acquisitions"] == 2  # it was lost, and came back


@pytest.mark.parametrize(
    ("bug", "words"),
    [
        ("swallowed", f"trigger {AT} (delivered): no verdict"),
        ("doubled", f"seq {AT} came again after {AT}"),
        ("wrong_reason", "frame_lost, must be incomplete"),
        ("stale_frame", f"trigger {AT}: image 7 is"),
        ("invented_overrun", f"seq {AT}: overrun, must be FAIL or PASS"),
        ("late_pass", "ms after its trigger, too late"),
    ],
)
def test_a_planted_bug_is_found(bug: str, words: str, recipe: Path, tmp_path: Path) -> None:
    with Audited(tmp_path, setting(recipe, "--plant", bug)) as line:
        if bug == "wrong_reason":
            line.until(40)
            line.scene.fault(SERIAL, Fault.INCOMPLETE)
        line.until(4 * AT)
        status, found = line.finish()
    assert status == 1
    assert any(words in said for said in found["shown"]), found
