"""The page that a report is laid out on: one HTML file, nothing in it loaded from anywhere."""

from collections.abc import Iterable, Sequence
from html import escape

from training.evaluation.result import Value

#: Classes of colours: of the three maps, and of lines that are none of those.
MAP_KINDS = ("local", "global", "fused")
LINE_KINDS = ("first", "second", "third")

STYLE = (
    """
:root{--ink:#1b2330;--quiet:#657084;--page:#f4f6f9;--panel:#fff;--rule:#e1e6ee;
--good:#2f9e6e;--bad:#d6453d;--local:#2f6fde;--global:#e2902b;--fused:#7b3fb8;
--first:#0f8b8d;--second:#c2185b;--third:#7a8699;
--shade:0 1px 2px rgba(20,30,50,.07)}
@media(prefers-color-scheme:dark){:root{--ink:#e5e9f0;--quiet:#97a2b5;--page:#12161d;
--panel:#1b212b;--rule:#2c3441;--local:#6a9bf2;--fused:#b184e0;--shade:none}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:1040px;margin:0 auto;padding:32px 20px 64px}
header{display:flex;flex-wrap:wrap;align-items:baseline;justify-content:space-between;gap:0 24px;
margin-bottom:20px}
h1{font-size:26px;margin:0;letter-spacing:-.01em}
header p{margin:0;color:var(--quiet);font-variant-numeric:tabular-nums}
h2{font-size:16px;margin:0 0 14px}
h3{font-size:12px;margin:0 0 4px;color:var(--quiet);font-weight:600;letter-spacing:.03em}
section,.card{background:var(--panel);border:1px solid var(--rule);border-radius:10px;
box-shadow:var(--shade)}
section{padding:18px 20px;margin-top:16px}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(175px,1fr));gap:12px}
.card{padding:14px 16px;border-top:3px solid var(--fused)}
.card strong{font-size:26px;line-height:1.2;font-variant-numeric:tabular-nums;font-weight:650}
.card p{margin:2px 0 0;color:var(--quiet);font-size:13px}
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(320px,1fr));gap:0 32px;
align-items:start}
main>.columns{gap:0 16px;align-items:stretch}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px;margin-bottom:8px}
th{text-align:left;color:var(--quiet);font-weight:600;font-size:12px}
th,td{padding:6px 12px 6px 0;border-bottom:1px solid var(--rule);vertical-align:top}
tr:last-child td{border-bottom:0}
td.number{font-variant-numeric:tabular-nums;white-space:nowrap}
td small{color:var(--quiet);font-size:12px}
.quiet,.legend{color:var(--quiet);font-size:13px;margin:4px 0 0}
.legend span{display:inline-block;width:10px;height:10px;border-radius:2px;margin:0 6px 0 14px}
.legend span:first-child{margin-left:0}
.note{color:var(--quiet);margin:0 0 6px;font-size:14px}
.warning{background:#fdf1d8;color:#6b4a00;border:1px solid #eed28f;border-radius:8px;
padding:8px 14px;margin:0 0 8px;font-size:14px}
.even{table-layout:fixed}.even th:first-child{width:34%}
svg{display:block;width:100%;height:auto;max-width:520px}
svg text{font:12px system-ui,-apple-system,"Segoe UI",Arial,sans-serif}
.axis{fill:var(--quiet)}.rule{stroke:var(--rule)}
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
@media print{body{background:#fff}section,.card{box-shadow:none;break-inside:avoid}}
"""
)


def page(title: str, heading: str, aside: str, content: Iterable[str]) -> str:
    """Lay out a whole document; ``content`` is HTML."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>"
        f"<header><h1>{escape(heading)}</h1><p>{escape(aside)}</p></header>"
        f"{''.join(content)}</main></body></html>\n"
    )


def section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>"


def quiet(text: str) -> str:
    return f"<p class=quiet>{escape(text)}</p>"


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
