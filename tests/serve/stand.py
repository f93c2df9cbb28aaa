"""A server on a real socket over a garage and a live picture that the test makes: the fakes of the serve room."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np
import orjson
from sanic import Sanic

from pitwall.car import Car, load, names
from pitwall.errors import UsageError
from pitwall.log.remarks import NOTHING, Remarks
from pitwall.log.session import Header, Session
from pitwall.project.catalog import Catalog
from pitwall.project.room import Room
from pitwall.serve.access import Access
from pitwall.serve.advising import FindingsOf, stored
from pitwall.serve.doctor import Examine
from pitwall.serve.importer import Importer
from pitwall.serve.model.settings import NONE, Settings
from pitwall.serve.mover import Mover
from pitwall.serve.newest import NEVER, Cast, LiveChannel, Picture, Status, Still
from pitwall.serve.rebuilds import Rebuilds
from pitwall.serve.server import bind, serve
from pitwall.serve.uploads import Uploads

Sanic.test_mode = True  # Sanic rewrites its own methods when it starts; without this, once in a process

CARS = Path(__file__).parents[2] / "cars"
SID = "20261123T140511Z-bmw-e46-m3"
STARTED_AT_NS = 1_795_529_111_000_000_000

CHANNELS = (
    LiveChannel("rpm", "rpm", "dash_SmartyCam01", "dash SmartyCam01.rpm"),
    LiveChannel("speed", "m/s", "dash_SmartyCam01", "dash SmartyCam01.speed_mph"),
    LiveChannel("throttle", "%", "dash_SmartyCam03", "dash SmartyCam03.throttle_pos_pct"),
    LiveChannel("combo_g", "g", "combo_g", "hypot(g_lat, g_long)"),
)
CAST = Cast(SID, "bmw-e46-m3", STARTED_AT_NS, "f" * 64, CHANNELS, {"speed": "speed", "rpm": "rpm"})


def session(id: str = SID, state: str = "ended") -> Session:
    header = Header(
        version=1, session=id, car="bmw-e46-m3", started_at_ns=STARTED_AT_NS, buses=("dash",), writer="test"
    )
    return Session(
        id=id,
        path=Path(id),
        header=header,
        state=state,
        rows=1002,
        durable=1002,
        frames=1000,
        duration_s=10.0,
        bytes=4096,
    )


def picture(number: int, *, cast: Cast = CAST, t: int = 10**9, state: str = "recording", **values: float) -> Picture:
    """A picture in which only `values` have been heard, all at `t`."""
    names = [channel.name for channel in cast.channels]
    times, heard = np.full(len(names), NEVER, np.int64), np.full(len(names), np.nan)
    for name, value in values.items():
        times[names.index(name)], heard[names.index(name)] = t, value
    return Picture(number, cast, times, heard, Status(state=state, written=number, projected=number))


@dataclass
class FakeGarage:
    """Sessions without folders, each with a projection in memory that the test fills."""

    projections: dict[str, duckdb.DuckDBPyConnection] = field(default_factory=dict)
    closed: bool = False
    folder: Path = CARS
    rebuilds: Rebuilds = field(default_factory=Rebuilds)
    said: dict[str, Remarks] = field(default_factory=dict)

    def sessions(self) -> list[Session]:
        return [session(id) for id in sorted(self.projections)]

    def find(self, name: str) -> Session:
        known = sorted(self.projections)
        if name == "_live" and known:
            name = known[-1]
        if name not in known:
            raise UsageError("there is no such session", where=name, hint=f"there are {', '.join(known) or 'none'}")
        return session(name)

    def remarks(self, session: Session) -> Remarks:
        return self.said.get(session.id, NOTHING)

    def cursor(self, id: str) -> duckdb.DuckDBPyConnection:
        return self.projections[self.find(id).id].cursor()

    def fingerprint(self, id: str) -> str:
        return CAST.fingerprint

    def cars(self) -> list[str]:
        return names(self.folder)

    def car(self, name: str) -> Car:
        return load(self.folder, name)

    def roles(self, id: str) -> dict[str, str]:
        return dict(CAST.roles)

    def holds(self, id: str) -> dict[str, float | None]:
        return {}

    def catalog(self, id: str) -> tuple[str, Catalog]:
        return self.find(id).header.car, Catalog(())

    def projected(self, id: str) -> bool:
        return id in self.projections

    def distrust(self, id: str) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def projection(samples: dict[tuple[str, str], tuple[list[int], list[float | None]]]) -> duckdb.DuckDBPyConnection:
    """A projection in memory that holds `samples`: (table, channel) -> times and values; one channel a table."""
    con = duckdb.connect()
    con.execute(
        "CREATE TABLE built_from AS SELECT ? AS fingerprint, 1002 AS log_offset, true AS complete, '' AS place,"
        " '' AS tracks",
        [CAST.fingerprint],
    )
    con.execute(
        "CREATE TABLE channels (name VARCHAR, unit VARCHAR, source VARCHAR, table_name VARCHAR, column_name VARCHAR, "
        "rows BIGINT, rate_hz DOUBLE)"
    )
    for (table, channel), (t, v) in samples.items():
        con.execute(f'CREATE TABLE "{table}" (t BIGINT, "{channel}" DOUBLE)')
        con.execute(f'INSERT INTO "{table}" SELECT unnest(?::BIGINT[]), unnest(?::DOUBLE[])', [t, v])
        con.execute("INSERT INTO channels VALUES (?, 'V', 'test', ?, ?, ?, 1.0)", [channel, table, channel, len(t)])
    return con


@dataclass
class Stand:
    """A running server: its address, its live picture and its garage."""

    port: int
    live: Still
    garage: FakeGarage
    thread: threading.Thread
    stop: threading.Event
    streams: list[Events] = field(default_factory=list)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def post(self, path: str, said: object) -> tuple[int, http.client.HTTPMessage, bytes]:
        """said: JSON, or the body as it is."""
        connection = self.connect()
        try:
            connection.request("POST", path, said if isinstance(said, bytes) else orjson.dumps(said))
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = self.connect()
        try:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def json(self, path: str, expect: int = 200) -> dict:
        status, headers, body = self.ask(path)
        assert status == expect, body
        assert headers["content-type"] == ("application/json" if expect == 200 else "application/problem+json")
        return orjson.loads(body)

    def stream(self, receive_buffer: int | None = None) -> Events:
        """A live stream of its own, closed with the stand."""
        self.streams.append(Events(self.port, receive_buffer))
        return self.streams[-1]


class Events:
    """The live stream, event by event, over a socket of our own."""

    def __init__(self, port: int, receive_buffer: int | None = None) -> None:
        self.response: http.client.HTTPResponse | None = None
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(20)
        self.socket.connect(("127.0.0.1", port))
        self.socket.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")

    def open(self) -> http.client.HTTPResponse:
        self.response = http.client.HTTPResponse(self.socket)
        self.response.begin()
        return self.response

    def __iter__(self) -> Iterator[tuple[str, str, dict]]:
        response = self.open()
        assert response.status == 200
        assert response.headers["content-type"] == "text/event-stream"
        fields: dict[str, str] = {}
        while line := response.readline():
            text = line.decode().rstrip("\n")
            if text.startswith(":"):
                yield "", "ping", {}
            elif text:
                key, _, value = text.partition(": ")
                fields[key] = value
            elif fields:
                yield fields["id"], fields["event"], orjson.loads(fields["data"])
                fields = {}

    def close(self) -> None:
        if self.response is not None:
            self.response.close()
        self.socket.close()


@contextmanager
def standing(
    live: Still | None = None,
    garage: FakeGarage | None = None,
    port: int = 0,
    model: Settings = NONE,
    findings_of: FindingsOf = stored,
    access: Access | None = None,
    importer: Importer | None = None,
    mover: Mover | None = None,
    examine: Examine | None = None,
) -> Iterator[Stand]:
    """A server in a thread of this process, on `port` or any that is free, until the block ends."""
    live, garage = live or Still(), garage or FakeGarage()
    sock = bind("127.0.0.1", port)
    port = sock.getsockname()[1]
    nowhere = Path("nowhere")
    # that is never begun
    importer = importer or Importer(Uploads(nowhere, Room(nowhere)), nowhere, nowhere, nowhere)
    ready, stop = threading.Event(), threading.Event()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            serve(
                live,
                garage,
                sock,
                importer=importer,
                mover=mover or Mover(nowhere, nowhere),
                examine=examine,
                model=model,
                findings_of=findings_of,
                access=access,
                ready=lambda url: ready.set(),
                stop=stop,
            )
        except BaseException as error:
            failures.append(error)
            raise

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(20), failures
        stand = Stand(port, live, garage, thread, stop)
        yield stand
        for stream in stand.streams:
            stream.close()
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()
    assert not failures
