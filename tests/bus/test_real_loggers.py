"""Real loggers' recordings: every value of the file, read by the plainest of readers, is in a frame, bit for bit; and
their laps, counted by the plainest of rules, are those that the loggers counted."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from pitwall.bus.capture import Capture, read_capture
from pitwall.frames import Control
from tests.bus.test_loggers import facts, values
from tests.captures import CAPTURES, needs_captures

pytestmark = needs_captures
LAPS = CAPTURES / "laps"

Row = tuple[int, dict[str, float]]


def day(text: str) -> int:
    return int(datetime.strptime(text, "%d/%m/%Y").replace(tzinfo=UTC).timestamp())


def a_vbo(name: str, date: str, signals: dict[str, str]) -> Iterator[Row]:
    """Minutes to degrees, west to east, km/h to m/s, HHMMSS.ss to seconds: all else is as it stands there."""
    lines = (LAPS / name).read_text(encoding="utf-8").splitlines()
    names = lines[lines.index("[column names]") + 1].split()
    for line in lines[lines.index("[data]") + 1 :]:
        if not line.strip():
            continue
        cell = dict(zip(names, line.split(), strict=True))
        hours, minutes, seconds = int(cell["time"][:2]), int(cell["time"][2:4]), cell["time"][4:]
        hundredths = int(seconds[:2]) * 100 + int(seconds[3:].ljust(2, "0"))
        centis = (hours * 60 + minutes) * 6000 + hundredths
        row = {signals[name]: float(text) for name, text in cell.items() if name != "time"}
        row["time_of_day"] = centis / 100
        row["lat"], row["lon"] = row["lat"] / 60, row["lon"] / -60
        for speed in ("speed", "calc_speed"):
            if speed in row:
                row[speed] /= 3.6
        yield day(date) * 10**9 + centis * 10**7, row


RACEBOX = {
    "lat": "lat", "lng": "lon", "velocity": "speed", "heading": "heading", "height": "altitude", "LongAcc": "g_long",
    "LatAcc": "g_lat", "VertAcc": "g_vert", "x-rotation-gyroscope": "gyro_x", "y-rotation-gyroscope": "gyro_y",
    "z-rotation-gyroscope": "gyro_z", "sats": "satellites",
}  # fmt: skip
RACECHRONO = {
    "sats": "satellites", "lat": "lat", "long": "lon", "velocity": "speed", "heading": "heading", "height": "altitude",
    "longacc": "g_long", "latacc": "g_lat", "device_update_rate": "update_rate_gps",
    "device_battery_level": "logger_charge", "fix_type": "fix_type", "accuracy": "position_accuracy",
    "velocity-calc": "calc_speed", "latacc-calc": "calc_g_lat", "longacc-calc": "calc_g_long",
    "device_update_rate-calc": "update_rate_calc", "lean_angle-calc": "lean_angle",
    "combined_acc-calc": "g_combined", "x_acc-acc": "accel_x", "y_acc-acc": "accel_y", "z_acc-acc": "accel_z",
    "device_update_rate-acc": "update_rate_accel", "x_rate_of_rotation-gyro": "gyro_x",
    "y_rate_of_rotation-gyro": "gyro_y", "z_rate_of_rotation-gyro": "gyro_z",
    "device_update_rate-gyro": "update_rate_gyro",
}  # fmt: skip
TIANMA = [
    "unix_time",
    "fragment",
    "lap_number",
    "elapsed_time",
    "distance",
    "altitude",
    "vdop",
    "heading",
    "hdop",
    "update_rate_gps",
    "fix_type",
    "lat",
    "lon",
    "satellites",
    "speed",
    "g_combined",
    "update_rate_calc",
    "calc_g_lat",
    "lean_angle",
    "calc_g_long",
    "calc_speed",
    "accelerator",
    "engine_load",
    "rpm",
    "obd_speed",
    "throttle",
]
AIM = [
    "elapsed_time",
    "speed",
    "satellites",
    "g_lat",
    "g_long",
    "slope",
    "heading",
    "yaw_rate",
    "altitude",
    "position_accuracy",
    "speed_accuracy",
    "turn_radius",
    "lat",
    "lon",
    "rpm",
    "water_temp",
    "exhaust_temp",
    "g_combined",
]
DOVEX = [
    "unix_time",
    "satellites",
    "hdop",
    "lat",
    "lon",
    "speed",
    "altitude",
    "heading",
    "position_accuracy",
    "rpm",
    "accel_x",
    "accel_y",
    "accel_z",
]


def ns(text: str) -> int:
    whole, _, fraction = text.partition(".")
    return int(whole) * 10**9 + int(fraction.ljust(9, "0"))


def a_table(name: str, first: str, skip: int, signals: list[str]) -> Iterator[dict[str, str]]:
    lines = (LAPS / name).read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(first))
    for cells in csv.reader(lines[start + skip :]):
        if any(cells):
            yield dict(zip(signals, cells, strict=True))


def tianma(name: str) -> Iterator[Row]:
    for cell in a_table(name, "timestamp,", 3, TIANMA):
        yield ns(cell["unix_time"]), {signal: float(text) for signal, text in cell.items() if text}


def kart(name: str) -> Iterator[Row]:
    start = int(datetime(2024, 12, 15, 13, 34, tzinfo=UTC).timestamp()) * 10**9
    for cell in a_table(name, "Time,GPS", 3, AIM):
        row = {signal: float(text) for signal, text in cell.items()}
        for signal in ("speed", "speed_accuracy"):
            row[signal] /= 3.6
        row["position_accuracy"] /= 1000
        yield start + ns(cell["elapsed_time"]), row


def okc(name: str) -> Iterator[Row]:
    for cell in a_table(name, "timestamp,", 1, DOVEX):
        row = {signal: float(text) for signal, text in cell.items()}
        row["unix_time"] /= 1000
        row["speed"] *= 0.44704
        yield int(cell["unix_time"]) * 10**6, row


FILES = {
    "lignano-racebox.vbo": lambda name: a_vbo(name, "11/04/2026", RACEBOX),
    "modena-racechrono.vbo": lambda name: a_vbo(name, "04/07/2026", RACECHRONO),
    "tianma-lap9.racechrono-v3.csv": tianma,
    "tianma-lap13.racechrono-v3.csv": tianma,
    "kart.racestudio3.csv": kart,
    "okc-kart.dovex": okc,
}


@pytest.mark.parametrize("name", FILES)
def test_every_value_of_the_file_is_in_a_frame_bit_for_bit_and_at_its_time(name: str) -> None:
    capture = read_capture(LAPS / name)
    wanted: dict[str, list[tuple[int, float]]] = {}
    for t, row in FILES[name](name):
        for signal, value in row.items():
            wanted.setdefault(signal, []).append((t, value))
    found = values(capture)
    found.pop("beacon", None)
    assert found.keys() == wanted.keys()
    for signal, rows in wanted.items():
        assert [t for t, _ in found[signal]] == [t for t, _ in rows]
        a, b = (np.array([value for _, value in each]) for each in (found[signal], rows))
        assert a.tobytes() == b.tobytes(), signal
    assert capture.problems == []


# ---------------------------------------------------------------------------------------------------------------------
# laps, counted by two straight lines

Point = tuple[float, float]


def side(a: Point, b: Point, p: Point) -> float:
    return (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0])


def crossings(path: list[tuple[int, Point]], line: tuple[Point, Point], apart_s: float = 20.0) -> list[float]:
    """Seconds at which the path passes between the ends of the line, always to the same side, linear in time."""
    a, b = line
    found: list[tuple[float, bool]] = []
    for (t, p), (u, q) in pairwise(path):
        before, after = side(a, b, p), side(a, b, q)
        if before * after < 0 and side(p, q, a) * side(p, q, b) < 0:
            found.append(((t + (u - t) * before / (before - after)) / 1e9, before > 0))
    kept = [t for t, way in found if way == found[0][1]]
    return [t for i, t in enumerate(kept) if i == 0 or t - kept[i - 1] > apart_s]


def path(capture: Capture) -> list[tuple[int, Point]]:
    found = values(capture)
    return [(t, (lat, lon)) for (t, lat), (_, lon) in zip(found["lat"], found["lon"], strict=True)]


def laps_of(times: list[float]) -> list[float]:
    return [b - a for a, b in pairwise(times)]


def gate(found: list[list[float]]) -> tuple[Point, Point]:
    (a, b), (c, d) = found
    return (a, b), (c, d)


@pytest.mark.parametrize(
    ("name", "count", "shortest", "longest"),
    [("modena-racechrono.vbo", 21, 44.6, 45.2), ("lignano-racebox.vbo", 12, 65.7, None)],
)
def test_the_start_line_of_a_vbo_gives_the_laps_that_its_logger_counted(
    name: str, count: int, shortest: float, longest: float | None
) -> None:
    capture = read_capture(LAPS / name)
    (said,) = facts(capture, Control.START_LINE)
    laps = laps_of(crossings(path(capture), gate(said["line"])))
    assert len(laps) == count
    assert min(laps) == pytest.approx(shortest, abs=0.06)
    if longest is not None:
        assert shortest < np.median(laps) < longest


def test_the_splits_of_a_vbo_are_passed_once_a_lap_and_in_their_order() -> None:
    capture = read_capture(LAPS / "modena-racechrono.vbo")
    (said,) = facts(capture, Control.START_LINE)
    assert said["name"] == "Massa Finalese"
    starts, first, second = (crossings(path(capture), gate(line)) for line in (said["line"], *said["sectors"]))
    for begin, end in pairwise(starts):
        (one,) = [t for t in first if begin < t < end]
        (two,) = [t for t in second if begin < t < end]
        assert one < two


OKC = ((28.41270817056385, -81.37973266418031), (28.41273038679321, -81.37957048753776))


def test_the_laps_of_a_dovex_are_those_of_its_own_logger_within_a_millisecond() -> None:
    capture = read_capture(LAPS / "okc-kart.dovex")
    (said,) = facts(capture, Control.LOGGER)
    laps = laps_of(crossings(path(capture), OKC))
    assert len(laps) == len(said["laps_s"]) == 13
    assert np.abs(np.array(laps) - said["laps_s"]).max() < 0.001


def test_a_phones_fixes_keep_their_own_times_where_some_are_missing() -> None:
    capture = read_capture(LAPS / "okc-kart.nmea")
    times = np.array([t for t, _ in values(capture)["lat"]])
    steps = np.diff(times)
    assert (steps > 0).all()
    assert (steps % 40_000_000 == 0).all(), "25 Hz"
    assert (steps > 40_000_000).any(), "and some are missing"
    laps = laps_of(crossings(path(capture), OKC))
    assert len(laps) >= 8
    assert 50 < np.median(laps) < 65


def test_racechronos_lap_number_flips_where_the_lap_ends() -> None:
    for name, lap_s in (("tianma-lap9.racechrono-v3.csv", 76.335), ("tianma-lap13.racechrono-v3.csv", 75.927)):
        numbers = values(read_capture(LAPS / name))["lap_number"]
        flips = [t for (_, a), (t, b) in pairwise(numbers) if a != b]
        spans = laps_of([t / 1e9 for t in flips])
        assert any(abs(span - lap_s) < 0.01 for span in spans)


def test_the_beacons_of_a_race_studio_file_end_the_laps_that_it_says() -> None:
    capture = read_capture(LAPS / "kart.racestudio3.csv")
    (said,) = facts(capture, Control.LOGGER)
    stated = said["header"]["Segment Times"].split(", ")
    assert len(said["laps_s"]) == len(stated) == 10
    for lap, text in zip(said["laps_s"], stated, strict=True):
        minutes, seconds = text.split(":")
        assert lap == pytest.approx(int(minutes) * 60 + float(seconds), abs=0.06)
    assert len(values(capture)["beacon"]) == 9, "the last segment is the in-lap"


def test_the_files_are_told_by_how_they_begin_and_not_by_their_names(tmp_path: Path) -> None:
    for name, format in (("kart.racestudio3.csv", "aim"), ("tianma-lap9.racechrono-v3.csv", "racechrono")):
        (said,) = facts(read_capture(LAPS / name), Control.LOGGER)
        assert said["format"] == format
    (tmp_path / "x.log").write_bytes((LAPS / "okc-kart.nmea").read_bytes())
    (said,) = facts(read_capture(tmp_path / "x.log"), Control.LOGGER)
    assert said["format"] == "nmea"
