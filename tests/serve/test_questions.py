"""Questions in SQL over HTTP: what they answer, what they may cost, and that they do nothing but read."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import orjson
import pytest

from pitwall.project.generations import Generations
from pitwall.project.loop import project, projecting_in_memory
from pitwall.project.pipeline import Pipeline
from pitwall.project.query import open_projection
from pitwall.serve.limits import MAX_SQL, QUERY_ROWS, QUESTION_THREADS
from pitwall.serve.newest import Still
from tests.project.sessions import E46, HEADER, driven, written
from tests.project.test_query import HOSTILE
from tests.serve.stand import SID, FakeGarage, Stand, standing

LIVE = "20261123T150000Z-bmw-e46-m3"
"""The session whose file is being written."""

FURTHER = [
    "SELECT * FROM duckdb_settings() WHERE name = 'x' UNION ALL SELECT * FROM read_csv('/etc/passwd')",
    "SELECT (SELECT content FROM read_text('/etc/hostname'))",
    "SELECT * FROM read_csv_auto('https://example.org/x.csv')",
    "FROM 's3://bucket/key.parquet'",
    "FROM \"/etc/passwd\"",
    "FROM 'file:///etc/passwd'",
    "WITH x AS MATERIALIZED (FROM read_blob('/proc/self/environ')) SELECT * FROM x",
    "SELECT * FROM query_table(['/etc/passwd'])",
    "SELECT * FROM query('SELECT * FROM read_text(''/etc/passwd'')')",
    "SELECT * FROM parquet_metadata('/etc/passwd')",
    "SELECT * FROM read_ndjson_objects('/etc/passwd')",
    "SELECT * FROM read_duckdb('/etc/passwd')",
    "COPY (SELECT 1) TO '/dev/stdout'",
    "COPY signals FROM '/etc/passwd'",
    "EXPLAIN ANALYZE INSERT INTO ids (id) VALUES (1)",
    "EXPLAIN COPY ids TO '{out}'",
    "SELECT 1;;SELECT 2",
    "SELECT set_config('threads', '1')",
    "SELECT nextval('nothing')",
    "SET SESSION enable_external_access = true",
    "SET GLOBAL lock_configuration = false",
    "PRAGMA enable_profiling",
    "PRAGMA database_list",
    "IMPORT DATABASE '/tmp'",
    "CREATE SECRET s (TYPE s3)",
    "COMMENT ON TABLE ids IS 'x'",
    "ANALYZE",
    "LOAD '/tmp/evil.duckdb_extension'",
    "FORCE INSTALL httpfs",
    "UPDATE EXTENSIONS",
    "MERGE INTO ids USING ids AS x ON true WHEN MATCHED THEN DELETE",
    "SELECT * FROM which_secret('s3://x', 's3')\x00; DROP TABLE ids",
]  # fmt: skip


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A finished session, read from its file, and one that is being written by this process."""
    folder = tmp_path_factory.mktemp("questions")
    session = written(folder / "logs", driven(5_000))
    with contextlib.ExitStack() as stack:
        finished = stack.enter_context(open_projection(session, E46, Generations(folder / "projections")))
        projector = stack.enter_context(projecting_in_memory(Pipeline(E46, HEADER), Generations(folder / "live")))
        project([driven(5_000)], projector)
        projector.store.wait()
        readers = projector.store.cursor()
        stack.callback(readers.close)
        yield stack.enter_context(standing(Still(), FakeGarage({SID: finished.connection, LIVE: readers})))


@pytest.fixture(autouse=True)
def unhurried(stand, monkeypatch):
    """The rate is another test's."""
    from pitwall.serve import rates

    monkeypatch.setattr(rates.Rates, "wait_s", lambda self, client, now_s: 0.0)


def asked(stand: Stand, session: str, sql: str) -> tuple[int, dict]:
    status, _, body = stand.ask(f"/session/{session}/query?sql={quote(sql)}")
    return status, orjson.loads(body)


