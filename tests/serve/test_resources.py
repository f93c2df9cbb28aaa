"""Every route, and every way to ask it wrongly, over a real socket."""

from __future__ import annotations

import socket
import threading
from dataclasses import replace

import duckdb
import pytest

from pitwall.errors import PitwallError, UsageError
from pitwall.log.published import Recorder, SourceState, State
from pitwall.serve.access import access
from pitwall.serve.limits import QUESTIONS
from pitwall.serve.newest import Still
from pitwall.serve.reading import _Call
from pitwall.serve.server import bind
from tests.serve.stand import SID, FakeGarage, picture, projection, standing

OTHER = "20261123T090000Z-bmw-e46-m3"


@pytest.fixture(scope="module")
def stand():
    seconds = [int(i * 1e8) for i in range(1000)]
    held = projection(
        {
            ("dash_SmartyCam01", "rpm"): (seconds, [1000.0 + i for i in range(1000)]),
            ("dash_SmartyCam03", "throttle"): (seconds, [None if i % 2 else float(i % 100) for i in range(1000)]),
            ("many", "many"): (list(range(10_001)), [0.0] * 10_001),
        }
    )
    with standing(Still(picture(7, rpm=900.0)), FakeGarage({SID: held, OTHER: projection({})})) as stand:
        yield stand


def test_health_tells_the_source_and_the_projection(stand):
    health = stand.json("/health")
    assert health["live"]["session"] == SID
    assert health["live"]["state"] == "recording"
    assert health["projection"]["offset"] == 7
    assert health["projection"]["lag_rows"] == 0
    assert health["projection"]["fingerprint"] == "f" * 64
    assert health["version"]


def test_health_tells_how_each_source_is(stand):
    told = SourceState("dash", "slcan /dev/ttyACM0", "lost", 1_795_529_111_000_000_000, "is unplugged", 7, 0.0, 2.5)
    assert stand.json("/health")["sources"] == []
    stand.live.shown_recorder = Recorder(1, State(sources=(replace(told, lost={"adapter": 3}),)))
    try:
        assert stand.json("/health")["sources"] == [
            {
                "bus": "dash",
                "source": "slcan /dev/ttyACM0",
                "state": "lost",
                "since": "2026-11-24T14:05:11.000Z",
                "why": "is unplugged",
                "frames": 7,
                "frames_per_s": 0.0,
                "age_s": 2.5,
                "lost": {"adapter": 3},
            }
        ]
    finally:
        stand.live.shown_recorder = None


def test_sessions_are_listed_with_their_times(stand):
    body = stand.json("/sessions")
    assert body["live"] == SID
    assert [session["id"] for session in body["sessions"]] == [OTHER, SID]
    shown = body["sessions"][1]
    assert (shown["car"], shown["frames"], shown["duration_s"]) == ("bmw-e46-m3", 1000, 10.0)
    assert shown["started_at"] == "2026-11-24T14:05:11.000Z"


@pytest.mark.parametrize("sid", [SID, "_live"])
def test_channels_come_with_units(stand, sid):
    body = stand.json(f"/session/{sid}/channels")
    assert body["session"] == SID
    assert {channel["name"]: channel["unit"] for channel in body["channels"]} == {
        "rpm": "V",
        "throttle": "V",
        "many": "V",
    }


@pytest.mark.parametrize("sid", [SID, "_live"])
def test_signals_come_as_columns(stand, sid):
    body = stand.json(f"/session/{sid}/signals?channels=throttle,rpm&t_from=0&t_to=300000000")
    assert list(body["channels"]) == ["throttle", "rpm"]
    assert body["channels"]["rpm"] == {
        "unit": "V",
        "samples": 4,
        "t": [0, 10**8, 2 * 10**8, 3 * 10**8],
        "v": [1000.0, 1001.0, 1002.0, 1003.0],
    }
    assert body["channels"]["throttle"]["t"] == [0, 2 * 10**8]


def test_the_last_minute_comes_when_no_end_is_given(stand):
    body = stand.json(f"/session/{SID}/signals?channels=rpm")
    assert (body["t_from"], body["t_to"]) == (39_900_000_000, 99_900_000_000)


def test_points_are_a_limit_for_each_channel(stand):
    body = stand.json(f"/session/{SID}/signals?channels=rpm&t_from=0&points=10")
    assert len(body["channels"]["rpm"]["t"]) == 10
    assert body["channels"]["rpm"]["samples"] == 1000
    body = stand.json(f"/session/{SID}/signals?channels=rpm&t_from=0&rate_hz=1")
    assert len(body["channels"]["rpm"]["t"]) == 100


