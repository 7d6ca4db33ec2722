"""What is encoded comes back; what is not ours is refused in one line."""

import json

import cv2
import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from daemon.messages import (
    Alarm,
    AlarmCode,
    Counts,
    Heartbeat,
    Kind,
    MapEncoding,
    Part,
    Reason,
    Region,
    State,
    StateChange,
    TriggerSource,
    Verdict,
    View,
)
from daemon.requests import GetState
from daemon.wire import (
    HEADER_LIMIT,
    Published,
    Wire,
    WireError,
    decode,
    decode_map,
    encode,
    encode_map,
    schema,
    topic_of,
)
from models.geometry import Placement

NAMES = st.from_regex(r"[A-Za-z0-9_.-]{1,20}", fullmatch=True)
NUMBERS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
POINTS = st.tuples(FLOATS, FLOATS)
TEXTS = st.text(max_size=50)
SOON = settings(max_examples=30, deadline=None)


REGIONS = st.builds(
    Region,
    x=FLOATS,
    y=FLOATS,
    width=FLOATS,
    height=FLOATS,
    area=FLOATS,
    centroid=POINTS,
    peak=FLOATS,
    peak_at=POINTS,
)
VIEWS = st.builds(
    View,
    camera=TEXTS,
    trigger=st.none() | NUMBERS,
    frame_id=st.none() | NUMBERS,
    verdict=st.sampled_from(Kind),
    reason=st.none() | st.sampled_from(Reason),
    detail=st.none() | TEXTS,
    score=st.none() | FLOATS,
    regions=st.lists(REGIONS, max_size=2).map(tuple),
)
VERDICTS = st.builds(
    Verdict,
    epoch=NUMBERS,
    seq=NUMBERS,
    station=NAMES,
    part=st.builds(Part, id=st.none() | TEXTS, lot=st.none() | TEXTS),
    trigger_source=st.sampled_from(TriggerSource),
    verdict=st.sampled_from(Kind),
    reason=st.none() | st.sampled_from(Reason),
    score=st.none() | FLOATS,
    threshold=st.none() | FLOATS,
    views=st.lists(VIEWS, max_size=2).map(tuple),
    recipe=TEXTS,
    recipe_version=NUMBERS,
    bundle=TEXTS,
    calibration=TEXTS,
    engine=TEXTS,
    code=TEXTS,
    triggered_ns=NUMBERS,
    published_ns=NUMBERS,
    resultId=TEXTS,
    jobId=TEXTS,
)
HEARTBEATS = st.builds(
    Heartbeat,
    epoch=NUMBERS,
    time_ns=NUMBERS,
    state=st.sampled_from(State),
    seq=st.dictionaries(NAMES, NUMBERS, max_size=3),
    counts=st.dictionaries(NAMES, st.builds(Counts, triggers=NUMBERS), max_size=3),
)
CHANGES = st.builds(
    StateChange, epoch=NUMBERS, time_ns=NUMBERS, state=st.sampled_from(State), text=TEXTS
)
ALARMS = st.builds(
    Alarm,
    epoch=NUMBERS,
    time_ns=NUMBERS,
    code=st.sampled_from(AlarmCode),
    station=st.none() | NAMES,
    text=TEXTS,
)
MESSAGES: st.SearchStrategy[Published] = st.one_of(VERDICTS, HEARTBEATS, CHANGES, ALARMS)

PLACEMENT = Placement(first=(2.0, 3.0), step=(4.0, 5.0), cells=(6, 7))
FRAME = (37, 26)  # width, height


def verdict(**changes: object) -> Verdict:
    fields: dict[str, object] = {
        "epoch": 1,
        "seq": 7,
        "station": "press",
        "part": Part(id="A-1"),
        "trigger_source": TriggerSource.HARDWARE,
        "verdict": Kind.FAIL,
        "reason": None,
        "score": 0.9,
        "threshold": 0.4,
        "views": (
            View(camera="top", trigger=7, frame_id=7, verdict=Kind.FAIL, score=0.9),
            View(camera="side", trigger=7, frame_id=7, verdict=Kind.PASS, score=0.1),
        ),
        "recipe": "nut",
        "recipe_version": 1,
        "bundle": "b",
        "calibration": "c",
        "engine": "e",
        "code": "0.1.0",
        "triggered_ns": 10,
        "published_ns": 20,
        "resultId": "press/7",
        "jobId": "job",
    }
    return Verdict.model_validate({**fields, **changes})


