"""The data check, which runs before a training: is this set what its owner takes it for?"""

from collections import Counter

from training.data.faults import RULES, Seen
from training.data.findings import Finding, Findings
from training.data.look import Look, look_at
from training.data.samples import DataSet, Sample


def check(data: DataSet) -> Findings:
    """Look at every image of a data set, and say what a training or a test would suffer from."""
    samples = (*data.train, *data.validation, *data.test)
    looks: dict[Sample, Look] = {}
    unreadable: list[Sample] = []
    for sample, one in zip(samples, look_at([s.path for s in samples]), strict=True):
        if isinstance(one, Look):
            looks[sample] = one
        else:
            unreadable.append(sample)
    seen = Seen(data, looks)
    found = [finding for rule in RULES for finding in rule(seen)]
    if unreadable:
        said = "{n} not readable, to be removed or saved again"
        found.insert(0, Finding("unreadable", True, said, tuple(s.path for s in unreadable)))
    return Findings(
        name=data.name,
        root=data.root,
        layout=data.layout,
        images=_counts(data),
        parts=len({s.part_key for s in samples}),
        views=tuple(sorted({s.view for s in samples if s.view})),
        sizes=Counter(f"{x.width} x {x.height}" for x in looks.values()),
        channels=Counter(_channels(x) for x in looks.values()),
        found=tuple(found),
    )


def _counts(data: DataSet) -> dict[str, int]:
    sides = (("train", data.train), ("validation", data.validation), ("test", data.test))
    return dict(Counter(f"{side}, {s.defect or 'good'}" for side, of in sides for s in of))


def _channels(seen: Look) -> str:
    return f"{'grey' if seen.grey else 'colour'}, {seen.bits} bits{' + alpha' * seen.alpha}"
