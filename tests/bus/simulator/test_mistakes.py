"""Planted mistakes are made, are what they are called, and cost what the truth says."""

from __future__ import annotations

import numpy as np
import pytest

from pitwall.bus.simulator import KINDS, Mistake, parse_mistake, simulate
from pitwall.bus.simulator.course import Length, stretches
from pitwall.bus.simulator.mistakes import approaches, check
from pitwall.errors import UsageError
from tests.bus.simulator.facts import Decoded

SEED = 21
WHERE = {
    "brake-early": "T3",
    "coast": "T6",
    "miss-apex": "T8",
    "late-throttle": "T10",
    "lift": "T7",
    "over-slow": "T1",
    "missed-shift": "T4",
}


def makeable():
    for kind in KINDS:
        for corner in approaches():
            try:
                check(Mistake(kind, corner))
            except UsageError:
                continue
            yield kind, corner


@pytest.fixture(scope="module")
def clean():
    return simulate(seed=SEED, laps=2)


def corner(lap, name):
    return next(corner for corner in lap["corners"] if corner["name"] == name)


def during(drive, signal, lap):
    t = drive.t(signal)
    return drive.of(signal)[(t >= lap["start_ns"] / 1e9) & (t < lap["end_ns"] / 1e9)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_mistakes_cost_is_the_difference_to_the_same_lap_without_it(clean, kind):
    truth = simulate(seed=SEED, laps=2, mistakes=[Mistake(kind, WHERE[kind], 2)]).truth()
    (made,) = truth["mistakes"]
    assert (made["kind"], made["corner"], made["lap"]) == (kind, WHERE[kind], 2)
    without = clean.truth()["laps"]
    assert truth["laps"][1]["time_s"] == without[1]["time_s"]
    assert truth["laps"][2]["time_s"] - without[2]["time_s"] == pytest.approx(made["cost_s"], abs=1e-8)
    assert truth["laps"][3]["time_s"] - without[3]["time_s"] == pytest.approx(made["cost_next_lap_s"], abs=1e-8)
    assert 0.1 < made["cost_s"] < 0.6


@pytest.mark.slow
def test_every_mistake_costs_a_plausible_time_wherever_it_can_be_made():
    """One on each lap of a long drive, beside the same drive without any."""
    numbers = [number for number in range(1, 90) if number not in (41, 42)]  # a pit stop
    planted = [Mistake(kind, name, lap) for (kind, name), lap in zip(makeable(), numbers, strict=False)]
    length = Length(laps=len(planted))
    assert len(planted) > 50
    with_them = {part.motion.lap.number: part.motion.duration_s for part in stretches(SEED, length, planted)}
    without = {part.motion.lap.number: part.motion.duration_s for part in stretches(SEED, length, ())}
    cost = {str(mistake): with_them[mistake.lap] - without[mistake.lap] for mistake in planted if mistake.lap}
    assert {what: cost_s for what, cost_s in cost.items() if not 0.06 < cost_s < 0.6} == {}


def test_of_several_mistakes_each_costs_what_leaving_it_out_would_win():
    planted = [parse_mistake(text) for text in ("brake-early@T3", "coast@T6:2", "miss-apex@T11")]
    truth = simulate(seed=SEED, laps=2, mistakes=planted).truth()
    assert [(m["kind"], m["lap"]) for m in truth["mistakes"]] == [
        ("brake-early", 1),
        ("miss-apex", 1),
        ("brake-early", 2),
        ("coast", 2),
        ("miss-apex", 2),
    ]
    for k, mistake in enumerate(planted):
        without = simulate(seed=SEED, laps=2, mistakes=planted[:k] + planted[k + 1 :]).truth()["laps"]
        for made in truth["mistakes"]:
            if made["kind"] == mistake.kind:
                lost = truth["laps"][made["lap"]]["time_s"] - without[made["lap"]]["time_s"]
                assert lost == pytest.approx(made["cost_s"], abs=1e-8)


def test_a_mistake_without_a_lap_is_made_on_every_flying_lap_and_on_no_other(clean):
    truth = simulate(seed=SEED, laps=2, mistakes=[Mistake("over-slow", "T5")]).truth()
    assert [made["lap"] for made in truth["mistakes"]] == [1, 2]
    assert truth["laps"][0]["time_s"] == clean.truth()["laps"][0]["time_s"]


def both(clean, kind):
    """The second lap with a mistake and without: (truth's lap, drive) each."""
    with_it = simulate(seed=SEED, laps=2, mistakes=[Mistake(kind, WHERE[kind], 2)])
    return (with_it.truth()["laps"][2], Decoded(with_it.frames())), (clean.truth()["laps"][2], Decoded(clean.frames()))


def test_braking_early_is_braking_earlier_and_lighter(clean):
    (lap, drive), (before, drive_before) = both(clean, "brake-early")
    early = corner(before, "T3")["brake_point_m"] - corner(lap, "T3")["brake_point_m"]
    assert 15 < early < 90

    def pressure(drive, lap):
        end_s = corner(lap, "T3")["min_speed_t_ns"] / 1e9
        return drive.at("brake_press_psi", np.arange(end_s - 5, end_s, 0.02)).max()

    assert pressure(drive, lap) < pressure(drive_before, before) - 50


def test_coasting_is_both_feet_off(clean):
    (lap, drive), (before, drive_before) = both(clean, "coast")

    def feet_off(drive, lap):
        throttle, brake = during(drive, "throttle_pos_pct", lap), during(drive, "brake_press_psi", lap)
        return ((throttle < 2) & (brake < 10)).sum() / 50

    assert feet_off(drive, lap) > feet_off(drive_before, before) + 0.5


def test_missing_the_apex_is_another_line(clean):
    (lap, _), (before, _) = both(clean, "miss-apex")
    a, b = corner(lap, "T8")["min_speed_at"], corner(before, "T8")["min_speed_at"]
    off = ((a[0] - b[0]) * 111_250) ** 2 + ((a[1] - b[1]) * 67_900) ** 2
    assert off > 1.0
    assert corner(lap, "T8")["min_speed_mps"] < corner(before, "T8")["min_speed_mps"]


def test_late_on_the_throttle_is_the_same_corner_left_later(clean):
    (lap, drive), (before, drive_before) = both(clean, "late-throttle")
    assert corner(lap, "T10")["brake_point_m"] == pytest.approx(corner(before, "T10")["brake_point_m"], abs=1.5)
    assert corner(lap, "T10")["min_speed_mps"] == pytest.approx(corner(before, "T10")["min_speed_mps"], abs=0.5)

    def throttle_after(drive, lap):
        t_s = corner(lap, "T10")["min_speed_t_ns"] / 1e9 + np.arange(0.2, 1.2, 0.02)
        return drive.at("throttle_pos_pct", t_s).mean()

    assert throttle_after(drive, lap) < throttle_after(drive_before, before) - 10


def test_slowing_too_much_is_a_lower_minimum_speed(clean):
    (lap, _), (before, _) = both(clean, "over-slow")
    less = corner(before, "T1")["min_speed_mps"] - corner(lap, "T1")["min_speed_mps"]
    assert 0.4 < less < 3.5


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("brake-early@T3", Mistake("brake-early", "T3")),
        (" Coast@t6:2 ", Mistake("coast", "T6", 2)),
        ("miss-apex@T11:10", Mistake("miss-apex", "T11", 10)),
    ],
)
def test_a_mistake_is_written_kind_at_corner_and_lap(text, mistake):
    assert parse_mistake(text) == mistake
    assert parse_mistake(str(mistake)) == mistake


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "KIND@CORNER"),
        ("coast", "KIND@CORNER"),
        ("@T3", "KIND@CORNER"),
        ("coast@", "KIND@CORNER"),
        ("coast@T3:0", "counted from 1"),
        ("coast@T3:x", "counted from 1"),
        ("coast@T3:", "counted from 1"),
        ("coast@T3:" + "9" * 5000, "counted from 1"),
        ("cost@T3", "did you mean coast?"),
        ("coast@T33", "did you mean T3?"),
        ("coast@apex", "there are T1, T2"),
        ("sneeze@T3", "there are brake-early"),
        ("brake-early@T7", "nobody brakes for T7"),
        ("missed-shift@T5", "can be made at T2"),
    ],
)
def test_what_can_not_be_made_is_refused_with_what_can(text, says):
    with pytest.raises(UsageError) as refused:
        parse_mistake(text)
    assert says in str(refused.value)


def test_a_mistake_on_a_lap_that_is_not_flown_is_refused():
    with pytest.raises(UsageError, match="lap 3"):
        simulate(laps=2, mistakes=[Mistake("coast", "T3", 3)])
    with pytest.raises(UsageError, match="lap 41"):
        simulate(mistakes=[Mistake("coast", "T3", 41)])  # the way into the pits
    with pytest.raises(UsageError, match="twice"):
        simulate(laps=2, mistakes=[Mistake("coast", "T3", 2), Mistake("coast", "T3")])
    with pytest.raises(UsageError, match="unknown corner"):
        simulate(laps=2, mistakes=[Mistake("coast", "T99")])
