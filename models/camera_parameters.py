"""What a recipe sets on its cameras when it is activated."""

from typing import Annotated, Self, TypeAlias

from pydantic import Field, StrictBool, StrictFloat, StrictInt, model_validator

from models.records import Record

_Text = Annotated[str, Field(max_length=256)]
#: A GenICam feature's value: Boolean, Integer, Float, Enumeration or String.
FeatureValue: TypeAlias = StrictBool | StrictInt | StrictFloat | _Text
FeatureName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=64)]

#: Cameras of a station that no entry names.
ANY_CAMERA = "*"
#: Set by fields of their own, whose names carry the unit.
_FIELDS = {"ExposureTime": "exposure_us", "Gain": "gain_db"}
#: effad's own: triggers are counted by them, and slots are as large as the frames at start.
_OWN = (
    "Trigger",
    "Acquisition",
    "Counter",
    "Encoder",
    "Line",
    "UserOutput",
    "UserSet",
    "Width",
    "Height",
    "PixelFormat",
    "PayloadSize",
    "Binning",
    "Decimation",
    "Transfer",
    "Device",
)


class CameraParameters(Record):
    """Parameters of one camera; what is not named stays as the camera has it."""

    exposure_us: float | None = Field(default=None, gt=0, le=60_000_000)  # ExposureTime
    gain_db: float | None = Field(default=None, ge=-100, le=100)  # Gain
    #: Further GenICam features, set in this order; selectors therefore come first.
    features: dict[FeatureName, FeatureValue] = Field(default={}, max_length=64)

    @model_validator(mode="after")
    def _not_effads_own(self) -> Self:
        for name in self.features:
            if name in _FIELDS:
                raise ValueError(f"feature {name} is set by {_FIELDS[name]}; set that instead")
            if name.startswith(_OWN):
                raise ValueError(
                    f"feature {name} is not a recipe's to set: effad's account of triggers and its"
                    " memory depend on it; set it in the camera's user set"
                )
        return self

    def over(self, base: "CameraParameters") -> "CameraParameters":
        """Give ``base`` with what is set here in its place."""
        own = self.exposure_us, self.gain_db
        return CameraParameters(
            exposure_us=base.exposure_us if own[0] is None else own[0],
            gain_db=base.gain_db if own[1] is None else own[1],
            features={**base.features, **self.features},
        )

    def as_features(self) -> dict[str, FeatureValue]:
        """Give all that is to be set, by its GenICam name, in order."""
        own: dict[str, FeatureValue] = {}
        if self.exposure_us is not None:
            own["ExposureTime"] = self.exposure_us
        if self.gain_db is not None:
            own["Gain"] = self.gain_db
        return {**own, **self.features}
