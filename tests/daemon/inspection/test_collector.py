"""Frames for a calibration: those that were wanted, each once, and never at the line's cost."""

import numpy as np
import pytest
import torch

from daemon.claims import Claim
from daemon.frames import Frame, Lease
from daemon.inspection import collector
from daemon.inspection.collector import FORGOTTEN_S, REPLY_BYTES, Collector
from daemon.messages import AlarmCode, Kind, Part, Reason, TriggerSource
from daemon.parts import Bypassed, Inspected, Outcome, Settled, SettledView, Unseen
from daemon.requests import CollectFrames
from models.calibration import AnomalyMap
from models.errors import InputError
from models.geometry import Placement
from models.pixel_format import PixelFormat
from tests.daemon.journal.entered import verdict

SIZE = 1000  # bytes of a frame


class Station:
    """Station ``nut`` as the collector sees it, and what it told."""

    def __init__(self, room: int | None = None) -> None:
        self.told: list[tuple[AlarmCode, str]] = []
        self.now = 0.0
        self.freed: list[int] = []
        self.collector = Collector(
            lambda code, station, text: self.told.append((code, text)),
            clock=lambda: self.now,
            room=room,
        )

    def begin(self, parts: int = 3, which: str = "good") -> str:
        request = CollectFrames.model_validate({"parts": parts, "which": which})
        return self.collector.begin("nut", request, "ada").collection

    def show(
        self, seq: int, kind: Kind = Kind.PASS, *outcomes: Outcome, bypassed: bool = False
    ) -> None:
        """Show a part; its first frame holds its seq in every pixel."""
        views = tuple(
            SettledView(f"cam{place}", seq, seq, None, outcome)
            for place, outcome in enumerate(outcomes or (self.inspected(seq),), 1)
        )
        part = Settled("nut", seq, Part(), TriggerSource.HARDWARE, 1, float("inf"), views)
        self.collector.offer(part, verdict(seq, kind, bypassed=bypassed))
        for view in views:
            if isinstance(view.outcome, Inspected):  # the outlet lets go, and the slot is reused
                view.outcome.frame.lease.let_go()
                view.outcome.frame.pixels[:] = 255

    def inspected(self, seq: int, size: int = SIZE) -> Inspected:
        frame = Frame(
            Claim("nut", seq, "cam1"),
            np.full((1, size), seq, np.uint8),
            PixelFormat.MONO8,
            Lease(lambda: self.freed.append(seq)),
        )
        values = torch.full((2, 2), float(seq))
        return Inspected(AnomalyMap(values, Placement((0, 0), (4, 4), (2, 2))), frame, 1, 2)

    @property
    def collecting(self) -> tuple[str, ...]:
        return self.collector.stations

    def seqs(self, name: str, after: int = 0) -> list[int]:
        """Take frames, and give the seq that their pixels hold."""
        _, infos, arrays = self.collector.take(name, after)
        assert [info.seq for info in infos] == [int(pixels.max()) for pixels in arrays]
        assert [int(pixels.min()) for pixels in arrays] == [info.seq for info in infos]
        return [info.seq for info in infos]

    @property
    def codes(self) -> list[AlarmCode]:
        return [code for code, _ in self.told]


@pytest.fixture
def station() -> Station:
    return Station()


def test_good_parts_are_collected_until_there_are_enough(station: Station) -> None:
    station.show(1)  # before anybody asked
    name = station.begin(parts=2)
    assert station.collecting == ("nut",)
    station.show(2)
    station.show(3, Kind.FAIL)
    station.show(4, bypassed=True)
    station.show(5)
    station.show(6)
    assert station.seqs(name) == [2, 5]
    state, *_ = station.collector.take(name, 0)
    assert (state.collected, state.passed_over, state.lost, state.ended) == (2, 2, 0, "complete")
    assert not station.collecting
    assert station.codes == [AlarmCode.CALIBRATION, AlarmCode.CALIBRATION_OFF]
    assert "2 good parts are handed over to ada" in station.told[0][1]
    assert "complete, 2 of 2 parts" in station.told[1][1]


def test_calibration_mode_takes_what_was_looked_at_whatever_the_verdict(station: Station) -> None:
    name = station.begin(which="all")
    station.show(1, Kind.FAIL)
    station.show(2, Kind.NO_VERDICT, Unseen(Reason.FRAME_LOST, "gone"))
    station.show(3, Kind.PASS, Bypassed())
    station.show(4, Kind.NO_VERDICT)  # late: it was looked at all the same
    station.show(5)
    assert station.seqs(name) == [1, 4, 5]


def test_a_part_is_collected_with_all_its_views_or_not(station: Station) -> None:
    name = station.begin(which="all")
    station.show(1, Kind.PASS, station.inspected(1), station.inspected(1))
    station.show(2, Kind.NO_VERDICT, station.inspected(2), Unseen(Reason.LATE, "late"))
    state, infos, _ = station.collector.take(name, 0)
    assert [(info.seq, info.camera, info.number) for info in infos] == [
        (1, "cam1", 1),
        (1, "cam2", 2),
    ]
    assert (state.collected, state.passed_over) == (1, 1)
    assert infos[0].score == 1.0


