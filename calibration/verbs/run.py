"""``effad-calibrate run``: measure good parts, write the recipe's next version, activate it."""

import argparse
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from calibration.acceptance.accept import accept
from calibration.acceptance.answer import Acceptance, Answer
from calibration.acceptance.judge import Judge
from calibration.acceptance.page import write_page
from calibration.acceptance.text import told
from calibration.crew import CrewPlan, EnginePlan
from calibration.fastest import fastest
from calibration.looked import Measured
from calibration.looker import Seen
from calibration.measure import Measurement
from calibration.next_version import NextVersion
from calibration.record import Choice
from calibration.rescore import rescore
from calibration.running import RunningQuantiles
from calibration.shown import FrameSource, Shown
from calibration.sources.folder import FolderSource
from calibration.sources.options import source_of
from calibration.verbs.run_options import THREADS, add_options, choice_of
from models import bundle as bundles
from models import recipe_store as store
from models.bundle import MANIFEST, Bundle, Manifest
from models.calibration import Calibration
from models.engine import Engine
from models.errors import InputError
from models.polygons import mask_sha256
from models.recipe import Recipe
from models.scope import Scope

NOT_ACTIVE = 1  # exit status
WHO = "effad-calibrate"
_PARTS = 50  # of daemon and camera, where no number is given


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to ``effad-calibrate``'s."""
    verb = verbs.add_parser(
        "run",
        help="measure good parts and write the recipe's next version",
        description="Measure good parts, set ranges and threshold by them, hold the result against"
        " the bundle's training, and write the recipe's next version. It becomes active if it is"
        " RECALIBRATED, or with --yes. Status: 0 active, 1 not active, 2 wrong input.",
    )
    add_options(verb)
    verb.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Calibrate; 0 if the new version is active."""
    folder: Path = args.recipe
    with store.locked(folder):
        if args.images is args.daemon is args.camera is None:
            recipe, calibration = rescore(folder, args)
            print(f"{folder}: from the scores that were kept of {calibration.frames} frames")
            return _write(folder, recipe, calibration, {}, args, None)
        return _measure(folder, args)


def _measure(folder: Path, args: argparse.Namespace) -> int:
    asked = NextVersion.asked(folder, args)
    recipe = asked.recipe
    choice = replace(
        choice_of(args, recipe.alpha, recipe.tile_share), ignore_mask=mask_sha256(asked.ignored)
    )
    source = _source(args, asked)
    defects = FolderSource.defects(args.labelled) if args.labelled else ()
    bundle = bundles.load(asked.bundle)
    plan, engine = _engine(args, asked, choice, bundle)
    choice = replace(choice, backend=plan.backend)
    console = Console(stderr=True)
    crew = CrewPlan.of(plan, args.processes)
    engine.verify()
    with Measurement(bundle, engine, choice, folder, crew) as measurement:
        _show(measurement, source, console)
        if measurement.duplicates:
            print(f"{measurement.duplicates} frames are the same as others and count once")
        measured, accepted = _judge(measurement, defects, args)
        _report(args, measurement, measured, accepted)
    return _write(folder, recipe, measured.calibration, asked.files, args, accepted.answer)


def _engine(
    args: argparse.Namespace, asked: NextVersion, choice: Choice, bundle: Bundle
) -> tuple[EnginePlan, Engine]:
    """Make the engine with the backend that was asked for, or the fastest."""
    recipe = asked.recipe
    threads = THREADS if args.threads is None else args.threads
    scope = Scope(recipe.mode, recipe.region_of_interest, asked.ignored, recipe.tile_stride)
    plan = EnginePlan(asked.bundle, choice.device, choice.precision, threads, scope)
    if args.backend is not None:
        plan = replace(plan, backend=args.backend)
        return plan, plan.engine(bundle)
    backend, engine, said = fastest(plan, bundle)
    if said:
        print(said)
    return replace(plan, backend=backend), engine


def _source(args: argparse.Namespace, asked: NextVersion) -> FrameSource:
    if args.frames is not None and args.frames < 2:
        raise InputError(f"--frames {args.frames}: must be 2 or more")
    if args.images is None:
        parts = _PARTS if args.frames is None else args.frames
        return source_of(args, parts, args.which, recipe=asked.recipe, trigger=args.trigger)
    trained_on = Manifest.read(asked.bundle / MANIFEST).trained_on
    source = FolderSource.held_out(args.images, trained_on, args.frames)
    if source.left_out:
        print(f"{source.left_out} images were trained on and are left out")
    return source


def _show(measurement: Measurement, source: FrameSource, console: Console) -> None:
    """Look at all frames, with the running quantiles at a terminal."""
    quantiles = RunningQuantiles()
    columns = (TextColumn("frames"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console)
    task = bar.add_task("", total=source.total)
    with Live(console=console, transient=True) as live:

        def progress(seen: Seen) -> None:
            quantiles.add(seen)
            bar.advance(task)
            if console.is_terminal:
                live.update(Group(bar, quantiles.table()))

        measurement.show(source, source.total, progress)


def _judge(
    measurement: Measurement, defects: Iterable[Shown], args: argparse.Namespace
) -> tuple[Measured, Acceptance]:
    """Make the calibration, and hold it against the bundle; again without suspects, if asked."""
    without = measurement.named(args.leave_out)
    measured = measurement.finish(defects, without)
    accepted = _accept(measurement, measured)
    if args.without_suspects and accepted.suspects:
        parts = {suspect.part for suspect in accepted.suspects}
        print(f"left out: {', '.join(sorted(s.name for s in accepted.suspects))}")
        without |= {look.digest for look in measured.frames if look.part in parts}
        measured = measurement.finish(defects, without)
        accepted = _accept(measurement, measured)
    return measured, accepted


def _accept(measurement: Measurement, measured: Measured) -> Acceptance:
    return accept(measurement.bundle, measured, measurement.engine, measurement.read)


def _report(
    args: argparse.Namespace, measurement: Measurement, measured: Measured, accepted: Acceptance
) -> None:
    """Print what acceptance found, and write the files that were asked for."""
    console = Console()
    for said in told(accepted):
        console.print(said)
    if args.json is not None:
        accepted.write(args.json)
    if args.report is not None:
        judge = Judge.of(measurement.bundle, measured, measurement.engine, measurement.read)
        write_page(args.report, accepted, judge, args.recipe.resolve().name)


def _write(
    folder: Path,
    recipe: Recipe,
    calibration: Calibration,
    files: dict[str, bytes],
    args: argparse.Namespace,
    answer: Answer | None,
) -> int:
    """Write the version, and activate it if it may be; say so in words.

    Without an answer it is one of frames that were accepted before.
    """
    may = args.yes or answer in (Answer.RECALIBRATED, None)
    print(calibration.made.text)
    errors = [r.rank_error for s in calibration.scales.values() for r in (s.local, s.globally)]
    exact = "exact" if max(errors) == 0 else f"within {max(errors):.1g} of their ranks"
    print(
        f"threshold {calibration.threshold:.4f}, of pixels {calibration.pixel_threshold:.4f};"
        f" quantiles {exact}"
    )
    if args.dry_run:
        print(f"{folder}: nothing was written (--dry-run)")
        return 0 if may else NOT_ACTIVE
    content = calibration.model_dump_json(indent=1).encode() + b"\n"
    store.add(folder, recipe, {**files, recipe.calibration: content})
    if not may:
        print(
            f"{folder}: version {recipe.version} is written and not active; look at the report, and"
            f" activate it with effad-recipe activate {folder} --version {recipe.version}"
        )
        return NOT_ACTIVE
    store.activate(folder, recipe.version, who=WHO, why=answer or "scores that were kept")
    print(
        f"{folder}: version {recipe.version}, mode {calibration.mode}, is active; a running daemon"
        f" takes it with effad-recipe activate {folder} --daemon"
    )
    return 0
