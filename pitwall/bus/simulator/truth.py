"""What really happened: stretches of a drive in, plain JSON-able facts out.

Law: every time comes from the continuous motion (a line is crossed in the nanosecond in which the car's path crosses
it), never from a sensor; a mistake's cost is the difference to the same lap of the same seed driven without it.  Times
are ns since the drive began, which is its first frame's `t`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np

from pitwall.bus.simulator.course import Length, Stretch, following, makes, stretches
from pitwall.bus.simulator.driver import Lap, distance_m
from pitwall.bus.simulator.mistakes import Mistake, approaches
from pitwall.bus.simulator.motion import SECOND_NS
from pitwall.bus.simulator.sensors import Moment
from pitwall.bus.simulator.slow import Slow
from pitwall.bus.simulator.track import GRAVITY, NAME, SECTOR_ENDS_M, circuit, latitude_longitude

Facts = dict[str, Any]
BRAKING_G: Final = 0.1  # of brake force: the brake point


def of_track() -> Facts:
    """The circuit: its length, lines (left end, right end) and corners, as coordinates."""
    track = circuit()
    apex = [track.station(corner.apex_m) for corner in track.corners]
    return {
        "name": NAME,
        "length_m": round(track.length_m, 3),
        "start_line": track.line(0),
        "sector_lines": [track.line(track.station(at)) for at in SECTOR_ENDS_M],
        "sector_ends_m": [round(float(track.s_m[track.station(at)]), 3) for at in SECTOR_ENDS_M],
        "corners": [
            {
                "name": corner.name,
                "direction": "right" if corner.turn_deg > 0 else "left",
                "turn_deg": round(abs(corner.turn_deg), 1),
                "apex_m": round(corner.apex_m, 1),
                "apex": _point(float(track.x_m[at]), float(track.y_m[at])),
            }
            for corner, at in zip(track.corners, apex, strict=True)
        ],
    }


def of_lap(stretch: Stretch, slow: Slow) -> Facts:
    """A finished lap: its times, its corners, and what the sensors should have read as it passed each line."""
    lap = stretch.motion.lap
    lines = [circuit().station(at) for at in SECTOR_ENDS_M]
    crossings = [stretch.motion.crossing_s(station) for station in lines]
    assert all(at is not None for at in crossings), "every lap passes every sector line"
    passed = [0.0, *(at for at in crossings if at is not None), stretch.motion.duration_s]
    return {
        "number": lap.number,
        "kind": lap.kind.value,
        "start_ns": stretch.start_ns,
        "end_ns": stretch.end_ns,
        "time_s": (stretch.end_ns - stretch.start_ns) / SECOND_NS,
        "sectors_s": [round(b - a, 9) for a, b in pairwise(passed)],
        "sector_ends_ns": [stretch.start_ns + round(at * SECOND_NS) for at in passed[1:-1]],
        "distance_m": round(float(stretch.motion.distance_m[-1]), 3),
        "fuel_l": round(float(slow.fuel_l[0] - slow.fuel_l[-1]), 3),
        "corners": _corners(stretch),
        "instants": _instants(stretch, slow, passed),
    }


def costs(seed: int, length: Length, mistakes: Sequence[Mistake], done: Sequence[tuple[Lap, int, int]]) -> list[Facts]:
    """What each planted mistake cost on each lap that it was made on.  done: laps with their start and end in ns.

    `cost_s` is the difference of that lap's time to the same lap of a drive without that mistake, everything else
    equal; `cost_next_lap_s` is what it cost on the following lap where it was not made again (a last corner left
    slowly).
    """
    if not done:
        return []
    laps = [lap for lap, _, _ in done]
    behind = following(laps[-1], done[-1][1], length)
    made = []
    for k, mistake in enumerate(mistakes):
        others = [other for i, other in enumerate(mistakes) if i != k]
        without = stretches(seed, length, others, laps if behind is None else [*laps, behind])
        lost = [
            ((end - start) - (clean.end_ns - clean.start_ns)) / SECOND_NS
            for (_, start, end), clean in zip(done, without, strict=False)
        ]
        for i, lap in enumerate(laps):
            if makes(lap, mistake):
                again = i + 1 < len(laps) and makes(laps[i + 1], mistake)
                made.append(
                    {
                        "kind": mistake.kind,
                        "corner": mistake.corner,
                        "lap": lap.number,
                        "cost_s": round(lost[i], 9),
                        "cost_next_lap_s": 0.0 if again or i + 1 >= len(laps) else round(lost[i + 1], 9),
                    }
                )
    return sorted(made, key=lambda fact: fact["lap"])


def _corners(stretch: Stretch) -> list[Facts]:
    motion = stretch.motion
    s = distance_m(motion.station)
    facts = []
    for corner in circuit().corners:
        way = approaches()[corner.name]
        (near,) = np.nonzero(np.abs(s - corner.apex_m) < 45)
        slowest = int(near[np.argmin(motion.speed_mps[near])])
        begin = int(np.searchsorted(motion.station, way.begin))
        (braked,) = np.nonzero(motion.brake_n[begin:slowest] > BRAKING_G * motion.mass_kg * GRAVITY)
        brake = begin + int(braked[0]) if braked.shape[0] else None
        facts.append(
            {
                "name": corner.name,
                "brake_point_m": None if brake is None else round(float(s[brake]), 1),
                "brake_speed_mps": None if brake is None else round(float(motion.speed_mps[brake]), 3),
                "min_speed_mps": round(float(motion.speed_mps[slowest]), 3),
                "min_speed_m": round(float(s[slowest]), 1),
                "min_speed_t_ns": stretch.start_ns + round(float(motion.t_s[slowest]) * SECOND_NS),
                "min_speed_at": _point(float(motion.x_m[slowest]), float(motion.y_m[slowest])),
            }
        )
    return facts


def _instants(stretch: Stretch, slow: Slow, passed: Sequence[float]) -> list[Facts]:
    at = np.array(passed)
    moment = Moment(stretch.motion, slow, at)
    columns = {
        "speed_mps": moment.speed,
        "lateral_g": moment.lateral_g,
        "inline_g": moment.inline_g,
        "yaw_rate_degs": np.degrees(moment.speed * moment.kappa),
        "rpm": moment.rpm,
        "throttle_pct": 100 * moment.throttle,
        "oil_c": moment.of(slow.oil_c),
        "disc_fl_c": moment.of(slow.disc_c[:, 0]),
        "tyre_fl_c": moment.tyre_c("fl"),
    }
    x, y = moment.position
    return [
        {"t_ns": stretch.start_ns + round(float(at[i]) * SECOND_NS), "position": _point(float(x[i]), float(y[i]))}
        | {name: round(float(column[i]), 4) for name, column in columns.items()}
        for i in range(at.shape[0])
    ]


def _point(x_m: float, y_m: float) -> list[float]:
    lat, lon = latitude_longitude(np.array(x_m), np.array(y_m))
    return [round(float(lat), 8), round(float(lon), 8)]
