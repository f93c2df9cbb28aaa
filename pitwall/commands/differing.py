"""`pitwall replay --diff`: a session and a draft in, what would change out.  Nothing is written."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pitwall.commands.laps import clock
from pitwall.commands.options import Places
from pitwall.commands.output import WIDTH, number, plural, print_json
from pitwall.commands.progress import Bar
from pitwall.commands.projecting import check_header
from pitwall.commands.reporting import end_with_losses
from pitwall.errors import UsageError

if TYPE_CHECKING:
    from pitwall.log.place import Damage
    from pitwall.log.session import Session
    from pitwall.project.changes import Change
    from pitwall.project.lap_changes import LapChange


def show_changes(session: Session, places: Places, draft: Path | None, *, as_json: bool) -> None:
    """Print what would change of the session's channels with `draft` as its car's definition.

    Without a draft, what a replay would change of the projection that there is.  UsageError: there is none.
    """
    from pitwall.car import load
    from pitwall.project.changes import changes, changes_since
    from pitwall.project.generations import Generations

    check_header(session)
    car = load(places.cars, session.header.car)
    damages: list[str] = []

    def damaged(damage: Damage) -> None:
        damages.append(str(damage))

    with Bar(f"comparing {session.id}") as bar:
        if draft is not None:
            after = load(places.cars, session.header.car, draft)
            found = changes(session, car, after, damaged=damaged, progress=bar)
        else:
            generations = Generations(places.projections)
            newest = generations.newest(session.id)
            if newest is None:
                hint = "--car draft.yaml compares with a draft"
                raise UsageError("it has no projection to compare with", where=session.id, hint=hint)
            file = generations.file(session.id, newest.fingerprint)
            found = changes_since(session, generations, file, car, damaged=damaged, progress=bar)
    if as_json:
        channels, laps = [facts(one) for one in found.channels], [asdict(one) for one in found.laps]
        best = None if found.best is None else {"before": _best(found.best.before), "after": _best(found.best.after)}
        print_json({"session": session.id, "car": car.name, "channels": channels, "laps": laps, "best": best})
    elif not found.channels and not found.laps:
        click.echo(f"{session.id}: no channel would change")
    else:
        click.echo(f"{session.id}: {plural(len(found.channels), 'channel')} would change")
        for one in found.channels:
            click.echo("\n".join(_lines(one)))
        if found.laps:
            click.echo(f"{session.id}: {plural(len(found.laps), 'lap')} would change")
        for lap in found.laps:
            click.echo("\n".join(_lap_lines(lap)))
        if found.best is not None:
            was, now = (_best_words(side) for side in (found.best.before, found.best.after))
            click.echo("\n".join(_wrapped("  best     ", f"{was} -> {now}")))
    end_with_losses(damages, "the log is damaged: what it still holds was compared")


def kind(one: Change) -> str:
    """`added`, `removed`, `renamed` or `changed`."""
    return (
        "renamed" if one.renamed else "added" if one.before is None else "removed" if one.after is None else "changed"
    )


def _lines(one: Change) -> Iterator[str]:
    now = one.after or one.before
    was = one.before or one.after
    assert now is not None
    assert was is not None
    if one.renamed:
        words = f"{was.name} -> {now.name}: the same {plural(one.values_after, 'value')}"
    elif one.before is None or one.after is None:
        words = f"{now.name}: {plural(one.values_before + one.values_after, 'value')} of {now.source}"
    else:
        words = f"{now.name}: {number(one.differing)} of {plural(max(one.values_before, one.values_after), 'value')}"
        if one.values_before != one.values_after:
            words += f", {number(one.values_before)} -> {number(one.values_after)} there"
    yield from _wrapped(f"  {kind(one):9}", words)
    if one.before is None or one.after is None:
        return
    if was.unit != now.unit:
        yield from _wrapped(" " * 11, f"unit {was.unit or 'none'} -> {now.unit or 'none'}")
    if was.hold_s != now.hold_s:
        yield from _wrapped(" " * 11, f"hold {_hold(was.hold_s)} -> {_hold(now.hold_s)}")
    if not math.isnan(one.largest):
        yield from _wrapped(" " * 11, f"by {one.largest:.6g} at most, by {one.mean:.6g} in the mean")
    if one.example is not None:
        frame = one.example.frame
        yield from _wrapped(
            " " * 11,
            f"first at {frame.t / 1e9:.9g} s: {_value(one.example.before)} -> {_value(one.example.after)}, offset "
            f"{number(frame.offset)}, {frame.bus} 0x{frame.id:x}, {frame.payload.hex()}",
        )


def _lap_lines(one: LapChange) -> Iterator[str]:
    before, after = one.before, one.after
    if before is None or after is None:
        change, there = ("added", after) if before is None else ("removed", before)
        assert there is not None
        yield from _wrapped(f"  {change:9}", f"lap {one.number}, {there['kind']}: {_time(there['time_s'])}")
        return
    words = [f"{_time(before['time_s'])} -> {_time(after['time_s'])}"] if before["time_s"] != after["time_s"] else []
    words += [f"{key} {before[key]} -> {after[key]}" for key in ("kind", "valid", "best") if before[key] != after[key]]
    words += [f"why: {after['why'] or 'nothing speaks against it'}"] if before["why"] != after["why"] else []
    if not words:
        names = {
            "t_start": "its begin",
            "t_end": "its end",
            "sectors_s": "its sectors",
            "delta_s": "what it is held to",
        }
        words = [name for key, name in names.items() if before[key] != after[key]]
    yield from _wrapped(f"  {'changed':9}", f"lap {one.number}: {', '.join(words)}")


def _time(time_s: float | None) -> str:
    return clock(time_s) or "no time"


def _best(best: tuple[int, float] | None) -> dict[str, Any] | None:
    return None if best is None else {"number": best[0], "time_s": best[1]}


def _best_words(best: tuple[int, float] | None) -> str:
    return "none" if best is None else f"lap {best[0]}, {clock(best[1])}"


def _wrapped(head: str, words: str) -> list[str]:
    return textwrap.wrap(words, WIDTH, initial_indent=head, subsequent_indent=" " * 13, break_on_hyphens=False)


def _value(value: float) -> str:
    return "missing" if math.isnan(value) else f"{value!r}"


def _hold(seconds: float | None) -> str:
    return "none" if seconds is None else f"{seconds:g} s"


def facts(one: Change) -> dict[str, Any]:
    """The same for programs."""
    example = None
    if one.example is not None:
        frame = one.example.frame
        example = {
            "t": frame.t / 1e9,
            "log_offset": frame.offset,
            "bus": frame.bus,
            "id": frame.id,
            "extended": frame.extended,
            "payload": frame.payload.hex(),
            "before": _plain(one.example.before),
            "after": _plain(one.example.after),
        }
    return {
        "change": kind(one),
        "before": None if one.before is None else _channel(one.before),
        "after": None if one.after is None else _channel(one.after),
        "values_before": one.values_before,
        "values_after": one.values_after,
        "differing": one.differing,
        "largest": _plain(one.largest),
        "mean": _plain(one.mean),
        "example": example,
    }


def _channel(channel: Any) -> dict[str, Any]:
    return {"name": channel.name, "unit": channel.unit, "source": channel.source, "hold_s": channel.hold_s}


def _plain(value: float) -> float | str | None:
    """A number as JSON has it; null where it is missing, a text where it is infinite."""
    return value if math.isfinite(value) else None if math.isnan(value) else str(value)
