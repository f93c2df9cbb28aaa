"""Laps of real recordings are what their loggers said."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pitwall.track.cutting import Cutter
from pitwall.track.definition import Line, Track
from pitwall.track.fixes import Fixes
from pitwall.track.lapping import Lapping, laptime_table
from pitwall.track.load import shipped
from pitwall.track.plane import LatLon, plane_about
from tests.captures import needs_captures
from tests.track import recordings

pytestmark = needs_captures

OKC_MS = [58648, 57320, 56479, 55889, 55834, 55942, 55821, 56173, 55826, 55896, 55604, 56044, 57003]


def lapped(fixes: Fixes, *lines: tuple[int, Track]) -> Cutter:
    lapping = Lapping(shipped(), laptime_table([]))
    lapping.fold(fixes, lines)
    lapping.end(int(fixes.t[-1]))
    assert lapping.cutter is not None
    return lapping.cutter


def times(cutter: Cutter) -> list[float]:
    return [lap.time_s for lap in cutter.judge.laps if lap.flying and lap.time_s is not None]


def across(a: LatLon, b: LatLon, half_m: float) -> Line:
    """The line across at `a` of a path that runs through `a` and `b`."""
    plane = plane_about(a)
    x, y = plane.point(b)
    long = math.hypot(x, y) / half_m
    return Line(plane.degrees(-y / long, x / long), plane.degrees(y / long, -x / long))


def theoretical(cutter: Cutter) -> float:
    good = {lap.number for lap in cutter.judge.laps if lap.flying and lap.valid}
    best: dict[int, float] = {}
    for one in cutter.judge.sectors:
        if one.lap in good and one.time_s is not None:
            best[one.number] = min(one.time_s, best.get(one.number, math.inf))
    return sum(best.values())


def test_the_kart_s_thirteen_laps_are_its_logger_s_to_the_millisecond_and_so_is_its_theoretical_best() -> None:
    cutter = lapped(recordings.okc())
    assert cutter.track.name == "OKC, Normal"
    assert times(cutter) == pytest.approx([ms / 1000 for ms in OKC_MS], abs=1e-3)
    assert [lap.number for lap in cutter.judge.laps if lap.flying] == list(range(1, 14))
    assert theoretical(cutter) == pytest.approx(55.433, abs=5e-3)


def test_the_delta_neither_jumps_nor_stalls_in_the_last_8_seconds_and_ends_at_the_difference() -> None:
    fixes = recordings.okc()
    lapping = Lapping(shipped(), laptime_table([]))
    rows = lapping.fold(fixes)
    cutter = lapping.cutter
    assert cutter is not None
    lap, distance, delta, age, _ = (np.concatenate(column) for column in zip(*(r.values for r in rows), strict=True))
    t = np.concatenate([r.t for r in rows])
    for one in cutter.judge.laps:
        if not one.flying or one.delta_s is None:
            continue
        last = (lap == one.number) & (t > one.t_end - 8_000_000_000)
        assert last.sum() > 190
        assert (age[last] == 0).all()
        assert np.abs(np.diff(delta[last])).max() < 0.025
        assert np.diff(distance[last]).min() > 0.1
        assert delta[last][-1] == pytest.approx(one.delta_s, abs=0.003)


def test_tianma_s_laps_are_its_logger_s() -> None:
    for number, expected in ((9, 76.335), (13, 75.927)):
        fixes, laps = recordings.tianma(number)
        flips = np.flatnonzero((np.array(laps[1:]) == number) & (np.array(laps[:-1]) == number - 1))
        i = int(flips[0])  # the line lies between these two rows
        middle = (fixes.lat[i] + fixes.lat[i + 1]) / 2, (fixes.lon[i] + fixes.lon[i + 1]) / 2
        line = across(middle, (fixes.lat[i + 15], fixes.lon[i + 15]), 20.0)
        assert times(lapped(fixes, (0, Track("Tianma", line)))) == pytest.approx([expected], abs=0.010)


def test_modena_has_21_laps() -> None:
    fixes, lines = recordings.vbo("modena-racechrono.vbo")
    start, *splits = (across(a, b, 25.0) for a, b in lines)
    found = times(lapped(fixes, (0, Track("Modena", start, tuple(splits)))))
    assert len(found) == 21
    assert sorted(found)[:19] == [pytest.approx(45.0, abs=0.4)] * 19


def test_lignano_has_12_laps_two_of_them_through_the_pits() -> None:
    fixes, lines = recordings.vbo("lignano-racebox.vbo")
    cutter = lapped(fixes, (0, Track("Lignano", Line(*lines[0]))))
    assert len([lap for lap in cutter.judge.laps if lap.time_s is not None]) == 12
    assert len(times(cutter)) == 10
    assert min(times(cutter)) == pytest.approx(65.73, abs=0.01)


@pytest.mark.parametrize("name", ["lignano-racebox.vbo", "modena-racechrono.vbo"])
def test_the_laps_of_an_unknown_track_are_learned_and_last_as_long(name: str) -> None:
    fixes, lines = recordings.vbo(name)
    a, b = lines[0]
    line = across(a, b, 25.0) if "racechrono" in name else Line(a, b)
    known, learned = lapped(fixes, (0, Track("", line))), lapped(fixes)
    assert learned.track.learned
    assert len(times(learned)) >= len(times(known)) - 2
    assert np.median(times(learned)) == pytest.approx(float(np.median(times(known))), abs=1.0)


def test_a_phone_s_jittered_nmea_has_laps() -> None:
    cutter = lapped(recordings.nmea("okc-kart.nmea"))
    assert cutter.track.name == "OKC, Normal"
    assert len([lap for lap in cutter.judge.laps if lap.flying and lap.valid]) >= 3