@pytest.mark.parametrize(
    ("path", "status", "kind", "says"),
    [
        ("/nothing", 404, "unknown-path", ""),
        ("/session/nobody/channels", 404, "unknown-session", "nobody"),
        (f"/session/{SID}/signals?channels=rpn", 404, "unknown-channel", "did you mean rpm?"),
        (f"/session/{SID}/signals", 400, "bad-parameter", "no channels are named"),
        (f"/session/{SID}/signals?channels=,", 400, "bad-parameter", "no channels are named"),
        (f"/session/{SID}/signals?channels=rpm&t_from=yesterday", 400, "bad-parameter", "t_from=yesterday"),
        (f"/session/{SID}/signals?channels=rpm&t_from=0.5", 400, "bad-parameter", "whole number of ns"),
        (f"/session/{SID}/signals?channels=rpm&t_to=99999999999999999999", 400, "bad-parameter", "t_to"),
        (f"/session/{SID}/signals?channels=rpm&t_from=2&t_to=1", 400, "bad-parameter", "t_from is after t_to"),
        (f"/session/{SID}/signals?channels=rpm&points=1", 400, "bad-parameter", "points=1"),
        (f"/session/{SID}/signals?channels=rpm&points=-5", 400, "bad-parameter", "points=-5"),
        (f"/session/{SID}/signals?channels=rpm&rate_hz=nan", 400, "bad-parameter", "rate_hz=nan"),
        (f"/session/{SID}/signals?channels=rpm&rate_hz=0", 400, "bad-parameter", "rate_hz=0"),
        (f"/session/{SID}/signals?channels=rpm&points=5&rate_hz=5", 400, "bad-parameter", "both"),
        (f"/session/{SID}/signals?channels=rpm&chanels=x", 400, "bad-parameter", "chanels"),
        (f"/session/{SID}/signals?channels={','.join(map(str, range(201)))}", 400, "bad-parameter", "201 channels"),
        (f"/session/{SID}/signals?channels=rpm&points=10001", 413, "too-many-points", "points=10000 or fewer"),
        (f"/session/{SID}/signals?channels=many", 413, "too-many-points", "at most"),
        (f"/session/{SID}/signals?channels=rpm&t_from=0&rate_hz=1000", 200, "", ""),
    ],
)
def test_what_is_asked_wrongly_is_said(stand, path, status, kind, says):
    body = stand.json(path, expect=status)
    if kind:
        assert body["type"] == f"urn:pitwall:problem:{kind}"
        assert body["status"] == status
        assert body["title"]
        assert says in body["detail"] + body["hint"]


@pytest.mark.parametrize(
    "name",
    ["..", "%2e%2e", "..%2f..%2fetc", "%2fetc%2fpasswd", "a%00b", ".lock", "a%5cb", "x" * 200, "caf%c3%a9", "%2e", "~"],
)
def test_no_name_of_a_session_leaves_the_folders(stand, name):
    status, headers, body = stand.ask(f"/session/{name}/channels")
    assert status == 404, body
    assert headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/health", "/sessions", f"/session/{SID}/channels", "/", "/icon.svg"])
