import json
import urllib.request
from collections import Counter

import numpy as np
import pytest
from rich.console import Console

from telperion.serve import monitor
from telperion.serve.monitor import Meter, Status, read_status, serve_metrics, status_table, together, write_status


def metered(latencies, counts=None) -> Status:
    meter = Meter()
    meter.add(latencies)
    return meter.status(counts or {}, 3)


def test_latencies_are_summed_up_as_numpy_does(rng):
    parts = [rng.exponential(0.3, n) for n in (0, 1, 500, 30)]
    status = metered(parts)
    latency = np.concatenate(parts)
    assert status.latency == {"50": np.percentile(latency, 50), "99": np.percentile(latency, 99)}
    assert sum(status.histogram) == latency.size
    assert np.cumsum(status.histogram)[-2] == (latency <= 60).sum()
    assert status.seconds == pytest.approx(latency.sum())
    assert status.rate > 0
    assert status.objects == 3


def test_nothing_is_no_latency():
    status = metered([])
    assert status.latency == {}
    assert status.rate == 0
    assert sum(status.histogram) == 0


def test_what_is_long_ago_counts_in_the_histogram_alone(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(monitor.time, "monotonic", lambda: now[0])
    meter = Meter()
    meter.add([np.full(600, 5.0)])
    now[0] += 30
    meter.add([np.full(60, 1.0)])
    assert meter.status({}, 0).rate == 660 / 30
    now[0] += 40
    meter.add([])
    status = meter.status({}, 0)
    assert status.rate == 60 / monitor.WINDOW
    assert status.latency["99"] == 1.0
    assert sum(status.histogram) == 660


def test_workers_are_summed_and_the_worst_percentile_counts(rng):
    parts = [metered([rng.random(n)], {"packets": n, "answered": n}) for n in (10, 20)]
    both = together([*parts, Status({"packets": 1, "dead": 1})])  # one that has not answered yet
    assert both.counts == {"packets": 31, "answered": 30, "dead": 1}
    assert both.latency["99"] == max(part.latency["99"] for part in parts)
    assert sum(both.histogram) == 30
    assert both.seconds == pytest.approx(sum(part.seconds for part in parts))
    assert both.objects == 6
    assert together([]).counts == {}
    assert sum(together([]).histogram) == 0


def test_a_status_is_left_and_found_again(tmp_path, rng):
    status = metered([rng.random(5)], Counter(packets=5))
    write_status(tmp_path, status)
    assert read_status(tmp_path) == status
    assert [file.name for file in tmp_path.iterdir()] == [monitor.STATUS]
    for text in ("", "{", "[]", '{"other": 1}', "\xff"):
        (tmp_path / monitor.STATUS).write_text(text, encoding="latin-1")
        assert read_status(tmp_path) is None
    assert read_status(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    "counts", [{}, {"packets": 1_234_567, "answered": 1_000_000, "rows": 8_500_000, "replays": 20_000}]
)
def test_a_table_shows_all_counts(counts, rng):
    console = Console(record=True, width=100, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(status_table(metered([rng.random(5)] if counts else [], counts), "alerts [from] nowhere"))
    text = console.export_text()
    for name in (*monitor.COUNTS, *monitor.WORK):
        assert name in text
    if counts:
        assert "1,234,567" in text
        assert "8.5 an alert" in text
        assert "2.0%" in text
        assert "median" in text


def test_prometheus_is_told_what_a_second_parser_reads(rng):
    parser = pytest.importorskip("prometheus_client.parser", reason="metrics need telperion[stream]")
    counts = {name: k + 1 for k, name in enumerate((*monitor.COUNTS, *monitor.WORK))}
    latency = rng.exponential(1, 100)
    now = [Status({})]
    server = serve_metrics(0, lambda: now[0])
    try:
        address = f"http://127.0.0.1:{server.server_port}/metrics"

        def read() -> dict:
            text = urllib.request.urlopen(address, timeout=10).read().decode()
            families = list(parser.text_string_to_metric_families(text))
            return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}

        assert read()["telperion_packets_in_total",] == 0
        now[0] = metered([latency], counts)
        found = read()
    finally:
        server.shutdown()
        server.server_close()
    assert found["telperion_packets_in_total",] == counts["packets"]
    for name in monitor.COUNTS[1:]:
        assert found["telperion_packets_total", name.replace(" ", "_")] == counts[name]
    for name in monitor.WORK:
        assert found[f"telperion_{name}_total",] == counts[name]
    for bound in (0.005, 0.1, 1, 60):
        assert found["telperion_latency_seconds_bucket", f"{bound:g}"] == (latency <= bound).sum()
    assert found["telperion_latency_seconds_count",] == 100
    assert found["telperion_latency_seconds_sum",] == pytest.approx(latency.sum())
    assert json.dumps(sorted(found.values()))  # all are finite numbers
