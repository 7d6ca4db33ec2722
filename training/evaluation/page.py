"""The page that a report of an evaluation is laid out on, in the colours of its maps and lines."""

from collections.abc import Iterable, Sequence
from html import escape

from models.html_page import document, heading
from models.html_page import quiet as quiet
from models.html_page import section as section
from training.evaluation.result import Value

#: Classes of colours: of the three maps, and of lines that are none of those.
MAP_KINDS = ("local", "global", "fused")
LINE_KINDS = ("first", "second", "third")

STYLE = (
    """
:root{--local:#2f6fde;--global:#e2902b;--fused:#7b3fb8;
--first:#0f8b8d;--second:#c2185b;--third:#7a8699}
@media(prefers-color-scheme:dark){:root{--local:#6a9bf2;--fused:#b184e0}}
.card{border-top-color:var(--fused)}
.note{color:var(--quiet);margin:0 0 6px;font-size:14px}
td small{color:var(--quiet);font-size:12px}
.even{table-layout:fixed}.even th:first-child{width:34%}
svg{max-width:520px}
.mark{stroke:var(--ink);stroke-dasharray:4 3}
polyline{fill:none;stroke-width:2}
rect.good,rect.bad{fill-opacity:.62}
"""
    + "".join(
        f"polyline.{kind}{{stroke:var(--{kind})}}circle.{kind},rect.{kind}{{fill:var(--{kind})}}"
        f".legend .{kind}{{background:var(--{kind})}}\n"
        for kind in (*MAP_KINDS, "good", "bad", *LINE_KINDS)
    )
    + """
.panels{display:grid;grid-template-columns:minmax(130px,1.1fr) repeat(5,1fr);gap:6px 8px;
align-items:center;font-size:13px}
.panels img{display:block;width:100%;border-radius:4px}
.panels p{margin:0;overflow-wrap:anywhere}.panels .head{color:var(--quiet);font-weight:600;
font-size:12px}
.panels .gap{grid-column:1/-1;margin:12px 0 0;font-weight:600}
"""
)


def page(title: str, head: str, aside: str, content: Iterable[str]) -> str:
    """Lay out a whole document; ``content`` is HTML."""
    return document(title, STYLE, heading(head, aside), content)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """Lay out a table whose cells are HTML already; all but a row's first are numbers.

    Of kind "even" all columns but the first are equally wide.
    """
    body = "".join(
        "<tr>"
        + "".join(f"<td{' class=number' if n else ''}>{cell}</td>" for n, cell in enumerate(row))
        + "</tr>"
        for row in rows
    )
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    return f'<div class=wide><table class="{kind}"><tr>{head}</tr>{body}</table></div>'


def number(value: Value) -> str:
    """Show a metric with its interval; where there is none, why is told on hovering."""
    if value.value is None:
        return f'<small title="{escape(value.reason or "undefined")}">-</small>'
    shown = f"{value.value:.4f}"
    if value.low is not None and value.high is not None:
        shown += f" <small>{value.low:.3f} to {value.high:.3f}</small>"
    return shown
