"""What was said on the results socket, in columns: a million verdicts take some 100 MB."""

import bisect
from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

NONE = -1  # a time or an id that is null


@dataclass
class Book:
    """Verdicts of one station in the order of their coming, one index each.

    Times are ns of the Unix epoch, but for ``device_ns``.
    """

    seq: "array[int]" = field(default_factory=lambda: array("q"))
    epoch: "array[int]" = field(default_factory=lambda: array("q"))
    trigger: "array[int]" = field(default_factory=lambda: array("q"))
    frame_id: "array[int]" = field(default_factory=lambda: array("q"))
    device_ns: "array[int]" = field(default_factory=lambda: array("q"))
    inferred_ns: "array[int]" = field(default_factory=lambda: array("q"))
    published_ns: "array[int]" = field(default_factory=lambda: array("q"))
    arrived_ns: "array[int]" = field(default_factory=lambda: array("q"))
    score: "array[float]" = field(default_factory=lambda: array("d"))
    word: "array[int]" = field(default_factory=lambda: array("B"))  # index in words
    words: list[str] = field(default_factory=list)  # PASS, FAIL, bypassed, or NO_VERDICT's reason
    replayed: int = 0
    faults: list[str] = field(default_factory=list)  # what cannot be right, whatever the log says
    beats: dict[int, dict[str, Any]] = field(default_factory=dict)  # epoch: its newest heartbeat

    def __len__(self) -> int:
        return len(self.seq)

    def said(self, index: int) -> str:
        return self.words[self.word[index]]

    def counts(self, epoch: int | None = None) -> Counter[str]:
        """Count the verdicts by what they say, of one epoch or all."""
        pairs = zip(self.epoch, self.word, strict=True)
        found = Counter(word for of, word in pairs if epoch in (None, of))
        return Counter({self.words[word]: count for word, count in found.items()})

    def verdict(self, said: dict[str, Any], arrived_ns: int) -> None:
        """Write a verdict down, as it was parsed from JSON."""
        view = said["views"][0]
        kind, reason = said["verdict"], said["reason"]
        if (kind == "NO_VERDICT") != (reason is not None):
            self.faults.append(f"seq {said['seq']}: {kind} with reason {reason}")
        word = "bypassed" if said.get("bypassed") else kind if reason is None else reason
        if word not in self.words:
            self.words.append(word)
        trigger = view["trigger"]
        if trigger is None and reason == "restart":  # nobody is left who would know
            trigger = (self.trigger[-1] if self.trigger else 0) + 1  # they leave in this order
        if trigger is None:
            self.faults.append(f"seq {said['seq']}: names no trigger")
        self.replayed += bool(said.get("historical"))
        self.word.append(self.words.index(word))
        self.seq.append(said["seq"])
        self.epoch.append(said["epoch"])
        self.trigger.append(_known(trigger))
        self.frame_id.append(_known(view["frame_id"]))
        self.device_ns.append(_known(view["device_ns"]))
        self.inferred_ns.append(_known(view["inferred_ns"]))
        self.published_ns.append(said["published_ns"])
        self.arrived_ns.append(arrived_ns)
        self.score.append(float("nan") if said["score"] is None else said["score"])

    def heartbeat(self, said: dict[str, Any], station: str) -> None:
        """Keep an epoch's newest heartbeat, and hold its account against itself."""
        counts = said["counts"].get(station)
        if counts is None:
            return
        ended = counts["passed"] + counts["failed"] + counts["no_verdict"] + counts["open"]
        if counts["triggers"] != ended:
            self.faults.append(f"heartbeat: {counts['triggers']} triggers, but {ended} accounted")
        self.beats[said["epoch"]] = said


class Clock:
    """What to add to CLOCK_MONOTONIC for the ns of the Unix epoch, as it was at the time."""

    def __init__(self) -> None:
        self._at = array("q")
        self._offset = array("q")

    def note(self, monotonic_ns: int, unix_ns: int) -> None:
        self._at.append(monotonic_ns)
        self._offset.append(unix_ns - monotonic_ns)

    def unix(self, monotonic_ns: int) -> int:
        after = bisect.bisect(self._at, monotonic_ns)
        return monotonic_ns + self._offset[min(after, len(self._at) - 1)]


def _known(value: int | None) -> int:
    return NONE if value is None else value
