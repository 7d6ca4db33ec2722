"""What known rejects were judged: kept in the journal, and an alarm if one was not FAIL."""

import time

from pydantic import TypeAdapter

from daemon.herald import Herald
from daemon.journal import ChallengeEntry, Journal, JournalError
from daemon.messages import AlarmCode, Kind
from daemon.requests import Challenge, Challenged
from models.errors import InputError

_RESULTS = TypeAdapter(tuple[Challenged, ...])
_NAMED = 5  # in the alarm


def keep_challenge(
    request: Challenge, station: str, peer: str, journal: Journal, herald: Herald
) -> None:
    """Keep a challenge; raises ``InputError`` if the journal cannot be written."""
    missed = [one for one in request.results if one.verdict is not Kind.FAIL]
    entry = ChallengeEntry(
        time_ns=time.time_ns(),
        station=station,
        operator=request.operator,
        recipe=request.recipe,
        recipe_version=request.recipe_version,
        shown=len(request.results),
        missed=len(missed),
        results=_RESULTS.dump_json(request.results, exclude_none=True).decode(),
        note=request.note,
        peer=peer,
    )
    try:
        journal.challenge(entry)
    except JournalError as error:
        raise InputError(str(error)) from error
    if missed:
        names = ", ".join(f"{one.name} ({one.verdict})" for one in missed[:_NAMED])
        more = f" and {len(missed) - _NAMED} others" if len(missed) > _NAMED else ""
        text = (
            f"{len(missed)} of {len(request.results)} known rejects are not FAIL: {names}{more};"
            f" recipe {request.recipe} version {request.recipe_version}"
        )
        herald.alarm(AlarmCode.CHALLENGE, text, station=station)
