"""Who may ask: tokens, names, pages from elsewhere; at the socket of a server that demands a token."""

from __future__ import annotations

import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitwall.errors import UsageError
from pitwall.serve.access import NOBODY, OWNER, Access, access, presented
from pitwall.serve.tokens import LINK_S, MOST, Tokens
from tests.serve.stand import SID, FakeGarage, Stand, projection, standing

TOKEN = "a-token-of-more-than-sixteen-characters"
FOXGLOVE = "https://app.foxglove.dev"


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    return Tokens(tmp_path_factory.mktemp("tokens") / "of" / "mine.json")


@pytest.fixture(scope="module")
def stand(tokens: Tokens) -> Iterator[Stand]:
    garage = FakeGarage({SID: projection({("a", "rpm"): ([0, 1], [1.0, 2.0])})})
    demands = access("127.0.0.1", TOKEN, hosts=("pit.local",), origins=(FOXGLOVE,), tokens=tokens)
    with standing(garage=garage, access=demands) as made:
        yield made


def problem(answer: tuple) -> tuple[int, str]:
    status, headers, body = answer
    assert headers["content-type"] == "application/problem+json"
    return status, orjson.loads(body)["type"].rpartition(":")[2]


@pytest.mark.parametrize(
    "path",
    ["/", "/index.html", "/sessions", "/live", "/token", "/nothing", "/login/x", f"/session/{SID}/query?sql=SELECT+1"],
)
def test_everything_is_refused_without_a_token(stand, path):
    for headers in ({}, {"X-Pitwall-Token": "wrong"}, {"Authorization": "Bearer wrong"}, {"Cookie": "pitwall=wrong"}):
        answer = stand.ask(path, **headers)
        assert problem(answer) == (401, "no-token")
        assert answer[1]["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", ["/coach/ask", "/import", "/nothing", "/sessions"])
@pytest.mark.parametrize(
    ("header", "status"), [("Host: localhost", 401), ("Host: evil.example", 421), ("Host: localhost\r\nOrigin: x", 403)]
)
def test_who_may_not_ask_is_told_before_a_byte_of_the_body_has_come(stand, path, header, status):
    with socket.create_connection(("127.0.0.1", stand.port), timeout=60) as client:
        client.sendall(f"POST {path} HTTP/1.1\r\n{header}\r\nContent-Length: 1000000\r\n\r\n".encode())
        assert client.recv(65_536).split()[1] == str(status).encode()


@pytest.mark.parametrize("path", ["/health", "/login", "/docs.css", "/icon.svg"])
def test_whether_it_is_well_and_how_to_get_in_is_open(stand, path):
    assert stand.ask(path)[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Pitwall-Token": TOKEN},
        {"Authorization": f"Bearer {TOKEN}"},
        {"authorization": f"bearer {TOKEN}"},
        {"Cookie": f"other=1; pitwall={TOKEN}"},
    ],
)
def test_a_token_is_taken_in_any_of_three_ways(stand, headers):
    assert stand.ask("/sessions", **headers)[0] == 200
    assert orjson.loads(stand.ask("/token", **headers)[2]) == {"name": "PITWALL_TOKEN", "read_only": False}


def test_a_browser_without_a_token_is_led_to_where_it_gets_one(stand):
    status, headers, _ = stand.ask("/", Accept="text/html,*/*")
    assert (status, headers["location"]) == (303, "/login")


def test_a_spectator_may_look_and_change_nothing(stand, tokens):
    secret = {"X-Pitwall-Token": tokens.new("crowd", read_only=True)}
    assert stand.ask("/sessions", **secret)[0] == 200
    for path in ("/coach/ask", f"/session/{SID}/end", f"/session/{SID}/start-line", "/nothing"):
        assert problem(stand.ask(path, "POST", **secret)) == (403, "read-only")


def test_a_running_server_knows_at_once_who_was_added_and_who_was_revoked(stand, tokens):
    for name in ("one", "two"):
        secret = {"X-Pitwall-Token": tokens.new(name, read_only=False)}
        assert stand.ask("/sessions", **secret)[0] == 200
        tokens.revoke(name)
        assert stand.ask("/sessions", **secret)[0] == 401


def logged_in(stand: Stand, said: dict) -> tuple:
    return stand.post("/login", said)


