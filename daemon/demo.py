"""effad-demo: a simulated camera shows parts, the real daemon inspects them, verdicts scroll by.

What imports torch is imported late: it takes seconds, and the user wants to see something.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.text import Text

from daemon.client import Requester, Subscriber
from daemon.messages import Kind, Map, Part, StateChange, Verdict
from daemon.requests import SoftwareTrigger
from daemon.simulator.parts import sequence
from daemon.simulator.scene import CameraScene, PixelFormat, Scene, TriggerMode
from daemon.watch import verdict_line
from daemon.wire import decode_map
from models.errors import InputError, reports_input_errors

if TYPE_CHECKING:
    from models.bundle import Input

SHIPPED = Path(str(files("daemon") / "demo_recipe"))
_SERIAL = "DEMO1"
_START_SECONDS = 60.0
_ON_THE_WAY = 1  # parts triggered and without a verdict, at most
_LINE = """\
[[stations]]
name = "demo"
recipe = "{recipe}"
[[stations.cameras]]
producer = "simulator"
trigger = "software"
[engine]
threads = {threads}
[sockets]
control = "ipc://{folder}/control"
results = "ipc://{folder}/results"
maps = "ipc://{folder}/maps"
[journal]
folder = "{folder}/state"
[images]
keep = "none"
[metrics]
port = 0
"""


@dataclass(frozen=True)
class Shown:
    """What the camera shows: one image a part, over and over."""

    images: list[NDArray[np.uint8]]  # (H, W, 3) RGB
    names: list[str]  # of the parts


class Daemon:
    """The daemon in a process of its own, on sockets in a folder."""

    def __init__(self, folder: Path, recipe: Path, scene: Scene) -> None:
        config = folder / "effad.toml"
        config.write_text(
            _LINE.format(
                recipe=recipe.resolve(), folder=folder, threads=len(os.sched_getaffinity(0))
            )
        )
        self._log = folder / "effad.log"
        with self._log.open("wb") as stream:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "daemon.main", "--config", str(config)],
                env={**os.environ, **scene.environ()},
                stderr=stream,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is ours; we end it in order
            )

    def check(self) -> None:
        """Raise ``InputError`` with its own last words if it has ended."""
        status = self._process.poll()
        if status is not None:
            words = self._log.read_text().strip().splitlines() or ["it said nothing"]
            raise InputError(f"the daemon ended with status {status}: {words[-1][:300]}")

    def stop(self) -> int:
        """End it in order; give its exit status."""
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


class Demo:
    """Shows parts, prints verdicts, saves heat maps."""

    def __init__(self, options: argparse.Namespace, shown: Shown, console: Console) -> None:
        self._options = options
        self._shown = shown
        self._console = console
        self._verdicts: dict[int, Verdict] = {}  # those that a map may follow
        self.count: Counter[Kind] = Counter()
        self.triggered = 0
        self.saved = 0  # pictures

    def run(self, daemon: Daemon, subscriber: Subscriber, requester: Requester) -> None:
        """Go on until enough frames have their verdict, and failed ones their picture."""
        self._wait_until_running(daemon, subscriber)
        wanted = self._options.frames
        next_at = time.monotonic()
        while wanted is None or self.count.total() < wanted or self._pictures_due():
            daemon.check()
            may = wanted is None or self.triggered < wanted
            open_parts = self.triggered - self.count.total()
            if may and open_parts < _ON_THE_WAY and time.monotonic() >= next_at:
                next_at = time.monotonic() + 1 / self._options.rate
                self._trigger(requester)
            with contextlib.suppress(TimeoutError):
                received = subscriber.receive(0.05)
                if isinstance(received.message, Verdict):
                    self._verdict(received.message)
                elif isinstance(received.message, Map):
                    self._picture(received.message, decode_map(received.message, received.array))

    def _trigger(self, requester: Requester) -> None:
        """Have the next part inspected, as a PLC would that knows its id."""
        part = Part(id=self._shown.names[self.triggered % len(self._shown.names)])
        reply = requester.ask(SoftwareTrigger(part=part))
        if not reply.ok:
            raise InputError(f"the daemon refused a trigger: {reply.error}")
        self.triggered += 1

    def _pictures_due(self) -> bool:
        return any(v.verdict is Kind.FAIL for v in self._verdicts.values())

    def _wait_until_running(self, daemon: Daemon, subscriber: Subscriber) -> None:
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until:
            daemon.check()
            with contextlib.suppress(TimeoutError):
                message = subscriber.receive(0.1).message
                if isinstance(message, StateChange):
                    self._console.print(f"[dim]daemon: {message.state}, {message.text}[/dim]")
                    if message.state == "ContinuousExecution":
                        return
        raise InputError(f"the daemon did not start within {_START_SECONDS:.0f} s")

    def _verdict(self, verdict: Verdict) -> None:
        self.count[verdict.verdict] += 1
        self._verdicts[verdict.seq] = verdict
        self._console.print(verdict_line(verdict), soft_wrap=True)

    def _picture(self, header: Map, values: NDArray[np.float32]) -> None:
        verdict = self._verdicts.pop(header.seq, None)
        if verdict is None or verdict.verdict is not Kind.FAIL:
            return
        image = self._shown.images[((verdict.views[0].trigger or 1) - 1) % len(self._shown.images)]
        from daemon.overlay import heat_overlay, placement_of

        picture = heat_overlay(
            image, values, placement_of(header), header.threshold, verdict.views[0].regions
        )
        name = f"{verdict.seq:06d}_{verdict.part.id}.png"
        cv2.imwrite(str(self._options.save / name), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        self.saved += 1


def drawn(count: int, seed: int, size: int) -> Shown:
    """Draw parts, a third of them with a defect; a name tells which."""
    images: list[NDArray[np.uint8]] = []
    names: list[str] = []
    for number, part in enumerate(sequence(seed, count, defect_rate=1 / 3, size=size), start=1):
        images.append(part.image)
        names.append(f"nut-{number:03d}-{part.defect or 'good'}")
    return Shown(images, names)


def own(folder: Path, height: int, width: int, console: Console) -> Shown:
    """Read images, and bring them to the size that the bundle inspects."""
    from models.images import find_images, read_rgb

    images: list[NDArray[np.uint8]] = []
    names: list[str] = []
    for path in find_images(folder):
        image = read_rgb(path)
        if image.shape[:2] != (height, width):
            if not images:
                console.print(f"[dim]images are resized to {width} x {height}[/dim]")
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA).astype(
                np.uint8, copy=False
            )
        images.append(image)
        names.append(path.name)
    return Shown(images, names)


@contextmanager
def running(options: argparse.Namespace, shown: Shown) -> Iterator[tuple[Daemon, Path]]:
    """Make the scene, start the daemon, and end it in order."""
    with tempfile.TemporaryDirectory(prefix="effad-demo-") as name:
        folder = Path(name)
        camera = CameraScene(
            serial=_SERIAL,
            images=shown.images,
            pixel_format=PixelFormat.RGB8,
            trigger=TriggerMode.SOFTWARE,
        )
        with Scene.create(folder / "scene", [camera]) as scene:
            daemon = Daemon(folder, options.recipe, scene)
            try:
                yield daemon, folder
            finally:
                status = daemon.stop()
        if status:
            raise InputError(f"the daemon ended with status {status}")


def inspected_size(recipe: Path) -> "Input":
    """Give what a recipe's bundle inspects; raises ``InputError`` if it cannot be read."""
    from models.bundle import MANIFEST, Manifest
    from models.recipe_store import read

    return Manifest.read(recipe / read(recipe).bundle / MANIFEST).input


