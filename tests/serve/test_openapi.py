"""The API's document: valid by somebody else's word, and true of a real server over a session that was driven."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import openapi_spec_validator
import orjson
import pyarrow as pa
import pyarrow.parquet
import pytest
from websockets.sync.client import connect

from pitwall.bus.simulator import simulate
from pitwall.log.session import Session, find
from pitwall.replay import replay
from pitwall.serve import app
from pitwall.serve.foxglove.protocol import SUBPROTOCOLS
from pitwall.serve.limits import PIECES_BYTES, PIECES_S
from pitwall.serve.openapi import document
from pitwall.serve.operations import EVENTS, Operation
from pitwall.serve.pieces import Pieces
from pitwall.serve.problem import PROBLEMS, TYPES
from pitwall.serve.rebuilds import Rebuilds
from pitwall.serve.reference import of
from pitwall.stored import store_frames
from tests.serve.stand import FakeGarage, Stand, standing
from tests.serve.test_live import CAR, CARS

OPERATIONS = (*app.OPERATIONS, *of(app.OPERATIONS))
DOCUMENT = orjson.loads(orjson.dumps(document(OPERATIONS)))
SESSION = "drive"
JOB = f"rebuild-{SESSION}"
SIGNALS = f"/session/{SESSION}/signals?channels=rpm,speed&t_from=60000000000&t_to=65000000000"
ARGUMENTS = {
    "signals": "?channels=rpm,speed&lap=best&points=100",
    "query": "?sql=SELECT%2042%20AS%20answer",
    "compare": "?lap=1",
    "why_so": "?channel=combo_g&t=60000000000&deep=true",
}
"""What an operation needs to be asked at all."""


@dataclass
class Garage(FakeGarage):
    """One in which nothing is stale, of a folder of logs."""

    logs: Path = Path("nowhere")

    def fingerprint(self, id: str) -> str:
        return ""

    def find(self, name: str) -> Session:
        return find(self.logs, super().find(name).id)


@pytest.fixture(scope="module")
def unhurried() -> Iterator[None]:
    """Nobody is told that they ask too often: what is asked is to be answered."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pitwall.serve.serving.KINDS", ())
        yield


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory, unhurried: None) -> Iterator[Stand]:
    """A server over a drive of two laps."""
    folder = tmp_path_factory.mktemp("driven")
    drive = simulate(seed=3, laps=2)
    store_frames(
        drive.frames(), logs=folder / "logs", car=CAR, buses=("dash",), started_at_ns=10**18, session_id=SESSION
    )
    replay(find(folder / "logs", SESSION), folder / "projections", CARS)
    (file,) = (folder / "projections").rglob("*.duckdb")
    with (
        duckdb.connect(str(file), read_only=True) as connection,
        standing(
            garage=Garage({SESSION: connection}, rebuilds=Rebuilds(ended=(SESSION,)), logs=folder / "logs")
        ) as one,
    ):
        yield one


def test_the_document_is_valid_by_the_validators_word_and_served_as_it_is(stand: Stand) -> None:
    openapi_spec_validator.validate(DOCUMENT)
    assert DOCUMENT["openapi"] == "3.1.0"
    assert stand.json("/openapi.json") == DOCUMENT


def test_every_operation_has_a_name_of_its_own_a_summary_and_words_for_each_parameter() -> None:
    names = [each.name for each in OPERATIONS]
    assert len(set(names)) == len(names)
    for path in DOCUMENT["paths"].values():
        for one in path.values():
            assert one["summary"].endswith("."), one
            for parameter in one.get("parameters", ()):
                assert parameter.get("description") or "enum" in str(parameter["schema"]) or "$ref" in str(parameter), (
                    one["operationId"],
                    parameter,
                )


