"""Signals of the DBCs and the section `channels:` in, measured channels with names of their own out.

Names.  A signal that the definition names has that name.  Every other keeps its DBC name where nothing else claims it:
no channel or derived channel of the definition, no word of expressions, no other signal.  Where something does, every
unnamed signal of that name is called `Message_signal`, and if that is taken too, `bus_Message_signal`.  Names are
compared without case.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pitwall.car.definition import Bus, Measured, Signal
from pitwall.car.document import Entry, suggestion
from pitwall.car.expression import WORDS
from pitwall.car.kinds import known_unit as known_unit
from pitwall.car.kinds import read
from pitwall.car.measured import measured, with_zero
from pitwall.car.vocabulary import CHANNEL

RESERVED: Final = frozenset({"t", "at", *WORDS})
"""No channel may be called so: `t` and `at` are columns of every table, the others mean something in expressions."""

NAME: Final = "[A-Za-z_][A-Za-z0-9_]{0,62}"
"""What a channel's name is made of, as a regular expression."""


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
    if not re.fullmatch(NAME, name):
        entry.problem(f"{name!r} can't be a name", "letters, digits and _, not beginning with a digit, at most 63")
        return False
    if name.casefold() in RESERVED:
        entry.problem(f"{name!r} can't be a name: it means something else", "choose another")
        return False
    return True


@dataclass(frozen=True, slots=True)
class Named:
    """A channel of the section `channels:`, the signal that it comes from, and where it stands.

    zero: the entry `zero:` and its seconds, where there is one; `with_zeros` makes a step of it.
    """

    channel: Measured
    place: Place
    entry: Entry
    zero: tuple[Entry, float] | None


def named(section: Entry | None, everything: Sequence[Place], *, complete: bool) -> list[Named]:
    """The channels of the section `channels:`.

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
    _told_apart(found)
    return found


def with_zeros(
    found: Sequence[Named], others: Sequence[Measured], made: Container[str], speed: str | None
) -> list[Measured]:
    """The channels of `found`, those that say `zero:` with it.

    others: the rest of the measured ones.  made: the names of derived ones.  speed: what the roles say is the speed.
    """
    known = {channel.name: channel for channel in (*(each.channel for each in found), *others)}
    zeroed = {each.channel.name for each in found if each.zero is not None}
    channels = []
    for each in found:
        channel = each.channel
        if each.zero is not None:
            entry, span_s = each.zero
            if speed in zeroed and speed != channel.name:
                entry.problem(f"the speed {speed!r} has a zero: of its own", "it must say when the car stands")
            elif speed is None or speed in known or speed in made:  # else what is wrong with it is said elsewhere
                channel = with_zero(channel, entry, span_s, known.get(speed or ""))
        channels.append(channel)
    return channels


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


def _channel(name: str, entry: Entry, by_path: dict[str, list[Place]], *, complete: bool) -> Named | None:
    keys = entry.mapping(CHANNEL)
    if not is_name(entry, name):
        return None
    values = read(keys, CHANNEL)
    path = values.get("from", name)
    place = None if path is None else _place(path, keys.get("from", entry), by_path, complete=complete)
    if place is None:
        return None
    if name == place.signal.name and not keys.keys() - {"from"} and len(by_path[name]) == 1:
        entry.problem("has no effect: the signal is a channel of that name", "say what is to be done to it")
    channel = measured(name, entry, keys, values, place.bus, place.message, place.signal)
    if channel is None:
        return None
    return Named(channel, place, entry, (keys["zero"], values["zero"]) if "zero" in keys else None)


def _told_apart(found: Sequence[Named]) -> None:
    """Two channels that are the same in all but name are one too many."""
    first: dict[tuple[object, ...], str] = {}
    for each in found:
        span_s = None if each.zero is None else each.zero[1]
        other = first.setdefault((replace(each.channel, name=""), span_s), each.channel.name)
        if other != each.channel.name:
            each.entry.problem(f"is the same as {other!r}, but for its name")


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
