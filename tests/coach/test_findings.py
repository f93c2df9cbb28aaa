"""Findings and debriefs against what the simulator really did."""

from __future__ import annotations

import pytest

from pitwall.coach.advice import MOST_POINTS
from pitwall.coach.debriefing import brief, debrief
from pitwall.coach.driving import Driving
from pitwall.coach.finding import Level, Priority
from pitwall.coach.findings import RULES, findings, of_lap
from pitwall.coach.saying import number, said
from pitwall.coach.sections import Sections
from pitwall.coach.words import CUES, WORDS
from tests.coach.laps_of import Drive, drive
from tests.coach.many_drives import truth as truth_of

PLANTED = [
    (1, ("brake-early@T3:1", "coast@T2:4", "miss-apex@T5:5")),
    (3, ("brake-early@T1:3", "coast@T2:2", "miss-apex@T10:6")),
    (5, ("brake-early@T11:6", "coast@T5:5", "miss-apex@T6:1")),
]
MISTAKEN_ONCE = [
    (8, ("brake-early@T8:1", "coast@T9:6", "miss-apex@T2:2")),  # what was rolled away was blamed on the line
    (12, ("brake-early@T11:1", "coast@T4:6", "miss-apex@T3:3")),  # and so was an early brake
    (34, ("brake-early@T9:4", "coast@T8:2", "miss-apex@T1:3")),  # slowest at T7's end, on the way into T8
]
"""Drives whose debrief once named another cause than what was done."""


def driving_of(made: Drive) -> Driving:
    return Driving(made.laps, made.sections)


@pytest.mark.parametrize(("seed", "mistakes"), PLANTED)
def test_three_planted_mistakes_are_the_top_of_the_debrief_and_worth_what_they_cost(seed, mistakes) -> None:
    made = drive(seed=seed, laps=6, mistakes=mistakes)
    found = debrief(
        "s", findings(driving_of(made)), {lap.number: float(lap.t_s[-1]) for lap in made.laps}, Level.NOVICE
    )
    truth = truth_of(made)
    assert {(point.rule, point.where) for point in found.points} == set(truth)
    for point in found.points:
        assert point.worth_s == pytest.approx(truth[point.rule, point.where], rel=0.2)
        assert [link.lap for link in point.links] == list(point.laps)


@pytest.mark.parametrize(("seed", "mistakes"), MISTAKEN_ONCE)
def test_what_the_pedals_lost_is_not_blamed_on_the_line_or_on_the_corner_before(seed, mistakes) -> None:
    made = drive(seed=seed, laps=6, mistakes=mistakes)
    found = debrief("s", findings(driving_of(made)), {}, Level.NOVICE)
    assert {(point.rule, point.where) for point in found.points} == set(truth_of(made))


def test_what_is_done_wrong_on_every_lap_is_measured_by_what_the_car_does_elsewhere() -> None:
    made = drive(seed=13, laps=5, mistakes=("brake-early@T5", "coast@T11"))
    found = {(each.rule, each.where): each for each in findings(driving_of(made))}
    for key, cost_s in truth_of(made).items():
        assert found[key].worth_s == pytest.approx(cost_s, rel=0.2)
        assert len(found[key].laps) >= 4


def test_who_always_brakes_early_where_he_is_fastest_is_measured_by_what_the_car_does_when_slower() -> None:
    made = drive(seed=14, laps=5, mistakes=("brake-early@T1",))
    found = {(each.rule, each.where): each for each in findings(driving_of(made))}
    ((key, cost_s),) = truth_of(made).items()
    assert found[key].worth_s == pytest.approx(cost_s, rel=0.2)
    assert len(found[key].laps) >= 4


def test_a_drive_without_mistakes_has_no_big_findings() -> None:
    made = drive(seed=21, laps=5)
    for each in findings(driving_of(made)):
        assert each.worth_s < 0.2


def test_nothing_is_said_twice() -> None:
    made = drive(seed=PLANTED[0][0], laps=6, mistakes=PLANTED[0][1])
    driving = driving_of(made)
    covers = {rule.name: rule.covers for rule in RULES}
    for lap in range(len(driving.laps)):
        taken = [(each.where, section) for each in of_lap(driving, lap) for section in covers[each.rule]]
        assert len(taken) == len(set(taken))


def test_a_lap_is_never_compared_with_itself() -> None:
    made = drive(seed=PLANTED[0][0], laps=6, mistakes=PLANTED[0][1])
    driving = driving_of(made)
    for lap in range(len(driving.laps)):
        for seen in driving.seen(lap).values():
            assert lap not in seen.good
            assert len(seen.good) >= 3


def test_a_single_lap_is_not_found_fault_with_by_comparison() -> None:
    made = drive(seed=21, laps=5)
    alone = Driving(made.laps[:1], Sections(made.corners, made.laps[0]))
    assert all(each.rule in ("brakes-early", "coasts") for each in findings(alone))


def test_every_number_said_is_a_figure_of_its_finding() -> None:
    import re

    made = drive(seed=PLANTED[0][0], laps=6, mistakes=PLANTED[0][1])
    for each in findings(driving_of(made)):
        known = {number(value) for f in each.figures for value in (f.value, f.usual) if value is not None}
        for level in Level:
            words = said(each, level).replace(each.where, "")
            assert set(re.findall(r"-?\d+(?:\.\d+)?", words)) <= known
        assert not re.search(r"\d", said(each, Level.NOVICE).replace(each.where, ""))


def test_every_rule_has_words_and_a_cue_at_every_level() -> None:
    assert len(RULES) >= 20
    assert len({rule.name for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert set(WORDS[rule.name]) == set(CUES[rule.name]) == set(Level)


def test_a_brief_is_made_of_what_came_back_in_earlier_sessions() -> None:
    made = drive(seed=PLANTED[0][0], laps=6, mistakes=PLANTED[0][1])
    found = findings(driving_of(made))
    before = brief([("new", found), ("old", found)], Level.INTERMEDIATE)
    assert before.sessions == ("new", "old")
    assert 1 <= len(before.points) <= MOST_POINTS
    assert all(point.session == "new" for point in before.points)
    assert brief([], Level.NOVICE).points == ()


def test_a_debrief_says_what_changed_and_what_it_was_worth() -> None:
    made = drive(seed=PLANTED[0][0], laps=6, mistakes=PLANTED[0][1])
    found = findings(driving_of(made))
    times = {lap.number: float(lap.t_s[-1]) for lap in made.laps}
    within = debrief("s", found, times, Level.ADVANCED)
    (braking,) = [change for change in within.changes if change.rule == "brakes-early"]  # on lap 1 alone
    (finding,) = [each for each in found if each.rule == "brakes-early"]
    assert braking.after_s == 0
    assert braking.gained_s == pytest.approx(finding.worth_s / 3, abs=0.011)
    between = debrief("s", [], times, Level.ADVANCED, before=found, against="last")
    assert between.against == "last"
    assert all(change.gained_s > 0 for change in between.changes)
    assert sum(f.priority is Priority.TIME for f in found) >= len(between.changes) > 0
    assert debrief("s", [], {}, Level.NOVICE).best_lap is None


def test_a_brief_without_history_says_what_it_needs() -> None:
    for history in ([], [("a-session", [])]):
        words = brief(history, Level.NOVICE).words
        assert "needs flying laps that count, two at least, of this car on this track" in words