def test_frames_stay_until_they_are_known_to_have_come(station: Station) -> None:
    """A reply that was lost is asked for again; what came is never sent twice."""
    name = station.begin()
    for seq in (1, 2, 3):
        station.show(seq)
    assert station.seqs(name) == [1, 2, 3]
    assert station.seqs(name) == [1, 2, 3]
    assert station.seqs(name, after=2) == [3]
    assert station.seqs(name, after=3) == []


def test_a_client_that_is_busy_may_say_that_it_is_still_there(station: Station) -> None:
    name = station.begin()
    for seq in (1, 2):
        station.show(seq)
    station.now = FORGOTTEN_S - 1
    _, infos, arrays = station.collector.take(name, 1, limit=0)
    assert (infos, arrays) == ([], [])
    station.now += FORGOTTEN_S - 1
    station.collector.tend()
    assert station.seqs(name, after=1) == [2]


def test_no_slot_is_held(station: Station) -> None:
    station.begin()
    station.show(1)
    assert station.freed == [1]


def test_a_client_that_lags_loses_frames_and_is_told() -> None:
    station = Station(room=2 * SIZE)
    name = station.begin(parts=4)
    for seq in range(1, 6):
        station.show(seq)
    assert station.seqs(name) == [1, 2]
    assert station.seqs(name, after=2) == []
    station.show(6)
    station.show(7)
    state, *_ = station.collector.take(name, 2)
    assert (state.collected, state.lost, state.ended) == (4, 3, "complete")
    assert station.seqs(name, after=2) == [6, 7]
    assert "3 lost as their client lagged" in station.told[-1][1]


def test_the_backlog_is_that_of_all_collections_together() -> None:
    station = Station(room=2 * SIZE)
    station.begin()
    station.show(1)
    station.show(2)
    other = station.collector.begin("bolt", CollectFrames(parts=2), "bob").collection
    for seq in (1, 2):
        views = (SettledView("cam", seq, seq, None, station.inspected(seq)),)
        part = Settled("bolt", seq, Part(), TriggerSource.HARDWARE, 1, float("inf"), views)
        station.collector.offer(part, verdict(seq, station="bolt"))
    state, infos, _ = station.collector.take(other, 0)
    assert (len(infos), state.lost) == (1, 1), "one part may wait, however full it is"


def test_a_reply_is_bounded_but_gives_a_frame_however_large(station: Station) -> None:
    name = station.begin(parts=3)
    for seq, size in ((1, REPLY_BYTES + 1), (2, REPLY_BYTES // 2), (3, REPLY_BYTES // 2 + 1)):
        station.show(seq, Kind.PASS, station.inspected(seq, size))
    assert station.seqs(name) == [1]
    assert station.seqs(name, after=1) == [2]
    assert station.seqs(name, after=2) == [3]


def test_a_frame_too_large_for_any_reply_ends_it(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector, "ARRAY_LIMIT", SIZE - 1)
    name = station.begin()
    station.show(1)
    state, infos, _ = station.collector.take(name, 0)
    assert not infos
    assert "a reply may hold" in str(state.ended)


def test_a_station_has_one_collection_at_a_time(station: Station) -> None:
    name = station.begin()
    with pytest.raises(InputError, match=f"collected already, as {name}"):
        station.begin()
    assert station.collector.stop(name, "bob").ended == "stopped by bob"
    assert station.begin() != name
    with pytest.raises(InputError, match="is not known"):
        station.collector.take(name, 0)


def test_what_its_client_forgot_ends_and_leaves_nothing(station: Station) -> None:
    name = station.begin()
    station.show(1)
    station.now = FORGOTTEN_S - 1
    assert station.seqs(name) == [1]  # it is asked for: time begins anew
    station.now += FORGOTTEN_S - 1
    station.collector.tend()
    assert station.collecting == ("nut",)
    station.now += 2
    station.collector.tend()
    assert not station.collecting
    assert station.codes == [AlarmCode.CALIBRATION, AlarmCode.CALIBRATION_OFF]
    assert "nobody asked for its frames" in station.told[-1][1]
    with pytest.raises(InputError, match="is not known"):
        station.collector.take(name, 0)


def test_memory_that_is_not_to_be_had_loses_a_part_and_no_more(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(views: object) -> None:
        raise MemoryError

    name = station.begin()
    with monkeypatch.context() as without:
        without.setattr(collector, "copies_of", refuse)
        station.show(1)
    station.show(2)
    state, *_ = station.collector.take(name, 0)
    assert (state.collected, state.lost) == (1, 1)
    assert station.seqs(name) == [2]
