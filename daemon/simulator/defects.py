"""Draws what goes wrong with a nut onto its scene, each defect with the shape it has there.

Sizes are in pixels of a 512 image and grow and shrink with it, but never below what shows.
"""

import math
from collections.abc import Callable
from enum import StrEnum

import cv2
import numpy as np

from daemon.simulator.drawing import (
    BORE,
    MAJOR,
    SINK,
    TIP,
    Plane,
    Scene,
    clouds,
    polar,
    ramp,
    white,
)

_Drawn = tuple[Plane, Plane]  # the scene's rgb with the defect, (3, size, size); its share of each


class Defect(StrEnum):
    """What is wrong with a part; the value names its folder in a data set."""

    SCRATCH = "scratch"
    PIT = "pit"
    CONTAMINATION = "contamination"
    MISSING = "missing"


def spoil(
    scene: Scene, defect: Defect, rng: np.random.Generator, grain: np.random.Generator
) -> _Drawn:
    """The scene's rgb with one defect, and how much of each pixel it covers, (size, size) 0 to 1.

    `rng` gives the geometry and `grain` the textures, so that the geometry holds at any size.
    """
    return _DRAW[defect](scene, rng, grain)


def _over(rgb: Plane, share: Plane, colour: Plane | tuple[float, float, float]) -> Plane:
    ink = np.asarray(colour, dtype=np.float32)
    ink = ink[:, None, None] if ink.ndim == 1 else ink
    return rgb + share * (ink - rgb)


def _sign(rng: np.random.Generator) -> float:
    return 1.0 if rng.random() < 0.5 else -1.0


def _on_face(rng: np.random.Generator, low: float, high: float) -> tuple[float, float, float]:
    """A point of the face between two radii: its x, its y, and the angle it stands at."""
    radius, angle = rng.uniform(low, high), rng.uniform(0, 2 * math.pi)
    return radius * math.cos(angle), radius * math.sin(angle), angle


def _local(scene: Scene, x: float, y: float, angle: float) -> tuple[Plane, Plane]:
    """Pixels along and across a direction from a point given in nut units."""
    cos, sin = math.cos(angle) * scene.lie.unit, math.sin(angle) * scene.lie.unit
    right, down = scene.lie.x - np.float32(x), scene.lie.y - np.float32(y)
    along = right * np.float32(cos) + down * np.float32(sin)
    across = down * np.float32(cos) - right * np.float32(sin)
    return along, across


def _pixels(scene: Scene, at_512: float, least: float = 1.0) -> float:
    return max(at_512 * float(scene.metal.shape[0]) / 512, least)


def _inside(distance: Plane, soft: float = 1.0) -> Plane:
    """Share of a pixel inside an outline whose distance is given in pixels, negative inside."""
    share = np.clip(0.5 - distance / np.float32(soft), 0, 1)
    return np.asarray(share, dtype=np.float32)


def _steel(scene: Scene) -> Plane:
    """Where metal faces up: not the hole, nor the thread in it."""
    return scene.metal * ramp(scene.lie.r, SINK - 0.01, SINK + 0.01)


def _scratch(scene: Scene, rng: np.random.Generator, grain: np.random.Generator) -> _Drawn:
    x, y, angle = _on_face(rng, 0.75, 0.90)
    # Along the tool marks a scratch would pass for one of them.
    lean = _sign(rng) * rng.uniform(0.35, 1.2)
    along, across = _local(scene, x, y, angle + math.pi / 2 + lean)
    half = _pixels(scene, rng.uniform(32, 68))
    bend, wave, turn = rng.uniform(-0.12, 0.12), rng.uniform(0.3, 1.0), rng.uniform(0, 6)
    path = np.float32(bend / half) * along**2
    path += np.float32(_pixels(scene, wave, 0)) * np.sin(along * np.float32(5 / half) + turn)
    width = _pixels(scene, rng.uniform(1.5, 3.0), 1.3)
    taper = 1 - np.clip(np.abs(along) / np.float32(half), 0, 1) ** 4
    gap = across - path
    groove = _inside(np.abs(gap) - width / 2 * taper) * (taper > 0) * _steel(scene)
    # A groove has a wall in the dark and a raised lip in the light.
    side = _inside(gap / np.float32(width) * _sign(rng) * 3 + 0.4)
    shade = 0.12 + 0.83 * side
    ink = np.repeat(np.asarray(shade, dtype=np.float32)[None], 3, axis=0)
    return _over(scene.rgb, groove * np.float32(0.9), ink), groove


