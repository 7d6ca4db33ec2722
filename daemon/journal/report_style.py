"""What a shift report adds to the page of all reports: the colours of its verdicts."""

STYLE = """
:root{--pass:var(--good);--fail:var(--bad);--none:var(--unsure)}
.card.pass{border-top-color:var(--pass)}.card.fail{border-top-color:var(--fail)}
.card.none{border-top-color:var(--none)}
th{white-space:nowrap}
.legend .pass{background:var(--pass)}.legend .fail{background:var(--fail)}
.legend .none{background:var(--none)}
svg.grid{max-width:440px}
rect.pass{fill:var(--pass)}rect.fail{fill:var(--fail)}rect.none{fill:var(--none)}
rect.bare{fill:var(--page);stroke:var(--rule)}
.count.light{fill:#fff}.count.dark{fill:var(--ink)}
"""
