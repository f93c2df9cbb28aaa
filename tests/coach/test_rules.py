"""Each rule on laps drawn by hand: one that it is about, and one that nearly is.

A course with a straight, one corner and a straight.  A lap is drawn by where the driver lifts, brakes, turns in, goes
back to power; speed follows from what the car can do, so that a worth is what the drawing costs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.coach.coaching import REMEMBERED, Coaching
from pitwall.coach.consistency import cornered, in_common, spreads, unsteady
from pitwall.coach.driven import Driven
from pitwall.coach.driving import Driving
from pitwall.coach.finding import Level, Priority
from pitwall.coach.findings import RULES, findings, of_lap
from pitwall.coach.saying import said
from pitwall.coach.sections import Sections
from pitwall.track.corners import Corner

N = 900
ROWS = np.arange(N, dtype=np.float64)
APEX, BEGIN, END = 400, 360, 450
CORNER = Corner("T1", float(BEGIN), float(APEX), float(END), 90.0, 40.0)
G = 9.80665
NORMAL: dict[str, Any] = {
    "lift": None, "release": 395, "decel_g": 1.0, "rise_m": 5, "fall_m": 25, "again": 0.0, "later_m": 0,
    "turn": 372, "min_mps": 20.0, "slowest": APEX, "radius": 40.0, "grip": 1.0, "off_m": 0.0,
    "power": 404, "ramp_m": 30, "dips": (), "swings": 0, "lift_at": None, "shift_at": 150, "shift_m": 8,
    "shift_rpm": 7600.0, "weak": 1.0, "entry_more": 0.0, "exit_less": 0.0, "bare": False,
}  # fmt: skip


def lap(number: int = 1, **changes: Any) -> Driven:
    """A lap drawn as said, else as `NORMAL`: braked so that it has its least speed at its slowest point."""
    d = {**NORMAL, **changes}
    slowest, power, shift = d["slowest"], d["power"], d["shift_at"]
    throttle = np.full(N, 100.0)
    throttle[shift : shift + d["shift_m"]] = 0.0
    if d["lift_at"] is not None:
        throttle[d["lift_at"][0] : d["lift_at"][1]] = 0.0
    if d["lift"] is not None:
        throttle[d["lift"] :] = 0.0
    pull = np.where(throttle > 0, 3.0, -0.4)
    pull[shift : shift + 150] *= d["weak"]
    ahead = 900.0 + 2 * np.concatenate([[0.0], np.cumsum(pull)[:-1]])
    braked = d["min_mps"] ** 2 + 2 * d["decel_g"] * G * (slowest - ROWS)
    brake = int(np.argmax(ahead > braked)) + d["later_m"]
    throttle[brake - 4 :] = 0.0
    throttle = np.where(power <= ROWS, np.clip((ROWS - power) / d["ramp_m"], 0, 1) * 100, throttle)
    for first, last in d["dips"]:
        throttle[first:last] = 30.0
    driven = 2 * 3.0 * np.cumsum(np.where(slowest < ROWS, throttle / 100, 0.0))
    energy = np.where(slowest < ROWS, d["min_mps"] ** 2 + driven, np.minimum(ahead, braked))
    speed = np.sqrt(np.maximum(energy, 25.0))
    speed += d["entry_more"] * np.exp(-0.5 * ((ROWS - d["turn"]) / 12) ** 2)
    speed -= d["exit_less"] * np.clip((ROWS - slowest) / 30, 0, 1)
    gear = np.where(shift > ROWS, 3.0, 4.0)
    full = 60.0 * d["decel_g"]
    pressure = np.interp(
        ROWS, [brake - 1, brake + d["rise_m"], d["release"] - d["fall_m"], d["release"]], [0, full, full, 0]
    )
    pressure += d["again"] * full * np.exp(-0.5 * ((ROWS - (d["release"] - 3)) / 2) ** 2)
    turned = np.interp(ROWS, [d["turn"] - 12, d["turn"] + 12, END - 20, END + 10], [0, 1, 1, 0])
    about = np.exp(-0.5 * ((ROWS - slowest) / 18) ** 2)
    g_lat = d["grip"] * turned * (0.55 + 0.45 * about) * (speed[slowest] ** 2 / G / d["radius"])
    g_long = np.gradient(speed**2 / 2) / G
    steering = turned * 90.0
    for k in range(d["swings"]):
        steering -= 30.0 * np.exp(-0.5 * ((ROWS - (385 + 14 * k)) / 2) ** 2)
    t_s = np.concatenate([[0.0], np.cumsum(1 / speed)[:-1]])
    rpm = np.interp(ROWS, [0, shift - 1, shift + 9, 300, 400, N], [6800, d["shift_rpm"], 5600, 7400, 4000, 7000])
    x = -d["off_m"] * about  # drives north and turns right: the outside is west
    roles = {
        "speed": speed, "throttle": throttle, "brake": pressure, "steering": steering, "g_lat": g_lat, "g_long": g_long,
        "rpm": rpm, "gear": gear,
    }  # fmt: skip
    if d["bare"]:
        roles = {"speed": speed}
    return Driven(number, t_s, x, ROWS.copy(), roles)


def found(**changes: Any) -> dict[str, Any]:
    """What rules say of a lap drawn so, beside four normal ones: all of them, whatever explains the loss best."""
    driving = Driving([*(lap(k) for k in range(1, 5)), lap(5, **changes)], Sections([CORNER], lap(1)))
    seen = driving.seen(4)
    return {finding.rule: finding for rule in RULES for _, finding in rule.judge(seen[rule.section])}


ABOUT = {
    "coasts": {"lift": 230},
    "brakes-early": {"decel_g": 0.72},
    "brakes-softly": {"decel_g": 0.85, "slowest": 414},
    "builds-pressure-slowly": {"rise_m": 35, "decel_g": 0.88},
    "misses-apex": {"radius": 34.0, "min_mps": 18.0},
    "over-slows": {"min_mps": 18.6, "grip": 0.9},
    "brakes-late-and-deep": {"slowest": 412, "power": 420},
    "turns-in-early": {"turn": 358, "slowest": 408, "min_mps": 18.8, "power": 414},
    "turns-in-late": {"turn": 388, "min_mps": 18.2},
    "power-too-soon": {"power": 394, "dips": ((415, 430),), "exit_less": 1.5},
    "lifts-on-exit": {"dips": ((430, 445),)},
    "late-to-power": {"power": 416},
    "timid-on-power": {"power": 392, "ramp_m": 95},
    "fast-in-slow-out": {"entry_more": 2.5, "exit_less": 1.6},
    "leaves-grip": {"grip": 0.85, "min_mps": 18.4},
    "slow-exit": {"exit_less": 1.8},
    "does-not-trail": {"release": 366, "fall_m": 20},
    "releases-abruptly": {"fall_m": 2},
    "releases-unevenly": {"again": 0.5},
    "corrects-steering": {"swings": 2},
    "loses-time": {"bare": True, "min_mps": 18.5},
    "misses-shift": {"shift_m": 50},
    "lifts-on-straight": {"lift_at": (200, 240)},
    "short-shifts": {"shift_rpm": 6900.0, "weak": 0.7},
}
NEARLY = {
    "coasts": {"lift": 280},
    "brakes-early": {"decel_g": 0.94},
    "brakes-softly": {"decel_g": 0.93, "slowest": 404},
    "builds-pressure-slowly": {"rise_m": 12},
    "misses-apex": {"radius": 38.5, "min_mps": 19.7},
    "over-slows": {"min_mps": 19.4},
    "brakes-late-and-deep": {"slowest": 403},
    "turns-in-early": {"turn": 366, "slowest": 402},
    "turns-in-late": {"turn": 378, "min_mps": 19.8},
    "power-too-soon": {"power": 401, "dips": ((420, 430),), "exit_less": 1.5},
    "lifts-on-exit": {"exit_less": 1.5},
    "late-to-power": {"power": 406},
    "timid-on-power": {"ramp_m": 40},
    "fast-in-slow-out": {"entry_more": 2.5},
    "leaves-grip": {"grip": 0.97, "min_mps": 19.6},
    "slow-exit": {"exit_less": 0.5},
    "does-not-trail": {"release": 385},
    "releases-abruptly": {"fall_m": 14},
    "releases-unevenly": {"again": 0.1},
    "corrects-steering": {"swings": 0},
    "loses-time": {"bare": True, "min_mps": 19.8},
    "misses-shift": {"shift_m": 14},
    "lifts-on-straight": {"lift_at": (200, 204)},
    "short-shifts": {"shift_rpm": 7300.0, "weak": 0.7},
}


def test_a_lap_like_the_others_has_no_findings() -> None:
    assert found() == {}


def test_every_rule_over_a_lap_is_tried() -> None:
    assert set(ABOUT) == set(NEARLY) == {rule.name for rule in RULES}


@pytest.mark.parametrize("rule", list(ABOUT))
def test_a_rule_holds_on_a_lap_that_it_is_about(rule: str) -> None:
    finding = found(**ABOUT[rule])[rule]
    assert finding.laps == (5,)
    assert finding.where == "T1"
    assert finding.figures
    assert finding.priority is Priority.HABIT or finding.worth_s >= 0.05
    assert "{" not in said(finding, Level.ADVANCED)
    assert any(char.isdigit() for char in said(finding, Level.ADVANCED).replace("T1", ""))


@pytest.mark.parametrize("rule", list(NEARLY))
def test_a_rule_does_not_hold_on_a_lap_that_it_is_nearly_about(rule: str) -> None:
    assert rule not in found(**NEARLY[rule])


@pytest.mark.parametrize("without", ["brake", "throttle", "steering", "g_lat", "g_long", "rpm", "gear", "speed"])
def test_no_rule_stumbles_over_what_no_channel_tells(without: str) -> None:
    laps = [*(lap(k) for k in range(1, 5)), lap(5, **ABOUT["misses-apex"])]
    bare = [
        Driven(one.number, one.t_s, one.x_m, one.y_m, {k: v for k, v in one.roles.items() if k != without})
        for one in laps
    ]
    driving = Driving(bare, Sections([CORNER], bare[0]))
    for index in range(5):
        assert all(np.isfinite(each.worth_s) for each in of_lap(driving, index))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from(sorted(lap().roles)), st.integers(0, N), st.integers(1, 300)),
        max_size=12,
    ),
    st.sampled_from(sorted(ABOUT)),
)
def test_no_rule_stumbles_over_channels_that_fall_silent_for_a_while(gaps: list[Any], rule: str) -> None:
    laps = [*(lap(k) for k in range(1, 5)), lap(5, **ABOUT[rule])]
    for index, role, first, length in gaps:
        if role in laps[index].roles:
            laps[index].roles[role][first : first + length] = np.nan
    driving = Driving(laps, Sections([CORNER], laps[0]))
    for each in findings(driving):
        assert np.isfinite(each.worth_s)
        assert all(np.isfinite(figure.value) for figure in each.figures)
        assert "{" not in said(each, Level.ADVANCED)
    spreads(cornered(driving))
    in_common(cornered(driving), lap_times(driving))


def lap_times(driving: Driving) -> Any:
    return np.array([each.t_s[-1] for each in driving.laps])


def unsteady_laps(brake_by: float, min_by: float, count: int = 6) -> Driving:
    laps = [
        lap(k, decel_g=1.0 - brake_by * s, min_mps=20.0 + min_by * s)
        for k, s in enumerate((-1.5, -0.9, 0.0, 0.8, 1.4, 1.9)[:count], start=1)
    ]
    return Driving(laps, Sections([CORNER], laps[0]))


def test_what_differs_from_lap_to_lap_is_told_from_four_laps_on() -> None:
    wide = {each.rule: each for each in unsteady(unsteady_laps(0.09, 1.2))}
    assert set(wide) == {"brake-point-varies", "minimum-speed-varies"}
    assert wide["brake-point-varies"].section == "lap"
    assert "{" not in said(wide["brake-point-varies"], Level.ADVANCED)
    assert unsteady(unsteady_laps(0.01, 0.2)) == []
    assert unsteady(unsteady_laps(0.09, 1.2, count=3)) == []


def test_a_spread_is_robust_against_one_lap() -> None:
    laps = [*(lap(k) for k in range(1, 6)), lap(6, decel_g=0.6)]
    (brake,) = [
        each for each in spreads(cornered(Driving(laps, Sections([CORNER], laps[0])))) if each.figure == "brake_point"
    ]
    assert brake.deviation == 0


def test_what_the_fastest_laps_have_in_common_is_found() -> None:
    late = (0, 2, 3, 4)  # metres that power comes later on the others
    laps = [
        *(lap(k + 1, power=404 - k % 2) for k in range(3)),
        *(lap(4 + k, power=416 + m) for k, m in enumerate(late)),
    ]
    driving = Driving(laps, Sections([CORNER], laps[0]))
    found = in_common(cornered(driving), lap_times(driving))
    power = next(each for each in found if each.figure == "power_point")
    assert power.fast < power.rest - 8
    few = Driving(laps[:4], Sections([CORNER], laps[0]))
    assert in_common(cornered(few), lap_times(few)) == []


def test_in_a_long_session_the_newest_laps_are_remembered_and_every_lap_has_its_corners() -> None:
    coaching = Coaching(lap(1), [CORNER])
    for number in range(1, REMEMBERED + 6):
        coaching.add(lap(number, **(ABOUT["coasts"] if number in (2, 22) else {})))
    assert len(coaching.cornered) == REMEMBERED + 5
    (coasting,) = [each for each in coaching.findings() if each.rule == "coasts"]
    assert coasting.laps == (22,)
    assert coasting.of == REMEMBERED
    early = Coaching(lap(1), [CORNER])
    for number in range(1, 6):
        early.add(lap(number, **(ABOUT["coasts"] if number == 1 else {})))
    assert [each.laps for each in early.findings() if each.rule == "coasts"] == [(1,)]  # told by what came later
