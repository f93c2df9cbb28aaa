"""A car in, the buses that each of its channels stems from out: what there is to forget when one of them returns."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pitwall.car import Car


def channels_of_buses(car: Car) -> Mapping[str, frozenset[str]]:
    """Bus -> its channels, and those that are derived from any of them."""
    buses = {channel.name: {channel.bus} for channel in car.channels}
    for derived in car.derived:  # each after its inputs
        buses[derived.name] = set().union(*(buses.get(name, set()) for name in derived.inputs))
    return {bus.name: frozenset(channel for channel, of in buses.items() if bus.name in of) for bus in car.buses}
