"""Rows of channels and laps that ended in, the rows of the coach's tables out: corners, findings, incidents, cues.

Laws: all of them are small, and whole as of any commit; what is in them depends on the log alone, not on how it was cut
into batches.  Channels that the coach needs are kept for `KEPT_NS`, so that a lap that is cut anew is measured, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from operator import attrgetter
from typing import Final

import numpy as np

from pitwall.car import Car, units
from pitwall.coach.coaching import Coaching, Cornered
from pitwall.coach.cues import Cue, Planned, Speaking
from pitwall.coach.driven import UNITS, Driven, Samples, driven
from pitwall.coach.finding import Figure, Finding, Level, Priority
from pitwall.coach.incidents import WHEELS, Incident, Watching, detectors
from pitwall.coach.metrics import FIGURES
from pitwall.coach.off import Off
from pitwall.coach.ticks import Ticking, Ticks
from pitwall.derive import Rows, Table
from pitwall.frames import Int64
from pitwall.project.laps import Small
from pitwall.track.corners import STEP_M, Corner, Float64, found, named
from pitwall.track.cutting import Cutter
from pitwall.track.lapping import Closed

KEPT_NS: Final = 3600 * 1_000_000_000
"""Of the coach's channels: twice the longest lap.  Eight of them at 100 Hz are 50 MB."""
LIVE: Final = ("speed", "g_lat", "g_long", "yaw_rate", "throttle", "brake", "rpm", *WHEELS)
"""Roles that are watched as they come."""


_NAMED: Final = ("oil_press", "oil_temp", "water_temp")
"""Roles whose channels' alarms have names of their own."""
_OTHER_UNITS: Final = {"yaw_rate": "deg/s", **dict.fromkeys(WHEELS, "m/s")}

Planning = tuple[int, tuple[Planned, ...], int]
"""When it is known, what is to be said, on which lap."""


@dataclass(slots=True)
class _Channel:
    """A channel of the car.  table, index: where its rows are.  factor: to the unit that the coach has."""

    table: str
    index: int
    factor: float
    t: list[Int64] = field(default_factory=list)
    values: list[Float64] = field(default_factory=list)

    def new(self, by_table: Mapping[str, Sequence[Rows]]) -> tuple[Int64, Float64] | None:
        """Its samples among these rows."""
        parts = [(part.t, part.values[self.index]) for part in by_table.get(self.table, ()) if len(part.t)]
        if not parts:
            return None
        return np.concatenate([t for t, _ in parts]), np.concatenate([v for _, v in parts]) * self.factor

    def keep(self, samples: tuple[Int64, Float64] | None, since_ns: int) -> None:
        """Remembers new samples, and forgets pieces that end before that time."""
        while self.t and int(self.t[0][-1]) < since_ns:
            del self.t[0], self.values[0]
        if samples is not None:
            self.t.append(samples[0])
            self.values.append(samples[1])

    def between(self, first_ns: int, last_ns: int, before_ns: int) -> Samples:
        """The samples from first to last, and one more on either side; of those before `before_ns`."""
        pieces = [i for i, t in enumerate(self.t) if int(t[-1]) >= first_ns - _ASIDE_NS and int(t[0]) < before_ns]
        t = np.concatenate([np.empty(0, np.int64), *(self.t[i] for i in pieces)])
        values = np.concatenate([np.empty(0), *(self.values[i] for i in pieces)])
        there = ~np.isnan(values) & (t < before_ns) & (t >= first_ns - _ASIDE_NS)
        t, values = t[there], values[there]
        low = max(0, int(np.searchsorted(t, first_ns)) - 1)
        high = int(np.searchsorted(t, last_ns, side="right")) + 1
        return Samples(t[low:high], values[low:high])


_ASIDE_NS: Final = 1_000_000_000
"""A sample further from a lap says nothing of it."""