@pytest.mark.parametrize("one", [each for each in OPERATIONS if each.method == "GET"], ids=lambda each: each.name)
def test_what_is_answered_is_of_the_type_that_is_declared(stand: Stand, one: Operation) -> None:
    if one.media[:1] != ("application/json",) or "<job>" in one.path:
        return  # another test's
    path = one.path.replace("<sid>", SESSION).replace("<lap>", "best").replace("<car>", CAR).replace(
        "<job>", JOB
    ) + ARGUMENTS.get(one.name, "")
    body = stand.json(path)
    known = msgspec.convert(body, one.answers, strict=True)
    # and nothing is answered that is not declared
    assert orjson.loads(msgspec.json.encode(known)) == body


SOCKETS = {"/live/ws": [], "/foxglove": list(SUBPROTOCOLS), f"/foxglove/{SESSION}": list(SUBPROTOCOLS)}


@pytest.mark.parametrize("path", SOCKETS)
def test_a_websocket_is_described_and_opened_by_what_the_document_says(stand: Stand, path: str) -> None:
    said = DOCUMENT["paths"][path.replace(SESSION, "{sid}")]["get"]
    assert said["x-websocket"]["subprotocols"] == SOCKETS[path]
    assert "101" in said["responses"]
    status, headers, body = stand.ask(path)
    assert (status, orjson.loads(body)["type"]) == (426, f"{TYPES}not-a-websocket")
    assert headers["upgrade"] == "websocket"
    for subprotocols in SOCKETS[path] or [None]:
        asked = None if subprotocols is None else [subprotocols]
        with connect(f"ws://localhost:{stand.port}{path}", subprotocols=asked, open_timeout=60) as client:
            assert client.subprotocol == subprotocols
            assert client.recv(60)


def test_what_a_client_may_say_on_a_websocket_is_of_the_type_that_is_declared(stand: Stand) -> None:
    reference = DOCUMENT["paths"]["/live/ws"]["get"]["x-websocket"]["client"]["schema"]["$ref"]
    properties = DOCUMENT["components"]["schemas"][reference.rpartition("/")[2]]["properties"]
    assert set(properties) == {"channels", "rate_hz", "format"}


@pytest.mark.parametrize("form", ["json", "csv", "arrow", "parquet"])
def test_a_table_is_the_same_in_every_format(stand: Stand, form: str) -> None:
    columns = stand.json(SIGNALS)["channels"]
    expected = [(name, t, v) for name, trace in columns.items() for t, v in zip(trace["t"], trace["v"], strict=True)]
    assert len(expected) > 50
    status, headers, body = stand.ask(f"{SIGNALS}&form=flat&format={form}")
    assert status == 200, body
    rows = read(form, body)
    assert [(row["channel"], int(row["t"]), float(row["value"])) for row in rows] == expected
    assert {row["channel"]: row["unit"] for row in rows} == {name: trace["unit"] for name, trace in columns.items()}
    assert headers["content-type"].startswith(app_media(form))


def app_media(form: str) -> str:
    return {"json": "application/json", "csv": "text/csv"}.get(form, "application/vnd.apache.")


def read(form: str, body: bytes) -> list[dict[str, Any]]:
    if form == "json":
        return orjson.loads(body)
    if form == "csv":
        return list(csv.DictReader(io.StringIO(body.decode())))
    table = pa.ipc.open_stream(body).read_all() if form == "arrow" else pyarrow.parquet.read_table(io.BytesIO(body))
    assert table.schema.field("time").type == pa.timestamp("ns", "UTC")
    return table.drop_columns(["time"]).to_pylist()


