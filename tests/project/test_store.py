"""What is appended is what is read: order, missing values, counts, whatever the sizes of the pieces."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from pitwall.derive import Channel, Rows, Table
from pitwall.project import columns, content, layout
from pitwall.project.built import BuiltFrom
from pitwall.project.store import Store

WIDE = Table("dash_Wide", (Channel("a", "m", "dash Wide.a"), Channel('b "quoted"', "", "dash Wide.b")))
ODD = Table("it's odd", (Channel("it's odd", "", "a * 2"),))
BUILT = BuiltFrom("s", "f" * 64, "c")

VALUES = st.one_of(st.floats(), st.sampled_from([math.nan, -0.0, math.inf, 1e-320]))


def rows(table: Table, first: int, values: list[list[float]]) -> Rows:
    at = np.arange(first, first + len(values), dtype=np.int64)
    return Rows(
        table, at, at * 10, tuple(np.array([row[i] for row in values], float) for i in range(len(table.channels)))
    )


def stored(tmp_path: Path, parts: list[list[list[float]]], **limits: int) -> tuple[list[tuple[object, ...]], str]:
    """What a store of these parts of WIDE holds, and its digest."""
    with contextlib.closing(Store(None, tmp_path / "spill", [WIDE, ODD], BUILT, **limits)) as store:
        at = 0
        for part in parts:
            store.append([rows(WIDE, at, part)])
            at += len(part)
        store.commit(BUILT, {})
        store.wait()
        with contextlib.closing(store.cursor()) as cursor:
            return cursor.execute('SELECT * FROM "dash_Wide"').fetchall(), content.digest(cursor)


@settings(max_examples=25, deadline=None)
@given(
    parts=st.lists(st.lists(st.lists(VALUES, min_size=2, max_size=2), max_size=30), max_size=6),
    insert_rows=st.integers(1, 40),
    gather_bytes=st.integers(0, 2_000),
)
def test_rows_come_back_in_order_with_nan_as_null(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[list[float]]], insert_rows: int, gather_bytes: int
) -> None:
    folder = tmp_path_factory.getbasetemp()
    found, digest = stored(folder, parts, insert_rows=insert_rows, gather_bytes=gather_bytes)
    flat = [row for part in parts for row in part]
    expected = [(10 * i, *(None if math.isnan(v) else v for v in row)) for i, row in enumerate(flat)]
    assert repr(found) == repr(expected)  # repr tells -0.0 from 0.0
    assert digest == stored(folder, [flat])[1]


def test_channels_tells_where_each_is_and_how_many(tmp_path: Path) -> None:
    with contextlib.closing(Store(None, tmp_path / "spill", [WIDE, ODD], BUILT, insert_rows=3)) as store:
        nan = math.nan
        store.append([rows(WIDE, 0, [[nan, nan], [1, nan], [nan, nan], [2, 5], [3, nan], [nan, nan]])])
        store.commit(BUILT, {})
        store.wait()
        with contextlib.closing(store.cursor()) as cursor:
            assert cursor.execute("SELECT * FROM channels").fetchall() == [
                ("a", "m", "dash Wide.a", "dash_Wide", "a", 3, 2 / 30e-9),
                ('b "quoted"', "", "dash Wide.b", "dash_Wide", 'b "quoted"', 1, None),
                ("it's odd", "", "a * 2", "it's odd", "it's odd", 0, None),
            ]
            assert cursor.execute("SELECT * FROM signals ORDER BY channel, t").fetchall() == [
                (10, "a", 1.0),
                (30, "a", 2.0),
                (40, "a", 3.0),
                (30, 'b "quoted"', 5.0),
            ]


def test_a_car_without_channels_has_an_empty_view(tmp_path: Path) -> None:
    with (
        contextlib.closing(Store(None, tmp_path / "spill", [], BUILT)) as store,
        contextlib.closing(store.cursor()) as cursor,
    ):
        assert cursor.execute("SELECT * FROM signals").fetchall() == []


def test_what_fails_is_raised_and_nothing_behind_it_is_committed(tmp_path: Path) -> None:
    with contextlib.closing(Store(tmp_path / "s", tmp_path / "spill", [WIDE], BUILT, insert_rows=2)) as store:
        wrong = rows(WIDE, 0, [[1, 2]] * 2)
        store.append([Rows(WIDE, wrong.at, wrong.t, (wrong.values[0],) * 2)], [("no offset", 0, "note", "")])
        with pytest.raises(ValueError):  # noqa: PT012  at whichever of these it is noticed
            store.append([rows(WIDE, 2, [[1, 2]] * 2)])
            store.commit(BuiltFrom("s", "f", "c", offset=4), {})
            store.wait()
        with contextlib.closing(store.cursor()) as cursor:
            assert cursor.execute("SELECT log_offset FROM built_from").fetchall() == [(0,)]
            assert cursor.execute('SELECT count(*) FROM "dash_Wide"').fetchall() == [(0,)]


def test_a_finished_file_is_whole_and_open_to_none(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.duckdb", tmp_path / "spill", [WIDE], BUILT)
    reader = store.cursor()
    reader.execute("BEGIN TRANSACTION READ ONLY")
    reader.execute("SELECT * FROM built_from")
    store.append([rows(WIDE, 0, [[1, 2]])])
    store.commit(BUILT, {})
    store.finish()
    reader.close()
    assert [file.name for file in tmp_path.iterdir()] == ["s.duckdb"]
    with contextlib.closing(duckdb.connect(str(tmp_path / "s.duckdb"), read_only=True)) as connection:
        assert connection.execute("SELECT a FROM dash_Wide").fetchall() == [(1.0,)]


def test_a_hundred_tables_fit_into_the_memory_of_a_build(tmp_path: Path) -> None:
    tables = [Table(f"t{i}", tuple(Channel(f"c{i}_{k}", "", "") for k in range(3))) for i in range(100)]
    with contextlib.closing(
        Store(tmp_path / "s.duckdb", tmp_path / "spill", tables, BUILT, gather_bytes=1 << 20)
    ) as store:
        rng = np.random.default_rng(1)
        for first in range(0, 10_000, 1_000):
            values = rng.normal(size=(1_000, 3)).tolist()
            store.append([rows(table, first, values) for table in tables])
        store.commit(BUILT, {})
        store.finish()


@given(values=st_numpy.arrays(np.float64, st.integers(0, 40), elements=VALUES))
def test_columns_are_what_pyarrow_makes_of_them(values: np.ndarray) -> None:
    array = columns.float64(values)
    array.validate(full=True)
    expected = pa.array(values, from_pandas=True)
    assert array.null_count == expected.null_count
    assert repr(array.to_pylist()) == repr(expected.to_pylist())


@given(values=st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]))))
def test_text_is_what_pyarrow_makes_of_it(values: list[str | None]) -> None:
    array = columns.text(values)
    array.validate(full=True)
    assert array.equals(pa.array(values, pa.string()))


def test_the_document_tells_every_table_and_column() -> None:
    document = (Path(__file__).parents[2] / "docs" / "projections.md").read_text()
    for name, fields in layout.FIXED.items():
        section = document.split(f"## `{name}`")[1].split("\n## ")[0]
        told = [line.split("|")[1].strip(" `") for line in section.splitlines() if line.startswith("| `")]
        assert told == [column for column, _ in fields], name
    assert "## `signals`" in document


def test_a_store_that_is_thrown_away_is_not_made_whole_first(tmp_path: Path) -> None:
    file = tmp_path / "s.duckdb"
    with contextlib.closing(Store(file, tmp_path / "spill", [WIDE], BUILT)) as store:
        store.append([rows(WIDE, 0, [[k, k] for k in range(1_000)])])
        store.commit(BUILT, {})
        store.wait()
        there = {left.name: left.read_bytes() for left in tmp_path.iterdir() if left.is_file()}
    assert {left.name: left.read_bytes() for left in tmp_path.iterdir() if left.is_file()} == there
