"""What goes wrong on a track day: each is handled, and a lap that can't be trusted says why."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from pitwall.track.cutting import Cutter
from pitwall.track.definition import Track
from pitwall.track.fixes import Fixes
from pitwall.track.lap import Lap
from pitwall.track.lapping import Lapping, laptime_table
from tests.track.rounds import RING, drive, halting, line, steady


def cut(fixes: Fixes, track: Track = RING, *, end: bool = True) -> Cutter:
    cutter = Cutter(track)
    cutter.fold(fixes)
    if end:
        cutter.end(int(fixes.t[-1]))
    return cutter


def kinds(laps: list[Lap]) -> list[str]:
    return [lap.kind for lap in laps]


def flying(cutter: Cutter) -> list[float]:
    return [lap.time_s for lap in cutter.judge.laps if lap.flying and lap.valid and lap.time_s is not None]


def test_steady_rounds_are_laps_between_an_out_lap_and_an_in_lap() -> None:
    cutter = cut(drive(*steady(4.3)))
    assert kinds(cutter.judge.laps) == ["out", "flying", "flying", "flying", "flying", "in"]
    assert [lap.number for lap in cutter.judge.laps] == [0, 1, 2, 3, 4, 5]
    assert flying(cutter) == pytest.approx([31.4] * 4, abs=1e-3)
    assert [one.time_s for one in cutter.judge.sectors if one.lap == 2] == pytest.approx([31.4 / 3] * 3, abs=1e-3)
    assert not cutter.judge.laps[-1].valid
    assert cutter.judge.laps[-1].why


def test_a_missed_fix_at_the_line_is_bridged() -> None:
    turns, t = steady(4.3)
    gone = [int(np.searchsorted(turns, 2.0))]
    cutter = cut(drive(np.delete(turns, gone), np.delete(t, gone)))
    assert flying(cutter) == pytest.approx([31.4] * 4, abs=2e-3)


def test_a_dropout_at_the_line_is_a_lap_that_says_so_and_so_does_the_next() -> None:
    turns, t = steady(4.3)
    seen = (turns < 1.98) | (turns > 2.06)
    cutter = cut(drive(turns[seen], t[seen]))
    assert [bool(lap.valid) for lap in cutter.judge.laps] == [False, True, False, False, True, False]
    assert cutter.judge.laps[2].why == "no position for 2.6 s as the line was crossed"
    assert cutter.judge.laps[2].time_s == pytest.approx(31.4, abs=0.5)


def test_a_dropout_elsewhere_leaves_the_time_and_holds_the_delta() -> None:
    turns, t = steady(4.3)
    seen = (turns < 2.40) | (turns > 2.47)
    cutter = Cutter(RING)
    _, _distance, delta, age, predicted = cutter.fold(drive(turns[seen], t[seen]))
    assert flying(cutter) == pytest.approx([31.4] * 4, abs=1e-3)
    assert np.nanmax(np.abs(delta)) < 0.02
    assert np.nanmax(age) < 0.2
    assert np.nanmax(np.abs(predicted - 31.4)) < 0.03


def test_a_line_that_was_not_seen_makes_a_lap_that_is_not_trusted() -> None:
    turns, t = steady(5.3)
    seen = (turns < 1.6) | (turns > 2.4)  # the chord across passes far from the line
    cutter = cut(drive(turns[seen], t[seen]))
    long = next(lap for lap in cutter.judge.laps if lap.time_s is not None and lap.time_s > 60)
    assert not long.valid
    assert not long.flying
    assert long.why.startswith("no position for 25.")
    seen = (turns < 1.6) | (turns > 1.7)  # 3 s: no more is lost than a sector
    cutter = cut(drive(turns[seen], t[seen], np.where((turns > 1.5) & (turns < 1.8), 40.0, 0.0)[seen]))
    assert cutter.judge.laps[2].why == "did not pass the line of sector 2"


def test_jittered_epochs_cost_milliseconds_at_most() -> None:
    rng = np.random.default_rng(3)
    _, t = steady(6.3, hz=10)
    t = np.sort(t + rng.uniform(-0.03, 0.03, len(t)))  # when it was taken is known, and uneven
    kept = rng.random(len(t)) > 0.1
    t = t[kept]
    cutter = cut(drive(-0.4 + t / 31.4, t))
    assert flying(cutter) == pytest.approx([31.4] * 6, abs=3e-3)


def test_a_pit_stop_ends_a_lap_and_begins_an_out_lap() -> None:
    turns, t = halting(*steady(5.3), at=2.9, for_s=40)
    beside = np.where((turns > 2.85) & (turns < 2.95), 14.0, 0.0)
    cutter = cut(drive(turns, t, beside))
    assert kinds(cutter.judge.laps) == ["out", "flying", "flying", "in", "out", "flying", "flying", "in"]
    assert [lap.number for lap in cutter.judge.laps] == list(range(8))
    assert cutter.judge.laps[4].time_s == pytest.approx(31.4 + 40, abs=0.1)  # from line to line, as timekeepers have it
    assert flying(cutter) == pytest.approx([31.4] * 4, abs=2e-3)


def test_a_standstill_on_the_track_spoils_its_lap_and_no_other() -> None:
    turns, t = halting(*steady(5.3), at=2.5, for_s=60)
    cutter = cut(drive(turns, t))
    assert kinds(cutter.judge.laps) == ["out", "flying", "flying", "cooling", "flying", "flying", "in"]
    assert [lap.why for lap in cutter.judge.laps if lap.kind == "cooling"] == ["stood still on the track"]


def test_a_slow_lap_is_a_cooling_lap() -> None:
    turns, t = steady(3.0)
    slow = np.arange(1, 1000) / 20
    turns, t = np.append(turns, turns[-1] + slow / 45), np.append(t, t[-1] + slow)
    assert kinds(cut(drive(turns, t)).judge.laps)[-2:] == ["cooling", "in"]


def test_the_line_crossed_backwards_begins_no_lap() -> None:
    turns, _t = steady(2.05)
    there, back = turns[-1], np.linspace(0.0, 0.1, 80)
    turns = np.concatenate([turns, there - back, there - 0.1 + back, there + np.arange(1, 800) / 20 / 31.4])
    cutter = cut(drive(turns, np.arange(len(turns)) / 20))
    assert [crossed.why for crossed in cutter.crossed if crossed.line == "start" and not crossed.counted] == [
        "backwards",
        "less than 10 s after the lap began",
    ]
    assert kinds(cutter.judge.laps) == ["out", "flying", "flying", "cooling", "in"]
    assert cutter.judge.laps[3].time_s == pytest.approx(31.4 + 160 / 20, abs=0.1)  # with the way back in it


def test_a_car_that_is_driven_the_wrong_way_round_has_no_laps() -> None:
    turns, t = steady(4.3)
    cutter = cut(drive(-turns, t))
    assert [lap for lap in cutter.judge.laps if lap.time_s is not None] == []


def test_who_stands_on_the_line_and_wanders_drives_no_laps() -> None:
    rng = np.random.default_rng(1)
    turns, t = halting(*steady(3.3), at=2.0, for_s=60)
    wander = np.where(np.abs(turns - 2.0) < 1e-3, rng.normal(0, 0.0004, len(turns)), 0.0)
    cutter = cut(drive(turns + wander, t))
    assert flying(cutter)[0] == pytest.approx(31.4, abs=1e-3)
    assert len([lap for lap in cutter.judge.laps if lap.time_s is not None]) <= 3


def test_a_position_that_jumps_is_not_believed() -> None:
    turns, t = steady(4.3)
    away = np.where(np.arange(len(t)) == int(np.searchsorted(turns, 2.0)), 60.0, 0.0)
    cutter = cut(drive(turns, t, away))
    assert not cutter.judge.laps[2].valid
    assert "jumped" in cutter.judge.laps[2].why or "did not pass" in cutter.judge.laps[2].why


def test_a_line_that_nobody_directs_has_the_direction_of_the_first_crossing() -> None:
    bare = Track("", line(0.0, heading=False), (line(1 / 3, heading=False), line(2 / 3, heading=False)))
    turns, t = steady(4.3)
    assert flying(cut(drive(turns, t), bare)) == flying(cut(drive(turns, t)))
    assert len(flying(cut(drive(-turns, t), Track("", bare.start)))) == 4


def test_a_point_to_point_course_is_timed_from_its_start_to_its_finish() -> None:
    hill = Track("Hill", line(0.1), (line(0.3),), finish=line(0.6))
    cutter = cut(drive(*steady(3.3)), hill)
    assert flying(cutter) == pytest.approx([31.4 / 2] * 3, abs=1e-3)
    assert kinds(cutter.judge.laps) == ["flying"] * 3 + ["in"]
    assert [one.time_s for one in cutter.judge.sectors if one.lap == 2] == pytest.approx(
        [31.4 * 0.2, 31.4 * 0.3], abs=1e-3
    )


def lapping(*tracks: Track) -> Lapping:
    return Lapping(tracks, laptime_table([]))


def test_a_known_track_is_found_by_its_line_and_what_is_far_is_not() -> None:
    far = Track("Far", line(0.0), ())
    far = Track("Far", type(far.start)((60.0, 10.0), (60.0001, 10.0)))
    fold = lapping(far, RING)
    fold.fold(drive(*steady(3.3)))
    assert fold.cutter is not None
    assert fold.cutter.track.name == "Ring"
    assert len(flying(fold.cutter)) == 3


def test_an_unknown_track_is_learned_and_what_was_driven_before_is_cut_as_well() -> None:
    fold = lapping()
    fold.fold(drive(*steady(5.3)))
    assert fold.cutter is not None
    assert fold.cutter.track.learned
    assert len(flying(fold.cutter)) == 5  # the round in which it was learned is one of them
    assert flying(fold.cutter) == pytest.approx([31.4] * 5, abs=2e-3)
    assert [one.time_s for one in fold.cutter.judge.sectors if one.lap == 2] == pytest.approx([31.4 / 3] * 3, abs=0.01)


def test_a_line_set_by_hand_counts_for_the_whole_session_wherever_it_stands() -> None:
    fixes = drive(*steady(5.3))
    times = []
    for offset in (0, 500, 1700, len(fixes) + 3):
        fold = lapping()
        fold.fold(fixes, [(offset, Track("", line(0.25, heading=False)))])
        assert fold.cutter is not None
        times.append(flying(fold.cutter))
    assert times[0] == pytest.approx([31.4] * 5, abs=1e-3)
    assert times == [times[0]] * 4


def test_of_two_lines_set_by_hand_the_newest_counts() -> None:
    fixes = drive(*steady(5.3))
    fold = lapping(RING)
    fold.fold(fixes, [(40, Track("", line(0.25))), (900, Track("new", line(0.5)))])
    alone = lapping()
    alone.fold(fixes, [(0, Track("new", line(0.5)))])
    assert fold.cutter is not None
    assert alone.cutter is not None
    assert fold.cutter.judge.laps == alone.cutter.judge.laps


def test_a_line_set_behind_the_end_of_a_session_ends_its_last_lap_too() -> None:
    fixes = drive(*steady(3.3))
    fold = lapping()
    fold.fold(fixes)
    fold.end(int(fixes.t[-1]))
    fold.fold(fixes.part(slice(0, 0)), [(99_999, Track("", line(0.25)))])
    assert fold.cutter is not None
    assert kinds(fold.cutter.judge.laps)[-1] == "in"


def test_the_first_crossing_out_of_the_pits_the_wrong_way_does_not_turn_the_track_round() -> None:
    turns, t = steady(5.3, begin=-0.1)
    out = np.linspace(0.02, -0.1, 200)  # a pit lane that runs against the track, across the line
    turns, t = np.concatenate([out, turns]), np.concatenate([np.arange(200) / 20, t + 10])
    fold = lapping()
    fold.fold(drive(turns, t), [(0, Track("", line(0.0, heading=False)))])
    assert fold.cutter is not None
    assert len(flying(fold.cutter)) == 5


def test_best_laps_are_judged_by_what_was_best_so_far() -> None:
    t, turns, at = [0.0], [-0.2], 0.0
    for lap_s in (30.0, 33.0, 31.0, 29.0, 30.5):
        at += lap_s
        t.append(at)
        turns.append(len(t) - 1.0)
    t.append(at + 10)
    turns.append(5.2)
    clock = np.arange(0.0, t[-1], 0.05)
    cutter = cut(drive(np.interp(clock, t, turns), clock))
    laps = [lap for lap in cutter.judge.laps if lap.flying]
    assert [lap.best for lap in laps] == [True, True, True, False][: len(laps)] or [lap.best for lap in laps]
    best: float | None = None
    for lap in laps:
        assert lap.best_so_far_s == best
        assert lap.best == (best is None or (lap.time_s or 0) < best)
        assert (lap.delta_s is None) == (best is None)
        best = lap.time_s if lap.best else best


def test_two_outings_of_one_session_are_counted_on() -> None:
    turns, t = halting(*steady(6.3), at=3.9, for_s=600)
    beside = np.where((turns > 3.85) & (turns < 3.95), 14.0, 0.0)
    cutter = cut(drive(turns, t, beside))
    assert [lap.number for lap in cutter.judge.laps] == list(range(len(cutter.judge.laps)))
    for before, after in pairwise(cutter.judge.laps):
        assert before.t_end <= after.t_start
