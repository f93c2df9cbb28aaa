"""A DBC file in, frozen messages out; what is wrong with it goes to the problems, at the line where it stands.

Law: cantools reads the file, and is met here alone.  A message that its DBC marks as J1939 (the attributes VFrameFormat
and ProtocolType) is one.  What a DBC may get wrong without harm (signals that overlap, or
stick out of their message) is taken as it is.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pitwall.car import j1939
from pitwall.car.definition import Message, Signal
from pitwall.car.document import Problems
from pitwall.imports import without

if TYPE_CHECKING:
    import cantools.database.can as cantools_can

LONGEST_SIGNAL: Final = 64  # bits: what a float64 channel can be made of
_FLOAT_LENGTHS: Final = (16, 32, 64)
_BO: Final = re.compile(r"^\s*BO_\s+(\d+)\s+(\w+)")
_SG: Final = re.compile(r"^\s*SG_\s+(\w+)")
_AT_LINE: Final = re.compile(r"at line (\d+), column (\d+): (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Dbc:
    """What a DBC file says.  messages: in its order.  lines: of each message.  notes: what has no effect, and why."""

    file: str
    content: bytes
    messages: tuple[Message, ...]
    lines: tuple[int, ...]
    notes: tuple[str, ...]


def read(path: Path, shown: str, problems: Problems) -> Dbc | None:
    """The DBC in the file `path`, called `shown` in its problems; None if it can't be read at all."""
    try:
        content = path.read_bytes()
    except OSError as error:
        problems.add((shown, 1), f"can't be read: {error.strerror or error}")
        return None
    text = _text(content)
    places = _Places(text)
    messages = _parsed(text, shown, places, problems)
    if messages is None:
        return None
    if not messages:
        problems.add((shown, 1), "holds no message", "a message begins with BO_")
        return None
    notes: list[str] = []
    read_messages = tuple(_message(message, shown, places, problems, notes) for message in messages)
    lines = tuple(places.message(message.id, message.extended, message.name) for message in read_messages)
    return Dbc(shown, content, read_messages, lines, tuple(notes))


def message(source: cantools_can.Message) -> Message:
    """What pitwall needs of a cantools message; signals longer than 64 bits are left out."""
    signals = tuple(_signal(signal) for signal in source.signals if signal.length <= LONGEST_SIGNAL)
    cycle_ms = source.cycle_time or None  # 0: not sent in a cycle
    read = Message(source.name, source.frame_id, source.is_extended_frame, source.length, signals, cycle_ms)
    return j1939.message(read) if source.protocol == "j1939" else read


def _message(
    source: cantools_can.Message, shown: str, places: _Places, problems: Problems, notes: list[str]
) -> Message:
    seen: set[str] = set()
    for signal in source.signals:
        where = (shown, places.signal(source.frame_id, source.is_extended_frame, signal.name))
        if signal.name in seen:
            problems.add(where, f"message {source.name} holds two signals named {signal.name!r}")
        seen.add(signal.name)
        if signal.length > LONGEST_SIGNAL:
            what = f"signal {signal.name} of {signal.length} bits is not decoded: at most {LONGEST_SIGNAL} are"
            notes.append(f"{where[0]}:{where[1]}: {what}")
        elif signal.conversion.is_float and signal.length not in _FLOAT_LENGTHS:
            what = f"signal {signal.name} is a floating point number of {signal.length} bits"
            problems.add(where, what, "there are 16, 32 and 64")
    read_message = message(source)
    id, extended = read_message.id, read_message.extended
    placed = [replace(one, where=f"{shown}:{places.signal(id, extended, one.name)}") for one in read_message.signals]
    return replace(read_message, signals=tuple(placed))


def _signal(source: cantools_can.Signal) -> Signal:
    conversion = source.conversion
    scale, signal_offset = conversion.scale, conversion.offset
    # as cantools does it: where both are whole, scaling is whole-number arithmetic, and exact
    if not conversion.is_float and float(scale).is_integer() and float(signal_offset).is_integer():
        scale, signal_offset = int(scale), int(signal_offset)
    return Signal(
        name=source.name,
        start=source.start,
        length=source.length,
        big_endian=source.byte_order == "big_endian",
        signed=source.is_signed,
        floating=conversion.is_float,
        scale=scale,
        signal_offset=signal_offset,
        unit=" ".join((source.unit or "").split()),
        multiplexer=source.multiplexer_signal,
        multiplexer_ids=_ranges(source.multiplexer_ids or []),
    )


def _ranges(ids: list[int]) -> tuple[tuple[int, int], ...]:
    ranges: list[tuple[int, int]] = []
    for id in sorted(set(ids)):
        if ranges and id == ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], id)
        else:
            ranges.append((id, id))
    return tuple(ranges)


def _parsed(text: str, shown: str, places: _Places, problems: Problems) -> list[cantools_can.Message] | None:
    # half a second to import, and who only lists cars needs none of it
    with without("asammdf"):
        from cantools.database import errors, load_string
        from cantools.database.can import Database

    logging.getLogger("cantools").setLevel(logging.ERROR)  # what it only warns of (an id given twice) is a problem here
    try:
        database = load_string(text, database_format="dbc", strict=False)
    except errors.UnsupportedDatabaseFormatError as error:
        line, column, what = _reason(str(error.e_dbc or error), places)
        problems.add((shown, line, column), f"is no valid DBC: {what}")
        return None
    # a damaged file meets cantools' own indexing before it meets its checks
    except (errors.Error, ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        problems.add((shown, 1), f"is no valid DBC: {type(error).__name__}: {error}")
        return None
    assert isinstance(database, Database)
    return list(database.messages)


def _reason(text: str, places: _Places) -> tuple[int, int, str]:
    """cantools' words behind the line and the column that they are about (1 where they don't say)."""
    if found := _AT_LINE.search(text):
        rest = found[3].strip().strip('"').replace(">>!<<", "→")
        return int(found[1]), int(found[2]), f"invalid syntax: {rest}"
    if named := re.search(r"in message (\w+)", text):
        return places.named(named[1]), 1, text
    return 1, 1, text


def _text(content: bytes) -> str:
    """DBCs are Windows-1252 by tradition and UTF-8 in fact."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


class _Places:
    """The lines where messages and signals of a DBC begin."""

    def __init__(self, text: str) -> None:
        self._messages: dict[tuple[int, str], int] = {}
        self._signals: dict[tuple[int, str], int] = {}
        key = -1
        for number, line in enumerate(text.splitlines(), start=1):
            if found := _BO.match(line):
                key = int(found[1])
                self._messages.setdefault((key, found[2]), number)
            elif found := _SG.match(line):
                # the last one: of two signals of a name it is the second that is one too many
                self._signals[(key, found[1])] = number

    def message(self, id: int, extended: bool, name: str) -> int:
        key = id | extended << 31
        return self._messages.get((key, name)) or next((n for (k, _), n in self._messages.items() if k == key), 1)

    def named(self, name: str) -> int:
        return next((line for (_, known), line in self._messages.items() if known == name), 1)

    def signal(self, id: int, extended: bool, name: str) -> int:
        return self._signals.get((id | extended << 31, name)) or self.message(id, extended, "")
