"""effad-keys: make, list and revoke the keys of effad's sockets."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from daemon.security.certificate import Certificate, read, write
from daemon.security.keyring import (
    CLIENTS,
    SERVER,
    SERVER_SECRET,
    Permission,
    check_folder,
    check_name,
    read_client,
)
from models.errors import InputError, reports_input_errors

FOLDER = Path("/etc/effad/keys")
_ISSUED = "issued"  # secret keys of clients, until they are carried to them
_SECRET = "effad: SECRET key of {}; for its owner alone"  # noqa: S105 (a heading)
_PUBLIC = "effad: public key of {}; may be given to anybody"


def make_server(keys: Path, replace: bool) -> None:
    """Make the daemon's own pair, and the folders."""
    secret, public = keys / SERVER_SECRET, keys / SERVER
    _free(replace, secret, public)
    _folder(keys)
    _folder(keys / CLIENTS)
    pair = Certificate.new({"name": "server", "made": _now()})
    write(secret, pair, _SECRET.format("the server"), replace=replace)
    write(public, pair.without_secret(), _PUBLIC.format("the server"), replace=replace)
    _say(
        f"made {secret} and {public}",
        f'set in effad.toml: [sockets] keys = "{keys.absolute()}", and restart effad;',
        f"the service reads the secret as a credential: LoadCredential=effad-server.key_secret:"
        f"{secret.absolute()}",
        "next: effad-keys make NAME --permission watch",
    )
    if replace:
        _say("clients that have the old public key of the server need the new one")


def make(keys: Path, name: str, permission: Permission, out: Path | None, replace: bool) -> None:
    """Make a client's pair: the public half into the folder, the other to be carried away."""
    check_name(name, "NAME")
    server = read(keys / SERVER)
    public = keys / CLIENTS / f"{name}.key"
    secret = out or keys / _ISSUED / f"{name}.key_secret"
    _free(replace, public, secret)
    check_folder(keys / CLIENTS)
    if out is None:
        _folder(secret.parent, 0o700)
    metadata = {"name": name, "permission": permission.value, "made": _now()}
    pair = Certificate.new(metadata)
    write(secret, pair, _SECRET.format(name), replace=replace)
    try:
        write(public, pair.without_secret(), _PUBLIC.format(name), replace=replace)
    except OSError:
        secret.unlink()  # good for nothing
        raise
    _say(
        f"{name} may {permission} from now on; effad needs no restart",
        f"carry to the client: {secret} (secret, then delete it here), and {keys / SERVER}",
        f"the server's public key is: {server.public}",
        f"try it: effad-watch --server-key {keys / SERVER} --key {secret}",
    )


def show(keys: Path) -> None:
    """List the clients' keys; what is wrong with one stands in its line."""
    folder = keys / CLIENTS
    check_folder(folder)
    rows = [("NAME", "PERMISSION", "PUBLIC KEY", "MADE")]
    faults = []
    for file in sorted(folder.glob("[!.]*.key")):
        try:
            client = read_client(file)
        except InputError as error:
            faults.append(str(error))
            continue
        rows.append((client.name, client.permission, client.public, client.made or "-"))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        _say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for fault in faults:
        sys.stderr.write(f"effad-keys: left out: {fault}\n")


def revoke(keys: Path, name: str) -> None:
    """Take a client's key out of the folder."""
    check_name(name, "NAME")
    file = keys / CLIENTS / f"{name}.key"
    if not file.exists():
        known = sorted(other.stem for other in (keys / CLIENTS).glob("[!.]*.key"))
        raise InputError(f"{file}: is not there; known are: {', '.join(known) or 'none'}")
    file.unlink()
    (keys / _ISSUED / f"{name}.key_secret").unlink(missing_ok=True)
    _say(
        f"revoked {name}: it can neither ask nor connect any more",
        "a subscriber that is connected now hears on until its connection ends:"
        " systemctl restart effad ends it at once",
    )


def _free(replace: bool, *files: Path) -> None:
    for file in files:
        if file.exists() and not replace:
            raise InputError(
                f"{file}: is there already; --replace makes a new key, and the old one is worthless"
            )


def _folder(folder: Path, mode: int = 0o755) -> None:
    """Make a folder whatever the umask is; one that is there must be as it should."""
    if folder.exists():
        check_folder(folder)
        return
    folder.mkdir(parents=True)
    folder.chmod(mode)


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "effad-keys",
        description="Make, list and revoke keys: with them only clients that you name reach"
        " effad's sockets, and each may watch only, or command too.",
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--keys", type=Path, default=FOLDER, metavar="FOLDER", help="of the keys [%(default)s]"
    )
    fresh = argparse.ArgumentParser(add_help=False)
    fresh.add_argument("--replace", action="store_true", help="make a new key for an old one")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("make-server", parents=[common, fresh], help="make the daemon's own pair")
    one = verbs.add_parser("make", parents=[common, fresh], help="make a client's key")
    one.add_argument("name", metavar="NAME", help="of the client, as the log will call it")
    one.add_argument(
        "--permission",
        required=True,
        choices=[permission.value for permission in Permission],
        help="watch: hear results, ask for states, statistics, replays and snapshots;"
        " command: all requests",
    )
    one.add_argument(
        "--out", type=Path, metavar="FILE", help="for the secret [FOLDER/issued/NAME.key_secret]"
    )
    verbs.add_parser("list", parents=[common], help="list the clients' keys")
    gone = verbs.add_parser("revoke", parents=[common], help="take a client's key back")
    gone.add_argument("name", metavar="NAME")
    return parser.parse_args(argv)


@reports_input_errors("effad-keys")
def main(argv: list[str] | None = None) -> int:
    """Look after the keys. Status: 0, 2 wrong usage or files."""
    options = _parse(argv)
    match options.verb:
        case "make-server":
            make_server(options.keys, options.replace)
        case "make":
            permission = Permission(options.permission)
            make(options.keys, options.name, permission, options.out, options.replace)
        case "list":
            show(options.keys)
        case "revoke":
            revoke(options.keys, options.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
