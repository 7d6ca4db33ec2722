"""What is wrong with a version, found out without changing anything."""

from dataclasses import dataclass
from pathlib import Path

from models import recipe as recipes
from models.errors import InputError
from models.recipe import LoadedRecipe


@dataclass(frozen=True)
class Health:
    """A version that loads, or why it does not."""

    loaded: LoadedRecipe | None
    fault: str | None

    @property
    def threshold(self) -> str:
        if self.loaded is None:
            return "not valid"
        made = self.loaded.calibration
        return f"{made.threshold:.4f} from {made.parts} parts"


def examine(folder: Path, version: int) -> Health:
    """Load a version whole, as an activation does."""
    try:
        return Health(recipes.load(folder, version), None)
    except InputError as error:
        return Health(None, str(error))
