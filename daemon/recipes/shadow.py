"""``effad-recipe shadow``: let a recipe look on at a running daemon before it is activated."""

import argparse

from daemon.changeover.told import ScoreQuantiles, ShadowReport
from daemon.recipes.activate import PATIENCE, daemon_options, named, requester_of
from daemon.recipes.say import say
from daemon.replies import Reply
from daemon.requests import GetShadow, Request, Shadow
from models.errors import InputError


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    verb = verbs.add_parser(
        "shadow",
        help="let a recipe score a running daemon's frames without deciding, and compare",
        description="Let a recipe look at the live frames of a running daemon when it has nothing"
        " else to do. It decides nothing. Given without RECIPE: say how the one that looks on"
        " compares with the one that decides. It ends with --off, or with an activation, whose"
        " reply says the same once more.",
    )
    verb.add_argument("recipe", nargs="?", metavar="RECIPE", help="its folder, name or number")
    verb.add_argument("--version", type=int, metavar="N", help="[the active one]")
    verb.add_argument("--off", action="store_true", help="let it look no more")
    verb.add_argument("--json", action="store_true", help="the report as JSON")
    daemon_options(verb, required=True)
    verb.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    request: Request
    if args.off or args.recipe is None:
        if args.recipe is not None or args.version is not None:
            raise InputError("RECIPE and --version say what is to look on; leave them out here")
        off = Shadow(station=args.station, on=False)
        request = off if args.off else GetShadow(station=args.station)
    else:
        recipe, version = named(args.recipe, args.version)
        request = Shadow(station=args.station, recipe=recipe, version=version)
    with requester_of(args, PATIENCE) as requester:
        reply = requester.ask(request)
    if not reply.ok:
        raise InputError(f"{args.daemon}: {reply.error}")
    _say(reply, args.json)
    return 0


def _say(reply: Reply, as_json: bool) -> None:
    report = reply.shadow
    if as_json:
        say(report.model_dump_json(indent=1) if report else "null")
    else:
        say(*(told(report) if report else ["no recipe looked on"]))


def told(report: ShadowReport) -> list[str]:
    """Say how a shadow compares."""
    shadow = report.shadow
    lines = [
        f"station {report.station}: recipe {shadow.recipe} version {shadow.version} looks on;"
        f" {report.compared} parts compared, {report.skipped} skipped, {report.failed} failed"
    ]
    if report.other_camera_parameters:
        lines.append("it sets the cameras otherwise than they are: it will see other frames")
    if report.agreement is None:
        return lines
    return [
        *lines,
        f"agreement {report.agreement:.2%}: both PASS {report.both_pass}, both FAIL"
        f" {report.both_fail}, only the deciding one FAIL {report.only_deciding_fails}, only this"
        f" one FAIL {report.only_shadow_fails}",
        f"scores of the deciding one: {_scores(report.deciding_scores)}",
        f"scores of this one:         {_scores(report.shadow_scores)}",
    ]


def _scores(of: ScoreQuantiles) -> str:
    values = {"q50": of.q50, "q90": of.q90, "q99": of.q99, "maximum": of.maximum}
    said = ", ".join(f"{name} {value:.4f}" for name, value in values.items() if value is not None)
    return f"{said}; threshold {of.threshold:.4f}"
