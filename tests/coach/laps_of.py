"""Laps of a simulated drive for the tests of the coach: its frames decoded by the real car, cut where the truth says.

Positions are projected on the reference lap's path in the slow and obvious way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from pitwall.bus.simulator import parse_mistake, simulate
from pitwall.bus.simulator.track import ORIGIN
from pitwall.car import load
from pitwall.coach.driven import Driven, Samples, driven
from pitwall.coach.metrics import FIGURES, Cornering, limits, measured
from pitwall.coach.sections import Places, Sections
from pitwall.decode import plan
from pitwall.derive import Deriver
from pitwall.frames import concat
from pitwall.track.corners import Corner, found

CARS = Path(__file__).parents[2] / "cars"
ROLES = {
    "speed": "speed",
    "throttle": "throttle",
    "brake": "brake_pressure",
    "steering": "steering",
    "g_lat": "g_lat",
    "g_long": "g_long",
    "rpm": "rpm",
    "gear": "gear",
}


@dataclass(frozen=True)
class Drive:
    """laps: the flying ones, over distance.  reference: the fastest of them.  truth: what really happened."""

    laps: list[Driven]
    reference: Driven
    corners: tuple[Corner, ...]
    sections: Sections
    truth: dict[str, Any]

    @property
    def places(self) -> tuple[Places, ...]:
        return self.sections.places

    def lap(self, number: int) -> Driven:
        return next(lap for lap in self.laps if lap.number == number)

    def at(self, name: str) -> Places:
        """The corner nearest to the apex that the truth calls so."""
        corner = next(c for c in self.truth["track"]["corners"] if c["name"] == name)
        x, y = plane(np.array([corner["apex"][0]]), np.array([corner["apex"][1]]))
        reference = self.reference
        away = [
            np.hypot(reference.x_m[round(p.corner.apex_m)] - x[0], reference.y_m[round(p.corner.apex_m)] - y[0])
            for p in self.places
        ]
        return self.places[int(np.argmin(away))]

    def measured(self, number: int, name: str):
        cornering = measured(self.lap(number), self.reference, self.sections, limits(self.laps))
        return of_one(cornering, self.places.index(self.at(name)))


def of_one(cornering: Cornering, corner: int = 0) -> SimpleNamespace:
    """The figures of one corner, by its place."""
    return SimpleNamespace(**{name: float(getattr(cornering, name)[corner]) for name in FIGURES})


@cache
def drive(*, seed: int = 3, laps: int = 4, mistakes: Sequence[str] = ()) -> Drive:
    simulated = simulate(seed=seed, laps=laps, mistakes=[parse_mistake(text) for text in mistakes])
    frames = concat(list(simulated.frames()))
    truth = simulated.truth()
    channels = decoded(frames)
    lat, lon = channels["lat"], channels["lon"]
    x, y = plane(lat.values, lon.values)
    flying = [lap for lap in truth["laps"] if lap["kind"] == "flying"]
    best = min(flying, key=lambda lap: lap["time_s"])
    path = _fixes(best, lat.t_ns, x, y)
    steps = np.hypot(np.diff(path[1]), np.diff(path[2]))
    along = np.concatenate([[0.0], np.cumsum(steps)])
    made = []
    for lap in flying:
        t, lap_x, lap_y = _fixes(lap, lat.t_ns, x, y)
        distance = projected(lap_x, lap_y, path[1], path[2], along)
        distance[0], distance[-1] = 0.0, along[-1]
        made.append(
            driven(
                lap["number"],
                t_ns=t,
                distance_m=distance,
                x_m=lap_x,
                y_m=lap_y,
                length_m=float(along[-1]),
                roles={role: channels[name] for role, name in ROLES.items()},
            )
        )
    reference = next(lap for lap in made if lap.number == best["number"])
    corners = found(reference.x_m, reference.y_m, closed=True)
    return Drive(made, reference, corners, Sections(corners, reference), truth)


def decoded(frames) -> dict[str, Samples]:
    """Every channel of the drive, as the car that ships makes it."""
    car = load(CARS, "bmw-e46-m3")
    deriver = Deriver(car)
    parts: dict[str, list] = {}
    for rows in deriver.fold(plan(car, ("dash",)).decode(frames)):
        for name, values in zip((column.name for column in rows.table.channels), rows.values, strict=True):
            there = ~np.isnan(values)
            parts.setdefault(name, []).append((rows.t[there], values[there]))
    return {
        name: Samples(np.concatenate([t for t, _ in each]), np.concatenate([v for _, v in each]))
        for name, each in parts.items()
    }


def plane(lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    phi = np.radians(ORIGIN[0])
    per_lat = 111132.954 - 559.822 * np.cos(2 * phi) + 1.175 * np.cos(4 * phi)
    per_lon = 111412.84 * np.cos(phi) - 93.5 * np.cos(3 * phi) + 0.118 * np.cos(5 * phi)
    return (lon - ORIGIN[1]) * per_lon, (lat - ORIGIN[0]) * per_lat


def _fixes(lap: dict[str, Any], t: np.ndarray, x: np.ndarray, y: np.ndarray):
    """Those of the lap, with one at each line that lies between its neighbours."""
    inside = (t > lap["start_ns"]) & (t < lap["end_ns"])
    ends = np.array([lap["start_ns"], lap["end_ns"]])
    at = np.concatenate([ends[:1], t[inside], ends[1:]])
    return at, np.interp(at, t, x), np.interp(at, t, y)


def projected(x, y, path_x, path_y, along) -> np.ndarray:
    """Where each point lies along the path: the nearest point of its nearest leg, not far from the one before."""
    found, last = np.empty(len(x)), 0
    for i in range(len(x)):
        legs = np.arange(max(0, last - 5), min(len(path_x) - 1, last + 40))
        dx, dy = path_x[legs + 1] - path_x[legs], path_y[legs + 1] - path_y[legs]
        length = np.maximum(dx**2 + dy**2, 1e-9)
        share = np.clip(((x[i] - path_x[legs]) * dx + (y[i] - path_y[legs]) * dy) / length, 0, 1)
        away = np.hypot(path_x[legs] + share * dx - x[i], path_y[legs] + share * dy - y[i])
        k = int(np.argmin(away))
        last = int(legs[k])
        found[i] = along[last] + share[k] * (along[last + 1] - along[last])
    return found
