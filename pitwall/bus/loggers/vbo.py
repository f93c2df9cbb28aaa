"""A .vbo file in, frames of the bus `gps` out: RaceLogic's text format, as RaceLogic, RaceBox and RaceChrono write it.

    File created on 04/07/2026 at 08:58:54
    [header]            what each column is, with its unit: velocity kmh
    [channel units]     of the columns behind RaceLogic's own
    [laptiming]         start line and splits
    [column names]      sats time lat long velocity heading …: columns differ in order and presence between writers
    [data]              016 090358.20 +2689.899660 -00673.458530 009.310 …

Laws: latitude and longitude are minutes, longitude positive west; time is HHMMSS.ss of the UTC day.  What is no value
goes into a control row as it is written; the start line and the splits into another.

Source: RaceLogic's "VBO file structure" and "VBO File Format" (developers.racelogic.co.uk, en.racelogic.support).
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, Final

from pitwall.bus.lines import Lines
from pitwall.bus.loggers.columns import SAME, Wish, assigned
from pitwall.bus.loggers.laptiming import gates, start_line
from pitwall.bus.loggers.racechrono import SOURCES
from pitwall.bus.loggers.racechrono import signal_of as racechrono_signal
from pitwall.bus.loggers.sheet import PROGRESS_ROWS, Sheet, never_whole, ns_of
from pitwall.bus.reading import Reading
from pitwall.errors import UsageError
from pitwall.frames import Control, Frames

DAY_NS: Final = 86_400 * 1_000_000_000
DATE: Final = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})")
TIME: Final = re.compile(r"\d{1,6}(?:[.,]\d*)?")
UTC_DATE: Final = re.compile(r"UTC Date Started\s*:\s*(.*)", re.IGNORECASE)
NAME: Final = re.compile(r"(?:name\s+|venue\s*:\s*)(.+)", re.IGNORECASE)

FLAGGED: Final = 64
"""RaceLogic adds it to the number of satellites while the brake trigger is on, and twice of it with a DGPS correction.
`satellites` is the number without; where a file has such a row, the column `sats` is kept as it is, too."""

SIGNALS: Final[Mapping[str, tuple[str, str]]] = {
    "sats": ("satellites", ""),
    "satellites": ("satellites", ""),
    "time": ("time_of_day", "s"),
    "lat": ("lat", "min"),
    "latitude": ("lat", "min"),
    "long": ("lon", "min west"),
    "lng": ("lon", "min west"),
    "longitude": ("lon", "min west"),
    "velocity": ("speed", "km/h"),
    "heading": ("heading", "deg"),
    "height": ("altitude", "m"),
    "vertvel": ("vertical_speed", "m/s"),
    "longacc": ("g_long", "g"),
    "latacc": ("g_lat", "g"),
    "vertacc": ("g_vert", "g"),
    "x-rotation-gyroscope": ("gyro_x", "deg/s"),
    "y-rotation-gyroscope": ("gyro_y", "deg/s"),
    "z-rotation-gyroscope": ("gyro_z", "deg/s"),
    "yaw_rate": ("yaw_rate", "deg/s"),
}
"""What the columns are that writers agree on: the signal, and the unit where `[header]` says none."""


def read(reading: Reading) -> Iterator[Frames]:
    """The values of a .vbo file; a row that is none is a loss."""
    sections: dict[str, list[str]] = {"": []}
    section = ""
    names: list[str] = []
    sheet: Sheet | None = None
    lines = Lines(reading.path, reading.losses, silent=lambda line: not line.strip(), whole=never_whole)
    day_ns, before_ns = 0, 0
    with closing(lines):
        for line in lines:
            text = line.strip()
            if text.startswith("[") and text.endswith("]"):
                section = text[1:-1].strip().lower()
                sections.setdefault(section, [])
            elif section != "data":
                sections[section] += [text] if text or section == "channel units" else []
            elif not text:
                continue
            else:
                if sheet is None:
                    names = " ".join(sections.get("column names", [])).split()
                    sheet = Sheet(reading, _columns(names, sections, reading))
                    day_ns = _day_ns(sections, reading)
                cells = text.split()
                time = dict(zip(names, cells, strict=False)).get("time", "")
                if len(cells) != len(names) or (time_ns := _time_ns(time)) is None:
                    continue  # and Lines counts it
                if before_ns - time_ns > DAY_NS // 2:
                    day_ns += DAY_NS  # midnight has passed
                before_ns = time_ns
                seconds = f"{time_ns // 1_000_000_000}.{time_ns % 1_000_000_000:09d}"
                sheet.add(day_ns + time_ns, [*_decimal(cells, names, seconds)], lines.number)
                if len(sheet) % PROGRESS_ROWS == 0:
                    reading.progress(lines.tell())
            lines.answered()
    if sheet is not None:
        yield from _frames(sheet, sections, reading)


def _decimal(cells: list[str], names: list[str], seconds: str) -> Iterator[str]:
    """The cells, with a point where a writer has put a comma, and the time as seconds of the day."""
    for name, cell in zip(names, cells, strict=True):
        yield seconds if name == "time" else cell.replace(",", ".")


def _frames(sheet: Sheet, sections: Mapping[str, list[str]], reading: Reading) -> Iterator[Frames]:
    if sheet.largest("satellites") >= FLAGGED:
        sheet.also("satellites", "sats")
    found, wrong = gates(sections.get("laptiming", []), *sheet.path())
    for problem in wrong:
        reading.losses.add(problem)
    told = {name: lines for name, lines in sections.items() if lines and name not in ("data", "column names")}
    fact = start_line(found, _name(sections))
    rows: list[tuple[Control, Mapping[str, Any]]] = [] if fact is None else [(Control.START_LINE, fact)]
    yield from sheet.frames({"format": "vbo", "header": {(key or "file"): told[key] for key in told}}, rows)


def _columns(names: list[str], sections: Mapping[str, list[str]], reading: Reading) -> tuple[Any, ...]:
    """What the columns are.  Raises UsageError where the file does not say."""
    if "time" not in names:
        what = "has no [column names] before its [data]" if not names else "has no column `time`"
        raise UsageError(what, where=reading.losses.path)
    if len(set(names)) != len(names):
        double = next(name for name in names if names.count(name) > 1)
        raise UsageError(f"has two columns called {double!r}", where=reading.losses.path)
    header = sections.get("header", [])
    titles = header if len(header) == len(names) else [""] * len(names)
    if titles is not header:
        what = f"[header] has {len(header)} titles for {len(names)} columns: each is taken to be in its usual unit"
        reading.notes.append(f"{reading.losses.path}: {what}")
    units = sections.get("channel units", [])
    units = units[:-1] if units and not units[-1] else units  # an empty line ends a section, and before it says no unit
    behind = (
        dict(zip(range(len(names) - len(units), len(names)), units, strict=True)) if len(units) < len(names) else {}
    )
    return assigned(
        _wish(name, title, behind.get(i, "")) for i, (name, title) in enumerate(zip(names, titles, strict=True))
    )


def _wish(name: str, title: str, given: str) -> Wish:
    """given: the unit that [channel units] says."""
    small, _, source = name.lower().rpartition("-")
    if not small or source not in SOURCES:
        small, source = name.lower(), ""
    signal, unit = SIGNALS.get(name.lower()) or SIGNALS.get(small if not source else "", ("", ""))
    last = title.lower().split()[-1] if " " in title else ""
    if not signal:
        signal = racechrono_signal(small, source)
        unit = _UNITS_SAID.get(signal, "")
    said = given or (_SPELT.get(last, last) if last in _SPELT or last in SAME else "") or unit
    return Wish(name, said, signal or None, name, FLAGGED if signal == "satellites" else 0)


_SPELT: Final = {"kmh": "km/h", "km/h": "km/h", "mph": "mph", "knots": "knots", "kts": "knots"}
_UNITS_SAID: Final = {
    "calc_speed": "km/h", "obd_speed": "km/h", "speed": "km/h", "calc_g_lat": "g", "calc_g_long": "g",
    "g_combined": "g", "accel_x": "g", "accel_y": "g", "accel_z": "g", "gyro_x": "deg/s", "gyro_y": "deg/s",
    "gyro_z": "deg/s", "lean_angle": "deg", "update_rate_gps": "Hz", "update_rate_calc": "Hz",
    "update_rate_accel": "Hz", "update_rate_gyro": "Hz", "update_rate_obd": "Hz", "logger_charge": "%",
    "position_accuracy": "m", "altitude_accuracy": "m", "rpm": "rpm", "throttle": "%", "accelerator": "%",
    "engine_load": "%", "water_temp": "degC", "oil_temp": "degC", "distance": "m", "elapsed_time": "s",
    "altitude": "m", "heading": "deg",
}  # fmt: skip
"""The units of RaceChrono's other columns, which `[header]` does not say."""