def map_parts(encoding: MapEncoding = MapEncoding.RAW) -> list[Wire]:
    values = np.linspace(-1, 1, 42, dtype=np.float32).reshape(6, 7)
    return encode(*encode_map(values, verdict(), "side", PLACEMENT, FRAME, encoding))


def changed(parts: list[Wire], **changes: object) -> list[Wire]:
    """Give parts with other values in the header."""
    header = {**json.loads(bytes(parts[1])), **changes}
    return [parts[0], json.dumps(header).encode(), *parts[2:]]


@SOON
@given(MESSAGES)
def test_messages_come_back_equal(message: Published) -> None:
    parts = encode(message)
    received = decode(parts)
    assert received.message == message
    assert type(received.message) is type(message)
    assert received.topic == topic_of(message)
    assert received.array is None


@SOON
@given(
    arrays.arrays(
        np.float32,
        arrays.array_shapes(min_dims=2, max_dims=2, max_side=9),
        elements=st.floats(allow_nan=False, width=32),
    )
)
def test_raw_maps_come_back_within_their_tolerance(values: np.ndarray) -> None:
    header, payload = encode_map(values, verdict(), "top", PLACEMENT, FRAME)
    received = decode([bytes(part) for part in encode(header, payload)])
    assert received.message == header
    back = decode_map(header, received.array)
    clipped = np.clip(values.astype(np.float64), -65504, 65504)
    assert back.dtype == np.float32
    assert back.shape == values.shape
    assert (np.abs(back - clipped) <= np.maximum(np.abs(clipped) * 2.0**-11, 2.0**-25)).all()


@SOON
@given(
    arrays.arrays(
        np.float32,
        arrays.array_shapes(min_dims=2, max_dims=2, max_side=9),
        elements=st.floats(-100, 60000, width=32),
    )
)
def test_png_maps_come_back_within_their_tolerance(values: np.ndarray) -> None:
    header, payload = encode_map(values, verdict(), "top", PLACEMENT, FRAME, MapEncoding.PNG)
    received = decode([bytes(part) for part in encode(header, payload)])
    back = decode_map(header, received.array)
    assert header.scale == max(float(values.max()), 0.4)
    assert back.shape == values.shape
    bound = header.scale * (1 / 510 + 2.0**-23)  # with float32's rounding
    assert (np.abs(back.astype(np.float64) - np.maximum(values, 0)) <= bound).all()


def test_a_map_names_its_verdict_and_gives_x_before_y() -> None:
    values = np.zeros((6, 7), np.float32)
    header, _ = encode_map(values, verdict(), "side", PLACEMENT, FRAME)
    assert (header.epoch, header.seq, header.station, header.camera) == (1, 7, "press", "side")
    assert (header.score, header.threshold) == (0.1, 0.4)
    assert (header.first, header.step) == ((3.0, 2.0), (5.0, 4.0))
    assert (header.shape, header.frame) == ((6, 7), (37, 26))
    assert topic_of(header) == "map/press/side/"


def test_arrays_are_not_copied() -> None:
    header, payload = encode_map(np.ones((6, 7), np.float32), verdict(), "top", PLACEMENT, FRAME)
    parts = encode(header, payload)
    assert np.shares_memory(np.frombuffer(parts[2], np.uint8), payload)
    array = decode(parts).array
    assert array is not None
    assert np.shares_memory(array, payload)


def test_a_map_with_nan_or_without_threshold_is_refused() -> None:
    values = np.ones((6, 7), np.float32)
    with pytest.raises(WireError, match="no threshold"):
        encode_map(values, verdict(threshold=None), "top", PLACEMENT, FRAME)
    values[3, 3] = np.nan
    with pytest.raises(WireError, match="NaN"):
        encode_map(values, verdict(), "top", PLACEMENT, FRAME)


