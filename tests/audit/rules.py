"""What must have become of every trigger: the verdicts held against the simulator's log."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isnan

from tests.audit.book import NONE, Book, Clock
from tests.audit.scene_log import TriggerLog

#: Fates that the consumer sees as a buffer, whatever is in it.
SEEN = {"delivered", "incomplete", "short", "resized"}
#: Words of verdicts that a frame was needed for.
WITH_FRAME = {"PASS", "FAIL", "incomplete", "invalid", "overrun", "late", "model_error"}


@dataclass(frozen=True)
class Promise:
    """What the settings promise."""

    deadline_ns: int  # from the trigger
    budget_ns: int  # of the deadline, for the commit: the timer may be so early
    slots: int
    shed_ns: int = 100_000_000  # a frame that cannot be inspected in time is late so much before
    slack_ns: int = 3_000_000  # two clocks are read one after the other


class Account:
    """One station's verdicts beside its one camera's log."""

    def __init__(self, log: TriggerLog, book: Book, clock: Clock, promise: Promise) -> None:
        self._log = log
        self._book = book
        self._clock = clock
        self._promise = promise
        self._of: dict[int, int] = {}  # trigger: index in the book
        self._freed = _freed(book)
        self._newest_seen = _newest_seen(log)
        self._home = _homes(log, book)
        self._epochs = sorted(set(book.epoch))
        self._last_inspected: dict[int, int] = {}  # epoch: seq
        for index in range(len(book)):
            if book.said(index) in ("PASS", "FAIL"):
                self._last_inspected[book.epoch[index]] = book.seq[index]

    def mismatches(self) -> Iterator[str]:
        """Say what does not match, in words."""
        yield from self._book.faults
        yield from self._sequence()
        yield from self._one_to_one()
        for trigger, index in self._of.items():
            if trigger <= len(self._log):
                yield from self._verdict(trigger, index)
        yield from self._scores()
        yield from self._heartbeats()

    def _sequence(self) -> Iterator[str]:
        """``seq`` counts from 1 without a hole, and no verdict comes twice."""
        seen = 0
        for seq in self._book.seq:
            if seq == seen + 1:
                seen = seq
            elif seq <= seen:
                yield f"seq {seq} came again after {seen}"
            else:
                yield f"seq {seen + 1} to {seq - 1} never came ({seq - 1 - seen})"
                seen = seq

    def _one_to_one(self) -> Iterator[str]:
        newest = 0
        for index, trigger in enumerate(self._book.trigger):
            if NONE < trigger < newest:
                yield f"trigger {trigger}: seq {self._book.seq[index]}, after trigger {newest}'s"
            newest = max(newest, trigger)
            if trigger in self._of:
                first = self._book.seq[self._of[trigger]]
                yield f"trigger {trigger}: verdicts {first} and {self._book.seq[index]}"
            elif trigger != NONE:
                self._of[trigger] = index
                if not 1 <= trigger <= len(self._log):
                    yield f"trigger {trigger}: seq {self._book.seq[index]}, but it never happened"
        for trigger in range(1, len(self._log) + 1):
            if trigger not in self._of:
                yield f"trigger {trigger} ({self._log.fate_of(trigger)}): no verdict"

    def _verdict(self, trigger: int, index: int) -> Iterator[str]:
        book, log = self._book, self._log
        said, fate = book.said(index), log.fate_of(trigger)
        what = f"trigger {trigger} ({fate}), seq {book.seq[index]}: {said}"
        allowed = self._allowed(trigger, index)
        if said not in allowed:
            yield f"{what}, must be {' or '.join(sorted(allowed))}"
        frame_id, device_ns = book.frame_id[index], book.device_ns[index]
        if frame_id != log.frame_id[trigger - 1] and (frame_id != NONE or said in WITH_FRAME):
            yield f"{what} of frame {frame_id}, must be {log.frame_id[trigger - 1]}"
        if device_ns != log.device_ns[trigger - 1] and (
            device_ns != NONE or said in ("PASS", "FAIL")
        ):
            yield f"{what} taken at {device_ns}, must be {log.device_ns[trigger - 1]}"
        if said in ("PASS", "FAIL"):
            took = book.published_ns[index] - self._taken(trigger)
            if took > self._promise.deadline_ns + self._promise.slack_ns:
                yield f"{what} {took / 1e6:.1f} ms after its trigger, too late"
        if book.published_ns[index] > book.arrived_ns[index]:
            yield f"{what} published at {book.published_ns[index]}, after it arrived"

    def _allowed(self, trigger: int, index: int) -> set[str]:
        """Give what a verdict may say."""
        if self._home.get(self._log.acquisition[trigger - 1], NONE) < self._book.epoch[index] and (
            self._book.epoch[index] != self._epochs[0]
        ):
            return {"restart", "camera_down"}  # its daemon was killed before it spoke of it
        fate = self._log.fate_of(trigger)
        due = self._is_due(trigger, index, 0)
        allowed: set[str] = {"frame_lost"} if due else set()
        match fate:
            case "delivered":
                allowed |= {"PASS", "FAIL"}
                if self._is_due(trigger, index, self._promise.shed_ns):
                    allowed.add("late")
                if self._book.said(index) == "overrun" and self._is_crowded(trigger):
                    allowed.add("overrun")
            case "incomplete" | "short":
                allowed.add("incomplete")
            case "resized":
                allowed.add("invalid")
            case "dropped" | "underrun" if self._is_followed(trigger):
                allowed.add("frame_lost")
            case "dropped" | "underrun" | "lost" | "discarded":
                allowed.add("camera_down")
        if fate != "lost" and self._is_last(index):
            allowed.add("shutdown")
        return allowed

    def _taken(self, trigger: int) -> int:
        return self._clock.unix(self._log.timestamp_ns[trigger - 1])

    def _is_due(self, trigger: int, index: int, early_ns: int) -> bool:
        """Say whether the time for a look was over, or would have been so much later."""
        took = self._book.published_ns[index] - self._taken(trigger)
        promise = self._promise
        return took >= promise.deadline_ns - promise.budget_ns - promise.slack_ns - early_ns

    def _is_crowded(self, trigger: int) -> bool:
        """Say whether all slots may have held earlier frames when this one came."""
        taken, held = self._taken(trigger) - self._promise.slack_ns, 0
        for earlier in range(trigger - 1, 0, -1):
            index = self._of.get(earlier)
            if index is None or self._log.fate_of(earlier) != "delivered":
                continue
            if self._book.said(index) == "overrun":
                continue
            if self._freed[index] < taken:
                return False
            held += 1
            if held == self._promise.slots:
                return True
        return False

    def _is_followed(self, trigger: int) -> bool:
        """Say whether a later frame of the same acquisition gave the loss away."""
        return self._newest_seen.get(self._log.acquisition[trigger - 1], 0) > trigger

    def _is_last(self, index: int) -> bool:
        """Say whether nothing was inspected after it in its epoch."""
        return self._book.seq[index] > self._last_inspected.get(self._book.epoch[index], 0)

    def _scores(self) -> Iterator[str]:
        """The same image has the same score, bit for bit: else a frame was taken for another."""
        known: dict[int, int] = {}  # image: trigger
        for trigger, index in self._of.items():
            score = self._book.score[index]
            if isnan(score) or trigger > len(self._log):
                continue
            image = self._log.image[trigger - 1]
            first = self._of[known.setdefault(image, trigger)]
            mine = (score, self._book.said(index))
            its = (self._book.score[first], self._book.said(first))
            if mine != its:
                yield f"trigger {trigger}: image {image} is {mine}, was {its} at {known[image]}"

    def _heartbeats(self) -> Iterator[str]:
        """The last heartbeat counts what was said, and no verdict after the last that came."""
        for epoch, beat in self._book.beats.items():
            (counts,) = beat["counts"].values()
            (last,) = beat["seq"].values()
            newest = max(
                (s for s, e in zip(self._book.seq, self._book.epoch, strict=True) if e <= epoch),
                default=0,
            )
            if last > newest:
                yield f"heartbeat counts to seq {last}, but {newest} is the last that came"
            if epoch == max(self._book.beats) and last == newest and not counts["open"]:
                said = self._book.counts(epoch)
                for key, have in (("passed", said["PASS"]), ("failed", said["FAIL"])):
                    if counts[key] != have:
                        yield f"heartbeat: {counts[key]} {key}, but {have} came"


def _freed(book: Book) -> list[int]:
    """Give when each verdict's frame had left its slot at the latest (ns).

    The daemon keeps the last frame that was inspected until the next one's verdict has left; the
    verdict after that one leaves later.
    """
    freed = [0] * len(book)
    latest = after = 1 << 62
    for index in range(len(book) - 1, -1, -1):
        freed[index] = latest
        if book.inferred_ns[index] != NONE:
            latest = min(latest, after)
        after = min(after, book.arrived_ns[index])
    return freed


def _newest_seen(log: TriggerLog) -> dict[int, int]:
    """Give the last trigger of each acquisition whose frame reached the consumer."""
    newest: dict[int, int] = {}
    for trigger in range(1, len(log) + 1):
        if log.fate_of(trigger) in SEEN:
            newest[log.acquisition[trigger - 1]] = trigger
    return newest


def _homes(log: TriggerLog, book: Book) -> dict[int, int]:
    """Give the epoch of the daemon that ran each acquisition: the one that inspected of it."""
    homes: dict[int, int] = {}
    for index in range(len(book)):
        trigger = book.trigger[index]
        if book.said(index) in ("PASS", "FAIL") and 1 <= trigger <= len(log):
            homes.setdefault(log.acquisition[trigger - 1], book.epoch[index])
    return homes
