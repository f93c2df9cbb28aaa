"""Whatever a server sends, the client answers with words, calls or a `ModelError`: hypothesis sends it."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.serve.model.client import Call, Text, chat, first_model, probe
from pitwall.serve.model.exchange import ModelError
from pitwall.serve.model.settings import Settings

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"


class Parrot:
    """A server that sends `said` to whoever connects, whatever is asked."""

    def __init__(self) -> None:
        self.said = b""
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.settings = Settings(f"http://127.0.0.1:{self.listening.getsockname()[1]}/v1")
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(65536)
                    connection.sendall(self.said)
                    connection.shutdown(socket.SHUT_WR)
                    connection.recv(65536)
                except OSError:
                    pass

    def close(self) -> None:
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        self.thread.join(10)


@pytest.fixture(scope="module")
def parrot() -> Iterator[Parrot]:
    made = Parrot()
    yield made
    made.close()


def heard(parrot: Parrot, said: bytes) -> list[Text | Call] | ModelError:
    async def talk() -> list[Text | Call]:
        async with asyncio.timeout(20):
            return [piece async for piece in chat(parrot.settings, "m", [], tools=(), tokens=5)]

    parrot.said = said
    try:
        return asyncio.run(talk())
    except ModelError as error:
        return error


pieces = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "delta", "message", "content", "tool_calls", "function", "index", "id", "name"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_bytes_of_any_kind_are_words_or_an_error(parrot, said):
    assert isinstance(heard(parrot, said), ModelError)


@settings(max_examples=150, deadline=None)
@given(st.lists(pieces, max_size=4), st.booleans(), st.sampled_from(["", "chunked", "length"]))
def test_events_of_any_shape_are_words_or_an_error(parrot, events, done, framing):
    body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    body += b"data: [DONE]\n\n" if done else b""
    head = HEAD
    if framing == "chunked":
        head += b"Transfer-Encoding: chunked\r\n"
        body = b"".join(b"%x\r\n%s\r\n" % (len(body[i : i + 7]), body[i : i + 7]) for i in range(0, len(body), 7))
        body += b"0\r\n\r\n"
    elif framing == "length":
        head += b"Content-Length: %d\r\n" % len(body)
    found = heard(parrot, head + b"\r\n" + body)
    assert isinstance(found, ModelError) or all(isinstance(piece, Text | Call) for piece in found)


@settings(max_examples=60, deadline=None)
@given(pieces)
def test_a_document_of_any_shape_is_words_or_an_error(parrot, document):
    body = json.dumps(document).encode()
    said = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    found = heard(parrot, said)
    assert isinstance(found, ModelError) or all(isinstance(piece, Text | Call) for piece in found)
    parrot.said = said
    assert isinstance(asyncio.run(first_model(parrot.settings)), str)


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60), st.integers(1, 9))
def test_words_come_through_however_they_are_cut(parrot, words, size):
    event = json.dumps({"choices": [{"delta": {"content": words}, "finish_reason": "stop"}]}, ensure_ascii=False)
    body = f": hello\r\nevent: message\r\ndata: {event}\r\n\r\n".encode()
    cut = b"".join(
        b"%x;x=1\r\n%s\r\n" % (len(body[i : i + size]), body[i : i + size]) for i in range(0, len(body), size)
    )
    found = heard(parrot, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + cut + b"0\r\n\r\n")
    assert not isinstance(found, ModelError)
    assert "".join(piece.text for piece in found if isinstance(piece, Text)) == words


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"", "broke the connection"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 200, "never comes to its answer"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n", "header fields"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 200_000, "a line of more than"),
        (HEAD + b"Content-Length: 99999999999999999999\r\n\r\n", "no number"),
        (HEAD + b"Content-Length: -1\r\n\r\n", "no number"),
        (HEAD + b"Content-Length: 100\r\n\r\ndata: ", "in the middle"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "without a length"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\nabc", "in the middle"),
        (HEAD + b"Content-Length: 20\r\n\r\ndata: " + b"[" * 14, "no JSON"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "refuses, with the status 404"),
        (b"SSH-2.0-OpenSSH_9\r\n", "does not speak HTTP"),
    ],
)
def test_what_is_wrong_is_said(parrot, said, why):
    found = heard(parrot, said)
    assert isinstance(found, ModelError)
    assert why in str(found)


def test_a_name_that_resolves_to_nothing_is_an_error():
    with pytest.raises(ModelError, match="can't be reached"):
        asyncio.run(probe(Settings("http://nowhere.invalid:1/v1")))
