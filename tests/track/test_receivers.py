"""Lap times by the simulator's receiver, and by others, against the simulator's truth."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from pitwall.bus.simulator.course import Length, stretches
from pitwall.bus.simulator.gps import WANDERS
from pitwall.bus.simulator.lag import lagged
from pitwall.bus.simulator.motion import Instants
from pitwall.bus.simulator.track import latitude_longitude
from pitwall.track.cutting import Cutter
from pitwall.track.fixes import Fixes
from pitwall.track.load import shipped

LARKHOLM = next(track for track in shipped() if track.name.startswith("Larkholm"))
DRIVES = range(1, 9)
"""Of ten laps each."""
POOR = ((0.7, 150.0), (0.12, 9.0))
"""Metres on each axis, and the seconds in which they are forgotten: from lap to lap half as much again as the
simulator's receiver is off by, and two and a half times what a maker states."""
SPEED_MPS = 0.05
"""What makers of receivers say of a speed's error."""


@cache
def driven(seed: int, hz: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, tuple[float, ...]]:
    """When, where (x, y) and how fast the car really was, and the true times of its flying laps."""
    parts, times = [], []
    for stretch in stretches(seed, Length(10), ()):
        begin, end = stretch.start_ns * 1e-9, stretch.end_ns * 1e-9
        t = np.arange(np.ceil(begin * hz), np.ceil(end * hz)) / hz
        now, motion = Instants(stretch.motion, t - begin), stretch.motion
        parts.append((t, now.along(motion.x_m), now.along(motion.y_m), now.of(motion.speed_mps)))
        if motion.lap.kind.value == "flying":
            times.append(end - begin)
    t, x, y, v = (np.concatenate(column) for column in zip(*parts, strict=True))
    return t, x, y, v, tuple(times)


def wandering(rng: np.random.Generator, n: int, hz: int, wander: tuple[tuple[float, float], ...]) -> np.ndarray:
    """A receiver's error, float64 (n, 2)."""
    off = np.zeros((n, 2))
    for sigma, tau in wander:
        decay = float(np.exp(-1 / hz / tau))
        off += lagged(rng.normal(0, sigma * np.sqrt(1 - decay**2), (n, 2)), decay, rng.normal(0, sigma, 2))
    return off


def fixes_of(t: np.ndarray, x: np.ndarray, y: np.ndarray, speed: np.ndarray) -> Fixes:
    """Those of a log that holds nothing else."""
    lat, lon = latitude_longitude(x, y)
    return Fixes(np.arange(len(t)), np.rint(t * 1e9).astype(np.int64), lat, lon, speed, np.full(len(t), np.nan))


def errors_ms(
    hz: int, *, late_s: float, noise_m: float, wander: tuple[tuple[float, float], ...], speed: bool
) -> np.ndarray:
    """Of all laps of some drives: measured less true.  late_s: fixes come up to so much late.  speed: it is known."""
    found: list[float] = []
    for seed in DRIVES:
        rng = np.random.default_rng(100 * seed + hz)
        t, x, y, v, truth = driven(seed, hz)
        off = rng.normal(0, noise_m, (len(t), 2)) + wandering(rng, len(t), hz, wander)
        clock = t + rng.uniform(0, late_s, len(t))
        known = v + rng.normal(0, SPEED_MPS, len(t)) if speed else np.full(len(t), np.nan)
        cutter = Cutter(LARKHOLM)
        cutter.fold(fixes_of(clock, x + off[:, 0], y + off[:, 1], known))
        measured = [lap.time_s for lap in cutter.judge.laps if lap.flying and lap.time_s is not None]
        found += (np.array(measured) - np.array(truth)).tolist()
    return np.abs(np.array(found)) * 1e3


@pytest.mark.parametrize("hz", [10, 20, 25])
@pytest.mark.parametrize(("late_s", "noise_m"), [(0.0, 0.02), (0.02, 0.02), (0.005, 0.1), (0.0, 0.3)])
def test_lap_times_are_within_20_ms_of_the_truth(hz: int, late_s: float, noise_m: float) -> None:
    errors = errors_ms(hz, late_s=late_s, noise_m=noise_m, wander=WANDERS, speed=True)
    assert len(errors) == 80
    assert np.quantile(errors, 0.95) < 20


def test_with_a_receiver_that_wanders_more_they_are_not_whatever_is_done() -> None:
    errors = np.concatenate([errors_ms(hz, late_s=0.0, noise_m=0.02, wander=POOR, speed=True) for hz in (10, 20, 25)])
    assert np.quantile(errors, 0.5) < 14
    assert 20 < np.quantile(errors, 0.95) < 30


@pytest.mark.parametrize("hz", [10, 25])
@pytest.mark.parametrize(("late_s", "noise_m"), [(0.02, 0.0), (0.0, 0.3)])
def test_the_speed_takes_most_of_noise_and_lateness_away(hz: int, late_s: float, noise_m: float) -> None:
    plain = errors_ms(hz, late_s=late_s, noise_m=noise_m, wander=(), speed=False)
    fused = errors_ms(hz, late_s=late_s, noise_m=noise_m, wander=(), speed=True)
    assert np.quantile(fused, 0.95) < 0.6 * np.quantile(plain, 0.95)


@pytest.mark.parametrize("hz", [10, 25])
def test_even_fixes_are_taken_as_they_are(hz: int) -> None:
    plain = errors_ms(hz, late_s=0.0, noise_m=0.02, wander=WANDERS, speed=False)
    fused = errors_ms(hz, late_s=0.0, noise_m=0.02, wander=WANDERS, speed=True)
    assert plain.tolist() == fused.tolist()
