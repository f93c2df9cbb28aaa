"""The stream looks on the bus as it does in the car."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.bus.simulator import simulate
from pitwall.errors import UsageError
from pitwall.frames import concat, same
from tests.bus.simulator.facts import TABLE, Decoded


@pytest.fixture(scope="module")
def drive():
    return Decoded(simulate(seed=7, laps=1).frames())


def test_every_documented_id_comes_at_its_rate(drive):
    for id, (rate_hz, _, _) in TABLE.items():
        t = drive.rows(id).t
        assert abs(np.median(np.diff(t)) / 1e9 - 1 / rate_hz) < 0.002 / rate_hz + 1e-4, hex(id)
        assert len(t) == pytest.approx(drive.frames.t[-1] / 1e9 * rate_hz, abs=1), hex(id)


def test_thirteen_undocumented_ids_bring_the_bus_to_344_frames_a_second(drive):
    ids = set(np.unique(drive.frames.id).tolist())
    assert ids > set(TABLE)
    assert len(ids - set(TABLE)) == 13
    assert len(drive.frames) / (drive.frames.t[-1] / 1e9) == pytest.approx(344, abs=0.5)


def test_frames_follow_each_other_as_one_wire_carries_them(drive):
    frames = drive.frames
    assert frames.t[0] == 0
    assert np.diff(frames.t).min() >= 111_000  # the shortest 8-byte frame at 1 Mbit/s, in ns
    assert frames.start == 0
    assert (frames.len == 8).all()
    assert not frames.flags.any()
    assert not frames.bus.any()


def test_without_undocumented_ids_the_documented_ones_say_the_same(drive):
    quiet = Decoded(simulate(seed=7, laps=1, unknown_ids=False).frames())
    assert set(np.unique(quiet.frames.id).tolist()) == set(TABLE)
    for id in TABLE:
        assert (quiet.rows(id).data == drive.rows(id).data).all()


def test_a_standing_car_reads_what_the_real_one_read(drive):
    """The quirks of the car that was measured: what a zero calibration has to take out."""

    def standing(signal):
        return drive.of(signal)[drive.t(signal) < 5.5]

    assert np.mean(standing("vertical_accel_g")) == pytest.approx(-0.99, abs=0.005)
    assert np.mean(standing("yaw_rate_degs")) == pytest.approx(4.3, abs=0.05)
    assert np.mean(standing("inline_accel_g")) == pytest.approx(-0.30, abs=0.01)
    assert np.abs(np.mean(standing("lateral_accel_g"))) < 0.005
    assert standing("speed_mph").max() == 0
    assert 800 < np.mean(standing("rpm")) < 950
    assert standing("brake_switch").max() == 0


def test_the_gear_slot_always_reads_nought(drive):
    assert not drive.of("gear").any()


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**63 - 1), st.booleans())
def test_the_same_seed_gives_the_same_bytes_however_it_is_read(seed, unknown_ids):
    drive = simulate(seed=seed, unknown_ids=unknown_ids)
    first = concat(list(islice(drive.frames(), 2)))
    assert same(first, concat(list(islice(drive.frames(), 2))))
    drive.truth()
    again = concat(list(islice(simulate(seed=seed, unknown_ids=unknown_ids).frames(), 2)))
    assert same(first, again)


def test_other_seeds_drive_other_laps():
    a, b = simulate(seed=1, laps=1), simulate(seed=2, laps=1)
    assert a.truth()["laps"][1]["time_s"] != b.truth()["laps"][1]["time_s"]


def test_a_drive_of_hours_lasts_so_long_and_ends_in_the_pits():
    drive = simulate(hours=0.15)
    frames = Decoded(drive.frames())
    assert frames.frames.t[-1] / 1e9 == pytest.approx(0.15 * 3600, abs=0.1)
    laps = drive.truth()["laps"]
    assert [lap["kind"] for lap in laps] == ["out", "flying", "flying", "in"]
    assert frames.of("speed_mph")[-5:].max() < 0.2


def test_a_drive_too_short_for_a_lap_is_cut_where_its_time_is_up():
    drive = simulate(hours=0.01)
    frames = concat(list(drive.frames()))
    assert frames.t[-1] / 1e9 == pytest.approx(36, abs=0.1)
    assert drive.truth()["laps"] == []
    assert drive.truth()["duration_ns"] == 36_000_000_000


def test_after_forty_laps_there_is_a_pit_stop_with_fuel():
    laps = simulate(laps=41).truth()["laps"]
    assert [lap["kind"] for lap in laps] == ["out", *["flying"] * 40, "in", "out", "flying", "in"]


@pytest.mark.parametrize(
    "length",
    [{"laps": 0}, {"laps": -1}, {"hours": 0}, {"hours": float("nan")}, {"laps": 1, "hours": 1.0}, {"seed": -1}],
)
def test_a_length_that_makes_no_sense_is_refused(length):
    with pytest.raises(UsageError):
        simulate(**length)
