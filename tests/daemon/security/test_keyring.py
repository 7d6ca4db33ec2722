"""Key files and folders: what is read, and what is refused."""

import os
from pathlib import Path
from typing import Any

import pytest
import zmq
import zmq.auth
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from daemon.security.certificate import Certificate, read, read_secret, write
from daemon.security.command import main
from daemon.security.keyring import Keyring, Permission
from daemon.security.keys import ClientKeys
from models.errors import InputError
from tests.daemon.security.guarded import make


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    assert main(["make-server", "--keys", str(folder)]) == 0
    return folder


def fault(keys: Path) -> str:
    with pytest.raises(InputError) as caught:
        Keyring.load(keys)
    said = str(caught.value)
    assert len(said.splitlines()) == 1
    return said


def test_files_are_those_of_pyzmq(tmp_path: Path) -> None:
    """Ours are read by its reader, and its are read by ours."""
    ours = Certificate.new({"name": "a"})
    write(tmp_path / "a.key_secret", ours, "of a test")
    public, secret = zmq.auth.load_certificate(tmp_path / "a.key_secret")
    assert (public.decode(), secret and secret.decode()) == (ours.public, ours.secret)
    assert read_secret(tmp_path / "a.key_secret") == ours
    _, file = zmq.auth.create_certificates(tmp_path, "b", metadata={"permission": "watch"})
    os.chmod(file, 0o600)
    theirs = read_secret(Path(file))
    assert (theirs.public.encode(), (theirs.secret or "").encode()) == zmq.auth.load_certificate(
        file
    )
    assert theirs.metadata == {"permission": "watch"}


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"], max_codepoint=126)))
def test_metadata_comes_back(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    value = text.replace('"', "")
    file = tmp_path_factory.mktemp("one") / "a.key"
    certificate = Certificate(zmq.curve_keypair()[0].decode(), None, {"note": value})
    write(file, certificate, "of a test")
    assert read(file) == certificate


def test_a_secret_is_for_its_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write(tmp_path / "a.key_secret", Certificate.new({}), "of a test")
    finally:
        os.umask(before)
    assert (tmp_path / "a.key_secret").stat().st_mode & 0o777 == 0o600
    assert "secret=" not in repr(read_secret(tmp_path / "a.key_secret"))
    assert [path.name for path in tmp_path.iterdir()] == ["a.key_secret"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602, 0o610])
def test_secrets_that_others_can_read_are_refused(keys: Path, mode: int) -> None:
    scada = make(keys, "scada", "watch")
    secret = keys / "server.key_secret"
    secret.chmod(mode)
    said = fault(keys)
    assert said.startswith(f"{secret}: others can read or write this secret key")
    assert f"chmod 600 {secret}" in said
    issued = keys / "issued" / "scada.key_secret"
    assert ClientKeys.load(keys / "server.key", issued) == scada
    issued.chmod(mode)
    with pytest.raises(InputError, match="others can read"):
        ClientKeys.load(keys / "server.key", issued)


@pytest.mark.parametrize("folder", ["", "clients"])
@pytest.mark.parametrize("mode", [0o775, 0o757])
def test_folders_that_others_can_write_are_refused(keys: Path, folder: str, mode: int) -> None:
    (keys / folder).chmod(mode)
    assert "others can put keys into it" in fault(keys)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no key file"),
        ('curve\n    public-key = "short"\n', "is no key file"),
        ("\0" * 100, "is no key file"),
        ("x" * 100_000, "is no key file"),
    ],
)
def test_what_is_no_key_file(keys: Path, text: str, said: str) -> None:
    (keys / "server.key_secret").write_text(text)
    assert said in fault(keys)


def test_files_that_are_not_there_or_are_others(keys: Path, tmp_path: Path) -> None:
    secret = keys / "server.key_secret"
    public = (keys / "server.key").read_text()
    secret.write_text(public)
    assert "holds no secret-key" in fault(keys)
    other = zmq.curve_keypair()
    secret.write_text(f'{public}    secret-key = "{other[1].decode()}"\n')
    assert "does not belong to its secret-key" in fault(keys)
    secret.write_bytes(b"\xff\xfe")
    assert "is not text" in fault(keys)
    secret.unlink()
    assert "No such file" in fault(keys)
    secret.mkdir()
    assert "is no file" in fault(keys) or "others can read" in fault(keys)
    assert "effad-keys" in fault(tmp_path / "nowhere")


def test_clients_come_and_go(keys: Path) -> None:
    keyring = Keyring.load(keys)
    assert keyring.clients() == []
    plc = make(keys, "plc", "command")
    (client,) = keyring.clients()
    assert (client.name, client.permission) == ("plc", Permission.COMMAND)
    assert keyring.client(plc.public.decode()) == client
    assert keyring.client(zmq.curve_keypair()[0].decode()) is None
    again = make(keys, "plc", "watch", "--replace")
    assert keyring.client(plc.public.decode()) is None
    replaced = keyring.client(again.public.decode())
    assert replaced is not None
    assert replaced.permission is Permission.WATCH
    assert main(["revoke", "plc", "--keys", str(keys)]) == 0
    assert keyring.client(again.public.decode()) is None


def test_a_clients_file_in_doubt_is_left_out_and_logged(keys: Path) -> None:
    good, bad = make(keys, "good", "watch"), make(keys, "bad", "watch")
    keyring = Keyring.load(keys)
    file = keys / "clients" / "bad.key"
    text = file.read_text()

    def known() -> tuple[bool, list[Any]]:
        with capture_logs() as entries:
            assert keyring.client(good.public.decode()) is not None
            known_ = keyring.client(bad.public.decode()) is not None
        return known_, [entry["why"] for entry in entries]

    assert known() == (True, [])
    for wrong, said in [
        (text.replace('"watch"', '"root"'), "permission is 'root'; allowed: watch, command"),
        (text.replace("permission", "perm"), "permission is None"),
        (text[:100], "is no key file"),
    ]:
        file.write_text(wrong)
        is_known, why = known()
        assert not is_known
        assert len(why) == 1, why
        assert said in why[0]
    file.write_text(text)
    double = keys / "clients" / "double.key"
    double.write_text(text)
    is_known, why = known()
    assert is_known
    assert why == [f"{double}: is the key of bad, too"]
    double.unlink()
    file.chmod(0o666)
    assert "others can write it" in known()[1][0]
    file.chmod(0o644)
    assert known() == (True, [])
    file.rename(keys / "clients" / "b d.key")
    assert "cannot name a key" in known()[1][0]


@pytest.mark.parametrize("spoiled", ["writable", "away"])
def test_nobody_is_known_where_the_folder_cannot_be_trusted(keys: Path, spoiled: str) -> None:
    plc = make(keys, "plc", "command").public.decode()
    keyring = Keyring.load(keys)
    clients, away = keys / "clients", keys / "away"
    assert keyring.client(plc) is not None
    with capture_logs() as entries:
        if spoiled == "writable":
            clients.chmod(0o777)
        else:
            clients.rename(away)
        assert keyring.client(plc) is None
        assert keyring.client(plc) is None
    assert [entry["event"] for entry in entries] == ["no client is let in"]
    if spoiled == "writable":
        clients.chmod(0o755)
    else:
        away.rename(clients)
    assert keyring.client(plc) is not None
