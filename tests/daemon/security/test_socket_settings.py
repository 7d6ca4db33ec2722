"""What may be bound where, with keys and without."""

from pathlib import Path

import pytest

from daemon.settings import read
from models.errors import InputError

STATION = """\
[[stations]]
name = "nut"
recipe = "recipes/nut"
cameras = [{ producer = "simulator" }]
[sockets]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "effad.toml"


@pytest.mark.parametrize("socket", ["control", "results", "maps"])
def test_elsewhere_than_here_needs_keys_or_plain_words(file: Path, socket: str) -> None:
    remote = f'{STATION}{socket} = "tcp://192.168.1.5:6000"\n'
    file.write_text(remote)
    with pytest.raises(InputError) as caught:
        read(file)
    said = str(caught.value)
    assert "effad-keys" in said
    assert "sockets.keys" in said
    assert "anybody who reaches it may command the line" in said
    for more in ('keys = "keys"', "allow_remote = true"):
        file.write_text(f"{remote}{more}\n")
        assert getattr(read(file).sockets, socket) == "tcp://192.168.1.5:6000"


def test_the_folder_of_keys_starts_at_the_settings_file(file: Path) -> None:
    for said, meant in [
        ("keys", str(file.parent / "keys")),
        ("/etc/effad/keys", "/etc/effad/keys"),
        ("", ""),
    ]:
        file.write_text(f'{STATION}keys = "{said}"\n')
        assert read(file).sockets.keys == meant


def test_a_tilde_is_refused(file: Path) -> None:
    file.write_text(f'{STATION}keys = "~/keys"\n')
    with pytest.raises(InputError, match="~ is not replaced"):
        read(file)


def test_the_rate_has_a_range(file: Path) -> None:
    file.write_text(f"{STATION}control_rate = 0\n")
    with pytest.raises(InputError, match="a whole number from 1 to 100000"):
        read(file)
