"""What laps are, as rows: a lap, its sectors, and every crossing of a line.  Pure and frozen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lap:
    """One lap, when it is over.

    number: counted from 0, the out lap.  kind: out, flying, cooling, in.  t_start, t_end: ns.
    time_s: from line to line, of an out lap with the lap into the pits and the stop there; None: it has no such time.
    why: why it can't be trusted, or is none.
    best: the best one up to then.  best_so_far_s: of the flying, valid laps before it.  delta_s: to that.
    distance_m: driven.  top_speed_mps, min_speed_mps: at its fixes.  fuel_used: in the fuel's.
    """

    number: int
    kind: str
    t_start: int
    t_end: int
    time_s: float | None
    valid: bool
    why: str
    best: bool
    best_so_far_s: float | None
    delta_s: float | None
    distance_m: float
    top_speed_mps: float | None
    min_speed_mps: float | None
    fuel_used: float | None

    @property
    def flying(self) -> bool:
        return self.kind == "flying"


@dataclass(frozen=True, slots=True)
class Sector:
    """A sector of a lap.  number: from 1.  time_s: None where a line was not seen.  best: the best one up to then."""

    lap: int
    number: int
    t_start: int | None
    t_end: int | None
    time_s: float | None
    best: bool


@dataclass(frozen=True, slots=True)
class Crossed:
    """A line passed.  line: start, finish, or sector and its number.  lap: which was under way before.

    counted: it began or ended something; else `why` not.
    """

    t_ns: int
    line: str
    lap: int
    counted: bool
    why: str
    lat: float
    lon: float
