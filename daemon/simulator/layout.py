"""The scene file's layout: what producer/scene.h declares, as numpy types.

page 0          header
page 1 + i      camera i: config (written once), control (by Python), state (by the producer)
then            of each camera: images, raw, one after the other; rings of trigger records and
                output edges, sparse
"""

import numpy as np

MAGIC = b"EFFADSCN"
VERSION = 2
MAX_CAMERAS = 64
PAGE = 4096

HEADER = np.dtype(
    [("magic", "S8"), ("version", "<u4"), ("cameras", "<u4"), ("file_size", "<u8")],
)
CONFIG = np.dtype(
    [
        ("serial", "S64"),
        ("pixel_format", "<u4"),
        ("bytes_per_pixel", "<u4"),
        ("width", "<u4"),
        ("height", "<u4"),
        ("images", "<u4"),
        ("trigger_mode", "<u4"),
        ("loop", "<u4"),
        ("latch", "<u4"),
        ("rate_hz", "<f8"),
        ("images_offset", "<u8"),
        ("log_offset", "<u8"),
        ("log_capacity", "<u8"),
        ("edges_offset", "<u8"),
        ("edges_capacity", "<u8"),
        ("clock_offset_ns", "<i8"),
        ("clock_ppm", "<f8"),
    ]
)
ENCODER = np.dtype([("since_ns", "<u8"), ("base", "<f8"), ("hz", "<f8")])
CONTROL = np.dtype(
    [
        ("pulses", "<u8"),  # edges on the trigger line, ever
        ("faults", "<u8", 4),  # asked for, ever: drop, incomplete, short, resize
        ("stalled_until_ns", "<u8"),  # CLOCK_MONOTONIC, as below
        ("lost_until_ns", "<u8"),
        ("losses", "<u8"),  # ever
        ("encoder_now", "<u8"),  # which of the two is valid, modulo 2
        ("encoder", ENCODER, 2),
    ]
)
STATE = np.dtype(
    [
        ("triggers", "<u8"),  # the device's counter
        ("pulses", "<u8"),  # of control's, those the device has seen
        ("faults", "<u8", 4),  # of control's, those that have happened
        ("acquisitions", "<u8"),
        ("lines", "<u8"),  # bit n: Line n is an output and high
        ("edges", "<u8"),  # of all outputs, ever
    ]
)
RECORD = np.dtype(
    [
        ("trigger", "<u8"),
        ("frame_id", "<u8"),
        ("acquisition", "<u8"),
        ("timestamp_ns", "<u8"),
        ("due_ns", "<u8"),
        ("image", "<i4"),
        ("fate", "<u4"),
    ]
)
EDGE = np.dtype([("timestamp_ns", "<u8"), ("line", "<u4"), ("level", "<u4")])
CONFIG_AT, CONTROL_AT, STATE_AT = 0, 512, 1024  # within a camera's page


def page_up(size: int) -> int:
    """Bytes, rounded up to whole pages."""
    return -(-size // PAGE) * PAGE
