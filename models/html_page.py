"""The page that every report is laid out on: one HTML file, nothing in it loaded from anywhere.

It is light or dark as the reader's system, and prints.
"""

from collections.abc import Iterable
from html import escape

#: What all reports look like; each adds its own colours and parts.
BASE_STYLE = """
:root{--ink:#1b2330;--quiet:#657084;--page:#f4f6f9;--panel:#fff;--rule:#e1e6ee;
--good:#2f9e6e;--bad:#d6453d;--unsure:#e2a32b;--shade:0 1px 2px rgba(20,30,50,.07)}
@media(prefers-color-scheme:dark){:root{--ink:#e5e9f0;--quiet:#97a2b5;--page:#12161d;
--panel:#1b212b;--rule:#2c3441;--shade:none}}
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
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(165px,1fr));gap:12px}
.card{padding:14px 16px;border-top:3px solid var(--rule)}
.card strong{font-size:26px;line-height:1.2;font-variant-numeric:tabular-nums;font-weight:650}
.card p{margin:2px 0 0;color:var(--quiet);font-size:13px}
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(320px,1fr));gap:0 28px;
align-items:start}
main>.columns{gap:0 16px;align-items:stretch}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px;margin-bottom:8px}
th{text-align:left;color:var(--quiet);font-weight:600;font-size:12px}
th,td{padding:6px 12px 6px 0;border-bottom:1px solid var(--rule);vertical-align:top}
tr:last-child td{border-bottom:0}
td{overflow-wrap:anywhere}
td.number{font-variant-numeric:tabular-nums;white-space:nowrap}
.quiet,.legend{color:var(--quiet);font-size:13px;margin:4px 0 0}
.legend span{display:inline-block;width:10px;height:10px;border-radius:2px;margin:0 6px 0 14px}
.legend span:first-child{margin-left:0}
.warning{background:#fdf1d8;color:#6b4a00;border:1px solid #eed28f;border-radius:8px;
padding:8px 14px;margin:0 0 8px}
svg{display:block;width:100%;height:auto}
svg text{font:12px system-ui,-apple-system,"Segoe UI",Arial,sans-serif}
.axis{fill:var(--quiet)}.rule{stroke:var(--rule)}
@media print{body{background:#fff}section,.card{box-shadow:none;break-inside:avoid}}
"""


def document(title: str, style: str, header: str, content: Iterable[str]) -> str:
    """Lay out a whole document; ``style`` follows the base, ``header`` and ``content`` are HTML."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{BASE_STYLE}{style}</style></head><body><main>"
        f"{header}{''.join(content)}</main></body></html>\n"
    )


def heading(text: str, aside: str) -> str:
    return f"<header><h1>{escape(text)}</h1><p>{escape(aside)}</p></header>"


def section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>"


def quiet(text: str) -> str:
    return f"<p class=quiet>{escape(text)}</p>"
