"""What Prometheus reads, read by Prometheus' own parser."""

from __future__ import annotations

from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pitwall.log.published import Recorder, SourceState, State
from pitwall.serve.counting import BUCKETS_S, Requests, family
from pitwall.serve.newest import Still
from tests.serve.stand import FakeGarage, picture, projection, standing

SOURCE = SourceState("dash", 'slcan "odd"\\one', "lost", 1_795_529_111_000_000_000, "is unplugged", 7, 0.0, 2.5)


def read(text: str) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Samples by name and labels."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for metric in text_string_to_metric_families(text):
        for sample in metric.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


@pytest.fixture
def live() -> Still:
    shown = Still(picture(7, rpm=900.0))
    shown.shown_recorder = Recorder(1, State(sources=(replace(SOURCE, lost={"adapter": 3}),)))
    return shown


def test_what_health_reports_and_how_requests_went_is_read_by_prometheus(live: Still) -> None:
    with standing(live, FakeGarage({"s": projection({})})) as stand:
        stand.json("/sessions")
        stand.json("/nothing", expect=404)
        assert stand.ask("/health", Host="elsewhere.example")[0] == 421
        status, headers, body = stand.ask("/metrics")
    assert status == 200
    assert headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = read(body.decode())
    of_bus = (("bus", "dash"), ("source", SOURCE.source))
    assert found["pitwall_frames_total"] == {of_bus: 7.0}
    assert found["pitwall_source_up"] == {of_bus: 0.0}
    assert found["pitwall_lost_total"] == {(("bus", "dash"), ("cause", "adapter")): 3.0}
    assert found["pitwall_streams_stalled_total"] == {(): 0.0}
    assert found["pitwall_limits_refused_total"] == {(("problem", "foreign-host"),): 1.0}
    assert (("kind", "signals"),) in found["pitwall_limits_too_often_total"]
    assert found["pitwall_connections"][()] >= 1
    assert found["pitwall_requests_under_way"][()] >= 1
    requests = found["pitwall_http_requests_total"]
    assert requests[("operation", "sessions"), ("status", "200")] == 1
    assert requests[("operation", "none"), ("status", "404")] == 1
    assert found["pitwall_http_request_seconds_count"][(("operation", "sessions"),)] == 1


def test_buckets_hold_what_took_no_longer_and_the_last_one_all() -> None:
    requests = Requests()
    for took_s in (0.001, 0.005, 0.0051, 3.0, 99.0):
        requests.count("one", 200, took_s)
    found = read("\n".join(requests.lines()) + "\n")
    counts = {dict(labels)["le"]: n for labels, n in found["pitwall_http_request_seconds_bucket"].items()}
    assert [counts[str(end)] for end in BUCKETS_S] == [2, 3, 3, 3, 3, 3, 3, 3, 3, 4]
    assert counts["+Inf"] == found["pitwall_http_request_seconds_count"][(("operation", "one"),)] == 5
    assert sum(found["pitwall_http_request_seconds_sum"].values()) == pytest.approx(102.0111)


def test_what_nobody_knows_is_left_out() -> None:
    assert list(family("x", "gauge", "X.", [({}, None)])) == ["# HELP pitwall_x X.", "# TYPE pitwall_x gauge"]
