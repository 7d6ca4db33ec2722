"""effad-watch: see what effad says, as any subscriber would. Verdicts go to stdout, all else to
stderr.
"""

import argparse
import json
import sys
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.text import Text

from daemon.client import SeqCheck, Subscriber
from daemon.messages import Alarm, Heartbeat, Kind, Map, StateChange, Verdict
from daemon.security.keys import ClientKeys
from daemon.wire import (
    Received,
    WireError,
    decode_map,
    schema,
)
from models.errors import InputError, reports_input_errors

NOTHING_CAME = 3  # exit status
MAP_WAIT = 2.0  # seconds that a verdict's map may come after it
_EARLY_MAPS = 16  # kept, as the sockets are not in step
_COLOURS = {Kind.PASS: "bold green", Kind.FAIL: "bold red", Kind.NO_VERDICT: "bold yellow"}


@dataclass
class Waiting:
    """A verdict that waits for its maps, or for the end of its patience."""

    verdict: Verdict
    until: float  # time.monotonic
    cameras: set[str]  # whose map is still to come
    files: dict[str, Path] = field(default_factory=dict)  # of each camera whose map came


class Watch:
    """Prints what comes, verdicts in order, and saves maps."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._console = Console(highlight=False, soft_wrap=True)
        self._check = SeqCheck()
        self._waiting: deque[Waiting] = deque()
        self._maps: OrderedDict[tuple[int, str, int, str], Received] = OrderedDict()
        self._state: StateChange | None = None
        self._left: int | None = options.count

    def run(self, subscriber: Subscriber) -> int:
        """Follow the subscriber until enough verdicts came; gives the exit status."""
        limit = self._options.timeout or float("inf")
        heard = time.monotonic()
        try:
            while self._waiting or self._left != 0:
                now = time.monotonic()
                if now >= heard + limit:
                    return _nothing_came(self._options)
                until = self._waiting[0].until if self._waiting else now + MAP_WAIT
                try:
                    self._take(subscriber.receive(min(heard + limit, until) - now))
                    heard = time.monotonic()
                except TimeoutError:
                    pass
                except WireError as error:
                    heard = time.monotonic()
                    _tell(f"not understood: {error}")
                self._settle()
        finally:
            for waiting in self._waiting:
                self._print(waiting)
        return 0

    def _take(self, received: Received) -> None:
        match received.message:
            case Verdict() as verdict:
                self._take_verdict(verdict)
            case Map() as header:
                self._maps[header.epoch, header.station, header.seq, header.camera] = received
                while len(self._maps) > _EARLY_MAPS:
                    self._maps.popitem(last=False)
            case Heartbeat() as heartbeat:
                mine = _of_station(heartbeat, self._options.station)
                for line in self._check.heartbeat(mine):
                    _tell(line)
            case StateChange() as change if change != self._state:
                self._state = change
                _tell(f"state {change.state}: {_printable(change.text)}")
            case Alarm() as alarm if self._options.station in (None, alarm.station) or (
                alarm.station is None
            ):
                about = " ".join(name for name in (alarm.code, alarm.station, alarm.camera) if name)
                _tell(f"alarm {_printable(about)}: {_printable(alarm.text)}")

    def _take_verdict(self, verdict: Verdict) -> None:
        new, line = self._check.verdict(verdict)
        if line:
            _tell(line)
        if not new or self._left == 0:
            return
        if self._left is not None:
            self._left -= 1
        saved = self._options.save and (self._options.save_all or verdict.verdict is Kind.FAIL)
        cameras = {view.camera for view in verdict.views if view.score is not None and saved}
        self._waiting.append(Waiting(verdict, time.monotonic() + MAP_WAIT, cameras))

    def _settle(self) -> None:
        """Save maps that came, and print verdicts, in order, up to one that still waits."""
        for waiting in self._waiting:
            verdict = waiting.verdict
            for camera in sorted(waiting.cameras):
                key = (verdict.epoch, verdict.station, verdict.seq, camera)
                if key in self._maps:
                    waiting.cameras.remove(camera)
                    waiting.files[camera] = self._save(verdict, self._maps.pop(key))
        while self._waiting:
            first = self._waiting[0]
            if first.cameras and time.monotonic() < first.until:
                return
            self._print(self._waiting.popleft())

    def _save(self, verdict: Verdict, received: Received) -> Path:
        """Save a map as a picture, and as an array if that was asked for; give the picture."""
        from daemon.overlay import heat_overlay, placement_of  # imports torch: seconds

        header = received.message
        assert isinstance(header, Map)  # noqa: S101 (only maps are kept)
        values = decode_map(header, received.array)
        regions = [
            region
            for view in verdict.views
            if view.camera == header.camera
            for region in view.regions
        ]
        picture = heat_overlay(
            None, values, placement_of(header), header.threshold, regions, size=header.frame
        )
        name = f"{header.station}_{header.seq:08d}_{header.camera}_{verdict.verdict}"
        path: Path = self._options.save / f"{name}.png"
        png = cv2.imencode(".png", picture[:, :, ::-1])[1]
        try:
            path.write_bytes(png.tobytes())
            if self._options.save_maps:
                np.save(path.with_suffix(".npy"), values)
        except OSError as error:
            raise InputError(f"--save: cannot write {path}: {error.strerror}") from error
        return path

    def _print(self, waiting: Waiting) -> None:
        verdict = waiting.verdict
        for camera in sorted(waiting.cameras):
            _tell(f"{verdict.station}: no map came of seq {verdict.seq} from {camera}")
        saved = [view for view in verdict.views if view.camera in waiting.files]
        best = max(saved, key=lambda view: view.score or 0.0, default=None)
        file = waiting.files[best.camera] if best else None
        if self._options.json:
            document = verdict.model_dump(mode="json")
            if file:
                document["map_file"] = str(file)
            self._console.print(Text(json.dumps(document)))
        else:
            line = verdict_line(verdict)
            self._console.print(line.append(f"  {file}", "dim") if file else line)


def verdict_line(verdict: Verdict) -> Text:
    """Give a verdict as a line for people: when, what, how sure, how fast, where."""
    when = datetime.fromtimestamp(verdict.published_ns / 1e9)
    kind = str(verdict.verdict)
    if verdict.reason is not None:
        kind += f"({verdict.reason})"
    latency = (verdict.published_ns - verdict.triggered_ns) / 1e6
    line = Text(f"{when:%H:%M:%S}.{when.microsecond // 1000:03d}  ", no_wrap=True)
    line.append(f"{verdict.station} {verdict.seq}  {_printable(verdict.part.id or '-')}  ")
    line.append(kind, _COLOURS[verdict.verdict])
    if verdict.score is not None and verdict.threshold is not None:
        sign = ">=" if verdict.score >= verdict.threshold else "<"
        line.append(f"  score {verdict.score:.3f} {sign} {verdict.threshold:.3f}")
    line.append(f"  {latency:.0f} ms")
    found = [(region.peak, view, region) for view in verdict.views for region in view.regions]
    if found:
        _, view, region = max(found, key=lambda entry: entry[0])
        line.append(f"  at ({region.centroid[0]:.0f}, {region.centroid[1]:.0f}) {view.camera}")
    return line


def _of_station(heartbeat: Heartbeat, station: str | None) -> Heartbeat:
    if station is None:
        return heartbeat
    seq = {name: last for name, last in heartbeat.seq.items() if name == station}
    return heartbeat.model_copy(update={"seq": seq})


def _printable(text: str) -> str:
    """Give text of others without what would move a terminal's cursor."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _tell(line: str) -> None:
    sys.stderr.write(f"effad-watch: {line}\n")
    sys.stderr.flush()


