"""Whatever is asked or said, right or wrong, is answered as the document says, and the server goes on.

Schemathesis makes requests of the document, hypothesis what is said on WebSockets.  FUZZ_CASES: cases an operation.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from typing import Any, Final

import hypothesis
import orjson
import pytest
import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis import GenerationMode, checks
from schemathesis.core.transport import Response
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from pitwall.serve.access import Access
from pitwall.serve.limits import MAX_SAID_BYTES
from pitwall.serve.page import is_open
from pitwall.serve.problem import CONTENT_TYPE, TYPES
from pitwall.serve.tokens import Tokens
from tests.serve.stand import SID, FakeGarage, Stand, projection, standing
from tests.serve.test_live import CAR
from tests.serve.test_openapi import DOCUMENT, JOB, OPERATIONS, SESSION, stand, unhurried  # noqa: F401 — fixtures

CASES: Final = int(os.environ.get("FUZZ_CASES", "8"))

THERE: Final = {"sid": SESSION, "lap": "best", "car": CAR, "job": JOB, "replay": "0" * 16}
"""What stands in paths and is there: else all would be about sessions that are not."""
ASKED: Final = {
    "channels": ["rpm", "speed"],
    "channel": "combo_g",
    "lap": "best",
    "sql": "SELECT number, time_s FROM laps",
    "session": SESSION,
    "against": SESSION,
}
"""And in queries."""
ASKED_OF: Final = {"export": {"t_from": 60 * 10**9, "t_to": 61 * 10**9}}
"""And of one operation: a whole session is a file of some size."""
TOKEN: Final = "a-token-of-more-than-sixteen-characters"
LONGEST_S: Final = 60
"""For anything to be answered, on a machine that has much else to do."""

checks.load_all_checks()
CHECKED: Final = [
    checks.CHECKS.get_one(f"{name}_conformance") for name in ("status_code", "content_type", "response_schema")
]
SCHEMA: Final = schemathesis.openapi.from_dict(DOCUMENT)
WORKING: Final = {503, 504, 507}
"""Of 5xx those by which a server that is well says that something can't be had now; the document names them, too."""

settings = hypothesis.settings(
    max_examples=CASES, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
)
OF_RESOURCES: Final = [each.name for each in OPERATIONS]
SOCKETS: Final = [each.name for each in OPERATIONS if each.socket is not None]


def requests_of(name: str) -> st.SearchStrategy[schemathesis.Case]:
    """Right ones and wrong ones, most of them of what is there."""
    operation = SCHEMA.find_operation_by_id(name)
    raw = operation.definition.raw
    names = {one["name"]: one["in"] for one in raw.get("parameters", ())}
    path = {one: THERE[one] for one, place in names.items() if place == "path"}
    query = {one: value for one, value in ASKED.items() if names.get(one) == "query"} | ASKED_OF.get(name, {})
    ways = [operation.as_strategy(), operation.as_strategy(path_parameters=path, query=query)]
    if "query" in names.values() or "requestBody" in raw:
        wrong = GenerationMode.NEGATIVE
        ways.append(operation.as_strategy(wrong, path_parameters=path))
        if query and {**path, **query}.keys() < names.keys():
            ways.append(operation.as_strategy(wrong, path_parameters=path, query=query))
    return st.one_of(ways)


def beginning(case: schemathesis.Case, port: int, **headers: str) -> Response:
    """The answer; of a stream, which does not end, its first bytes."""
    given = case.as_transport_kwargs(base_url=f"http://127.0.0.1:{port}", headers=headers)
    began_s = time.monotonic()
    with requests.request(**given, stream=True, timeout=LONGEST_S, allow_redirects=False) as answer:
        endless = answer.headers.get("content-type", "").startswith("text/event-stream")
        content = answer.raw.read1(4096) if endless else answer.content
        assert content or answer.status_code == 204
        told = {name: answer.raw.headers.getlist(name) for name in answer.raw.headers}
        return Response(answer.status_code, told, content, answer.request, time.monotonic() - began_s, verify=True)


def check(case: schemathesis.Case, answer: Response) -> None:
    assert answer.status_code < 500 or answer.status_code in WORKING, answer.content
    case.validate_response(answer, checks=CHECKED)
    if answer.status_code >= 400:
        problem = orjson.loads(answer.content)
        assert problem["type"].startswith(TYPES), problem
        assert problem["status"] == answer.status_code
        assert problem["detail"], problem


@pytest.mark.parametrize("name", OF_RESOURCES)
def test_whatever_is_asked_is_answered_as_the_document_says(stand: Stand, name: str) -> None:  # noqa: F811
    @settings
    @hypothesis.seed(7)
    @hypothesis.given(case=requests_of(name))
    def hold(case: schemathesis.Case) -> None:
        check(case, beginning(case, stand.port))

    hold()
    assert stand.json("/health")["status"]


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    return Tokens(tmp_path_factory.mktemp("tokens") / "mine.json")


@pytest.fixture(scope="module")
def closed(tokens: Tokens) -> Iterator[Stand]:
    """A server that demands a token."""
    garage = FakeGarage({SID: projection({("a", "rpm"): ([0, 1], [1.0, 2.0])})})
    with standing(garage=garage, access=Access(TOKEN, tokens=tokens)) as one:
        yield one


WAYS_IN: Final = ("as it is", "link", "used", "token", "cookie")


