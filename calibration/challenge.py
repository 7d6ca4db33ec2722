"""Known rejects that a shift starts with: each must be FAIL."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from calibration.judged import JudgedPart
from calibration.sources.daemon import Daemon, ask
from daemon.client import Requester
from daemon.messages import Kind, Part, Verdict
from daemon.requests import (
    AnnouncePart,
    Challenge,
    Challenged,
    GetState,
    ReplayFrom,
    SoftwareTrigger,
)
from models.errors import InputError
from models.recipe import LoadedRecipe

MOST = 200  # of one challenge
_NAME = 64  # characters
_POLL_S = 0.1


@dataclass(frozen=True)
class Show:
    """How known rejects are shown to a running daemon."""

    names: tuple[str, ...]  # in this order
    how: str  # trigger: by software; announce: as a PLC does; wait: whatever comes next
    patience_s: float
    prompt: Callable[[str], None]  # is told what to show next


def of_images(parts: Iterable[JudgedPart], recipe: LoadedRecipe) -> Iterator[Challenged]:
    """Say what known rejects were judged that were shown as images."""
    for part in parts:
        yield Challenged(
            name=part.name[-_NAME:],
            verdict=part.kind,
            score=part.score,
            threshold=recipe.calibration.threshold,
        )


def live(daemon: Daemon, show: Show, recipe: LoadedRecipe) -> Iterator[Challenged]:
    """Show known rejects to the running daemon, one after the other, and give its own verdicts.

    Raises ``InputError`` if a verdict does not come, or is another recipe's.
    """
    with daemon.asking() as requester:
        station, seq = _newest(requester, daemon.station)
        for place, name in enumerate(show.names, 1):
            show.prompt(f"{place} of {len(show.names)}: {name}")
            wanted = _send(requester, station, name, show.how)
            verdict = _verdict(requester, station, seq, wanted, show.patience_s)
            _check_recipe(verdict, recipe)
            seq = verdict.seq
            yield Challenged(
                name=name[-_NAME:],
                verdict=verdict.verdict,
                seq=seq,
                score=verdict.score,
                threshold=verdict.threshold,
            )


def journal(
    daemon: Daemon,
    recipe: LoadedRecipe,
    results: Sequence[Challenged],
    *,
    operator: str,
    note: str = "",
) -> None:
    """Have the daemon keep what was found; raises ``InputError`` if it does not."""
    request = Challenge(
        station=daemon.station,
        operator=operator,
        recipe=recipe.recipe.name,
        recipe_version=recipe.recipe.version,
        results=tuple(results),
        note=note,
    )
    with daemon.asking() as requester:
        ask(requester, request)


def missed(results: Iterable[Challenged]) -> list[Challenged]:
    """Give those that were not FAIL; NO_VERDICT rejects a part as well, but saw no defect."""
    return [one for one in results if one.verdict is not Kind.FAIL]


def _newest(requester: Requester, station: str | None) -> tuple[str, int]:
    seqs = ask(requester, GetState())[0].seq or {}
    if station is None and len(seqs) == 1:
        return next(iter(seqs.items()))
    if station is None or station not in seqs:
        raise InputError(f"--station {station}: there is none; allowed are {', '.join(seqs)}")
    return station, seqs[station]


def _send(requester: Requester, station: str, name: str, how: str) -> int | None:
    """Trigger or announce a part; give the seq that its verdict will have, where that is known."""
    part = Part(id=name)
    if how == "trigger":
        return ask(requester, SoftwareTrigger(station=station, part=part))[0].number
    if how == "announce":
        return ask(requester, AnnouncePart(station=station, part=part))[0].number
    return None


def _verdict(
    requester: Requester, station: str, after: int, wanted: int | None, patience_s: float
) -> Verdict:
    """Wait for the first verdict after a seq, or for the wanted one."""
    until = time.monotonic() + patience_s
    before = after if wanted is None else wanted - 1
    while time.monotonic() < until:
        reply, _ = ask(requester, ReplayFrom(station=station, seq=before, limit=1))
        if reply.reset:
            raise InputError("the daemon began a new journal meanwhile; begin the challenge again")
        for document in reply.verdicts or ():
            return Verdict.model_validate(document)
        time.sleep(_POLL_S)
    raise InputError(
        f"station {station}: no verdict within {patience_s:.0f} s; show the part, or look at its"
        " trigger. Nothing of this challenge was kept"
    )


def _check_recipe(verdict: Verdict, recipe: LoadedRecipe) -> None:
    theirs = (verdict.recipe, verdict.recipe_version)
    if theirs != (recipe.recipe.name, recipe.recipe.version):
        raise InputError(
            f"station {verdict.station} inspects by recipe {theirs[0]} version {theirs[1]}, not by"
            f" {recipe.recipe.name} version {recipe.recipe.version}; activate that, or name the one"
            " that is in use"
        )
