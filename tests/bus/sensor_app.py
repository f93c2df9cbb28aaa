"""A phone's app that tells of its sensors, as SensorServer does: a WebSocket server of the package websockets."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from urllib.parse import parse_qs, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

FIX = {
    "longitude": 6.9442,
    "latitude": 50.3347,
    "altitude": 620.25,
    "bearing": 271.5,
    "accuracy": 3.75,
    "speed": 41.25,
    "time": 1_700_000_000_123,
    "lastKnowLocation": False,
    "speedAccuracyMetersPerSecond": 0.5,
    "bearingAccuracyDegrees": 1.5,
    "elapsedRealtimeNanos": 3_925_657_519_043_709,
    "verticalAccuracyMeters": 2.5,
}
"""What the app says of a fix."""


def event(stamp_ns: int, *values: float) -> str:
    """What the app says of a sensor."""
    return json.dumps({"values": list(values), "timestamp": stamp_ns, "accuracy": 3})


class App:
    """Says what it was told to say of each kind, once it is asked for it, and then nothing more.

    says: kind (the sensor's last word, or "gps") -> messages, or a function of the connection.  What it has not it
    closes, as the app does.  quit: closes all connections.
    """

    def __init__(self, says: dict[str, Iterable[str] | Callable[[ServerConnection], None]], port: int = 0) -> None:
        self._says = says
        self.asked: list[str] = []
        self._quit = threading.Event()
        self._server = serve(self._tell, "127.0.0.1", port, close_timeout=1)
        self.port = self._server.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def quit(self) -> None:
        self._quit.set()
        self._server.shutdown()
        self._thread.join(10)

    def _tell(self, connection: ServerConnection) -> None:
        url = urlsplit(connection.request.path)
        types = parse_qs(url.query).get("type", ["gps"] if url.path == "/gps" else [])
        kind = types[0].rpartition(".")[2]
        self.asked.append(kind)
        said = self._says.get(kind)
        try:
            if said is None:
                connection.close(4001, f"Sensor of type {types[0]} not found")
            elif callable(said):
                said(connection)
            else:
                for message in said:
                    connection.send(message)
                while not self._quit.is_set():
                    try:
                        connection.recv(0.05)
                    except TimeoutError:
                        continue
                connection.close(4004, "Server stopped")
        except ConnectionClosed:
            pass