class Coach:
    """What the coach says of one session."""

    def __init__(self, car: Car, tables: Sequence[Table], laptime: Sequence[Table]) -> None:
        """tables: of the car's channels.  laptime: that of its laps; none where it does not say where it is."""
        roles = dict(car.roles)
        places = {c.name: (table.name, i) for table in tables for i, c in enumerate(table.channels)}
        units_of = {c.name: c.unit for table in tables for c in table.channels}

        def channels(wanted: Mapping[str, str]) -> dict[str, _Channel]:
            """Those of roles, by the unit that each is wanted in."""
            factors = {r: _factor(units_of[roles[r]], unit) for r, unit in wanted.items() if roles.get(r) in places}
            return {r: _Channel(*places[roles[r]], factor) for r, factor in factors.items() if factor is not None}

        self._over_lap = channels(UNITS)
        self._live = channels({role: _OTHER_UNITS.get(role, UNITS.get(role, "")) for role in LIVE})
        watched = {role: roles[role] for role in (*self._live, *_NAMED) if roles.get(role) in places}
        alarms = [alarm for alarm in car.alarms if alarm.channel in places]
        for alarm in alarms:
            self._live[f"alarm:{alarm.channel}"] = _Channel(*places[alarm.channel], 1.0)
        for table in laptime:
            self._live |= {name: _Channel(table.name, i, 1.0) for i, name in enumerate(("lap", "lap_distance"))}
        self._ticking = Ticking(tuple(self._live))
        self._watch = Watching(detectors(watched, alarms, units_of))
        self._speaking = Speaking()
        self._course: Cutter | None = None
        self._coaching: Coaching | None = None
        self._now_ns = 0
        self._plans: list[Planning] = []
        self._incidents: list[Incident] = []
        self._cues: list[Cue] = []
        self._changes = 0
        self._told = 0
        self._small: Small = {}

    def fold(self, rows: Sequence[Rows], closed: Sequence[Closed], course: Cutter | None, now_ns: int) -> None:
        """rows: of every table, laptime's too.  closed: laps that ended.  now_ns: of the newest row of the log."""
        by_table: dict[str, list[Rows]] = {}
        for part in rows:
            by_table.setdefault(part.table.name, []).append(part)
        for channel in self._over_lap.values():
            channel.keep(channel.new(by_table), self._now_ns - KEPT_NS - _ASIDE_NS)
        self._now_ns = max(self._now_ns, now_ns)
        new = {name: samples for name, c in self._live.items() if (samples := c.new(by_table)) is not None}
        ticks = self._ticking.fold(new, now_ns)
        incidents = self._watch.fold(ticks)
        self._close(closed)
        if course is not self._course:  # another one, on which no lap has ended yet
            self._course, self._coaching = course, None
            self._changes += 1
        cues = self._speak(ticks, incidents)
        self._incidents += incidents
        self._cues += cues
        self._changes += len(incidents) + len(cues)

    @property
    def cue(self) -> Cue | None:
        """What was said last."""
        return self._cues[-1] if self._cues else None

    def small(self) -> Small:
        """The rows of its tables, as of now; the same object until they may differ."""
        if self._told != self._changes:
            coaching = self._coaching
            cornered = [] if coaching is None else coaching.cornered
            self._small = {
                "corners": [row for each in cornered for row in _corner_rows(each)],
                "findings": [] if coaching is None else [_finding_row(each) for each in coaching.findings()],
                "incidents": [_incident_row(each) for each in sorted(self._incidents, key=_when)],
                "cues": [_cue_row(each) for each in self._cues],
            }
            self._told = self._changes
        return self._small

    def _close(self, closed: Sequence[Closed]) -> None:
        """Takes the laps that ended."""
        for each in closed:
            if each.cutter is not self._course:
                self._course, self._coaching = each.cutter, None
            self._changes += 1
            if each.known_ns is None and each.trace.start_ns < each.now_ns - KEPT_NS:
                continue  # its channels are forgotten
            lap = self._driven(each)
            if self._coaching is None:
                self._coaching = Coaching(lap, _corners(each.cutter))
            self._incidents += [_off(each, off) for off in self._coaching.add(lap)]
            if each.known_ns is not None:  # of what is cut anew nothing is said until the next lap
                self._plans.append((each.known_ns, self._coaching.plan(), each.trace.number + 1))

    def _driven(self, each: Closed) -> Driven:
        trace, path = each.trace, each.cutter.judge.path
        assert path is not None
        there = np.isfinite(trace.s_m)
        t_ns = trace.start_ns + np.rint(trace.t_s[there] * 1e9).astype(np.int64)
        before_ns = each.now_ns if each.known_ns is None else each.known_ns
        roles = {r: c.between(int(t_ns[0]), int(t_ns[-1]), before_ns) for r, c in self._over_lap.items()}
        return driven(
            trace.number,
            t_ns=t_ns,
            distance_m=trace.s_m[there],
            x_m=trace.x_m[there],
            y_m=trace.y_m[there],
            length_m=path.length_m,
            roles=roles,
        )

    def _speak(self, ticks: Ticks, incidents: Sequence[Incident]) -> list[Cue]:
        """What is said at these ticks, each plan from when it is known."""
        said: list[Cue] = []
        while self._plans and len(ticks) and self._plans[0][0] <= int(ticks.t_ns[-1]):
            known_ns, plan, lap = self._plans.pop(0)
            first = int(np.searchsorted(ticks.t_ns, known_ns))
            said += self._speaking.fold(ticks.part(slice(None, first)), [i for i in incidents if i.told_ns < known_ns])
            ticks, incidents = ticks.part(slice(first, None)), [i for i in incidents if i.told_ns >= known_ns]
            self._speaking.plan(plan, lap)
        return said + self._speaking.fold(ticks, incidents)


