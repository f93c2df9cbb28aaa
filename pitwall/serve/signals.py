"""`GET /session/<sid>/signals`: a window of channels as columns, resampled so that no peak is lost.

Query: `channels=a,b`, `t_from` and `t_to` (ns since the session began; neither: the last 60 s), and `points` (of each
channel) or `rate_hz`; without these two every sample comes. Over 10,000 points a channel or 100,000 in all is refused.
"""

from __future__ import annotations

import difflib
import math
from typing import TYPE_CHECKING, Final

from pitwall.serve.limits import MAX_CHANNELS, MAX_POINTS
from pitwall.serve.problem import Problem
from pitwall.serve.serving import answer
from pitwall.serve.window import Asked, TooManyPointsError, UnknownChannelError, read

if TYPE_CHECKING:
    from sanic.response import HTTPResponse

    from pitwall.serve.serving import App, Request

PARAMETERS: Final = frozenset({"channels", "t_from", "t_to", "points", "rate_hz"})
MAX_T_NS: Final = 2**62


def add(app: App) -> None:
    """Adds the route."""

    @app.route("/session/<sid>/signals", methods=["GET", "HEAD"])
    async def signals(request: Request, sid: str) -> HTTPResponse:
        asked = _asked(request)
        session = await request.app.ctx.session(sid)
        try:
            told = await request.app.ctx.readings.ask(session, lambda cursor: read(cursor, asked))
        except UnknownChannelError as error:
            near = difflib.get_close_matches(error.name, error.names, n=5, cutoff=0.5)
            raise Problem(
                404,
                "unknown-channel",
                f"the session {session} has no channel {error.name[:80]!r}",
                hint=f"did you mean {', '.join(near)}?" if near else f"see /session/{session}/channels",
                near=near,
            ) from error
        except TooManyPointsError as error:
            raise Problem(
                413,
                "too-many-points",
                str(error),
                hint=f"ask for fewer channels or points, or a window (t_from, t_to) of at most {error.fits_s:.3g} s",
                fits_s=error.fits_s,
            ) from error
        window = told.answer
        return answer(
            {
                "session": session,
                **told.pipeline(),
                "t_from": window.t_from,
                "t_to": window.t_to,
                "channels": {
                    name: {"unit": trace.unit, "samples": trace.samples, "t": trace.t, "v": trace.v}
                    for name, trace in window.traces.items()
                },
            }
        )


def _asked(request: Request) -> Asked:
    unknown = sorted(set(request.args) - PARAMETERS)
    if unknown:
        raise _bad(f"{unknown[0][:80]!r} is no parameter of it", f"it takes {', '.join(sorted(PARAMETERS))}")
    names = [name for part in request.args.getlist("channels", []) for name in part.split(",")]
    channels = tuple(dict.fromkeys(name.strip() for name in names if name.strip()))
    if not channels:
        raise _bad("no channels are named", "say channels=rpm,speed; /session/<sid>/channels lists them")
    if len(channels) > MAX_CHANNELS:
        raise _bad(f"{len(channels)} channels are named", f"ask for at most {MAX_CHANNELS} at once")
    asked = Asked(channels, _t(request, "t_from"), _t(request, "t_to"), _points(request), _rate_hz(request))
    if asked.t_from is not None and asked.t_to is not None and asked.t_from > asked.t_to:
        raise _bad("t_from is after t_to", "both are ns since the session began")
    if asked.points is not None and asked.rate_hz is not None:
        raise _bad("both points and rate_hz are given", "give one of them")
    return asked


def _t(request: Request, name: str) -> int | None:
    text = request.args.get(name)
    if text is None:
        return None
    try:
        t = int(text)
    except ValueError:
        t = MAX_T_NS
    if abs(t) >= MAX_T_NS:
        raise _bad(f"{name}={text[:80]} is no time", "a time is a whole number of ns since the session began")
    return t


def _points(request: Request) -> int | None:
    text = request.args.get("points")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 18 and int(text) >= 2):
        raise _bad(f"points={text[:80]} is no number of points", f"say a whole number from 2 to {MAX_POINTS}")
    if int(text) > MAX_POINTS:
        raise Problem(
            413,
            "too-many-points",
            f"points={text} is more than the {MAX_POINTS:,} that a channel may have",
            hint=f"ask for points={MAX_POINTS} or fewer",
        )
    return int(text)


def _rate_hz(request: Request) -> float | None:
    text = request.args.get("rate_hz")
    if text is None:
        return None
    try:
        rate_hz = float(text)
    except ValueError:
        rate_hz = math.nan
    if not 0 < rate_hz <= 1e6:
        raise _bad(f"rate_hz={text[:80]} is no rate", "say a number of points a second, above 0")
    return rate_hz


def _bad(detail: str, hint: str) -> Problem:
    return Problem(400, "bad-parameter", detail, hint=hint)
