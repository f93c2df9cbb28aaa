"""What a capture's ids did in, the files of a car out that says so: car.yaml, and a DBC for each bus.

Law: the car is one that loads without a problem, and nothing in it claims to be known: a message is called by its id,
and a signal by its byte.  A byte that never changed is told of in a comment, and is no signal.
"""

from __future__ import annotations

import json
import re
from collections import Counter as Tally
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pitwall.car.definition import Bus
from pitwall.car.load import DEFINITION
from pitwall.car.observed import Byte, Counter, Seen

SCHEMA_LINE: Final = "# yaml-language-server: $schema=../car.schema.json"

OBD2_ANSWERS: Final = range(0x7E8, 0x7F0)
"""With 29 bits 0x18DAF100 to 0x18DAF1FF (ISO 15765-4)."""

_PLAIN: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_YAML_WORDS: Final = frozenset(("true", "false", "yes", "no", "on", "off", "null", "y", "n"))


@dataclass(frozen=True, slots=True)
class Field:
    """A signal of a skeleton: bits of one byte, from `first` on.  kind: `byte`, `counter` or `checksum`."""

    name: str
    byte: int
    first: int
    bits: int
    kind: str


@dataclass(frozen=True, slots=True)
class Line:
    """A bus of a skeleton.  captured: its name in the capture; name: in the car, where that can't be the same."""

    name: str
    captured: str
    dbc: str
    seen: tuple[Seen, ...]


def lines(buses: Sequence[str], seen: Sequence[Seen]) -> tuple[Line, ...]:
    """The buses of the captures on which something was heard, each with a name that a car's bus can have."""
    found: list[Line] = []
    taken: set[str] = set()
    for index, captured in enumerate(buses):
        here = tuple(each for each in seen if each.bus == index)
        if not here:
            continue
        name = captured or "bus"
        number = 2
        while Bus(name, ()).word.casefold() in taken:
            name, number = f"{captured or 'bus'}_{number}", number + 1
        word = Bus(name, ()).word
        taken.add(word.casefold())
        found.append(Line(name, captured, f"{word}.dbc", here))
    return tuple(found)


def files(name: str, buses: Sequence[Line], *, made_from: str, span_s: float, schema: bool) -> dict[str, str]:
    """The text of each file of the car `name`.

    made_from: the captures, in words.  span_s: how long they are.  schema: whether the cars' folder holds the schema.
    """
    shared = _on_several(buses)
    texts = {line.dbc: _dbc(line, shared) for line in buses}
    texts[DEFINITION] = _yaml(name, buses, made_from, span_s, schema=schema)
    return texts


def word(seen: Seen) -> str:
    """What a message is called: `x0D2`, and of an extended id `x18FEF100`."""
    return f"x{seen.id:08X}" if seen.extended else f"x{seen.id:03X}"


def fields(seen: Seen, prefix: str = "") -> tuple[Field, ...]:
    """The signals of a message: its counters, its checksum, and all else that changed, byte by byte."""
    stem = f"{prefix}{word(seen)}"
    found = []
    for place, byte in enumerate(seen.bytes):
        if seen.checksum is not None and seen.checksum.byte == place:
            found.append(Field(f"{stem}_checksum", place, 0, 8, "checksum"))
            continue
        counters = [counter for counter in seen.counters if counter.byte == place]
        for counter in counters:
            ending = "counter" if len(seen.counters) == 1 else f"counter_b{place}_{counter.first}"
            found.append(Field(f"{stem}_{ending}", place, counter.first, counter.bits, "counter"))
        found += [
            Field(f"{stem}_b{place}" + (f"_{first}" if counters else ""), place, first, bits, "byte")
            for first, bits in _rest(byte, counters)
        ]
    return tuple(found)


def _rest(byte: Byte, counters: Sequence[Counter]) -> list[tuple[int, int]]:
    """Runs of bits (first, how many) between the counters of a byte, of which one at least changed."""
    taken = sum((2**counter.bits - 1) << counter.first for counter in counters)
    runs = [match.span() for match in re.finditer("0+", f"{taken:08b}"[::-1])]
    return [(first, end - first) for first, end in runs if byte.moved >> first & (2 ** (end - first) - 1)]


def _on_several(buses: Sequence[Line]) -> set[tuple[bool, int]]:
    """The ids that are on more than one bus: their signals are called by the bus, too."""
    tally = Tally((seen.extended, seen.id) for line in buses for seen in line.seen)
    return {id for id, count in tally.items() if count > 1}


def _dbc(line: Line, shared: set[tuple[bool, int]]) -> str:
    head = ['VERSION ""', "", "NS_ :", " NS_DESC_", " CM_", " BA_DEF_", " BA_", " BA_DEF_DEF_", "", "BS_:", "", "BU_:"]
    body: list[str] = []
    comments: list[str] = []
    cycles: list[str] = []
    for seen in line.seen:
        id = seen.id | seen.extended << 31
        body += ["", f"BO_ {id} {word(seen)}: {seen.length} Vector__XXX"]
        body += [
            f' SG_ {field.name} : {8 * field.byte + field.first}|{field.bits}@1+ (1,0) [0|0] "" Vector__XXX'
            for field in fields(seen, _prefix(line, seen, shared))
        ]
        comments.append(f'CM_ BO_ {id} "{" ".join(told(seen))}";')
        if seen.cycle_ms is not None:
            cycles.append(f'BA_ "GenMsgCycleTime" BO_ {id} {seen.cycle_ms};')
    attribute = ['BA_DEF_ BO_ "GenMsgCycleTime" INT 0 3600000;', 'BA_DEF_DEF_ "GenMsgCycleTime" 0;']
    return "\n".join([*head, *body, "", *comments, "", *attribute, *cycles, ""])


