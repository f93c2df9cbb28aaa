"""Which laps are driven, one after another: how long a drive should be in, its laps' motions out.

Law: the n-th motion depends on seed, laps before it and mistakes alone, and begins in the very nanosecond in which the
one before it ended.  A stint is an out lap, flying laps and an in lap; with its fuel burnt the car stops in its box, is
filled up and goes out again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pitwall.bus.simulator import motion
from pitwall.bus.simulator.driver import Kind, Lap, Plan, driven, mistake_size
from pitwall.bus.simulator.mistakes import Mistake, planted
from pitwall.bus.simulator.motion import SECOND_NS, Motion

STINT_LAPS: Final = 40  # flying laps on a tank
STANDING_S: Final = 6.0  # at first: long enough for sensors to be zeroed
PIT_STOP_S: Final = 45.0
HALT_S: Final = 5.0  # after the last in lap
LONGEST_S: Final = {Kind.OUT: 145.0, Kind.FLYING: 106.0, Kind.IN: 135.0}  # laps take less: to plan the way home


@dataclass(frozen=True)
class Length:
    """How long a drive is: so many flying `laps`, or so many nanoseconds; neither: without end."""

    laps: int | None = None
    duration_ns: int | None = None


@dataclass(frozen=True, eq=False)
class Stretch:
    """A piece of the drive: a lap, or the standing after the last one (lap.number is then -1)."""

    motion: Motion
    start_ns: int
    end_ns: int


def stretches(
    seed: int, length: Length, mistakes: Sequence[Mistake], laps: Sequence[Lap] | None = None
) -> Iterator[Stretch]:
    """The laps of a drive, without the halt behind them.

    laps: drive these, instead of as many as `length` says; the last one, unless an in lap, only says where the one
    before it is heading.
    """
    chosen = None if laps is None else iter(laps)
    start_ns = 0
    lap: Lap | None = Lap(0, Kind.OUT, 0, STANDING_S) if chosen is None else next(chosen, None)
    plan = None if lap is None else planned(seed, lap, mistakes)
    carry: motion.Carry | None = None
    while lap is not None and plan is not None:
        behind = following(lap, start_ns, length) if chosen is None else next(chosen, None)
        behind_plan = None if behind is None else planned(seed, behind, mistakes)
        through = lap.kind is not Kind.IN
        if through and behind is None:
            return
        driven_lap, carry = motion.drive(lap, plan, behind_plan if through else None, carry)
        end_ns = start_ns + round(driven_lap.duration_s * SECOND_NS)
        yield Stretch(driven_lap, start_ns, end_ns)
        lap, plan, start_ns = behind, behind_plan, end_ns
        carry = carry if through else None


def halted(after: Stretch, until_ns: int) -> Stretch:
    """The car standing in its box, where `after` left it."""
    return Stretch(motion.standing(after.motion, (until_ns - after.end_ns) / SECOND_NS), after.end_ns, until_ns)


def planned(seed: int, lap: Lap, mistakes: Sequence[Mistake]) -> Plan:
    """What the driver means to do on `lap`, mistakes included."""
    plan = driven(seed, lap)
    for mistake in mistakes:
        if makes(lap, mistake):
            plan = planted(plan, mistake, mistake_size(seed, lap, f"{mistake.kind}@{mistake.corner}"))
    return plan


def makes(lap: Lap, mistake: Mistake) -> bool:
    """Whether the mistake is made on this lap."""
    return lap.kind is Kind.FLYING and mistake.lap in (None, lap.number)


def following(lap: Lap, start_ns: int, length: Length) -> Lap | None:
    """The lap behind `lap`, which starts at `start_ns`; None behind the last."""
    stints, of_stint = divmod(lap.number, STINT_LAPS + 2)
    flown = stints * STINT_LAPS + min(of_stint, STINT_LAPS)
    number = lap.number + 1
    end_ns = start_ns + int(LONGEST_S[lap.kind] * SECOND_NS)
    if lap.kind is Kind.IN:
        if length.laps is not None and flown >= length.laps:
            return None
        outing_s = PIT_STOP_S + LONGEST_S[Kind.OUT] + LONGEST_S[Kind.FLYING] + LONGEST_S[Kind.IN]
        if length.duration_ns is not None and end_ns + outing_s * SECOND_NS > length.duration_ns:
            return None
        return Lap(number, Kind.OUT, 0, PIT_STOP_S)
    done = length.laps is not None and flown >= length.laps
    home_ns = int((LONGEST_S[Kind.FLYING] + LONGEST_S[Kind.IN]) * SECOND_NS)
    late = length.duration_ns is not None and end_ns + home_ns > length.duration_ns
    return Lap(number, Kind.IN if done or late or of_stint >= STINT_LAPS else Kind.FLYING, of_stint + 1)
