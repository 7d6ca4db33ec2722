"""Acceptance as one HTML file with pictures, to be looked at, mailed or kept."""

from html import escape
from pathlib import Path

from calibration.acceptance.answer import Acceptance, Answer
from calibration.acceptance.judge import Judge
from calibration.acceptance.panels import panels
from models.html_page import document, heading, quiet, section
from models.records import write_whole
from training.evaluation.charts import histogram
from training.evaluation.page import STYLE, table

_STYLE = """
.panels{grid-template-columns:minmax(130px,1.1fr) repeat(4,1fr)}
.answer{font-size:18px;font-weight:650;margin:0}
.answer+p{margin:2px 0 0}
section.RECALIBRATED{border-left:6px solid var(--good)}
section.LIGHTING_CHANGED,section.SUSPECT_PARTS{border-left:6px solid var(--unsure)}
section.NEEDS_RETRAINING{border-left:6px solid var(--bad)}
tr td:last-child{white-space:normal}
"""


def write_page(path: Path, acceptance: Acceptance, judge: Judge, title: str) -> None:
    """Write the report; ``title`` names the recipe and its version."""
    write_whole(path, html(acceptance, judge, title).encode())


def html(acceptance: Acceptance, judge: Judge, title: str) -> str:
    """Lay acceptance out as a page; looks again at the frames that it shows."""
    parts = judge.measured.calibration.parts
    aside = f"{acceptance.frames} frames of {parts} parts"
    content = [
        _answer(acceptance.answer),
        section("Against the bundle's training", _checks(acceptance)),
        section("Scores", _scores(acceptance, judge)),
        section("Frames", panels(acceptance, judge)),
    ]
    return document(f"effad {title}", STYLE + _STYLE, heading(title, aside), content)


def _answer(answer: Answer) -> str:
    said = f"<p class=answer>{answer}</p><p>{escape(answer.says)}</p>"
    return f"<section class={answer}>{said}</section>"


def _checks(acceptance: Acceptance) -> str:
    rows = [
        [
            escape(check.name),
            f"{check.value:.4g}",
            "-" if check.reference is None else f"{check.reference:.4g}",
            escape(check.limit),
            "ok" if check.ok else f"<b>{check.fails}</b> {escape(check.says)}",
        ]
        for check in acceptance.checks
    ]
    return table(["", "now", "at training", "allowed", ""], rows) + quiet(
        "Maps: quantiles over all cells that count, of all frames. Brightness and contrast: mean"
        " and deviation of the luma, 0 to 1. Sharpness: variance of its Laplacian."
    )


def _scores(acceptance: Acceptance, judge: Judge) -> str:
    measured = judge.measured
    out = {suspect.digest for suspect in acceptance.suspects}
    series = [
        ("good frames", "good", [f.score for f in measured.frames if f.digest not in out]),
        ("suspects", "third", [s.score for s in acceptance.suspects]),
        ("with a synthetic defect", "bad", [s.score for s in acceptance.spoilt]),
    ]
    drawn = [one for one in series if one[2]]
    chart = histogram("score", drawn, measured.calibration.threshold)
    found = sum(one.found for one in acceptance.spoilt)
    said = quiet(f"{found} of {len(acceptance.spoilt)} synthetic defects are found.")
    return chart + (said if acceptance.spoilt else "")
