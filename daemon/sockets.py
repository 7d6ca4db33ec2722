"""All that others connect to: results, maps and control over ZeroMQ, metrics over HTTP."""

import threading
from pathlib import Path

from daemon import log
from daemon.channel import Channel, Crew
from daemon.control.commands import Commands
from daemon.control.server import ControlServer
from daemon.metrics.reading import Source
from daemon.metrics.server import MetricsServer
from daemon.publisher import Outgoing, Publisher
from daemon.security.door import Door
from daemon.security.keyring import Keyring
from daemon.settings import Settings

_BIND_SECONDS = 10.0


class Sockets:
    """Each socket lives in a thread of the crew, behind one door."""

    def __init__(self, settings: Settings, commands: Commands) -> None:
        """Read the keys; raises ``InputError`` if they are not as they must be."""
        sockets = settings.sockets
        self._metrics = settings.metrics
        self.door = Door(Keyring.load(Path(sockets.keys)) if sockets.keys else None)
        self._publisher = Publisher(
            sockets.results,
            sockets.maps,
            results_high_water=sockets.results_hwm,
            maps_high_water=sockets.maps_hwm,
            door=self.door,
        )
        self.control = ControlServer(
            sockets.control,
            commands.answer,
            door=self.door,
            rate=sockets.control_rate,
            audit=commands.audit,
        )

    def open(
        self, crew: Crew, outgoing: Channel[Outgoing], silence: threading.Event, source: Source
    ) -> None:
        """Listen; until ``outgoing`` ends, and the others until ``silence`` is set.

        Raises ``InputError`` where an address cannot be listened on.
        """

        def publish() -> None:
            try:
                self._publisher.run(outgoing)
            finally:
                outgoing.abandon()  # nobody waits for a publisher that is gone

        crew.start("door", lambda: self.door.run(silence))
        crew.start("publisher", publish)
        bound = self._publisher.wait_bound(_BIND_SECONDS)
        crew.start("control", lambda: self.control.serve(silence))
        control = self.control.wait_bound(_BIND_SECONDS)
        url = None
        if self._metrics.port:
            server = MetricsServer(self._metrics.address, self._metrics.port, source)
            crew.start("metrics", lambda: server.serve(silence))
            url = server.wait_bound(_BIND_SECONDS)
        log.get("effad").info(
            "sockets open", control=control, results=bound.results, maps=bound.maps, metrics=url
        )

    def close(self) -> None:
        """Give the sockets' context back, once all threads have ended."""
        self.door.close()
