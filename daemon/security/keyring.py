"""The daemon's keys: its own pair, and a folder with the public key of each client.

FOLDER/server.key_secret    effad's own pair (0600)
FOLDER/server.key           its public half, for clients
FOLDER/clients/NAME.key     a client's public key and its permission
"""

import os
import re
import stat
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from daemon import log
from daemon.security.certificate import Certificate, read, read_secret
from models.errors import InputError

SERVER = "server.key"
SERVER_SECRET = "server.key_secret"  # noqa: S105 (a file's name)
CLIENTS = "clients"
CREDENTIAL = "effad-server.key_secret"  # of LoadCredential= in the unit
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
_NAME_LIMIT = 64
_Marks: TypeAlias = tuple[int, ...]  # of a file or folder: differ when it does


class Permission(StrEnum):
    """What a client's key is good for."""

    WATCH = "watch"  # hear results and maps, and ask for what changes nothing
    COMMAND = "command"  # all requests


@dataclass(frozen=True)
class Client:
    """A client's key."""

    name: str
    permission: Permission
    public: str  # Z85
    made: str  # UTC, ISO 8601; empty if its file does not say


class Keyring:
    """The keys that the daemon knows. May be asked from any thread.

    The clients' folder is looked at for each question, so that a new key works, and a revoked one
    no longer, at once.
    """

    def __init__(self, server: Certificate, clients: Path) -> None:
        self.server = server
        self._folder = clients
        self._log = log.get("keys")
        self._lock = threading.Lock()
        self._seen: tuple[_Marks, dict[str, _Marks]] | None = None  # of the folder, of its files
        self._clients: Mapping[str, Client] = MappingProxyType({})

    @classmethod
    def load(cls, folder: Path) -> "Keyring":
        """Read a folder of keys; raises ``InputError`` if it is not as it must be.

        The server's pair is the service manager's credential where there is one.
        """
        credentials = os.environ.get("CREDENTIALS_DIRECTORY")
        credential = Path(credentials, CREDENTIAL) if credentials else None
        if credential is not None and credential.exists():
            server = read_secret(credential, credential=True)
        else:
            server = read_secret(folder / SERVER_SECRET)
        check_folder(folder)
        check_folder(folder / CLIENTS)
        return cls(server, folder / CLIENTS)

    def client(self, public: str) -> Client | None:
        """Give whose public key this is (Z85); None if it is not known, or revoked."""
        with self._lock:
            client = self._clients.get(public)
            if client is None or not self._is_as_seen(client):
                self._look_again()
            return self._clients.get(public)

    def clients(self) -> list[Client]:
        """Give all clients, by name."""
        with self._lock:
            self._look_again()
            return sorted(self._clients.values(), key=lambda client: client.name)

    def _is_as_seen(self, client: Client) -> bool:
        """Say whether a client's file, and what else there is, are still the same: it is cheap."""
        assert self._seen is not None  # noqa: S101 (a client was read)
        folder, files = self._seen
        name = f"{client.name}.key"
        try:
            now = (_marks(self._folder.stat()), _marks((self._folder / name).stat()))
        except OSError:
            return False
        return now == (folder, files.get(name))

    def _look_again(self) -> None:
        """Read all files if one of them changed."""
        seen = _look(self._folder)
        if seen != self._seen:
            self._clients = self._read()
            self._seen = seen

    def _read(self) -> Mapping[str, Client]:
        """Read all clients' files; who can be in doubt is left out."""
        known: dict[str, Client] = {}
        try:
            check_folder(self._folder)
            files = sorted(self._folder.glob("*.key"))
        except (InputError, OSError) as error:
            self._log.error("no client is let in", why=str(error))
            return known
        for file in files:
            try:
                client = read_client(file)
            except InputError as error:
                self._log.warning("key left out", why=str(error))
                continue
            if client.public in known:
                other = known[client.public].name
                self._log.warning("key left out", why=f"{file}: is the key of {other}, too")
                continue
            known[client.public] = client
        return known


def read_client(file: Path) -> Client:
    """Read a client's public key; raises ``InputError`` if it is not one of ours."""
    check_name(file.stem, str(file))
    try:
        mode = file.stat().st_mode
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}") from error
    if mode & 0o022:
        raise InputError(f"{file}: others can write it: chmod 644 {file}, after a look at it")
    certificate = read(file)
    permission = certificate.metadata.get("permission")
    if permission not in set(Permission):
        raise InputError(f"{file}: permission is {permission!r}; allowed: {', '.join(Permission)}")
    made = certificate.metadata.get("made", "")
    return Client(file.stem, Permission(permission), certificate.public, made)


def check_name(name: str, where: str) -> None:
    """Raise ``InputError`` on what cannot be the name of a key."""
    if not _NAME.fullmatch(name) or len(name) > _NAME_LIMIT:
        raise InputError(
            f"{where}: {name[:_NAME_LIMIT]!r} cannot name a key; allowed are 1 to {_NAME_LIMIT} of"
            " the characters A-Z a-z 0-9 _ . - without a dot in front"
        )


def check_folder(folder: Path) -> None:
    """Raise ``InputError`` if somebody else could put keys into a folder, or it is not there."""
    try:
        mode = folder.stat().st_mode
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror}; make it with effad-keys") from error
    if not stat.S_ISDIR(mode):
        raise InputError(f"{folder}: is no folder; name the folder of effad-keys")
    if mode & 0o022:
        raise InputError(
            f"{folder}: others can put keys into it (mode {stat.S_IMODE(mode):04o}); allowed is"
            f" 0755: chmod 755 {folder}, after a look at what is in it"
        )


def _look(folder: Path) -> tuple[_Marks, dict[str, _Marks]]:
    """Give the marks of a folder and of the keys in it; none where it cannot be looked into."""
    try:
        marks = _marks(folder.stat())
        with os.scandir(folder) as entries:
            files = {entry.name: _marks(entry.stat()) for entry in entries if _is_key(entry.name)}
    except OSError as error:
        return (error.errno or 0,), {}
    return marks, files


def _marks(status: os.stat_result) -> _Marks:
    return (
        status.st_ino,
        status.st_size,
        status.st_mode,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def _is_key(name: str) -> bool:
    return name.endswith(".key") and not name.startswith(".")
