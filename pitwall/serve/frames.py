"""`GET /session/<sid>/frames`: the newest raw frame of each bus and id, how often it comes, and which bits move.

Of the session that is followed it is what the projector's thread has folded on its way; of any other, or of another
time, a part of the log is read for it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, Final

from msgspec import Meta, Struct

from pitwall.car.heard import heard as heard_car
from pitwall.decode import plan
from pitwall.decode.traffic import RECENT_S, Heard, Traffic
from pitwall.errors import PitwallError
from pitwall.frames import Flag
from pitwall.log.reader import between
from pitwall.serve.answers import Ns
from pitwall.serve.limits import MAX_WINDOW_S
from pitwall.serve.operations import operation
from pitwall.serve.serving import answer
from pitwall.serve.signals import MAX_T_NS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sanic.response import HTTPResponse

    from pitwall.decode import Plan
    from pitwall.log.place import Damage
    from pitwall.log.session import Session
    from pitwall.serve.reading import Readings
    from pitwall.serve.serving import Request


class Wanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which frames: with neither, of what is live those since its beginning, of what is over the last ones."""

    t: Annotated[int, Meta(gt=-MAX_T_NS, lt=MAX_T_NS, description="as of then, ns since the session began")] | None = (
        None
    )
    window_s: (
        Annotated[float, Meta(gt=0, le=MAX_WINDOW_S, description=f"frames of so many seconds up to then: {RECENT_S}")]
        | None
    ) = None


class OneFrame(Struct):
    """The newest frame of an id, with what those before it did.

    data: hexadecimal; empty of a remote frame, whose `len` is what it asks for.
    message: what a DBC of the car calls it; null: it is unknown.  sent: by pitwall's own adapter, not heard.
    count: frames since the answer's `t_from`.  rate_hz: frames a second within the last 10 s; null: too early to say.
    changed: the bits that changed within the last 10 s, as a mask of `data`.  changed_ever: since `t_from`.
    """

    bus: str
    id: int
    id_hex: str
    extended: bool
    fd: bool
    remote: bool
    error: bool
    sent: bool
    len: int
    data: str
    t: Ns
    age_s: float
    count: int
    rate_hz: float | None
    message: str | None
    changed: str
    changed_ever: str


class RawFrames(Struct):
    """By bus, then by id.

    t: as of when.  t_from: since when frames are counted.  live: it goes on.
    left_out: frames of more ids than are kept, 4,096.  damages: places of the log that could not be read.
    """

    session: str
    t: Ns
    t_from: Ns
    live: bool
    left_out: int
    damages: int
    frames: list[OneFrame]


@operation("GET", "/session/<sid>/frames", takes=Wanted, answers=RawFrames)
async def frames(request: Request, wanted: Wanted, sid: str) -> HTTPResponse:
    """The newest raw frame of each bus and id, how often it comes, which of its bits move; known to a DBC or not."""
    serving = request.app.ctx
    id = await serving.session(sid)
    session = await serving.readings.find(id)
    unsaid = wanted.t is None and wanted.window_s is None
    followed = await asyncio.to_thread(serving.live.traffic, id) if unsaid else None
    if followed is None:
        heard, damages = await serving.readings.read(lambda go_on: _of_log(session, wanted, go_on))
    else:
        heard, damages = followed, 0
    live = followed is not None and session.state == "recording"
    shown = await asyncio.to_thread(_shown, heard, session, serving.readings)
    about = {"session": id, "t": heard.t, "t_from": heard.t_from, "live": live}
    return answer({**about, "left_out": heard.left_out, "damages": damages, "frames": shown})


OPERATIONS: Final = (frames,)


def _of_log(session: Session, wanted: Wanted, go_on: Callable[[], None]) -> tuple[Heard, int]:
    """What was heard up to a time of a session, and how many places of its log could not be read."""
    last = round(session.duration_s * 1e9)
    t = last if wanted.t is None else max(0, min(wanted.t, last))
    t_from = max(0, t - round((RECENT_S if wanted.window_s is None else wanted.window_s) * 1e9))
    traffic = Traffic(t_from)
    damages: list[Damage] = []
    for rows in between(session.path, t_from, t, damaged=damages.append):
        go_on()
        traffic.take(rows)
    return traffic.heard(t), len(damages)


def _shown(heard: Heard, session: Session, readings: Readings) -> list[dict[str, Any]]:
    names = _plan(session, readings)
    buses = session.header.buses
    return [_frame(heard, i, buses, names) for i in range(len(heard.id))]


def _plan(session: Session, readings: Readings) -> Plan | None:
    """What calls frames by their messages' names; None: nobody does, as the car can't be had."""
    try:
        return plan(heard_car(readings.car(session.header.car), session.header.buses), session.header.buses)
    except PitwallError:
        return None


def _frame(heard: Heard, i: int, buses: Sequence[str], names: Plan | None) -> dict[str, Any]:
    bus, id, flags, rate_hz = int(heard.bus[i]), int(heard.id[i]), int(heard.flags[i]), float(heard.rate_hz[i])
    extended, remote, error = (bool(flags & flag) for flag in (Flag.EXTENDED, Flag.REMOTE, Flag.ERROR))
    size = 0 if remote else int(heard.len[i])
    message = None if names is None or error else names.name(bus, id, extended=extended)
    return {
        "bus": buses[bus] if bus < len(buses) else str(bus),
        "id": id,
        "id_hex": f"{id:08X}" if extended else f"{id:03X}",
        "extended": extended,
        "fd": bool(flags & Flag.FD),
        "remote": remote,
        "error": error,
        "sent": bool(flags & Flag.TX),
        "len": int(heard.len[i]),
        "data": heard.payload[i, :size].tobytes().hex(),
        "t": int(heard.at[i]),
        "age_s": round((heard.t - int(heard.at[i])) / 1e9, 3),
        "count": int(heard.count[i]),
        "rate_hz": round(rate_hz, 2),
        "message": message,
        "changed": heard.changed[i, :size].tobytes().hex(),
        "changed_ever": heard.changed_ever[i, :size].tobytes().hex(),
    }
