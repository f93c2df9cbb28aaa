"""The section `derived:` in, derived channels out, each after all that it reads.

Each is either an expression (`expr: "hypot(g_lat, g_long)"`) or a method with parameters (`method: gear_ratio`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from pitwall.car import kinds
from pitwall.car.channels import is_name
from pitwall.car.definition import Derived
from pitwall.car.document import Entry, suggestion
from pitwall.car.expression import ExpressionError
from pitwall.car.kinds import NO_UNIT
from pitwall.car.methods import METHODS, Known, Parameters
from pitwall.car.parsing import parse
from pitwall.car.rules import Rule

MAX_DERIVED: Final = 500  # putting them in order recurses once a channel


def derived(section: Entry | None, measured: Known) -> list[Derived]:
    """The channels of the section `derived:`, each after its inputs.  measured: the channels that signals give."""
    entries = {} if section is None else section.mapping()
    declared = {name: (entry, _keys(entry)) for name, entry in entries.items() if is_name(entry, name)}
    if len(declared) > MAX_DERIVED and section is not None:
        section.problem(f"{len(declared)} derived channels; at most {MAX_DERIVED} are allowed")
        return []
    own_units = {name: _unit(entry, keys) for name, (entry, keys) in declared.items()}
    known = Known({**measured.units, **own_units}, measured.complete)
    found: dict[str, tuple[Entry, Derived]] = {}
    for name, (entry, keys) in declared.items():
        rule = _rule(Parameters(entry, keys, known), own_units[name])
        if rule is not None:
            found[name] = (entry, Derived(name, own_units[name], rule, _source(keys), entry.place))
    return _ordered(found)


def _keys(entry: Entry) -> dict[str, Entry]:
    """The keys of a derived channel, those of its method included."""
    allowed: Iterable[str] = ("expr", "method", "unit")
    for key, value in entry.mapping().items():
        if key == "method" and value.text() in METHODS:
            allowed = ("method", "unit", *METHODS[str(value.text())].keys)
        elif key == "expr":
            allowed = ("expr", "unit")
            break
    return entry.mapping(allowed)


def _unit(entry: Entry, keys: Mapping[str, Entry]) -> str:
    """The unit that it says, or its method's own; "" where it says none, or what it says is a problem."""
    if "unit" in keys:
        return kinds.unit(keys["unit"]) or ""
    if "expr" in keys:
        entry.problem("says no unit", f"unit: {NO_UNIT}, or the unit of the result")
        return ""
    method = keys.get("method")
    known = METHODS.get(method.text() or "") if method is not None else None
    return "" if known is None else known.unit


def _rule(parameters: Parameters, unit: str) -> Rule | None:
    keys = parameters.keys
    if "expr" in keys:
        return _expression(keys["expr"], parameters.known)
    if "method" not in keys:
        parameters.entry.problem("says neither expr: nor method:", f"the methods are {', '.join(METHODS)}")
        return None
    name = keys["method"].text()
    if name is not None and name not in METHODS:
        keys["method"].problem(f"there is no method {name!r}", suggestion(name, METHODS))
    method = METHODS.get(name or "")
    return None if method is None else method.read(parameters, unit)


def _expression(entry: Entry, known: Known) -> Rule | None:
    text = entry.text()
    if text is None:
        return None

    def unit_of(name: str) -> str | None:
        known.check(name, entry)
        return known.units.get(name)

    try:
        expression = parse(text, unit_of)
    except ExpressionError as error:
        entry.problem(error.what, error.hint)
        return None
    for name in expression.inputs:
        known.check(name, entry)
    return expression


def _source(keys: Mapping[str, Entry]) -> str:
    """The rule on one line: `hypot(g_lat, g_long)`, `gear_ratio(rpm: rpm, …)`."""
    if "expr" in keys:
        return " ".join(str(keys["expr"].text()).split())
    words = [
        f"{key}: {', '.join(str(item.text()) for item in entry.items())}"
        for key, entry in keys.items()
        if key not in ("method", "unit")
    ]
    return f"{keys['method'].text()}({'; '.join(words)})"


def _ordered(found: Mapping[str, tuple[Entry, Derived]]) -> list[Derived]:
    """Each after its inputs, else in the order of the file; circles are problems of the first channel in them."""
    ordered: dict[str, Derived] = {}
    path: list[str] = []

    def visit(name: str) -> None:
        if name in ordered or name not in found:
            return
        if name in path:
            circle = path[path.index(name) :]
            first = min(circle, key=lambda member: found[member][0].where)
            turned = circle[circle.index(first) :] + circle[: circle.index(first)]
            found[first][0].problem(f"goes in a circle: {' reads '.join([*turned, first])}")
            return
        path.append(name)
        _, channel = found[name]
        for needed in channel.inputs:
            visit(needed)
        path.pop()
        ordered[name] = channel

    for name in found:
        visit(name)
    return list(ordered.values())
