"""Real recordings, imported and asked: the values that two other decoders found in them, and the same frames again."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.captures import CAPTURES, needs_captures
from tests.cli.conftest import Pitwall

RECORDINGS = {
    "wrx": ("wrx/wrx.log", "wrx/wrx.dbc", "wrx/expected.csv"),
    "drive-1": ("canmod/drive-1.mf4", "canmod/canmod-gps.dbc", "canmod/drive-1.expected.csv"),
    "drive-2": ("canmod/drive-2.mf4", "canmod/canmod-gps.dbc", "canmod/drive-2.expected.csv"),
}

SQL = """
    SELECT channel, count(*) AS count, min(value) AS min, max(value) AS max, sum(value) AS sum,
        arg_min(value, t) AS first, arg_max(value, t) AS last, median(value) AS median,
        min(t) / 1e9 AS t_first, max(t) / 1e9 AS t_last
    FROM signals GROUP BY channel
"""


@pytest.fixture
def imported(pitwall: Pitwall, car: Callable[[str, str], Path], request: pytest.FixtureRequest) -> Path:
    """The recording as the session `real`; the folder of its car's definition."""
    capture, dbc, _ = RECORDINGS[request.param]
    if capture.endswith(".mf4"):
        pytest.importorskip("asammdf")
    cars = car("car: {make: Real}\nbuses:\n  can: {dbc: my.dbc}\n", (CAPTURES / dbc).read_text())
    said = pitwall("import", CAPTURES / capture, "--car", "mine", "--cars", cars, "--session", "real")
    assert said.code == 0, said.err
    assert said.out == "real\n"
    return cars


def sources(pitwall: Pitwall, cars: Path) -> dict[str, str]:
    """`message.signal` of each channel."""
    channels = pitwall("channels", "real", "--cars", cars, "--json").json
    return {channel["name"]: channel["source"].split()[-1] for channel in channels}


@needs_captures
@pytest.mark.parametrize(("imported", "name"), [(name, name) for name in RECORDINGS], indirect=["imported"])
def test_every_signal_is_what_other_decoders_found(pitwall: Pitwall, imported: Path, name: str) -> None:
    known = sources(pitwall, imported)
    found = {known[row["channel"]]: row for row in pitwall("query", "real", SQL, "--cars", imported, "--json").json}
    with (CAPTURES / RECORDINGS[name][2]).open(newline="") as file:
        expected = {f"{row['message']}.{row['signal']}": row for row in csv.DictReader(file)}
    assert set(found) == {signal for signal, row in expected.items() if int(row["count"])}
    for signal, row in found.items():
        wanted = expected[signal]
        assert row["count"] == int(wanted["count"]), signal
        for figure in ("min", "max", "first", "last", "median"):
            assert math.isclose(row[figure], float(wanted[figure]), rel_tol=1e-12, abs_tol=1e-12), (signal, figure)
        assert math.isclose(row["sum"], float(wanted["sum"]), rel_tol=1e-9, abs_tol=1e-6), signal
        for figure in ("t_first", "t_last"):
            assert abs(row[figure] - float(wanted[figure])) < 2e-6, (signal, figure)


@needs_captures
@pytest.mark.parametrize("imported", ["wrx"], indirect=True)
@pytest.mark.parametrize("suffix", ["log", "asc", "blf"])
def test_exported_and_imported_again_it_is_the_same(
    pitwall: Pitwall, imported: Path, tmp_path: Path, suffix: str
) -> None:
    cars = ("--cars", imported)
    assert pitwall("export", "real", "-o", f"again.{suffix}").code == 0
    assert pitwall("import", f"again.{suffix}", "--car", "mine", *cars, "--session", "again").code == 0
    rows = [pitwall("query", name, f"{SQL} ORDER BY channel", *cars, "--json").json for name in ("real", "again")]
    for real, again in zip(*rows, strict=True):
        for figure, value in real.items():
            # a time as other tools' files hold it: to the microsecond
            near = pytest.approx(value, abs=1.5e-6, rel=0) if figure.startswith("t_") else value
            assert again[figure] == near, (real["channel"], figure)
