"""UBX-NAV-PVT as pyubx2 1.4 writes it; damaged, cut anywhere, and between other things."""

from __future__ import annotations

import calendar
import itertools
import socket
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitwall.bus.address import Settings, parse, plug
from pitwall.bus.ubx import HEAD_BYTES, Ubx, checksum
from tests.bus.test_receiver import fixes

WHOLE = bytes.fromhex(
    "b56201075c002acd8307ea070b170c01120719000000014e19f103010011599a23046586ffe1d82e0a00da7609009c010000db0200002efbffff"
    "779e0000bffeffff8a9e0000c5fc8b005f00000015a100007b0000000000000000000000000000006814"
)
"""UBXMessage("NAV", "NAV-PVT", GET, year=2026, month=11, day=23, hour=12, min=1, second=18, validDate=1, validTime=1,
fullyResolved=1, nano=-249999871, fixType=3, gnssFixOk=1, numSV=17, lon=6.9442137, lat=-50.3347611, height=667352,
hMSL=620250, hAcc=412, vAcc=731, velN=-1234, velE=40567, velD=-321, gSpeed=40586, headMot=91.74213, sAcc=95,
headAcc=0.41237, pDOP=1.23)"""


def message(**changed):
    """The message with some of its payload's bytes changed, at `_offset`, and its checksum right again."""
    data = bytearray(WHOLE)
    for offset, value in changed.items():
        data[HEAD_BYTES + int(offset[1:])] = value
    return bytes(data[:-2]) + checksum(bytes(data[2:-2]))


def test_a_fix_has_the_values_that_pyubx2_wrote():
    (fix,) = Ubx().feed(WHOLE)
    at = calendar.timegm((2026, 11, 23, 12, 1, 18)) * 10**9 - 249_999_871
    assert (fix.unix_ns, fix.time_ns) == (at, at % (86_400 * 10**9))
    assert fix.values == {
        "satellites": 17.0,
        "fix_type": 3.0,
        "lat": -50.3347611,
        "lon": 6.9442137,
        "position_accuracy": 0.412,
        "pdop": 1.23,
        "speed": 40.586,
        "speed_accuracy": 0.095,
        "heading": 91.74213,
        "heading_accuracy": 0.41237,
        "vertical_speed": 0.321,
        "altitude": 620.25,
        "ellipsoid_altitude": 667.352,
        "altitude_accuracy": 0.731,
    }


@pytest.mark.parametrize(
    ("changed", "there"),
    [
        ({"_20": 2}, {"satellites", "fix_type", "lat", "speed"}),  # two dimensions: no altitude
        ({"_20": 0}, {"satellites", "fix_type"}),
        ({"_20": 1}, {"satellites"}),  # dead reckoning alone
        ({"_21": 0}, {"satellites", "fix_type"}),  # a fix that the receiver itself does not trust
    ],
)
def test_what_a_receiver_does_not_know_is_absent(changed, there):
    (fix,) = Ubx().feed(message(**changed))
    assert there <= set(fix.values)
    assert ("lat" in fix.values) == ("lat" in there)
    assert "altitude" not in fix.values


def test_without_a_date_there_is_no_fix_and_a_month_that_can_t_be_is_counted():
    assert Ubx().feed(message(_11=2)) == []
    ubx = Ubx()
    assert ubx.feed(message(_6=13)) == []
    assert ubx.malformed == 1


noise = st.one_of(
    st.binary(max_size=30),
    st.just(b"$GPGSA,A,1,,,,,,,,,,,,,,,*1E\r\n"),
    st.just(WHOLE[:40]),
    st.just(b"\xb5"),
    st.just(b"\xb5\x62\xff\xff\xff\xff"),
    st.just(WHOLE[:-1] + b"\0"),
    st.just(bytes.fromhex("b5620105000006 17".replace(" ", ""))),
)


@given(st.lists(noise, max_size=5), st.lists(st.integers(0, 700), max_size=12))
def test_any_cut_of_the_bytes_gives_the_same_and_damage_costs_no_other_fix(between, cuts):
    # what a damaged length still asks for must come before it is known to be none: as it does, on the road
    data = WHOLE + b"".join(part + WHOLE for part in between) + b"\0" * 2100
    ends = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    ubx, at_once = Ubx(), Ubx()
    found = [fix for a, b in itertools.pairwise(ends) for fix in ubx.feed(data[a:b])]
    assert found == at_once.feed(data)
    assert ubx.malformed == at_once.malformed
    assert len(found) == len(between) + 1


def test_a_receiver_that_speaks_ubx_is_a_source_and_each_fix_is_given_at_once():
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = plug(parse(f"ubx:127.0.0.1:{server.getsockname()[1]}"), Settings(), 0).open()
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"\0" * 10 + WHOLE)
            until = time.monotonic() + 20
            while not len(rows := source.read(0.1)):
                assert time.monotonic() < until
        source.close()
    (one,) = fixes(rows)
    assert one["unix_time"] == pytest.approx(calendar.timegm((2026, 11, 23, 12, 1, 18)) - 0.249999871, abs=1e-6)
    assert one["lat"] == -50.3347611
