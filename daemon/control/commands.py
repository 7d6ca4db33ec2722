"""What is answered on the control socket, command by command."""

import time
from concurrent.futures import Future
from typing import Protocol

from daemon import log
from daemon.changeover.changeovers import Changeovers
from daemon.changeover.swap import in_use
from daemon.control.challenge import keep_challenge
from daemon.control.server import Answer, Peer
from daemon.herald import Herald
from daemon.inspection.collector import Collector
from daemon.job import Job
from daemon.jobs import Jobs
from daemon.journal import (
    AuditEntry,
    Journal,
    JournalError,
    JournalReader,
    OperatorWord,
    historical,
)
from daemon.messages import AlarmCode
from daemon.metrics.statistics import Statistics
from daemon.replies import Reply
from daemon.requests import (
    ActivateRecipe,
    AnnouncePart,
    Bypass,
    Challenge,
    CollectFrames,
    GetShadow,
    GetState,
    GetStatistics,
    Override,
    ReplayFrom,
    Request,
    Shadow,
    Snapshot,
    SoftwareTrigger,
    StartJob,
    StopCollecting,
    StopJob,
    TakeFrames,
)
from models.errors import InputError

_REPLAY_BYTES = 1 << 20  # of a reply, so that it holds up nobody for long


class Line(Protocol):
    """The daemon, as far as commands go."""

    herald: Herald
    journal: Journal
    reader: JournalReader
    statistics: Statistics
    collector: Collector
    epoch: int
    changeovers: Changeovers
    jobs: Jobs


