"""Sessions in, the rules' advice out, with the ground that a model's words have in it: a brief before, a debrief after.

Law: what is advised is computed from projections alone; a session whose projection can't be had in time is left out of
a brief's history, and of nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pitwall.coach import debriefing
from pitwall.coach.advice import Brief, Change, Debrief, Point
from pitwall.coach.finding import Figure, Finding, Level
from pitwall.errors import PitwallError
from pitwall.project.coached import findings_in, lap_times_in
from pitwall.serve.model.ground import EVERYWHERE, Given, Ground
from pitwall.serve.model.rows import has
from pitwall.serve.problem import Problem

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from pitwall.serve.reading import Readings, Told

HISTORY: Final = 5
"""Sessions that a brief looks back on."""
HISTORY_S: Final = 1.2
"""For all of them: what is asked for is the advice, and half of it is better than none."""

FindingsOf = Callable[["DuckDBPyConnection"], Sequence[Finding]]
"""What the rules found in the session behind a cursor, worth most first."""


def stored(cursor: DuckDBPyConnection) -> Sequence[Finding]:
    """Those that the projection holds; none where it holds no findings."""
    # one that an older pitwall built answers until its successor has taken its place
    return findings_in(cursor) if has(cursor, "findings") else ()


@dataclass(frozen=True, slots=True)
class Seen:
    """What a session holds for advice.  lap_times: of the laps that count.  track: its name; empty: none is known."""

    findings: tuple[Finding, ...] = ()
    lap_times: Mapping[int, float] = field(default_factory=dict)
    track: str = ""


class Advising:
    """The rules over projections.  findings_of: the seam to them."""

    def __init__(self, readings: Readings, findings_of: FindingsOf) -> None:
        self._readings = readings
        self._findings_of = findings_of

    def seen(self, cursor: DuckDBPyConnection) -> Seen:
        """What the session behind the cursor holds."""
        times = lap_times_in(cursor) if has(cursor, "laps") else {}
        track = ""
        if has(cursor, "track"):
            row = cursor.execute("SELECT name FROM track").fetchone()
            track = (row[0] or "") if row else ""
        return Seen(tuple(self._findings_of(cursor)), times, track)

    async def debrief(self, session: str, level: Level, against: str = "") -> Told[Debrief]:
        """What changed, what it was worth, what next.  against: an earlier session's id; empty: its own beginning."""
        before = (await self._readings.ask(against, self.seen)).answer.findings if against else None
        told = await self._readings.ask(session, self.seen)
        seen = told.answer
        advice = debriefing.debrief(session, seen.findings, seen.lap_times, level, before=before, against=against)
        return told.but(advice)

    async def brief(self, session: str, level: Level) -> Told[Brief]:
        """Three things to work on at most, from that session and those before it, of the same car and track."""
        told = await self._readings.ask(session, self.seen)
        history = [(session, told.answer)]
        with suppress(TimeoutError):
            async with asyncio.timeout(HISTORY_S):
                for earlier in await self._earlier(session):
                    with suppress(PitwallError, Problem):
                        seen = (await self._readings.ask(earlier, self.seen)).answer
                        if seen.track == told.answer.track:
                            history.append((earlier, seen))
        return told.but(debriefing.brief([(id, seen.findings) for id, seen in history], level))

    async def _earlier(self, session: str) -> list[str]:
        """Sessions of the same car that began before it, the newest first."""
        listed = await self._readings.sessions()
        this = next((each for each in listed if each.id == session), None)
        if this is None:
            return []
        car, began = this.header.car, this.header.started_at_ns
        before = [each.id for each in listed if each.header.car == car and each.header.started_at_ns < began]
        return await self._readings.projected(before[:-HISTORY:-1])  # the newest first


