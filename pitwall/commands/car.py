"""`pitwall car`: a car's definition checked, shown, begun, and what an editor needs to help with it."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pitwall.commands.options import Places, json_option, option, places
from pitwall.commands.output import WIDTH, plural, print_json, print_table
from pitwall.commands.progress import Bar
from pitwall.commands.reporting import end_with_losses
from pitwall.errors import CarError

if TYPE_CHECKING:
    from pitwall.car import Car
    from pitwall.car.definition import Derived, Measured


@click.group
def car() -> None:
    """Check a car's definition, show what it makes, begin one from a capture."""


@car.command(short_help="Say everything that is wrong with a car's definition.")
@click.argument("name", metavar="CAR")
@places("cars")
@json_option
@click.pass_context
def check(context: click.Context, places: Places, name: str, as_json: bool) -> None:
    """Say everything that is wrong with CAR's definition and its DBC files.

    Each problem stands on a line of its own, as FILE:LINE:COLUMN: WHAT (HINT), and
    the exit code is 2.  Where nothing is wrong, one line says what the car holds.
    """
    from pitwall.car import load

    try:
        found = load(places.cars, name)
    except CarError as error:
        if not as_json:
            raise
        print_json({"car": name, "problems": [problem(line) for line in error.problems], "notes": []})
        context.exit(error.exit_code)
    if as_json:
        print_json({"car": name, "problems": [], "notes": list(found.notes)})
        return
    for note in found.notes:
        click.echo(f"pitwall: {note}", err=True)
    messages = sum(len(bus.messages) for bus in found.buses)
    click.echo(
        f"{name}: {plural(len(found.channels) + len(found.derived), 'channel')}, {len(found.derived)} of them derived, "
        f"from {plural(messages, 'message')} on {'1 bus' if len(found.buses) == 1 else f'{len(found.buses)} buses'}; "
        f"{plural(len(found.roles), 'role')}"
    )


@car.command(short_help="List every channel of a car, and what it is made of.")
@click.argument("name", metavar="CAR")
@places("cars")
@json_option
def show(places: Places, name: str, as_json: bool) -> None:
    """List every channel of CAR: its unit, how often it comes, and what it is made of.

    HZ is what the DBC says of its message.  FROM is the signal, behind it the steps in
    the order in which they are done; of a derived channel it is the formula or method.
    """
    from pitwall.car import load

    found = load(places.cars, name)
    channels = [*_measured(found), *map(_derived, found.derived)]
    if as_json:
        about, roles = dict(found.about), dict(found.roles)
        print_json(
            {"car": name, "about": about, "fingerprint": found.fingerprint, "roles": roles, "channels": channels}
        )
        return
    heads = ("CHANNEL", "UNIT", "HZ", "FROM")
    cells = [
        (one["name"], one["unit"], f"{one['rate_hz']:.4g}" if one["rate_hz"] else "", "; ".join(_words(one)))
        for one in channels
    ]
    room = WIDTH - sum(2 + max(len(head), *(len(row[i]) for row in cells), 0) for i, head in enumerate(heads[:-1]))
    rows = []
    for *first, words in cells:
        parts = textwrap.wrap(words, room) or [""]
        rows += [(*first, parts[0]), *(("", "", "", part) for part in parts[1:])]
    print_table(heads, rows, right=("HZ",))


