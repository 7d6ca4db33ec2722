"""Change a version of a recipe in place, which effad itself never does."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from models import recipe_store as store
from models.recipe_record import recipe_file
from models.records import sha256


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a JSON file."""
    content = json.loads(path.read_text())
    change(content)
    path.unlink()  # it may be read-only
    path.write_text(json.dumps(content))


def edit_recipe(folder: Path, **changes: object) -> None:
    """Change keys of the active version."""
    edit(folder / recipe_file(store.active(folder) or 0), lambda recipe: recipe.update(changes))


def edit_calibration(folder: Path, **changes: object) -> None:
    """Change keys of the active version's calibration, as if it had been made so."""
    recipe = store.read(folder)
    path = folder / recipe.calibration
    edit(path, lambda calibration: calibration.update(changes))
    edit_recipe(folder, files={**recipe.files, path.name: sha256(path)})
