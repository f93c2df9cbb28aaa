"""One setting decides what DuckDB and Arrow take, in this process and in those that it starts."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pyarrow as pa
import pytest

from pitwall.errors import UsageError
from pitwall.project.database import connect
from pitwall.project.memory import LEAST_BYTES, MOST_BYTES, SMALL_BYTES, VARIABLE, memory, parsed, suits
from pitwall.serve.limits import OPEN, OPEN_SMALL, most_open

GB = 10**9


@pytest.mark.parametrize(
    ("text", "count"),
    [("256MB", 256_000_000), ("1gb", GB), (" 0.5 GB ", GB // 2), ("300MiB", 300 << 20), ("64000000", LEAST_BYTES)],
)
def test_a_size_is_read_as_people_write_it(text: str, count: int) -> None:
    assert parsed(text) == count


@pytest.mark.parametrize("text", ["", "much", "-1GB", "1TB", "0", "63MB", "256 M B", "nanMB"])
def test_what_is_no_size_or_too_little_is_said(text: str) -> None:
    with pytest.raises(UsageError, match="--memory"):
        parsed(text)


def test_a_phone_has_what_a_phone_can_spare_and_nothing_has_more_than_helps() -> None:
    assert [suits(count) for count in (0, GB, 4 * GB, 8 * GB)] == [SMALL_BYTES] * 4
    assert suits(16 * GB) == 16 * GB // 32
    assert suits(512 * GB) == MOST_BYTES


def test_the_setting_reaches_duckdb_and_arrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "128MB")
    with contextlib.closing(connect(None, tmp_path / "spill")) as connection:
        said = {
            name: connection.execute(f"SELECT current_setting('{name}')").fetchone()[0]
            for name in ("memory_limit", "threads", "max_temp_directory_size")
        }
    assert said == {"memory_limit": "122.0 MiB", "threads": 1, "max_temp_directory_size": "976.5 MiB"}
    assert (pa.cpu_count(), pa.io_thread_count()) == (1, 2)
    assert memory().threads == 1


def test_fewer_projections_stay_open_where_memory_is_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "256MB")
    assert most_open() == OPEN_SMALL
    monkeypatch.setenv(VARIABLE, "1GB")
    assert most_open() == OPEN
