"""Faults of a data set: a rule for each, which tells whether it stops a training."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from models.errors import InputError
from training.data.findings import Finding
from training.data.look import Look
from training.data.masks import read_mask
from training.data.near import near_twins
from training.data.samples import DataSet, Sample

TILE = 256  # pixels, a side: what the networks see at once
#: An image shows nothing if its grey levels deviate by less than this (of 255), and by far less
#: than others do: sensor noise is about 1, and a plain surface may be all there is to see.
_FLAT_LEVELS, _FLAT_SHARE = 2.0, 0.25
_DARK, _BRIGHT = 32, 224  # grey levels, of 255
#: An image is blurred if its sharpness is below the median by more than this factor, and by more
#: than this many robust deviations of the logarithm. On metal nuts, magnetic tiles and drawn
#: parts as they are, none is; blurred by a Gaussian of 1.5 pixels all are.
_BLUR_FACTOR, _BLUR_DEVIATIONS = 4.0, 5.0
_MAD = 1.4826  # times the median absolute deviation is a Gaussian's standard deviation
_PEAK_16_BITS = 1 << 14  # images of 16 bits that stay below were not scaled to them


@dataclass(frozen=True)
class Seen:
    """A data set and what was seen of it."""

    data: DataSet
    looks: dict[Sample, Look]

    @cached_property
    def learnt(self) -> tuple[Sample, ...]:
        """What is trained on or calibrated on."""
        return (*self.data.train, *self.data.validation)

    @cached_property
    def empty(self) -> tuple[Look, ...]:
        """Images that show nothing, which no other rule judges."""
        looks = list(self.looks.values())
        usual = float(np.median([x.deviation for x in looks])) if looks else 0.0
        limit = min(_FLAT_LEVELS, _FLAT_SHARE * usual)
        return tuple(x for x in looks if x.deviation <= limit)

    def of(self, samples: Sequence[Sample]) -> list[Look]:
        return [self.looks[s] for s in samples if s in self.looks]


def _finding(kind: str, stops: bool, said: str, looks: Sequence[Look]) -> Iterator[Finding]:
    if looks:
        yield Finding(kind, stops, said, tuple(x.path for x in looks))


def _sizes(seen: Seen) -> Iterator[Finding]:
    looks = list(seen.looks.values())
    sizes = Counter(x.size for x in looks).most_common()
    if sizes and sizes[0][1] > len(looks) / 2:
        height, width = sizes[0][0]
        said = f"{{n}} of another size than {width} x {height}, which only the scale whole takes"
        yield from _finding("size", False, said, [x for x in looks if x.size != sizes[0][0]])
    elif sizes:
        said = f"{{n}} of {len(sizes)} sizes, which only the scale whole takes"
        yield Finding("size", False, said, tuple(x.path for x in looks))
    small = [x for x in looks if min(x.size) < TILE]
    said = f"{{n}} smaller than a tile of {TILE} x {TILE}, to be enlarged or mirrored at the edges"
    yield from _finding("small", False, said, small)


def _channel_faults(seen: Seen) -> Iterator[Finding]:
    looks = list(seen.looks.values())
    shown = [x for x in looks if x not in seen.empty]
    grey = [x for x in shown if x.grey]
    colour = [x for x in shown if not x.grey]
    few, many = (grey, "colour") if len(grey) <= len(colour) else (colour, "grey")
    kind = "grey" if few is grey else "colour"
    yield from _finding("channels", False, f"{{n}} in {kind} among others in {many}", few)
    deep = [x for x in looks if x.bits > 8]
    if deep and max(x.peak for x in deep) < _PEAK_16_BITS:
        said = (
            f"{{n}} of {deep[0].bits} bits whose highest value is {max(x.peak for x in deep)}:"
            " read as nearly black, to be scaled to the full range"
        )
        yield from _finding("range", False, said, deep)
    if len(deep) < len(looks):
        yield from _finding("bits", False, "{n} of 16 bits among others of 8", deep)
    alpha = [x for x in looks if x.alpha]
    yield from _finding("alpha", False, "{n} with an alpha channel, which is left out", alpha)


def _empty_images(seen: Seen) -> Iterator[Finding]:
    learnt = {x.path for x in seen.of(seen.learnt)}
    kinds = (("black", -1, _DARK), ("plain", _DARK, _BRIGHT), ("white", _BRIGHT, 255))
    for kind, low, high in kinds:
        empty = [x for x in seen.empty if low < x.mean <= high]
        what = "of one colour" if kind == "plain" else f"all {kind}"
        for stops in (True, False):
            side = "trained on or calibrated on" if stops else "tested with"
            said = f"{{n}} {what}, {side}: to be removed"
            some = [x for x in empty if (x.path in learnt) == stops]
            yield from _finding(kind, stops, said, some)


def _blurred(seen: Seen) -> Iterator[Finding]:
    """Judge each view by its own: they look from other distances."""
    views: dict[str, list[Look]] = defaultdict(list)
    for sample, one in seen.looks.items():
        if one not in seen.empty:
            views[sample.view].append(one)
    blurred = []
    for looks in views.values():
        sharpness = np.log([max(x.sharpness, 1e-12) for x in looks])
        below = np.median(sharpness) - sharpness
        spread = _MAD * float(np.median(np.abs(below)))
        limit = max(np.log(_BLUR_FACTOR), _BLUR_DEVIATIONS * spread)
        blurred += [x for x, b in zip(looks, below, strict=True) if b > limit]
    yield from _finding("blurred", False, "{n} far less sharp than the others", blurred)


def _duplicates(seen: Seen) -> Iterator[Finding]:
    learnt: dict[str, list[Look]] = defaultdict(list)
    tested: dict[str, list[Look]] = defaultdict(list)
    for samples, by_content in ((seen.learnt, learnt), (seen.data.test, tested)):
        for one in seen.of(samples):
            by_content[one.digest].append(one)
    for by_content in (learnt, tested):
        again = [x for same in by_content.values() for x in same[1:]]
        yield from _finding("duplicate", False, "{n} with the same pixels as another", again)
    leaked = [x for content, same in tested.items() if content in learnt for x in same]
    said = "{n} of the test equal to one trained on, which makes the test too good: to be removed"
    yield from _finding("leak", False, said, leaked)
    rest = [same[0] for content, same in tested.items() if content not in learnt]
    unlike = [same[0] for same in learnt.values()]
    if rest and unlike:
        thumbnails = [np.stack([x.thumbnail for x in side]) for side in (unlike, rest)]
        twins = near_twins(thumbnails[0], thumbnails[1])
        said = "{n} of the test nearly equal to one trained on; is it the same part?"
        yield from _finding("near duplicate", False, said, [rest[t.test] for t in twins])


def _masks(seen: Seen) -> Iterator[Finding]:
    wrong: list[Look] = []
    empty: list[Look] = []
    said = ""
    defective = [s for s in seen.data.test if not s.good]
    for sample in defective:
        if sample in seen.looks and sample.masks:
            try:
                mask = read_mask(sample, *seen.looks[sample].size)
            except InputError as error:
                said = said or f"{{n}} with a mask that does not fit ({error})"
                wrong.append(seen.looks[sample])
            else:
                empty += [seen.looks[sample]] if mask is not None and not mask.any() else []
    yield from _finding("mask", True, said, wrong)
    yield from _finding("empty mask", False, "{n} with a defect whose mask marks nothing", empty)
    bare = seen.of([s for s in defective if not s.masks])
    said = "{n} with a defect and no mask, which pixel metrics leave out"
    yield from _finding("no mask", False, said, bare)


def _classes(seen: Seen) -> Iterator[Finding]:
    test = seen.data.test
    if test and len({s.good for s in test}) == 1:
        only = "good" if test[0].good else "defective"
        yield Finding("one class", False, f"the test has {only} parts alone: AUROC is undefined")
    wrong = [s for s in seen.data.train if not s.good]
    said = "{n} trained on are known to be defective (a contaminated set)"
    yield from _finding("contaminated", False, said, seen.of(wrong))


RULES: tuple[Callable[[Seen], Iterator[Finding]], ...] = (
    _empty_images,
    _masks,
    _sizes,
    _channel_faults,
    _blurred,
    _duplicates,
    _classes,
)
