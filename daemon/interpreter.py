"""Python's own pauses, kept short: other threads wait for each of them."""

import gc
import sys

#: Seconds that a thread at work keeps the interpreter from others. An inspection asks for it again
#: after each of its operations: at Python's own 5 ms one busy thread makes it four times as long,
#: at this a sixth longer.
SWITCH_INTERVAL = 1e-4


def steady() -> None:
    """Prepare to run for long, once all is loaded.

    What is there by now stays: a full collection of it, 0.1 s for torch alone, would stop every
    thread each time, and find nothing.
    """
    sys.setswitchinterval(SWITCH_INTERVAL)
    gc.collect()
    gc.freeze()
