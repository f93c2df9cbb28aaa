"""The simulator's receiver wanders no less than real ones, and a lap's sum of speed and heading does not tell it.

Measured on three recordings the same way as on the simulator: tests/track/wander.py.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from pitwall.bus.simulator.gps import WANDERS
from pitwall.track.cutting import Cutter
from pitwall.track.fixes import Fixes
from pitwall.track.lapping import Lapping, laptime_table
from pitwall.track.load import shipped
from tests.captures import needs_captures
from tests.track import recordings
from tests.track.test_receivers import DRIVES, LARKHOLM, POOR, driven, fixes_of, wandering
from tests.track.wander import changes_m, rms, shifts, summed_up

HZ = 10


@cache
def recorded(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Laps, their shifts, and what positions and velocities come apart by, of a recording."""
    if name == "okc":
        fixes, heading = recordings.okc(), recordings.okc_heading()
    else:
        fixes, heading = recordings.vbo(name)[0], recordings.vbo_heading(name)
    lapping = Lapping(shipped(), laptime_table([]))
    lapping.fold(fixes)
    lapping.end(int(fixes.t[-1]))
    assert lapping.cutter is not None
    laps, shift = shifts(lapping.cutter, fixes)
    return laps, shift, summed_up(lapping.cutter, fixes, heading, laps)


RECORDINGS = ["okc", "lignano-racebox.vbo", "modena-racechrono.vbo"]


def simulated(seed: int, wander: tuple[tuple[float, float], ...]) -> tuple[Cutter, Fixes, np.ndarray]:
    """A drive of ten laps as the receiver saw it, and how far that was off at each fix."""
    t, x, y, v, _ = driven(seed, HZ)
    off = wandering(np.random.default_rng(seed), len(t), HZ, wander)
    fixes = fixes_of(t, x + off[:, 0], y + off[:, 1], v)
    cutter = Cutter(LARKHOLM)
    cutter.fold(fixes)
    return cutter, fixes, off


def test_the_measure_finds_what_a_receiver_wandered() -> None:
    cutter, fixes, off = simulated(1, ((0.7, 300.0),))
    laps, shift = shifts(cutter, fixes)
    true = np.array([off[(fixes.t * 1e-9 >= a) & (fixes.t * 1e-9 < b)].mean(axis=0) for a, b in laps])
    assert len(laps) == 10
    wrong = changes_m(laps, shift) - changes_m(laps, true)
    assert rms(wrong) < 0.5 * rms(changes_m(laps, true))
    assert np.corrcoef(changes_m(laps, shift).ravel(), changes_m(laps, true).ravel())[0, 1] > 0.85


@needs_captures
def test_from_lap_to_lap_the_simulator_s_receiver_shifts_as_real_ones_do_their_drivers_included() -> None:
    real = {name: recorded(name)[:2] for name in RECORDINGS}
    by_lap = [rms(changes_m(*real[name])) for name in RECORDINGS]  # 45 to 68 s
    by_two = [rms(changes_m(*real[name], behind=2)) for name in RECORDINGS]  # 90 to 136 s
    ours = rms(np.concatenate([changes_m(*shifts(*simulated(seed, WANDERS)[:2])) for seed in DRIVES]))  # 101 s
    assert max(by_lap) < 0.4
    assert ours > 0.8 * rms(np.array(by_two))
    assert ours > max(min(by_lap), min(by_two))


@needs_captures
@pytest.mark.parametrize("name", RECORDINGS)
def test_summed_up_over_a_lap_speed_and_heading_are_further_off_than_the_positions(name: str) -> None:
    laps, shift, apart = recorded(name)
    wandered, by_velocity = changes_m(laps, shift), changes_m(laps, apart)
    assert rms(by_velocity - wandered) > 1.3 * rms(wandered)


@pytest.mark.parametrize(("drift", "helps"), [(0.0, True), (0.06, False)])
def test_they_would_help_a_poorer_receiver_were_their_errors_white_and_as_recorded_ones_drift_they_do_not_ours(
    drift: float, helps: bool
) -> None:
    """drift: metres on each axis in a second; grows with the root of time: to 0.45 m in a lap of 56 s."""
    hz, wander = 25, POOR if helps else WANDERS
    plain, closed = [], []
    for seed in DRIVES:
        rng = np.random.default_rng(100 * seed + hz)
        t, x, y, v, truth = driven(seed, hz)
        off = wandering(rng, len(t), hz, wander)
        fixes = fixes_of(t, x + off[:, 0], y + off[:, 1], v)
        cutter = Cutter(LARKHOLM)
        cutter.fold(fixes)
        laps = [lap for lap in cutter.judge.laps if lap.flying and lap.time_s is not None]
        error = np.array([lap.time_s for lap in laps]) - np.array(truth)
        to = np.stack([np.gradient(x, t), np.gradient(y, t)], axis=1)
        to /= np.maximum(np.hypot(*to.T), 1e-3)[:, None]
        ahead, aside = rng.normal(0, 0.05, len(t)), rng.normal(0, np.radians(0.3), len(t)) * v
        velocity = ahead[:, None] * to + aside[:, None] * np.stack([-to[:, 1], to[:, 0]], axis=1)
        summed = np.cumsum(velocity / hz + rng.normal(0, drift / np.sqrt(hz), (len(t), 2)), axis=0)
        ends = fixes.t.searchsorted([(lap.t_start, lap.t_end) for lap in laps])
        told = (off - summed)[ends[:, 1]] - (off - summed)[ends[:, 0]]  # what the two come apart by in the lap
        plain += error.tolist()
        closed += (error + np.sum(told * to[ends[:, 1]], axis=1) / v[ends[:, 1]]).tolist()
    before, after = (np.quantile(np.abs(errors), 0.95) for errors in (plain, closed))
    assert after < 0.5 * before if helps else after > 1.1 * before
