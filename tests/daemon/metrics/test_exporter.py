"""What a monitoring system reads is what the daemon counted, under names that it expects."""

import re
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families

from daemon.messages import AlarmCode, Counts, Kind, Reason, State
from daemon.metrics.exporter import Exporter
from daemon.metrics.reading import JournalReading, Reading, StationReading
from daemon.metrics.statistics import Tally
from tests.daemon.metrics.scraping import Known, Scraped, full, get, parse, served, tally, value

#: A daemon whose job is stopped, or not yet started.
BARE = Reading("1.2.3", 1, State.PREOPERATIONAL, invariant_violated=False)


def scrape(reading: Reading) -> Scraped:
    with served(Known(reading)) as url:
        return parse(get(url))


def total(scraped: Scraped, name: str, station: str) -> float:
    return sum(
        v for (n, labels), v in scraped.items() if n == name and ("station", station) in labels
    )


def test_every_number_arrives_under_its_name() -> None:
    scraped = scrape(full())
    camera = {"station": "nut", "camera": "top"}
    assert value(scraped, "effad_build_info", version="1.2.3") == 1
    assert value(scraped, "effad_start_time_seconds") == 1_700_000_000.5
    assert value(scraped, "effad_state", state="ContinuousExecution") == 1
    assert sum(v for (name, _), v in scraped.items() if name == "effad_state") == 1
    assert value(scraped, "effad_invariant_violated") == 0
    assert value(scraped, "effad_alarms_total", code="camera_down") == 41
    assert value(scraped, "effad_alarms_total", code="invariant") == 0
    assert value(scraped, "effad_subscribers", socket="results") == 6
    assert value(scraped, "effad_control_requests_total", outcome="refused") == 32
    assert value(scraped, "effad_triggers_total", station="nut") == 8
    assert value(scraped, "effad_open", station="nut") == 2
    assert value(scraped, "effad_verdicts_total", station="nut", verdict="PASS", reason="") == 4
    assert value(scraped, "effad_verdicts_total", station="nut", verdict="FAIL", reason="") == 1
    assert (
        value(scraped, "effad_verdicts_total", station="nut", verdict="NO_VERDICT", reason="late")
        == 1
    )
    assert value(scraped, "effad_bypassed_total", station="nut") == 1
    assert value(scraped, "effad_bypass", station="nut") == 1
    assert value(scraped, "effad_bypass", station="bolt") == 0
    assert value(scraped, "effad_frames_total", **camera) == 21
    assert value(scraped, "effad_camera_restarts_total", **camera) == 2
    assert value(scraped, "effad_camera_up", **camera) == 1
    assert value(scraped, "effad_slots", **camera) == 9
    assert value(scraped, "effad_slots_free", **camera) == 7
    watched = {"station": "nut", "channel": "brightness"}
    assert value(scraped, "effad_drift_level", **watched) == -0.75
    assert value(scraped, "effad_drift", **watched) == 1
    assert value(scraped, "effad_queue_depth", queue="infer") == 3
    assert value(scraped, "effad_queue_capacity", queue="infer") == 16
    assert value(scraped, "effad_journal_size_bytes") == 4096
    assert value(scraped, "effad_journal_waiting") == 5
    assert value(scraped, "effad_journal_lag_seconds") == 0.25
    assert value(scraped, "effad_journal_checkpoint_age_seconds") == 1.5
    assert value(scraped, "effad_journal_set_aside_total") == 1
    assert value(scraped, "effad_archive_images_total") == 11
    assert value(scraped, "effad_archive_lost_images_total", cause="queue_full") == 12
    assert value(scraped, "effad_archive_size_bytes") == 13_000
    assert value(scraped, "effad_archive_budget_bytes") == 14_000
    assert value(scraped, "process_resident_memory_bytes") > 0


def test_a_latency_is_in_each_bucket_that_is_longer() -> None:
    scraped = scrape(full())
    total = {"station": "nut", "stage": "total"}
    assert value(scraped, "effad_latency_seconds_count", **total) == 1
    assert value(scraped, "effad_latency_seconds_sum", **total) == 0.05
    buckets = {
        float(dict(labels)["le"]): count
        for (name, labels), count in scraped.items()
        if name == "effad_latency_seconds_bucket" and total.items() <= dict(labels).items()
    }
    assert max(buckets) == float("inf")
    assert buckets == {bound: float(bound > 0.05) for bound in buckets}


def test_reasons_that_did_not_occur_are_there_from_the_start() -> None:
    scraped = scrape(full())
    said = {
        dict(labels)["reason"]
        for (name, labels), _ in scraped.items()
        if name == "effad_verdicts_total" and ("station", "bolt") in labels
    }
    assert said == {"", *Reason}


@pytest.mark.parametrize("reading", [BARE, replace(BARE, invariant_violated=True), full()])
def test_both_formats_can_be_read_and_agree(reading: Reading) -> None:
    with served(Known(reading)) as url:
        plain = get(url)
        openmetrics = get(url, "application/openmetrics-text; version=1.0.0")
    ours = {k: v for k, v in parse(plain).items() if k[0].startswith("effad_")}
    theirs = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse_openmetrics(openmetrics)  # type: ignore[no-untyped-call]
        for sample in family.samples
        if sample.name.startswith("effad_")
    }
    assert openmetrics.endswith("# EOF\n")
    assert ours == theirs
    assert value(ours, "effad_invariant_violated") == reading.invariant_violated


