"""Draws a good nut: a turned metal hexagon with a threaded hole, lying on a matte plate.

Lengths are in nut units, where the distance from the centre to a flat is 1; planes are float32,
0 black and 1 white before the light, indexed (y, x).
"""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# float32 always; numpy's types widen its product with a Python float, which numpy does not.
Plane = NDArray[np.floating[Any]]

TIP = 2 / math.sqrt(3)  # where two flats would meet
ROUNDED = 1.11  # the chamfer turns the tips off here
CHAMFER = 0.94
SINK = 0.65
MAJOR = 0.59
BORE = 0.44  # what the lens still sees of the deepest thread
_REACH = 1.2  # radius the polar texture covers
_TURNS = 4.0

_METAL = (1.00, 0.995, 0.985)
_PLATE = (0.90, 0.99, 1.06)
_GAUSS = np.array(
    [NormalDist().inv_cdf((level + 0.5) / 256) for level in range(256)], dtype=np.float32
)


@dataclass(frozen=True)
class Lie:
    """Where a nut lies: planes of (size, size) in nut units, in a frame that turns with it."""

    x: Plane  # a flat faces +x
    y: Plane
    r: Plane
    theta: Plane  # radians, 0 to 2 pi
    uphill: Plane  # how far toward the light
    edge: Plane  # signed distance to the outline, negative inside
    azimuth: float  # radians in the nut's frame: where the light comes from
    turn: float  # radians from the nut's frame to the image's
    unit: float  # pixels in a nut unit


@dataclass(frozen=True)
class Scene:
    """A nut before the light falls on it, and what a defect needs to know to be drawn on it."""

    lie: Lie
    rgb: Plane  # (3, size, size)
    plate: Plane  # (3, size, size): what lies under the metal, its shadow included
    metal: Plane  # (size, size): share of the pixel that is metal seen from above, 0 to 1


def white(rng: np.random.Generator, *shape: int) -> Plane:
    """Gaussian noise of unit deviation in 256 levels, five times as fast as standard_normal."""
    raw = np.frombuffer(rng.bytes(math.prod(shape)), dtype=np.uint8)
    return np.asarray(cv2.LUT(raw.reshape(shape[-2], -1), _GAUSS), dtype=np.float32).reshape(shape)


def clouds(rng: np.random.Generator, size: int, cells: int) -> Plane:
    """Smooth noise of about unit deviation, (size, size), with `cells` bumps along a side."""
    return np.asarray(
        cv2.resize(white(rng, cells, cells), (size, size), interpolation=cv2.INTER_CUBIC),
        dtype=np.float32,
    )


def ramp(values: Plane, low: float, high: float) -> Plane:
    """0 at `low`, 1 at `high`, straight between and level beyond."""
    share = np.clip((values - np.float32(low)) * np.float32(1 / (high - low)), 0, 1)
    return np.asarray(share, dtype=np.float32)


def polar(x: Plane, y: Plane) -> tuple[Plane, Plane]:
    """The distance and the angle, 0 to 2 pi, of each pixel from the origin."""
    distance, angle = cv2.cartToPolar(x, y)
    return np.asarray(distance, dtype=np.float32), np.asarray(angle, dtype=np.float32)


def _disc(radius: Plane, edge: float) -> Plane:
    """1 inside `edge`, 0 outside, with a soft lip like a machined edge."""
    return 1 - ramp(radius, edge - 0.006, edge + 0.006)


