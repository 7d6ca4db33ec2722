"""A verdict for tests of what is done with one, whatever it says."""

from typing import Any

from daemon.messages import Kind, Part, TriggerSource, Verdict


def verdict_of(seq: int, **said: Any) -> Verdict:
    """Give a PASS of station ``nut``, but for what is said."""
    fields: dict[str, Any] = {
        "epoch": 1,
        "seq": seq,
        "station": "nut",
        "part": Part(),
        "trigger_source": TriggerSource.SOFTWARE,
        "verdict": Kind.PASS,
        "reason": None,
        "score": 0.1,
        "threshold": 0.4,
        "views": (),
        "recipe": "nut",
        "recipe_version": 1,
        "bundle": "b",
        "calibration": "c",
        "engine": "e",
        "code": "0.1.0",
        "triggered_ns": 1,
        "published_ns": 2,
        "jobId": "job",
        **said,
    }
    return Verdict(resultId=f"{fields['epoch']}-{fields['station']}-{seq}", **fields)
