from __future__ import annotations

import itertools
import math
from pathlib import Path

import pynmea2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitwall.bus.nmea import DAY_NS, LINE_BYTES, Fix, Nmea
from tests.captures import CAPTURES, needs_captures


def sentence(body: str) -> bytes:
    checksum = 0
    for byte in body.encode():
        checksum ^= byte
    return f"${body}*{checksum:02X}\r\n".encode()


def fixes_of(*parts: bytes, told: list[tuple[int, str]] | None = None) -> list[Fix]:
    nmea = Nmea(lambda line, what: None if told is None else told.append((line, what)))
    found = [fix for part in parts for fix in nmea.feed(part)]
    return found + nmea.close()


RMC = sentence("GPRMC,170132.16,A,2824.64924,N,08122.75702,W,0.042,12.5,231125,,,A")
GGA = sentence("GNGGA,170132.16,2824.64924,N,08122.75702,W,1,04,4.27,47.8,M,-29.2,M,,")
GSA = sentence("GPGSA,A,3,04,05,,09,12,,,24,,,,,2.5,1.3,2.1")
VTG = sentence("GPVTG,054.7,T,034.4,M,005.5,N,010.2,K,A")
ZDA = sentence("GPZDA,201530.00,04,07,2002,00,00")


def test_each_sentence_says_its_values_in_the_units_of_the_dbc() -> None:
    rmc, gga, gsa, *vtg = fixes_of(RMC, GGA, GSA, VTG)
    assert rmc.unix_ns == 1_763_917_292_160_000_000
    position = {"lat": 28 + 24.64924 / 60, "lon": -(81 + 22.75702 / 60)}
    assert rmc.values == {**position, "speed": 0.042 * (1852 / 3600), "heading": 12.5}
    assert gga.values == {"fix": 1, "satellites": 4, "hdop": 4.27, "altitude": 47.8, "geoid_separation": -29.2}
    assert gga.unix_ns == rmc.unix_ns, "an epoch is the sentences of one time"
    assert gsa.values == {"fix_type": 3, "pdop": 2.5, "vdop": 2.1}, "what came first in an epoch holds"
    assert vtg == [], "RMC said speed and heading"


def test_what_came_first_in_an_epoch_holds_and_a_new_time_begins_anew() -> None:
    alone = fixes_of(VTG)
    assert alone == [], "no time, no epoch"
    later = sentence("GPGGA,170132.20,2824.64924,N,08122.75702,W,1,04,4.27,47.8,M,-29.2,M,,")
    found = fixes_of(GGA, VTG, later, VTG)
    assert [sorted(fix.values) for fix in found[1::2]] == [["heading", "speed"]] * 2
    assert found[1].values["speed"] == 5.5 * (1852 / 3600)


def test_a_date_is_known_from_the_first_that_says_one() -> None:
    before, dated = fixes_of(GGA, RMC)
    assert before.unix_ns is None
    assert before.time_ns == dated.time_ns
    assert dated.unix_ns is not None
    (day,) = fixes_of(ZDA)
    assert day.unix_ns == 1_025_813_730_000_000_000
    assert day.values == {}


def test_midnight_begins_the_next_day_before_a_date_is_said() -> None:
    late = sentence("GPRMC,235959.96,A,2824.64924,N,08122.75702,W,0.042,,311225,,,A")
    after = sentence("GPGGA,000000.00,2824.64924,N,08122.75702,W,1,04,4.27,47.8,M,-29.2,M,,")
    said = sentence("GPRMC,000000.00,A,2824.64924,N,08122.75702,W,0.042,,010126,,,A")
    found = fixes_of(late, after, said)
    times = [fix.unix_ns for fix in found]
    assert times[0] is not None
    assert times[1] == times[0] + 40_000_000 == times[-1]


def test_no_position_is_absent_and_not_zero() -> None:
    void = sentence("GPRMC,170132.16,V,2824.64924,N,08122.75702,W,0.042,,060180,,,N")
    none = sentence("GPGGA,170132.20,2824.64924,N,08122.75702,W,0,00,99.99,47.8,M,,M,,")
    empty = sentence("GPRMC,170132.24,A,,,,,,,231125,,,A")
    found = fixes_of(void, none, empty)
    assert [fix.values for fix in found] == [{"fix": 0, "satellites": 0, "hdop": 99.99}, {}]


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (RMC.replace(b"*6C", b"*6D").replace(b"0.042", b"0.043"), "checksum is wrong"),
        (b"nonsense\r\n", "no sentence"),
        (RMC.split(b"*")[0] + b"\r\n", "no sentence with a checksum"),
        (sentence("GPRMC,250132.16,A,2824.64924,N,08122.75702,W,0.042,,231125,,,A"), "no time"),
        (sentence("GPRMC,170132.16,A,9924.64924,N,08122.75702,W,0.042,,231125,,,A"), "no position"),
        (sentence("GPRMC,170132.16,A,2860.64924,N,08122.75702,W,0.042,,231125,,,A"), "no position"),
        (sentence("GPRMC,170132.16,A,2824.64924,X,08122.75702,W,0.042,,231125,,,A"), "no position"),
        (sentence("GPRMC,170132.16,A,2824.64924,N,08122.75702,W,nan,,231125,,,A"), "no number"),
        (sentence("GPRMC,170132.16,A,2824.64924,N,08122.75702,W,0.042,,310225,,,A"), "there is no 2025-02-31"),
        (sentence("GPRMC,170132.16,A"), "ends too soon"),
        (b"$" + b"x" * (LINE_BYTES + 10) + b"\n", "a line of more than"),
    ],
)
def test_what_is_wrong_is_counted_with_its_line_and_costs_nothing_else(bad: bytes, why: str) -> None:
    told: list[tuple[int, str]] = []
    found = fixes_of(RMC, bad, GGA, told=told)
    assert [line for line, _ in told] == [2]
    assert why in told[0][1]
    assert [fix.line for fix in found] == [1, 3]