def test_whoever_logs_in_is_let_in_once_a_link_or_told_why_not(closed: Stand, tokens: Tokens) -> None:
    operation = SCHEMA.find_operation_by_id("log_in")
    used: set[str] = set()

    @settings
    @hypothesis.seed(7)
    @hypothesis.given(
        case=requests_of("log_in"), which=st.sampled_from(["as it is", "link", "used", "token", "cookie"])
    )
    @hypothesis.example(case=operation.Case(body={}), which="link")
    @hypothesis.example(case=operation.Case(body={}), which="used")
    @hypothesis.example(case=operation.Case(body={}), which="token")
    def hold(case: schemathesis.Case, which: str) -> None:
        code = tokens.link(read_only=True) if which == "link" else next(iter(used), "")
        given = {"link": {"code": code}, "used": {"code": code}, "token": {"token": TOKEN}}.get(which)
        if given is not None:
            case.body = given
        answer = beginning(case, closed.port, **({"Cookie": "pitwall=none"} if which == "cookie" else {}))
        check(case, answer)
        expected = {"link": {200}, "token": {200}}.get(which, {400, 401, 415})
        assert answer.status_code in expected, answer.content
        if answer.status_code != 200:
            assert "set-cookie" not in answer.headers
            return
        (cookie,) = answer.headers["set-cookie"]
        who = orjson.loads(closed.ask("/token", Cookie=cookie.partition(";")[0])[2])
        assert who == orjson.loads(answer.content)
        if which == "link":
            used.add(code)
            tokens.revoke(who["name"])

    hold()


@pytest.mark.parametrize("name", OF_RESOURCES)
def test_without_a_token_nothing_is_told_whatever_is_asked(closed: Stand, name: str) -> None:
    @hypothesis.settings(settings, max_examples=max(1, CASES // 4))
    @hypothesis.seed(7)
    @hypothesis.given(case=requests_of(name))
    def hold(case: schemathesis.Case) -> None:
        answer = beginning(case, closed.port)
        check(case, answer)
        assert answer.status_code == 401 or is_open(case.path) or name == "log_in"

    hold()


ANYTHING: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
SAID: Final = {
    "channels": [["rpm"], ["rpm", "speed"], None, [], ["none"]],
    "rate_hz": [10, 50, 0.1, 0, 1e300],
    "format": ["json", "arrow", "xml"],
    "speed": [2, 100, 1e-9],
    "pause": [True, False],
    "seek_s": [0, 60.5, -1e9, 1e9],
    "op": ["subscribe", "unsubscribe", "advertise", "getParameters"],
    "subscriptions": [[{"id": 1, "channelId": 1}], [{"id": 2**32 - 1, "channelId": 2}, {"id": 3, "channelId": 0}]],
    "subscriptionIds": [[1], [3, 3, 7]],
}
"""What a client may say, and what comes near."""
OBJECTS: Final = st.lists(st.sampled_from(sorted(SAID)), max_size=4).flatmap(
    lambda keys: st.fixed_dictionaries({key: st.sampled_from(SAID[key]) | ANYTHING for key in keys})
)
CONTROLS: Final = st.binary(max_size=24).map(lambda rest: b"\x03" + rest)
TOO_LONG: Final = ("x", MAX_SAID_BYTES + 1)
MESSAGES: Final = st.one_of(
    OBJECTS.map(json.dumps),
    ANYTHING.map(json.dumps),
    st.text(max_size=40),
    st.binary(max_size=40),
    CONTROLS,
    st.sampled_from([("x", MAX_SAID_BYTES), ("[", MAX_SAID_BYTES), TOO_LONG]),
)
"""A letter and a number: so many of it."""

THE_LAST: Final = {"the-last": 1, "op": "unsubscribe", "subscriptionIds": ["the-last"]}
"""Nobody understands it, and whoever hears it says so: then all before it was heard."""


@pytest.mark.parametrize("name", SOCKETS)
def test_whatever_is_said_on_a_websocket_it_goes_on_or_is_closed_as_the_document_says(
    stand: Stand,  # noqa: F811
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    said = SCHEMA.find_operation_by_id(name).definition.raw
    spoken = said["x-websocket"]
    protocols = st.sampled_from([None, *([one] for one in spoken["subprotocols"]), ["none"]])

    @settings
    @hypothesis.seed(7)
    @hypothesis.given(case=requests_of(name), protocols=protocols, messages=st.lists(MESSAGES, max_size=4))
    def hold(case: schemathesis.Case, protocols: list[str] | None, messages: list[Any]) -> None:
        address = requests.Request("GET", **_url(case, stand.port)).prepare().url
        assert address is not None
        refused, ended = None, None
        try:
            with connect(
                address.replace("http", "ws", 1),
                subprotocols=protocols,
                open_timeout=LONGEST_S,
                close_timeout=LONGEST_S,
            ) as client:
                for message in (*messages, json.dumps(THE_LAST)):
                    client.send(message[0] * message[1] if isinstance(message, tuple) else message)
                end_s = time.monotonic() + LONGEST_S
                while "the-last" not in str(client.recv(max(0, end_s - time.monotonic()))):
                    pass
        except ConnectionClosed as error:
            ended = error
        except InvalidStatus as error:
            refused = error.response
        if ended is not None:
            # who is cut off while it says too much may not hear why; nobody here is asked by a ping in vain
            if ended.rcvd is None:
                assert TOO_LONG in messages, "it is told why"
            else:
                assert str(ended.rcvd.code) in set(spoken["closes"]) - {"1011"}, ended
        if refused is not None:
            assert str(refused.status_code) in said["responses"], refused
            assert refused.headers["content-type"] == CONTENT_TYPE

    hold()
    assert stand.json("/health")["status"]
    assert not [one for one in caplog.records if one.name.startswith("pitwall")]


def _url(case: schemathesis.Case, port: int) -> dict[str, Any]:
    given = case.as_transport_kwargs(base_url=f"http://127.0.0.1:{port}")
    return {key: given[key] for key in ("url", "params") if key in given}
