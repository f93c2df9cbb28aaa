"""Signals of the DBCs and the section `channels:` in, measured channels with names of their own out.

Names.  A signal that the definition names has that name.  Every other keeps its DBC name where nothing else claims it:
no channel or derived channel of the definition, no word of expressions, no other signal.  Where something does, every
unnamed signal of that name is called `Message_signal`, and if that is taken too, `bus_Message_signal`.  Names are
compared without case.

Values.  value of the signal → unit conversion → times `sign` → times `scale` → plus `offset` (in the channel's unit):
folded into one factor and one bias, in decimal arithmetic.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from pitwall.car import units
from pitwall.car.definition import Bus, Measured, Signal
from pitwall.car.document import Entry, suggestion
from pitwall.car.expression import WORDS

RESERVED: Final = frozenset({"t", "at", *WORDS})
"""No channel may be called so: `t` and `at` are columns of every table, the others mean something in expressions."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
KEYS: Final = ("from", "unit", "signal_unit", "sign", "scale", "offset")


@dataclass(frozen=True, slots=True)
class Place:
    """A signal, and where it is.  bus_word: the bus as part of a name."""

    bus: str
    bus_word: str
    message: str
    signal: Signal

    @property
    def names(self) -> tuple[str, str, str]:
        """What it may be called, shortest first."""
        name = self.signal.name
        return (name, f"{self.message}_{name}", f"{self.bus_word}_{self.message}_{name}")

    @property
    def paths(self) -> tuple[str, str, str]:
        """What `from:` may call it, shortest first."""
        name = self.signal.name
        return (name, f"{self.message}.{name}", f"{self.bus}.{self.message}.{name}")


def places(buses: Iterable[Bus]) -> list[Place]:
    """Every signal of every bus, in the order of the files."""
    return [
        Place(bus.name, bus.word, message.name, signal)
        for bus in buses
        for message in bus.messages
        for signal in message.signals
    ]


def is_name(entry: Entry, name: str) -> bool:
    """Whether a channel may be called `name`; if not, that is a problem of `entry`."""
    if not _NAME.fullmatch(name):
        entry.problem(f"{name!r} can't be a name", "letters, digits and _, not beginning with a digit, at most 63")
        return False
    if name.casefold() in RESERVED:
        entry.problem(f"{name!r} can't be a name: it means something else", "choose another")
        return False
    return True


def named(section: Entry | None, everything: Sequence[Place], *, complete: bool) -> list[tuple[Measured, Place]]:
    """The channels of the section `channels:`, each with the signal that it comes from.

    complete: whether `everything` is all there is; if a DBC could not be read, an unknown signal is no problem.
    """
    if section is None:
        return []
    by_path: dict[str, list[Place]] = {}
    for place in {place.paths[-1]: place for place in everything}.values():
        for path in place.paths:
            by_path.setdefault(path, []).append(place)
    found = []
    for name, entry in section.mapping().items():
        channel = _channel(name, entry, by_path, complete=complete)
        if channel is not None:
            found.append(channel)
    return found


def unnamed(everything: Sequence[Place], taken: Iterable[str], named_places: Iterable[Place]) -> list[Measured]:
    """A channel for every signal that the definition does not name, none of them called as `taken` are."""
    claimed = {name.casefold() for name in taken} | RESERVED
    used = {place.paths[-1] for place in named_places}
    rest = [place for place in everything if place.paths[-1] not in used]
    names: dict[int, str] = {}
    for length in range(3):
        open_places = [i for i in range(len(rest)) if i not in names]
        wishes = Counter(rest[i].names[length].casefold() for i in open_places)
        for i in open_places:
            wish = rest[i].names[length]
            if wishes[wish.casefold()] == 1 and wish.casefold() not in claimed:
                names[i] = wish
        claimed |= {name.casefold() for name in names.values()} | set(wishes)
    for i, place in enumerate(rest):
        names.setdefault(i, _numbered(place.names[-1], claimed))
    return [
        Measured(names[i], place.signal.unit, place.bus, place.message, place.signal.name)
        for i, place in enumerate(rest)
    ]


