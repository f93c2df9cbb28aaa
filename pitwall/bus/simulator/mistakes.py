"""Mistakes that are asked for: `KIND@CORNER[:LAP]` in, a plan with that mistake in it out.

Law: a mistake changes what the driver does (feet, gear lever, line) and nothing else; speed and time follow from the
physics.  Where it begins is found on the ideal lap (its brake point, slowest point and shifts), and so is how big it
has to be there to cost about `TYPICAL_COST_S`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from pitwall.bus.simulator import driver, motion
from pitwall.bus.simulator.driver import Kind, Lap, Plan
from pitwall.bus.simulator.track import circuit
from pitwall.errors import UsageError

EXAMPLE: Final = "brake-early@T3 or brake-early@T3:2"
BRAKING_MPS2: Final = -2.5  # harder than any coasting
SHIFT_ROOM: Final = 80  # stations before the brake point: a shift missed later costs nothing
SHIFT_EARLIEST: Final = 24  # stations behind the straight's begin: an earlier one is not made on every lap
TYPICAL_COST_S: Final = 0.3
NEAR_ENOUGH_S: Final = 0.03
SIZES: Final = (0.35, 3.0)  # a driver's mistakes are no smaller and no bigger, whatever they cost


@dataclass(frozen=True)
class Mistake:
    """A mistake of `kind` at `corner`.  lap: the number of the flying lap it is made on; None: on every one of them."""

    kind: str
    corner: str
    lap: int | None = None

    def __str__(self) -> str:
        return f"{self.kind}@{self.corner}" + ("" if self.lap is None else f":{self.lap}")


@dataclass(frozen=True)
class Approach:
    """How the ideal lap goes through a corner, in stations of the lap.

    begin: where the corner before it is left.  brake: where braking begins, None where it is taken flat.  slowest:
    where the car is slowest.  shift: the first upshift between `begin` and `brake`, None where there is none.
    speed_mps: at the brake point, and the least.
    """

    begin: int
    brake: int | None
    slowest: int
    shift: int | None
    speed_mps: tuple[float, float]


def parse_mistake(text: str) -> Mistake:
    """`KIND@CORNER` or `KIND@CORNER:LAP` as a Mistake that can be made.

    Raises UsageError for what is not of that form, for an unknown kind or corner, and for a corner that has no room for
    such a mistake.
    """
    kind, at, place = text.strip().partition("@")
    corner, colon, lap = place.partition(":")
    if not at or not kind or not corner:
        raise UsageError("not a mistake", where=repr(text), hint=f"write KIND@CORNER or KIND@CORNER:LAP, as {EXAMPLE}")
    if colon and not re.fullmatch(r"[1-9][0-9]{0,8}", lap):
        raise UsageError(f"{lap!r} is no lap", where=repr(text), hint="flying laps are counted from 1")
    mistake = Mistake(kind.strip().lower(), corner.strip().upper(), int(lap) if colon else None)
    check(mistake)
    return mistake


def check(mistake: Mistake) -> None:
    """Raises UsageError where the mistake's kind or corner is unknown, or the corner has no room for it."""
    corners = [corner.name for corner in circuit().corners]
    _known("kind of mistake", mistake.kind, list(KINDS), mistake)
    _known("corner", mistake.corner, corners, mistake)
    if mistake.lap is not None and mistake.lap < 1:
        raise UsageError(f"{mistake.lap} is no flying lap", where=str(mistake), hint="flying laps are counted from 1")
    needs = KINDS[mistake.kind].needs
    if getattr(approaches()[mistake.corner], needs) is None:
        able = [name for name, approach in approaches().items() if getattr(approach, needs) is not None]
        raise UsageError(
            f"nobody {'brakes' if needs == 'brake' else 'shifts up'} for {mistake.corner}",
            where=str(mistake),
            hint=f"{mistake.kind} can be made at {', '.join(able)}",
        )


def planted(plan: Plan, mistake: Mistake, size: float) -> Plan:
    """The plan of a flying lap with the mistake in it.  size: how big it is, 1 where it costs what is typical."""
    return KINDS[mistake.kind].change(
        plan, approaches()[mistake.corner], size * typical_size(mistake.kind, mistake.corner)
    )


@cache
def typical_size(kind: str, corner: str) -> float:
    """How big a mistake is that costs about `TYPICAL_COST_S` on the ideal lap: the bigger, the dearer."""
    plan, before, ideal = _ideal()
    least, most = SIZES
    for _ in range(6):
        size = float((least * most) ** 0.5)
        lap, _ = motion.drive(ideal.lap, KINDS[kind].change(plan, approaches()[corner], size), plan, before)
        cost_s = lap.duration_s - ideal.duration_s
        if abs(cost_s - TYPICAL_COST_S) < NEAR_ENOUGH_S:
            return size
        if cost_s < TYPICAL_COST_S:
            least = size
        else:
            most = size
    return float((least * most) ** 0.5)


