"""Incidents on ticks made by hand, and on a simulated drive that has none; the same however ticks come in pieces."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.car.definition import Alarm
from pitwall.coach.incidents import (
    LOCKED_SHARE,
    MOVING_MPS,
    SPIN_DEG,
    SPIN_SPEED_SHARE,
    SPINNING_SHARE,
    WHEELS,
    Incident,
    Watching,
    about_itself_deg,
    detectors,
    fastest_before,
)
from pitwall.coach.metrics import POWER_PCT
from pitwall.coach.ticks import OLD_NS, TICK_NS, Ticking, Ticks
from pitwall.serve.chase import TAKE_S
from tests.coach.laps_of import CARS, decoded

SECOND = 1_000_000_000
N = 20 * SECOND // TICK_NS
SINCE_S = np.arange(N) * TICK_NS / SECOND  # since the first tick
ROLES = {role: role for role in ("speed", "g_lat", "g_long", "yaw_rate", "throttle", "rpm", "oil_press", *WHEELS)}
ALARMS = (Alarm("oil_press", below=1.4, over_rpm=4000, for_s=0.5), Alarm("rpm", above=8000, for_s=0.1))
UNITS = {"oil_press": "bar", "rpm": "rpm"}


def ticks(**changes: np.ndarray) -> Ticks:
    """A car that goes straight at 40 m/s."""
    columns = {
        "speed": np.full(N, 40.0), "g_lat": np.zeros(N), "g_long": np.zeros(N), "yaw_rate": np.zeros(N),
        "throttle": np.full(N, 60.0), "rpm": np.full(N, 6000.0), "alarm:oil_press": np.full(N, 4.0),
        "lap": np.full(N, 3.0), "lap_distance": SINCE_S * 40, **{wheel: np.full(N, 40.0) for wheel in WHEELS},
    }  # fmt: skip
    columns.update(changes)
    columns["alarm:rpm"] = columns["rpm"]
    return Ticks(np.arange(1, N + 1, dtype=np.int64) * TICK_NS, columns)


def told(what: Ticks, *, cuts: tuple[int, ...] = ()) -> list[Incident]:
    watch = Watching(detectors(ROLES, ALARMS, UNITS))
    edges = [0, *sorted(cuts), len(what)]
    return [one for a, b in itertools.pairwise(edges) for one in watch.fold(what.part(slice(a, b)))]


def between(first_s: float, last_s: float, inside: float, outside: float) -> np.ndarray:
    return np.where((first_s <= SINCE_S) & (last_s > SINCE_S), inside, outside)


def tick(since_s: float) -> int:
    """The time of the first tick of `between(since_s, …)`."""
    return TICK_NS + round(since_s * SECOND)


def test_a_car_that_goes_straight_has_no_incidents() -> None:
    assert told(ticks()) == []


def test_a_spin_is_a_turn_about_itself_and_a_loss_of_speed() -> None:
    yaw, speed = between(5, 6.5, 90.0, 0.0), np.interp(SINCE_S, [5, 6.5, 8], [40.0, 20.0, 3.0])
    (spin,) = told(ticks(yaw_rate=yaw, speed=speed))
    assert (spin.kind, spin.lap) == ("spin", 3)
    assert tick(5) <= spin.t_ns <= tick(6.5)
    assert {figure.name for figure in spin.figures} == {"about_itself", "speed_before", "speed"}
    assert told(ticks(yaw_rate=between(5, 5.9, 90.0, 0.0), speed=speed)) == []  # caught at 80 degrees
    assert told(ticks(yaw_rate=yaw)) == []  # a drift that goes on as fast
    turning = np.degrees(1.0 * 9.80665 / 15.0)  # a hairpin: the path turns as fast as the car
    assert told(ticks(yaw_rate=np.full(N, turning), g_lat=np.full(N, 1.0), speed=np.full(N, 15.0))) == []


@pytest.mark.parametrize("wheel", WHEELS)
def test_a_wheel_that_locks_is_named(wheel: str) -> None:
    braking = {"g_long": np.full(N, -0.9), "throttle": np.zeros(N)}
    (lock,) = told(ticks(**braking, **{wheel: between(2.5, 3, 10.0, 40.0)}))
    assert (lock.kind, lock.what) == ("lock-up", wheel[-2:])
    assert told(ticks(**braking, **{wheel: between(2.5, 3, 32.0, 40.0)})) == []  # slips, as it should
    assert told(ticks(**braking, **{wheel: between(2.5, 2.6, 10.0, 40.0)})) == []  # a sensor that missed a tooth


def test_a_wheel_that_spins_is_named() -> None:
    (spin,) = told(ticks(wheel_speed_rl=between(2.5, 3, 52.0, 40.0)))
    assert (spin.kind, spin.what) == ("wheel-spin", "rl")
    assert told(ticks(wheel_speed_rl=between(2.5, 3, 46.0, 40.0))) == []


def test_oil_pressure_counts_while_the_engine_turns_and_once_it_lasts() -> None:
    (low,) = told(ticks(**{"alarm:oil_press": between(5, 7, 0.9, 4.0)}))
    assert low.kind == "oil-pressure"
    assert (low.t_ns, low.told_ns) == (tick(5), tick(5.5))
    assert [(f.name, f.value, f.unit) for f in low.figures] == [
        ("oil_press", 0.9, "bar"), ("limit", 1.4, "bar"), ("rpm", 6000.0, "rpm"),
    ]  # fmt: skip
    assert told(ticks(**{"alarm:oil_press": between(5, 5.4, 0.9, 4.0)})) == []  # for 0.4 s
    assert told(ticks(**{"alarm:oil_press": np.full(N, 0.9)}, rpm=np.full(N, 900.0))) == []  # idles


@pytest.mark.parametrize("for_s", [0.001, TICK_NS / SECOND / 2])
def test_what_has_to_last_less_than_a_tick_is_told_at_the_first(for_s: float) -> None:
    watch = Watching(detectors(ROLES, [Alarm("rpm", above=8000, for_s=for_s)], UNITS))
    (over,) = watch.fold(ticks(rpm=between(5, 5.5, 8200.0, 6000.0)))
    assert over.told_ns == over.t_ns == tick(5)


def test_a_cue_waits_for_no_step_longer_than_what_a_growing_log_is_taken_in() -> None:
    assert round(TAKE_S * SECOND) >= TICK_NS


def test_what_goes_on_is_told_once_and_what_comes_again_is_told_again() -> None:
    rpm = between(5, 5.5, 8200.0, 6000.0) + between(6, 6.5, 2200.0, 0.0) + between(15, 15.5, 2200.0, 0.0)
    first, second = told(ticks(rpm=rpm))
    assert first.kind == second.kind == "over-rev"
    assert (first.t_ns, second.t_ns) == (tick(5), tick(15))


def test_what_no_channel_tells_is_not_guessed() -> None:
    assert told(ticks(**{"alarm:oil_press": np.full(N, np.nan), "speed": np.full(N, np.nan)})) == []


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**16), st.lists(st.integers(0, N), max_size=12))
def test_incidents_are_the_same_however_ticks_come_in_pieces(seed: int, cuts: list[int]) -> None:
    chance = np.random.default_rng(seed)
    rough = {
        name: np.repeat(chance.choice(values, 40), N // 40)
        for name, values in {
            "speed": [40.0, 12.0, np.nan], "yaw_rate": [0.0, 120.0], "rpm": [3000.0, 8100.0],
            "alarm:oil_press": [1.0, 4.0], "wheel_speed_fl": [40.0, 12.0], "throttle": [0.0, 100.0],
        }.items()
    }  # fmt: skip
    rough["g_long"] = np.where(rough["throttle"] > 0, 0.3, -0.9)
    assert told(ticks(**rough), cuts=tuple(cuts)) == told(ticks(**rough))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**16), st.lists(st.integers(0, 120), max_size=8))
def test_ticks_are_the_same_however_samples_come_in_pieces(seed: int, cuts: list[int]) -> None:
    chance = np.random.default_rng(seed)
    t = np.cumsum(chance.integers(0, 300_000_000, 120))
    which, values = chance.integers(0, 2, 120), np.where(chance.random(120) < 0.1, np.nan, chance.random(120))

    def fold(edges: list[int]) -> Ticks:
        ticking, parts = Ticking(("a", "b")), []
        for first, last in itertools.pairwise(edges):
            if last > first:
                part = slice(first, last)
                samples = {
                    name: (t[part][which[part] == i], values[part][which[part] == i]) for i, name in enumerate("ab")
                }
                parts.append(ticking.fold({n: s for n, s in samples.items() if len(s[0])}, int(t[last - 1])))
        columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in "ab"}
        return Ticks(np.concatenate([part.t_ns for part in parts]), columns)

    whole, cut = fold([0, 120]), fold([0, *sorted(cuts), 120])
    assert np.array_equal(whole.t_ns, cut.t_ns)
    for i, name in enumerate("ab"):
        assert np.array_equal(whole.columns[name], cut.columns[name], equal_nan=True)
        for at, value in zip(whole.t_ns.tolist(), whole.columns[name].tolist(), strict=True):  # slow and obvious
            before = [k for k in range(120) if t[k] <= at and which[k] == i and not np.isnan(values[k])]
            if not before or at - t[before[-1]] > OLD_NS:
                assert np.isnan(value)
            else:
                assert value == values[before[-1]]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**16))
def test_a_first_look_at_all_ticks_misses_none_at_which_something_holds(seed: int) -> None:
    chance = np.random.default_rng(seed)
    speeds = [40.0, 36.0, 31.0, 29.0, 12.0, 7.0, -3.0, np.nan]
    rough = {
        name: np.repeat(chance.choice(values, 40), N // 40)
        for name, values in {
            "speed": [40.0, 30.0, 12.0, np.nan], "yaw_rate": [0.0, 29.0, -31.0, 45.0, np.nan], "g_lat": [0.0, -1.0],
            "g_long": [-0.9, 0.3, np.nan], "throttle": [0.0, 100.0], **dict.fromkeys(WHEELS, speeds),
        }.items()
    }  # fmt: skip
    at = ticks(**rough)
    wheels = np.sort([rough[wheel] for wheel in WHEELS], axis=0)
    power, before = rough["throttle"] > POWER_PCT, fastest_before(at)
    spins = (rough["speed"] < SPIN_SPEED_SHARE * before) & (before > MOVING_MPS) & (about_itself_deg(at) >= SPIN_DEG)
    expected = {("spin", ""): spins}
    for wheel in WHEELS:
        locks = (rough[wheel] < LOCKED_SHARE * wheels[-1]) & (wheels[-1] > MOVING_MPS)
        expected["lock-up", wheel[-2:]] = locks & (rough["g_long"] < -0.2) & ~power
        expected["wheel-spin", wheel[-2:]] = (
            (rough[wheel] > SPINNING_SHARE * wheels[1]) & (wheels[1] > MOVING_MPS) & power
        )
    for each in detectors(ROLES, (), UNITS):
        assert np.array_equal(each.holds(at), expected[each.kind, each.what])


def test_a_clean_drive_has_no_incidents() -> None:
    from pitwall.bus.simulator import simulate
    from pitwall.car import load
    from pitwall.frames import concat

    car = load(CARS, "bmw-e46-m3")
    channels = decoded(concat(list(simulate(seed=3, laps=1).frames())))
    roles = dict(car.roles)
    units = {channel.name: channel.unit for channel in (*car.channels, *car.derived)}
    sources = {**roles, **{f"alarm:{alarm.channel}": alarm.channel for alarm in car.alarms}}
    samples = {n: (channels[c].t_ns, channels[c].values) for n, c in sources.items() if c in channels}
    made = Ticking(tuple(sources)).fold(samples, max(int(t[-1]) for t, _ in samples.values()))
    assert len(made) > 1000
    assert Watching(detectors(roles, car.alarms, units)).fold(made) == []