def _off(each: Closed, off: Off) -> Incident:
    """It is told when the lap is over: too late for a cue."""
    t_ns = each.trace.start_ns + round(off.t_s * 1e9)
    figures = (Figure("away", round(off.away_m, 1), "m"), Figure("lost", round(off.lost_s, 2), "s"))
    told_ns = each.now_ns if each.known_ns is None else each.known_ns
    return Incident("off", Priority.SAFETY, t_ns, told_ns, each.trace.number, off.at_m, "", figures)


def _factor(unit: str, wanted: str) -> float | None:
    """From one unit to another; None: there is no way.  What is wanted in no unit, and a brake, is taken as it is."""
    if wanted in ("", "bar", "rpm", "%"):
        return 1.0
    try:
        return units.converted(1.0, unit, wanted)
    except units.UnitError:
        return None


def _corners(cutter: Cutter) -> tuple[Corner, ...]:
    """Of the course, as its first good lap went, under the names that its track has."""
    path = cutter.judge.path
    assert path is not None
    rows, along = np.arange(0.0, path.length_m, STEP_M), np.arange(len(path.x_m)) * path.step_m
    x, y = np.interp(rows, along, path.x_m), np.interp(rows, along, path.y_m)
    names = [(corner.name, *cutter.plane.point(corner.apex)) for corner in cutter.track.corners]
    return named(found(x, y, closed=cutter.track.finish is None), x, y, names)


_figures_of = attrgetter(*FIGURES)


def _corner_rows(each: Cornered) -> Iterator[tuple[object, ...]]:
    figures = np.array(_figures_of(each.cornering)).T.tolist()
    return ((each.lap, corner.name, *row) for corner, row in zip(each.corners, figures, strict=True))


def _when(each: Incident) -> tuple[int, str, str]:
    return each.t_ns, each.kind, each.what


def _figures(figures: Sequence[Figure]) -> str:
    return json.dumps([asdict(figure) for figure in figures])


def _finding_row(each: Finding) -> tuple[object, ...]:
    links = json.dumps([asdict(link) for link in each.links])
    laps = json.dumps(list(each.laps))
    what = (each.rule, each.priority.name.lower(), each.where, each.section, each.worth_s)
    return (*what, laps, each.of, each.links[0].distance_m, _figures(each.figures), links)


def _incident_row(each: Incident) -> tuple[object, ...]:
    what = (each.kind, each.what or None, each.priority.name.lower())
    return (each.t_ns, each.told_ns, *what, each.lap, each.distance_m, _figures(each.figures))


def _cue_row(each: Cue) -> tuple[object, ...]:
    what = (each.priority.name.lower(), each.what, each.corner or None, each.ahead_m, each.worth_s)
    return (each.t_ns, each.lap, each.distance_m, *what, *(each.words[level] for level in Level))
