"""A car and the names of a session's buses in, the car as it is in that session out.

A session may have a bus `gps` that its car does not define: a logger, or a GPS receiver, was there too.  It is then the
bus of the shipped car `gps-logger`, whose channels come beside the car's own.  Laws:

1. A car that defines such a bus, or is heard in a session without one, stays as it is, its fingerprint too.
2. Every channel of the car stays what it is; a channel of the logger whose name is taken is called `gps_NAME`.  So does
   every role of the car; the logger's channels play those that it leaves open, `lat` and `lon` both or neither.  In a
   session that has no other bus, where none of the car's own is heard, they play all that they can.
3. Equal fingerprints mean equal channels, as for any car.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cache
from typing import Final

from pitwall.car.channels import RESERVED
from pitwall.car.definition import Bus, Car
from pitwall.car.load import SHIPPED, TABLES, load
from pitwall.errors import UsageError
from pitwall.frames import LOGGER_BUS

LOGGER: Final = "gps-logger"
"""The shipped car whose bus it is."""

POSITION: Final = frozenset({"lat", "lon"})


def heard(car: Car, buses: Sequence[str]) -> Car:
    """`car` as it is in a session whose buses are called `buses`.

    Raises UsageError where the shipped car is needed and missing, CarError where it is damaged.
    """
    defined = {name for bus in car.buses for name in (bus.name, bus.channel)}
    if LOGGER_BUS not in buses or LOGGER_BUS in defined:
        return car
    logger = _logger()
    called = _names(logger, {*(one.name for one in car.channels), *(one.name for one in car.derived)})
    bus = _bus(logger.buses[0], {one.name for one in car.derived})
    messages = {old.name: new.name for old, new in zip(logger.buses[0].messages, bus.messages, strict=True)}
    channels = [replace(one, name=called[one.name], message=messages[one.message]) for one in logger.channels]
    roles = _roles(car, logger, called, alone=set(buses) == {LOGGER_BUS})
    digest = hashlib.sha256(f"{car.fingerprint} {logger.fingerprint} {roles}".encode())
    return replace(
        car,
        buses=(*car.buses, bus),
        channels=(*car.channels, *channels),
        roles=roles,
        fingerprint=digest.hexdigest(),
    )


@cache
def _logger() -> Car:
    folder = next((folder for folder in SHIPPED if (folder / LOGGER).is_dir()), None)
    if folder is None:
        raise UsageError(f"the car {LOGGER!r} does not lie where pitwall's own cars do", where=SHIPPED[0])
    return load(folder, LOGGER)


def _names(logger: Car, taken: Collection[str]) -> dict[str, str]:
    """What each of the logger's channels is called beside channels called `taken`, whatever the case of letters."""
    folded = {name.casefold() for name in taken} | RESERVED | {one.name for one in logger.channels}
    free = {one.name: one.name for one in logger.channels}
    for name in free.keys() & {name.casefold() for name in taken}:
        wish, number = f"{LOGGER_BUS}_{name}", 1
        while wish in folded:
            number += 1
            wish = f"{LOGGER_BUS}_{name}_{number}"
        folded.add(wish)
        free[name] = wish
    return free


def _bus(bus: Bus, derived: Collection[str]) -> Bus:
    """The logger's bus, no table of which has the name of a derived channel's."""
    taken = {name.casefold() for name in derived} | TABLES

    def name(message: str) -> str:
        while f"{bus.word}_{message}".casefold() in taken:
            message += "_"
        return message

    return replace(bus, messages=tuple(replace(message, name=name(message.name)) for message in bus.messages))


def _roles(car: Car, logger: Car, called: dict[str, str], *, alone: bool) -> tuple[tuple[str, str], ...]:
    """alone: none of the car's own buses is in the session."""
    own = dict(car.roles)
    offered = {role: called[name] for role, name in logger.roles}
    if alone:
        return tuple((own | offered).items())
    if POSITION & own.keys():
        offered = {role: name for role, name in offered.items() if role not in POSITION}
    return tuple((offered | own).items())