def test_head_is_get_without_the_body(stand, path):
    got, asked = stand.ask(path), stand.ask(path, "HEAD")
    assert (asked[0], asked[2]) == (200, b"")
    assert asked[1]["content-type"] == got[1]["content-type"]
    if path != "/health":
        assert asked[1]["content-length"] == got[1]["content-length"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_written(stand, method):
    status, headers, _ = stand.ask("/sessions", method)
    assert (status, headers["content-type"]) == (405, "application/problem+json")
    assert "GET" in headers["allow"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8080", "[::1]:80", "LOCALHOST:1", "pitwall.localhost"])
def test_own_names_are_answered_to(stand, host):
    assert stand.ask("/health", Host=host)[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "192.168.1.5", "localhost:x", ""]
)
@pytest.mark.parametrize("path", ["/health", "/live", "/", "/nothing"])
def test_foreign_names_are_not(stand, host, path):
    status, headers, _ = stand.ask(path, Host=host)
    assert (status, headers["content-type"]) == (421, "application/problem+json")


def test_a_request_without_a_host_is_refused(stand):
    with socket.create_connection(("127.0.0.1", stand.port), timeout=20) as raw:
        raw.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        assert b" 421 " in raw.recv(4096)


@pytest.mark.parametrize("path", ["/", "/health", "/live", "/nothing"])
def test_every_response_says_what_a_browser_may_do(stand, path):
    connection = stand.connect()
    connection.request("GET", path)
    headers = connection.getresponse().headers
    connection.close()
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["access-control-allow-origin"] is None


def test_a_body_too_large_is_refused_as_a_problem(stand):
    status, headers, _ = stand.ask("/sessions", **{"Content-Length": str(200 << 20)})
    assert (status, headers["content-type"]) == (413, "application/problem+json")


def test_the_page_is_all_ours_and_unchanged_files_are_not_sent_again(stand):
    status, headers, body = stand.ask("/")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"http://" not in body.replace(b"http://www.w3.org", b"")
    assert b"https://" not in body
    assert b"style=" not in body
    assert stand.ask("/", **{"If-None-Match": headers["etag"]})[0] == 304


def test_with_nothing_recorded_the_api_says_so():
    with standing() as stand:
        assert stand.json("/health")["status"] == "idle"
        assert stand.json("/sessions") == {"live": None, "of": 0, "sessions": []}
        assert stand.json("/session/_live/channels", expect=404)["type"].endswith("no-live-session")


def test_a_projection_that_fails_is_a_problem_with_advice():
    class Failing(FakeGarage):
        def cursor(self, id):
            raise PitwallError("the disk is full", where=id, hint="make room")

    with standing(garage=Failing({SID: projection({})})) as stand:
        body = stand.json(f"/session/{SID}/channels", expect=503)
        assert body["hint"] == "make room"


def test_what_nobody_expected_is_a_500_that_tells_nothing_of_the_inside():
    class Failing(FakeGarage):
        def cursor(self, id):
            raise ZeroDivisionError("/secret/place")

    with standing(garage=Failing({SID: projection({})})) as stand:
        body = stand.json(f"/session/{SID}/channels", expect=500)
        assert "secret" not in str(body)


def test_more_questions_than_may_wait_are_told_to_come_back():
    class Slow(FakeGarage):
        go = threading.Event()

        def cursor(self, id):
            assert self.go.wait(20)
            return super().cursor(id)

    garage = Slow({SID: projection({("m", "a"): ([1], [1.0])})})
    answers: list[int] = []
    with standing(garage=garage) as stand:
        askers = [
            threading.Thread(target=lambda: answers.append(stand.ask(f"/session/{SID}/channels")[0]))
            for _ in range(QUESTIONS + 8)
        ]
        for asker in askers:
            asker.start()
        while answers.count(503) < 8:
            assert stand.json("/health")["queries"]["running"] <= QUESTIONS
        garage.go.set()
        for asker in askers:
            asker.join()
        assert sorted(answers) == [200] * QUESTIONS + [503] * 8
        assert stand.json("/health")["queries"]["refused"] == 8


def test_a_question_whose_client_has_gone_is_interrupted():
    con = projection({("m", "a"): ([1], [1.0])})
    con.execute("DROP TABLE channels")
    # never ends by itself
    con.execute(
        "CREATE VIEW channels AS SELECT 'a' AS name, '' AS unit, '' AS source, 'm' AS table_name, 'a' AS column_name, "
        "count(*) AS rows, 1.0 AS rate_hz FROM range(1000000000) a, range(1000000000) b WHERE a.range * b.range = -1"
    )
    with standing(garage=FakeGarage({SID: con})) as stand:
        asking = stand.connect()
        asking.request("GET", f"/session/{SID}/channels")
        while not stand.json("/health")["queries"]["running"]:
            pass
        asking.close()
        while stand.json("/health")["queries"]["running"]:
            pass
        assert stand.json("/health")["queries"]["interrupted"] == 1


def test_an_interruption_just_before_a_statement_begins_is_not_lost():
    con = projection({("m", "a"): ([1], [1.0])})
    asked, go = threading.Event(), threading.Event()

    def question(cursor):
        asked.set()
        go.wait(20)
        # never ends by itself
        endless = "SELECT count(*) FROM range(1000000000) a, range(1000000000) b WHERE a.range * b.range = -1"
        cursor.execute(endless).fetchall()

    ended = []

    def ask():
        try:
            call()
        except duckdb.InterruptException as error:
            ended.append(error)

    cursor = con.cursor()
    call = _Call(lambda: cursor, question)
    thread = threading.Thread(target=ask)
    thread.start()
    asked.wait(20)
    call.interrupt()
    go.set()
    thread.join(20)
    stopped = not thread.is_alive()
    while thread.is_alive():
        cursor.interrupt()
        thread.join(0.1)
    assert stopped
    assert len(ended) == 1


def test_a_port_in_use_is_one_clear_line():
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PitwallError, match=f"{port}.*address already in use") as refused:
            bind("127.0.0.1", port)
    assert "--port" in refused.value.hint


def test_others_than_this_machine_are_not_served_without_a_token():
    for host in ("0.0.0.0", "::", "192.168.1.5", "example.org", ""):
        with pytest.raises(UsageError) as refused:
            access(host, "")
        assert "PITWALL_TOKEN" in refused.value.hint
    for host in ("localhost", "127.0.0.1", "::1"):
        access(host, "")