def _turned(rng: np.random.Generator, size: int, azimuth: float) -> Plane:
    """The metal unrolled, (5 * size // 4 angles, 5 * size // 8 radii): shading, marks, thread."""
    angles, radii = 5 * size // 4, 5 * size // 8
    theta = np.linspace(0, 2 * np.pi, angles, endpoint=False, dtype=np.float32)[:, None]
    radius = np.linspace(0, _REACH, radii, dtype=np.float32)[None, :]
    facing = np.cos(theta - np.float32(azimuth))
    # Turning leaves circular grooves, which shine in a bow tie along the light.
    width = rng.uniform(0.34, 0.46)
    bow = np.exp(-(((1 - facing**2) / np.float32(width)) ** 2)) * (0.88 + 0.12 * np.sign(facing))
    chamfer = 1 - _disc(radius, CHAMFER)
    sink = _disc(radius, SINK) - _disc(radius, MAJOR)
    face = _disc(radius, CHAMFER) - _disc(radius, SINK)

    rings = white(rng, 1, radii) + clouds(rng, radii, 40)[:1]
    streaks = cv2.resize(white(rng, 24, radii), (radii, angles), interpolation=cv2.INTER_CUBIC)
    level = face * rng.uniform(0.50, 0.54) + chamfer * 0.40 + sink * 0.50
    # The lips catch the light as bright hairlines.
    lips = sum(np.exp(-(((radius - lip) / np.float32(0.007)) ** 2)) for lip in (CHAMFER, SINK))
    marks = face * 0.018 + chamfer * 0.006 + sink * 0.008
    image = (rings + 0.6 * streaks) * marks
    image *= 0.6 + bow
    image += level + 0.08 * lips
    image += facing * (chamfer * 0.20 - sink * 0.26 - 0.08 * lips)
    image += bow * (face * 0.24 + chamfer * 0.05)
    inner = slice(0, int(radii * (MAJOR + 0.02) / _REACH))
    image[:, inner] += _thread(theta, radius[:, inner], facing)
    return np.asarray(image, dtype=np.float32)


def _thread(theta: Plane, radius: Plane, facing: Plane) -> Plane:
    """One start of thread, its turns closing up with depth as a lens sees them."""
    inside = _disc(radius, MAJOR)
    depth = np.clip((MAJOR - radius) / (MAJOR - BORE), 0, 1)
    phase = _TURNS * depth ** np.float32(0.85) + theta / np.float32(2 * np.pi)
    phase -= np.floor(phase)
    crest = np.minimum(phase * np.float32(1 / 0.62), (1 - phase) * np.float32(1 / 0.38))
    # The wall across the hole from the light is the one it falls on.
    lit = 0.54 - 0.23 * facing
    return np.asarray((0.09 + crest * lit) * (inside * (1 - 0.5 * depth)), dtype=np.float32)


def _hexagon(x: Plane, y: Plane, r: Plane) -> Plane:
    """Signed distance to the outline in nut units, negative inside."""
    half, lean = np.float32(0.5), np.float32(math.sqrt(3) / 2)
    across = np.maximum(np.abs(x * half + y * lean), np.abs(x * half - y * lean))
    flats = np.maximum(np.abs(x), across) - 1
    return np.asarray(np.maximum(flats, r - np.float32(ROUNDED)), dtype=np.float32)


def _within(distance: Plane, unit: float) -> Plane:
    """Share of a pixel inside an outline whose distance is given in nut units."""
    share = np.clip(np.float32(0.5) - distance * np.float32(unit), 0, 1)
    return np.asarray(share, dtype=np.float32)


