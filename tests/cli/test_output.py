"""How figures read: human units that fit, tables of eighty columns, JSON that every reader takes."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.commands import output
from pitwall.commands.answers import write_table
from pitwall.commands.options import seconds
from pitwall.commands.progress import Bar
from pitwall.errors import PitwallError
from pitwall.serve.formats import write_json


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "0.0 s"), (59.94, "59.9 s"), (60, "1:00"), (599.6, "10:00"), (3600, "1:00:00"), (36_000.2, "10:00:00")],
)
def test_durations_read_as_people_say_them(value: float, words: str) -> None:
    assert output.duration(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (99_949, "99.9 kB"), (999_600, "1.0 MB"), (5e13, "50.0 TB")],
)
def test_sizes_are_in_decimal_units(value: float, words: str) -> None:
    assert output.size(value) == words


@settings(deadline=None)
@given(st.integers(0, 10**18))
def test_a_size_is_never_wider_than_its_column(value: int) -> None:
    assert len(output.size(value)) <= 12


@settings(deadline=None)
@given(st.floats(0, 1e6), st.integers(0, 2))
def test_a_time_is_understood_in_every_form(value: float, parts: int) -> None:
    whole, texts = value, []
    for _ in range(parts):
        whole, rest = divmod(whole, 60)
        texts.insert(0, repr(rest))
    assert math.isclose(seconds(":".join([repr(whole), *texts])), value, abs_tol=1e-6)


@pytest.mark.parametrize("text", ["", "soon", "1:2:3:4", "-1", "1:-1", "nan", "inf"])
def test_what_is_no_time_is_turned_away(text: str) -> None:
    with pytest.raises(click.BadParameter):
        seconds(text)


@settings(deadline=None)
@given(st.lists(st.tuples(st.text("abc", max_size=200), st.text("xyz…", max_size=200)), max_size=5))
def test_a_table_gives_way_in_its_last_column(rows: list[tuple[str, str]]) -> None:
    short = [(first[:30], last) for first, last in rows]
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(click, "echo", lambda text: out.write(text + "\n"))
        output.print_table(("FIRST", "LAST"), short)
    assert all(len(line) <= 80 for line in out.getvalue().splitlines())


values: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(), st.binary()
)


@settings(deadline=None)
@given(st.lists(values, max_size=20))
def test_whatever_is_answered_is_json(cells: list[Any]) -> None:
    batches = [pa.RecordBatch.from_pydict({"value": pa.array([cell])}) for cell in cells]
    for batch in batches:
        out = io.BytesIO()
        write_json(batch.schema, [batch], out)
        (row,) = json.loads(out.getvalue(), parse_constant=lambda word: pytest.fail(word))
        cell = batch.to_pylist()[0]["value"]
        if isinstance(cell, float) and not math.isfinite(cell):
            cell = None
        assert row["value"] == (cell.hex() if isinstance(cell, bytes) else cell)


@settings(deadline=None)
@given(st.lists(st.text(), max_size=10))
def test_a_row_of_a_table_is_one_line(cells: list[str]) -> None:
    batch = pa.RecordBatch.from_pydict({"text": pa.array(cells, pa.string())})
    out = io.BytesIO()
    write_table(batch.schema, [batch], out)
    assert out.getvalue().count(b"\n") == len(cells) + 1


def test_half_a_file_never_takes_the_place_of_a_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("whole")

    def write() -> None:
        with output.replacing(path) as part:
            part.write_text("ha")
            raise OSError(28, "No space left on device")

    with pytest.raises(PitwallError, match=r"out\.csv"):
        write()
    assert path.read_text() == "whole"
    assert [file.name for file in tmp_path.iterdir()] == ["out.csv"]


@pytest.mark.parametrize(("terminal", "second", "shown"), [(True, 2.0, True), (True, 0.5, False), (False, 2.0, False)])
def test_a_bar_is_for_a_terminal_and_for_what_takes_long(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, second: float, shown: bool
) -> None:
    err = io.StringIO()
    monkeypatch.setattr(err, "isatty", lambda: terminal, raising=False)
    monkeypatch.setattr("sys.stderr", err)
    monkeypatch.setenv("TERM", "xterm")
    with Bar("reading", clock=iter([0.0, second, second]).__next__) as bar:
        bar(1, 2)
    assert ("reading" in err.getvalue()) == shown
    assert not terminal or not shown or "\x1b" in err.getvalue()
