"""A derived channel in, the parts that it is computed from out: what looks back in time becomes a part of its own.

Law: `rate(speed) * rpm` is what it would be if `rate(speed)` were a channel: it has a value at every sample of `speed`,
and keeps it until the next one, however many samples of `rpm` come between.  Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from pitwall.car.definition import Derived
from pitwall.car.expression import PAST, Call, Expression, Name, Node, Number, channels, written
from pitwall.car.rules import Rule


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
class Part:
    """What is computed under one name: a channel's, or (in brackets, as no channel's is) the text of a part of one."""

    name: str
    rule: Rule | Back


def parts(derived: Derived) -> list[Part]:
    """Each after its inputs; the last is the channel itself.  Parts of one name are equal, whosever they are."""
    found: dict[str, Part] = {}
    rule = derived.rule
    if isinstance(rule, Expression):
        rule = _expression(_split(rule.tree, found))
    return [*found.values(), Part(derived.name, rule)]


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