@car.command(short_help="Begin a car with a skeleton of what captures hold.")
@click.argument("name", metavar="NAME")
@option(
    "--from",
    "captures",
    multiple=True,
    required=True,
    metavar="CAPTURE",
    type=click.Path(path_type=Path),
    help="A capture of the car's buses; may be repeated.",
)
@places("cars")
@json_option
def new(places: Places, name: str, captures: tuple[Path, ...], as_json: bool) -> None:
    """Begin the car NAME with a skeleton of what captures hold, and print its folder.

    Every id becomes a message of a DBC, one DBC a bus; every byte that ever changed
    becomes a signal, named by id and byte.  Fields that look like counters or
    checksums are named so.  Comments say what was seen of each id: how often it
    came, which bytes never changed.  The captures are those that `pitwall import`
    reads.  What is there already is never written over.

    \b
    Examples:
      pitwall car new mx5 --from drive.log
      pitwall car new mx5 --from front.blf --from rear.blf --cars my-cars
      pitwall import drive.log --car mx5
    """
    from pitwall.bus.capture import read_captures
    from pitwall.commands.beginning import begin, home

    folder = home(places.cars, name)  # what is wrong with the name is said before a long capture is read
    with Bar("reading") as bar:
        timeline = read_captures(captures, bar)
    begun = begin(folder, timeline)
    for note in timeline.notes:
        click.echo(f"pitwall: {note}", err=True)
    if as_json:
        print_json({"car": name, "folder": str(folder), **begun.facts(), "problems": timeline.problems})
    else:
        click.echo(folder)
        click.echo(f"pitwall: {begun.summary()}", err=True)
    end_with_losses(timeline.problems, "made of what could be read; what is above was lost")


@car.command(short_help="Print the JSON Schema of car.yaml, for an editor.")
def schema() -> None:
    """Print a JSON Schema of car.yaml, by which editors complete and check it.

    The cars folder holds it as car.schema.json; a car.yaml whose first line is
    `# yaml-language-server: $schema=../car.schema.json` is checked by it.
    """
    from pitwall.car.schema import schema as made

    print_json(made())


def problem(line: str) -> dict[str, Any]:
    """A problem's line, taken apart."""
    found = re.fullmatch(r"(.*?):(\d+):(\d+): (.*)", line)
    assert found is not None, "every problem has a place"
    return {"file": found[1], "line": int(found[2]), "column": int(found[3]), "what": found[4]}


def _measured(car: Car) -> list[dict[str, Any]]:
    messages = {(bus.name, message.name): message for bus in car.buses for message in bus.messages}
    several = len(car.buses) > 1
    found = []
    for channel in car.channels:
        message = messages[(channel.bus, channel.message)]
        unit = next(signal.unit for signal in message.signals if signal.name == channel.signal)
        signal = f"{channel.message}.{channel.signal}"
        found.append(
            {
                "name": channel.name,
                "unit": channel.unit,
                "source": f"{channel.bus}.{signal}" if several else signal,
                "steps": _steps(channel, unit),
                "rate_hz": 1000 / message.cycle_ms if message.cycle_ms else None,
            }
        )
    return found


def _derived(channel: Derived) -> dict[str, Any]:
    return {"name": channel.name, "unit": channel.unit, "source": channel.source, "steps": [], "rate_hz": None}


def _words(channel: dict[str, Any]) -> list[str]:
    return [channel["source"], *channel["steps"]]


def _steps(channel: Measured, signal_unit: str) -> list[str]:
    """What is done to the signal, in order, as people say it."""
    words = []
    if channel.table is not None:
        words.append(f"table of {plural(len(channel.table.raw), 'point')}")
    elif _only_converts(channel, signal_unit):
        words.append(f"{signal_unit} to {channel.unit}")
    if not words or channel.table is not None:
        if channel.factor != 1:
            words.append(f"* {channel.factor:.6g}")
        if channel.bias != 0:
            words.append(f"{'+' if channel.bias > 0 else '-'} {abs(channel.bias):.6g}")
    words += map(str, channel.steps)
    if channel.hold_ns is not None:
        words.append(f"hold {channel.hold_ns / 1e9:g} s")
    return words


def _only_converts(channel: Measured, signal_unit: str) -> bool:
    """Whether a change of units is all that its factor and its bias are."""
    from pitwall.car import units

    if (channel.factor, channel.bias) == (1.0, 0.0):
        return False
    try:
        factor, bias = units.conversion(signal_unit, channel.unit)
    except units.UnitError:
        return False
    return (channel.factor, channel.bias) == (float(factor), float(bias))
