"""`pitwall why`: a channel and a time in, the frame, its bits and every step that made its value out."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from pitwall.commands.moment import moment_ns
from pitwall.commands.options import Places, json_option, option, places
from pitwall.commands.output import WIDTH, duration, number, print_json
from pitwall.commands.progress import Bar
from pitwall.commands.projecting import check_header
from pitwall.commands.reporting import end_with_losses

if TYPE_CHECKING:
    from pitwall.project.why import OfFrame, OfInputs, Seen, Why

_HEAD = 11  # columns of the word that says what a line is about


@click.command
@click.argument("session")
@click.argument("channel")
@click.argument("t", metavar="T")
@option("--deep", is_flag=True, help="And why all that it is computed from has its values.")
@places("logs", "projections", "cars")
@json_option
def why(places: Places, session: str, channel: str, t: str, deep: bool, as_json: bool) -> None:
    """Tell what made the value of CHANNEL at T: the frame, its bits, each step.

    T is in seconds since the session began (12.5 or 1:23.4), or a time of day with its
    date (2026-11-23T14:05:12Z).  Told is the newest sample at or before T: the raw
    frame with the signal's bits, what its DBC makes of them, and each step of the
    definition with the value behind it, the last of which the projection holds.  Of a
    derived channel it is the formula, and what it saw of its inputs.

    The log is replayed up to T to tell it.

    \b
    Examples:
      pitwall why latest brake_pressure 12.5
      pitwall why latest wheel_slip 1:23.4 --deep
    """
    from pitwall.car import load
    from pitwall.log.session import find
    from pitwall.project.why import why as asked

    found = find(places.logs, session)
    check_header(found)
    t_ns = moment_ns(t, found.header.started_at_ns)
    damages: list[str] = []
    with Bar(f"replaying {found.id}") as bar:
        car = load(places.cars, found.header.car)
        answers = asked(found, car, channel, t_ns, damaged=lambda damage: damages.append(str(damage)), progress=bar)
    told = list(answers.values()) if deep else [answers[channel]]
    if as_json:
        print_json({"session": found.id, "car": car.name, "t": t_ns / 1e9, "channels": [facts(one) for one in told]})
    else:
        if found.state == "ended" and t_ns > found.duration_s * 1e9:
            click.echo(f"pitwall: {found.id} ended at {_clock(round(found.duration_s * 1e9))}", err=True)
        for count, one in enumerate(told):
            click.echo("\n" * bool(count) + "\n".join(lines(one, t_ns)))
    end_with_losses(damages, "the log is damaged: what it still holds was replayed")


def lines(one: Why, t_ns: int) -> Iterator[str]:
    """Why one channel has its value, as people read it."""
    from pitwall.project.why import OfFrame

    name, unit = one.name, one.unit
    if one.t is None:
        yield from _wrapped("", f"{name} has no value at {_clock(t_ns)}: {one.missing}")
    else:
        value = "missing" if one.missing else f"{_said(one.value)} {unit}".rstrip()
        yield from _wrapped("", f"{name} at {_clock(t_ns)}: {value}, {_age(t_ns - one.t)} old")
        if one.missing:
            yield from _wrapped("missing", one.missing)
    yield from _of_frame(one) if isinstance(one, OfFrame) else _of_inputs(one)


def _of_frame(one: OfFrame) -> Iterator[str]:
    if one.since:
        yield from _wrapped("since", f"newer frames of {one.message.name} did not hold it: {one.since}")
    frame, found = one.frame, one.bits
    if frame is not None and found is not None:
        id = f"0x{frame.id:x}" + " extended" * frame.extended
        yield from _wrapped("frame", f"offset {number(frame.offset)} at {_clock(frame.t)}, {frame.bus} {id}")
        yield from _payload(found.payload, found.mask)
        yield from _wrapped("raw", f"{found.raw!r}")
    yield from _wrapped("DBC", _written(one.signal.where))
    if found is not None:
        scale, signal_offset = one.signal.scale, one.signal.signal_offset
        scaled = f" * {scale!r}" * (scale != 1) + f" + {signal_offset!r}" * (signal_offset != 0)
        words = f"{one.message.name}.{one.signal.name} = {found.raw!r}{scaled} = {_said(found.value)} {one.signal.unit}"
        yield from _wrapped("signal", words.rstrip())
    if one.where:
        yield from _wrapped("YAML", _written(one.where))
    for step in one.steps:
        value = "missing" if math.isnan(step.value) else f"{_said(step.value)} {one.unit}".rstrip()
        yield from _wrapped("step", f"{step.words}: {value}" + f" ({step.removed})" * bool(step.removed))


def _of_inputs(one: OfInputs) -> Iterator[str]:
    if one.where:
        yield from _wrapped("YAML", _written(one.where))
    yield from _wrapped("formula", one.source)
    for each in one.inputs:
        yield from _wrapped("input", f"{each.name} = {_seen(each, one.t)}")


def _seen(each: Seen, t: int | None) -> str:
    if each.t is None:
        return "nothing yet"
    value = "missing" if math.isnan(each.value) else f"{_said(each.value)} {each.unit}".rstrip()
    return value if t is None else f"{value}, {_age(t - each.t)} old"


def _payload(payload: bytes, mask: bytes) -> Iterator[str]:
    """The bytes, the signal's underlined, and of each of those its bits: `.` where it is another's."""
    yield from _wrapped("payload", payload.hex(" "))
    if len(payload) * 3 < WIDTH - _HEAD:
        yield f"{'':{_HEAD}}{' '.join('^^' if byte else '  ' for byte in mask)}".rstrip()
    shown = [
        f"{place}:" + "".join(f"{byte >> bit & 1}" if marked >> bit & 1 else "." for bit in range(7, -1, -1))
        for place, (byte, marked) in enumerate(zip(payload, mask, strict=True))
        if marked
    ]
    yield from _wrapped("bits", " ".join(shown))


def _written(where: str) -> str:
    """`car.yaml:12  speed: {from: speed_mph}`: a place in a file, and what stands there."""
    from pitwall.project.written import written

    found = written(where)
    return f"{found.file}:{found.line}  {found.text}".rstrip()


def _wrapped(head: str, words: str) -> Iterator[str]:
    """`head` and `words` in 80 columns; without a head, from the left edge."""
    first = f"  {head}".ljust(_HEAD) if head else ""
    yield from textwrap.wrap(
        words, WIDTH, initial_indent=first, subsequent_indent=" " * _HEAD, break_on_hyphens=False
    ) or [first.rstrip()]


def _clock(t_ns: int) -> str:
    return f"{t_ns / 1e9:.9f}".rstrip("0").rstrip(".") + " s"


def _age(ns: int) -> str:
    return f"{ns / 1e6:.4g} ms" if ns < 1e9 else duration(ns / 1e9)


def facts(one: Why) -> dict[str, Any]:
    """The same for programs."""
    from pitwall.project.why import OfFrame

    about: dict[str, Any] = {
        "channel": one.name,
        "unit": one.unit,
        "t": None if one.t is None else one.t / 1e9,
        "value": _plain(one.value),
        "missing": one.missing or None,
        "yaml": one.where or None,
    }
    if not isinstance(one, OfFrame):
        inputs = [
            {
                "channel": each.name,
                "unit": each.unit,
                "t": None if each.t is None else each.t / 1e9,
                "value": _plain(each.value),
                "expired": each.expired,
            }
            for each in one.inputs
        ]
        return {**about, "formula": one.source, "inputs": inputs}
    frame, found, signal = one.frame, one.bits, one.signal
    return {
        **about,
        "since": one.since or None,
        "dbc": signal.where,
        "signal": {
            "name": f"{one.message.name}.{signal.name}",
            "scale": signal.scale,
            "offset": signal.signal_offset,
            "unit": signal.unit,
            "raw": None if found is None else _plain(found.raw),
            "value": None if found is None else _plain(found.value),
        },
        "frame": None
        if frame is None or found is None
        else {
            "log_offset": frame.offset,
            "t": frame.t / 1e9,
            "bus": frame.bus,
            "id": frame.id,
            "extended": frame.extended,
            "payload": frame.payload.hex(),
            "mask": found.mask.hex(),
        },
        "steps": [
            {"step": step.words, "value": _plain(step.value), "removed": step.removed or None} for step in one.steps
        ],
    }


def _said(value: float) -> str:
    """The shortest that is the value in 12 digits: what is beyond is how binary fractions are written."""
    return repr(float(f"{value:.12g}"))


def _plain(value: float) -> float | str | None:
    """A number as JSON has it; null where it is missing, a text where it is infinite."""
    return value if math.isfinite(value) else None if math.isnan(value) else str(value)