def _nothing_came(options: argparse.Namespace) -> int:
    _tell(
        f"nothing came from {options.results} in {options.timeout:g} s, no heartbeat either: "
        "is effad running, and is this its sockets.results?"
    )
    return NOTHING_CAME


def _at_least(kind: type[int] | type[float], least: int) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = kind(text)
        if not value >= least:
            raise ValueError
        return value

    number.__name__ = f"number of at least {least}:"  # argparse says "invalid <name> value"
    return number


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("effad-watch", description="Print effad's verdicts.")
    add = parser.add_argument
    add("--results", default="tcp://127.0.0.1:5556", metavar="ENDPOINT", help="[%(default)s]")
    add("--maps", default="tcp://127.0.0.1:5557", metavar="ENDPOINT", help="[%(default)s]")
    add("--server-key", type=Path, metavar="FILE", help="effad's public key, where it has keys")
    add("--key", type=Path, metavar="FILE", help="with --server-key: one's own, .key_secret")
    add("--station", metavar="NAME", help="this one only")
    add("--count", type=_at_least(int, 1), metavar="N", help="end after N verdicts")
    add(
        "--timeout",
        type=_at_least(float, 0),
        default=10.0,
        metavar="S",
        help="end with status 3 after S seconds without any message, 0: never [%(default)g]",
    )
    add("--save", type=Path, metavar="DIR", help="save a heat map of each FAIL")
    add("--save-all", action="store_true", help="with --save: of each verdict")
    add("--save-maps", action="store_true", help="with --save: the raw maps too, as .npy")
    add("--json", action="store_true", help="print verdicts as JSON, one a line")
    add("--schema", action="store_true", help="print the JSON Schema of all messages, and end")
    options = parser.parse_args(argv)
    if (options.save_all or options.save_maps) and options.save is None:
        parser.error("--save-all and --save-maps need --save DIR")
    if (options.server_key is None) != (options.key is None):
        parser.error("--server-key FILE and --key FILE go together")
    return options


@reports_input_errors("effad-watch")
def main(argv: list[str] | None = None) -> int:
    """Follow effad's sockets. Status: 0, 2 wrong usage, 3 nothing came."""
    options = _parse(argv)
    if options.schema:
        sys.stdout.write(json.dumps(schema(), indent=2) + "\n")
        return 0
    if options.save:
        try:
            options.save.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"--save: cannot make {options.save}: {error.strerror}") from error
    maps = options.maps if options.save else None
    keys = ClientKeys.load(options.server_key, options.key) if options.key else None
    try:
        with Subscriber(options.results, maps, options.station, keys=keys) as subscriber:
            return Watch(options).run(subscriber)
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