def test_a_sentence_that_another_cuts_off_is_counted_and_the_other_is_read() -> None:
    told: list[tuple[int, str]] = []
    found = fixes_of(RMC[:50] + GGA[:-2] + RMC, told=told)
    assert [sorted(fix.values)[0] for fix in found] == ["altitude", "heading"]
    assert told == [(1, "a sentence is cut off by another")]


def test_other_sentences_and_empty_lines_are_no_loss() -> None:
    told: list[tuple[int, str]] = []
    others = sentence("GPGSV,1,1,00"), sentence("PUBX,00,1"), b"\r\n", b"NMEA," + RMC[:-2] + b",1234567\r\n"
    assert len(fixes_of(*others, told=told)) == 1
    assert told == []


STREAM = b"".join([RMC, GGA, b"broken\n", GSA, b"$" + b"y" * 3000 + b"\n", VTG, b"\r\n", ZDA, GGA.rstrip()])


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_any_cut_of_the_bytes_gives_the_same(places: list[int]) -> None:
    whole: list[tuple[int, str]] = []
    told: list[tuple[int, str]] = []
    edges = [0, *sorted(places), len(STREAM)]
    parts = [STREAM[a:b] for a, b in itertools.pairwise(edges)]
    assert fixes_of(*parts, told=told) == fixes_of(STREAM, told=whole)
    assert told == whole


angles = st.tuples(st.integers(0, 89), st.integers(0, 5_999_999))


@given(st.integers(0, DAY_NS // 10_000_000 - 1), angles, st.sampled_from("NS"), angles, st.sampled_from("EW"),
       st.integers(0, 99_999), st.integers(0, 35_999))  # fmt: skip
def test_a_sentence_is_read_as_pynmea2_reads_it(
    centis: int, lat: tuple[int, int], north: str, lon: tuple[int, int], east: str, knots: int, course: int
) -> None:
    seconds, rest = divmod(centis, 100)
    time = f"{seconds // 3600:02}{seconds // 60 % 60:02}{seconds % 60:02}.{rest:02}"
    minutes = [f"{angle[0]:0{width}}{angle[1] / 1e5:08.5f}" for angle, width in ((lat, 2), (lon, 3))]
    body = f"GNRMC,{time},A,{minutes[0]},{north},{minutes[1]},{east},{knots / 1e3:.3f},{course / 100:.2f},231125,,,A"
    (fix,) = fixes_of(sentence(body))
    said = pynmea2.parse(sentence(body).decode().strip())
    assert fix.values["lat"] == pytest.approx(said.latitude, abs=1e-13)
    assert fix.values["lon"] == pytest.approx(said.longitude, abs=1e-13)
    assert fix.values["speed"] == said.spd_over_grnd * (1852 / 3600)
    assert fix.values["heading"] == said.true_course
    assert fix.unix_ns == round(said.datetime.timestamp() * 100) * 10_000_000


@needs_captures
def test_every_sentence_of_a_real_phone_is_read_as_pynmea2_reads_it() -> None:
    file = Path(CAPTURES, "laps/okc-kart.nmea")
    told: list[tuple[int, str]] = []
    by_line = {fix.line: fix for fix in fixes_of(file.read_bytes(), told=told)}
    compared = 0
    for number, line in enumerate(file.read_text().splitlines(), start=1):
        if line.count("$") > 1:  # pynmea2 takes the cut sentence's fields and the next one's checksum
            assert number in [at for at, _ in told], line
            continue
        try:
            said = pynmea2.parse(line, check=True)
        except pynmea2.ParseError:
            assert number in [at for at, _ in told], line
            continue
        fix = by_line.get(number)
        if fix is None or said.sentence_type != "RMC":
            continue
        compared += 1
        assert math.isclose(fix.values["lat"], said.latitude, abs_tol=1e-13)
        assert math.isclose(fix.values["lon"], said.longitude, abs_tol=1e-13)
        assert fix.unix_ns == round(said.datetime.timestamp() * 1000) * 1_000_000
    assert compared > 10_000
