"""One version of a recipe, as its file says it."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from models.camera_parameters import ANY_CAMERA, CameraParameters
from models.geometry import STRIDE, Box, TileStride
from models.mode import Mode
from models.polygons import Polygon
from models.records import Record

#: Fields that decide what is looked at, or how it is scored: another value, another threshold.
THRESHOLD_FIELDS = (
    "bundle",
    "alpha",
    "region_of_interest",
    "regions",
    "ignored",
    "ignore_mask",
    "mode",
    "tile_share",
    "tile_stride",
)

FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_.-]*$", max_length=255)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
#: Also the name of a folder, which neither is hidden nor leads out of the library.
RecipeName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_.-]*$", max_length=64)]
RecipeId = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]


class Recipe(Record):
    """All that decides a verdict. A version's file never changes once it is written."""

    format: Literal[2] = 2
    name: RecipeName
    id: RecipeId | None = None  # what PLCs call it; unique in a library
    version: int = Field(ge=1)
    created: str = ""  # ISO 8601, UTC; the store fills it in
    bundle: str  # folder, relative to the recipe's
    calibration: FileName  # in the recipe's folder
    alpha: float = Field(default=0.5, ge=0, le=1)  # weight of the local map (eq. 4.12)
    region_of_interest: Box | None = None
    #: What is inspected within that box, in frame pixels; none: all of it.
    regions: tuple[Polygon, ...] = ()
    ignored: tuple[Polygon, ...] = ()  # what of it is not
    #: PNG as large as the frame, in the recipe's folder: what is white is not inspected.
    ignore_mask: FileName | None = None
    mode: Mode | None = None  # None: the bundle's one scale, or pyramid where it has both
    tile_share: float = Field(default=0.1, gt=0, lt=1)  # of good parts, in mode adaptive
    #: Pixels from tile to tile for the global map; below 224 they overlap and are blended.
    tile_stride: TileStride = STRIDE
    minimum_region_area: float = Field(default=0, ge=0)  # square pixels
    minimum_region_area_mm2: float | None = Field(default=None, gt=0)  # or in mm2
    deadline_ms: int = Field(default=2000, ge=1, le=600_000)  # exposure to publication
    #: What makes a part FAIL: one view at or above the threshold, or the mean of all scores there;
    #: a missing view is NO_VERDICT either way.
    view_fusion: Literal["any", "mean"] = "any"
    pixels_per_mm: float | None = Field(default=None, gt=0)
    #: By name of a station's camera; ``*`` stands for those without an entry, and under the others.
    camera: dict[str, CameraParameters] = Field(default={}, max_length=64)
    #: SHA-256 of each file in the folder that this version names; the store fills it in.
    files: dict[FileName, Sha256] = Field(default={})

    @model_validator(mode="after")
    def _one_area(self) -> Self:
        if self.minimum_region_area_mm2 is None:
            return self
        if self.minimum_region_area:
            raise ValueError(
                "minimum_region_area (pixels) and minimum_region_area_mm2 are both set;"
                " set one of the two"
            )
        if self.pixels_per_mm is None:
            raise ValueError("minimum_region_area_mm2 takes pixels_per_mm; set that too")
        return self

    @model_validator(mode="after")
    def _none_of_the_stores_files(self) -> Self:
        for name in self.named:
            if not name.startswith(("calibration-", "ignore-")):
                raise ValueError(f"{name}: files of a version are calibration-* and ignore-*")
        return self

    @property
    def least_area(self) -> float:
        """The smallest region that counts, in square pixels."""
        if self.minimum_region_area_mm2 is None or self.pixels_per_mm is None:
            return self.minimum_region_area
        return self.minimum_region_area_mm2 * self.pixels_per_mm**2

    @property
    def named(self) -> tuple[str, ...]:
        """The files in the recipe's folder that this version is made of, beside its own."""
        return (self.calibration, *([self.ignore_mask] if self.ignore_mask else []))

    def camera_parameters(self, camera: str) -> CameraParameters:
        """Give what is to be set on a camera of a station."""
        given: Mapping[str, CameraParameters] = self.camera
        base = given.get(ANY_CAMERA, CameraParameters())
        return given[camera].over(base) if camera in given else base


def recipe_file(version: int) -> str:
    """Name the file of a version."""
    return f"recipe-{version}.json"