@pytest.mark.parametrize("form", ["csv", "arrow", "parquet"])
def test_a_table_that_is_read_piece_by_piece_is_the_same(stand: Stand, form: str) -> None:
    path = f"{SIGNALS}&form=flat&format={form}"
    _, _, whole = stand.ask(path)
    status, headers, nothing = stand.ask(path, "HEAD")
    assert (status, int(headers["content-length"]), headers["accept-ranges"], nothing) == (
        200,
        len(whole),
        "bytes",
        b"",
    )
    size, third = len(whole), len(whole) // 3
    for asked, begin, end in (
        (f"bytes=0-{third}", 0, third + 1),
        (f"bytes={third}-{2 * third}", third, 2 * third + 1),
        (f"bytes={third}-", third, size),
        ("bytes=-8", size - 8, size),
        (f"bytes={third}-{10 * size}", third, size),
    ):
        status, headers, piece = stand.ask(path, Range=asked)
        assert (status, headers["content-range"]) == (206, f"bytes {begin}-{end - 1}/{size}")
        assert headers["content-type"].startswith(app_media(form))
        assert piece == whole[begin:end]
    for senseless in (f"bytes={size}-", "bytes=9-3", "bytes=-0", "bytes=-", "bytes=0-1,4-5", "rows=1-2"):
        assert stand.ask(path, Range=senseless)[::2] == (200, whole)
    first = f"{SIGNALS}&format={form}&points=7"  # nobody asked for its head
    status, _, piece = stand.ask(first, Range="bytes=2-5")
    assert (status, piece) == (206, stand.ask(first)[2][2:6])


def test_answers_that_are_kept_for_pieces_are_one_for_a_while_and_bounded() -> None:
    now = [0.0]
    kept = Pieces(lambda: now[0])
    keys = [("/a", str(i), "") for i in range(5)]
    for i, key in enumerate(keys):
        kept.keep(key, bytes([i]) * (PIECES_BYTES // 4), "text/csv")
    assert kept.find(keys[0]) is None, "there is no room for five"
    found = [kept.find(key) for key in keys[1:]]
    assert [one.body[0] for one in found if one] == [1, 2, 3, 4]
    kept.keep(keys[0], bytes(PIECES_BYTES + 1), "text/csv")
    assert kept.find(keys[0]) is None, "it alone is too large"
    assert kept.find(keys[4])
    now[0] = PIECES_S
    assert kept.find(keys[4]) is None


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("text/csv", "text/csv; charset=utf-8"),
        ("application/json;q=0.1, text/csv;q=0.5", "text/csv; charset=utf-8"),
        ("*/*", "application/json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
        ("application/vnd.apache.parquet", "application/vnd.apache.parquet"),
    ],
)
def test_the_format_goes_by_what_the_client_accepts(stand: Stand, accept: str, media: str) -> None:
    _, headers, _ = stand.ask(f"/session/{SESSION}/laps", Accept=accept)
    assert headers["content-type"] == media


def test_what_nobody_can_write_is_refused(stand: Stand) -> None:
    status, _, body = stand.ask(f"/session/{SESSION}/laps", Accept="image/png")
    assert (status, orjson.loads(body)["type"]) == (406, f"{TYPES}no-such-format")


def test_a_lap_and_a_part_of_it_are_windows_of_time(stand: Stand) -> None:
    (lap,) = [one for one in stand.json(f"/session/{SESSION}/laps")["laps"] if one["number"] == 1]
    whole = stand.json(f"/session/{SESSION}/signals?channels=speed&lap=1&points=50")
    assert (whole["t_from"], whole["t_to"]) == (lap["t_start"], lap["t_end"])
    part = stand.json(f"/session/{SESSION}/signals?channels=speed&lap=1&from_m=500&to_m=900&points=50")
    by_distance = stand.json(f"/session/{SESSION}/laps/1")
    for end, at_m in (("t_from", 500), ("t_to", 900)):
        before = [s for s, m in zip(by_distance["time_s"], by_distance["distance_m"], strict=True) if m <= at_m]
        assert abs((part[end] - lap["t_start"]) / 1e9 - before[-1]) < 0.2
    assert stand.json(f"/session/{SESSION}/signals?channels=speed&lap=77", expect=404)["type"] == f"{TYPES}unknown-lap"


def test_what_can_not_change_has_a_tag_and_is_not_sent_again(stand: Stand) -> None:
    for path in (SIGNALS, f"/session/{SESSION}/laps", f"/session/{SESSION}/corners?format=csv"):
        status, headers, body = stand.ask(path)
        tag = headers["etag"]
        assert (status, headers["cache-control"]) == (200, "private, no-cache")
        for known in (f'"other", {tag}', f'"other",W/{tag}', "*"):
            status, again, nothing = stand.ask(path, **{"If-None-Match": known})
            assert (status, again["etag"], nothing) == (304, tag, b"")
        assert stand.ask(path, **{"If-None-Match": '"other"'})[2] == body
    assert stand.ask(SIGNALS)[1]["etag"] != stand.ask(f"{SIGNALS}&format=csv")[1]["etag"]
    assert stand.ask(SIGNALS)[1]["etag"] != stand.ask(SIGNALS, Accept="text/csv")[1]["etag"]
    assert "etag" not in stand.ask("/health")[1]


@pytest.mark.parametrize(
    "sid", ["..", "%2e%2e", "..%2f..%2fetc", "%2fetc%2fpasswd", ".requests", "a%00b", "x" * 200, "%C3%A4"]
)
@pytest.mark.parametrize("of_it", ["", "/signals?channels=rpm", "/laps/best", "/track"])
def test_an_id_that_tries_to_leave_the_folders_is_none(stand: Stand, sid: str, of_it: str) -> None:
    status, headers, _ = stand.ask(f"/session/{sid}{of_it}")
    assert status in (400, 404)
    assert headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "kind", "status", "name"),
    [
        ("GET", "/nothing", None, 404, "unknown-path"),
        ("PUT", "/sessions", None, 405, "wrong-method"),
        ("POST", "/coach/ask", "text/plain", 415, "not-json"),
        ("POST", "/coach/ask", "application/x-www-form-urlencoded", 415, "not-json"),
    ],
)
def test_what_is_asked_in_a_wrong_way_has_a_name(
    stand: Stand, method: str, path: str, kind: str | None, status: int, name: str
) -> None:
    connection = stand.connect()
    body = b'{"question": "where"}' if method == "POST" else None
    connection.request(method, path, body, {"Content-Type": kind} if kind else {})
    answer = connection.getresponse()
    assert (answer.status, orjson.loads(answer.read())["type"]) == (status, f"{TYPES}{name}")
    connection.close()


