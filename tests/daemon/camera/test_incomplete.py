"""An incomplete buffer is accounted for as the frame that it was, however fast the next comes."""

import time
from typing import Any

import pytest
from harvesters.core import ImageAcquirer

from daemon.camera.buffer import Delivered, Incomplete
from daemon.camera.device import Camera
from daemon.messages import TriggerSource
from daemon.simulator.build import producer
from daemon.simulator.scene import Fate, Fault, TriggerMode
from tests.daemon.camera.conftest import LIMIT, MakeScene


def test_a_buffer_that_is_filled_again_at_once_keeps_its_name(
    make_scene: MakeScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy computer harvesters' word comes when the buffer, queued before, is full again."""
    scene = make_scene(TriggerMode.FREE_RUN, rate_hz=0)  # as fast as buffers are queued
    say = ImageAcquirer._emit_callbacks

    def late(self: ImageAcquirer, event: Any) -> None:
        known = scene.triggers("A")
        until = time.monotonic() + 0.05
        while scene.triggers("A") == known and time.monotonic() < until:
            pass
        say(self, event)

    monkeypatch.setattr(ImageAcquirer, "_emit_callbacks", late)
    camera = Camera(producer(), "A", 3)
    try:
        camera.set_trigger(TriggerSource.FREE_RUN)
        camera.start()
        scene.fault("A", Fault.INCOMPLETE, 20)
        got: list[Delivered | Incomplete] = []
        until = time.monotonic() + LIMIT
        while sum(isinstance(one, Incomplete) for one in got) < 20:
            assert time.monotonic() < until
            one = camera.fetch(20)
            if isinstance(one, Delivered):
                one.let_go()
            if one is not None:
                got.append(one)
        camera.stop_triggers()
        camera.stop()
    finally:
        camera.close()
    ids = [one.frame_id for one in got]
    assert ids == sorted({one for one in ids if one is not None}), "each once, and in order"
    incomplete = {one.frame_id for one in got if isinstance(one, Incomplete)}
    assert incomplete == {r.frame_id for r in scene.log("A") if r.fate is Fate.INCOMPLETE}
