"""Those who hurt: slow connections, floods, endless bodies.  Others go on unharmed, and memory stays flat."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from collections.abc import Iterator

import pytest

from pitwall.resident import rss_bytes
from pitwall.serve import connection
from pitwall.serve.gate import CROWD, FULL, HEAD, Gate
from pitwall.serve.limits import MAX_CONNECTIONS, MAX_OF_CLIENT, MAX_REQUEST_BYTES
from tests.serve.stand import Stand, standing

PATIENCE_S = 60.0
MOST_BYTES = 64 << 20
"""That a flood may add to the process: some of it is this test's own end of the connections."""


@pytest.fixture
def stand() -> Iterator[Stand]:
    with standing() as made:
        yield made


def limits(stand: Stand) -> dict:
    return stand.json("/health")["limits"]


def wait_for(what) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < until_s
        time.sleep(0.01)


def connected(stand: Stand) -> socket.socket:
    return socket.create_connection(("127.0.0.1", stand.port), timeout=PATIENCE_S)


def said(one: socket.socket) -> bytes:
    """All that comes, until it is closed."""
    found = b""
    with contextlib.suppress(OSError):
        while part := one.recv(65536):
            found += part
    return found


def test_a_thousand_that_never_finish_a_head_keep_nobody_out(stand):
    before = rss_bytes(os.getpid())
    slow = []
    try:
        for number in range(1000):
            slow.append(connected(stand))
            with contextlib.suppress(OSError):  # closed already
                slow[-1].sendall(b"GET /health HTTP/1.1\r\nX: ")
            if number % 50 == 0:
                assert stand.ask("/health")[0] == 200
        wait_for(lambda: limits(stand)["closed"].get(CROWD, 0) >= 1000 - MAX_OF_CLIENT)
        assert limits(stand)["connections"] <= MAX_OF_CLIENT
        assert rss_bytes(os.getpid()) - before < MOST_BYTES
    finally:
        for one in slow:
            one.close()


def test_a_head_that_drips_is_ended_in_time(stand, monkeypatch):
    monkeypatch.setattr(connection, "HEAD_S", 0.5)
    with connected(stand) as slow:
        found = b""
        until_s = time.monotonic() + PATIENCE_S
        slow.sendall(b"GET /health HTTP/1.1\r\n")
        while not found and time.monotonic() < until_s:
            with contextlib.suppress(OSError):
                slow.sendall(b"X")  # Sanic's own time-out begins anew
            if select.select([slow], [], [], 0.05)[0]:
                found = said(slow)
        assert b" 408 " in found
        assert b"too-slow" in found
    assert limits(stand)["closed"][HEAD] >= 1
    assert limits(stand)["refused"]["too-slow"] == 1


def test_a_connection_that_asks_nothing_is_ended_in_time(stand, monkeypatch):
    monkeypatch.setattr(connection, "HEAD_S", 0.3)
    with connected(stand) as silent:
        assert said(silent) == b""
    assert limits(stand)["closed"][HEAD] >= 1


@pytest.mark.parametrize("framing", [b"Content-Length: 1000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n3e8\r\n"])
def test_a_body_that_drips_is_ended_in_time(stand, monkeypatch, framing):
    monkeypatch.setattr(connection, "BODY_S", 0.5)
    monkeypatch.setattr(connection, "BODY_BYTES_PER_S", 1 << 30)
    with connected(stand) as slow:
        slow.sendall(b"POST /coach/ask HTTP/1.1\r\nHost: localhost\r\n" + framing)
        found = b""
        until_s = time.monotonic() + PATIENCE_S
        while not found and time.monotonic() < until_s:
            with contextlib.suppress(OSError):
                slow.sendall(b"x")
            if select.select([slow], [], [], 0.05)[0]:
                found = said(slow)
        assert b" 408 " in found


def test_who_keeps_a_connection_for_the_next_request_is_not_hurried(stand, monkeypatch):
    monkeypatch.setattr(connection, "HEAD_S", 0.2)
    kept = stand.connect()
    for _ in range(2):
        kept.request("GET", "/health")
        assert kept.getresponse().read()
        time.sleep(0.5)  # longer than a head may take
    kept.request("GET", "/health")
    assert kept.getresponse().status == 200
    kept.close()


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 10000000000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n2540be400\r\n", b"many"]
)
@pytest.mark.parametrize("path", [b"/coach/ask", b"/login", b"/nothing", b"/health"])
def test_ten_gigabytes_are_refused(stand, framing, path):
    before = rss_bytes(os.getpid())
    chunks = framing == b"many"
    head = b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\n"
    sent = 0
    with connected(stand) as big:
        big.sendall(head + (b"Transfer-Encoding: chunked\r\n\r\n" if chunks else framing))
        piece = b"x" * 65536
        with contextlib.suppress(OSError):
            while sent < 100 * MAX_REQUEST_BYTES:  # it is never let come so far
                big.sendall(b"10000\r\n" + piece + b"\r\n" if chunks else piece)
                sent += len(piece)
        found = said(big)
    assert sent < 100 * MAX_REQUEST_BYTES
    assert found == b"" or found.split()[1][:1] == b"4", found
    assert stand.ask("/health")[0] == 200
    assert rss_bytes(os.getpid()) - before < MOST_BYTES


def test_a_flood_of_questions_is_told_to_come_back_and_others_are_not(stand):
    found = [stand.post("/coach/ask", {"question": ""}) for _ in range(300)]
    assert {status for status, _, _ in found} <= {400, 429}
    refused = [headers for status, headers, _ in found if status == 429]
    assert refused
    assert all(int(headers["Retry-After"]) >= 1 for headers in refused)
    assert stand.ask("/sessions")[0] == 200
    assert limits(stand)["too_often"]["coach"] == len(refused)
    assert limits(stand)["refused"]["too-often"] == len(refused)


class Guest:
    def __init__(self, client: str) -> None:
        self.client = client
        self.left = False

    def leave(self) -> None:
        self.left = True


def test_who_asks_nothing_for_longest_makes_room_and_who_is_answered_stays():
    gate = Gate(most=3, most_of_client=2)
    a, b, c, d = (Guest(client) for client in "aabc")
    assert gate.enter(a)
    assert gate.enter(b)
    gate.asks(a)
    another = Guest("a")
    assert gate.enter(another)
    assert (a.left, b.left) == (False, True)
    gate.asks(another)
    assert not gate.enter(Guest("a")), "both of its are being answered"
    assert gate.enter(c)
    gate.asks(c)
    assert not gate.enter(d)
    gate.answered(c)
    assert gate.enter(d)
    assert c.left
    assert (gate.open, gate.under_way) == (3, 2)
    assert (gate.closed[CROWD], gate.closed[FULL]) == (2, 2)
    for one in (a, another, d, d):
        gate.exit(one)
    assert gate.open == 0
    assert MAX_OF_CLIENT < MAX_CONNECTIONS