def ground_of(advice: Brief | Debrief) -> Ground:
    """What words about the advice may stand on."""
    ground = Ground(counts=frozenset({len(advice.points)}))
    for point in advice.points:
        ground |= _of_point(point)
    if advice.points:
        ground |= Ground((Given(total_worth_s(advice), "s", EVERYWHERE),))
    if isinstance(advice, Debrief):
        for change in advice.changes:
            ground |= _of_change(change)
        best = () if advice.best_s is None else (Given(advice.best_s, "s"),)
        lap = frozenset() if advice.best_lap is None else frozenset({advice.best_lap})
        ground |= Ground(best, lap, counts=frozenset({advice.laps, len(advice.changes)}))
        ground |= Ground(names=frozenset({advice.session, advice.against}))
    else:
        ground |= Ground(counts=frozenset({len(advice.sessions)}), names=frozenset(advice.sessions))
    return ground


def total_worth_s(advice: Brief | Debrief) -> float:
    """What all points together are worth in a lap."""
    return round(sum(point.worth_s for point in advice.points), 2)


def told_of(advice: Brief | Debrief) -> dict[str, Any]:
    """What a model is told of the advice: each number with its unit, and how it differs from what is usual."""
    told: dict[str, Any] = {
        "points": [
            {
                "where": point.where or "everywhere",
                "what": point.rule.replace("-", " "),
                "section": point.section,
                "worth": f"{point.worth_s:g} s a lap",
                "seen on": f"{len(point.laps)} of {point.of} laps",
                "figures": [_told_figure(figure) for figure in point.figures],
                "advice": point.words,
            }
            for point in advice.points
        ],
        "worth of all": f"{total_worth_s(advice):g} s a lap",
    }
    if isinstance(advice, Debrief):
        if advice.best_s is not None:
            told["best lap"] = {"lap": advice.best_lap, "time": lap_time(advice.best_s)}
        told["laps that count"] = advice.laps
        told["changes"] = [change.words for change in advice.changes]
    return told


def figures_of(advice: Brief | Debrief) -> list[dict[str, Any]]:
    """The figures that the advice stands on, as the API has them."""
    return [
        {"name": f.name, "value": f.value, "unit": f.unit, "usual": f.usual, "corner": point.where or None}
        for point in advice.points
        for f in (Figure("worth", point.worth_s, "s"), *point.figures)
    ]


def lap_time(time_s: float) -> str:
    """As racers say it: 58.317 s, 1:42.318."""
    if round(time_s, 3) < 60:
        return f"{time_s:.3f} s"
    minutes, ms = divmod(round(time_s * 1000), 60_000)
    return f"{minutes}:{ms / 1000:06.3f}"


def _of_point(point: Point) -> Ground:
    figures = [Given(point.worth_s, "s", point.where)]
    for figure in point.figures:
        figures.append(Given(figure.value, figure.unit, point.where))
        if figure.usual is not None:
            figures.append(Given(figure.usual, figure.unit, point.where))
            figures.append(Given(_difference(figure), figure.unit, point.where))
    figures += [Given(link.distance_m, "m", link.corner) for link in point.links]
    laps = {*point.laps, *(link.lap for link in point.links)}
    corners = {name for name in (point.where, *(link.corner for link in point.links)) if name}
    counts = frozenset({len(point.laps), point.of})
    return Ground(tuple(figures), frozenset(laps), corners=frozenset(corners), counts=counts)


def _of_change(change: Change) -> Ground:
    seconds = (change.before_s, change.after_s, change.gained_s, abs(change.gained_s))
    return Ground(
        tuple(Given(value, "s", change.where) for value in seconds),
        corners=frozenset({change.where} if change.where else ()),
    )


def _told_figure(figure: Figure) -> str:
    unit = f" {figure.unit}" if figure.unit else ""
    text = f"{figure.name.replace('_', ' ')} {figure.value:g}{unit}"
    if figure.usual is None:
        return text
    return f"{text}, at your best {figure.usual:g}{unit}, difference {_difference(figure):g}{unit}"


def _difference(figure: Figure) -> float:
    return float(f"{figure.value - (figure.usual or 0.0):.6g}")
