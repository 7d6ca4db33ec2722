"""GenTL functions and cases that harvesters does not reach, called through ctypes."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from ctypes import byref, c_char, c_int32, c_size_t, c_uint32, c_uint64, c_void_p
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from genicam.gentl import (
    ACQ_QUEUE_TYPE_LIST,
    BUFFER_INFO_CMD_LIST,
    EVENT_TYPE_LIST,
    GC_ERROR_LIST,
    STREAM_INFO_CMD_LIST,
)

from daemon.simulator.build import producer
from daemon.simulator.scene import CameraScene, Fate, TriggerMode

if TYPE_CHECKING:
    from tests.daemon.simulator.conftest import MakeScene

CONTROL = 3  # DEVICE_ACCESS
FOREVER = 2**64 - 1
TRIGGER_SOFTWARE, ACQUISITION_START = 0x1088, 0x1008


class StackEntry(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("address", c_uint64), ("data", c_void_p), ("size", c_size_t))


class Producer:
    """The library, with errors as their names."""

    def __init__(self) -> None:
        self.library = ctypes.CDLL(str(producer()))

    def __call__(self, name: str, *arguments: Any) -> str:
        """Calls a function; returns its GC_ERROR without GC_ERR_, "SUCCESS" if all is well."""
        code: int = getattr(self.library, name)(*arguments)
        names = (name for name in vars(GC_ERROR_LIST) if name.startswith("GC_ERR_"))
        (name,) = (name for name in names if int(getattr(GC_ERROR_LIST, name)) == code)
        return name.removeprefix("GC_ERR_")

    def opened(self, name: str, *arguments: Any) -> c_void_p:
        handle = c_void_p()
        assert self(name, *arguments, byref(handle)) == "SUCCESS"
        return handle

    def last_error(self) -> tuple[int, str]:
        code, size, text = c_int32(), c_size_t(512), ctypes.create_string_buffer(512)
        assert self("GCGetLastError", byref(code), text, byref(size)) == "SUCCESS"
        return code.value, text.value.decode()

    def number(self, name: str, *arguments: Any) -> int:
        """What a *GetInfo function says of an integer."""
        value, size, kind = c_uint64(), c_size_t(8), c_int32()
        assert self(name, *arguments, byref(kind), byref(value), byref(size)) == "SUCCESS"
        return value.value

    def write(self, port: c_void_p, address: int, value: int) -> str:
        return self("GCWritePort", port, c_uint64(address), byref(c_uint64(value)), size_of(8))


def size_of(n: int) -> Any:
    return byref(c_size_t(n))


@pytest.fixture
def gentl(make_scene: MakeScene) -> Iterator[Producer]:
    producer = Producer()
    assert producer("GCInitLib") == "SUCCESS"
    yield producer
    producer("GCCloseLib")


class Stream:
    """A device with a triggered acquisition and n buffers of the producer's own."""

    def __init__(self, gentl: Producer) -> None:
        self.system = gentl.opened("TLOpen")
        self.interface = gentl.opened("TLOpenInterface", self.system, b"effad-interface")
        self.device = gentl.opened("IFOpenDevice", self.interface, b"effad-A", CONTROL)
        self.port = gentl.opened("DevGetPort", self.device)
        self.handle = gentl.opened("DevOpenDataStream", self.device, b"Stream0")
        new_buffer = int(EVENT_TYPE_LIST.EVENT_NEW_BUFFER)
        self.event = gentl.opened("GCRegisterEvent", self.handle, new_buffer)
        self.buffers = [
            gentl.opened("DSAllocAndAnnounceBuffer", self.handle, c_size_t(24), None)
            for _ in range(3)
        ]
        for buffer in self.buffers:
            assert gentl("DSQueueBuffer", self.handle, buffer) == "SUCCESS"
        assert gentl("DSStartAcquisition", self.handle, 0, c_uint64(FOREVER)) == "SUCCESS"
        assert gentl.write(self.port, ACQUISITION_START, 1) == "SUCCESS"


@pytest.fixture
def stream(gentl: Producer, make_scene: MakeScene) -> Stream:
    image = np.arange(24, dtype=np.uint8).reshape(4, 6)
    make_scene(CameraScene("A", [image], trigger=TriggerMode.SOFTWARE))
    return Stream(gentl)


def test_the_library_is_initialised_once(gentl: Producer) -> None:
    assert gentl("GCInitLib") == "RESOURCE_IN_USE"
    assert gentl("GCCloseLib") == "SUCCESS"
    assert gentl("GCCloseLib") == "NOT_INITIALIZED"
    assert gentl("TLOpen", byref(c_void_p())) == "NOT_INITIALIZED"


def test_each_thread_has_its_own_last_error(gentl: Producer) -> None:
    assert gentl("GCInitLib") == "RESOURCE_IN_USE"
    assert gentl.last_error() == (-1004, "GCInitLib was called before")
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(gentl.last_error).result() == (0, "no error")