def test_a_daemon_without_a_job_has_all_names_and_no_stations() -> None:
    with served(Known(BARE)) as url:
        bare = list(text_string_to_metric_families(get(url)))
    with served(Known(full())) as url:
        all_there = list(text_string_to_metric_families(get(url)))
    assert [family.name for family in bare] == [family.name for family in all_there]
    assert not [s for family in bare for s in family.samples if "station" in s.labels]


def test_what_is_not_known_is_not_zero() -> None:
    scraped = scrape(replace(BARE, journal=JournalReading(4096, None, None, None, 0)))
    said = {name for name, _ in scraped if name.startswith("effad_journal")}
    assert said == {"effad_journal_size_bytes", "effad_journal_set_aside_total"}


def test_names_follow_the_conventions() -> None:
    families = list(Exporter(Known(full())).collect())
    assert len({family.name for family in families}) == len(families)
    for family in families:
        assert re.fullmatch(r"effad_[a-z]+(_[a-z]+)*", family.name), family
        assert family.documentation.endswith("."), family
        words = family.name.split("_")
        assert not {"ms", "ns", "us", "minutes", "mb", "mib", "percent", "ratio"} & {*words}, family
        for unit in ("seconds", "bytes", "celsius"):
            assert unit not in words[:-1], f"{family.name}: the unit goes last"
        if family.type != "histogram":
            assert words[-1] not in {"total", "count", "sum", "bucket", "info"}, family
        for sample in family.samples:
            assert re.fullmatch(rf"{family.name}(_total|_info|_bucket|_count|_sum)?", sample.name)
            assert sample.name.endswith("_total") == (family.type == "counter"), sample


def test_triggers_are_verdicts_and_open() -> None:
    scraped = scrape(full())
    for station in ("nut", "bolt"):
        verdicts = total(scraped, "effad_verdicts_total", station)
        triggers = value(scraped, "effad_triggers_total", station=station)
        assert triggers == verdicts + value(scraped, "effad_open", station=station)


def test_an_account_that_does_not_add_up_is_not_made_to() -> None:
    counts = Counts(triggers=9, passed=4, failed=1, no_verdict=1, open=2)
    station = StationReading(tally().read(), counts, bypass=False)
    scraped = scrape(replace(BARE, stations={"nut": station}))
    verdicts = total(scraped, "effad_verdicts_total", "nut")
    assert value(scraped, "effad_triggers_total", station="nut") == 9
    assert verdicts + value(scraped, "effad_open", station="nut") == 8


class _Line:
    """A station that counts while it is read: first in its ledger, then in its tally."""

    def __init__(self) -> None:
        self.tally = Tally()
        self._lock = threading.Lock()
        self._triggers = self._passed = 0

    def inspect(self, parts: int) -> None:
        for _ in range(parts):
            with self._lock:
                self._triggers += 1
            with self._lock:
                self._passed += 1
            self.tally.verdict(Kind.PASS, None)

    def reading(self) -> Reading:
        tallied = self.tally.read()
        with self._lock:
            here = self._triggers - self._passed
            counts = Counts(triggers=self._triggers, passed=self._passed, open=here)
        return replace(BARE, stations={"nut": StationReading(tallied, counts, bypass=False)})


def test_the_account_adds_up_in_each_scrape_of_a_running_line() -> None:
    line = _Line()
    thread = threading.Thread(target=line.inspect, args=(200_000,))
    with served(line) as url:
        thread.start()
        seen = 0.0
        while thread.is_alive():
            scraped = parse(get(url))
            verdicts = total(scraped, "effad_verdicts_total", "nut")
            here = value(scraped, "effad_open", station="nut")
            assert verdicts + here == value(scraped, "effad_triggers_total", station="nut")
            assert here >= 0
            assert verdicts >= seen
            seen = verdicts
        thread.join()


def test_every_alarm_has_a_count() -> None:
    scraped = scrape(BARE)
    codes = {dict(labels)["code"] for (name, labels) in scraped if name == "effad_alarms_total"}
    assert codes == {*AlarmCode}


def test_a_line_without_a_gpu_is_spared_torch() -> None:
    program = (
        "import sys; from tests.daemon.metrics.scraping import Known, full;"
        "from daemon.metrics.exporter import Exporter;"
        "assert len(list(Exporter(Known(full())).collect())) > 30;"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_a_gpu_that_does_not_answer_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    scraped = scrape(replace(BARE, devices=("cpu", "cuda:7")))
    assert not [name for name, _ in scraped if name.startswith("effad_gpu")]
    assert value(scraped, "effad_invariant_violated") == 0


def test_a_gpu_says_how_full_it_is() -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    kept = torch.zeros(1 << 20, device="cuda:0")
    scraped = scrape(replace(BARE, devices=("cuda:0",)))
    allocated = value(scraped, "effad_gpu_memory_allocated_bytes", device="cuda:0")
    assert allocated >= kept.numel() * kept.element_size()
    free = value(scraped, "effad_gpu_memory_free_bytes", device="cuda:0")
    assert allocated < value(scraped, "effad_gpu_memory_bytes", device="cuda:0") - free
