"""Real drives: every figure that cantools, frame by frame, made of them."""

from __future__ import annotations

import csv
from pathlib import Path

import can
import numpy as np
import pytest
from cantools import database

from pitwall.bus.pythoncan import mf4
from pitwall.car import dbc
from pitwall.car.definition import Bus
from pitwall.decode import Decoded, Plan
from pitwall.frames import Flag, Frames, clustered
from tests.captures import CAPTURES, needs_captures
from tests.strategies import log

DRIVES = {
    "wrx": ("wrx/wrx.log", "wrx/wrx.dbc", "wrx/expected.csv"),
    "drive-1": ("canmod/drive-1.mf4", "canmod/canmod-gps.dbc", "canmod/drive-1.expected.csv"),
    "drive-2": ("canmod/drive-2.mf4", "canmod/canmod-gps.dbc", "canmod/drive-2.expected.csv"),
}

pytestmark = [needs_captures, pytest.mark.filterwarnings("ignore")]


def frames_of(path: Path) -> Frames:
    if path.suffix == ".mf4":
        mf4()  # python-can may have been imported without asammdf
    messages = sorted(can.LogReader(path), key=lambda message: message.timestamp)
    rows = log([(0, m.arbitration_id, int(Flag.EXTENDED) if m.is_extended_id else 0, bytes(m.data)) for m in messages])
    rows.t[:] = [round((m.timestamp - messages[0].timestamp) * 1e9) for m in messages]
    return rows


@pytest.mark.parametrize("drive", DRIVES)
def test_every_expected_figure_comes_out(drive: str) -> None:
    capture, dbc_file, expected_file = (CAPTURES / name for name in DRIVES[drive])
    described = database.load_file(dbc_file, strict=False)
    bus = Bus("can", tuple(dbc.message(message) for message in described.messages))
    decoding = Plan([bus]).decode(clustered(frames_of(capture)))
    found = {decoded.message.name: decoded for decoded in decoding.messages}
    with expected_file.open(newline="") as file:
        expected = list(csv.DictReader(file))
    assert {(row["message"], row["signal"]) for row in expected} == {
        (name, signal) for name, decoded in found.items() for signal in decoded.values
    }
    for row in expected:
        assert_figures(found[row["message"]], row)


def assert_figures(decoded: Decoded, row: dict[str, str]) -> None:
    values = decoded.values[row["signal"]]
    there = ~np.isnan(values)
    values, seconds = values[there], decoded.t[there] / 1e9
    assert len(values) == int(row["count"])
    exact = {"min": values.min(), "max": values.max(), "first": values[0], "last": values[-1]}
    assert exact == {name: float(row[name]) for name in exact}, row
    assert np.median(values) == pytest.approx(float(row["median"]), rel=1e-12)
    assert values.sum() == pytest.approx(float(row["sum"]), rel=1e-9)
    # a candump's microseconds, and what float seconds since 1970 leave of a capture's
    assert seconds[0] == pytest.approx(float(row["t_first"]), abs=2e-6)
    assert seconds[-1] == pytest.approx(float(row["t_last"]), abs=2e-6)
