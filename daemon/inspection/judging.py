"""What judges a part: a recipe, and the engines that run it."""

from dataclasses import dataclass

from daemon.inspection.infer import Inspector
from models.recipe import LoadedRecipe


@dataclass(frozen=True, eq=False)
class Judging:
    """A recipe with an inspector for each worker. A part has one, for all its views.

    It travels with the part's claims, so that what was in use before is gone when the last part
    that it judged has its verdict.
    """

    recipe: LoadedRecipe
    inspectors: tuple[Inspector, ...]

    @property
    def engine(self) -> str:
        """The fingerprint of its engines."""
        return self.inspectors[0].engine.fingerprint

    @property
    def devices(self) -> set[str]:
        """Name the CUDA devices of its engines."""
        engines = (inspector.engine for inspector in self.inspectors)
        return {str(engine.device) for engine in engines if engine.device.type == "cuda"}

    def __str__(self) -> str:
        recipe = self.recipe.recipe
        return f"recipe {recipe.name} version {recipe.version}"
