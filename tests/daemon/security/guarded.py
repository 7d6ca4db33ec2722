"""The three sockets behind a door, in threads, as the service has them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from daemon.channel import Channel, Crew
from daemon.control.server import Answer, ControlServer, Handler, Peer
from daemon.messages import State, StateChange
from daemon.publisher import Outgoing, Publisher
from daemon.replies import Reply
from daemon.requests import Request
from daemon.security.command import main
from daemon.security.door import Door
from daemon.security.keyring import Keyring
from daemon.security.keys import ClientKeys

FREE = "tcp://127.0.0.1:*"
LIMIT = 10.0  # seconds that anything may take
READY = StateChange(epoch=1, time_ns=1, state=State.READY, text="")


def wait_for(reached: Callable[[], bool], limit: float = LIMIT) -> bool:
    """Wait until a state is reached; say whether it was."""
    pause, left = threading.Event(), round(limit / 0.01)
    while not reached() and left > 0:
        pause.wait(0.01)
        left -= 1
    return reached()


def keys_of(folder: Path, name: str) -> ClientKeys:
    return ClientKeys.load(folder / "server.key", folder / "issued" / f"{name}.key_secret")


def make(folder: Path, name: str, permission: str, *more: str) -> ClientKeys:
    """Make a client's key as a person would."""
    made = ["make", name, "--permission", permission, "--keys", str(folder), *more]
    assert main(made) == 0
    return keys_of(folder, name)


def ready(request: Request, peer: Peer) -> Answer:
    return Answer(Reply(id=request.id, ok=True, state=State.READY))


@dataclass
class Guarded:
    """What runs, and what it told the auditor."""

    door: Door
    control: ControlServer
    publisher: Publisher
    inbox: Channel[Outgoing]
    failed: threading.Event
    audited: list[tuple[Peer, Request, Reply]] = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        return self.control.wait_bound(LIMIT)


@contextmanager
def guarded(
    keys: Path | None,
    handler: Handler = ready,
    *,
    rate: float = 1e9,
    endpoints: tuple[str, str, str] = (FREE, FREE, FREE),
) -> Iterator[Guarded]:
    """Run door, publisher and control; all must end in order."""
    stop, failed = threading.Event(), threading.Event()
    crew = Crew(failed.set)
    door = Door(None if keys is None else Keyring.load(keys))
    audited: list[tuple[Peer, Request, Reply]] = []
    control = ControlServer(
        endpoints[0],
        handler,
        door=door,
        rate=rate,
        audit=lambda peer, request, reply: audited.append((peer, request, reply)),
    )
    publisher = Publisher(endpoints[1], endpoints[2], door=door)
    inbox: Channel[Outgoing] = Channel(1000)
    crew.start("door", lambda: door.run(stop))
    crew.start("publisher", lambda: publisher.run(inbox))
    crew.start("control", lambda: control.serve(stop))
    try:
        publisher.wait_bound(LIMIT)
        control.wait_bound(LIMIT)
        inbox.put(Outgoing(READY))
        yield Guarded(door, control, publisher, inbox, failed, audited)
    finally:
        stop.set()
        inbox.done()
        assert crew.join(LIMIT) == []
        door.close()
    crew.check()
