"""Rows of channels and laps that ended in, the rows of the coach's tables out: corners, findings, incidents, cues.

Laws: all of them are small, and whole as of any commit; what is in them depends on the log alone, not on how it was cut
into batches.  Channels that the coach needs are kept for `KEPT_NS`, so that a lap that is cut anew is measured, too.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from operator import attrgetter, itemgetter
from typing import Final, TypeVar

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
from pitwall.project import columns
from pitwall.project.laps import Small
from pitwall.track.corners import STEP_M, Corner, Float64, found, named
from pitwall.track.cutting import Cutter
from pitwall.track.lapping import Closed

KEPT_NS: Final = 3600 * 1_000_000_000
"""Of the coach's channels: twice the longest lap.  Eight of them at 100 Hz are 50 MB."""
LIVE: Final = ("speed", "g_lat", "g_long", "yaw_rate", "throttle", "brake", "rpm", *WHEELS)
"""Roles that are watched as they come."""


Column = TypeVar("Column", Int64, Float64)
_NAMED: Final = ("oil_press", "oil_temp", "water_temp")
"""Roles whose channels' alarms have names of their own."""
_OTHER_UNITS: Final = {"yaw_rate": "deg/s", **dict.fromkeys(WHEELS, "m/s")}

Planning = tuple[int, tuple[Planned, ...], int]
"""When it is known, what is to be said, on which lap."""


class _Together:
    """Channels of one table of the car: they come at the same times.

    places: by the name that the coach has for each, where it is among the table's, and the factor to the coach's unit.
    over_lap: those of them that laps are looked at by; they are remembered.
    """

    def __init__(self, places: Mapping[str, tuple[int, float]], over_lap: frozenset[str]) -> None:
        self._places = places
        self._over_lap = over_lap & places.keys()
        self._t: list[Int64] = []
        self._values: list[dict[str, Float64]] = []

    def new(self, parts: Sequence[Rows]) -> tuple[Int64, dict[str, Float64]]:
        """The samples among these rows of the table: times, and the values of each channel."""
        found: dict[str, Float64] = {}
        for name, (index, factor) in self._places.items():
            column = _joined([part.values[index] for part in parts])
            found[name] = column if factor == 1.0 else column * factor
        return _joined([part.t for part in parts]), found

    def keep(self, t: Int64, values: Mapping[str, Float64]) -> None:
        """Remembers new samples."""
        if self._over_lap:  # copied: what a batch was decoded from is not kept
            self._t.append(t.copy())
            self._values.append({name: values[name].copy() for name in self._over_lap})

    def forget(self, since_ns: int) -> None:
        """Pieces that end before that time."""
        while self._t and int(self._t[0][-1]) < since_ns:
            del self._t[0], self._values[0]

    def between(self, first_ns: int, last_ns: int, before_ns: int) -> dict[str, Samples]:
        """The samples from first to last, and one more on either side; of those before `before_ns`."""
        if not self._over_lap:
            return {}
        begin = bisect_left(self._t, first_ns - _ASIDE_NS, key=itemgetter(-1))
        near = slice(begin, bisect_left(self._t, before_ns, lo=begin, key=itemgetter(0)))
        times, pieces = self._t[near], self._values[near]
        if not times:
            return {}
        low, high = int(times[0].searchsorted(first_ns - _ASIDE_NS)), int(times[-1].searchsorted(before_ns))
        inner = slice(low, high - len(times[-1]) or None)  # of them laid end to end
        t = _joined(times)[inner]
        about = _about(t, first_ns, last_ns)
        shared = t[about]
        found: dict[str, Samples] = {}
        for name in self._over_lap:
            values = _joined([piece[name] for piece in pieces])[inner]
            if columns.holds_nan(values):
                there = ~np.isnan(values)
                own = _about(t[there], first_ns, last_ns)
                found[name] = Samples(t[there][own], values[there][own])
            else:
                found[name] = Samples(shared, values[about])
        return found


def _joined(parts: Sequence[Column]) -> Column:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _about(t: Int64, first_ns: int, last_ns: int) -> slice:
    """Those from first to last, and one more on either side."""
    low, high = int(np.searchsorted(t, first_ns)), int(np.searchsorted(t, last_ns, side="right"))
    return slice(max(0, low - 1), high + 1)


_ASIDE_NS: Final = 1_000_000_000
"""A sample further from a lap says nothing of it."""


class Coach:
    """What the coach says of one session."""

    def __init__(self, car: Car, tables: Sequence[Table], laptime: Sequence[Table]) -> None:
        """tables: of the car's channels.  laptime: that of its laps; none where it does not say where it is."""
        roles = dict(car.roles)
        places = {c.name: (table.name, i) for table in tables for i, c in enumerate(table.channels)}
        units_of = {c.name: c.unit for table in tables for c in table.channels}

        def channels(wanted: Mapping[str, str]) -> dict[str, tuple[str, int, float]]:
            """Those of roles, by the unit that each is wanted in: table, place in it, and factor."""
            factors = {r: _factor(units_of[roles[r]], unit) for r, unit in wanted.items() if roles.get(r) in places}
            return {r: (*places[roles[r]], factor) for r, factor in factors.items() if factor is not None}

        over_lap = channels(UNITS)
        live = channels({role: _OTHER_UNITS.get(role, UNITS.get(role, "")) for role in LIVE})
        watched = {role: roles[role] for role in (*live, *_NAMED) if roles.get(role) in places}
        alarms = [alarm for alarm in car.alarms if alarm.channel in places]
        live |= {f"alarm:{alarm.channel}": (*places[alarm.channel], 1.0) for alarm in alarms}
        for table in laptime:
            live |= {name: (table.name, i, 1.0) for i, name in enumerate(("lap", "lap_distance"))}
        of_table: dict[str, dict[str, tuple[int, float]]] = {}
        for name, (table_name, index, factor) in (over_lap | live).items():
            of_table.setdefault(table_name, {})[name] = (index, factor)
        self._tables = {name: _Together(of, frozenset(over_lap)) for name, of in of_table.items()}
        self._live = tuple(live)
        self._ticking = Ticking(self._live)
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
            if len(part.t):
                by_table.setdefault(part.table.name, []).append(part)
        new: dict[str, tuple[Int64, Float64]] = {}
        for name, table in self._tables.items():
            table.forget(self._now_ns - KEPT_NS - _ASIDE_NS)
            if name in by_table:
                t, values = table.new(by_table[name])
                table.keep(t, values)
                new |= {channel: (t, column) for channel, column in values.items()}
        self._now_ns = max(self._now_ns, now_ns)
        ticks = self._ticking.fold({name: new[name] for name in self._live if name in new}, now_ns)
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
        roles: dict[str, Samples] = {}
        for table in self._tables.values():
            roles |= table.between(int(t_ns[0]), int(t_ns[-1]), before_ns)
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