def _shadow(solid: Plane, toward: tuple[float, float], softness: float) -> Plane:
    """What a solid outline takes from the light: a soft cast shadow and a tight contact one."""
    size = solid.shape[0]
    small = cv2.resize(solid, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    move = np.array([[1, 0, toward[0] / 4], [0, 1, toward[1] / 4]], dtype=np.float64)
    cast = cv2.GaussianBlur(cv2.warpAffine(small, move, small.shape[::-1]), (0, 0), softness / 4)
    touch = cv2.GaussianBlur(small, (0, 0), max(softness / 8, 0.5))
    # Not darker under the part than beside it: a broken corner shows what lies there.
    both = cv2.resize(np.minimum(np.maximum(cast * 0.62, touch * 0.55), 0.42), (size, size))
    return np.asarray(both, dtype=np.float32)


def _plate(rng: np.random.Generator, size: int) -> Plane:
    """A matte plate: an even grey with a grain and faint wear."""
    grain = cv2.GaussianBlur(white(rng, size, size), (3, 3), 0)
    tone = np.float32(rng.uniform(0.25, 0.29))
    wear = 0.006 * clouds(rng, size, 9) + 0.005 * clouds(rng, size, 40)
    return np.asarray(tone + 0.020 * grain + wear, dtype=np.float32)


def _tint(grey: Plane, colour: tuple[float, float, float]) -> Plane:
    return grey[None] * np.array(colour, dtype=np.float32)[:, None, None]


def _lay(pose: np.random.Generator, size: int) -> Lie:
    unit = size * 0.335 * pose.uniform(0.975, 1.025)
    centre = size * (0.5 + pose.uniform(-0.022, 0.022, 2)) - 0.5
    # A nut looks the same every 60 degrees; with a flat facing +x, up to 8 either side.
    turn = math.radians(pose.uniform(-8, 8))
    azimuth = math.radians(pose.uniform(-140, -110)) - turn
    pixels = np.arange(size, dtype=np.float32) / np.float32(unit)
    across = pixels - np.float32(centre[0] / unit)
    down = pixels[:, None] - np.float32(centre[1] / unit)
    cos, sin = np.float32(math.cos(turn)), np.float32(math.sin(turn))
    x, y = across * cos + down * sin, down * cos - across * sin
    r, theta = polar(x, y)
    uphill = x * np.float32(math.cos(azimuth)) + y * np.float32(math.sin(azimuth))
    return Lie(x, y, r, theta, uphill, _hexagon(x, y, r), azimuth, turn, unit)


def _top(texture: np.random.Generator, lie: Lie) -> Plane:
    """The metal's grey seen from above, (size, size); beyond the outline it means nothing."""
    size = lie.r.shape[0]
    unrolled = _turned(texture, size, lie.azimuth)
    rows, columns = unrolled.shape
    column = np.minimum(lie.r, _REACH - 0.02) * np.float32((columns - 1) / _REACH)
    row = lie.theta * np.float32(rows / (2 * np.pi))
    top = cv2.remap(unrolled, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    # A deburred outline: bright where it leans to the light, dark where it leans away.
    burr = np.exp(-((lie.edge * np.float32(lie.unit * 200 / size)) ** 2))
    return np.asarray(top + burr * lie.uphill * 0.16 + 0.010 * clouds(texture, size, 7))


def scene(pose: np.random.Generator, texture: np.random.Generator, size: int) -> Scene:
    """A good part as `pose` lays it down and `texture` finishes its surface.

    Two generators, because textures take a number of draws that depends on the size.
    """
    lie = _lay(pose, size)
    solid = _within(lie.edge, lie.unit)
    hole = _within(lie.r - np.float32(BORE), lie.unit)
    metal, top = solid * (1 - hole), _top(texture, lie)
    light, away = lie.azimuth + lie.turn, -0.075 * lie.unit
    cast = _shadow(solid, (away * math.cos(light), away * math.sin(light)), 0.085 * lie.unit)
    cast = cast + hole * (0.36 + ramp(lie.uphill, -BORE, BORE) * 0.14)
    plate = _tint(_plate(texture, size) * (1 - cast), _PLATE)
    rgb = _tint(top, _METAL)  # in place from here: fresh pages cost more than the arithmetic
    rgb -= plate
    rgb *= metal
    rgb += plate
    return Scene(lie, rgb, plate, metal)


@dataclass(frozen=True)
class Exposure:
    """One camera's view of a scene: how the light varies, and the grain of the sensor."""

    gain: Plane  # (3, size, size)
    sigma: float  # pixels of blur
    noise: Plane  # (3, size, size)

    def expose(self, rgb: Plane) -> Plane:
        """The levels of a scene without the sensor's noise: (3, size, size), 0 to 255."""
        lit = rgb * self.gain
        blurred = [cv2.GaussianBlur(plane, (5, 5), self.sigma) for plane in lit]
        return np.asarray(blurred, dtype=np.float32)

    def develop(self, levels: Plane) -> NDArray[np.uint8]:
        """The image a camera sends of exposed levels: (size, size, 3) RGB."""
        noisy = np.maximum(levels + self.noise, 0)
        planes = [cv2.convertScaleAbs(plane) for plane in noisy]
        return np.asarray(cv2.merge(planes), dtype=np.uint8)


def exposure(pose: np.random.Generator, sensor: np.random.Generator, size: int) -> Exposure:
    """Light of a brightness, slope and colour temperature as a hall gives through a day."""
    bright, warm = pose.uniform(0.90, 1.10), pose.uniform(-0.045, 0.045)
    slope, toward = pose.uniform(0.02, 0.09), pose.uniform(0, 2 * math.pi)
    sigma = max(pose.uniform(0.55, 0.85) * size / 512, 0.3)
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    right, down = axis * np.float32(math.cos(toward)), axis * np.float32(math.sin(toward))
    plane = 1 + np.float32(slope) * (right + down[:, None])
    gain = _tint(plane, (255 * bright * (1 + warm), 255 * bright, 255 * bright * (1 - warm)))
    noise = np.float32(pose.uniform(1.3, 2.0)) * white(sensor, 3, size, size)
    return Exposure(gain, sigma, noise)
