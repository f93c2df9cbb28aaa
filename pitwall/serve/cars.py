"""Cars, tracks and what a session can answer: from definitions, before there is a row of anything."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from pitwall.derive import Deriver
from pitwall.errors import PitwallError
from pitwall.project.tracks import facts, known, own
from pitwall.serve.answers import Row
from pitwall.serve.operations import operation
from pitwall.serve.parameters import Nothing
from pitwall.serve.problem import Problem
from pitwall.serve.serving import answer

if TYPE_CHECKING:
    from sanic.response import HTTPResponse

    from pitwall.car import Car
    from pitwall.serve.serving import Request, Serving

ABILITIES: Final = {
    "position": ("lat", "lon"),
    "laps": ("lat", "lon"),
    "speed": ("speed",),
    "rpm": ("rpm",),
    "gear": ("gear",),
    "throttle": ("throttle",),
    "brake": ("brake",),
    "steering": ("steering",),
    "g": ("g_lat", "g_long"),
    "yaw": ("yaw_rate",),
    "wheels": ("wheel_speed_fl", "wheel_speed_fr", "wheel_speed_rl", "wheel_speed_rr"),
    "oil": ("oil_temp", "oil_press"),
    "water": ("water_temp",),
    "fuel": ("fuel",),
}
"""What can be answered, and the roles that it takes, all of them."""


class Ability(Struct):
    """channels: that it is answered from.  missing: roles that the car has no channel for."""

    can: bool
    channels: list[str]
    missing: list[str]


class Capabilities(Struct):
    """What a session can answer, by its car's definition: the same from its first second on."""

    session: str
    car: str
    capabilities: dict[str, Ability]
    roles: dict[str, str]


@operation("GET", "/session/<sid>/capabilities", answers=Capabilities)
async def capabilities(request: Request, _: Nothing, sid: str) -> HTTPResponse:
    """What a session can answer: whether it has a position, a brake, wheel speeds and so on."""
    serving = request.app.ctx
    about = await serving.about(sid)
    cast = serving.live.picture().cast
    live = cast is not None and cast.session == about.id
    roles = dict(cast.roles) if cast is not None and live else dict(await serving.readings.roles(about.id))
    can = {
        name: {
            "can": all(role in roles for role in needs),
            "channels": [roles[role] for role in needs if role in roles],
            "missing": [role for role in needs if role not in roles],
        }
        for name, needs in ABILITIES.items()
    }
    return answer({"session": about.id, "car": about.car, "capabilities": can, "roles": roles})


class OneCar(Struct):
    """problems: what is wrong with it as it is saved; what was valid before is used."""

    name: str
    about: dict[str, str]
    valid: bool
    problems: list[str]


class Cars(Struct):
    """By name."""

    cars: list[OneCar]


@operation("GET", "/cars", answers=Cars)
async def cars(request: Request, _: Nothing) -> HTTPResponse:
    """The cars that there are, and what is wrong with their definitions."""
    serving = request.app.ctx
    return answer({"cars": await asyncio.to_thread(lambda: [_one(serving, name) for name in serving.readings.cars()])})


class OneChannel(Struct):
    """A channel as a definition makes it.  source: the signal, or the expression."""

    name: str
    unit: str
    source: str
    table: str


class Limit(Struct):
    """What a channel must stay within, in its unit.  over_rpm: only above; for_s: it has to be beyond for so long."""

    channel: str
    below: float | None
    above: float | None
    over_rpm: float | None
    for_s: float


class WholeCar(OneCar):
    """fingerprint: two cars of one turn the same frames into the same channels; null: it was never valid."""

    fingerprint: str | None
    buses: list[str]
    channels: list[OneChannel]
    roles: dict[str, str]
    alarms: list[Limit]
    notes: list[str]


@operation("GET", "/car/<car>", answers=WholeCar, problems=("unknown-car",))
async def car(request: Request, _: Nothing, car: str) -> HTTPResponse:
    """A car's definition, with its errors."""
    serving = request.app.ctx
    names = await asyncio.to_thread(serving.readings.cars)
    if car not in names:
        raise Problem("unknown-car", f"there is no car {car[:80]!r}", hint=f"there are {', '.join(names) or 'none'}")
    return answer(await asyncio.to_thread(_whole, serving, car))


class Registered(Struct):
    """A channel of one or more cars.  units: each once."""

    name: str
    units: list[str]
    cars: list[str]
    roles: list[str]


class Registry(Struct):
    """By name."""

    channels: list[Registered]


@operation("GET", "/signals/registry", answers=Registry)
async def registry(request: Request, _: Nothing) -> HTTPResponse:
    """Every channel of every car: its unit, who has it, and what it is to those who analyse laps."""
    return answer({"channels": await asyncio.to_thread(_registered, request.app.ctx)})


class Tracks(Struct):
    """own: it is in the user's folder; kind: circuit or point to point."""

    tracks: list[Row]


@operation("GET", "/tracks", answers=Tracks)
async def tracks(request: Request, _: Nothing) -> HTTPResponse:
    """The tracks that laps are found on."""
    mine = {track.fingerprint for track in own()}
    return answer({"tracks": [facts(track, mine=track.fingerprint in mine) for track in known()]})


OPERATIONS: Final = (capabilities, cars, car, registry, tracks)


def _found(serving: Serving, name: str) -> tuple[Car | None, list[str]]:
    """The car, if it was ever valid, and what is wrong with it."""
    problems = list(serving.live.problems().get(name, ()))
    try:
        return serving.readings.car(name), problems
    except (PitwallError, OSError) as error:
        return None, problems or str(error).splitlines()


def _one(serving: Serving, name: str) -> dict[str, Any]:
    return _facts(name, *_found(serving, name))


def _facts(name: str, found: Car | None, problems: list[str]) -> dict[str, Any]:
    return {
        "name": name,
        "about": {} if found is None else dict(found.about),
        "valid": found is not None and not problems,
        "problems": problems,
    }


def _whole(serving: Serving, name: str) -> dict[str, Any]:
    found, problems = _found(serving, name)
    nothing: dict[str, Any] = {"fingerprint": None, "buses": [], "channels": [], "roles": {}, "alarms": [], "notes": []}
    whole = nothing if found is None else {
        "fingerprint": found.fingerprint,
        "buses": [bus.name for bus in found.buses],
        "channels": _channels(found),
        "roles": dict(found.roles),
        "alarms": [asdict(alarm) for alarm in found.alarms],
        "notes": list(found.notes),
    }  # fmt: skip
    return _facts(name, found, problems) | whole


def _channels(found: Car) -> list[dict[str, str]]:
    return [
        {"name": channel.name, "unit": channel.unit, "source": channel.source, "table": table.name}
        for table in Deriver(found).tables
        for channel in table.channels
    ]


def _registered(serving: Serving) -> list[dict[str, Any]]:
    entries: dict[str, dict[str, Any]] = {}
    for name in serving.readings.cars():
        found, _ = _found(serving, name)
        if found is None:
            continue
        roles = {channel: role for role, channel in found.roles}
        for channel in _channels(found):
            entry = entries.setdefault(channel["name"], {"name": channel["name"], "units": [], "cars": [], "roles": []})
            entry["cars"].append(name)
            for key, value in (("units", channel["unit"]), ("roles", roles.get(channel["name"]))):
                if value and value not in entry[key]:
                    entry[key].append(value)
    return [entries[name] for name in sorted(entries)]
