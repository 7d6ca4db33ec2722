"""``effad-recipe import``: take up what another line PC exported."""

import argparse
import shutil
import tempfile
from pathlib import Path

from daemon.recipes.export import home
from daemon.recipes.parcel import BUNDLE, RECIPE, ParcelManifest, unpack
from daemon.recipes.say import say
from models import bundle as bundles
from models import recipe as recipes
from models import recipe_store as store
from models.errors import InputError
from models.recipe import LoadedRecipe, Recipe
from models.recipe_library import check_free
from models.recipe_record import recipe_file
from models.records import sync

_TEMPORARY = ".import-"


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    verb = verbs.add_parser(
        "import",
        help="take up a file that export wrote",
        description="Check a file that effad-recipe export wrote and take it up into a library, as"
        " a new recipe or as a further version of one that is there. Nothing is overwritten, and"
        " nothing is activated.",
    )
    verb.add_argument("file", type=Path, metavar="FILE")
    verb.add_argument("library", type=Path, metavar="LIBRARY", help="folder of recipe folders")
    verb.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    folder, recipe, fresh = take_up(args.file, args.library)
    if not fresh:
        say(f"{folder}: version {recipe.version} is there already, with the same content")
        return 0
    say(
        f"{folder}: version {recipe.version} taken up, not active",
        f"next: effad-recipe activate {folder} --version {recipe.version}",
    )
    return 0


def take_up(file: Path, library: Path) -> tuple[Path, Recipe, bool]:
    """Import a parcel; gives the recipe's folder, the version, and whether it is new here.

    Raises ``InputError`` if the parcel is damaged or does not belong together, if the version
    exists with other content, or if another recipe has its name or number; the library is then
    what it was.
    """
    if not file.is_file():
        raise InputError(f"{file}: no such file")
    with store.locked(library):
        for left in library.glob(f"{_TEMPORARY}*"):  # by a killed import
            shutil.rmtree(left)
        temporary = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=library))
        try:
            loaded = _checked(file, temporary)
            return _place(file, library, loaded)
        except OSError as error:
            raise InputError(f"{library}: {file} not taken up: {error.strerror}") from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _checked(file: Path, temporary: Path) -> LoadedRecipe:
    """Unpack into a recipe's folder of its own, and load that whole."""
    manifest = unpack(file, temporary)
    folder = temporary / RECIPE
    (temporary / BUNDLE).rename(folder / home(manifest.bundle))
    (folder / home(manifest.bundle)).chmod(0o755)  # whatever the umask: the daemon is another user
    folder.chmod(0o755)
    loaded = recipes.load(folder, manifest.version)
    _agree(file, manifest, loaded)
    return loaded


def _agree(file: Path, manifest: ParcelManifest, loaded: LoadedRecipe) -> None:
    recipe = loaded.recipe
    files = sorted(path.name for path in loaded.path.iterdir() if path.is_file())
    pairs: dict[str, tuple[object, object]] = {
        "name": (recipe.name, manifest.name),
        "id": (recipe.id, manifest.id),
        "bundle": (recipe.bundle, home(loaded.bundle.sha256)),
        "manifest": (manifest.bundle, loaded.bundle.sha256),
        "files": (files, sorted([*recipe.named, recipe_file(recipe.version)])),
    }
    for key, (found, expected) in pairs.items():
        if found != expected:
            raise InputError(f"{file}: {key} is {found!r}, and should be {expected!r}")


def _place(file: Path, library: Path, loaded: LoadedRecipe) -> tuple[Path, Recipe, bool]:
    recipe, folder = loaded.recipe, library / loaded.recipe.name
    check_free(library, folder, recipe.name, recipe.id)
    if not folder.exists():
        loaded.path.rename(folder)
        sync(library)
        return folder, recipe, True
    with store.locked(folder):
        if recipe.version in store.versions(folder):
            _same(file, folder, loaded)
            return folder, recipe, False
        bundle = folder / recipe.bundle
        if bundle.exists():
            bundles.load(bundle)  # of an earlier import; it may have been damaged since
        else:
            loaded.bundle.path.rename(bundle)
            sync(folder)
        files = {name: (loaded.path / name).read_bytes() for name in recipe.named}
        store.add(folder, recipe, files)
    return folder, recipe, True


def _same(file: Path, folder: Path, loaded: LoadedRecipe) -> None:
    """Raise ``InputError`` unless a version that is there says the same as an imported one."""
    there = store.read(folder, loaded.recipe.version)
    here = loaded.recipe.model_copy(update={"bundle": there.bundle})
    if there != here:
        raise InputError(
            f"{folder}: version {there.version} exists, and {file} holds another;"
            " versions do not change: give the recipe another name where it comes from"
            " (effad-recipe edit RECIPE --set name=NAME), and export it again"
        )
