"""Questions that rules answer: each is understood, and every number that is said is a figure of the answer."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from pitwall.coach.debriefing import brief, debrief, point
from pitwall.coach.driving import Driving
from pitwall.coach.finding import Figure, Finding, Level, Link, Priority
from pitwall.coach.findings import findings
from pitwall.serve.advising import ground_of, lap_time, stored
from pitwall.serve.asking import UNKNOWN, answer
from pitwall.serve.model.ground import judge
from tests.coach.laps_of import drive
from tests.serve.driven import FINDINGS, TIMES, driven

QUESTIONS = {
    "What was my fastest lap?": ("fastest", "lap 3: 1:42.318. Next is lap 5, 0.426 s behind"),
    "best time": ("fastest", "1:42.318"),
    "Where do I lose the most?": ("losing", "at T5: 0.31 s a lap"),
    "What should I work on next?": ("losing", "T5"),
    "compare lap 3 and 5": ("compare", "lap 5: 1:42.744, 0.426 s slower. Most of it is in sector 2: 0.361 s lost"),
    "was I faster on lap 5 than on lap 2?": ("compare", "lap 2: 1:42.871, 0.127 s slower"),
    "compare laps 3 and 99": ("compare", "not in this session"),
    "what about lap 4?": ("lap", "1:44.900, 2.582 s behind the fastest. Its top speed was 199.4 km/h"),
    "lap 77": ("lap", "not in this session"),
    "lap 0": ("lap", "out lap"),
    "top speed?": ("speed", "199.8 km/h, on lap 5"),
    "slowest speed": ("speed", "43.2 km/h, on lap"),
    "How were the temperatures?": ("temperatures", "Coolant temp: 70 °C to 89.8 °C"),
    "how hot was the oil?": ("temperatures", "Oil temp: 80 °C to 89.9 °C, 89.9 °C at last"),
    "oil pressure": ("pressures", "3.01 bar to 4 bar"),
    "max rpm": ("channel", "1000 rpm to 5950 rpm"),
    "theoretical best": ("theoretical", "1:42.004: 0.314 s less"),
    "how consistent was I": ("consistency", "5 laps that count lie within 2.582 s"),
    "sectors": ("sectors", "sector 1 31.719 s on lap 3"),
    "how many laps did I do": ("count", "6 laps; 5 of them"),
    "what should I do at T5?": ("corner", "112 m before the apex of T5"),
    "Turn 3?": ("corner", "0.62 s before T3"),
    "turn 9?": ("corner", "No corner of that name"),
    "list lap times": ("times", "lap 4: 1:44.900"),
    "how was the fuel": ("fuel", "No fuel was measured"),
    "did I spin?": ("incidents", "Nothing is known"),
    "How is the weather?": ("", "can't be answered"),
    "'; DROP TABLE laps; --": ("", "can't be answered"),
}


@pytest.fixture(scope="module")
def cursor():
    return driven().cursor()


def advice():
    return debrief("s", FINDINGS, TIMES, Level.INTERMEDIATE)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_is_answered_with_figures(cursor, question):
    kind, words = QUESTIONS[question]
    reply = answer(question, cursor, advice, lambda: advice().points)
    assert reply.kind == kind
    assert words in reply.words
    if reply.words != UNKNOWN:
        assert judge(reply.words, reply.ground).wrong == ()


@pytest.mark.parametrize("theoretical_s", [102.318, 102.3181, 102.319])
def test_best_sectors_that_are_those_of_the_fastest_lap_are_no_negative_nothing_less(theoretical_s):
    own = driven().cursor()
    own.execute("UPDATE bests SET theoretical_s = ?", [theoretical_s])
    words = answer("theoretical best", own, advice, lambda: advice().points).words
    assert "those of your fastest lap, lap 3." in words
    assert "-" not in words


def test_laps_that_took_as_long_are_neither_slower_nor_faster():
    own = driven().cursor()
    own.execute("UPDATE laps SET time_s = 102.871 WHERE number = 5")
    own.execute("UPDATE sectors SET time_s = 30")
    words = answer("compare lap 2 and 5", own, advice, lambda: advice().points).words
    assert words == "Lap 2: 1:42.871; lap 5: 1:42.871, as fast."


def test_a_projection_without_laps_or_channels_is_no_trouble():
    import duckdb

    empty = duckdb.connect()
    empty.execute(
        "CREATE TABLE channels (name VARCHAR, unit VARCHAR, table_name VARCHAR, column_name VARCHAR, rows BIGINT)"
    )
    for question in QUESTIONS:
        reply = answer(question, empty.cursor(), lambda: debrief("s", (), {}, Level.NOVICE), tuple)
        assert reply.words


def test_a_projection_that_an_older_pitwall_built_has_no_findings():
    import duckdb

    assert stored(duckdb.connect().cursor()) == ()


def test_what_costs_no_time_is_not_where_time_is_lost_and_no_corner_is_left_out(cursor):
    spun = Finding("spin", Priority.SAFETY, "", "lap", 0.0, (2,), 5, (Figure("times", 1.0, ""),), (Link(2, "", 90.0),))
    more = [replace(FINDINGS[1], where=f"T{n}", worth_s=0.05) for n in (7, 8, 9)]
    found = (spun, *FINDINGS, *more)
    points = [point("s", finding, Level.INTERMEDIATE) for finding in found]
    ask = partial(answer, cursor=cursor, debrief=advice, points=lambda: points)
    assert ask("where do I lose time?").words.startswith("You lose the most at T5: 0.31 s")
    assert "T9" in ask("what about turn 9?").words


@pytest.mark.parametrize("level", Level)
def test_every_number_of_the_rules_own_advice_is_given(level):
    made = drive(seed=1, laps=6, mistakes=("brake-early@T3:1", "coast@T2:4", "miss-apex@T5:5"))
    found = findings(Driving(made.laps, made.sections))
    times = {lap.number: float(lap.t_s[-1]) for lap in made.laps}
    for said in (debrief("s", found, times, level), brief([("s", found)], level)):
        assert said.points
        ground = ground_of(said)
        assert judge(said.words, ground).wrong == ()
        for each in said.points:
            assert judge(each.words, ground).wrong == ()


@pytest.mark.parametrize(("time_s", "said"), [(58.3171, "58.317 s"), (59.9999, "1:00.000"), (102.318, "1:42.318")])
def test_lap_times_are_said_as_racers_do(time_s, said):
    assert lap_time(time_s) == said
