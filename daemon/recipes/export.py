"""``effad-recipe export``: a version as one file that another line PC imports."""

import argparse
import os
from pathlib import Path

from daemon.recipes.parcel import BUNDLE, RECIPE, Member, ParcelManifest, pack
from daemon.recipes.say import say
from models import bundle as bundles
from models import recipe as recipes
from models.errors import InputError
from models.recipe import LoadedRecipe
from models.recipe_record import recipe_file
from models.records import sha256, sync
from models.version_files import PARTIAL


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    verb = verbs.add_parser(
        "export",
        help="write a version with its bundle into one file",
        description="Write a version with its calibration, masks and bundle into one file, which"
        " effad-recipe import checks and takes up on another PC. The same version gives the same"
        " bytes.",
    )
    verb.add_argument("recipe", type=Path, metavar="RECIPE", help="its folder")
    verb.add_argument("file", type=Path, metavar="FILE", help="to write, such as nut-3.effad")
    verb.add_argument("--version", type=int, metavar="N", help="to export [the active one]")
    verb.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    loaded = recipes.load(args.recipe, args.version)
    export(loaded, args.file)
    size = args.file.stat().st_size / 1e6
    say(
        f"{args.file}: recipe {loaded.recipe.name} version {loaded.recipe.version}, {size:.1f} MB",
        f"next, on the other PC: effad-recipe import {args.file.name} LIBRARY",
    )
    return 0


def home(bundle_sha256: str) -> str:
    """Name the folder within a recipe's that a bundle has once it is imported."""
    return f"bundle-{bundle_sha256[:16]}"


def export(loaded: LoadedRecipe, file: Path) -> None:
    """Write a parcel; raises ``InputError`` if the file exists or cannot be written."""
    if file.exists():
        raise InputError(f"{file}: exists; name another file")
    partial = file.with_name(f".{file.name}.{os.getpid()}{PARTIAL}")
    record = partial.with_name(f"{partial.name}.recipe")
    try:
        # Where it will be, the bundle lies in the recipe's own folder.
        moved = loaded.recipe.model_copy(update={"bundle": home(loaded.bundle.sha256)})
        record.write_bytes(moved.model_dump_json(indent=1).encode() + b"\n")
        sources = {f"{RECIPE}/{recipe_file(moved.version)}": record}
        sources |= {f"{RECIPE}/{name}": loaded.path / name for name in moved.named}
        sources |= {f"{BUNDLE}/{path.name}": path for path in _bundle_files(loaded)}
        manifest = ParcelManifest(
            name=moved.name,
            id=moved.id,
            version=moved.version,
            bundle=loaded.bundle.sha256,
            members={
                name: Member(size=path.stat().st_size, sha256=sha256(path))
                for name, path in sources.items()
            },
        )
        with partial.open("xb") as target:
            pack(target, manifest, sources)
            target.flush()
            os.fsync(target.fileno())
        os.link(partial, file)
        sync(file.parent)
    except OSError as error:
        raise InputError(f"{file}: not written: {error.strerror}") from error
    finally:
        for path in (partial, record):
            path.unlink(missing_ok=True)


def _bundle_files(loaded: LoadedRecipe) -> list[Path]:
    """Give the files that a bundle's manifest names, and it."""
    manifest = loaded.bundle.manifest
    named = {bundles.MANIFEST, manifest.teacher.name, manifest.reference.frame.name}
    named.add(manifest.reference.maps.name)
    for scale in manifest.scales:
        named |= {scale.student.name, scale.autoencoder.name}
        named |= {scale.reduced.name} if scale.reduced else set()
    return [loaded.bundle.path / name for name in sorted(named)]
