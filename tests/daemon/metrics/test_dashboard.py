"""The example dashboard asks for nothing that effad does not export, and leaves nothing out."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.metrics import gpu
from daemon.metrics.exporter import registry
from daemon.metrics.gpu import GpuReading
from tests.daemon.metrics.scraping import Known, full

DASHBOARD = Path(__file__).parents[3] / "systemd" / "grafana.json"
_METRIC = re.compile(r"\b(?:effad|process)_[a-z_]+\b")
_MATCHERS = re.compile(r"\b((?:effad|process)_[a-z_]+)\{([^}]*)\}")
_BY = re.compile(r"\b(?:by|on|group_left) \(([^)]*)\)")
#: Of a scrape, and not of what is scraped.
_SCRAPE = {"instance", "job"}

Labels = dict[str, set[str]]


@pytest.fixture(scope="module")
def board() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return read


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> Labels:
    """Give the labels of each sample that a daemon with everything exports, by its name."""
    one = GpuReading("cuda:0", 3, 2, 1, 40.0)
    monkeypatch.setattr(gpu, "read", lambda devices: [one])  # so that no GPU is needed here
    labels: Labels = {}
    for family in registry(Known(full())).collect():
        for sample in family.samples:
            labels.setdefault(sample.name, set()).update(sample.labels)
    return labels


def expressions(board: dict[str, Any]) -> Iterator[str]:
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"]


def queries(board: dict[str, Any]) -> Iterator[str]:
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]


def test_what_is_asked_for_is_exported(board: dict[str, Any], exported: Labels) -> None:
    asked = [*expressions(board), *queries(board)]
    assert len(asked) > 30
    for expression in asked:
        assert set(_METRIC.findall(expression)) <= exported.keys(), expression
        assert _METRIC.search(expression), expression
        assert expression.count("(") == expression.count(")"), expression


def test_labels_are_those_of_their_metric(board: dict[str, Any], exported: Labels) -> None:
    for expression in expressions(board):
        for name, matchers in _MATCHERS.findall(expression):
            for matcher in matchers.split(", "):
                label = re.split(r"=~|!=|=", matcher)[0]
                assert label in exported[name] | _SCRAPE, expression
        known = set().union(*(exported[name] for name in _METRIC.findall(expression)))
        for group in _BY.findall(expression):
            assert set(group.split(", ")) <= known | _SCRAPE, expression


def test_legends_name_labels_that_are_left(board: dict[str, Any], exported: Labels) -> None:
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            expression = target["expr"]
            names = _METRIC.findall(expression)
            known = set().union(*(exported[name] for name in names)) | _SCRAPE
            grouped = re.search(r"\bby \(([^)]*)\)", expression)
            left = set(grouped[1].split(", ")) if grouped else known
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= left, target


def test_all_that_effad_exports_is_shown(board: dict[str, Any], exported: Labels) -> None:
    asked = " ".join(expressions(board))
    ours = {name for name in exported if name.startswith("effad_")}
    shown = {name for name in ours if re.search(rf"\b{name}\b", asked)}
    assert ours - shown == {"effad_latency_seconds_count", "effad_latency_seconds_sum"}


def test_panels_are_laid_out_for_grafana_10(board: dict[str, Any]) -> None:
    assert board["schemaVersion"] >= 38
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(at["x"] + i, at["y"] + j) for i in range(at["w"]) for j in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells
        for target in panel.get("targets", []):
            assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        references = [target["refId"] for target in panel.get("targets", [])]
        assert len(set(references)) == len(references)
