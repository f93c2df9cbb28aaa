"""Cues on ticks made by hand: one at a time, when it is calm, well before the corner, what is safe first."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.coach.cues import (
    AHEAD_S,
    CALM_G,
    INCIDENT_AGAIN_NS,
    SAID_BEFORE_S,
    SILENCE_NS,
    URGENT_SILENCE_NS,
    WORDS_S,
    Cue,
    Planned,
    Speaking,
    calm_rows,
    planned,
)
from pitwall.coach.driven import Driven
from pitwall.coach.finding import Finding, Level, Link, Priority
from pitwall.coach.incidents import Incident
from pitwall.coach.sections import Sections
from pitwall.coach.ticks import TICK_NS, Ticks
from pitwall.coach.words import CUES
from pitwall.track.corners import Corner

SECOND = 1_000_000_000
N = 60 * SECOND // TICK_NS
A_SECOND = SECOND // TICK_NS  # in ticks
DISTANCE_M = np.arange(N) * TICK_NS * 40 / SECOND


def ticks(**changes: np.ndarray) -> Ticks:
    """40 m/s round a lap of 2400 m, calm."""
    columns = {
        "speed": np.full(N, 40.0), "g_lat": np.zeros(N), "g_long": np.zeros(N), "lap": np.full(N, 2.0),
        "lap_distance": DISTANCE_M, **changes,
    }  # fmt: skip
    return Ticks(np.arange(N, dtype=np.int64) * TICK_NS, columns)


def finding(rule: str = "coasts", where: str = "T1", worth_s: float = 0.3, at_m: float = 700.0, **changes) -> Finding:
    usual = Finding(rule, Priority.TIME, where, "entry", worth_s, (1,), 1, (), (Link(1, where, at_m),))
    return replace(usual, **changes)


def plan(*rooms: tuple[float, float]) -> tuple[Planned, ...]:
    return tuple(Planned(finding(where=f"T{k}"), a, b, b + 150) for k, (a, b) in enumerate(rooms, start=1))


def incident(
    at_s: float, kind: str = "oil-pressure", priority: Priority = Priority.SAFETY, what: str = "x"
) -> Incident:
    t = round(at_s * SECOND)
    return Incident(kind, priority, t, t, 2, 0.0, what, ())


def said(
    what: Ticks, plans: tuple[Planned, ...] = (), incidents: tuple[Incident, ...] = (), cuts=(), lap=2
) -> list[Cue]:
    speaking = Speaking()
    speaking.plan(plans, lap)
    found: list[Cue] = []
    for first, last in pairwise([0, *sorted(cuts), N]):
        part = what.part(slice(first, last))
        if len(part):
            told = [i for i in incidents if int(part.t_ns[0]) <= i.told_ns < int(part.t_ns[-1]) + TICK_NS]
            found += speaking.fold(part, told)
    return found


def test_a_cue_is_said_once_where_it_is_planned_and_says_how_far_ahead() -> None:
    (cue,) = said(ticks(), plan((400, 500)))
    assert (cue.distance_m, cue.corner, cue.what, cue.lap) == (400, "T1", "coasts", 2)
    assert cue.ahead_m == 250
    assert cue.words == {level: f"T1. {CUES['coasts'][level]}" for level in Level}


def test_nothing_is_said_at_high_combined_g() -> None:
    high = np.where(DISTANCE_M < 450, 0.4, 0.0)
    (cue,) = said(ticks(g_lat=high, g_long=-high), plan((400, 500)))
    assert cue.distance_m == DISTANCE_M[DISTANCE_M >= 450][0]
    assert said(ticks(g_lat=np.full(N, CALM_G + 0.01)), plan((400, 500)), (incident(10),)) == []


def test_between_two_cues_there_is_silence() -> None:
    first, second = said(ticks(), plan((400, 500), (420, 800)))
    assert second.t_ns - first.t_ns == SILENCE_NS
    assert len(said(ticks(), plan((400, 500), (420, 600)))) == 1  # its room is over


@pytest.mark.parametrize(("lap", "speed"), [(3, 40.0), (2, 8.0)])
def test_a_plan_is_of_one_lap_and_for_a_car_that_drives(lap: int, speed: float) -> None:
    assert said(ticks(speed=np.full(N, speed)), plan((400, 500)), lap=lap) == []


def test_what_is_safe_comes_first_and_soon() -> None:
    about, corner = said(ticks(), plan((400, 700)), (incident(10.0),))
    assert (about.what, about.t_ns) == ("oil-pressure", 10 * SECOND)
    assert about.priority is Priority.SAFETY
    assert corner.t_ns == about.t_ns + SILENCE_NS
    corner, about = said(ticks(), plan((400, 700)), (incident(10.5),))
    assert about.t_ns == corner.t_ns + URGENT_SILENCE_NS


def test_of_two_incidents_the_graver_is_said_first() -> None:
    both = (incident(10, "over-rev", Priority.ENGINE), incident(10, "oil-pressure"))
    assert [cue.what for cue in said(ticks(), (), both)] == ["oil-pressure", "over-rev"]


def test_an_incident_is_said_again_after_a_while_and_not_sooner() -> None:
    again = INCIDENT_AGAIN_NS / SECOND
    assert len(said(ticks(), (), (incident(5), incident(5 + again - 1)))) == 1
    assert len(said(ticks(), (), (incident(5), incident(5 + again + 1)))) == 2
    assert said(ticks(), (), (incident(5, "wheel-spin", Priority.HABIT),)) == []


def test_what_could_not_be_said_in_time_is_not_said() -> None:
    busy = np.where(np.arange(N) < 25 * A_SECOND, 1.0, 0.0)
    assert said(ticks(g_lat=busy), (), (incident(5),)) == []
    assert len(said(ticks(g_lat=busy), (), (incident(15),))) == 1


def test_a_channel_without_words_of_its_own_is_named() -> None:
    (cue,) = said(ticks(), (), (incident(5, "tyre_pressure_fl", what="tyre_pressure_fl"),))
    assert "tyre pressure fl" in cue.words[Level.NOVICE]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**16), st.lists(st.integers(0, N), max_size=20))
def test_cues_are_the_same_however_ticks_come_in_pieces(seed: int, cuts: list[int]) -> None:
    chance = np.random.default_rng(seed)
    g = np.repeat(chance.choice([0.2, 0.9, np.nan], 60), A_SECOND)
    rooms = [(float(a), float(a + chance.integers(10, 500))) for a in chance.integers(0, 2200, 4)]
    kinds = chance.choice(["oil-pressure", "over-rev", "spin"], 3).tolist()
    incidents = tuple(
        incident(float(t), kind, Priority.ENGINE if kind == "over-rev" else Priority.SAFETY)
        for t, kind in zip(np.sort(chance.uniform(1, 55, 3)), kinds, strict=True)
    )
    whole = said(ticks(g_lat=g), plan(*rooms), incidents)
    assert said(ticks(g_lat=g), plan(*rooms), incidents, cuts=tuple(cuts)) == whole
    for before, after in pairwise(whole):
        least = URGENT_SILENCE_NS if after.priority < Priority.TIME else SILENCE_NS
        assert after.t_ns - before.t_ns >= least
    assert all(not g[cue.t_ns // TICK_NS] > CALM_G for cue in whole)


def course() -> tuple[Driven, tuple[Corner, ...]]:
    """At 40 m/s: T1 from 700 m, T2 right behind it, T3 far behind."""
    n = 2400
    corners = tuple(
        Corner(name, begin, begin + 40, begin + 80, 90.0, 40.0)
        for name, begin in (("T1", 700.0), ("T2", 820.0), ("T3", 1800.0))
    )
    g = np.zeros(n)
    for corner in corners:
        g[int(corner.begin_m) - 60 : int(corner.end_m)] = 1.0
    roles = {"speed": np.full(n, 40.0), "g_lat": g, "g_long": np.zeros(n)}
    return Driven(1, np.arange(n) / 40.0, np.zeros(n), np.arange(float(n)), roles), corners


def planned_on(findings: list[Finding], corners: tuple[Corner, ...], lap: Driven) -> tuple[Planned, ...]:
    sections = Sections(corners, lap)
    return planned(findings, sections, calm_rows(sections))


def test_what_is_planned_is_calm_ends_early_and_lies_in_no_corner() -> None:
    lap, corners = course()
    findings = [
        finding(where=n, at_m=m, worth_s=w) for n, m, w in (("T1", 650, 0.1), ("T2", 800, 0.3), ("T3", 1750, 0.2))
    ]
    plans = planned_on(findings, corners, lap)
    assert [each.finding.where for each in plans] == ["T1", "T3"]  # T2 would have to be said on the same straight
    for each in plans:
        assert each.acts_m - each.to_m >= (SAID_BEFORE_S + WORDS_S) * 40 - 1
        assert each.acts_m - each.from_m <= (AHEAD_S + WORDS_S) * 40 + 1
        rows = slice(int(each.from_m), int(each.to_m) + 1)
        assert (lap.role("g_lat")[rows] <= CALM_G).all()
        assert not any(c.begin_m <= m <= c.end_m for c in corners for m in (each.from_m, each.to_m))


def test_a_corner_right_behind_another_is_spoken_of_before_both_of_them() -> None:
    lap, corners = course()
    (only,) = planned_on([finding(where="T2", at_m=800)], corners, lap)
    assert only.to_m < 640
    assert planned_on([finding(where="T9")], corners, lap) == ()
    habit = finding(where="T1", priority=Priority.HABIT)
    assert planned_on([habit], corners, lap) == ()