def test_a_link_is_good_for_one_cookie(stand, tokens):
    code = tokens.link(read_only=True)
    assert stand.ask("/sessions", **{"X-Pitwall-Token": code})[0] == 401  # it is no token
    status, headers, body = logged_in(stand, {"code": code})
    assert status == 200
    cookie = headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    name = orjson.loads(body)["name"]
    secret = {"Cookie": cookie.split(";")[0]}
    assert stand.ask("/sessions", **secret)[0] == 200
    assert problem(stand.ask("/coach/ask", "POST", **secret)) == (403, "read-only")
    assert problem(logged_in(stand, {"code": code})) == (401, "no-token")
    tokens.revoke(name)
    assert stand.ask("/sessions", **secret)[0] == 401


@pytest.mark.parametrize("said", [{}, {"code": ""}, {"code": "ü"}, {"token": "é"}])
def test_what_is_no_code_lets_nobody_in(stand, said):
    assert problem(stand.post("/login", said)) == (401, "no-token")


@pytest.mark.parametrize("body", [b"[]", b"nonsense", b"[" * 5000, b"\xff", b'{"token": 3}'])
def test_what_is_no_document_is_told_so(stand, body):
    assert problem(stand.post("/login", body)) == (400, "bad-parameter")


def test_a_token_may_be_typed_in(stand):
    status, headers, _ = logged_in(stand, {"token": TOKEN})
    assert status == 200
    assert stand.ask("/sessions", Cookie=headers["set-cookie"].split(";")[0])[0] == 200


def test_two_who_open_one_link_are_one_who_gets_in(tokens):
    code = tokens.link(read_only=False).encode()
    found = []
    threads = [threading.Thread(target=lambda: found.append(tokens.exchange(code))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(one is not None for one in found) == 1


def test_a_link_ends(tmp_path):
    now = [0.0]
    tokens = Tokens(tmp_path / "t.json", clock=lambda: now[0])
    code = tokens.link(read_only=False)
    now[0] = LINK_S + 1
    assert tokens.exchange(code.encode()) is None
    assert not tokens.all()


def test_only_hashes_are_kept_for_their_owner_alone(tmp_path):
    file = tmp_path / "pitwall" / "t.json"
    secret = Tokens(file).new("a", read_only=True)
    assert secret not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_file_that_is_none_of_ours_grants_nothing_and_is_not_written_over(tmp_path):
    file = tmp_path / "t.json"
    tokens = Tokens(file)
    secret = tokens.new("a", read_only=False).encode()
    assert tokens.who(secret) is not None
    for text in ("nonsense", "[]", '{"tokens": [{"name": 1}]}', '{"tokens": [3]}'):
        file.write_text(text)
        assert tokens.who(secret) is None
        with pytest.raises(UsageError):
            tokens.new("b", read_only=False)
        assert file.read_text() == text


def test_names_are_told_apart_and_bounded(tmp_path):
    tokens = Tokens(tmp_path / "t.json")
    tokens.new("a", read_only=False)
    for name in ("a", "", " b", "x" * 65, "b\n", "\x1b[2J"):
        with pytest.raises(UsageError):
            tokens.new(name, read_only=False)
    with pytest.raises(UsageError):
        tokens.revoke("nobody")
    for number in range(MOST - 1):
        tokens.new(str(number), read_only=False)
    with pytest.raises(UsageError):
        tokens.new("one more", read_only=False)


@given(st.text(max_size=40))
def test_whatever_is_presented_is_somebodys_or_nobodys(text):
    demands = Access(TOKEN)
    for headers in ({"x-pitwall-token": text}, {"authorization": f"Bearer {text}"}, {"cookie": f"pitwall={text}"}):
        secret = presented(headers)
        assert secret is None or isinstance(secret, bytes)
        who = demands.who(headers)
        assert who == (OWNER if secret == TOKEN.encode() else None)
    assert Access().who({"x-pitwall-token": text}) == NOBODY


def test_a_token_that_can_be_guessed_is_refused():
    with pytest.raises(UsageError, match="16 characters"):
        access("0.0.0.0", "secret")


@pytest.mark.parametrize("origin", ["*", "app.foxglove.dev", "https://a.b/path", "ftp://a", "https://", "null", ""])
def test_what_is_no_origin_is_refused(origin):
    with pytest.raises(UsageError, match="origin"):
        access("127.0.0.1", "", origins=(origin,))


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("pit.local", True), ("PIT.LOCAL:80", True), ("127.0.0.1:1", True), ("192.168.7.7:8080", True),
        ("192.168.7.8", False), ("evil.example", False), ("pit.local.evil.example", False), ("", False), (":80", False),
    ],
)  # fmt: skip
def test_a_server_is_known_by_the_names_it_was_given_and_the_address_it_is_reached_at(host, known):
    demands = access("0.0.0.0", TOKEN, hosts=("pit.local",))
    assert demands.knows_host(host, "192.168.7.7") is known
    assert demands.knows_host(host, "::ffff:192.168.7.7") is known


