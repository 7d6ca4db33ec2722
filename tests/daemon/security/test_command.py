"""effad-keys, as a person uses it."""

from pathlib import Path

import pytest

from daemon.security.command import main
from daemon.security.keyring import Keyring
from daemon.security.keys import ClientKeys


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def run(keys: Path, *words: str) -> int:
    return main([words[0], "--keys", str(keys), *words[1:]])


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_from_nothing_to_a_list(keys: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(keys, "make-server") == 0
    said = capsys.readouterr().out
    assert f'[sockets] keys = "{keys}"' in said
    assert "LoadCredential=effad-server.key_secret:" in said
    assert run(keys, "make", "scada", "--permission", "watch") == 0
    said = capsys.readouterr().out
    issued = keys / "issued" / "scada.key_secret"
    assert str(issued) in said
    assert Keyring.load(keys).server.public in said
    assert run(keys, "make", "plc", "--permission=command", "--out", str(keys / "my")) == 0
    assert not (keys / "issued" / "plc.key_secret").exists()
    assert [mode(path) for path in (keys, keys / "clients", keys / "issued")] == [
        0o755,
        0o755,
        0o700,
    ]
    secrets = (keys / "server.key_secret", issued, keys / "my")
    assert [mode(path) for path in secrets] == [0o600] * 3
    assert ClientKeys.load(keys / "server.key", issued).secret
    capsys.readouterr()
    assert run(keys, "list") == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["NAME", "PERMISSION", "PUBLIC", "KEY", "MADE"]
    plc, scada = Keyring.load(keys).clients()
    assert [row.split() for row in rows] == [
        ["plc", "command", plc.public, plc.made],
        ["scada", "watch", scada.public, scada.made],
    ]
    assert plc.made.startswith("20")
    assert plc.made.endswith("Z")


def test_no_key_is_overwritten_without_a_word(
    keys: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(keys, "make-server")
    run(keys, "make", "plc", "--permission", "command")
    before = {path: path.read_bytes() for path in keys.rglob("*") if path.is_file()}
    assert run(keys, "make-server") == 2
    assert "server.key_secret: is there already; --replace" in capsys.readouterr().err
    assert run(keys, "make", "plc", "--permission", "watch") == 2
    out = keys / "issued" / "plc.key_secret"
    assert run(keys, "make", "new", "--permission", "watch", "--out", str(out)) == 2
    assert {path: path.read_bytes() for path in keys.rglob("*") if path.is_file()} == before
    assert run(keys, "make", "plc", "--permission", "watch", "--replace") == 0
    assert run(keys, "make-server", "--replace") == 0
    after = {path: path.read_bytes() for path in keys.rglob("*") if path.is_file()}
    assert after.keys() == before.keys()
    assert all(after[path] != before[path] for path in before)


@pytest.mark.parametrize("name", ["", "a b", "../x", ".hidden", "ä", "x" * 65, "a/b", "-"])
def test_wrong_names(keys: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(keys, "make-server")
    if name == "-":
        assert run(keys, "make", "-", "--permission", "watch") == 0  # odd, and harmless
        return
    assert run(keys, "make", name, "--permission", "watch") == 2
    assert "cannot name a key; allowed are 1 to 64" in capsys.readouterr().err
    assert run(keys, "revoke", name) == 2
    assert list((keys / "clients").iterdir()) == []


def test_what_is_missing_is_said_in_a_line(keys: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["make", "a", "--permission", "watch"], ["list"], ["revoke", "a"]):
        assert run(keys, *words) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
    run(keys, "make-server")
    run(keys, "make", "plc", "--permission", "command")
    assert run(keys, "revoke", "pcl") == 2
    assert "is not there; known are: plc" in capsys.readouterr().err
    assert run(keys, "make", "b", "--permission", "watch", "--out", "/nowhere/b") == 2
    assert "No such file or directory" in capsys.readouterr().err
    assert not (keys / "clients" / "b.key").exists()
    with pytest.raises(SystemExit) as ended:
        run(keys, "make", "b")
    assert ended.value.code == 2


def test_a_folder_that_others_can_write_is_refused(
    keys: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(keys, "make-server")
    (keys / "clients").chmod(0o777)
    assert run(keys, "make", "plc", "--permission", "command") == 2
    assert "others can put keys into it" in capsys.readouterr().err
    assert not (keys / "issued").exists()


def test_revoke_takes_the_issued_secret_too(keys: Path) -> None:
    run(keys, "make-server")
    run(keys, "make", "plc", "--permission", "command")
    assert run(keys, "revoke", "plc") == 0
    assert list((keys / "clients").iterdir()) == list((keys / "issued").iterdir()) == []
    assert run(keys, "make", "plc", "--permission", "command") == 0


def test_a_broken_key_is_named_beside_the_list(
    keys: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(keys, "make-server")
    (keys / "clients" / "x.key").write_text("nothing")
    assert run(keys, "list") == 0
    assert "left out" in capsys.readouterr().err