def _lumpy(
    rng: np.random.Generator, along: Plane, across: Plane, radius: float, lump: float
) -> Plane:
    """Distance in pixels to a rounded outline with lumps, negative inside."""
    distance, angle = polar(along, across)
    edge = np.zeros_like(distance)
    for harmonic in (2, 3, 5):
        weight = np.float32(lump * rng.uniform(0.4, 1.0) / harmonic)
        edge += weight * np.cos(angle * harmonic + np.float32(rng.uniform(0, 2 * math.pi)))
    return np.asarray(distance - np.float32(radius) * (1 + edge), dtype=np.float32)


def _pit(scene: Scene, rng: np.random.Generator, grain: np.random.Generator) -> _Drawn:
    x, y, angle = _on_face(rng, 0.74, 0.88)
    rgb, share = scene.rgb, np.zeros_like(scene.lie.r)
    light = np.float32(math.cos(scene.lie.azimuth)), np.float32(math.sin(scene.lie.azimuth))
    for _ in range(int(rng.integers(1, 4))):
        radius = _pixels(scene, rng.uniform(3.2, 7.0), 1.4)
        along, across = _local(scene, x, y, 0)
        distance = _lumpy(rng, along, across, radius, 0.35)
        hole = _inside(distance) * _steel(scene)
        # The wall across a pit from the light catches it; the near one lies in shadow.
        facing = -(along * light[0] + across * light[1]) / np.float32(radius)
        ink = np.repeat((0.16 + 0.22 * np.clip(facing, -0.6, 1.3))[None], 3, axis=0)
        lip = _inside(np.abs(distance) - 0.8) * np.clip(facing, 0, 1) * _steel(scene)
        rgb = _over(_over(rgb, hole, ink), lip * np.float32(0.6), (0.95, 0.94, 0.92))
        share = np.maximum(share, hole)
        angle += rng.uniform(0.12, 0.3)
        far = rng.uniform(0.74, 0.88)
        x, y = far * math.cos(angle), far * math.sin(angle)
    return rgb, share


def _contamination(scene: Scene, rng: np.random.Generator, grain: np.random.Generator) -> _Drawn:
    return (_oil if rng.random() < 0.5 else _fibre)(scene, rng)


def _oil(scene: Scene, rng: np.random.Generator) -> _Drawn:
    x, y, angle = _on_face(rng, 0.76, 0.90)
    along, across = _local(scene, x, y, angle + math.pi / 2)
    radius = _pixels(scene, rng.uniform(7.5, 19), 2)
    # A drop runs along the tool marks sooner than across them.
    distance = _lumpy(rng, along * np.float32(0.85), across * np.float32(1.15), radius, 0.28)
    share = _inside(distance, _pixels(scene, 2.5)) * _steel(scene)
    depth = np.clip(-distance / np.float32(radius), 0, 1)
    stain = scene.rgb * np.array((0.38, 0.31, 0.21), dtype=np.float32)[:, None, None]
    stain = stain * (0.75 + 0.25 * np.sqrt(depth))  # a film gathers at its rim
    shine = _local(scene, x, y, scene.lie.azimuth)
    glint = ((shine[0] / np.float32(radius) - 0.38) / 0.13) ** 2
    glint = np.exp(-glint - (shine[1] / np.float32(radius * 0.3)) ** 2) * share
    return _over(_over(scene.rgb, share, stain), glint * 0.45, (0.9, 0.92, 0.95)), share


_FIBRES = ((0.62, 0.10, 0.10), (0.10, 0.22, 0.60), (0.08, 0.42, 0.20), (0.08, 0.07, 0.07))


