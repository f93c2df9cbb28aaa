"""Ticks in, cues out: what is said to the driver in the car, when and where.

Laws:

1. One at a time, with silence between; never at high combined g; of a corner well before it, and never in another one;
   what is safe comes first.
2. A cue depends on the ticks, the incidents and the laps up to there: a replay says the same, in any pieces.
3. It is said in the words of every level: which is heard is chosen where it is heard.

Pure; the state is small, and rebuilt by replay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from pitwall.coach.driven import Driven
from pitwall.coach.finding import Finding, Level, Priority
from pitwall.coach.incidents import Incident
from pitwall.coach.saying import cue as cue_words
from pitwall.coach.sections import Sections
from pitwall.coach.stretches import Rows, Runs
from pitwall.coach.ticks import Ticks
from pitwall.coach.words import INCIDENT_CUES
from pitwall.frames import Int64
from pitwall.track.corners import STEP_M, Float64

SECOND: Final = 1_000_000_000
CALM_G: Final = 0.5
"""Who pulls more has no ear to spare."""
SILENCE_NS: Final = 6 * SECOND
"""Between two cues."""
URGENT_SILENCE_NS: Final = 2 * SECOND
"""Before one about safety: as long as the one before it may take to say."""
INCIDENT_AGAIN_NS: Final = 30 * SECOND
"""What is still so after that time is said again; sooner it is nagging."""
STALE_NS: Final = 15 * SECOND
"""An incident that could not be told within that time is over."""
SAID_BEFORE_S: Final = 1.5
"""By so long before the driver acts the words must be over."""
WORDS_S: Final = 2.0
"""How long they take."""
AHEAD_S: Final = 8.0
"""Said sooner, it is forgotten."""
MOST_A_LAP: Final = 3
MOVING_MPS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Cue:
    """One thing said.  what: the rule, or the incident's kind.  corner: that it speaks of; empty: none.

    ahead_m: from where it is said to where the driver acts; None: it is of now.  worth_s: of the finding behind it.
    """

    t_ns: int
    lap: int | None
    distance_m: float | None
    priority: Priority
    what: str
    corner: str
    ahead_m: float | None
    worth_s: float | None
    words: Mapping[Level, str]


@dataclass(frozen=True, slots=True)
class Planned:
    """What is to be said on a lap.  from_m, to_m: where it may be.  acts_m: where the driver acts on it."""

    finding: Finding
    from_m: float
    to_m: float
    acts_m: float

    def over(self, distance_m: Float64) -> Rows:
        """Where it may be."""
        return (distance_m >= self.from_m) & (distance_m <= self.to_m)


def calm_rows(sections: Sections) -> Rows:
    """Where the driver has an ear to spare, and is in no corner, on the lap whose corners they are."""
    calm = _calm(sections.first.combined_g)
    for place in sections.places:
        calm[round(place.corner.begin_m / STEP_M) : round(place.corner.end_m / STEP_M) + 1] = False
    return calm


def planned(findings: Sequence[Finding], sections: Sections, calm: Rows) -> tuple[Planned, ...]:
    """What of the newest laps' findings is said on the next one, and where; worth most first, in the order of a lap.

    calm: of the sections.  The place is the last calm stretch that ends well before the driver acts.
    """
    found: list[Planned] = []
    by_name = {place.corner.name: place for place in sections.places}
    for finding in findings:
        at = by_name.get(finding.where)
        if at is None or finding.priority > Priority.TIME or len(found) == MOST_A_LAP:
            continue
        acts = min(finding.links[-1].distance_m, at.corner.begin_m if finding.section != "straight" else np.inf)
        room = _room(sections.first, calm, round(acts / STEP_M))
        if room is None:
            continue
        first, last = room
        if all(last * STEP_M < other.from_m or first * STEP_M > other.to_m for other in found):
            found.append(Planned(finding, first * STEP_M, last * STEP_M, acts))
    return tuple(sorted(found, key=lambda each: each.from_m))


class Speaking:
    """The cues of a session, folded from its first tick on."""

    def __init__(self) -> None:
        self._plan: tuple[Planned, ...] = ()
        self._lap = -1
        self._said: set[int] = set()
        self._last_ns = -(1 << 62)
        self._waiting: list[Incident] = []
        self._told: dict[tuple[str, str], int] = {}

    def plan(self, plan: tuple[Planned, ...], lap: int) -> None:
        """What is to be said from now on, while that lap is driven."""
        self._plan, self._lap, self._said = plan, lap, set()

    def fold(self, ticks: Ticks, incidents: Sequence[Incident]) -> list[Cue]:
        """What is said at these ticks.  incidents: told at them."""
        self._waiting += [incident for incident in incidents if incident.priority <= Priority.ENGINE]
        if not self._waiting:
            ticks = ticks.part(self._planned_at(ticks))
        if not len(ticks):
            return []
        calm = _calm(np.hypot(ticks.column("g_lat"), np.nan_to_num(ticks.column("g_long"))))
        found: list[Cue] = []
        while True:
            cue = self._next(ticks, calm)
            if cue is None:
                return found
            found.append(cue)

    def _planned_at(self, ticks: Ticks) -> Int64:
        """The ticks at places where something planned may be said."""
        on, distance = np.zeros(len(ticks), np.bool_), ticks.column("lap_distance")
        for each in self._plan:
            on |= each.over(distance)
        return on.nonzero()[0]

    def _next(self, ticks: Ticks, calm: Rows) -> Cue | None:
        """The first that is to be said; of two at the same tick that about safety."""
        choices = [each for each in (self._next_incident(ticks, calm), self._next_planned(ticks, calm)) if each]
        if not choices:
            return None
        at, _, which = min(choices, key=lambda each: each[:2])
        t_ns = int(ticks.t_ns[at])
        lap, distance = float(ticks.column("lap")[at]), float(ticks.column("lap_distance")[at])
        self._last_ns = t_ns
        if isinstance(which, Incident):
            self._waiting.remove(which)
            self._told[which.kind, which.what] = t_ns
            words = {level: INCIDENT_CUES[which.kind if which.kind in INCIDENT_CUES else ""][level] for level in Level}
            words = {level: text.format(what=which.what.replace("_", " ")) for level, text in words.items()}
            return Cue(t_ns, _lap(lap), _known(distance), which.priority, which.kind, "", None, None, words)
        finding = self._plan[which].finding
        self._said.add(which)
        words = {level: cue_words(finding.rule, level, finding.where) for level in Level}
        ahead = self._plan[which].acts_m - distance
        worth = round(finding.worth_s, 2)
        return Cue(t_ns, _lap(lap), distance, finding.priority, finding.rule, finding.where, ahead, worth, words)

    def _next_incident(self, ticks: Ticks, calm: Rows) -> tuple[int, int, Incident] | None:
        """The one that can be said first; of several at one tick the gravest."""
        until = int(ticks.t_ns[-1])
        free = self._last_ns + URGENT_SILENCE_NS
        best: tuple[int, int, Incident] | None = None
        for each in sorted(self._waiting, key=lambda one: (one.priority, one.told_ns, one.kind, one.what)):
            said_ns = self._told.get((each.kind, each.what), -(1 << 62))
            may = calm & (ticks.t_ns >= max(each.told_ns, free)) & (ticks.t_ns < each.told_ns + STALE_NS)
            if each.told_ns - said_ns < INCIDENT_AGAIN_NS:
                self._waiting.remove(each)
            elif may.any():
                if best is None or int(np.argmax(may)) < best[0]:
                    best = int(np.argmax(may)), 0, each
            elif until >= each.told_ns + STALE_NS:
                self._waiting.remove(each)
        return best

    def _next_planned(self, ticks: Ticks, calm: Rows) -> tuple[int, int, int] | None:
        free = calm & (ticks.t_ns >= self._last_ns + SILENCE_NS) & (ticks.column("speed") > MOVING_MPS)
        free = free & (ticks.column("lap") == self._lap)
        distance = ticks.column("lap_distance")
        best: tuple[int, int, int] | None = None
        for which, each in enumerate(self._plan):
            may = free & each.over(distance)
            if which not in self._said and may.any() and (best is None or int(np.argmax(may)) < best[0]):
                best = int(np.argmax(may)), 1, which
        return best


def _calm(g: np.ndarray) -> Rows:
    """Where the driver has an ear to spare; where no channel tells it is taken for granted."""
    return ~(g > CALM_G)


def _room(reference: Driven, calm: Rows, acts: int) -> tuple[int, int] | None:
    """The rows where it may be said: within one calm stretch, early enough, and long enough for the words."""
    t_s = reference.t_s
    acts = min(max(acts, 0), len(t_s) - 1)
    last = int(np.searchsorted(t_s, t_s[acts] - SAID_BEFORE_S - WORDS_S, side="right")) - 1
    first_ever = int(np.searchsorted(t_s, t_s[acts] - AHEAD_S - WORDS_S))
    runs = Runs(calm[first_ever : last + 1])
    long_enough = (runs.last - runs.first > 1).nonzero()[0]
    if not len(long_enough):
        return None
    newest = long_enough[-1]
    return first_ever + int(runs.first[newest]), first_ever + int(runs.last[newest]) - 1


def _lap(value: float) -> int | None:
    return int(value) if np.isfinite(value) else None


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None
