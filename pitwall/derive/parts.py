"""A derived channel in, the parts that it is computed from out: what looks back in time becomes a part of its own.

Law: `rate(speed) * rpm` is what it would be if `rate(speed)` were a channel: it has a value at every sample of `speed`,
and keeps it until the next one, however many samples of `rpm` come between.  Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from pitwall.car.definition import Derived
from pitwall.car.expression import PAST, Call, Expression, Name, Node, Number, channels, written
from pitwall.car.rules import Distance, FuelUsed, Rule


@dataclass(frozen=True, slots=True)
class Back:
    """A function of PAST, of one channel.  window_ns: how far back; None where the function has none."""

    function: str
    channel: str
    window_ns: int | None

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.channel,)


@dataclass(frozen=True, slots=True)
class Corrected:
    """The way of `way`, a distance by `speed`, corrected by fixes.

    factor: from the speed's unit times a second to the way's unit.  unit_m: the way's unit in metres.
    """

    way: str
    speed: str
    lat: str
    lon: str
    factor: float
    unit_m: float

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.way, self.speed, self.lat, self.lon)


@dataclass(frozen=True, slots=True)
class Since:
    """What `of` has risen by since `mark` changed last, or since its own beginning."""

    of: str
    mark: str

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.of, self.mark)


@dataclass(frozen=True, slots=True)
class Part:
    """What is computed under one name: a channel's, or (in brackets, as no channel's is) the text of a part of one.

    optional: the inputs without which it is computed too, as if their values were missing.
    """

    name: str
    rule: Rule | Back | Corrected | Since
    optional: tuple[str, ...] = ()


def parts(derived: Derived) -> list[Part]:
    """Each after its inputs; the last is the channel itself.  Parts of one name are equal, whosever they are."""
    match derived.rule:
        case Expression(tree):
            found: dict[str, Part] = {}
            rest = _expression(_split(tree, found))
            return [*found.values(), Part(derived.name, rest)]
        case Distance(speed, factor, str(lat), str(lon), unit_m):
            # by the speed's own samples, whenever fixes come
            way = f"distance({speed}, {factor!r})"
            corrected = Corrected(way, speed, lat, lon, factor, unit_m)
            return [Part(way, Distance(speed, factor)), Part(derived.name, corrected, optional=(lat, lon))]
        case FuelUsed(fuel, window_ns, factor, str(lap)):
            used = f"fuel_used({fuel}, {window_ns}, {factor!r})"
            return [Part(used, FuelUsed(fuel, window_ns, factor)), Part(derived.name, Since(used, lap))]
        case rule:
            return [Part(derived.name, rule)]


def _split(node: Node, found: dict[str, Part]) -> Node:
    """The same tree, with the name of a part for each call that looks back."""
    if not isinstance(node, Call):
        return node
    arguments = tuple(_split(argument, found) for argument in node.arguments)
    if node.function not in PAST:
        return Call(node.function, arguments)
    value, *window = arguments
    if not isinstance(value, Name):
        name = written(value)
        found.setdefault(name, Part(name, _expression(value)))
        value = Name(name)
    window_ns = round(window[0].value * 1e9) if window and isinstance(window[0], Number) else None
    name = written(Call(node.function, (value, *window)))
    found.setdefault(name, Part(name, Back(node.function, value.name, window_ns)))
    return Name(name)


def _expression(tree: Node) -> Expression:
    return Expression(tree, channels(tree))
