"""What goes on from one run of the daemon to the next: the journal, and the claims left open."""

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from daemon import log
from daemon.camera.wanted import Before
from daemon.journal import Journal, JournalReader, Keeper, Retention
from daemon.journal.entries import Durability
from daemon.ledger import FILE, ClaimFile, Left, left_behind
from daemon.settings.journal import JournalSettings
from models.errors import InputError

_ALIVE = 0.2  # seconds between two signs of life


class Continuity:
    """The state folder of this run, its own until ``close``."""

    def __init__(
        self,
        folder: Path,
        settings: JournalSettings,
        stations: Mapping[str, Sequence[str]],
        *,
        open_limit: int,
        epoch: int,
        code: str,
        on_set_aside: Callable[[Path, str], None],
    ) -> None:
        """Open the journal and read what was left; raises ``InputError`` if that cannot be.

        ``stations``: their cameras; ``code``: version of effad.
        """
        durability: Durability = settings.durability
        self.folder = folder
        self._stations = stations
        self.journal = Journal.open(folder, durability, epoch, code, on_set_aside)
        try:
            found = left_behind(folder / FILE)
            self.claims = ClaimFile(folder / FILE, stations, 2 * open_limit)
        except InputError:
            self.journal.close()
            raise
        self.reader = JournalReader(folder)
        self.keeper = Keeper(self.journal, Retention(settings.keep_days, settings.keep_mb))
        self.left: Mapping[str, Left] = found.stations if found else {}
        #: Newest committed seq of each station. The claims know it too, should the journal be new.
        self.last = dict.fromkeys(stations, 0)
        for station in stations:
            claimed = self.left[station].committed if station in self.left else 0
            self.last[station] = max(self.journal.last.get(station, 0), claimed)
        previous = self.journal.previous
        #: Whether the run before this one was stopped in order, if there was one. Of a journal that
        #: was set aside the claims alone can tell.
        self.orderly = (
            previous.orderly if previous else not any(left.open for left in self.left.values())
        )
        self.first = previous is None and found is None
        #: Until when the triggers before this run are accounted for, ns of the Unix epoch.
        self.alive_ns = found.alive_ns if found else 0
        if previous and (self.orderly or not found):
            self.alive_ns = max(self.alive_ns, previous.newest_ns)
        left = {} if self.orderly else self.left
        self.claims.begin(self.last, left, None if self.first else self.alive_ns)
        if not self.orderly:
            log.get("effad").warning(
                "the run before was killed",
                open={name: len(left.open) for name, left in self.left.items()},
            )

    @property
    def lost(self) -> Mapping[str, int]:
        """Stations whose newest verdicts are not in this journal, and up to which seq."""
        return {
            name: last for name, last in self.last.items() if last > self.journal.last.get(name, 0)
        }

    @property
    def unheard(self) -> list[tuple[str, str]]:
        """Stations and cameras that the run before, which was killed, had not heard yet."""
        known = {name: left.triggers for name, left in self.left.items()}
        return [
            (station, camera)
            for station, cameras in self._stations.items()
            for camera in cameras
            if not self.orderly and camera not in known.get(station, {})
        ]

    def before(self, station: str, camera: str) -> Before | None:
        """Give what a killed run knew of a camera, to be accounted for."""
        left = None if self.orderly else self.left.get(station)
        known = left.triggers.get(camera) if left else None
        return Before(*known, self.alive_ns) if known else None

    def stay_alive(self, stop: threading.Event) -> None:
        """Leave signs of life until told to stop: what a restart knows of when this run ended.

        For who has heard all cameras: until then what was before is still to be accounted for.
        """
        while not stop.wait(_ALIVE):
            self.claims.alive()

    def ended(self) -> None:
        """Record that every trigger has its verdict."""
        self.journal.ended()

    def close(self) -> None:
        """Give the folder back."""
        self.reader.close()
        self.claims.close()
        self.journal.close()