def summary(demo: Demo, folder: Path) -> Text:
    count = demo.count
    return Text(
        f"{count.total()} parts: {count[Kind.PASS]} PASS, {count[Kind.FAIL]} FAIL,"
        f" {count[Kind.NO_VERDICT]} NO_VERDICT; {demo.saved} heat maps in {folder}",
        style="bold",
    )


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="effad-demo", description=str(__doc__).split("\n")[0])
    top.add_argument("--frames", type=_positive, help="end after so many; else Ctrl-C ends it")
    top.add_argument(
        "--images", type=Path, help="folder of images to inspect, instead of drawn ones"
    )
    top.add_argument("--recipe", type=Path, default=SHIPPED, help="recipe folder; default: shipped")
    top.add_argument(
        "--save",
        type=Path,
        default=Path("effad-demo-heatmaps"),
        help="folder for the heat maps of failed parts (default: %(default)s)",
    )
    top.add_argument(
        "--rate", type=float, default=2.0, help="parts per second at most (default: 2)"
    )
    top.add_argument("--seed", type=int, default=21, help="of the drawn parts")
    return top


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not 1 or more")
    return value


@reports_input_errors("effad-demo")
def main(argv: list[str] | None = None) -> int:
    options = parser().parse_args(argv)
    console = Console()
    console.print("[dim]loading[/dim]")
    size = inspected_size(options.recipe)
    if options.images is None:
        count = min(options.frames or 60, 60)
        console.print(f"[dim]drawing {count} parts[/dim]")
        shown = drawn(count, options.seed, size.width)
    else:
        shown = own(options.images, size.height, size.width, console)
    options.save.mkdir(parents=True, exist_ok=True)
    console.print("[dim]starting the daemon[/dim]")
    demo = Demo(options, shown, console)
    with running(options, shown) as (daemon, folder):
        endpoints = [f"ipc://{folder}/{name}" for name in ("results", "maps")]
        with (
            Subscriber(*endpoints) as subscriber,
            Requester(f"ipc://{folder}/control") as requester,
        ):
            try:
                demo.run(daemon, subscriber, requester)
            except KeyboardInterrupt:
                console.print("[dim]stopping[/dim]")
    console.print(summary(demo, options.save.resolve()), soft_wrap=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
