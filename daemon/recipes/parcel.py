"""One version of a recipe as one file, with its calibration, masks and bundle.

An uncompressed tar (weights do not compress): ``manifest.json`` first, which names size and SHA-256
of every other member, then ``recipe/...`` and ``bundle/...``. No times or owners: the same version
gives the same bytes. Nothing of a file that comes from elsewhere is believed: members are plain
files with the manifest's names, written by effad under these names, and no longer than it says.
"""

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Annotated, Literal

from pydantic import Field

from models.errors import InputError
from models.recipe_record import RecipeId, RecipeName, Sha256
from models.records import Record

MANIFEST = "manifest.json"
RECIPE, BUNDLE = "recipe", "bundle"
MOST_BYTES = 8 << 30  # a parcel; the largest bundle has two scales of the medium network: 0.3 GiB
_MOST_MANIFEST = 1 << 20
_CHUNK = 1 << 20

MemberName = Annotated[
    str, Field(pattern=r"^(recipe|bundle)/[A-Za-z0-9_-][A-Za-z0-9_.-]*$", max_length=255)
]


class Member(Record):
    size: int = Field(ge=0, le=MOST_BYTES)  # bytes
    sha256: Sha256


class ParcelManifest(Record):
    format: Literal[1] = 1
    name: RecipeName
    id: RecipeId | None = None
    version: int = Field(ge=1, lt=10**9)
    bundle: Sha256  # of the bundle's manifest
    members: dict[MemberName, Member] = Field(min_length=2, max_length=64)


def pack(file: IO[bytes], manifest: ParcelManifest, sources: dict[str, Path]) -> None:
    """Write a parcel; ``sources``: the file of each member.

    Raises ``InputError`` if one is no longer what the manifest says.
    """
    members = dict(sorted(manifest.members.items()))
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        ordered = manifest.model_copy(update={"members": members})
        head = ordered.model_dump_json(indent=1).encode() + b"\n"
        tar.addfile(_info(MANIFEST, len(head)), io.BytesIO(head))
        for name, member in members.items():
            with sources[name].open("rb") as source:
                hashed = _Hashed(source)
                if os.fstat(source.fileno()).st_size == member.size:
                    tar.addfile(_info(name, member.size), hashed)
                if hashed.sha256 != member.sha256:
                    raise InputError(
                        f"{sources[name]}: changed while it was exported; export again"
                    )


def unpack(path: Path, folder: Path) -> ParcelManifest:
    """Write the members of a parcel into a new folder, below ``recipe`` and ``bundle``.

    Raises ``InputError`` if anything is not as its manifest says: the folder is then to be removed.
    """
    try:
        with tarfile.open(path, mode="r:") as tar:
            members = iter(tar)
            manifest = _manifest(path, tar, members)
            for name in (RECIPE, BUNDLE):
                (folder / name).mkdir()
            missing = dict(manifest.members)
            for info in members:
                wanted = missing.pop(info.name, None)
                if wanted is None:
                    raise InputError(f"{path}: member {info.name!r} is not one that it names")
                _write(path, tar, info, wanted, folder / info.name)
    except (tarfile.TarError, EOFError) as error:
        raise InputError(
            f"{path}: not a recipe that effad exported, or cut short ({error}); copy it again"
        ) from error
    if missing:
        raise InputError(f"{path}: {min(missing)} is missing; copy it again")
    return manifest


def _manifest(
    path: Path, tar: tarfile.TarFile, members: Iterator[tarfile.TarInfo]
) -> ParcelManifest:
    first = next(members, None)
    source = tar.extractfile(first) if first is not None and first.isreg() else None
    if first is None or source is None or first.name != MANIFEST or first.size > _MOST_MANIFEST:
        raise InputError(f"{path}: does not begin with {MANIFEST}; effad-recipe export makes such")
    manifest = ParcelManifest.parse(source.read(), f"{path}:{MANIFEST}")
    if sum(member.size for member in manifest.members.values()) > MOST_BYTES:
        raise InputError(f"{path}: says that it holds more than {MOST_BYTES >> 30} GiB")
    return manifest


def _write(
    path: Path, tar: tarfile.TarFile, info: tarfile.TarInfo, wanted: Member, target: Path
) -> None:
    source = tar.extractfile(info) if info.isreg() else None  # no links, devices or folders
    if source is None or info.size != wanted.size:
        raise InputError(f"{path}: member {info.name} is not a file of {wanted.size} bytes")
    hashed = hashlib.sha256()
    with target.open("xb") as file:
        while chunk := source.read(_CHUNK):
            hashed.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    if hashed.hexdigest() != wanted.sha256:
        raise InputError(f"{path}: {info.name} was damaged on its way; copy it again")
    target.chmod(0o444)


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size = size
    return info  # mode 0644, and no time, user or group


class _Hashed:
    """A file that is hashed as it is read."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        chunk = self._source.read(size)
        self._hash.update(chunk)
        return chunk

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()