def _name(sections: Mapping[str, list[str]]) -> str:
    for line in (*sections.get("session data", []), *sections.get("comments", [])):
        if match := NAME.fullmatch(line):
            return match[1].strip()
    return ""


def _time_ns(text: str) -> int | None:
    """HHMMSS.ss as ns of the day; None where it is no time."""
    if not TIME.fullmatch(text):
        return None
    whole, _, fraction = text.replace(",", ".").partition(".")
    whole = whole.rjust(6, "0")
    hours, minutes, seconds = int(whole[:2]), int(whole[2:4]), int(whole[4:])
    if hours > 23 or minutes > 59 or seconds > 59:
        return None
    return (hours * 3600 + minutes * 60) * 1_000_000_000 + ns_of(f"{seconds}.{fraction}")


def _day_ns(sections: Mapping[str, list[str]], reading: Reading) -> int:
    """Unix time of the midnight before the first row; 0 where the file has no date."""
    said = [match[1] for line in sections.get("comments", []) if (match := UTC_DATE.fullmatch(line))]
    for text in (*said, *sections[""]):
        if match := DATE.search(text):
            day, month, year = int(match[1]), int(match[2]), int(match[3])
            if 1980 <= year < 2200 and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]:
                if not said:
                    what = f"its day is that of {text!r}, day first, and its times are UTC"
                    reading.notes.append(f"{reading.losses.path}: {what}")
                return calendar.timegm((year, month, day, 0, 0, 0)) * 1_000_000_000
            reading.losses.add(f"{match[0]!r} is no date, day first")
    return 0