@SOON
@given(st.lists(st.binary(max_size=60), max_size=5))
def test_garbage_is_refused(parts: list[bytes]) -> None:
    with pytest.raises(WireError) as caught:
        decode(parts)
    assert len(str(caught.value).splitlines()) == 1


@SOON
@given(st.sampled_from(MapEncoding), st.data())
def test_truncated_and_extra_parts_are_refused(encoding: MapEncoding, data: st.DataObject) -> None:
    parts = [bytes(part) for part in map_parts(encoding)]
    which = data.draw(st.integers(0, 2))
    length = data.draw(st.integers(0, len(parts[which]) - 1))
    cut = [*parts[:which], parts[which][:length], *parts[which + 1 :]]
    with pytest.raises(WireError):
        decode(cut)
    for wrong in (parts[:2], parts[:1], [], [*parts, b""]):
        with pytest.raises(WireError):
            decode(wrong)


def test_an_array_belongs_to_maps_alone() -> None:
    with pytest.raises(WireError, match="only maps"):
        decode([*encode(verdict()), b"1234"])
    with pytest.raises(WireError, match="only maps"):
        encode(verdict(), np.zeros((2, 2), np.float16))


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"v": 2}, "protocol 2 is newer than 1"),
        ({"v": "2"}, "Map header: v:"),
        ({"colour": 1}, "colour: Extra inputs"),
        ({"shape": [6, 6]}, "is not 6 x 6"),
        ({"shape": [-6, -7]}, "is not -6 x -7"),
        ({"shape": [10**30, 1]}, "x 1 float16"),
        ({"dtype": "uint8"}, "dtype is uint8"),
        ({"encoding": "png", "dtype": "uint8"}, "not an 8-bit grey PNG"),
        ({"station": "a/b"}, "may hold letters"),
        ({"station": ""}, "may hold letters"),
        ({"camera": "other"}, "does not match its header"),
        ({"score": None}, "score"),
    ],
)
def test_headers_that_do_not_fit_are_refused(changes: dict[str, object], line: str) -> None:
    parts = map_parts()
    decode(parts)
    with pytest.raises(WireError) as caught:
        decode(changed(parts, **changes))
    assert line in str(caught.value)


def test_a_png_of_another_size_is_refused_before_it_is_unpacked() -> None:
    parts = map_parts(MapEncoding.PNG)
    huge = bytearray(parts[2])
    huge[16:24] = (60000).to_bytes(4, "big") * 2
    with pytest.raises(WireError, match="not of 6 x 7"):
        decode([*parts[:2], bytes(huge)])
    colour = cv2.imencode(".png", np.zeros((6, 7, 3), np.uint8))[1]
    with pytest.raises(WireError, match="grey"):
        decode([*parts[:2], colour.tobytes()])


def test_unknown_topics_and_oversize_headers_are_refused() -> None:
    parts = encode(verdict())
    with pytest.raises(WireError, match="must start with verdict/, partial/, map/"):
        decode([b"verdikt/press/", parts[1]])
    with pytest.raises(WireError, match="does not match"):
        decode([b"verdict/press/more/", parts[1]])
    with pytest.raises(WireError, match="at most"):
        decode([parts[0], b" " * (HEADER_LIMIT + 1)])
    with pytest.raises(WireError, match="may hold letters"):
        encode(verdict(station="press line"))


def test_the_schema_describes_what_is_sent() -> None:
    document = schema()
    sent = {
        "verdict/": encode(verdict()),
        "map/": map_parts(),
        "state/": encode(StateChange(epoch=1, time_ns=2, state=State.READY, text="")),
    }
    assert set(document["x-topics"]) == {
        *("verdict/", "partial/", "map/", "state/", "heartbeat/", "alarm/")
    }
    for topic, parts in sent.items():
        header = json.loads(bytes(parts[1]))
        described = {**document, "$ref": document["x-topics"][topic]}
        jsonschema.validate(header, described)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**header, "colour": 1}, described)
    request = {**document, "$ref": document["x-commands"]["GetState"]}
    jsonschema.validate(json.loads(GetState().model_dump_json()), request)
