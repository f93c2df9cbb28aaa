"""Bit timing, judged by what a controller then does, by the gs_usb package's tables and by python-can's own search."""

from __future__ import annotations

import can
import gs_usb.gs_usb as theirs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pitwall.bus.bittiming import TOLERANCE, Limits, timing, usual_sample_point
from pitwall.errors import UsageError

BXCAN = Limits(48_000_000, 1, 16, 1, 8, 4, 1, 1024, 1)
"""What candleLight says of an STM32F0's controller."""
FDCAN = Limits(80_000_000, 1, 256, 1, 128, 128, 1, 512, 1)
LIMITS = st.builds(
    Limits,
    st.sampled_from([24_000_000, 40_000_000, 48_000_000, 80_000_000, 160_000_000]),
    st.integers(1, 3),
    st.integers(8, 256),
    st.integers(1, 2),
    st.integers(4, 128),
    st.integers(1, 128),
    st.just(1),
    st.sampled_from([64, 1024]),
    st.sampled_from([1, 2]),
)


@given(limits=LIMITS, bitrate=st.integers(10_000, 1_000_000), sample_point=st.floats(0.5, 0.95))
def test_what_is_told_keeps_the_bitrate_and_the_limits(limits, bitrate, sample_point):
    try:
        made = timing(limits, bitrate, sample_point)
    except UsageError:
        assume(False)
    tseg1 = made.prop_seg + made.phase_seg1
    assert limits.tseg1_min <= tseg1 <= limits.tseg1_max
    assert limits.tseg2_min <= made.phase_seg2 <= limits.tseg2_max
    assert 1 <= made.sjw <= min(limits.sjw_max, max(1, made.phase_seg2))
    assert limits.brp_min <= made.brp <= limits.brp_max
    assert (made.brp - limits.brp_min) % limits.brp_step == 0
    assert abs(limits.clock_hz / (made.brp * made.quanta) - bitrate) <= TOLERANCE * bitrate


class _Told:
    """What the gs_usb package would write, kept."""

    def __init__(self, clock_hz):
        self.device_capability = type("", (), {"fclk_can": clock_hz})()
        self.told = None

    def set_timing(self, *told):
        self.told = told


@pytest.mark.parametrize("limits", [BXCAN, FDCAN])
@pytest.mark.parametrize("bitrate", [10_000, 20_000, 50_000, 83_333, 100_000, 125_000, 250_000, 500_000, 1_000_000])
def test_the_bitrates_that_the_gs_usb_package_knows_are_the_same_bits(limits, bitrate):
    told = _Told(limits.clock_hz)
    assert theirs.GsUsb.set_bitrate(told, bitrate)
    prop, phase1, phase2, _, brp = told.told
    made = timing(limits, bitrate, 0.875)
    assert limits.clock_hz / (made.brp * made.quanta) == limits.clock_hz / (brp * (1 + prop + phase1 + phase2))
    assert abs(made.sample_point - 0.875) <= abs((1 + prop + phase1) / (1 + prop + phase1 + phase2) - 0.875)


@given(
    bitrate=st.sampled_from([10_000, 33_333, 50_000, 100_000, 125_000, 250_000, 500_000, 800_000, 1_000_000]),
    percent=st.integers(60, 90),
)
def test_no_sample_point_of_python_cans_search_is_nearer(bitrate, percent):
    clock = 16_000_000
    sja1000 = Limits(clock, 1, 16, 1, 8, 4, 1, 64, 1)
    made = timing(sja1000, bitrate, percent / 100)
    rate = clock / (made.brp * made.quanta)
    try:  # theirs may be off by more
        found = [
            one
            for one in can.BitTiming.iterate_from_sample_point(clock, bitrate, percent)
            if clock / (one.brp * one.nbt) == rate
        ]
    except ValueError:
        found = []
    assume(found)
    nearest = min(abs(one.sample_point / 100 - percent / 100) for one in found)
    assert abs(made.sample_point - percent / 100) <= nearest + 1e-9


def test_a_bitrate_that_the_clock_can_not_be_divided_to_names_the_nearest():
    with pytest.raises(UsageError, match=r"48 MHz makes no 700000 bit/s \(the nearest that it can is 69\d{4}\)"):
        timing(BXCAN, 700_000)
    with pytest.raises(UsageError, match=r"the nearest that it can is 16000000"):
        timing(BXCAN, 20_000_000)


def test_a_bitrate_is_sampled_where_it_usually_is():
    assert [usual_sample_point(rate) for rate in (125_000, 500_000, 800_000, 1_000_000)] == [0.875, 0.875, 0.8, 0.75]
    assert timing(BXCAN, 1_000_000).sample_point == 0.75
