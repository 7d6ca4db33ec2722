"""A bug report holds what is needed, tells what is missing, and keeps what is secret."""

import json
import shutil
import time
import zipfile
from pathlib import Path

import pytest

from daemon.diagnose.command import main
from daemon.diagnose.machine import without_values
from daemon.messages import Part
from daemon.security.command import main as keys
from tests.daemon.journal.entered import filled, verdict

SECRET = "secret-key"  # noqa: S105 (of a certificate's file)


@pytest.fixture
def config(tmp_path: Path, tiny_recipe: Path) -> Path:
    """Settings of a line with a recipe, a journal, an image and keys, all in one folder."""
    shutil.copytree(tiny_recipe.parent, tmp_path / "recipes")
    state, now = tmp_path / "state", time.time_ns()
    filled(state, [verdict(1, part=Part(id="P-4711", lot="L-7"), published_ns=now)])
    image = state / "images" / "2026-11-24" / "nut-1-cam.png"
    image.parent.mkdir(parents=True)
    image.write_bytes(b"pixels of a part")
    image.with_suffix(".json").write_text('{"verdict": {"part": {"id": "P-4711"}}}')
    assert keys(["make-server", "--keys", str(state / "keys")]) == 0
    file = tmp_path / "effad.toml"
    file.write_text(
        f'[journal]\nfolder = "{state}"\n[sockets]\nkeys = "{state}/keys"\n[[stations]]\n'
        f'name = "nut"\nrecipe = "{tmp_path}/recipes/recipe"\n[[stations.cameras]]\n'
        'name = "cam1"\nproducer = "simulator"\n'
    )
    return file


def made(config: Path, output: Path, *more: str) -> dict[str, bytes]:
    words = ["--config", str(config), "--output", str(output), "--unit", "effad-of-no-machine"]
    assert main([*words, *more]) == 0
    with zipfile.ZipFile(output) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_it_holds_what_a_report_needs(config: Path, tmp_path: Path) -> None:
    found = made(config, tmp_path / "report.zip")
    assert b"torch==" in found["software.txt"]
    assert b"MemTotal" in found["hardware.txt"]
    assert found["effad.toml"] == config.read_bytes()
    assert b"journal.db" in found["disks.txt"]
    assert b"PASS          1" in found["report.txt"]
    (told,) = (json.loads(line) for line in found["verdicts.jsonl"].splitlines())
    assert (told["seq"], told["part"]) == (1, None)
    assert any(name.startswith("recipes/recipe/recipe-") for name in found)
    assert b"effad-of-no-machine" in found["missing.txt"]


def test_neither_parts_nor_images_nor_keys_are_in_it(config: Path, tmp_path: Path) -> None:
    (secret,) = tmp_path.rglob("*.key_secret")
    key = next(line for line in secret.read_text().splitlines() if SECRET in line).split('"')[1]
    for more in ((), ("--parts",), ("--images", "5"), ("--parts", "--images", "5")):
        found = made(config, tmp_path / f"{'-'.join(more)}.zip", *more)
        whole = b"".join(found.values())
        assert key.encode() not in whole
        assert (b"P-4711" in whole) == ("--parts" in more)
        assert (b"pixels of a part" in whole) == ("--images" in more)
        assert not any(name.endswith((".safetensors", ".key_secret")) for name in found)


@pytest.mark.parametrize("broken", ["settings", "journal", "recipe"])
def test_what_is_broken_is_told_and_the_rest_is_taken(
    broken: str, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    match broken:
        case "settings":
            config.write_text("[engine]\nworkers = many\n")
        case "journal":
            shutil.rmtree(tmp_path / "state")
        case "recipe":
            shutil.rmtree(tmp_path / "recipes")
    found = made(config, tmp_path / "report.zip", "--images", "1")
    assert ("images/nut-1-cam.png" in found) == (broken == "recipe"), "beside a broken recipe"
    assert b"torch==" in found["software.txt"]
    assert "not in it: " in capsys.readouterr().err
    word = {"settings": b"effad.toml", "journal": b"report.txt", "recipe": b"recipes"}[broken]
    assert word in found["missing.txt"]


def test_no_file_is_written_over(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "report.zip"
    output.write_bytes(b"another")
    assert main(["--config", str(config), "--output", str(output)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"effad-diagnose: error: --output {output}: File exists; name another")
    assert output.read_bytes() == b"another"


def test_nothing_is_left_of_what_does_not_fit(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "report.zip"

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("daemon.diagnose.command.fill", full)
    assert main(["--config", str(config), "--output", str(output)]) == 2
    assert not output.exists()


def test_values_of_variables_are_left_out() -> None:
    shown = 'Environment=A=1 B="licence 7"\nExecStart=/bin/x --a=1\nEnvironmentFile=/etc/x\n'
    assert without_values(shown) == (
        "Environment=A=... B=...\nExecStart=/bin/x --a=1\nEnvironmentFile=/etc/x\n"
    )
