"""What Foxglove's tools hear: by their own JavaScript client, by a plain WebSocket, and as MCAP by its own reader."""

from __future__ import annotations

import io
import json
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import groupby, pairwise
from pathlib import Path

import duckdb
import jsonschema
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcap.reader import make_reader
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from pitwall.car import load
from pitwall.errors import PitwallError
from pitwall.log.session import find
from pitwall.project.generations import Generations
from pitwall.project.query import open_projection
from pitwall.serve.foxglove import protocol
from pitwall.serve.foxglove.mcap import McapFile
from pitwall.serve.foxglove.messages import before, between, channels, span, windows
from pitwall.serve.foxglove.topics import topics
from pitwall.serve.limits import MAX_STREAMS
from pitwall.serve.newest import Cast, LiveChannel, Still
from tests.serve.stand import SID, STARTED_AT_NS, FakeGarage, picture, projection, standing

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "tests" / "foxglove_client" / "client.cjs"
MODULES = Path(os.environ.get("VIRTUAL_ENV", ROOT / ".venv")) / "npm" / "node_modules"

by_its_own_client = pytest.mark.skipif(
    shutil.which("node") is None or not MODULES.is_dir(), reason="no npm: `make setup-dev` installs Foxglove's client"
)

GPS = Cast(
    SID,
    "bmw-e46-m3",
    STARTED_AT_NS,
    "f" * 64,
    (
        LiveChannel("rpm", "rpm", "dash", "dash.rpm"),
        LiveChannel("lat", "deg", "gps", "gps.lat"),
        LiveChannel("lon", "deg", "gps", "gps.lon"),
    ),
    {"lat": "lat", "lon": "lon"},
)


@pytest.fixture(scope="module")
def driven(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[duckdb.DuckDBPyConnection, dict[str, str]]]:
    """Two laps as the fixture has them, projected; and the car's roles."""
    car = load(ROOT / "cars", "bmw-e46-m3")
    generations = Generations(tmp_path_factory.mktemp("projections"))
    with open_projection(find(ROOT / "fixtures/two-laps/session", "latest"), car, generations) as projected:
        yield projected.connection, dict(car.roles)


def said_by_the_client(port: int, path: str, subprotocol: str, count: int, *wanted: str) -> list[dict]:
    """All that Foxglove's client heard until it had `count` messages."""
    command = ["node", str(CLIENT), f"ws://localhost:{port}{path}", subprotocol, str(count), *wanted]
    ran = subprocess.run(
        command, env={**os.environ, "NODE_PATH": str(MODULES)}, capture_output=True, text=True, timeout=60, check=True
    )
    return [json.loads(line) for line in ran.stdout.splitlines()]


def past(samples: int = 200) -> FakeGarage:
    """A session of `samples` at 100 Hz, of one fast and one slow channel."""
    t = [i * 10**7 for i in range(samples)]
    con = projection(
        {("fast", "rpm"): (t, [float(i) for i in range(samples)]), ("slow", "oil"): ([0, 5 * 10**8], [80.0, 81.0])}
    )
    for made in (
        "cues (t BIGINT, priority VARCHAR, advanced VARCHAR)",
        "incidents (told_t BIGINT, priority VARCHAR, kind VARCHAR, what VARCHAR, figures VARCHAR)",
        "laps (t_end BIGINT, number BIGINT, kind VARCHAR, time_s DOUBLE, valid BOOLEAN, best BOOLEAN, delta_s DOUBLE)",
    ):
        con.execute(f"CREATE TABLE {made}")
    con.execute("INSERT INTO cues VALUES (1000000000, 'time', 'Brake later')")
    return FakeGarage({SID: con})


class Plain:
    """A client without a library of Foxglove's: what it hears, as records."""

    def __init__(self, port: int, path: str = "/foxglove", subprotocol: str = protocol.SDK) -> None:
        self._stack = ExitStack()
        address = f"ws://localhost:{port}{path}"
        self.socket = self._stack.enter_context(
            connect(address, subprotocols=[subprotocol], open_timeout=30, close_timeout=1, max_queue=None)
        )
        self.info = json.loads(self.socket.recv(60))
        assert self.info["op"] == "serverInfo"

    def __enter__(self) -> Plain:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def advertised(self) -> dict[str, int]:
        said = json.loads(self.socket.recv(60))
        assert said["op"] == "advertise"
        return {channel["topic"]: channel["id"] for channel in said["channels"]}

    def subscribe(self, **ids: int) -> None:
        subscriptions = [{"id": int(id.lstrip("_")), "channelId": channel} for id, channel in ids.items()]
        self.socket.send(json.dumps({"op": "subscribe", "subscriptions": subscriptions}))

    def messages(self) -> Iterator[tuple[int, int, dict]]:
        """Subscription, unix ns and data of each message."""
        for said in self.all():
            if said[0] == protocol.MESSAGE_DATA:
                _, subscription, at = struct.unpack_from("<BIQ", said)
                yield subscription, at, json.loads(said[13:])

    def all(self) -> Iterator[bytes]:
        while True:
            said = self.socket.recv(60)
            if isinstance(said, bytes):
                yield said


