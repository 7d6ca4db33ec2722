"""What a client needs to reach an effad with keys."""

from dataclasses import dataclass, field
from pathlib import Path

import zmq

from daemon.security.certificate import read, read_secret
from models.errors import InputError


@dataclass(frozen=True)
class ClientKeys:
    """The server's public key, and a pair of one's own (Z85)."""

    server: bytes
    public: bytes
    secret: bytes = field(repr=False)

    @classmethod
    def load(cls, server_key_file: Path, secret_file: Path) -> "ClientKeys":
        """Read both files; raises ``InputError`` if one is wrong, or others can read the secret."""
        own = read_secret(secret_file)
        assert own.secret is not None  # noqa: S101 (read_secret gives pairs)
        return cls(read(server_key_file).public.encode(), own.public.encode(), own.secret.encode())

    @classmethod
    def given(cls, server_key_file: Path | None, secret_file: Path | None) -> "ClientKeys | None":
        """Read both files of a command's --server-key and --key, None where neither is given.

        Raises ``InputError`` if one of the two is missing, and as ``load``.
        """
        if server_key_file is None and secret_file is None:
            return None
        if server_key_file is None or secret_file is None:
            raise InputError("--server-key FILE and --key FILE go together")
        return cls.load(server_key_file, secret_file)

    def put_on(self, socket: "zmq.Socket[bytes]") -> None:
        """Make a socket use them from its next ``connect`` on."""
        socket.curve_serverkey = self.server
        socket.curve_publickey = self.public
        socket.curve_secretkey = self.secret
