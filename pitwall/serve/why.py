"""`GET /session/<sid>/why`: what made the value of a channel at a time: the frame, its bits, and every step.

The log is replayed up to then for it, one such replay at a time: it takes a core for as long as it lasts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from pitwall.errors import UsageError
from pitwall.project.why import OfFrame as TracedFrame
from pitwall.project.why import OfInputs as TracedInputs
from pitwall.project.why import Why, why
from pitwall.project.written import written
from pitwall.serve.answers import Ns
from pitwall.serve.operations import operation
from pitwall.serve.problem import Problem
from pitwall.serve.serving import answer
from pitwall.serve.signals import MAX_T_NS

if TYPE_CHECKING:
    from collections.abc import Callable

    from sanic.response import HTTPResponse

    from pitwall.log.place import Damage
    from pitwall.log.session import Session
    from pitwall.serve.reading import Readings
    from pitwall.serve.serving import Request


class Wanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which value."""

    channel: Annotated[str, Meta(min_length=1, max_length=200, description="a channel's name")]
    t: (
        Annotated[
            int, Meta(gt=-MAX_T_NS, lt=MAX_T_NS, description="ns since the session began; its end when it is left out")
        ]
        | None
    ) = None
    deep: Annotated[bool, Meta(description="true: and why all that it is computed from has its values")] = False


class Line(Struct):
    """A line of a definition, as it is now.  file: its name.  text: "" where it can't be read."""

    file: str
    line: int
    text: str


class Signal(Struct):
    """As the DBC has it: value = raw * scale + offset, in `unit`.  raw, value: null where no frame held it."""

    message: str
    name: str
    scale: float
    offset: float
    unit: str
    raw: float | None
    value: float | None
    dbc: Line | None


class RawFrame(Struct):
    """The frame.  payload, mask: hexadecimal; the mask has the bits of the signal.  log_offset: its row of the log."""

    log_offset: int
    t: Ns
    bus: str
    id: int
    extended: bool
    payload: str
    mask: str


class Step(Struct):
    """A step of the definition, in words.  value: behind it.  removed: why, where it is this step that removed it."""

    step: str
    value: float | None
    removed: str | None


class Input(Struct):
    """What a derived channel saw of one it reads.  t: of its newest sample.  expired: that is older than it holds."""

    channel: str
    unit: str
    t: Ns | None
    value: float | None
    expired: bool


class Explained(Struct, tag_field="kind"):
    """A channel's value."""

    channel: str
    unit: str
    t: Ns | None
    value: float | None
    missing: str | None
    yaml: Line | None


class OfFrame(Explained, tag="measured"):
    """Why a measured channel has its value.

    since: why frames that are newer than `frame` gave none; null: there are none.
    """

    since: str | None
    signal: Signal
    frame: RawFrame | None
    steps: list[Step]


class OfInputs(Explained, tag="derived"):
    """Why a derived channel, or a part of one that looks back, has its value."""

    formula: str
    inputs: list[Input]


class Traced(Struct):
    """The channel that was asked for, and with `deep` all that it reads behind it, the nearest first.

    t: as of when: told is the newest sample at or before it.  damages: places of the log that could not be read.
    Of a channel, t: of its sample; null: there is none.  missing: why there is no value; null: there is one.
    """

    session: str
    car: str
    t: Ns
    damages: list[str]
    channels: list[OfFrame | OfInputs]


@operation("GET", "/session/<sid>/why", takes=Wanted, answers=Traced, problems=("unknown-channel", "too-often"))
async def why_so(request: Request, wanted: Wanted, sid: str) -> HTTPResponse:
    """What made a channel's value at a time: the raw frame, its bits, and each step of the definition."""
    serving = request.app.ctx
    session = await serving.readings.find(await serving.session(sid))
    async with serving.tracing:
        traced = await serving.readings.read(lambda go_on: _traced(session, wanted, serving.readings, go_on))
    return answer(msgspec.to_builtins(traced))


OPERATIONS: Final = (why_so,)


def _traced(session: Session, wanted: Wanted, readings: Readings, go_on: Callable[[], None]) -> Traced:
    t = round(session.duration_s * 1e9) if wanted.t is None else wanted.t
    damages: list[Damage] = []
    car = readings.car(session.header.car)
    try:
        told = why(session, car, wanted.channel, t, damaged=damages.append, progress=lambda done, rows: go_on())
    except UsageError as error:
        raise Problem("unknown-channel", error.what, hint=error.hint) from error
    shown = [_shown(one) for one in told.values()] if wanted.deep else [_shown(told[wanted.channel])]
    return Traced(session.id, car.name, t, [str(damage) for damage in damages], shown)


def _shown(one: Why) -> OfFrame | OfInputs:
    return _of_frame(one) if isinstance(one, TracedFrame) else _of_inputs(one)


def _explained(one: Why) -> dict[str, Any]:
    return {
        "channel": one.name,
        "unit": one.unit,
        "t": one.t,
        "value": one.value,
        "missing": one.missing or None,
        "yaml": _line(one.where),
    }


def _of_frame(one: TracedFrame) -> OfFrame:
    frame, bits, signal = one.frame, one.bits, one.signal
    raw = value = None
    if bits is not None:
        raw, value = bits.raw, bits.value
    return OfFrame(
        **_explained(one),
        since=one.since or None,
        signal=Signal(
            one.message.name,
            signal.name,
            signal.scale,
            signal.signal_offset,
            signal.unit,
            raw,
            value,
            _line(signal.where),
        ),
        frame=None
        if frame is None or bits is None
        else RawFrame(frame.offset, frame.t, frame.bus, frame.id, frame.extended, frame.payload.hex(), bits.mask.hex()),
        steps=[Step(step.words, step.value, step.removed or None) for step in one.steps],
    )


def _of_inputs(one: TracedInputs) -> OfInputs:
    return OfInputs(
        **_explained(one),
        formula=one.source,
        inputs=[Input(each.name, each.unit, each.t, each.value, each.expired) for each in one.inputs],
    )


def _line(where: str) -> Line | None:
    if not where:
        return None
    found = written(where)
    return Line(found.file, found.line, found.text)
