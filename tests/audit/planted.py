"""Bugs and deaths to be planted in a daemon; ``launch.py`` does it."""

import itertools
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import daemon.camera.supervisor as supervisor
import daemon.inspection.outcome as outcome
import daemon.inspection.outlet as outlet
import daemon.publisher as publisher
from daemon.camera import link
from daemon.inspection.infer import Inspector
from daemon.inspection.outlet import Outlet
from daemon.journal import Journal
from daemon.ledger import ClaimFile, Ledger
from daemon.messages import Kind, Reason
from daemon.parts import Inspected
from daemon.publisher import Outgoing
from models.calibration import AnomalyMap
from models.geometry import Placement

AT = 40  # seq that a bug strikes
COMMITS = 40  # of this run, until it dies


def _put(owner: Any, name: str, value: Any) -> None:
    setattr(owner, name, value)


def swallowed() -> None:
    """The part of seq 40 leaves the ledger, and no verdict comes of it."""
    batch = Outlet._batch

    def swallowing(self: Any, items: list[Any]) -> None:
        batch(self, [item for item in items if getattr(item, "number", None) != AT])

    _put(Outlet, "_batch", swallowing)


def doubled() -> None:
    """The verdict of seq 40 is published twice."""
    send = Outlet._send

    def twice(self: Any, one: Any, *rest: Any) -> None:
        send(self, one, *rest)
        if one.verdict.seq == AT:
            self._to.publish(Outgoing(one.verdict, header=one.header))

    _put(Outlet, "_send", twice)


def wrong_reason() -> None:
    """An incomplete buffer is told as a lost frame."""
    hear = supervisor.CameraSupervisor._hear

    def misheard(self: Any, said: Any, put: Any) -> None:
        if getattr(said, "reason", None) == Reason.INCOMPLETE:
            said = said.model_copy(update={"reason": Reason.FRAME_LOST})
        hear(self, said, put)

    _put(supervisor.CameraSupervisor, "_hear", misheard)


def stale_frame() -> None:
    """The pixels of the frame before are inspected in the place of seq 40's."""
    inspect, before = Inspector.inspect, [b""]

    def stale(self: Any, frame: Any) -> Any:
        if frame.claim.number == AT:
            frame.pixels.reshape(-1)[:] = np.frombuffer(before[0], np.uint8)
        before[0] = frame.pixels.tobytes()
        return inspect(self, frame)

    _put(Inspector, "inspect", stale)


def invented_overrun() -> None:
    """A part that was inspected is told as one whose frame found no slot."""
    honest = outcome.verdict_of

    def overrun(*args: Any) -> Any:
        verdict = honest(*args)
        said = {"verdict": Kind.NO_VERDICT, "reason": Reason.OVERRUN, "score": None}
        return verdict.model_copy(update=said) if verdict.seq == AT else verdict

    _put(outlet, "verdict_of", overrun)


def late_pass() -> None:
    """The model is slow once, the ledger's timer sleeps, and nobody looks at the deadline."""
    inspect = Inspector.inspect

    def slow(self: Any, frame: Any) -> Any:
        time.sleep(1.0 if frame.claim.number == AT else 0)
        return inspect(self, frame)

    _put(Ledger, "run_timer", lambda self: None)
    _put(outlet, "too_late", lambda verdict: verdict)
    _put(Inspector, "inspect", slow)


def busy() -> None:
    """No bug: a look takes 6 ms, so that there is work waiting most of the time at 150 a second."""
    inspect = Inspector.inspect

    def slow(self: Any, frame: Any) -> Any:
        time.sleep(0.006)
        return inspect(self, frame)

    _put(Inspector, "inspect", slow)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def before_commit() -> None:
    """Killed with verdicts that are neither journaled nor published."""
    commit, commits = Journal.commit, itertools.count(1)

    def dies(self: Any, entries: Any) -> None:
        if next(commits) == COMMITS:
            _die()
        commit(self, entries)

    _put(Journal, "commit", dies)


def after_commit() -> None:
    """Killed with verdicts that are journaled, and not published."""
    commit, commits = Journal.commit, itertools.count(1)

    def dies(self: Any, entries: Any) -> None:
        commit(self, entries)
        if next(commits) == COMMITS:
            _die()

    _put(Journal, "commit", dies)


def after_send() -> None:
    """Killed when a verdict has just been given to the socket."""
    send, sent = publisher._send, itertools.count(1)

    def dies(socket: Any, parts: Any) -> None:
        send(socket, parts)
        if bytes(parts[0]).startswith(b"verdict/") and next(sent) == COMMITS:
            _die()

    _put(publisher, "_send", dies)


def after_count() -> None:
    """Killed when a part is open of which the camera's counter alone has told."""
    counted, first = Ledger.counted, list[int]()

    def dies(self: Any, station: str, camera: str, triggers: int) -> None:
        counted(self, station, camera, triggers)
        first.append(triggers)
        if triggers < first[0] + COMMITS:
            return
        views = [part.views[camera] for part in self._stations[station].open.values()]
        if any(view.outcome is None and view.seen is None for view in views):
            _die()

    _put(Ledger, "counted", dies)


def at_begin() -> None:
    """Killed when its own claims have just taken the place of those of the run before."""
    begin = ClaimFile.begin

    def dies(self: Any, *args: Any, **more: Any) -> None:
        begin(self, *args, **more)
        _die()

    _put(ClaimFile, "begin", dies)


def at_open() -> None:
    """Killed when the camera is open, and nothing was heard of its triggers yet."""
    _when_opened(_die)


def stopped_at_open() -> None:
    """No death: stopped in order, just then."""
    _when_opened(lambda: os.kill(os.getpid(), signal.SIGTERM))


def _when_opened(then: Callable[[], None]) -> None:
    hear = supervisor.CameraSupervisor._hear

    def heard(self: Any, said: Any, put: Any) -> None:
        if isinstance(said, link.Opened):
            then()
            self._stopping.wait()  # so that nothing more is heard before
        hear(self, said, put)

    _put(supervisor.CameraSupervisor, "_hear", heard)


def still() -> None:
    """No bug: every frame has the same map at once, of a real one's size, so that what is left is
    the cost of all but the networks.
    """
    anomaly = AnomalyMap(torch.zeros(56, 56), Placement((14.5, 14.5), (4.0, 4.0), (56, 56)))

    def inspect(self: Any, frame: Any) -> Any:
        now = time.monotonic_ns()
        return Inspected(anomaly, frame, now, now)

    _put(Inspector, "inspect", inspect)


PLANTS: dict[str, Callable[[], None]] = {
    plant.__name__: plant
    for plant in (
        swallowed,
        doubled,
        wrong_reason,
        stale_frame,
        invented_overrun,
        late_pass,
        before_commit,
        after_commit,
        after_send,
        after_count,
        at_begin,
        at_open,
        stopped_at_open,
        busy,
        still,
    )
}