def test_wrong_handles_are_refused(gentl: Producer, stream: Stream) -> None:
    null, stray = c_void_p(), c_void_p(0x1234)
    for handle in (null, stray, stream.device):
        assert gentl("DSClose", handle) == "INVALID_HANDLE"
        assert gentl("DSQueueBuffer", stream.handle, handle) == "INVALID_HANDLE"
        assert gentl("TLClose", handle) == "INVALID_HANDLE"
        assert gentl("EventFlush", handle) == "INVALID_HANDLE"
    assert gentl("DevClose", stream.device) == "SUCCESS"
    for name in ("DevClose", "DSClose", "EventKill"):
        assert gentl(name, stream.device) == "INVALID_HANDLE"


def test_a_second_open_is_refused(gentl: Producer, stream: Stream) -> None:
    out = byref(c_void_p())
    assert gentl("TLOpen", out) == "RESOURCE_IN_USE"
    assert gentl("TLOpenInterface", stream.system, b"effad-interface", out) == "RESOURCE_IN_USE"
    assert gentl("IFOpenDevice", stream.interface, b"effad-A", CONTROL, out) == "ACCESS_DENIED"
    assert gentl("IFOpenDevice", stream.interface, b"effad-B", CONTROL, out) == "INVALID_ID"
    assert gentl("DevOpenDataStream", stream.device, b"Stream0", out) == "RESOURCE_IN_USE"


def test_strings_ask_for_their_size(gentl: Producer, stream: Stream) -> None:
    size, text = c_size_t(0), ctypes.create_string_buffer(64)
    assert gentl("TLGetInterfaceID", stream.system, 0, None, byref(size)) == "SUCCESS"
    assert size.value == len("effad-interface") + 1
    size.value -= 1
    assert gentl("TLGetInterfaceID", stream.system, 0, text, byref(size)) == "BUFFER_TOO_SMALL"
    size.value += 1
    assert gentl("TLGetInterfaceID", stream.system, 0, text, byref(size)) == "SUCCESS"
    assert text.value == b"effad-interface"
    assert gentl("TLGetInterfaceID", stream.system, 1, text, byref(size)) == "INVALID_INDEX"


def test_stacked_port_access_stops_at_the_first_error(gentl: Producer, stream: Stream) -> None:
    width, height, other = c_uint64(), c_uint64(), c_uint64()
    entries = (StackEntry * 3)(
        *(
            StackEntry(address, ctypes.addressof(value), 8)
            for address, value in ((0x1030, width), (0x1038, height), (0x9000, other))
        )
    )
    count = c_size_t(3)
    assert gentl("GCReadPortStacked", stream.port, entries, byref(count)) == "INVALID_ADDRESS"
    assert (count.value, width.value, height.value) == (2, 6, 4)
    entries[0].address, entries[1].address = 0x1078, 0x1080  # TriggerMode, TriggerSource
    width.value, height.value, count.value = 1, 1, 2
    assert gentl("GCWritePortStacked", stream.port, entries, byref(count)) == "SUCCESS"
    assert gentl("GCReadPort", stream.port, c_uint64(0x1080), byref(other), size_of(8)) == "SUCCESS"
    assert other.value == 1


@pytest.mark.parametrize("address", [1, 0x40 * 4, 0xFFF, 0x1001, 0x1130, 0x200000, 2**64 - 1])
def test_there_is_nothing_between_the_registers(
    address: int, gentl: Producer, stream: Stream
) -> None:
    data = (c_char * 8)()
    answer = gentl("GCReadPort", stream.port, c_uint64(address), data, size_of(8))
    assert answer == "INVALID_ADDRESS"
    assert gentl.write(stream.port, address, 0) == "INVALID_ADDRESS"


def test_read_only_registers_stay_so(gentl: Producer, stream: Stream) -> None:
    for address in (0x1050, 0x1070, 0x10C0):  # SensorWidth, PayloadSize, CounterValue
        assert gentl.write(stream.port, address, 1) == "ACCESS_DENIED"
    assert gentl.write(stream.handle, 0, 1) == "ACCESS_DENIED"


def test_buffers_go_round(gentl: Producer, stream: Stream) -> None:
    data, size = (c_void_p * 2)(), c_size_t(16)
    seen = []
    for _ in range(4):
        assert gentl.write(stream.port, TRIGGER_SOFTWARE, 1) == "SUCCESS"
        assert gentl("EventGetData", stream.event, data, byref(size), c_uint64(5000)) == "SUCCESS"
        assert size.value == 16
        buffer = c_void_p(data[0])
        info = ("DSGetBufferInfo", stream.handle, buffer)
        assert gentl.number(*info, int(BUFFER_INFO_CMD_LIST.BUFFER_INFO_SIZE_FILLED)) == 24
        base = gentl.number(*info, int(BUFFER_INFO_CMD_LIST.BUFFER_INFO_BASE))
        assert ctypes.string_at(base, 24) == bytes(range(24))
        seen.append(gentl.number(*info, int(BUFFER_INFO_CMD_LIST.BUFFER_INFO_FRAMEID)))
        assert gentl("DSQueueBuffer", stream.handle, buffer) == "SUCCESS"
        assert gentl("DSQueueBuffer", stream.handle, buffer) == "BUSY"
        assert gentl("DSRevokeBuffer", stream.handle, buffer, None, None) == "BUSY"
    assert seen == [1, 2, 3, 4]
    answer = gentl("EventGetData", stream.event, data, byref(size), c_uint64(0))
    assert answer == "TIMEOUT"