@by_its_own_client
@pytest.mark.parametrize("subprotocol", protocol.SUBPROTOCOLS)
def test_foxgloves_own_client_hears_what_is_recorded(subprotocol):
    with standing(Still(picture(7, cast=GPS, t=10**9, rpm=900.0, lat=52.5, lon=-1.25))) as stand:
        heard = said_by_the_client(stand.port, "/foxglove", subprotocol, 3)
    assert heard[0] == {"event": "open", "subprotocol": subprotocol}
    assert not [one for one in heard if one["event"] in ("error", "status")]
    (advertised,) = (one["channels"] for one in heard if one["event"] == "advertise")
    assert [channel["topic"] for channel in advertised] == ["/dash", "/gps", "/position", "/log", "/laps"]
    schemas = {channel["topic"]: json.loads(channel["schema"]) for channel in advertised}
    assert schemas["/dash"]["properties"]["rpm"]["unit"] == "rpm"
    found = {one["topic"]: one for one in heard if one["event"] == "message"}
    assert set(found) == {"/dash", "/gps", "/position"}
    for topic, one in found.items():
        jsonschema.validate(one["data"], schemas[topic])
        assert one["t"] == str(STARTED_AT_NS + 10**9)
    assert found["/dash"]["data"] == {"rpm": 900.0}
    assert (found["/position"]["data"]["latitude"], found["/position"]["data"]["longitude"]) == (52.5, -1.25)


@by_its_own_client
@pytest.mark.parametrize("subprotocol", protocol.SUBPROTOCOLS)
def test_foxgloves_own_client_plays_a_past_session(subprotocol):
    with standing(garage=past(6000)) as stand:
        # not to its end, of which 0.8.0 of the client can't be told: it knows no state of a playback
        heard = said_by_the_client(stand.port, f"/foxglove/{SID}?speed=2", subprotocol, 100, "/fast")
    assert not [one for one in heard if one["event"] in ("error", "status")]
    (info,) = (one["info"] for one in heard if one["event"] == "serverInfo")
    assert ("playbackControl" in info["capabilities"]) == (subprotocol == protocol.SDK)
    messages = [one for one in heard if one["event"] == "message"]
    assert [one["data"]["rpm"] for one in messages[:100]] == [float(i) for i in range(100)]
    assert [int(one["t"]) for one in messages[:100]] == [STARTED_AT_NS + i * 10**7 for i in range(100)]


def test_a_client_hears_the_newest_state_and_no_queue():
    live = Still(picture(1, cast=GPS, t=1, rpm=1.0))
    with standing(live) as stand, Plain(stand.port) as client:
        topic = client.advertised()["/dash"]
        client.subscribe(_5=topic)
        messages = client.messages()
        assert next(messages) == (5, STARTED_AT_NS + 1, {"rpm": 1.0})
        live.shown = picture(2, cast=GPS, t=2, rpm=2.0)
        assert next(messages) == (5, STARTED_AT_NS + 2, {"rpm": 2.0})
        client.socket.send(json.dumps({"op": "unsubscribe", "subscriptionIds": [5]}))
        client.subscribe(_6=topic)
        assert next(messages) == (6, STARTED_AT_NS + 2, {"rpm": 2.0})


def test_another_session_is_introduced_anew():
    live = Still(picture(1, cast=GPS))
    with standing(live) as stand, Plain(stand.port) as client:
        count = len(client.advertised())
        other = Cast("other", "mini", 5, "e" * 64, GPS.channels[:1], {})
        live.shown = picture(2, cast=other, t=1, rpm=5.0)
        gone, info = json.loads(client.socket.recv(60)), json.loads(client.socket.recv(60))
        assert gone == {"op": "unadvertise", "channelIds": list(range(1, count + 1))}
        assert info["sessionId"] == "other"
        client.subscribe(_1=client.advertised()["/dash"])
        assert next(client.messages()) == (1, 6, {"rpm": 5.0})


def control(*, play: bool, speed: float, seek: int | None = None, request: str = "r") -> bytes:
    name = request.encode()
    return struct.pack("<BBfBQI", 3, 0 if play else 1, speed, seek is not None, seek or 0, len(name)) + name


