"""The fixes of the real recordings, read by hand: as little of each format as their laps need."""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime
from functools import reduce
from operator import xor
from pathlib import Path

import numpy as np

from pitwall.track.fixes import Fixes
from tests.captures import CAPTURES

FOLDER = CAPTURES / "laps"


def fixes(t_s: list[float], lat: list[float], lon: list[float], speed: list[float] | None = None) -> Fixes:
    """Fixes of a log that holds nothing else."""
    t = np.rint((np.array(t_s) - t_s[0]) * 1e9).astype(np.int64)
    n = len(t)
    mps = np.full(n, np.nan) if speed is None else np.array(speed)
    return Fixes(np.arange(n, dtype=np.int64), t, np.array(lat), np.array(lon), mps, np.full(n, np.nan))


def okc_heading() -> np.ndarray:
    """What okc-kart.dovex says of the heading at each of its fixes, in degrees."""
    lines = (FOLDER / "okc-kart.dovex").read_text().splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith("timestamp"))
    return np.array([float(row["heading_deg"]) for row in csv.DictReader(lines[head:])])


def okc() -> Fixes:
    """okc-kart.dovex: a CSV behind two heads; milliseconds since 1970."""
    lines = (FOLDER / "okc-kart.dovex").read_text().splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith("timestamp"))
    rows = list(csv.DictReader(lines[head:]))
    t = [int(row["timestamp"]) / 1000 for row in rows]
    speed = [float(row["speed_mph"]) * 0.44704 for row in rows]
    return fixes(t, [float(row["lat"]) for row in rows], [float(row["lng"]) for row in rows], speed)


def vbo(name: str) -> tuple[Fixes, list[list[tuple[float, float]]]]:
    """A .vbo: fixes, and the pairs of points of its [laptiming], each (lat, lon) as that writer orders them."""
    text = (FOLDER / name).read_text(encoding="utf-8", errors="replace")
    sections = {part.split("]", 1)[0]: part.split("]", 1)[1].split("\n") for part in text.split("[")[1:]}
    names = next(line for line in sections["column names"] if line.strip()).split()
    rows = [line.split() for line in sections["data"] if len(line.split()) == len(names)]
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    t = [int(v[:2]) * 3600 + int(v[2:4]) * 60 + float(v[4:]) for v in columns["time"]]
    lat = [float(v) / 60 for v in columns["lat"]]
    lon = [-float(v) / 60 for v in columns[next(name for name in names if name.startswith("lon") or name == "lng")]]
    lines = []
    for line in sections["laptiming"]:
        words = line.split()
        if len(words) >= 5:
            a, b, c, d = (float(word) / 60 for word in words[1:5])
            first = "RaceChrono" in text
            lines.append([(b, -a), (d, -c)] if first else [(a, -b), (c, -d)])
    speed = [float(v) / 3.6 for v in columns["velocity"]]
    return fixes(t, lat, lon, speed), lines


def vbo_heading(name: str) -> np.ndarray:
    """What a .vbo says of the heading at each of its fixes, in degrees."""
    text = (FOLDER / name).read_text(encoding="utf-8", errors="replace")
    sections = {part.split("]", 1)[0]: part.split("]", 1)[1].split("\n") for part in text.split("[")[1:]}
    names = next(line for line in sections["column names"] if line.strip()).split()
    rows = [line.split() for line in sections["data"] if len(line.split()) == len(names)]
    return np.array([float(row[names.index("heading")]) for row in rows])


def tianma(lap: int) -> tuple[Fixes, list[int]]:
    """A RaceChrono CSV v3: fixes, and the lap number that the logger gave each."""
    lines = (FOLDER / f"tianma-lap{lap}.racechrono-v3.csv").read_text().splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith("timestamp"))
    names = lines[head].split(",")
    at = [names.index(name) for name in ("timestamp", "latitude", "longitude", "speed", "lap_number")]
    rows = [[row[i] for i in at] for row in csv.reader(lines[head + 3 :]) if all(row[i] for i in at[:3])]
    columns = list(zip(*rows, strict=True))
    t, lat, lon, speed = ([float(v) for v in column] for column in columns[:4])
    return fixes(t, lat, lon, speed), [int(v or -1) for v in columns[4]]


def nmea(name: str) -> Fixes:
    """The RMC sentences of a file."""
    t, lat, lon, speed = [], [], [], []
    for line in Path(FOLDER / name).read_text().splitlines():
        body, _, check = line.strip().lstrip("$").partition("*")
        word = body.split(",")
        if f"{reduce(xor, body.encode(), 0):02X}" != check or not word[0].endswith("RMC") or word[2] != "A":
            continue
        if not re.fullmatch(r"\d{6}\.\d+", word[1]) or not re.fullmatch(r"\d{6}", word[9]):
            continue  # a sentence that was cut, and happens to have its checksum
        clock = datetime.strptime(word[9] + word[1].split(".")[0], "%d%m%y%H%M%S").replace(tzinfo=UTC)
        t.append(clock.timestamp() + float("0." + word[1].split(".")[1]))
        lat.append((float(word[3][:2]) + float(word[3][2:]) / 60) * (1 if word[4] == "N" else -1))
        lon.append((float(word[5][:3]) + float(word[5][3:]) / 60) * (1 if word[6] == "E" else -1))
        speed.append(float(word[7]) * 0.514444)
    return fixes(t, lat, lon, speed)