@cache
def approaches() -> dict[str, Approach]:
    """How each corner is gone through on the ideal lap, by name."""
    track = circuit()
    ideal = _ideal()[2]
    speed, accel = ideal.speed_mps, ideal.accel_mps2
    apex = [track.station(corner.apex_m) for corner in track.corners]
    slowest = [at - 45 + int(np.argmin(speed[at - 45 : at + 45])) for at in apex]
    found = {}
    for k, corner in enumerate(track.corners):
        # whatever is planted before the first corner lies behind the start line, on the lap that it belongs to
        begin = slowest[k - 1] + 20 if k else 60
        hard = np.nonzero(accel[begin : slowest[k]] < BRAKING_MPS2)[0]
        brake = begin + int(hard[0]) if hard.shape[0] > 10 else None
        until = slowest[k] if brake is None else brake
        first = begin + SHIFT_EARLIEST
        ups = first + np.nonzero(np.diff(ideal.gear[first : until - SHIFT_ROOM]) > 0)[0]
        shift = int(ups[0]) if ups.shape[0] else None
        at = slowest[k] if brake is None else brake
        found[corner.name] = Approach(begin, brake, slowest[k], shift, (float(speed[at]), float(speed[slowest[k]])))
    return found


@cache
def _ideal() -> tuple[Plan, motion.Carry, motion.Motion]:
    """The ideal flying lap behind a flying lap: its plan, what it begins with, and how it goes."""
    out, lap = Lap(0, Kind.OUT, 0), Lap(2, Kind.FLYING, 2)
    plan = driver.nominal(lap)
    _, before = motion.drive(out, driver.nominal(out), plan, None)
    _, before = motion.drive(lap, plan, plan, before)
    ideal, _ = motion.drive(lap, plan, plan, before)
    return plan, before, ideal


def _brake_early(plan: Plan, way: Approach, size: float) -> Plan:
    """Braking begins most of a second too soon, and is lighter for it."""
    assert way.brake is not None
    early = 0.9 * size * way.speed_mps[0]
    whole = way.slowest - way.brake
    lighter = whole / (whole + early)
    zone = _zone(plan, way.begin, way.slowest - 5)
    return replace(plan, brake=np.where(zone, plan.brake * lighter, plan.brake))


def _coast(plan: Plan, way: Approach, size: float) -> Plan:
    """Both feet off, long before the brake point."""
    assert way.brake is not None
    zone = _zone(plan, max(way.begin, int(way.brake - 2.0 * size * way.speed_mps[0])), (way.brake + way.slowest) // 2)
    return replace(plan, throttle=np.where(zone, 0.0, plan.throttle))


def _miss_apex(plan: Plan, way: Approach, size: float) -> Plan:
    """The car stays wide of the apex and has to turn more tightly to get round."""
    s = plan.station - way.slowest
    side = np.sign(plan.offset_m[way.slowest])
    return replace(plan, offset_m=plan.offset_m - side * 2.2 * size * np.exp(-0.5 * (s / 22.0) ** 2))


def _late_throttle(plan: Plan, way: Approach, size: float) -> Plan:
    """The car is round the corner, and the driver waits."""
    zone = _zone(plan, way.slowest - 3, int(way.slowest + 1.5 * size * way.speed_mps[1]))
    return replace(plan, hold=plan.hold | zone)


def _lift(plan: Plan, way: Approach, size: float) -> Plan:
    """The foot comes off the throttle in the middle of the straight."""
    until = way.slowest if way.brake is None else way.brake
    length = int(1.0 * size * way.speed_mps[0])
    first = max(way.begin, (way.begin + until - length) // 2)
    zone = _zone(plan, first, min(first + length, until - 15))
    return replace(plan, throttle=np.where(zone, 0.0, plan.throttle))


def _over_slow(plan: Plan, way: Approach, size: float) -> Plan:
    """Slower in the corner than the tyres ask for."""
    zone = _zone(plan, way.slowest - 14, way.slowest + 8)
    cap = way.speed_mps[1] * (1 - 0.09 * size)
    return replace(plan, cap_mps=np.where(zone, np.minimum(plan.cap_mps, cap), plan.cap_mps))


def _missed_shift(plan: Plan, way: Approach, size: float) -> Plan:
    """The lever does not find the gear at once."""
    assert way.shift is not None
    zone = _zone(plan, way.begin, way.shift + 80)
    return replace(plan, shift_s=np.where(zone, 1.1 * size, plan.shift_s))


def _zone(plan: Plan, first: int, last: int) -> npt.NDArray[np.bool_]:
    return (plan.station >= first) & (plan.station < last)


@dataclass(frozen=True)
class _Recipe:
    """How a kind of mistake changes a plan.  needs: the field of an `Approach` that the corner must have."""

    change: Callable[[Plan, Approach, float], Plan]
    needs: str


KINDS: Final = {
    "brake-early": _Recipe(_brake_early, "brake"),
    "coast": _Recipe(_coast, "brake"),
    "miss-apex": _Recipe(_miss_apex, "brake"),
    "late-throttle": _Recipe(_late_throttle, "brake"),
    "lift": _Recipe(_lift, "slowest"),
    "over-slow": _Recipe(_over_slow, "brake"),
    "missed-shift": _Recipe(_missed_shift, "shift"),
}
"""Every kind of mistake, by the name it is asked for with."""


def _known(what: str, name: str, names: Sequence[str], mistake: Mistake) -> None:
    if name not in names:
        close = get_close_matches(name, names, n=2)
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        raise UsageError(f"unknown {what} {name!r}", where=str(mistake), hint=f"{hint}there are {', '.join(names)}")
