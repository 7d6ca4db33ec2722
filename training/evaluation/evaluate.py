"""From a bundle and a data set to a result."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from typing import Literal, Protocol

from torch import nn

from models.bundle import Bundle
from models.engine import Engine
from models.errors import InputError
from models.mode import Mode
from models.precision import Precision
from models.recipe import LoadedRecipe
from models.scope import Scope
from training.data.samples import DataSet
from training.evaluation.ablation import against_teacher
from training.evaluation.bootstrap import Bootstrap
from training.evaluation.looked import Looked
from training.evaluation.maps import KeptMaps, look
from training.evaluation.measure import alpha_of, measure_alpha, measure_map
from training.evaluation.normal import from_held_out, from_recipe, held_out
from training.evaluation.notes import notes, warnings
from training.evaluation.result import (
    BundleFacts,
    DataFacts,
    ImageResult,
    Intervals,
    MapResult,
    NormalFacts,
    Result,
)
from training.evaluation.truth import read_truths

SWEEP = tuple(n / 10 for n in range(11))  # alphas
GlobalMap = Literal["student", "teacher-autoencoder"]


class Told(Protocol):
    """Hears how far a stage is."""

    def __call__(self, stage: str, total: int, done: int) -> None: ...


@dataclass(frozen=True)
class Choice:
    """How a bundle is looked at and measured."""

    recipe: LoadedRecipe | None = None  # None: ranges and threshold from what was held out
    alpha: float = 0.5  # weight of the local map, without a recipe
    mode: Mode | None = None  # without a recipe
    global_map: GlobalMap = "student"
    device: str = "cpu"
    precision: Precision = Precision.FP32
    threads: int = 1
    sweep: bool = True  # over alpha
    intervals: Bootstrap = field(default_factory=Bootstrap)

    def check(self, bundle: Bundle) -> None:
        """Raise ``InputError`` for what does not go together."""
        if not 0 <= self.alpha <= 1:
            raise InputError(f"alpha = {self.alpha}: must be from 0 to 1")
        if self.intervals.resamples < 100:
            raise InputError(f"resamples = {self.intervals.resamples}: must be 100 or more")
        if self.recipe is None:
            if self.mode is Mode.ADAPTIVE:
                raise InputError("mode adaptive needs a calibrated recipe; name it with --recipe")
            return
        if self.recipe.bundle.sha256 != bundle.sha256:
            raise InputError(
                f"{self.recipe.path}: a recipe of bundle {self.recipe.bundle.path}, not of"
                f" {bundle.path}; name its own"
            )
        if self.global_map != "student":
            raise InputError(
                f"{self.recipe.path}: its ranges are of the student against the autoencoder;"
                f" --global {self.global_map} takes its own from held-out images, so leave --recipe"
            )


@contextmanager
def look_at_test(
    bundle: Bundle, data: DataSet, choice: Choice, told: Told
) -> Iterator[tuple[Looked, Engine]]:
    """Look at all test images; what is kept of them lasts as long as the ``with``.

    Raises ``InputError`` for files, settings or masks that are not as they must be.
    """
    choice.check(bundle)
    if not data.test:
        raise InputError(f"{data.root}: no test images; the layouts that have some are in --help")
    if choice.recipe is None:
        held_out(data, bundle)  # too few are told before anything takes time
    truths = read_truths(data.test, partial(told, "reading", len(data.test)))
    if choice.global_map == "teacher-autoencoder":
        bundle = replace(
            bundle,
            detectors={n: against_teacher(d) for n, d in bundle.detectors.items()},
            reduced={},  # it is of the student's difference
        )
    scope = Scope(choice.mode) if choice.recipe is None else choice.recipe.scope
    engine = Engine(
        bundle,
        device=choice.device,
        precision=choice.precision,
        threads=choice.threads,
        scope=scope,
    )
    with ExitStack() as stack:
        if choice.recipe is None:
            count = len(held_out(data, bundle))
            normal = stack.enter_context(
                from_held_out(data, bundle, engine, choice.alpha, partial(told, "held out", count))
            )
        else:
            normal = from_recipe(choice.recipe)
        kept = stack.enter_context(KeptMaps())
        paths = [sample.path for sample in data.test]
        look(engine, paths, kept, partial(told, "looking", len(paths)))
        yield Looked(data, truths, kept, normal, bundle.weights), engine


def evaluate(looked: Looked, engine: Engine, bundle: Bundle, choice: Choice, told: Told) -> Result:
    """Measure all three maps, and the fused one over alpha."""
    how = choice.intervals
    drawn = looked.parts.resampled(how)
    alphas = sorted({*SWEEP, looked.normal.alpha}) if choice.sweep else []
    steps = len({*looked.map_alphas.values(), *alphas})
    maps: dict[str, MapResult] = {}
    for name, alpha in looked.map_alphas.items():
        maps[name] = measure_map(looked, alpha, drawn, how)
        told("measuring", steps, len(maps))
    known = {found.alpha: alpha_of(found) for found in maps.values()}
    for alpha in alphas:
        if alpha not in known:
            known[alpha] = measure_alpha(looked, alpha)
            told("measuring", steps, len(known))
    swept = [known[alpha] for alpha in alphas]
    normal = looked.normal
    return Result(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        effad=version("effad"),
        engine=engine.fingerprint,
        bundle=_bundle_facts(bundle, engine),
        data=_data_facts(looked),
        normal=NormalFacts(
            source="recipe" if choice.recipe else "held-out",
            images=normal.images,
            false_reject_rate=normal.false_reject_rate,
            ranges={
                scale: {
                    "local": (found.local.q_a, found.local.q_b),
                    "global": (found.globally.q_a, found.globally.q_b),
                }
                for scale, found in normal.ranges.items()
            },
        ),
        alpha=normal.alpha,
        global_map=choice.global_map,
        intervals=Intervals(level=how.level, resamples=how.resamples, seed=how.seed),
        notes=tuple(notes(looked, choice.global_map)),
        warnings=tuple(warnings(looked, bundle)),
        maps=maps,
        alphas=tuple(swept),
        images=_images(looked),
    )


def _bundle_facts(bundle: Bundle, engine: Engine) -> BundleFacts:
    detectors = list(bundle.detectors.values())
    nets: dict[str, list[nn.Module]] = {
        "teacher": [detectors[0].teacher],
        "students": [d.student for d in detectors],
        "autoencoders": [d.autoencoder for d in detectors],
    }
    manifest = bundle.manifest
    return BundleFacts(
        name=manifest.name,
        sha256=bundle.sha256,
        pdn=manifest.pdn,
        mode=engine.mode,
        parameters={
            name: sum(p.numel() for net in found for p in net.parameters())
            for name, found in nets.items()
        },
        trained_on=len(manifest.trained_on),
        provenance=manifest.provenance,
    )


def _data_facts(looked: Looked) -> DataFacts:
    kinds = [sample.defect for sample in looked.samples if sample.defect is not None]
    return DataFacts(
        name=looked.data.name,
        layout=looked.data.layout,
        good=len(looked.samples) - len(kinds),
        defective=len(kinds),
        parts=len(looked.parts.defective),
        defects={kind: kinds.count(kind) for kind in sorted(set(kinds))},
    )


def _images(looked: Looked) -> tuple[ImageResult, ...]:
    scores = {name: looked.scores(alpha) for name, alpha in looked.map_alphas.items()}
    limit = looked.normal.thresholds(looked.normal.alpha)
    found = []
    for i, (sample, truth) in enumerate(zip(looked.samples, looked.truths, strict=True)):
        image = looked.name(i)
        found.append(
            ImageResult(
                image=image,
                height=truth.height,
                width=truth.width,
                defect=sample.defect,
                part=sample.part or image,
                view=sample.view,
                mask=truth.packed is not None,
                scores={name: float(values[i]) for name, values in scores.items()},
                rejected=None if limit is None else bool(scores["fused"][i] >= limit),
            )
        )
    return tuple(found)
