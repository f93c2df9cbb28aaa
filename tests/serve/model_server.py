"""A language model's server on a real socket, that answers as a test tells it: well, falsely, slowly, or not at all."""

from __future__ import annotations

import json
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from pitwall.serve.model.settings import SHIPPED, Settings

Turn = str | list[tuple[str, dict[str, Any]]]
"""What it says in one turn: words, or calls of tools."""


@dataclass
class ModelServer:
    """manner: of MANNERS.  turns: what it says, one after the other, the last one again and again.

    asked: the bodies of chats.  probes: how often its models were asked for.  open: connections just now.
    let_go: ends whatever hangs.
    """

    manner: str = "well"
    turns: Sequence[Turn] = ("Brake later for T5.",)
    asked: list[dict[str, Any]] = field(default_factory=list)
    probes: int = 0
    open: int = 0
    port: int = 0
    let_go: threading.Event = field(default_factory=threading.Event)
    chatted: threading.Event = field(default_factory=threading.Event)

    def settings(self, restart: tuple[str, ...] = ()) -> Settings:
        return Settings(f"http://127.0.0.1:{self.port}/v1", restart=restart, agents=SHIPPED)

    def turn(self) -> Turn:
        return self.turns[min(len(self.asked), len(self.turns)) - 1]


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        model = self.server.model
        model.open += 1
        try:
            with suppress(OSError):
                if model.manner == "hangs":
                    model.let_go.wait(60)
                    return
                if model.manner == "resets":
                    self.reset()
                    return
                self.answer(model)
        finally:
            model.open -= 1

    def answer(self, model: ModelServer) -> None:
        head = self.rfile.readline().split()
        length = 0
        while (line := self.rfile.readline().strip()) != b"":
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        body = self.rfile.read(length)
        if not head:
            return
        if head[1].endswith(b"/models"):
            model.probes += 1
            if model.manner == "knows no HEAD" and head[0] == b"HEAD":
                self.send("405 Method Not Allowed", b"", "text/plain")
                return
            if model.manner in ("is html", "is garbage", "is broken"):
                MANNERS[model.manner](self, model)
                return
            said = b"" if head[0] == b"HEAD" else json.dumps({"data": [{"id": "small"}]}).encode()
            self.send("200 OK", said, "application/json")
            return
        model.asked.append(json.loads(body))
        model.chatted.set()
        MANNERS[model.manner](self, model)

    def send(self, status: str, body: bytes, kind: str) -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)

    def begin(self) -> None:
        fields = (b"Content-Type: text/event-stream", b"Transfer-Encoding: chunked", b"Connection: close")
        self.wfile.write(b"\r\n".join((b"HTTP/1.1 200 OK", *fields, b"", b"")))

    def chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def event(self, delta: dict[str, Any], finish: str | None = None) -> None:
        said = {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
        self.chunk(b"data: " + json.dumps(said).encode() + b"\n\n")

    def end(self) -> None:
        self.chunk(b"data: [DONE]\n\n")
        self.chunk(b"")

    def reset(self) -> None:
        """Ends the connection as one that is torn."""
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.request.close()


def _well(handler: _Handler, model: ModelServer) -> None:
    turn = model.turn()
    handler.begin()
    handler.event({"role": "assistant", "content": ""})
    if isinstance(turn, str):
        for i in range(0, len(turn), 7):
            handler.event({"content": turn[i : i + 7]})
        handler.event({}, "stop")
    else:
        for index, (name, arguments) in enumerate(turn):
            said = json.dumps(arguments)
            first = {"index": index, "id": f"c{index}", "function": {"name": name, "arguments": said[:5]}}
            handler.event({"tool_calls": [first]})
            handler.event({"tool_calls": [{"index": index, "function": {"arguments": said[5:]}}]})
        handler.event({}, "tool_calls")
    handler.end()


def _at_once(handler: _Handler, model: ModelServer) -> None:
    message = {"role": "assistant", "content": model.turn()}
    handler.send("200 OK", json.dumps({"choices": [{"message": message}]}).encode(), "application/json")


def _waits(handler: _Handler, model: ModelServer) -> None:
    model.let_go.wait(60)
    _well(handler, model)


def _dribbles(handler: _Handler, model: ModelServer) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n":
        handler.wfile.write(bytes([byte]))
        if model.let_go.wait(1):
            return


def _dribbles_words(handler: _Handler, model: ModelServer) -> None:
    handler.begin()
    while not model.let_go.wait(1):
        handler.event({"content": "a"})


def _resets_midway(handler: _Handler, model: ModelServer) -> None:
    handler.begin()
    handler.event({"content": "Brake later"})
    handler.reset()


def _stops_midway(handler: _Handler, model: ModelServer) -> None:
    handler.begin()
    handler.event({"content": "Brake later for T5."})
    handler.chunk(b"")


def _floods(handler: _Handler, model: ModelServer) -> None:
    handler.begin()
    while True:
        handler.event({"role": "assistant", "padding": "x" * 10_000})


def _never_ends_a_line(handler: _Handler, model: ModelServer) -> None:
    handler.begin()
    while True:
        handler.chunk(b"x" * 10_000)


MANNERS: dict[str, Callable[[_Handler, ModelServer], None]] = {
    "well": _well,
    "at once": _at_once,
    "knows no HEAD": _well,
    "waits": _waits,
    "dribbles": _dribbles,
    "dribbles words": _dribbles_words,
    "resets midway": _resets_midway,
    "stops midway": _stops_midway,
    "floods": _floods,
    "never ends a line": _never_ends_a_line,
    "is html": lambda handler, model: handler.send("200 OK", b"<html>hello</html>" * 9, "text/html"),
    "is broken": lambda handler, model: handler.send("500 Internal Server Error", b"oh", "text/plain"),
    "is garbage": lambda handler, model: handler.wfile.write(bytes(range(256)) * 8) and None,
    "refuses": lambda handler, model: handler.send("400 Bad Request", b"{}", "application/json"),
    "streams html": lambda handler, model: handler.send("200 OK", b"<html></html>", "text/html"),
    "sends no JSON": lambda handler, model: handler.send("200 OK", b"data: {{{\n\n", "text/event-stream"),
    "sends other JSON": lambda handler, model: handler.send("200 OK", b'data: [1, "2"]\n\n', "text/event-stream"),
    "says nothing": lambda handler, model: handler.send("200 OK", b"data: [DONE]\n\n", "text/event-stream"),
    "redirects": lambda handler, model: handler.send("302 Found", b"", "text/plain"),
}


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    model: ModelServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that went away


@contextmanager
def model_server(manner: str = "well", *turns: Turn, port: int = 0) -> Iterator[ModelServer]:
    """One that runs until the block ends."""
    model = ModelServer(manner, turns or ("Brake later for T5.",))
    with _Server(("127.0.0.1", port), _Handler) as server:
        server.model = model
        model.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield model
        finally:
            model.let_go.set()
            server.shutdown()
            thread.join(10)
