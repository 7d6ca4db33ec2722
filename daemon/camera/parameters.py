"""What a recipe sets on a camera: all of it, or none."""

from collections.abc import Mapping

from daemon import log
from daemon.camera.buffer import CAMERA_ERRORS
from daemon.camera.device import Camera
from models.camera_parameters import FeatureValue
from models.errors import InputError

#: What would set a feature against the recipe's will, and is therefore switched off first.
_AUTOMATIC = {"ExposureTime": "ExposureAuto", "Gain": "GainAuto"}
_REFUSALS = (*CAMERA_ERRORS, AttributeError, TypeError, ValueError)


def configure(camera: Camera, features: Mapping[str, FeatureValue]) -> dict[str, FeatureValue]:
    """Set a camera's GenICam features, in this order; give what they were before, in that order.

    Raises ``InputError`` at the first that the camera does not take, once what was set before it is
    as it was. A camera may round to what it can do.
    """
    before: dict[str, FeatureValue] = {}
    for name, value in _with_automatics_off(camera, features).items():
        was = camera.node(name)
        try:
            camera.write(name, value)
        except _REFUSALS as error:
            _set_back(camera, before)
            raise InputError(_refused(camera, name, value, was, error)) from error
        if was is not None:
            before[name] = was
        now = camera.node(name)
        if now != value:
            log.get("camera").info("camera rounds", feature=name, wanted=value, set=now)
    return before


def _with_automatics_off(
    camera: Camera, features: Mapping[str, FeatureValue]
) -> dict[str, FeatureValue]:
    wanted: dict[str, FeatureValue] = {}
    for name, value in features.items():
        automatic = _AUTOMATIC.get(name)
        if automatic and automatic not in features and camera.node(automatic) not in (None, "Off"):
            wanted[automatic] = "Off"
        wanted[name] = value
    return wanted


def _set_back(camera: Camera, before: Mapping[str, FeatureValue]) -> None:
    for name, value in reversed(list(before.items())):
        try:
            camera.write(name, value)
        except _REFUSALS as error:
            log.get("camera").error("not set back", feature=name, value=value, error=repr(error))


def _refused(
    camera: Camera, name: str, value: FeatureValue, was: object, error: BaseException
) -> str:
    said = " ".join(str(error).split())[:200]
    if was is None:
        return f"{name} = {value!r}: the camera has no such feature, or it cannot be read now"
    return (
        f"{name} = {value!r}: the camera refuses it ({said}), and keeps {was!r}; correct the"
        " recipe's camera parameters, or StopJob first where the camera takes it at rest alone"
    )
