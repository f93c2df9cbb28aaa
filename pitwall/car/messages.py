"""The keys `protocol:` and `messages:` of a bus in, its messages as the car says that they are out.

`protocol` says what the frames are: `j1939` (so does a DBC that is marked as one), `obd2`.  `messages` says which
message has a counter, and which a checksum: how that is computed is in `pitwall.car.checksums`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from pitwall.car import j1939
from pitwall.car.checksums import METHODS
from pitwall.car.definition import Checksum, Counter, Message, Signal
from pitwall.car.document import Entry, suggestion
from pitwall.car.kinds import TEXT, Key, Kind, closed

_BYTES: Final = re.compile(r"(\d+)(?:-(\d+))?")
_LONGEST: Final = 64

_BYTE: Final = {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 255}, {"type": "string"}]}
_BYTES_KIND: Final = Kind(lambda entry: entry, {"anyOf": [*_BYTE["anyOf"], {"type": "array", "items": _BYTE}]})

COUNTER_KEYS: Final[Mapping[str, Key]] = {
    "signal": Key(TEXT, "the signal that counts"),
    "modulo": Key(Kind(lambda entry: entry.whole(above=1), {"type": "integer", "minimum": 2}), "where it begins anew"),
}
CHECKSUM_KEYS: Final[Mapping[str, Key]] = {
    "signal": Key(TEXT, "the signal that holds it"),
    "method": Key(Kind(Entry.text, {"enum": list(METHODS)}), "how it is computed"),
    "over": Key(_BYTES_KIND, "the payload's bytes that it is computed over: 0-6, or a list"),
    "before": Key(_BYTES_KIND, "bytes that are put before those"),
    "after": Key(_BYTES_KIND, "bytes that are put behind those"),
}
KEYS: Final[Mapping[str, Key]] = {
    "counter": Key(
        Kind(lambda entry: entry, {"anyOf": [{"type": "string"}, closed(COUNTER_KEYS, ["signal"])]}),
        "a signal that counts the frames",
    ),
    "checksum": Key(
        Kind(lambda entry: entry, closed(CHECKSUM_KEYS, ["signal", "method"])),
        "a signal that tells whether a frame is whole",
    ),
}
MESSAGES: Final = Kind(
    lambda entry: entry, {"type": "object", "additionalProperties": {**closed(KEYS), "minProperties": 1}}
)


def of_protocol(entry: Entry | None, messages: Sequence[Message], *, complete: bool) -> list[Message]:
    """The messages, as those of the bus's protocol; `entry` is its key `protocol:`.

    complete: whether `messages` are all; if a DBC could not be read, a protocol that none of them has is no problem.
    """
    name = None if entry is None else entry.text()
    if entry is None or name is None:
        return list(messages)
    if name not in PROTOCOLS:
        entry.problem(f"there is no protocol {name!r}", suggestion(name, PROTOCOLS))
        return list(messages)
    of_it, ids = PROTOCOLS[name]
    if complete and not any(of_it(message) for message in messages):
        entry.problem("no message of a DBC of this bus is of it", f"they have {ids}")
    return [_as(name, message) if of_it(message) else message for message in messages]


def checked(section: Entry | None, messages: Sequence[Message], *, complete: bool) -> list[Message]:
    """The messages, with the counters and checksums that the section `messages:` of their bus gives them.

    complete: whether `messages` are all; if a DBC could not be read, an unknown one is no problem.
    """
    if section is not None and section.holds_nothing:
        section.problem("holds nothing", "leave it out")
    by_name = {message.name: message for message in messages}
    said: dict[str, Message] = {}
    for name, entry in ({} if section is None else section.mapping()).items():
        message = by_name.get(name)
        keys = entry.mapping(KEYS)
        if message is None:
            if complete:
                entry.problem(f"no DBC of this bus has a message {name!r}", suggestion(name, by_name))
            continue
        if message.isotp:
            entry.problem("answers have no counter and no checksum of their own")
            continue
        if entry.empty or (not keys and not entry.mapping() and not entry.is_text):
            entry.problem("says nothing", "counter: Alive, or checksum: {signal: Crc, method: crc8-autosar}")
        counter = _counter(keys["counter"], message) if "counter" in keys else None
        checksum = _checksum(keys["checksum"], message) if "checksum" in keys else None
        said[name] = replace(message, counter=counter, checksum=checksum)
    return [said.get(message.name, message) for message in messages]


def _is_answer(message: Message) -> bool:
    if message.extended:
        return message.id & 0x1FFFFF00 == 0x18DAF100
    return 0x7E8 <= message.id <= 0x7EF


def _as(protocol: str, message: Message) -> Message:
    return j1939.message(message) if protocol == "j1939" else replace(message, isotp=True)


PROTOCOLS: Final[dict[str, tuple[Callable[[Message], bool], str]]] = {
    "j1939": (lambda message: message.extended, "ids of 29 bits"),
    "obd2": (_is_answer, "the ids 0x7E8 to 0x7EF, or 0x18DAF100 to 0x18DAF1FF"),
}
"""By its name: which messages of a bus are of it, and what ids they have."""

PROTOCOL: Final = Kind(Entry.text, {"enum": list(PROTOCOLS)})


def _counter(entry: Entry, message: Message) -> Counter | None:
    keys = {"signal": entry} if entry.is_text else entry.mapping(COUNTER_KEYS)
    signal = _signal(keys, entry, message)
    modulo = keys["modulo"].whole(above=1) if "modulo" in keys else None
    if signal is None:
        return None
    values = 1 << signal.length
    if modulo is not None and modulo > values:
        keys["modulo"].problem(f"{signal.name} of {signal.length} bits has {values} values, not {modulo}")
        return None
    return Counter(signal.name, modulo or min(values, 1 << 62))


def _checksum(entry: Entry, message: Message) -> Checksum | None:
    keys = entry.mapping(CHECKSUM_KEYS)
    if entry.is_text:
        return None
    signal = _signal(keys, entry, message)
    method = keys["method"].text() if "method" in keys else None
    if "method" not in keys:
        entry.problem("says no method", f"there are {', '.join(METHODS)}")
    elif method is not None and method not in METHODS:
        keys["method"].problem(f"there is no method {method!r}", suggestion(method, METHODS))
        method = None
    over = _numbers(keys["over"], last=_LONGEST - 1) if "over" in keys else None
    before, after = (_numbers(keys[key], last=255) if key in keys else [] for key in ("before", "after"))
    if signal is None or method is None or before is None or after is None:
        return None
    if over is None and "over" in keys:
        return None
    if over is None:
        own = {byte for byte, bits in signal.bits().items() if bits == 0xFF}
        over = [byte for byte in range(min(message.length, _LONGEST)) if byte not in own]
    if not over:
        (keys.get("over") or entry).problem("no byte is left to compute it over", "over: 0-6")
        return None
    return Checksum(signal.name, method, tuple(over), bytes(before), bytes(after))


def _signal(keys: dict[str, Entry], entry: Entry, message: Message) -> Signal | None:
    """The signal that `signal:` names; None, and a problem, where it can't be a counter or a checksum."""
    if "signal" not in keys:
        if not entry.is_text:
            entry.problem("says no signal", suggestion("", [signal.name for signal in message.signals]))
        return None
    name = keys["signal"].text()
    if name is None:
        return None
    signal = next((signal for signal in message.signals if signal.name == name), None)
    if signal is None:
        names = [signal.name for signal in message.signals]
        keys["signal"].problem(f"message {message.name} has no signal {name!r}", suggestion(name, names))
    elif signal.multiplexer is not None or signal.floating:
        keys["signal"].problem(f"{name!r} is not in every frame as a whole number")
        return None
    return signal


def _numbers(entry: Entry, *, last: int) -> list[int] | None:
    """`0`, `1-6`, `0x1F` or a list of these, up to `last`; None, and a problem, for anything else."""
    found: list[int] = []
    for item in entry.items():
        text = item.text()
        if text is None:
            return None
        span = _BYTES.fullmatch(text)
        hexadecimal = re.fullmatch(r"0[xX][0-9a-fA-F]{1,2}", text)
        if span is None and hexadecimal is None:
            item.problem(f"a byte is expected here, not {text!r}", "3, 0x1F, 1-6, or a list of these")
            return None
        first = int(text, 16) if span is None else int(span[1])
        final = first if span is None or span[2] is None else int(span[2])
        if not first <= final <= last:
            item.problem(f"{text!r} is no part of 0 to {last}")
            return None
        found += range(first, final + 1)
    return found
