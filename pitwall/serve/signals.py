"""`GET /session/<sid>/signals`: a window of channels as columns or as a table, resampled so that no peak is lost.

A window is of time (`t_from`, `t_to`; neither: the last 60 s), or of a lap, or a part of it by distance. With `points`
or `rate_hz` a channel that has more is given by the least and the greatest sample of each bucket; else every sample
comes. Over 10,000 points a channel or 100,000 in all is refused, with what would fit.
"""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Final, Literal

import numpy as np
import pyarrow as pa
from msgspec import Meta, Struct

from pitwall.errors import UsageError
from pitwall.project.lap_answers import part_of_lap
from pitwall.serve.answers import Ns, OfSession
from pitwall.serve.limits import MAX_CHANNELS, MAX_POINTS
from pitwall.serve.operations import operation
from pitwall.serve.parameters import Tabled
from pitwall.serve.problem import Problem
from pitwall.serve.serving import answer, asked
from pitwall.serve.tables import TABLED, chosen, tabled
from pitwall.serve.window import Asked, TooManyPointsError, UnknownChannelError, Window, read
from pitwall.serve.window_recent import NotHeldError, Remembered
from pitwall.serve.window_stored import Stored

if TYPE_CHECKING:
    import duckdb
    from sanic.response import HTTPResponse

    from pitwall.project.recent import Held
    from pitwall.serve.serving import Request

MAX_T_NS: Final = 2**62

Time = Annotated[
    int, Meta(gt=-MAX_T_NS, lt=MAX_T_NS, description="a time is a whole number of ns since the session began")
]
Metres = Annotated[float, Meta(ge=0, le=1e6, description="metres from the start line, along the lap")]

Points = Annotated[
    int, Meta(ge=2, lt=10**18, description=f"points of each channel: a whole number from 2 to {MAX_POINTS}")
]


