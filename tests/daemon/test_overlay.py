"""The heat map lies where the anomaly is, and shows what reaches the threshold."""

import numpy as np
import pytest
from numpy.typing import NDArray

from daemon.messages import Map, MapEncoding, Region
from daemon.overlay import heat_overlay, placement_of
from models.geometry import Placement, Tiles

HEIGHT, WIDTH = 240, 400
PLACEMENT = Tiles(HEIGHT, WIDTH).placement
ROW, COLUMN = 40, 70  # the anomaly's cell: pixels (x, y) about (282, 162)
THRESHOLD = 0.4


def spot(peak: float) -> NDArray[np.float32]:
    values = np.zeros(PLACEMENT.cells, np.float32)
    values[ROW - 3 : ROW + 4, COLUMN - 3 : COLUMN + 4] = peak
    return values


def grey() -> NDArray[np.uint8]:
    return np.full((HEIGHT, WIDTH, 3), 90, np.uint8)


def test_only_the_anomaly_is_coloured_and_it_is_red() -> None:
    frame = grey()
    picture = heat_overlay(frame, spot(2 * THRESHOLD), PLACEMENT, THRESHOLD)
    assert picture.dtype == np.uint8
    assert picture.shape == frame.shape
    assert (frame == 90).all()  # a new array
    red, green, blue = picture[162, 282].astype(int)
    assert red > 90 > max(green, blue)  # RGB, not BGR
    changed = (picture != frame).any(axis=2)
    changed[:30, :150] = False  # the score
    rows, columns = np.nonzero(changed)
    assert rows.min() > 140
    assert rows.max() < 184
    assert columns.min() > 260
    assert columns.max() < 304


def test_the_threshold_is_outlined_in_white() -> None:
    below = heat_overlay(grey(), spot(0.99 * THRESHOLD), PLACEMENT, THRESHOLD)[100:]
    above = heat_overlay(grey(), spot(1.01 * THRESHOLD), PLACEMENT, THRESHOLD)[100:]
    assert not (below == 255).all(axis=2).any()
    assert (above == 255).all(axis=2).sum() > 50


def test_a_region_is_boxed_around_its_pixels() -> None:
    box = Region(
        x=100, y=120, width=40, height=20, area=800, centroid=(120, 130), peak=0.5, peak_at=(9, 9)
    )
    frame = grey()
    picture = heat_overlay(frame, spot(0), PLACEMENT, THRESHOLD, [box])
    white = (picture == 255).all(axis=2)
    assert white[118, 98:142].all()
    assert white[141, 98:142].all()
    assert white[118:142, 98].all()
    assert white[118:142, 141].all()
    assert (picture[120:140, 100:140] == 90).all()  # what is inside stays to be seen
    assert (picture[:117, 98:130] != 90).any()  # its peak is written


def test_without_a_frame_the_map_is_drawn_at_the_frames_size() -> None:
    picture = heat_overlay(None, spot(0.8), PLACEMENT, THRESHOLD, size=(WIDTH, HEIGHT))
    assert picture.shape == (HEIGHT, WIDTH, 3)
    red, _, blue = picture[162, 282].astype(int)
    assert red > blue
    red, _, blue = picture[60, 200].astype(int)
    assert blue >= red
    with pytest.raises(ValueError, match="size"):
        heat_overlay(None, spot(0.8), PLACEMENT, THRESHOLD)


def test_the_score_is_written_whole_at_any_size() -> None:
    for width, height in ((64, 48), (2000, 1500)):
        box = Region(
            x=0, y=0, width=width, height=height, area=1, centroid=(0, 0), peak=1, peak_at=(0, 0)
        )
        picture = heat_overlay(None, spot(1.0), PLACEMENT, THRESHOLD, [box], size=(width, height))
        assert picture.shape == (height, width, 3)
        assert (picture[: height // 4, : width // 3] == 0).all(axis=2).any()


def test_a_threshold_of_zero_is_no_error() -> None:
    picture = heat_overlay(grey(), spot(0.1), PLACEMENT, 0.0)
    assert (picture[100:] == 255).all(axis=2).any()


def test_a_received_maps_placement_is_row_before_column() -> None:
    header = Map(
        epoch=1,
        seq=1,
        station="s",
        camera="c",
        score=1,
        threshold=1,
        encoding=MapEncoding.RAW,
        dtype="float16",
        shape=(6, 7),
        scale=1,
        first=(3.0, 2.0),
        step=(5.0, 4.0),
        frame=(37, 26),
    )
    assert placement_of(header) == Placement((2.0, 3.0), (4.0, 5.0), (6, 7))
