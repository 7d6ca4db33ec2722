"""Settings: three layers, and faults that say where, what, and what is allowed."""

import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from daemon.messages import MapEncoding, TriggerSource
from daemon.settings import Settings, load, read
from daemon.settings.keys import KEYS, SCALARS
from models.errors import InputError

FIVE_LINES = """\
[[stations]]
name = "nut"
recipe = "recipes/nut"
[[stations.cameras]]
producer = "/opt/vendor/lib/vendor.cti"
"""

Write = Callable[[str], Path]


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("EFFAD_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a settings file: what is given below the five lines of the simplest line."""

    def write_(more: str, head: str = FIVE_LINES) -> Path:
        file = tmp_path / "effad.toml"
        file.write_text(head + more)
        return file

    return write_


def fault(file: Path, *options: str) -> str:
    """Give the one line that a user sees."""
    with pytest.raises(InputError) as caught:
        load(["--config", str(file), *options])
    said = str(caught.value)
    assert "\n" not in said
    return said


def test_five_lines_are_enough_for_a_camera_in_free_run(write: Write) -> None:
    file = write("")
    invocation = load(["--config", str(file)])
    (station,) = invocation.settings.stations
    (camera,) = station.cameras
    assert (station.name, station.recipe) == ("nut", str(file.parent / "recipes/nut"))
    assert (camera.name, camera.producer) == ("cam1", Path("/opt/vendor/lib/vendor.cti"))
    assert (camera.serial, camera.trigger) == ("", TriggerSource.FREE_RUN)
    assert (camera.slots, camera.buffers, camera.overflow) == (8, 8, "drop_newest")
    sockets = invocation.settings.sockets
    assert [sockets.control, sockets.results, sockets.maps] == [
        f"tcp://127.0.0.1:{port}" for port in (5555, 5556, 5557)
    ]
    assert (invocation.file, invocation.check) == (file, False)


def test_command_line_over_environment_over_file(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(
        "[sockets]\nmaps_hwm = 1\nresults_hwm = 1\nheartbeat_s = 2\n[ledger]\nopen_limit = 1\n"
    )
    monkeypatch.setenv("EFFAD_SOCKETS__MAPS_HWM", "2")
    monkeypatch.setenv("EFFAD_SOCKETS__RESULTS_HWM", "2")
    monkeypatch.setenv("EFFAD_LOG__LEVEL", "debug")
    settings = load(["--config", str(file), "--sockets.maps_hwm", "3"]).settings
    assert settings.sockets.maps_hwm == 3
    assert settings.sockets.results_hwm == 2
    assert settings.sockets.heartbeat_s == 2
    assert settings.ledger.open_limit == 1
    assert settings.log.level == "debug"


def test_a_layer_above_heals_a_value_below(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write("[engine]\nworkers = 99\n")
    monkeypatch.setenv("EFFAD_ENGINE__WORKERS", "2")
    assert read(file).engine.workers == 2


def test_settings_made_in_code_do_not_see_the_environment(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EFFAD_ENGINE__WORKERS", "2")
    assert Settings(**tomllib.loads(FIVE_LINES)).engine.workers == 1


@pytest.mark.parametrize("key", SCALARS, ids=lambda key: key.dotted)
def test_every_scalar_can_be_set_by_environment_and_command_line(
    key: Any, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write("")
    monkeypatch.setenv(key.variable, "~ environment")
    assert f"environment: {key.variable} = '~ environment': allowed is" in fault(file)
    assert f"command line: {key.option} = '~ command'" in fault(file, key.option, "~ command")


@pytest.mark.parametrize("key", KEYS.values(), ids=lambda key: key.dotted)
def test_every_key_is_described(key: Any) -> None:
    assert key.description.endswith(".")
    unit = {"ms": "in milliseconds", "s": "in seconds"}.get(key.path[-1].rpartition("_")[2])
    assert unit is None or "_" not in key.path[-1] or unit in key.description


def test_recipes_lie_beside_the_file(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write('[[stations]]\nname = "b"\nrecipe = "/srv/b"\ncameras = [{ producer = "simulator" }]\n')
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    recipes = [Path(station.recipe) for station in read(Path("../effad.toml")).stations]
    assert recipes[0].is_absolute()
    assert recipes[0].resolve() == tmp_path / "recipes/nut"
    assert recipes[1] == Path("/srv/b")


def test_settings_are_frozen(write: Write) -> None:
    settings = read(write(""))
    with pytest.raises(ValidationError, match="frozen"):
        settings.engine.workers = 2
    with pytest.raises(ValidationError, match="frozen"):
        settings.log = settings.log
    with pytest.raises(ValidationError, match="frozen"):
        settings.stations[0].cameras[0].slots = 2


@pytest.mark.parametrize(
    ("more", "name", "hint"),
    [
        ("[engine]\nwrokers = 2\n", "engine.wrokers", "is workers meant?"),
        ("[motor]\n", "motor", "known are stations, sockets,"),
        ("slot = 2\n", "stations.nut.cameras.#1.slot", "is slots meant?"),
        ('name = "a"\nslot = 2\n', "stations.nut.cameras.a.slot", "is slots meant?"),
        ('[[stations.cameras]]\nproducr = "simulator"\n', "cameras.#2.producr", "is producer"),
    ],
)
def test_unknown_keys_of_the_file(write: Write, more: str, name: str, hint: str) -> None:
    file = write(more)
    said = fault(file)
    assert said.startswith(f"{file}: unknown key ")
    assert name in said
    assert hint in said


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("EFFAD_ENGINE__WROKERS", "is EFFAD_ENGINE__WORKERS meant?"),
        ("EFFAD_ENGINE_WORKERS", "is EFFAD_ENGINE__WORKERS meant?"),
        ("EFFAD_ENGINE", "EFFAD_ENGINE__"),
        ("EFFAD_STATIONS", "EFFAD_"),
        ("effad_engine__workers", "EFFAD_ENGINE__WORKERS"),
    ],
)
def test_unknown_variables(
    write: Write, monkeypatch: pytest.MonkeyPatch, name: str, hint: str
) -> None:
    monkeypatch.setenv(name, "2")
    said = fault(write(""))
    assert said.startswith(f"environment: unknown key {name}=2; ")
    assert hint in said


def test_variables_of_the_simulator_and_the_tests_are_no_settings(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EFFAD_SCENE", "/a/scene")
    monkeypatch.setenv("EFFAD_DATA", "/data")
    assert read(write("")).stations[0].name == "nut"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--engine.wrokers", "2"], "unknown key --engine.wrokers; is --engine.workers meant?"),
        (["--engine.wrokers=2"], "unknown key --engine.wrokers; is --engine.workers meant?"),
        (["--engine.work", "2"], "unknown key --engine.work; is --engine.workers meant?"),
        (["--stations.name", "x"], "--stations.name is set in the settings file only"),
        (["nut"], "'nut' has no place here"),
        (["--engine.workers"], "--engine.workers: expected one argument"),
    ],
)
def test_unknown_words_of_the_command_line(write: Write, options: list[str], said: str) -> None:
    assert fault(write(""), *options).startswith("command line: ")
    assert said in fault(write(""), *options)


@pytest.mark.parametrize(
    ("more", "name", "value", "allowed"),
    [
        ("[engine]\nworkers = 9\n", "engine.workers", "9", "a whole number from 1 to 8"),
        ("[engine]\nworkers = true\n", "engine.workers", "True", "a whole number from 1 to 8"),
        ("[engine]\nworkers = 1.5\n", "engine.workers", "1.5", "a whole number from 1 to 8"),
        ('[engine]\ndevice = "gpu"\n', "engine.device", "'gpu'", "auto, cpu, cuda, or cuda:N"),
        ("[ledger]\ncommit_budget_ms = -1\n", "ledger.commit_budget_ms", "-1", "0 to 1000"),
        ("[health]\nstall_s = nan\n", "health.stall_s", "nan", "a number from 1 to 3600"),
        ("[sockets]\nheartbeat_s = inf\n", "sockets.heartbeat_s", "inf", "0.1 to 60"),
        ('[sockets]\nmap_encoding = "bmp"\n', "sockets.map_encoding", "'bmp'", '"raw" or "png"'),
        ('[log]\nlevel = "loud"\n', "log.level", "'loud'", '"debug", "info", "warning"'),
        ('[sockets]\nmaps = "5557"\n', "sockets.maps", "'5557'", "tcp://ADDRESS:PORT"),
        ('[sockets]\nmaps = "tcp://127.0.0.1:65536"\n', "sockets.maps", "65536'", "0 to 65535"),
        ('[sockets]\nmaps = "tcp://[::1]:5557"\n', "sockets.maps", "[::1]", "IPv4"),
        ("slots = 1\n", "stations.nut.cameras.#1.slots", "1", "a whole number from 2 to 256"),
        ("serial = 22\n", "stations.nut.cameras.#1.serial", "22", "text in quotes"),
        ('trigger = "plc"\n', "stations.nut.cameras.#1.trigger", "'plc'", '"software"'),
        ('overflow = "drop_all"\n', "cameras.#1.overflow", "'drop_all'", '"drop_oldest"'),
        ('[[stations.cameras]]\nname = "a b"\nproducer = "simulator"\n', "name", "'a b'", "A-Z"),
        ('[[stations.cameras]]\nproducer = "v.cti"\n', "#2.producer", "'v.cti'", "an absolute"),
        ('[[stations.cameras]]\nproducer = "/v.so"\n', "#2.producer", "'/v.so'", ".cti"),
        ("[[stations.cameras]]\nproducer = 5\n", "#2.producer", "5", '"simulator"'),
        (
            '[[stations]]\nname = "b"\nrecipe = "r"\ncameras = []\n',
            "b.cameras",
            "[]",
            "one or more",
        ),
    ],
)
def test_values_that_are_not_allowed(
    write: Write, more: str, name: str, value: str, allowed: str
) -> None:
    file = write(more)
    said = fault(file)
    assert said.startswith(f"{file}: ")
    place, what = said.split(": allowed is ", 1)
    assert place.split(" = ", 1)[0].endswith(name)
    assert value in place.split(" = ", 1)[1]
    assert allowed in what
    assert "correct or remove it" in what


def test_all_faults_are_counted(write: Write) -> None:
    assert fault(write("slots = 1\nbuffers = 1\n")).endswith("(and 1 more)")


def test_a_table_that_is_none_is_not_hidden_by_the_layers_above(tmp_path: Path) -> None:
    file = tmp_path / "effad.toml"
    file.write_text(f"sockets = 5\n{FIVE_LINES}")
    assert f"{file}: sockets = 5: allowed is a table" in fault(file, "--sockets.maps_hwm", "3")


def test_missing_keys(tmp_path: Path) -> None:
    file = tmp_path / "effad.toml"
    file.write_text("")
    assert f"{file}: key stations is missing; add it" in fault(file)
    file.write_text('[[stations]]\nname = "nut"\nrecipe = "r"\n[[stations.cameras]]\nslots = 2\n')
    said = fault(file)
    assert "key stations.nut.cameras.#1.producer is missing; add it. GenTL producer" in said


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('[[stations.cameras]]\nproducer = "simulator"\n', "camera cam1 is there 2 times"),
        (
            '[[stations]]\nname = "nut"\nrecipe = "r"\ncameras = [{ producer = "simulator" }]\n',
            "station nut is there 2 times",
        ),
        (
            '[[stations]]\nname = "b"\nrecipe = "r"\n'
            'cameras = [{ producer = "/opt/vendor/lib/vendor.cti" }]\n',
            "producer /opt/vendor/lib/vendor.cti, serial '' is there 2 times",
        ),
    ],
)
def test_names_and_cameras_are_there_once(write: Write, more: str, said: str) -> None:
    assert said in fault(write(more))


def test_cameras_of_one_producer_differ_by_serial(write: Write) -> None:
    more = 'serial = "1"\n[[stations.cameras]]\nname = "b"\nserial = "2"\n'
    settings = read(write(more + 'producer = "/opt/vendor/lib/vendor.cti"\n'))
    assert [camera.serial for camera in settings.stations[0].cameras] == ["1", "2"]


@pytest.mark.parametrize("host", ["0.0.0.0", "*", "192.168.1.5", "eth0"])  # noqa: S104
@pytest.mark.parametrize("socket", ["control", "results", "maps"])
def test_other_computers_only_if_allowed(write: Write, host: str, socket: str) -> None:
    file, option = write(""), [f"--sockets.{socket}", f"tcp://{host}:6000"]
    said = fault(file, *option)
    assert f"command line: --sockets.{socket} = 'tcp://{host}:6000': other computers" in said
    assert "sockets.allow_remote = true" in said
    allowed = load(["--config", str(file), *option, "--sockets.allow_remote", "true"])
    assert getattr(allowed.settings.sockets, socket) == option[1]


@pytest.mark.parametrize(
    "endpoint", ["tcp://127.0.0.1:0", "tcp://127.9.9.9:*", "tcp://lo:1", "ipc:///run/effad/maps"]
)
def test_endpoints_of_this_computer(write: Write, endpoint: str) -> None:
    file = write(f'[sockets]\nmaps = "{endpoint}"\n')
    assert read(file).sockets.maps == endpoint


def test_sockets_have_an_endpoint_each(write: Write) -> None:
    said = fault(write(""), "--sockets.maps", "tcp://127.0.0.1:5555")
    assert "sockets.control has the same" in said
    free = write('[sockets]\nresults = "tcp://127.0.0.1:0"\nmaps = "tcp://127.0.0.1:0"\n')
    assert read(free).sockets.results == read(free).sockets.maps


def test_words_become_what_the_key_is(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EFFAD_SOCKETS__MAP_ENCODING", "png")
    settings = load(["--config", str(write("")), "--health.stall_s=2.5", "--check"])
    assert settings.settings.sockets.map_encoding is MapEncoding.PNG
    assert settings.settings.health.stall_s == 2.5
    assert settings.check


def test_files_that_cannot_be_read(tmp_path: Path, write: Write) -> None:
    missing = tmp_path / "none.toml"
    assert fault(missing) == (
        f"{missing}: No such file or directory; name the settings file with --config FILE"
    )
    assert "Is a directory" in fault(tmp_path)
    assert "at line 7, column" in fault(write("[engine]\nworkers 2\n"))
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b'a = "\xe4"\n')
    assert fault(latin).startswith(f"{latin}: no TOML: ")


def test_the_file_must_be_named() -> None:
    with pytest.raises(InputError, match=r"^command line: .*--config; see effad --help$"):
        load([])


def test_help_names_every_key_with_range_and_default(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as ended:
        load(["--help"])
    assert ended.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    for key in KEYS.values():
        known = key.description if key.table else f"{key.dotted} {key.said}"
        assert known in said.replace(" VALUE", "")
    assert "Allowed: a whole number from 1 to 8. Default: 1." in said


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        load(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("effad 0.")
