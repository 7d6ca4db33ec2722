"""effad-bench: what it measures, what it prints, what it refuses."""

import json
from pathlib import Path

import pytest

from daemon import bench
from daemon.bench import STAGES, Speed, at_size, main
from models import recipe as recipes
from models.mode import Mode
from models.pixel_format import PixelFormat


def test_it_says_what_this_pc_can_inspect(
    tiny_recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(tiny_recipe), "--megapixels", "0.1", "--seconds", "0.01", "--threads", "1"]
    assert main([*given, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    own, other = told["speeds"]
    assert (own["width"], own["height"], own["tiles"]) == (128, 128, 1)
    assert (other["width"], other["height"]) == (365, 274)
    assert other["tiles"] == 4
    for speed in (own, other):
        assert set(speed["seconds"]) == set(STAGES)
        assert all(seconds > 0 for seconds in speed["seconds"].values())
        total = sum(speed["seconds"].values())
        assert speed["frames_per_second"] == pytest.approx(1 / total)
        assert speed["slowest"] == "networks"
    assert other["seconds"]["networks"] > 2 * own["seconds"]["networks"]
    assert main(given) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "/threads-1/" in lines[0]
    assert lines[2].split()[:4] == ["frames", "of", "tiles", "frames/s"]
    assert "128 x 128" in lines[3]
    assert "365 x 274" in lines[4]
    assert "networks takes" in lines[5]
    assert "more threads or a GPU, effad[openvino]" in lines[5]


@pytest.mark.parametrize("pixel_format", list(PixelFormat))
def test_frames_are_of_the_pixel_format(tiny_recipe: Path, pixel_format: PixelFormat) -> None:
    sized = at_size(recipes.load(tiny_recipe), 0.1)
    assert sized.mode is Mode.TILES
    frame = bench._frame(sized.bundle, pixel_format)
    assert frame.shape == pixel_format.shape(274, 365)
    assert frame.dtype == pixel_format.dtype
    assert frame.max() < 2**pixel_format.bits
    assert frame.std() > 0


def test_the_bottleneck_is_what_takes_longest() -> None:
    seconds = dict.fromkeys(STAGES, 0.1) | {"convert": 0.2}
    speed = Speed("a", 1, 1, 1, "torch", seconds)
    assert speed.slowest == "convert"
    assert speed.total == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["/nowhere"], "/nowhere"),
        (["--megapixels", "0"], "0.01 to 200"),
        (["--threads", "0"], "1 to 1024"),
        (["--device", "tpu"], "auto, cpu, cuda or cuda:N"),
        (["--seconds", "-1"], "0.01 to 200"),
    ],
)
def test_bad_input_is_one_clear_line(
    given: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = main(given)
    except SystemExit as left:
        status = int(left.code or 0)
    assert status == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("effad-bench: error: ")
    assert told in line