def _fibre(scene: Scene, rng: np.random.Generator) -> _Drawn:
    x, y, angle = _on_face(rng, 0.76, 0.88)
    along, across = _local(scene, x, y, angle + math.pi / 2 + rng.uniform(-0.5, 0.5))
    half = _pixels(scene, rng.uniform(15, 24))
    height, turn = half * rng.uniform(0.2, 0.42), rng.uniform(0, 2 * math.pi)
    pace = np.float32(rng.uniform(2.2, 3.4) / half)
    path = np.float32(height) * (np.sin(along * pace + turn) - math.sin(turn))
    slope = np.float32(height) * pace * np.cos(along * pace + turn)
    gap = (across - path) / np.sqrt(1 + slope**2)
    width = _pixels(scene, rng.uniform(2.2, 3.4), 1.5)
    ends = _inside(np.abs(along) - half) * _steel(scene)
    shade = _inside(np.abs(gap - width * 0.7) - width * 0.6, width * 0.6) * ends
    thread = _inside(np.abs(gap) - width / 2) * ends
    colour = _FIBRES[int(rng.integers(len(_FIBRES)))]
    lit = np.array(colour, dtype=np.float32)[:, None, None] * (1.15 - 0.5 * gap / width)
    rgb = _over(_over(scene.rgb, shade * np.float32(0.45), (0.12, 0.12, 0.12)), thread, lit)
    return rgb, thread


def _missing(scene: Scene, rng: np.random.Generator, grain: np.random.Generator) -> _Drawn:
    return (_corner if rng.random() < 0.5 else _stripped)(scene, rng, grain)


def _fracture(scene: Scene, grain: np.random.Generator, tone: float) -> Plane:
    """The torn surface of cast metal: coarse bright and dark grains, (3, size, size)."""
    size = scene.lie.r.shape[0]
    facets = cv2.resize(white(grain, 200, 200), (size, size), interpolation=cv2.INTER_LINEAR)
    surface = 0.05 * clouds(grain, size, 60) + 0.085 * facets
    surface = np.clip(tone + surface, 0.03, 0.9)
    return np.asarray(np.repeat(surface[None], 3, axis=0), dtype=np.float32)


def _jagged(rng: np.random.Generator, along: Plane, step: float, height: float) -> Plane:
    """A broken edge's height in pixels at each point along it, with a tooth every `step` or so."""
    teeth = np.zeros_like(along)
    for finer in (1.0, 2.3, 5.1):
        turn = np.float32(rng.uniform(0, 2 * math.pi))
        teeth += np.sin(along * np.float32(finer / step) + turn) / np.float32(finer)
    return teeth * np.float32(height)


def _corner(scene: Scene, rng: np.random.Generator, grain: np.random.Generator) -> _Drawn:
    corner = math.radians(30 + 60 * int(rng.integers(6)))
    depth = TIP - rng.uniform(0.11, 0.20)
    x, y = depth * math.cos(corner), depth * math.sin(corner)
    out, along = _local(scene, x, y, corner + math.radians(rng.uniform(-16, 16)))
    out = out + _jagged(rng, along, _pixels(scene, 14), _pixels(scene, 2.5, 0.3))
    broken = _inside(-out)
    face = _pixels(scene, rng.uniform(6, 11), 1.5)
    rough = face + _jagged(rng, along, _pixels(scene, 9), _pixels(scene, 2.0, 0.3))
    gone = _inside(rough - out) * broken
    torn = _over(scene.rgb, broken * scene.metal, _fracture(scene, grain, 0.30))
    return _over(torn, gone, scene.plate), broken * scene.metal


def _stripped(scene: Scene, rng: np.random.Generator, grain: np.random.Generator) -> _Drawn:
    middle, half = rng.uniform(0, 2 * math.pi), rng.uniform(0.25, 0.45)
    along, across = _local(scene, 0, 0, middle)
    unit, tooth = scene.lie.unit, _pixels(scene, 2.0, 0.3)
    radius = scene.lie.r * np.float32(unit)
    ends = np.abs(np.arctan2(across, along)) * radius - half * MAJOR * unit
    ends = ends + _jagged(rng, radius, _pixels(scene, 5), tooth)
    low, high = (BORE + rng.uniform(0.0, 0.03)) * unit, (MAJOR + 0.015) * unit
    rim = np.abs(radius - (low + high) / 2) - (high - low) / 2
    rim = rim + _jagged(rng, across, _pixels(scene, 6), tooth * 0.6)
    share = _inside(np.maximum(rim, ends)) * scene.metal
    return _over(scene.rgb, share * np.float32(0.92), _fracture(scene, grain, 0.40)), share


_DRAW: dict[Defect, Callable[[Scene, np.random.Generator, np.random.Generator], _Drawn]] = {
    Defect.SCRATCH: _scratch,
    Defect.PIT: _pit,
    Defect.CONTAMINATION: _contamination,
    Defect.MISSING: _missing,
}
