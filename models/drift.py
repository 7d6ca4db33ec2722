"""What good frames of a calibration looked like, and what it means if they no longer do."""

from collections.abc import Collection, Mapping
from enum import StrEnum

from pydantic import model_validator

from models.records import Record
from models.sequential import ShiftTest


class Channel(StrEnum):
    """What of a good frame is watched."""

    SCORE = "score"  # the anomaly map's maximum
    LOCAL = "local"  # ``models.levels.local_level`` of the raw maps
    BRIGHTNESS = "brightness"  # ``models.light.light`` of the region of interest
    SHARPNESS = "sharpness"


class Cause(StrEnum):
    """What a drift is put down to."""

    PRODUCT = "product"
    FOCUS = "focus"
    LIGHT = "light"


#: Changes that are none: a share of the reference's median; of the brightness half a grey level.
_TOLERANCE = {Channel.SCORE: 0.01, Channel.LOCAL: 0.01, Channel.SHARPNESS: 0.02}
_GREY_LEVEL = 1 / 255
#: Share of its limit at which a channel is held to take part in a drift that another one told.
_LEANING = 0.5

_WORDS = {
    Cause.LIGHT: "the light or the exposure has changed",
    Cause.FOCUS: "the focus has changed, or the lens is dirty",
    Cause.PRODUCT: "the product has changed: light and focus have not",
}


class DriftReference(Record):
    """One value a good frame; all four in the same order of frames (sorted by digest)."""

    score: tuple[float, ...]  # the anomaly map's maximum
    local: tuple[float, ...]  # ``models.levels.local_level`` of the raw maps
    brightness: tuple[float, ...]  # ``models.light.light`` of the frame as shown, 0 to 1
    sharpness: tuple[float, ...]  # ``models.light.light``

    @model_validator(mode="after")
    def _even(self) -> "DriftReference":
        channels = (self.score, self.local, self.brightness, self.sharpness)
        if len({len(values) for values in channels}) != 1:
            raise ValueError("each channel must have one value a frame")
        return self

    def tests(self, threshold: float) -> dict[Channel, ShiftTest]:
        """Give a test of each channel, by the frames that pass; none if these are not even 2."""
        values = {
            channel: tuple(
                value
                for value, score in zip(getattr(self, channel), self.score, strict=True)
                if score < threshold
            )
            for channel in Channel
        }
        if len(values[Channel.SCORE]) < 2:
            return {}
        return {channel: _test(channel, those) for channel, those in values.items()}


def _test(channel: Channel, reference: Collection[float]) -> ShiftTest:
    if channel is Channel.BRIGHTNESS:
        return ShiftTest(tuple(reference), _GREY_LEVEL / 2)
    middle = sorted(reference)[len(reference) // 2]
    return ShiftTest(tuple(reference), _TOLERANCE[channel] * abs(middle))


def cause(tests: Mapping[Channel, ShiftTest]) -> Cause | None:
    """Say what a drift comes from; None if there is none.

    Light and focus change the scores as well, and not always later. So they are the cause as soon
    as they lean that way; of the two the light, for it changes what is seen of the edges too.
    """
    if not any(test.over for test in tests.values()):
        return None
    if abs(tests[Channel.BRIGHTNESS].level) >= _LEANING:
        return Cause.LIGHT
    if abs(tests[Channel.SHARPNESS].level) >= _LEANING:
        return Cause.FOCUS
    return Cause.PRODUCT


def explained(why: Cause, tests: Mapping[Channel, ShiftTest]) -> str:
    """Say a drift in a line, with the numbers of each channel that takes part."""
    changes = [
        f"{channel} {'rose' if test.level > 0 else 'fell'}"
        f" from {test.centre:.4g} to {test.recent:.4g}"
        for channel, test in tests.items()
        if abs(test.level) >= _LEANING
    ]
    return f"{why}: {_WORDS[why]} ({', '.join(changes)}); look there, or run effad-calibrate"