def test_a_seek_gives_slow_channels_their_values_at_once_and_says_so():
    with standing(garage=past()) as stand, Plain(stand.port, f"/foxglove/{SID}?speed=0.01") as client:
        assert client.info["dataEndTime"] == {"sec": STARTED_AT_NS // 10**9 + 1, "nsec": 990_000_000}
        found = client.advertised()
        client.socket.send(control(play=False, speed=1.0, request="hold"))
        client.subscribe(_1=found["/fast"], _2=found["/slow"])
        said = client.all()
        assert next(one for one in said if one[0] == 5).endswith(b"hold")
        client.socket.send(control(play=False, speed=1.0, seek=STARTED_AT_NS + 10**9, request="there"))
        messages = []
        for one in said:
            if one[0] == 5:
                break
            if one[0] == 1:
                messages.append((*struct.unpack_from("<IQ", one, 1), json.loads(one[13:])))
        assert messages[-2:] == [
            (2, STARTED_AT_NS + 5 * 10**8, {"oil": 81.0}),
            (1, STARTED_AT_NS + 99 * 10**7, {"rpm": 99.0}),
        ]
        state = struct.unpack_from("<BQfBI", one, 1)
        assert state == (protocol.Status.PAUSED, STARTED_AT_NS + 10**9, 1.0, 1, 5)
        assert one.endswith(b"there")
        client.socket.send(control(play=True, speed=100.0))
        messages = client.messages()
        assert next(messages) == (1, STARTED_AT_NS + 10**9, {"rpm": 100.0})
        for message in messages:
            if message[2].get("rpm") == 199.0:
                break
        assert next(one for one in said if one[0] == 5)[1] == protocol.Status.ENDED


def test_what_was_said_to_the_driver_is_in_the_log_of_a_past_session():
    with standing(garage=past()) as stand, Plain(stand.port, f"/foxglove/{SID}?speed=50") as client:
        client.subscribe(_1=client.advertised()["/log"])
        _, at, data = next(client.messages())
        assert (at, data["message"], data["name"]) == (STARTED_AT_NS + 10**9, "Brake later", "cue")


class Unprojectable(FakeGarage):
    """There is no room to build its projections in."""

    def cursor(self, id: str) -> duckdb.DuckDBPyConnection:
        raise PitwallError("there is no room", hint="make some")


def test_a_session_that_can_not_be_projected_is_said_to_be_so():
    with (
        standing(garage=Unprojectable(past().projections)) as stand,
        connect(f"ws://localhost:{stand.port}/foxglove/{SID}", subprotocols=[protocol.SDK], open_timeout=60) as socket,
    ):
        assert "there is no room" in json.loads(socket.recv(60))["message"]
        with pytest.raises(ConnectionClosed):
            socket.recv(60)
        assert socket.close_code == 1013


@pytest.mark.parametrize(
    ("path", "why"), [("/foxglove/none", "no such session"), (f"/foxglove/{SID}?speed=fast", "speed=fast: ")]
)
def test_what_cannot_be_played_is_said_and_closed(path, why):
    with (
        standing(garage=past()) as stand,
        connect(f"ws://localhost:{stand.port}{path}", subprotocols=[protocol.SDK], open_timeout=30) as socket,
    ):
        assert why in json.loads(socket.recv(60))["message"]
        with pytest.raises(ConnectionClosed):
            socket.recv(60)
        assert socket.close_code == 1008


@pytest.mark.parametrize(
    "said", ["{", "[]", '{"op": "subscribe"}', '{"op": "subscribe", "subscriptions": [{"id": 1, "channelId": 99}]}']
)
def test_what_makes_no_sense_is_answered_and_the_client_goes_on(said):
    with standing(Still(picture(1, cast=GPS, rpm=1.0))) as stand, Plain(stand.port) as client:
        topic = client.advertised()["/dash"]
        client.socket.send(said)
        assert json.loads(client.socket.recv(60))["op"] == "status"
        client.subscribe(_1=topic)
        assert next(client.messages())[2] == {"rpm": 1.0}


def test_a_client_is_one_of_the_streams_and_is_told_when_the_server_stops():
    with standing(Still(picture(1, cast=GPS))) as stand, Plain(stand.port) as client:
        assert stand.json("/health")["streams"]["open"] == 1
        stand.stop.set()
        with pytest.raises(ConnectionClosed):
            list(iter(lambda: client.socket.recv(60), None))
        assert client.socket.close_code == 1001
        stand.thread.join(60)
        assert not stand.thread.is_alive()


def test_one_more_than_there_may_be_is_told_to_try_again():
    with standing() as stand:
        streams = [stand.stream() for _ in range(MAX_STREAMS)]
        for stream in streams:
            next(iter(stream))
        with connect(f"ws://localhost:{stand.port}/foxglove", subprotocols=[protocol.SDK]) as socket:
            with pytest.raises(ConnectionClosed):
                socket.recv(60)
            assert socket.close_code == 1013
        for stream in streams:
            stream.close()


def test_every_sample_of_every_channel_is_in_the_mcap_file_to_the_bit(driven):
    connection, roles = driven
    known = channels(connection)
    found, ends, out = topics(known, roles), span(connection, known), io.BytesIO()
    first = ends.last - 25 * 10**9
    file = McapFile(out, found, session=SID, car="bmw-e46-m3", started_at_ns=STARTED_AT_NS)
    count = sum(
        file.write(between(connection, found, STARTED_AT_NS, *window)) for window in windows(first, ends.last + 1)
    )
    file.finish()
    out.seek(0)
    reader = make_reader(out, validate_crcs=True)
    assert reader.get_summary().statistics.message_count == count
    samples: dict[str, list[tuple[int, float]]] = {channel.name: [] for channel in known}
    last = 0
    kinds = set()
    for schema, channel, message in reader.iter_messages(log_time_order=False):
        assert message.log_time >= last
        last = message.log_time
        data = json.loads(message.data)
        if (channel.topic, schema.id) not in kinds:
            jsonschema.validate(data, json.loads(schema.data))
            kinds.add((channel.topic, schema.id))
        if schema.name.startswith("pitwall.") and schema.name != "pitwall.Lap":
            for name, value in data.items():
                samples[name].append((message.log_time - STARTED_AT_NS, value))
    assert {"/position", "/laps"} <= {topic for topic, _ in kinds}
    rows = connection.execute(
        "SELECT channel, t, value FROM signals WHERE t >= ? ORDER BY channel, t", [first]
    ).fetchall()
    expected = {name: list(members) for name, members in groupby(rows, key=lambda row: row[0])}
    assert len(rows) > 10_000
    for name, members in samples.items():
        wanted = expected.get(name, [])
        assert [t for t, _ in members] == [t for _, t, _ in wanted]
        np.testing.assert_array_equal(
            np.array([v for _, v in members]).view(np.int64), np.array([v for *_, v in wanted]).view(np.int64)
        )


@given(st.integers(0, 10**8), st.integers(1, 10**9))
def test_windows_hold_every_time_once(span_ns, step):
    step = max(step, span_ns // 50 + 1)
    cuts = list(windows(5, 5 + span_ns, step))
    assert sum(stop - start for start, stop in cuts) == span_ns
    assert all(first[1] == second[0] for first, second in pairwise(cuts))


def test_the_last_values_before_a_time_are_each_channels_own(driven):
    connection, roles = driven
    known = channels(connection)
    found, ends = topics(known, roles), span(connection, known)
    at = (ends.first + ends.last) // 2
    newest: dict[str, tuple[int, float]] = {}
    for message in before(connection, found, STARTED_AT_NS, at):
        if found[message.topic].kind == "table":
            for name, value in json.loads(message.data).items():
                assert name not in newest
                newest[name] = (message.t, value)
    rows = connection.execute(
        "SELECT channel, max(t), arg_max(value, t) FROM signals WHERE t < ? GROUP BY channel", [at]
    ).fetchall()
    assert newest == {channel: (t, value) for channel, t, value in rows}


@given(st.binary(max_size=40))
def test_no_bytes_of_a_client_do_more_than_be_refused(said):
    for message in (said, b"\x03" + said, said.decode("latin-1")):
        try:
            protocol.heard(message, 5)
        except protocol.SaidWrongError:
            continue


@pytest.mark.parametrize("form", ["mcap", "parquet", "csv", "arrow"])
def test_a_session_is_had_as_a_file(form):
    with standing(garage=past()) as stand:
        stand.garage.projections[SID].execute(
            "CREATE VIEW signals AS SELECT t, 'rpm' AS channel, rpm AS value FROM fast "
            "UNION ALL SELECT t, 'oil' AS channel, oil AS value FROM slow"
        )
        status, headers, body = stand.ask(f"/session/{SID}/export?format={form}&t_from=10000000")
    assert status == 200
    assert SID in headers["content-disposition"]
    if form == "mcap":
        found = [
            (message.log_time - STARTED_AT_NS, name, value)
            for schema, _, message in make_reader(io.BytesIO(body), validate_crcs=True).iter_messages()
            if schema.name.startswith("pitwall.")
            for name, value in json.loads(message.data).items()
        ]
    else:
        read = {
            "parquet": pyarrow.parquet.read_table,
            "csv": pyarrow.csv.read_csv,
            "arrow": lambda data: pa.ipc.open_stream(data).read_all(),
        }[form]
        found = [tuple(row.values()) for row in read(io.BytesIO(body)).to_pylist()]
    expected = [(i * 10**7, "rpm", float(i)) for i in range(1, 200)] + [(5 * 10**8, "oil", 81.0)]
    assert sorted(found) == sorted(expected)
    assert [t for t, *_ in found] == sorted(t for t, *_ in found)
