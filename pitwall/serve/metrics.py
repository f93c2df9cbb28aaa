"""`GET /metrics`: what `/health` reports, and how requests went, as Prometheus reads it (text format 0.0.4)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from sanic.response import HTTPResponse

from pitwall.serve.counting import Samples, family
from pitwall.serve.health import report
from pitwall.serve.operations import operation
from pitwall.serve.parameters import Nothing

if TYPE_CHECKING:
    from sanic.response import BaseHTTPResponse

    from pitwall.serve.serving import App, Request

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


def guard(app: App) -> None:
    """Every request is counted; a stream when it begins."""

    @app.on_request
    async def begin(request: Request) -> None:
        request.ctx.begun_s = time.monotonic()

    @app.on_response  # type: ignore[untyped-decorator]  # Sanic leaves its return unannotated
    async def end(request: Request, response: BaseHTTPResponse) -> None:
        name = request.route.name.rpartition(".")[2] if request.route is not None else "none"
        took_s = time.monotonic() - getattr(request.ctx, "begun_s", time.monotonic())
        request.app.ctx.requests.count(name, response.status, took_s)


@operation("GET", "/metrics", answers=str, media=(TEXT,))
async def metrics(request: Request, _: Nothing) -> HTTPResponse:
    """Counts and gauges, as Prometheus reads them."""
    lines = [*_lines(report(request.app.ctx)), *request.app.ctx.requests.lines()]
    return HTTPResponse("\n".join(lines) + "\n", content_type=TEXT)


OPERATIONS: Final = (metrics,)


def _lines(health: Mapping[str, Any]) -> Iterator[str]:
    sources, recorder, live = health["sources"], health["recorder"] or {}, health["live"]
    of_bus = [{"bus": one["bus"], "source": one["source"]} for one in sources]

    def each(key: str) -> Samples:
        return [(labels, one[key]) for labels, one in zip(of_bus, sources, strict=True)]

    up = [
        (labels, float(one["state"] in ("connected", "reconnected")))
        for labels, one in zip(of_bus, sources, strict=True)
    ]
    lost = [({"bus": one["bus"], "cause": cause}, n) for one in sources for cause, n in one["lost"].items()]
    rss = [({"process": name}, one["rss_bytes"]) for name, one in health["processes"].items()]
    yield from family("info", "gauge", "Always 1.", [({"version": health["version"]}, 1.0)])
    yield from family("up_seconds", "gauge", "Since the server began.", [({}, health["uptime_s"])])
    yield from family("failing", "gauge", "1 where /health says so.", [({}, float(health["status"] == "failing"))])
    yield from family("source_up", "gauge", "1 while the source of a bus is connected.", up)
    yield from family("frames_total", "counter", "Frames of a bus since the recorder began.", each("frames"))
    yield from family("frames_per_second", "gauge", "Frames of a bus.", each("frames_per_s"))
    yield from family("frame_age_seconds", "gauge", "Of the newest frame of a bus.", each("age_s"))
    yield from family("lost_total", "counter", "Frames of a bus that were lost, by cause.", lost)
    yield from family("log_written_rows", "gauge", "Of the session, written.", [({}, recorder.get("written"))])
    yield from family("log_durable_rows", "gauge", "Of the session, on the disk.", [({}, recorder.get("durable"))])
    yield from family("projection_lag_rows", "gauge", "Behind the log.", [({}, health["projection"]["lag_rows"])])
    yield from family("log_damages", "gauge", "Places that could not be read.", [({}, live["log_damages"])])
    yield from family("resident_bytes", "gauge", "Of a process.", rss)
    yield from family("free_bytes", "gauge", "On the disk.", [({}, health["projection"]["free_bytes"])])
    yield from family("free_hours", "gauge", "Until the disk is full.", [({}, health["projection"]["free_hours"])])
    for group, gauges, counters in (
        ("streams", ("open",), ("refused", "skipped", "stalled")),
        ("queries", ("running",), ("answered", "recalled", "refused", "interrupted")),
    ):
        for name in gauges:
            yield from family(f"{group}_{name}", "gauge", f"{group}: {name}.", [({}, health[group][name])])
        for name in counters:
            yield from family(f"{group}_{name}_total", "counter", f"{group}: {name}.", [({}, health[group][name])])
    limits = health["limits"]
    yield from family("connections", "gauge", "Open.", [({}, limits["connections"])])
    yield from family("requests_under_way", "gauge", "Being answered.", [({}, limits["under_way"])])
    for name, label, about in (
        ("closed", "why", "Connections closed at a limit."),
        ("refused", "problem", "Requests refused at a limit."),
        ("too_often", "kind", "Requests refused, as a client asked too often."),
    ):
        counts = [({label: key}, n) for key, n in sorted(limits[name].items())]
        yield from family(f"limits_{name}_total", "counter", about, counts)
    yield from family("llm_up", "gauge", "1 while a language model answers.", [({}, float(bool(health["llm"]["up"])))])
