"""A WebSocket of a server's (RFC 6455), as the text messages that come: without a thread, and with no long wait.

The protocol is the package `websockets`'s, of which only the part is used that does no I/O.
"""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING, Final

from pitwall.bus.bytestream import CONNECT_S, connected
from pitwall.errors import PitwallError, UsageError

if TYPE_CHECKING:
    from websockets.client import ClientProtocol

SEND_S: Final = 1.0
"""A ping is some bytes: who hasn't taken it by then takes none."""
READ_BYTES: Final = 65_536
MESSAGE_BYTES: Final = 65_536
"""The longest message: a sensor's is some hundred bytes."""


class ClosedError(PitwallError):
    """The server has closed the connection, or it broke.  code: RFC 6455's, 1006 where it broke."""

    def __init__(self, what: str, *, code: int, where: str) -> None:
        super().__init__(what, where=where, hint="is the app in the foreground, and the phone awake?")
        self.code = code


class WebSocket:
    """An open connection.  Raises PitwallError, when it is made, where nobody answers or it is no WebSocket server.

    heard_s: when the last bytes came, on the monotonic clock.
    """

    def __init__(self, host: str, port: int, path: str, name: str) -> None:
        self.name = name
        self._protocol = _protocol(f"ws://{f'[{host}]' if ':' in host else host}:{port}{path}")
        self._parts: list[bytes] = []
        self._ended = False
        try:
            self._socket = connected(host, port)
        except OSError as error:
            what = f"can't be reached: {error.strerror or error}"
            raise PitwallError(what, where=name, hint="is the app's server started?") from error
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._begin()
        except BaseException:
            self._socket.close()
            raise
        self.heard_s = time.monotonic()

    def fileno(self) -> int:
        """For `select`: there may be something to `receive` when it is readable."""
        return self._socket.fileno()

    def receive(self) -> list[str]:
        """The messages that have come; none where all were given.  Raises ClosedError once it is over, behind them."""
        self._read()
        messages = self._messages()
        if not messages:
            self._check()
        return messages

    def ping(self) -> None:
        """Ask for a sign of life.  Raises ClosedError where not even that can be sent."""
        self._protocol.send_ping(b"pitwall")
        self._flush()

    def close(self) -> None:
        """Say goodbye, and don't wait for an answer."""
        from websockets.protocol import OPEN

        with contextlib.suppress(PitwallError):
            if self._protocol.state is OPEN:
                self._protocol.send_close(1000)
                self._flush()
        self._socket.close()

    def _begin(self) -> None:
        from websockets.protocol import CONNECTING

        until = time.monotonic() + CONNECT_S
        self._protocol.send_request(self._protocol.connect())
        self._flush()
        while self._protocol.state is CONNECTING:
            error = self._protocol.handshake_exc
            left = until - time.monotonic()
            if error is not None or left <= 0:
                why = f"is no WebSocket server: {error}" if error else "does not answer"
                raise PitwallError(why, where=self.name, hint="is it the app's address, and its port?") from error
            self._read(left)

    def _read(self, timeout_s: float = 0) -> None:
        if self._ended:
            return
        self._socket.settimeout(timeout_s)
        try:
            data = self._socket.recv(READ_BYTES)
        except (BlockingIOError, TimeoutError):
            return
        except OSError:  # reset: as good an end as any
            data = b""
        if data:
            self._protocol.receive_data(data)
            self.heard_s = time.monotonic()
        else:
            self._ended = True
            self._protocol.receive_eof()
        self._flush()  # the pong to a ping

    def _messages(self) -> list[str]:
        from websockets.frames import Frame, Opcode

        messages = []
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                self._parts.append(bytes(event.data))
                if event.fin:
                    messages.append(b"".join(self._parts).decode("utf-8", "replace"))
                    self._parts.clear()
        return messages

    def _flush(self) -> None:
        try:
            self._socket.settimeout(SEND_S)
            for data in self._protocol.data_to_send():
                if data:
                    self._socket.sendall(data)
        except OSError as error:
            raise ClosedError(f"is lost: {error}", code=1006, where=self.name) from error

    def _check(self) -> None:
        from websockets.protocol import OPEN

        if self._protocol.state is OPEN:
            return
        said = self._protocol.close_rcvd
        code, reason = (said.code, said.reason) if said else (1006, "the connection broke off")
        wrong = self._protocol.parser_exc
        if wrong is not None and not isinstance(wrong, EOFError):
            reason = f"what it sends is no WebSocket's: {wrong}"
        why = reason or f"it was closed ({code})"
        raise ClosedError(f"is lost: {why}", code=code, where=self.name)


def _protocol(url: str) -> ClientProtocol:
    try:
        from websockets.client import ClientProtocol
        from websockets.uri import parse_uri
    except ImportError as error:
        raise UsageError("the package websockets is missing", where=url, hint="pip install websockets") from error
    return ClientProtocol(parse_uri(url), max_size=MESSAGE_BYTES)
