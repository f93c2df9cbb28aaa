"""`GET /health`: in one call, whether frames come in, whether they are projected, and what goes wrong."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from pitwall import __version__
from pitwall.resident import rss_bytes, since_ns
from pitwall.serve.answers import Row
from pitwall.serve.broadcast import age_s
from pitwall.serve.limits import MAX_STREAMS
from pitwall.serve.operations import operation
from pitwall.serve.parameters import Nothing
from pitwall.serve.serving import answer
from pitwall.serve.sessions import iso

if TYPE_CHECKING:
    from sanic.response import HTTPResponse

    from pitwall.log.published import Recorder
    from pitwall.project.room import Space
    from pitwall.serve.newest import Picture
    from pitwall.serve.serving import Request, Serving

QUIET_S: Final = 2.0
"""A recording session whose last frame is older than this has gone quiet."""


class Health(Struct):
    """How everything is.  status: ok, quiet (no frames just now), idle (nobody records) or failing."""

    status: str
    version: str
    uptime_s: float
    live: Row
    recorder: Row | None
    sources: list[Row]
    processes: dict[str, Row]
    projection: Row
    llm: Row
    cars: dict[str, list[str]]
    rebuilds: Row
    imports: Row
    streams: Row
    queries: Row
    limits: Row


@operation("GET", "/health", answers=Health)
async def health(request: Request, _: Nothing) -> HTTPResponse:
    """Whether frames come in, whether they are projected, and what goes wrong."""
    return answer(report(request.app.ctx))


OPERATIONS: Final = (health,)


def report(serving: Serving) -> dict[str, Any]:
    """The whole report."""
    picture = serving.live.picture()
    streams, readings = serving.streams, serving.readings
    recorder = serving.live.recorder()
    return {
        "status": _verdict(picture, recorder),
        "version": __version__,
        "uptime_s": round(time.monotonic() - serving.started_s, 3),
        "live": _live(picture),
        "recorder": _recorder(recorder),
        "sources": _sources(recorder),
        "processes": _processes(recorder),
        "projection": _projection(picture) | {"successor": serving.live.successor()} | _room(serving.live.space()),
        "llm": serving.coaching.report(),
        "cars": {name: list(lines) for name, lines in serving.live.problems().items()},
        "rebuilds": readings.rebuilds.report(),
        "imports": serving.importer.report(),
        "streams": {
            "open": len(streams.open),
            "limit": MAX_STREAMS,
            "refused": streams.refused,
            "skipped": streams.skipped,
            "stalled": streams.stalled,
        },
        "limits": {
            "connections": serving.gate.open,
            "under_way": serving.gate.under_way,
            "closed": dict(serving.gate.closed),
            "refused": dict(serving.refused),
            "too_often": {kind.name: rates.refused for kind, rates in serving.rates.items()},
        },
        "queries": {
            "running": readings.running,
            "answered": readings.answered,
            "recalled": readings.recalled,
            "refused": readings.refused,
            "interrupted": readings.interrupted,
        },
    }


def _verdict(picture: Picture, recorder: Recorder | None) -> str:
    if picture.status.error or (recorder is not None and recorder.state.problem):
        return "failing"
    age = age_s(picture)
    if picture.status.state == "recording":
        return "ok" if age is not None and age <= QUIET_S else "quiet"
    return "idle" if picture.status.state in ("waiting", "ended", "interrupted") else "ok"


def _live(picture: Picture) -> dict[str, Any]:
    cast, status = picture.cast, picture.status
    return {
        "session": cast.session if cast else None,
        "car": cast.car if cast else None,
        "started_at": iso(cast.started_at_ns) if cast else None,
        "state": status.state,
        "frames_per_s": status.frames_per_s,
        "age_s": age_s(picture),
        "channels": len(cast.channels) if cast else 0,
        "log_offset": status.written,
        "log_damages": status.damages,
    }


def _recorder(recorder: Recorder | None) -> dict[str, Any] | None:
    """What the recorder said of itself last: how far its session is safe, and what keeps it from being kept."""
    if recorder is None:
        return None
    state = recorder.state
    return {
        "pid": recorder.pid,
        "session": state.session or None,
        "written": state.written,
        "durable": state.durable,
        "frames": state.frames,
        "lost": state.lost,
        "waiting": state.waiting,
        "problem": state.problem or None,
        "problem_since": iso(state.problem_since_ns) if state.problem_since_ns else None,
        "low_space": state.low_space,
        "said_at": iso(state.at_ns) if state.at_ns else None,
    }


def _sources(recorder: Recorder | None) -> list[dict[str, Any]]:
    """How the source of each bus is, as the recorder said last."""
    if recorder is None:
        return []
    return [
        {
            "bus": one.bus,
            "source": one.source,
            "state": one.state,
            "since": iso(one.since_ns),
            "why": one.why or None,
            "frames": one.frames,
            "frames_per_s": one.frames_per_s,
            "age_s": one.age_s,
            "lost": dict(one.lost),
        }
        for one in recorder.state.sources
    ]


def _processes(recorder: Recorder | None) -> dict[str, Any]:
    """What each takes of the memory, and since when it runs; null where nobody can say."""
    pids = {"server": os.getpid()} | ({"recorder": recorder.pid} if recorder is not None and recorder.pid else {})
    return {name: {"pid": pid, "rss_bytes": rss_bytes(pid), "since": _began(pid)} for name, pid in pids.items()}


def _began(pid: int) -> str | None:
    began_ns = since_ns(pid)
    return iso(began_ns) if began_ns is not None else None


def _room(space: Space) -> dict[str, Any]:
    """What there is for projections, how long it lasts, and why they give way to the log, if they do."""
    return {
        "free_bytes": space.free,
        "free_hours": round(space.lasts_s / 3600, 2) if space.lasts_s is not None else None,
        "left_to_log_bytes": space.floor,
        "not_kept": space.why or None,
    }


def _projection(picture: Picture) -> dict[str, Any]:
    cast, status = picture.cast, picture.status
    return {
        "fingerprint": cast.fingerprint if cast else None,
        "offset": status.projected,
        "committed": status.committed,
        "lag_rows": status.written - status.projected,
        "error": status.error or None,
        "failures": status.failures,
        "problems": list(status.problems),
    }
