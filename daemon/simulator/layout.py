"""The scene file's layout: what producer/scene.h declares, as numpy types.

page 0          header
page 1 + i      camera i: config (written once), control (by Python), state (by the producer)
then            images of each camera, raw, one after the other; trigger logs (rings, sparse)
"""

import numpy as np

MAGIC = b"EFFADSCN"
VERSION = 1
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
        ("reserved", "<u4"),
        ("rate_hz", "<f8"),
        ("images_offset", "<u8"),
        ("log_offset", "<u8"),
        ("log_capacity", "<u8"),
    ]
)
CONTROL = np.dtype(
    [
        ("pulses", "<u8"),  # edges on the trigger line, ever
        ("faults", "<u8", 4),  # asked for, ever: drop, incomplete, short, resize
        ("stalled_until_ns", "<u8"),  # CLOCK_MONOTONIC, as below
        ("lost_until_ns", "<u8"),
        ("losses", "<u8"),  # ever
    ]
)
STATE = np.dtype(
    [
        ("triggers", "<u8"),  # the device's counter
        ("pulses", "<u8"),  # of control's, those the device has seen
        ("faults", "<u8", 4),  # of control's, those that have happened
        ("acquisitions", "<u8"),
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
CONFIG_AT, CONTROL_AT, STATE_AT = 0, 512, 1024  # within a camera's page


def page_up(size: int) -> int:
    """Bytes, rounded up to whole pages."""
    return -(-size // PAGE) * PAGE