def told(seen: Seen) -> list[str]:
    """What was seen of an id, in sentences."""
    rate = "" if seen.rate_hz is None else f", {seen.rate_hz:.3g} Hz"
    rate = f", every {seen.cycle_ms} ms" if seen.cycle_ms is not None else rate
    shortest = f"{seen.lengths[0]} to " if seen.lengths[0] != seen.length else ""
    sentences = [f"{_count(seen.frames, 'frame')}{rate}, {shortest}{_count(seen.length, 'byte')}."]
    constant = [f"b{i} 0x{byte.lowest:02X}" for i, byte in enumerate(seen.bytes) if not byte.moved]
    if constant:
        sentences.append(f"Never changed: {', '.join(constant)}.")
    sentences += [
        f"b{counter.byte} from bit {counter.first} on, {counter.bits} bits, looks like a counter: "
        f"0 to {counter.modulo - 1}."
        for counter in seen.counters
    ]
    if seen.checksum is not None:
        what = f"{seen.checksum.method} of the other bytes gives it, but for a constant"
        sentences.append(f"b{seen.checksum.byte} looks like a checksum: {what}.")
    if (seen.extended, seen.id & ~0xFF) == (True, 0x18DAF100) or (not seen.extended and seen.id in OBD2_ANSWERS):
        sentences.append("OBD-II answers come with this id: the car obd2 that ships decodes them.")
    elif seen.extended:
        sentences.append(f"If it is J1939: {_j1939(seen.id)}.")
    return sentences


def _j1939(id: int) -> str:
    """The parts of a J1939 id (SAE J1939-21): below 0xF000 a group's low byte is a destination."""
    group, source = id >> 8 & 0x3FFFF, id & 0xFF
    to = ""
    if group & 0xFF00 < 0xF000:
        to, group = f" to 0x{group & 0xFF:02X}", group & 0x3FF00
    return f"group {group} (0x{group:04X}) from 0x{source:02X}{to}, priority {id >> 26}"


def _yaml(name: str, buses: Sequence[Line], made_from: str, span_s: float, *, schema: bool) -> str:
    count = sum(seen.frames for line in buses for seen in line.seen)
    shared = _on_several(buses)
    head = [SCHEMA_LINE] if schema else []
    head += [
        f"# A skeleton: all that stands here was seen in {made_from}, and nothing is known yet.",
        f"# {count:,} frames in {span_s:.1f} s.  Each byte that changed is a signal: x0D2_b3 is byte 3 of id 0x0D2.",
        "# The comments of the DBC tell what each id did.  Find out what a byte is, give it its name and its unit",
        "# there, delete what is nothing, and go on here with channels, derived and roles.",
        f"car: {{name: {_quoted(name)}, about: {_quoted('a skeleton of ' + made_from)}}}",
        "",
        "buses:",
    ]
    return "\n".join([*head, *(text for line in buses for text in _bus(line, span_s, shared)), ""])


def _bus(line: Line, span_s: float, shared: set[tuple[bool, int]]) -> list[str]:
    count = sum(seen.frames for seen in line.seen)
    rate = f", {count / span_s:,.0f} frames/s" if span_s > 0 else ""
    texts = [
        f"  {_quoted(line.name)}:  # {_count(len(line.seen), 'id')}{rate}; say interface and bitrate to record it",
        f"    dbc: {_quoted(line.dbc)}",
    ]
    if line.captured and line.name != line.captured:
        texts.append(f"    channel: {_quoted(line.captured)}")
    if any(seen.fd for seen in line.seen):
        texts.append("    fd: true")
    checks = [f"    #   {word(seen)}: {{{said}}}" for seen in line.seen if (said := _checks(line, seen, shared))]
    if checks:
        texts += [
            "    # what looks like counters and checksums; without the # they are checked in every frame",
            "    # messages:",
        ]
    return texts + checks


def _checks(line: Line, seen: Seen, shared: set[tuple[bool, int]]) -> str:
    """What a bus may say of a message's counter, if it has but one, and of its checksum."""
    said = []
    names = {field.kind: field.name for field in fields(seen, _prefix(line, seen, shared))}
    if len(seen.counters) == 1:
        (counter,) = seen.counters
        name = names["counter"]
        whole = counter.modulo == 2**counter.bits
        said.append(f"counter: {name}" if whole else f"counter: {{signal: {name}, modulo: {counter.modulo}}}")
    if seen.checksum is not None and seen.checksum.before is not None:
        before = f", before: [0x{seen.checksum.before[0]:02X}]" if seen.checksum.before else ""
        said.append(f"checksum: {{signal: {names['checksum']}, method: {seen.checksum.method}{before}}}")
    return ", ".join(said)


def _prefix(line: Line, seen: Seen, shared: set[tuple[bool, int]]) -> str:
    return f"{Bus(line.name, ()).word}_" if (seen.extended, seen.id) in shared else ""


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _quoted(text: str) -> str:
    """A YAML scalar: plain where that can be nothing but this text, else as JSON has it."""
    plain = _PLAIN.fullmatch(text) and text.casefold() not in _YAML_WORDS
    return text if plain or re.fullmatch(r"[A-Za-z_]\w*\.dbc", text, re.ASCII) else json.dumps(text)
