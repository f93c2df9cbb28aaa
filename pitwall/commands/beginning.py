"""A time line of captures in, the folder of a new car out, whole or not at all."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from pitwall.car import load, skeleton
from pitwall.car.observed import Seen, observed
from pitwall.commands.output import plural
from pitwall.errors import PitwallError, UsageError

if TYPE_CHECKING:
    from pitwall.bus.capture import Timeline

SCHEMA: Final = "car.schema.json"

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")  # what the log takes as a car's name


@dataclass(frozen=True, slots=True)
class Begun:
    """What a skeleton was made of."""

    buses: tuple[skeleton.Line, ...]

    def facts(self) -> dict[str, Any]:
        """Each bus, each of its ids, and what was seen of it."""
        return {
            "buses": [
                {"name": line.name, "dbc": line.dbc, "ids": [_facts(seen) for seen in line.seen]} for line in self.buses
            ]
        }

    def summary(self) -> str:
        """How much there is of what, on one line."""
        every = [seen for line in self.buses for seen in line.seen]
        moving = sum(byte.moved != 0 for seen in every for byte in seen.bytes)
        counters = sum(len(seen.counters) for seen in every)
        checksums = sum(seen.checksum is not None for seen in every)
        buses = "1 bus" if len(self.buses) == 1 else f"{len(self.buses)} buses"
        return (
            f"{plural(len(every), 'id')} on {buses}, {plural(moving, 'byte')} that changed; "
            f"it looks as if there were {plural(counters, 'counter')} and {plural(checksums, 'checksum')}"
        )


def home(cars: Path, name: str) -> Path:
    """The folder of the new car `name` in `cars`; in ./cars where nobody said another.

    Raises UsageError where a car can't be called that, or where there is something of that name.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name[:40]!r} can't name a car", hint="letters, digits, dot, dash and underscore")
    folder = (cars if _said() else Path("cars")) / name
    if folder.exists():
        raise UsageError("is there already", where=folder, hint="choose another name, or remove it first")
    return folder


def _said() -> bool:
    """Whether anybody said where cars are: else it may be the folder that came with pitwall, which is no one's own."""
    context: click.Context | None = click.get_current_context()
    while context is not None:
        if context.get_parameter_source("cars") not in (None, ParameterSource.DEFAULT):
            return True
        context = context.parent
    return False


def begin(folder: Path, timeline: Timeline) -> Begun:
    """Write the car's files into the new folder `folder`.

    Raises UsageError where nothing was heard, PitwallError where they can't be written.
    """
    lines = skeleton.lines(timeline.buses, observed(timeline.frames))
    files = ", ".join(capture.path.name for capture in timeline.captures)
    if not lines:
        raise UsageError("no frame was heard, only sent, asked for or in error", where=files)
    span_s = float(timeline.frames.t[-1]) / 1e9
    schema = (folder.parent / SCHEMA).is_file()
    texts = skeleton.files(folder.name, lines, made_from=files, span_s=span_s, schema=schema)
    # a level deeper than cars are looked for: who watches the cars' folder sees this one when it is whole
    unfinished = folder.parent / ".unfinished" / folder.name
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            unfinished.mkdir(parents=True)
            for name, text in texts.items():
                (unfinished / name).write_text(text, encoding="utf-8")
            load(unfinished.parent, unfinished.name)
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished.parent, ignore_errors=True)
    except OSError as error:
        raise PitwallError(f"can't be written: {error.strerror or error}", where=folder) from error
    return Begun(lines)


def _facts(seen: Seen) -> dict[str, Any]:
    checksum = seen.checksum
    return {
        "id": seen.id,
        "extended": seen.extended,
        "message": skeleton.word(seen),
        "frames": seen.frames,
        "lengths": list(seen.lengths),
        "rate_hz": seen.rate_hz,
        "cycle_ms": seen.cycle_ms,
        "bytes": [
            {"lowest": byte.lowest, "highest": byte.highest, "values": byte.values, "moved": byte.moved}
            for byte in seen.bytes
        ],
        "counters": [
            {"byte": each.byte, "first_bit": each.first, "bits": each.bits, "modulo": each.modulo}
            for each in seen.counters
        ],
        "checksum": checksum and {"byte": checksum.byte, "method": checksum.method, "before": checksum.before},
    }