@pytest.mark.parametrize("session", [SID, LIVE])
def test_an_answer_has_its_columns_and_rows(stand, session):
    status, said = asked(
        stand, session, "SELECT channel, count(*) AS n, max(value) AS most FROM signals GROUP BY ALL LIMIT 3"
    )
    assert status == 200
    assert [column["name"] for column in said["columns"]] == ["channel", "n", "most"]
    assert len(said["rows"]) == 3
    assert said["session"] == session
    assert said["fingerprint"]


def test_whatever_a_row_may_hold_can_be_said(stand):
    sql = (
        "SELECT NULL, true, 1.5, 'x', 'nan'::DOUBLE, DATE '2026-01-02', TIMESTAMP '2026-01-02 03:04:05', "
        "'\\xff'::BLOB, [1, NULL], {'a': 1}, 170141183460469231731687303715884105727::HUGEINT, 1.10::DECIMAL(5,2), "
        "MAP {'k': 2}, uuid()"
    )
    status, said = asked(stand, SID, sql)
    assert status == 200, said
    assert said["rows"][0][:5] == [None, True, 1.5, "x", None]


@pytest.mark.parametrize("session", [SID, LIVE])
@pytest.mark.parametrize("sql", [sql for sql in HOSTILE + FURTHER if sql.strip()])
def test_nothing_gets_out_and_nothing_is_changed(stand, session, sql, tmp_path):
    connection = stand.garage.projections[session]
    count = "SELECT (SELECT count(*) FROM ids), (SELECT count(*) FROM information_schema.tables)"
    before = connection.cursor().execute(count).fetchall()
    status, said = asked(stand, session, sql.format(out=tmp_path / "out"))
    assert (status, said["type"]) == (400, "urn:pitwall:problem:bad-question"), said
    assert "root:" not in str(said)
    assert not list(tmp_path.iterdir())
    assert connection.cursor().execute(count).fetchall() == before


@pytest.mark.parametrize("session", [SID, LIVE])
@pytest.mark.parametrize("function", ["pg_sleep(1)", "getvariable('x')", "current_setting('temp_directory')"])
def test_a_question_learns_nothing_of_the_machine(stand, session, function):
    _, said = asked(stand, session, f"SELECT {function}")
    assert str(Path.home()) not in str(said.get("rows"))


@pytest.mark.parametrize("sql", [f"FROM range({QUERY_ROWS + 1})", "SELECT repeat('x', 1000000) FROM range(100)"])
def test_an_answer_too_long_says_so(stand, sql):
    status, said = asked(stand, SID, sql)
    assert (status, said["type"]) == (413, "urn:pitwall:problem:too-many-rows")


def test_memory_is_bounded(stand):
    status, said = asked(stand, SID, "SELECT list(i) FROM range(100000000000) AS r(i)")
    assert status in (413, 504), said
    assert asked(stand, SID, "SELECT 1")[0] == 200


@pytest.mark.parametrize("query", ["", "?sql=", "?sql=%20", "?sqll=SELECT%201", "?sql=SELECT%201&x=1"])
def test_a_question_without_one_is_told_so(stand, query):
    status, _, body = stand.ask(f"/session/{SID}/query{query}")
    assert (status, orjson.loads(body)["type"]) == (400, "urn:pitwall:problem:bad-parameter")


def test_a_question_too_long_is_refused(stand):
    status, _, _ = stand.ask(f"/session/{SID}/query?sql=" + "x" * (MAX_SQL + 1))
    assert status == 413


def test_who_hangs_up_frees_the_thread_at_once(stand):
    before = stand.json("/health")["queries"]["interrupted"]
    sql = quote("SELECT count(*) FROM range(10000000000) AS a(i), range(1000) AS b(j) WHERE (i * j) % 7 = 3")
    clients = [socket.create_connection(("127.0.0.1", stand.port), timeout=60) for _ in range(QUESTION_THREADS)]
    for client in clients:
        client.sendall(f"GET /session/{SID}/query?sql={sql} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    until_s = time.monotonic() + 15  # less than a question has
    while stand.json("/health")["queries"]["running"] < QUESTION_THREADS:
        assert time.monotonic() < until_s
    for client in clients:
        client.close()
    status, said = asked(stand, SID, "SELECT 42")
    assert (status, said.get("rows")) == (200, [[42]]), said
    assert stand.json("/health")["queries"]["interrupted"] == before + QUESTION_THREADS