def test_pages_that_were_named_may_ask_and_others_may_not(stand):
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-pitwall-token"}
    status, headers, _ = stand.ask("/coach/ask", "OPTIONS", Origin=FOXGLOVE, **asks)
    assert status == 204
    assert headers["access-control-allow-origin"] == FOXGLOVE
    assert "X-Pitwall-Token" in headers["access-control-allow-headers"]
    named = stand.ask("/sessions", Origin=FOXGLOVE, **{"X-Pitwall-Token": TOKEN})
    assert (named[0], named[1]["access-control-allow-origin"]) == (200, FOXGLOVE)
    assert named[1]["vary"] == "Origin"
    refused = stand.ask("/sessions", Origin=FOXGLOVE)
    assert (refused[0], refused[1]["access-control-allow-origin"]) == (401, FOXGLOVE)  # its page can read why
    for origin in ("https://evil.example", f"{FOXGLOVE}.evil.example", "null", "http://localhost:3000"):
        assert stand.ask("/coach/ask", "OPTIONS", Origin=origin, **asks)[0] in (401, 403)
        other = stand.ask("/sessions", Origin=origin, **{"X-Pitwall-Token": TOKEN})
        assert other[1]["access-control-allow-origin"] is None
        assert problem(stand.ask("/coach/ask", "POST", Origin=origin, **{"X-Pitwall-Token": TOKEN})) == (
            403,
            "foreign-page",
        )


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost:3000", "null"])
def test_no_page_from_elsewhere_opens_a_websocket(stand, origin):
    upgrade = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Cookie": f"pitwall={TOKEN}",
    }
    answer = stand.ask("/live/ws", Origin=origin, **upgrade)
    assert problem(answer) == (403, "foreign-page")


def test_its_own_page_may_change_things(stand):
    own = f"http://127.0.0.1:{stand.port}"
    status, _, _ = stand.ask("/coach/ask", "POST", Origin=own, **{"X-Pitwall-Token": TOKEN})
    assert status == 400  # it asked nothing


def test_refusals_are_counted(stand):
    before = stand.json("/health")["limits"]["refused"].get("no-token", 0)
    stand.ask("/sessions")
    assert stand.json("/health")["limits"]["refused"]["no-token"] == before + 1


def test_where_tokens_are_can_be_said(monkeypatch, tmp_path):
    from pitwall.serve.tokens import default_file

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert default_file() == tmp_path / "pitwall" / "tokens.json"
    assert Path(os.environ["XDG_CONFIG_HOME"]) == tmp_path


def test_a_link_is_made_for_who_may_change_things_and_lets_one_in(tmp_path):
    import segno

    from pitwall.serve.server import bind
    from tests.serve import stand as stands

    tokens = Tokens(tmp_path / "tokens.json")
    demands = access("0.0.0.0", TOKEN, tokens=tokens)
    reader = tokens.new("guest", read_only=True)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(stands, "bind", lambda host, port: bind("0.0.0.0", port))
        with standing(access=demands) as stand:
            refused = stand.ask(
                "/token/link", "POST", **{"X-Pitwall-Token": reader, "Content-Type": "application/json"}
            )
            assert problem(refused) == (403, "read-only")
            owner = {"X-Pitwall-Token": TOKEN, "Host": f"pit.localhost:{stand.port}"}
            told = orjson.loads(stand.ask("/token/link", "POST", **owner)[2])
            address, _, code = told["url"].partition("/login#")
            assert "localhost" not in address, "another machine's loopback is not ours"
            assert told["lasts_s"] == LINK_S
            drawn = segno.make(told["url"], micro=False).matrix
            assert told["squares"] == ["".join(map(str, row)) for row in drawn]
            assert stand.post("/login", {"code": code})[0] == 200
            assert problem(stand.post("/login", {"code": code})) == (401, "no-token")


def test_no_link_is_made_to_what_no_other_device_reaches(stand):
    headers = {"X-Pitwall-Token": TOKEN}
    answer = stand.ask("/token/link", "POST", **headers)
    assert problem(answer) == (409, "not-reachable")
    assert "--host 0.0.0.0" in orjson.loads(answer[2])["hint"]
