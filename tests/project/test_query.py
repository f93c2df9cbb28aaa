"""Questions: what they may ask, what they may not, and what they are told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from pitwall.errors import PitwallError, UsageError
from pitwall.project.generations import Generations
from pitwall.project.loop import project, projecting_in_memory
from pitwall.project.pipeline import Pipeline
from pitwall.project.query import Projection, ask, open_projection
from tests.project.sessions import E46, HEADER, driven, written


@pytest.fixture(scope="module")
def projection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Projection]:
    folder = tmp_path_factory.mktemp("query")
    session = written(folder / "logs", driven(5_000))
    with open_projection(session, E46, Generations(folder / "projections")) as opened:
        yield opened


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """A cursor on a projection that is being written."""
    with projecting_in_memory(Pipeline(E46, HEADER), Generations(tmp_path_factory.mktemp("live"))) as projector:
        project([driven(5_000)], projector)
        projector.store.wait()
        cursor = projector.store.cursor()
        yield cursor
        cursor.close()


READS = [
    "SELECT * FROM signals WHERE channel = 'rpm' ORDER BY t LIMIT 3",
    "FROM channels",
    "WITH fast AS (SELECT * FROM signals WHERE channel = 'speed') SELECT count(*) FROM fast",
    "DESCRIBE signals",
    "SHOW TABLES",
    "SUMMARIZE ids",
    "EXPLAIN SELECT 1",
    "VALUES (1), (2)",
    "SELECT * FROM control;",
    "  -- a remark\n SELECT 1 -- another",
]

HOSTILE = [
    "COPY ids TO '{out}'",
    "COPY (SELECT 1) TO '{out}'",
    "EXPORT DATABASE '{out}'",
    "ATTACH '{out}'",
    "DETACH memory",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM read_json('/etc/passwd')",
    "SELECT * FROM read_parquet('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "PRAGMA threads = 1",
    "SET threads = 1",
    "SET memory_limit = '100GB'",
    "RESET threads",
    "SET VARIABLE x = 1",
    "INSERT INTO ids (id) VALUES (1)",
    "UPDATE ids SET id = 1",
    "DELETE FROM ids",
    "TRUNCATE ids",
    "DROP TABLE ids",
    "ALTER TABLE ids ADD COLUMN x INT",
    "CREATE TABLE x (i INT)",
    "CREATE TEMP TABLE x (i INT)",
    "CREATE MACRO f() AS 1",
    "CREATE VIEW v AS SELECT 1",
    "CHECKPOINT",
    "FORCE CHECKPOINT",
    "VACUUM",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "USE memory",
    "CALL pragma_version()",
    "PREPARE v AS SELECT 1",
    "EXECUTE v",
    "EXPLAIN ANALYZE DELETE FROM ids",
    "EXPLAIN ANALYZE COPY ids TO '{out}'",
    "SELECT * FROM query('DELETE FROM ids')",
    "SELECT 1; SELECT 2",
    "SELECT 1; DELETE FROM ids",
    "WITH gone AS (DELETE FROM ids RETURNING *) SELECT * FROM gone",
    "SELECT * FROM projection",  # a variable of this module
    "SELECT * FROM READS",
    "SELECT getenv('HOME')",
    "",
    ";",
    "-- nothing",
    "SELEC 1",
    "SELECT nonsense",
    "SELECT * FROM nowhere",
    "SELECT * FROM \"rows of ids\"",
    "SELECT error('late') FROM range(100000)",
    "SELECT CAST(channel AS INT) FROM signals",
]  # fmt: skip


@pytest.mark.parametrize("sql", READS)
def test_reading_is_answered(projection: Projection, live: duckdb.DuckDBPyConnection, sql: str) -> None:
    for connection in (projection.connection, live):
        with ask(connection, sql) as answer:
            assert answer.read_all().num_columns


@pytest.mark.parametrize("sql", HOSTILE)
def test_anything_else_is_refused_in_one_line(
    projection: Projection, live: duckdb.DuckDBPyConnection, tmp_path: Path, sql: str
) -> None:
    before = total(projection.connection), total(live)
    for connection in (projection.connection, live):
        with pytest.raises(UsageError) as refused, ask(connection, sql.format(out=tmp_path / "out")) as answer:
            for _ in answer:
                pass
        assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())
    assert (total(projection.connection), total(live)) == before


def total(connection: duckdb.DuckDBPyConnection) -> object:
    with ask(
        connection, "SELECT count(*) AS n, sum(frames) AS frames, (SELECT count(*) FROM signals) AS s FROM ids"
    ) as answer:
        return answer.read_all().to_pylist()


def test_an_answer_is_a_stream_of_bounded_batches(projection: Projection) -> None:
    with ask(projection.connection, "SELECT t FROM signals, range(20)") as answer:
        sizes = [batch.num_rows for batch in answer]
    assert len(sizes) > 1
    assert max(sizes) <= 200_000


def test_an_answer_that_nobody_reads_holds_up_nobody(projection: Projection) -> None:
    with ask(projection.connection, "SELECT * FROM range(100000000)") as first:
        first.read_next_batch()
        with ask(projection.connection, "SELECT 42 AS n") as second:
            assert second.read_all()["n"].to_pylist() == [42]


def test_parameters_are_values_and_never_sql(projection: Projection) -> None:
    question = "SELECT count(*) AS n FROM channels WHERE name = "
    for sql, parameters in ((question + "?", ["rpm' OR 'a' = 'a"]), (question + "$x", {"x": "rpm' OR 'a' = 'a"})):
        with ask(projection.connection, sql, parameters) as answer:
            assert answer.read_all()["n"].to_pylist() == [0]
    with ask(projection.connection, question + "?", ["rpm"]) as answer:
        assert answer.read_all()["n"].to_pylist() == [1]


def test_too_much_at_once_is_no_crash(projection: Projection) -> None:
    greedy = "SELECT list(a.t) FROM signals a, signals b, signals c"
    with pytest.raises(PitwallError), ask(projection.connection, greedy) as answer:
        answer.read_all()


def test_threads_ask_at_the_same_time(projection: Projection) -> None:
    found: list[object] = []

    def run() -> None:
        found.append(total(projection.connection))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [total(projection.connection)] * 8


def test_one_channel_reads_one_column(projection: Projection) -> None:
    with ask(projection.connection, "EXPLAIN SELECT * FROM signals WHERE channel = 'rpm'") as answer:
        plan = "".join(answer.read_all()["explain_value"].to_pylist())
    assert plan.upper().count("SEQ SCAN") + plan.upper().count("SEQ_SCAN") == 1
