"""An output has one way to the gate, and no verdict in time is too late for it."""

import pytest
from pydantic import ValidationError

from daemon.camera.gate import OutputPlan
from daemon.cameras import check_output, output_plan
from daemon.settings import CameraSettings
from models.errors import InputError


def settings(**keys: object) -> CameraSettings:
    return CameraSettings.model_validate({"producer": "simulator", **keys})


def test_a_camera_has_no_output_unless_a_line_is_named() -> None:
    assert output_plan(settings()) is None
    check_output(settings(), 100)


@pytest.mark.parametrize(
    ("keys", "delay_ms", "counts"),
    [
        ({"output_delay_ms": 120.5}, 120.5, None),
        ({"output_encoder_counts": 4000}, None, 4000),
    ],
)
def test_an_output_has_one_way_to_the_gate(
    keys: dict[str, object], delay_ms: float | None, counts: int | None
) -> None:
    camera = settings(output_line="Line2", output_user="UserOutput1", output_pulse_ms=15, **keys)
    assert output_plan(camera) == OutputPlan(
        line="Line2",
        user_output="UserOutput1",
        pulse_ms=15,
        delay_ms=delay_ms,
        encoder_counts=counts,
    )


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"output_line": "Line1"}, "are not set; set one of the two"),
        (
            {"output_line": "Line1", "output_delay_ms": 1, "output_encoder_counts": 1},
            "are both set; set one of the two",
        ),
        ({"output_delay_ms": 100}, "but no output_line; set that too"),
        ({"output_encoder_counts": 100}, "but no output_line; set that too"),
    ],
)
def test_what_makes_no_output_is_refused(keys: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        settings(**keys)


def test_a_gate_must_not_come_before_the_deadline() -> None:
    camera = settings(output_line="Line1", output_delay_ms=99.5)
    check_output(camera, 99.5)
    with pytest.raises(InputError, match=r"output_delay_ms = 99.5: the recipe's deadline is 100"):
        check_output(camera, 100)
    check_output(settings(output_line="Line1", output_encoder_counts=1), 100)