def test_queues_can_be_moved(gentl: Producer, stream: Stream) -> None:
    def counts() -> tuple[int, int]:
        commands = (
            STREAM_INFO_CMD_LIST.STREAM_INFO_NUM_QUEUED,
            STREAM_INFO_CMD_LIST.STREAM_INFO_NUM_AWAIT_DELIVERY,
        )
        queued, waiting = (gentl.number("DSGetInfo", stream.handle, int(c)) for c in commands)
        return queued, waiting

    def flush(operation: str) -> tuple[int, int]:
        value = int(getattr(ACQ_QUEUE_TYPE_LIST, f"ACQ_QUEUE_{operation}"))
        assert gentl("DSFlushQueue", stream.handle, value) == "SUCCESS"
        return counts()

    assert counts() == (3, 0)
    assert flush("INPUT_TO_OUTPUT") == (0, 3)
    assert flush("OUTPUT_DISCARD") == (0, 0)
    assert flush("UNQUEUED_TO_INPUT") == (3, 0)
    assert flush("INPUT_TO_OUTPUT") == (0, 3)
    assert flush("ALL_TO_INPUT") == (3, 0)
    assert flush("ALL_DISCARD") == (0, 0)
    assert gentl("DSFlushQueue", stream.handle, 99) == "INVALID_PARAMETER"
    for buffer in stream.buffers:
        assert gentl("DSRevokeBuffer", stream.handle, buffer, None, None) == "SUCCESS"
    assert gentl("DSGetBufferID", stream.handle, 0, byref(c_void_p())) == "INVALID_INDEX"


@pytest.mark.parametrize("name", ["EventKill", "DSClose", "DevClose", "TLClose"])
def test_a_waiting_consumer_is_let_go(
    name: str, gentl: Producer, stream: Stream, until: Callable[..., None]
) -> None:
    handles = {
        "EventKill": stream.event,
        "DSClose": stream.handle,
        "DevClose": stream.device,
        "TLClose": stream.system,
    }
    started = threading.Event()
    answers: list[str] = []

    def wait() -> None:
        data, size = (c_void_p * 2)(), c_size_t(16)
        started.set()
        answers.append(gentl("EventGetData", stream.event, data, byref(size), c_uint64(FOREVER)))

    thread = threading.Thread(target=wait)
    thread.start()
    started.wait()
    if name == "EventKill":
        while not answers:  # a kill before the wait begins ends nothing
            gentl(name, handles[name])
    else:
        assert gentl(name, handles[name]) == "SUCCESS"
    thread.join(10)
    assert answers in (["ABORT"], ["INVALID_HANDLE"])


def test_the_stream_stops_after_so_many_buffers(
    gentl: Producer, make_scene: MakeScene, until: Callable[..., None]
) -> None:
    scene = make_scene(CameraScene("A", [np.zeros((4, 6), np.uint8)], trigger=TriggerMode.SOFTWARE))
    stream = Stream(gentl)
    assert gentl("DSStopAcquisition", stream.handle, 0) == "SUCCESS"
    assert gentl("DSStartAcquisition", stream.handle, 0, c_uint64(2)) == "SUCCESS"
    for _ in range(2):
        assert gentl.write(stream.port, TRIGGER_SOFTWARE, 1) == "SUCCESS"
    grabbing = int(STREAM_INFO_CMD_LIST.STREAM_INFO_IS_GRABBING)
    until(lambda: not gentl.number("DSGetInfo", stream.handle, grabbing))
    assert gentl.write(stream.port, TRIGGER_SOFTWARE, 1) == "NOT_AVAILABLE"
    assert {record.fate for record in scene.log("A")} == {Fate.PENDING}
    assert gentl("EventFlush", stream.event) == "SUCCESS"
    assert {record.fate for record in scene.log("A")} == {Fate.DISCARDED}


def test_what_is_not_offered_says_so(gentl: Producer, stream: Stream) -> None:
    handle, buffer = stream.handle, stream.buffers[0]
    count = c_uint32()
    assert gentl("DSGetNumFlows", handle, byref(count)) == "NOT_IMPLEMENTED"
    assert gentl("DSGetNumBufferParts", handle, buffer, byref(count)) == "NO_DATA"
    assert gentl("DSGetBufferChunkData", handle, buffer, None, size_of(0)) == "NO_DATA"
    assert gentl("GCRegisterEvent", stream.device, 4, byref(c_void_p())) == "NOT_IMPLEMENTED"
    code, text = gentl.last_error()
    assert (code, text) == (-1003, "event 4 of this module")