def _numbered(name: str, claimed: set[str]) -> str:
    number = next(n for n in range(2, 1_000_000) if f"{name}_{n}".casefold() not in claimed)
    claimed.add(f"{name}_{number}".casefold())
    return f"{name}_{number}"


def _channel(
    name: str, entry: Entry, by_path: dict[str, list[Place]], *, complete: bool
) -> tuple[Measured, Place] | None:
    keys = entry.mapping(KEYS)
    if not is_name(entry, name):
        return None
    source = keys.get("from")
    path = name if source is None else source.text()
    place = None if path is None else _place(path, source or entry, by_path, complete=complete)
    factor_and_bias = _numbers(keys)
    if place is None:
        return None
    converted = _converted(place, keys, entry)
    if factor_and_bias is None or converted is None:
        return None
    unit, unit_factor, unit_bias = converted
    factor, bias = factor_and_bias
    channel = Measured(
        name=name,
        unit=unit,
        bus=place.bus,
        message=place.message,
        signal=place.signal.name,
        factor=float(unit_factor * factor),
        bias=float(unit_bias * factor + bias),
    )
    return channel, place


def _place(path: str, entry: Entry, by_path: dict[str, list[Place]], *, complete: bool) -> Place | None:
    found = by_path.get(path, [])
    if len(found) == 1:
        return found[0]
    if found:
        # the shortest spelling that tells them apart
        by_message = {place.paths[1] for place in found}
        depth = 1 if len(by_message) == len(found) else 2
        choices = " or ".join(place.paths[depth] for place in found)
        entry.problem(f"{path!r} names {len(found)} signals", f"say {choices}")
    elif complete:
        elsewhere = by_path.get(path.rpartition(".")[2], [])
        hint = f"did you mean {elsewhere[0].paths[1]!r}?" if elsewhere else suggestion(path, by_path)
        entry.problem(f"no DBC has a signal {path!r}", hint)
    return None


def _numbers(keys: dict[str, Entry]) -> tuple[Decimal, Decimal] | None:
    """(sign * scale, offset); None, and problems, where one is no number."""
    sign = keys["sign"].number() if "sign" in keys else 1.0
    if sign is not None and sign not in (1.0, -1.0):
        keys["sign"].problem(f"must be 1 or -1, and is {sign:g}", "scale: takes any number")
        sign = None
    scale = keys["scale"].number() if "scale" in keys else 1.0
    if scale == 0.0:
        keys["scale"].problem("0 would make every value 0")
        scale = None
    offset = keys["offset"].number() if "offset" in keys else 0.0
    if sign is None or scale is None or offset is None:
        return None
    return Decimal(repr(sign)) * Decimal(repr(scale)), Decimal(repr(offset))


def _converted(place: Place, keys: dict[str, Entry], entry: Entry) -> tuple[str, Decimal, Decimal] | None:
    """(unit, factor, bias) of a channel from its signal; None, and a problem, where it does not convert."""
    have = place.signal.unit
    if "signal_unit" in keys:
        have = keys["signal_unit"].text() or ""
    if "unit" not in keys:
        return have, Decimal(1), Decimal(0)
    unit = keys["unit"]
    wanted = "" if unit.empty else unit.text()
    if wanted is None:
        return None
    if not have:
        # a DBC that says no unit leaves it to the definition to say which it is
        return (wanted, Decimal(1), Decimal(0)) if known_unit(unit, wanted) else None
    if not known_unit(unit, wanted):
        return None
    remedy = "signal_unit: says which it is where the DBC does not"
    try:
        units.meaning(have)
        return wanted, *units.conversion(have, wanted)
    except units.UnitError as error:
        unit.problem(f"signal {place.signal.name} is in {have!r}: {error.what}", remedy)
        return None


def known_unit(entry: Entry, unit: str) -> bool:
    """Whether anyone knows that unit; if not, that is a problem of `entry`."""
    try:
        units.meaning(unit)
    except units.UnitError as error:
        entry.problem(error.what, error.hint)
        return False
    return True
