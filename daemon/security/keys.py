"""What a client needs to reach an effad with keys."""

from dataclasses import dataclass, field
from pathlib import Path

import zmq

from daemon.security.certificate import read, read_secret


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

    def put_on(self, socket: "zmq.Socket[bytes]") -> None:
        """Make a socket use them from its next ``connect`` on."""
        socket.curve_serverkey = self.server
        socket.curve_publickey = self.public
        socket.curve_secretkey = self.secret