class Commands:
    """Called in the control socket's thread: no command may take long."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._log = log.get("audit")

    def answer(self, request: Request, peer: Peer) -> "Answer | Future[Answer]":
        """Answer a request of who may ask it, some of them later.

        Raises ``InputError`` where it cannot be done.
        """
        match request:
            case GetState():
                return self._state(request)
            case GetStatistics():
                statistics = self._line.statistics.snapshot(self._line.jobs.counts())
                return self._done(request, statistics=statistics)
            case ReplayFrom():
                return self._replay(request)
            case Override():
                return self._override(request, peer)
            case ActivateRecipe() | Shadow():
                return self._of_recipe(request, peer)
            case GetShadow():
                station = self._known(request.station)
                return self._done(request, shadow=self._line.changeovers.compared(station))
            case TakeFrames():
                return self._take_frames(request)
            case StopCollecting():
                stopped = self._line.collector.stop(request.collection, peer.name)
                return self._done(request, collection=stopped)
            case Challenge():
                station = self._known(request.station)
                keep_challenge(request, station, peer.name, self._line.journal, self._line.herald)
                return self._done(request)
            case StartJob():
                return self._start(request)
        job = self._line.jobs.current
        if job is None or job.stopping:
            raise InputError(
                f"state is {self._line.herald.state}; {request.command} needs a running job:"
                " StartJob"
            )
        return self._of_job(request, job, peer)

    def audit(self, peer: Peer, request: Request, reply: Reply) -> None:
        """Keep who commanded what."""
        entry = AuditEntry(
            time_ns=time.time_ns(),
            peer=str(peer),
            command=request.command,
            station=getattr(request, "station", None),
            request=request.model_dump_json(),
            ok=reply.ok,
            error=reply.error,
        )
        self._log.info(
            "command", peer=entry.peer, command=entry.command, ok=entry.ok, error=entry.error
        )
        try:
            self._line.journal.audit(entry)
        except JournalError as error:
            self._log.error("command not journaled", why=str(error))

    def _of_job(
        self,
        request: Snapshot | AnnouncePart | SoftwareTrigger | StopJob | Bypass | CollectFrames,
        job: Job,
        peer: Peer,
    ) -> Answer:
        if isinstance(request, StopJob):
            self._line.jobs.stop()
            return self._done(request)
        station = job.station(request.station)
        match request:
            case SoftwareTrigger():
                return self._done(request, number=job.trigger(station, request.part))
            case AnnouncePart():
                number = job.announce(station, request.part, request.views)
                return self._done(request, number=number)
            case Snapshot():
                camera = job.camera(station, request.camera)
                info, pixels, values = job.latest.snapshot(station, camera)
                answer = self._done(request, snapshot=info)
                return Answer(answer.reply, (pixels.data.cast("B"), values.data.cast("B")))
            case Bypass():
                return self._bypass(request, job, station, peer)
            case CollectFrames():
                begun = self._line.collector.begin(station, request, peer.name)
                return self._done(request, collection=begun)

    def _of_recipe(self, request: ActivateRecipe | Shadow, peer: Peer) -> "Future[Answer]":
        station, changeovers = self._known(request.station), self._line.changeovers
        if isinstance(request, Shadow):
            return changeovers.shadow(
                station, request, peer.name, lambda told: self._done(request, shadow=told)
            )
        return changeovers.activate(
            station, request, peer.name, lambda told: self._done(request, activated=told)
        )

    def _done(self, request: Request, **fields: object) -> Answer:
        state = self._line.herald.state
        fields = {"id": request.id, "ok": True, "state": state, **fields}
        return Answer(Reply.model_validate(fields))

    def _state(self, request: GetState) -> Answer:
        job = self._line.jobs.current
        return self._done(
            request,
            epoch=self._line.epoch,
            seq=self._line.jobs.seqs(),
            counts=self._line.jobs.counts(),
            bypassed=job.ledger.bypassed() if job else (),
            recipes={name: in_use(how) for name, how in self._line.jobs.judgings().items()},
            collecting=self._line.collector.stations,
        )

    def _start(self, request: StartJob) -> Answer:
        if self._line.changeovers.busy:
            raise InputError("a recipe is being activated; wait for its reply, then StartJob")
        self._line.jobs.wish()
        return self._done(request)

    def _bypass(self, request: Bypass, job: Job, station: str, peer: Peer) -> Answer:
        job.ledger.bypass(station, request.on)
        code = AlarmCode.BYPASS if request.on else AlarmCode.BYPASS_OFF
        said = f": {request.note}" if request.note else ""
        what = "parts pass uninspected" if request.on else "parts are inspected again"
        self._line.herald.alarm(code, f"{what}, wanted by {peer.name}{said}", station=station)
        return self._done(request, bypassed=job.ledger.bypassed())

    def _take_frames(self, request: TakeFrames) -> Answer:
        state, infos, arrays = self._line.collector.take(
            request.collection, request.after, request.limit
        )
        answer = self._done(request, collection=state, frames=infos)
        return Answer(answer.reply, tuple(pixels.data.cast("B") for pixels in arrays))

    def _override(self, request: Override, peer: Peer) -> Answer:
        word = OperatorWord(
            station=self._known(request.station),
            seq=request.seq,
            verdict=request.verdict,
            operator=request.operator,
            note=request.note,
            time_ns=time.time_ns(),
            peer=peer.name,
        )
        try:
            self._line.journal.override(word)
        except JournalError as error:
            raise InputError(str(error)) from error
        return self._done(request)

    def _replay(self, request: ReplayFrom) -> Answer:
        """Give what was published after a verdict; what is not sent yet comes live."""
        station = self._known(request.station)
        newest = self._line.jobs.seqs()[station]
        reader = self._line.reader
        kept_epoch = reader.epoch_of(station, request.seq) if request.seq else None
        other = request.epoch is not None and kept_epoch not in (None, request.epoch)
        reset = other or request.seq > newest
        page = reader.replay(station, 0 if reset else request.seq, request.limit, _REPLAY_BYTES)
        verdicts = [historical(header) for header in page.headers]
        sent = [verdict for verdict in verdicts if verdict["seq"] <= newest]
        return self._done(
            request,
            epoch=self._line.epoch,
            verdicts=sent,
            first=page.first,
            last=newest,
            more=page.more and len(sent) == len(verdicts),
            reset=reset,
        )

    def _known(self, name: str | None) -> str:
        names = sorted(self._line.jobs.seqs())
        if name is None and len(names) == 1:
            return names[0]
        if name not in names:
            raise InputError(f"station = {name!r}: there is none; allowed are {names}")
        return name
