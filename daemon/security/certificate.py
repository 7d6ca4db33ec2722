"""Key files: ZeroMQ certificates (ZPL), such as CZMQ, NetMQ and pyzmq read and write too.

A public key may be given to anybody. A secret key is read only from a file that nobody but its
owner can read.
"""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import zmq

from models.errors import InputError

SECRET_MODE = 0o600
PUBLIC_MODE = 0o644
_LIMIT = 16 << 10  # bytes of a file
_Z85 = re.compile(r"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")
_REMEDY = "give a key file that this user may read, or make one with effad-keys"


@dataclass(frozen=True)
class Certificate:
    """A key pair, or its public half."""

    public: str  # Z85: 40 characters for 32 bytes
    secret: str | None = field(default=None, repr=False)
    metadata: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def new(cls, metadata: Mapping[str, str]) -> "Certificate":
        """Make a new pair of keys."""
        public, secret = zmq.curve_keypair()
        return cls(public.decode(), secret.decode(), metadata)

    def without_secret(self) -> "Certificate":
        return Certificate(self.public, None, self.metadata)


def read(file: Path) -> Certificate:
    """Read a file with a public key; raises ``InputError`` if it is none, or cannot be read."""
    with _opened(file) as descriptor:
        return _parse(file, _text(file, descriptor))


def read_secret(file: Path, *, credential: bool = False) -> Certificate:
    """Read a file with a key pair.

    Raises ``InputError`` too if the group or others can read it. A credential of systemd may show
    the group's bit: where root owns it, that bit is the mask of the access list that lets the
    service's user in (systemd.exec(5), LoadCredential=).
    """
    with _opened(file) as descriptor:
        mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
        if mode & (0o037 if credential else 0o077):
            raise InputError(
                f"{file}: others can read or write this secret key (mode {mode:04o});"
                f" allowed is 0600: chmod 600 {file}, and make a new one if they may have"
            )
        certificate = _parse(file, _text(file, descriptor))
    if certificate.secret is None:
        raise InputError(f"{file}: holds no secret-key; give the file that ends with .key_secret")
    if zmq.curve_public(certificate.secret.encode()).decode() != certificate.public:
        raise InputError(f"{file}: its public-key does not belong to its secret-key; copy it again")
    return certificate


def write(file: Path, certificate: Certificate, heading: str, *, replace: bool = False) -> None:
    """Write a file, as a whole or not at all; a secret key is for its owner alone.

    Raises ``FileExistsError`` if it is there, unless it is to be replaced.
    """
    part = file.with_name(f".{file.name}.{os.getpid()}")
    mode = PUBLIC_MODE if certificate.secret is None else SECRET_MODE
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with open(os.open(part, flags, SECRET_MODE), "w", encoding="ascii") as stream:
        try:
            os.fchmod(stream.fileno(), mode)  # whatever the umask is
            stream.write(_zpl(certificate, heading))
            stream.flush()
            os.fsync(stream.fileno())
            if replace:
                part.replace(file)
            else:
                os.link(part, file)
        finally:
            part.unlink(missing_ok=True)


def _zpl(certificate: Certificate, heading: str) -> str:
    metadata = "".join(f'    {key} = "{value}"\n' for key, value in certificate.metadata.items())
    secret = f'    secret-key = "{certificate.secret}"\n' if certificate.secret else ""
    return (
        f'# {heading}\nmetadata\n{metadata}curve\n    public-key = "{certificate.public}"\n{secret}'
    )


def _parse(file: Path, text: str) -> Certificate:
    """Read the two sections that we know; what else stands there is for others."""
    found: dict[str, dict[str, str]] = {"metadata": {}, "curve": {}}
    section = ""
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not line[0].isspace():
            section = line.strip()
            continue
        name, _, value = line.partition("=")
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        found.setdefault(section, {})[name.strip()] = value
    curve = found["curve"]
    public, secret = curve.get("public-key", ""), curve.get("secret-key")
    for key in (public, secret):
        if key is not None and not _Z85.fullmatch(key):
            raise InputError(
                f"{file}: is no key file: curve/public-key (and secret-key) of 40 characters"
                " are wanted; make one with effad-keys"
            )
    return Certificate(public, secret, found["metadata"])


@contextmanager
def _opened(file: Path) -> Iterator[int]:
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)  # a pipe would wait for ever
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}; {_REMEDY}") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _text(file: Path, descriptor: int) -> str:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise InputError(f"{file}: is no file; {_REMEDY}")
    try:
        return os.read(descriptor, _LIMIT).decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: is no key file: it is not text; {_REMEDY}") from error
