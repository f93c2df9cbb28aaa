"""The receiver's error wanders as a real one's does: metres over minutes, centimetres from fix to fix."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.bus.simulator import simulate
from pitwall.bus.simulator.course import Length, stretches
from pitwall.bus.simulator.gps import GpsError
from pitwall.bus.simulator.lag import lagged
from pitwall.bus.simulator.motion import Instants
from pitwall.bus.simulator.track import latitude_longitude
from tests.bus.simulator.facts import Decoded


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3000), st.floats(0.01, 0.9999), st.integers(0, 2**32), st.integers(1, 3))
def test_lagged_is_the_plain_recurrence(n, decay, seed, columns):
    rng = np.random.default_rng(seed)
    inputs, before = rng.normal(size=(n, columns)), rng.normal(size=columns)
    slow, y = [], before
    for row in inputs:
        y = decay * y + row
        slow.append(y)
    assert lagged(inputs, decay, before) == pytest.approx(np.array(slow), rel=1e-9, abs=1e-9)


def test_the_error_is_a_metre_of_which_half_is_left_a_lap_later_and_jumps_by_centimetres():
    errors = np.concatenate([GpsError(np.random.default_rng(seed), 0.05).next(20 * 600) for seed in range(150)], axis=1)
    assert np.sqrt(np.mean(errors**2) * 2) == pytest.approx(1.06, rel=0.08)  # of both axes
    assert np.diff(errors, axis=0).std() < 0.06

    def moved(seconds):
        """How far the error goes in that time, on each axis."""
        lag = seconds * 20
        return np.sqrt(np.mean((errors[lag:] - errors[:-lag]) ** 2))

    assert moved(1) == pytest.approx(0.085, abs=0.02)
    assert moved(100) == pytest.approx(0.45, abs=0.04)
    assert moved(500) == pytest.approx(0.68, abs=0.08)


def test_the_error_goes_on_from_lap_to_lap_as_if_it_were_asked_for_at_once():
    rng = np.random.default_rng(2)
    source = GpsError(rng, 0.05)
    steps = np.diff(np.concatenate([source.next(500) for _ in range(40)]), axis=0)
    assert np.abs(steps).max() < 0.2


def test_fixes_lie_around_the_true_path_by_that_error():
    drive = Decoded(simulate(seed=9, laps=2).frames())
    t = drive.t("gps_lat")
    off = []
    for stretch in stretches(9, Length(laps=2), ()):
        here = (t >= stretch.start_ns / 1e9) & (t < stretch.end_ns / 1e9)
        now = Instants(stretch.motion, t[here] - stretch.start_ns / 1e9)
        lat, lon = latitude_longitude(now.along(stretch.motion.x_m), now.along(stretch.motion.y_m))
        north = (drive.of("gps_lat")[here] - lat) * 111_250
        east = (drive.of("gps_lon")[here] - lon) * 67_900
        off.append(np.hypot(north, east))
    off = np.concatenate(off)
    assert 0.2 < np.median(off) < 2.0
    assert off.max() < 4.0
