"""From good frames to a calibration record (thesis 4.7), in memory that their number does not grow.

Each frame is looked at as it comes: its cells are counted, its maps spilled to disk. When all are
seen, what was counted gives the normal ranges, and the maps are read back and scored by them,
exactly as inspection will. In mode adaptive frames are looked at twice: all tiles for the ranges
and for the level above which tiles are asked for, then those that inspection asks for; and it is by
those scores that the threshold is set. The order of frames, and who of several processes looks at
which, changes no byte of the record.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from calibration.crew import Alone, Crew, CrewPlan, Processes
from calibration.fusing import Fused, Fuser, grid
from calibration.gallery import Gallery
from calibration.looked import FrameLook, MapHistograms, Measured
from calibration.looker import Looker, Seen, counted_cells, empty_histograms
from calibration.record import Choice, record
from calibration.shown import Shown
from calibration.spill import Spill
from calibration.spilled_maps import SpilledMaps, map_layout, record_size
from calibration.thresholds import part_scores
from models.adaptive import Asking, ask_level, tile_peaks
from models.bit_histogram import BitHistogram
from models.bundle import Bundle
from models.calibration import AskLevel, ScaleRange
from models.engine import Engine
from models.errors import InputError
from models.mode import Mode
from models.ranges import counted_range

Progress = Callable[[Seen], None]
Which = Literal["local", "globally"]


class Measurement:
    """Good frames that are being measured; used by ``with``, which ends what it started."""

    def __init__(
        self,
        bundle: Bundle,
        engine: Engine,
        choice: Choice,
        folder: Path,
        crew: CrewPlan | None = None,
    ) -> None:
        """Spills into the folder. The engine must not ask for tiles yet.

        ``crew``: who looks at the frames instead of this process, through engines like this one.
        """
        self.bundle, self.engine = bundle, engine
        self._choice = choice
        self._folder = folder
        self._plan = crew
        size = self.bundle.manifest.input
        self._layout = map_layout(self.engine, size.height, size.width)
        self._open = ExitStack()
        self._gallery = self._open.enter_context(Gallery(folder, size.height, size.width))
        self._seen: list[Seen] = []
        self._histograms = empty_histograms(self.engine.mode.scales)
        self._crew: Crew
        self._maps: SpilledMaps

    def __enter__(self) -> "Measurement":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.__exit__(kind, error, trace)

    @property
    def duplicates(self) -> int:
        """Give how many frames were the same as others, bit for bit, and were left out."""
        return self._gallery.duplicates

    @property
    def looks_twice(self) -> bool:
        """Say whether ``finish`` looks at each frame again."""
        return self.engine.mode is Mode.ADAPTIVE

    def show(self, frames: Iterable[Shown], total: int | None, progress: Progress) -> None:
        """Look at good frames, once; ``total``: how many they are at most.

        Raises ``InputError`` for frames of another size or without any contrast, for a disk that
        has no room for their maps, or if so many cannot support the rate.
        """
        if total is not None:
            self._choice.check(total)
        record = record_size(self._layout)
        spill = self._open.enter_context(Spill(self._folder, record, total))
        self._maps = SpilledMaps(spill, self._layout)
        self._crew = self._open.enter_context(self._assemble(spill))
        for seen in self._crew.each(_look, self._gallery.admit(frames, total)):
            self._seen.append(seen)
            progress(seen)
        for found in self._crew.every(_histograms):
            for name, (local, globally) in found.items():
                self._histograms[name].local.merge(BitHistogram.from_bytes(local))
                self._histograms[name].globally.merge(BitHistogram.from_bytes(globally))

    def read(self, digest: str) -> Shown:
        """Give a frame again, from its file or from the spill; raises ``InputError``."""
        return self._gallery.read(digest)

    def named(self, names: Collection[str]) -> set[str]:
        """Give the digests of frames or parts by name; raises ``InputError`` for an unknown one."""
        found: set[str] = set()
        frames = self._gallery.labelled(self._seen)
        for name in names:
            named = {one.digest for one in frames if name in (one.name, one.part)}
            if not named:
                raise InputError(f"{name}: no frame or part of that name was shown")
            found |= named
        return found

    def finish(
        self,
        defects: Iterable[Shown] = (),
        without: Collection[str] = (),
        progress: Callable[[], None] = lambda: None,
    ) -> Measured:
        """Make the calibration; again and again, without the frames of these digests.

        Defects are parts that are to fail, for the methods that take some; ``progress`` is told of
        each second look. Raises ``InputError`` for too few parts, or frames that look all alike.
        """
        frames = self._frames(set(without))
        histograms = self._count(frames) if without else self._histograms
        ranges = {name: self._range(frames, name, found) for name, found in histograms.items()}
        ask, asking = self._ask(frames, ranges)
        alphas = grid(self._choice.alpha) if asking is None else (self._choice.alpha,)
        fuser = Fuser(ranges, self.bundle.weights, alphas)
        if asking is None:
            fused = [fuser(self._maps.read(one.slot)) for one in frames]
        else:
            fused = self._look_again(frames, asking, fuser, progress)
        calibration = record(
            self.bundle,
            self.engine,
            self._choice,
            list(zip(frames, fused, strict=True)),
            ranges,
            ask,
            alphas,
            self._defects(defects, asking, ranges),
        )
        looks = map(_looked, frames, calibration.drift.score)
        return Measured(calibration, tuple(looks), histograms)

    def _assemble(self, spill: Spill) -> Crew:
        if self._plan is None:
            return Alone(Looker(self.engine, self._layout, self._maps))
        return Processes(self._plan, spill)

    def _frames(self, without: set[str]) -> list[Seen]:
        """Give the frames to calibrate on, sorted by digest; raises ``InputError`` if too few."""
        frames = sorted(self._gallery.labelled(self._seen), key=lambda one: one.digest)
        frames = [one for one in frames if one.digest not in without]
        parts = len({one.part for one in frames})
        if parts < 2:
            raise InputError(
                f"{len(frames)} frames of {parts} parts that differ: show at least 2 good parts,"
                " better 50"
            )
        self._choice.check(parts)
        return frames

    def _count(self, frames: Sequence[Seen]) -> dict[str, MapHistograms]:
        found = empty_histograms(self.engine.mode.scales)
        for name, histograms in found.items():
            for cells in self._cells(frames, name, "local"):
                histograms.local.add_sorted(cells)
            for cells in self._cells(frames, name, "globally"):
                histograms.globally.add_sorted(cells)
        return found

    def _range(self, frames: Sequence[Seen], name: str, found: MapHistograms) -> ScaleRange:
        local, globally = (partial(self._cells, frames, name, which) for which in get_args(Which))
        return ScaleRange(
            local=counted_range(name, found.local, local),
            globally=counted_range(name, found.globally, globally),
        )

    def _cells(
        self, frames: Sequence[Seen], scale: str, which: Which
    ) -> Iterator[NDArray[np.float32]]:
        """Yield the counted cells of one map of each frame, once more."""
        counted = self._layout[scale].counted
        for one in frames:
            raw = self._maps.read(one.slot)[scale]
            yield counted_cells(raw.local if which == "local" else raw.globally, counted)

    def _ask(
        self, frames: Sequence[Seen], ranges: Mapping[str, ScaleRange]
    ) -> tuple[AskLevel | None, Asking | None]:
        """Give the level above which tiles are asked for, in mode adaptive."""
        if not self.looks_twice:
            return None, None
        size, alpha, whole = self.bundle.manifest.input, self._choice.alpha, ranges["whole"]
        layout = self.engine.scope.lay(*self.engine.scope.size(size.height, size.width))
        raws = (self._maps.read(one.slot)["whole"] for one in frames)
        peaks = [
            tile_peaks(
                raw._replace(placement=layout.whole.placement),
                layout.base,
                layout.kept,
                whole,
                alpha,
            )
            for raw in raws
        ]
        ask = ask_level(peaks, self._choice.tile_share)
        return ask, Asking(whole, alpha, ask.level)

    def _look_again(
        self,
        frames: Sequence[Seen],
        asking: Asking,
        fuser: Fuser,
        progress: Callable[[], None],
    ) -> list[Fused]:
        self._crew.every(partial(_ask, asking=asking, fuser=fuser))
        found: dict[str, Fused] = {}
        for digest, fused in self._crew.each(_again, (self.read(one.digest) for one in frames)):
            found[digest] = fused
            progress()
        return [found[one.digest] for one in frames]

    def _defects(
        self, defects: Iterable[Shown], asking: Asking | None, ranges: Mapping[str, ScaleRange]
    ) -> list[float]:
        """Give a score for each defective part."""
        engine = self.engine if asking is None else self.engine.asking(asking)
        fuser = Fuser(ranges, self.bundle.weights, (self._choice.alpha,))
        scores = []
        for shown in defects:
            self._gallery.check(shown)
            maps = engine.look(shown.pixels, shown.pixel_format)
            scores.append((shown.part, fuser.anomaly(maps, self._choice.alpha).score))
        return part_scores(scores)


def _look(looker: Looker, item: tuple[Shown, int]) -> Seen:
    return looker.look(*item)


def _again(looker: Looker, shown: Shown) -> tuple[str, Fused]:
    return shown.digest, looker.again(shown)


def _ask(looker: Looker, asking: Asking, fuser: Fuser) -> None:
    looker.ask(asking, fuser)


def _histograms(looker: Looker) -> dict[str, tuple[bytes, bytes]]:
    return {
        name: (found.local.to_bytes(), found.globally.to_bytes())
        for name, found in looker.histograms.items()
    }


def _looked(seen: Seen, score: float) -> FrameLook:
    return FrameLook(
        name=seen.name,
        digest=seen.digest,
        part=seen.part,
        score=score,
        levels=seen.levels,
        brightness=seen.appearance.brightness,
        contrast=seen.appearance.contrast,
        sharpness=seen.appearance.sharpness,
    )
