"""How a report's page looks: light or dark as the reader's system, and in print."""

STYLE = """
:root{--ink:#1b2330;--quiet:#657084;--page:#f4f6f9;--panel:#fff;--rule:#e1e6ee;
--pass:#2f9e6e;--fail:#d6453d;--none:#e2a32b;--shade:0 1px 2px rgba(20,30,50,.07)}
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
.card.pass{border-top-color:var(--pass)}.card.fail{border-top-color:var(--fail)}
.card.none{border-top-color:var(--none)}
.card strong{font-size:26px;line-height:1.2;font-variant-numeric:tabular-nums;font-weight:650}
.card p{margin:2px 0 0;color:var(--quiet);font-size:13px}
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(300px,1fr));gap:0 24px;
align-items:start}
main>.columns{gap:0 16px;align-items:stretch}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px;margin-bottom:8px}
th{text-align:left;color:var(--quiet);font-weight:600;font-size:12px;white-space:nowrap}
th,td{padding:6px 10px 6px 0;border-bottom:1px solid var(--rule);vertical-align:top}
tr:last-child td{border-bottom:0}
td{overflow-wrap:anywhere}
td.number{font-variant-numeric:tabular-nums;white-space:nowrap}
.quiet,.legend{color:var(--quiet);font-size:13px;margin:4px 0 0}
.legend span{display:inline-block;width:10px;height:10px;border-radius:2px;margin:0 6px 0 14px}
.legend span:first-child{margin-left:0}
.legend .pass{background:var(--pass)}.legend .fail{background:var(--fail)}
.legend .none{background:var(--none)}
.warning{background:#fdf1d8;color:#6b4a00;border:1px solid #eed28f;border-radius:8px;
padding:10px 14px;margin:0 0 12px}
svg{display:block;width:100%;height:auto}
svg.grid{max-width:440px}
svg text{font:12px system-ui,-apple-system,"Segoe UI",Arial,sans-serif}
.axis{fill:var(--quiet)}.rule{stroke:var(--rule)}
rect.pass{fill:var(--pass)}rect.fail{fill:var(--fail)}rect.none{fill:var(--none)}
rect.bare{fill:var(--page);stroke:var(--rule)}
.count.light{fill:#fff}.count.dark{fill:var(--ink)}
@media print{body{background:#fff}section,.card{box-shadow:none;break-inside:avoid}}
"""