def test_every_problem_has_a_status_that_http_knows() -> None:
    assert all(400 <= status < 600 and title for status, title in PROBLEMS.values())


PATHS = [path for path in DOCUMENT["paths"] if path != "/login"]  # whose GET is the page's


def there(path: str) -> str:
    """A path of the document, of what is there."""
    for name, value in {"sid": SESSION, "lap": "best", "car": CAR, "job": JOB, "replay": "0" * 16}.items():
        path = path.replace(f"{{{name}}}", value)
    return path


@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_is_asked_by_another_method_says_by_which_it_can_be(stand: Stand, path: str) -> None:
    by_method = DOCUMENT["paths"][path]
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"):
        if method.lower() in by_method or (method == "HEAD" and "get" in by_method):
            continue
        status, headers, body = stand.ask(there(path), method)
        assert (status, headers["content-type"]) == (405, "application/problem+json"), method
        allowed = set(headers["allow"].split(", "))
        assert allowed - {"HEAD"} == {one.upper() for one in by_method}
        assert method == "HEAD" or orjson.loads(body)["type"] == f"{TYPES}wrong-method"


@pytest.mark.parametrize("one", [each for each in OPERATIONS if each.method == "GET"], ids=lambda each: each.name)
def test_the_head_of_what_can_be_got_is_what_it_would_be_and_nothing_behind_it(
    stand: Stand, caplog: pytest.LogCaptureFixture, one: Operation
) -> None:
    path = there(one.path.replace("<", "{").replace(">", "}")) + ARGUMENTS.get(one.name, "")
    status, headers, body = stand.ask(path, "HEAD")
    assert body == b""
    expected = 405 if EVENTS in one.media or one.socket is not None else 200
    assert (status, headers["content-type"]) == (
        expected,
        one.media[0] if expected == 200 else "application/problem+json",
    )
    assert not [said for said in caplog.records if said.name.startswith("pitwall")]
