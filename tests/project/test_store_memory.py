"""What DuckDB keeps of a file that is being written is bounded, however many rows were written."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest

from pitwall.derive import Channel, Rows, Table
from pitwall.project import database
from pitwall.project.built import BuiltFrom
from pitwall.project.store import Store

WIDE = Table("wide", tuple(Channel(f"c{i}", "", f"dash Wide.c{i}") for i in range(8)))
BUILT = BuiltFrom("s", "f" * 64, "c")
LIMIT_MB = 24
ROWS = 61_440
COMMITS = 24


def test_blocks_kept_of_a_file_being_written_stay_within_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUILD_MEMORY_MB", LIMIT_MB)
    monkeypatch.setattr(database, "COLUMN_MEMORY_MB", 0)
    file, rng, kept = tmp_path / "one.duckdb", np.random.default_rng(1), []
    with contextlib.closing(Store(file, tmp_path / "spill", [WIDE], BUILT)) as store:
        for k in range(COMMITS):
            t = np.arange(k * ROWS, (k + 1) * ROWS, dtype=np.int64)
            store.append([Rows(WIDE, t, t * 1_000, tuple(rng.random(ROWS) for _ in WIDE.channels))])
            store.commit(BUILT, {})
            store.wait()
            with contextlib.closing(store.cursor()) as cursor:
                ((held,),) = cursor.execute("SELECT sum(memory_usage_bytes) FROM duckdb_memory()").fetchall()
                kept.append(held)
        written = file.stat().st_size
    assert written > 3 * LIMIT_MB * 1_000_000, "the file is to be larger than what may be kept of it"
    assert max(kept) > LIMIT_MB * 1_000_000 / 2, "buffers did fill"
    assert max(kept) <= LIMIT_MB * 1_000_000