class Wanted(Tabled, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A window of channels."""

    channels: Annotated[
        tuple[str, ...],
        Meta(description="names, parted by commas; /session/<sid>/channels lists them", examples=[["rpm", "speed"]]),
    ] = ()
    t_from: Time | None = None
    t_to: Time | None = None
    lap: Annotated[str | None, Meta(description="a timed lap's number, or `best`: its time is the window")] = None
    from_m: Metres | None = None
    to_m: Metres | None = None
    points: Points | None = None
    rate_hz: Annotated[float, Meta(gt=0, le=1e6, description="points a second, above 0")] | None = None
    form: Annotated[
        Literal["columns", "flat"],
        Meta(
            description="JSON as a pair of columns a channel, or `flat`: a list of rows, as Grafana's Infinity has it"
        ),
    ] = "columns"


class Trace(Struct):
    """A channel's points, t ascending.  samples: how many the window holds; fewer points came where it is more."""

    unit: str
    samples: int
    t: list[Ns]
    v: list[float | None]


class Signals(OfSession):
    """The window: its real ends, and the channels in the order asked."""

    t_from: Ns
    t_to: Ns
    started_at_ns: int
    channels: dict[str, Trace]


@operation(
    "GET",
    "/session/<sid>/signals",
    takes=Wanted,
    answers=Signals,
    problems=("unknown-channel", "unknown-lap", "too-many-points", "no-such-format"),
    media=TABLED,
)
async def signals(request: Request, wanted: Wanted, sid: str) -> HTTPResponse:
    """Channels over a window of time, or of a lap.

    Resampled by the least and greatest of each bucket, so that no peak is lost. As a table: time, t (ns), channel,
    value, unit.
    """
    _check(wanted)
    form = chosen(request, wanted.format)
    about = await request.app.ctx.about(sid)
    session, started_at_ns = about.id, about.started_at_ns
    whole = Asked(tuple(dict.fromkeys(wanted.channels)), wanted.t_from, wanted.t_to, wanted.points, wanted.rate_hz)

    def recalled(held: Held) -> Window | None:
        try:
            return None if wanted.lap is not None else read(Remembered(held.parts), whole)
        except NotHeldError:
            return None

    def question(cursor: duckdb.DuckDBPyConnection) -> Window:
        window = whole
        if wanted.lap is not None:
            t_from, t_to = part_of_lap(cursor, session, wanted.lap, wanted.from_m, wanted.to_m)
            window = replace(whole, t_from=t_from, t_to=t_to)
        return read(Stored(cursor), window)

    try:
        told = await request.app.ctx.readings.recall(session, recalled) or await asked(request, session, question)
    except UnknownChannelError as error:
        raise _unknown(error, session) from error
    except UsageError as error:
        raise Problem("unknown-lap", f"{session}: {error.what}", hint=error.hint) from error
    except TooManyPointsError as error:
        fits = f"ask for fewer channels or points, or a window (t_from, t_to) of at most {error.fits_s:.3g} s"
        raise Problem("too-many-points", str(error), hint=fits, fits_s=error.fits_s) from error
    window = told.answer
    if form != "json" or wanted.form == "flat":
        return tabled(_tall(window, started_at_ns), form)
    return answer(
        {
            "session": session,
            **told.pipeline(),
            "t_from": window.t_from,
            "t_to": window.t_to,
            "started_at_ns": started_at_ns,
            "channels": {
                name: {"unit": trace.unit, "samples": trace.samples, "t": trace.t, "v": trace.v}
                for name, trace in window.traces.items()
            },
        }
    )


OPERATIONS: Final = (signals,)


def _tall(window: Window, started_at_ns: int) -> pa.Table:
    """One row a point, channel by channel."""
    traces = window.traces
    lengths = [len(trace.t) for trace in traces.values()]
    t = np.concatenate([np.empty(0, np.int64), *(trace.t for trace in traces.values())])
    v = np.concatenate([np.empty(0), *(trace.v for trace in traces.values())])

    def repeated(words: list[str]) -> pa.Array:
        places = pa.array(np.repeat(np.arange(len(words), dtype=np.int32), lengths))
        return pa.DictionaryArray.from_arrays(places, pa.array(words, pa.string())).cast(pa.string())

    return pa.table(
        {
            "time": pa.array(started_at_ns + t).cast(pa.timestamp("ns", "UTC")),
            "t": pa.array(t),
            "channel": repeated(list(traces)),
            "value": pa.array(v, from_pandas=True),
            "unit": repeated([trace.unit for trace in traces.values()]),
        }
    )


def _check(wanted: Wanted) -> None:
    if not wanted.channels:
        raise _bad("no channels are named", "say channels=rpm,speed; /session/<sid>/channels lists them")
    if len(wanted.channels) > MAX_CHANNELS:
        raise _bad(f"{len(wanted.channels)} channels are named", f"ask for at most {MAX_CHANNELS} at once")
    if wanted.t_from is not None and wanted.t_to is not None and wanted.t_from > wanted.t_to:
        raise _bad("t_from is after t_to", "both are ns since the session began")
    if wanted.lap is not None and (wanted.t_from is not None or wanted.t_to is not None):
        raise _bad("both a lap and a time are given", "give one of them")
    if wanted.lap is None and (wanted.from_m is not None or wanted.to_m is not None):
        raise _bad("a distance is given, and no lap", "lap=3&from_m=100&to_m=900")
    if wanted.from_m is not None and wanted.to_m is not None and wanted.from_m > wanted.to_m:
        raise _bad("from_m is behind to_m", "both are metres from the start line")
    if wanted.points is not None and wanted.rate_hz is not None:
        raise _bad("both points and rate_hz are given", "give one of them")
    if wanted.points is not None and wanted.points > MAX_POINTS:
        what = f"points={wanted.points} is more than the {MAX_POINTS:,} that a channel may have"
        raise Problem("too-many-points", what, hint=f"ask for points={MAX_POINTS} or fewer")


def _bad(detail: str, hint: str) -> Problem:
    return Problem("bad-parameter", detail, hint=hint)


def _unknown(error: UnknownChannelError, session: str) -> Problem:
    near = difflib.get_close_matches(error.name, error.names, n=5, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else f"see /session/{session}/channels"
    what = f"the session {session} has no channel {error.name[:80]!r}"
    return Problem("unknown-channel", what, hint=hint, near=near)
