"""A past session is played as `/live` shows one: at its speed, paused, sought, with all values at once."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket as sockets
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import duckdb
import orjson
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect

from pitwall.errors import PitwallError
from pitwall.project.layout import FIXED
from pitwall.serve import replaying
from pitwall.serve.limits import MAX_REPLAYS
from pitwall.serve.problem import TYPES
from tests.serve.stand import SID, FakeGarage, Stand, projection, standing

S = 10**9
WORDS = ("brake later", "brake later into T1", "T1: brake 8 m later")


def lap(number: int, t_start: float, t_end: float, time_s: float, best: bool) -> tuple:
    flying = (number, "flying", round(t_start * S), round(t_end * S), time_s, True, True, None)
    return *flying, best, None, None, 900.0, 40.0, 12.0, None


def garage() -> FakeGarage:
    """Three seconds: a fast channel, a slow one, two laps that end, and two cues."""
    t = [i * 10**7 for i in range(300)]
    con = projection({("fast", "rpm"): (t, [float(i) for i in range(300)]), ("slow", "oil"): ([0], [80.0])})
    con.execute(
        "CREATE VIEW signals AS SELECT t, 'rpm' AS channel, rpm AS value FROM fast "
        "UNION ALL SELECT t, 'oil' AS channel, oil AS value FROM slow"
    )
    for table in ("laps", "sectors", "cues"):
        con.execute(f"CREATE TABLE {table} ({', '.join(f'{name} {kind}' for name, kind in FIXED[table])})")
    for one in (lap(1, 0.0, 0.8, 0.8, True), lap(2, 0.8, 2.0, 1.2, False)):
        con.execute(f"INSERT INTO laps VALUES ({', '.join('?' * len(one))})", one)
    con.execute("INSERT INTO sectors VALUES (1, 1, 0, 300000000, 0.3, true), (1, 2, 300000000, 800000000, 0.5, true)")
    for at, what in ((S, "brakes-early"), (2 * S + 3 * 10**8, "coasts")):
        cue = (at, 2, 110.0, "time", what, "T1" if what == "brakes-early" else None, 80.0, 0.31, *WORDS)
        con.execute(f"INSERT INTO cues VALUES ({', '.join('?' * len(cue))})", cue)
    return FakeGarage({SID: con})


def events(response: http.client.HTTPResponse) -> Iterator[tuple[str, dict]]:
    kind = ""
    while line := response.readline().decode():
        key, _, value = line.rstrip("\n").partition(": ")
        if key == "event":
            kind = value
        elif key == "data":
            yield kind, orjson.loads(value)
        elif line.startswith(":"):
            yield "ping", {}


@contextlib.contextmanager
def played(stand: Stand, asked: str, **headers: str) -> Iterator[Iterator[tuple[str, dict]]]:
    connection = stand.connect()
    connection.request("GET", f"/replay?session={SID}&{asked}", headers=headers)
    try:
        yield events(connection.getresponse())
    finally:
        connection.close()


def until(heard: Iterator[tuple[str, dict]], there: Any) -> dict:
    """The first event for which it is so."""
    return next(said for _, said in heard if there(said))


def test_it_is_played_paused_and_sought_and_slow_channels_have_their_values_at_once():
    with standing(garage=garage()) as stand:
        connection = stand.connect()
        connection.request("GET", f"/replay?session={SID}&speed=0.01&t_from=1000000000")
        heard = events(connection.getresponse())
        kind, first = next(heard)
        assert (kind, first["t_to"]) == ("replay", 299 * 10**7)
        kind, state = next(heard)
        assert kind == "state"
        assert state["values"] == {"rpm": [99 * 10**7, 99.0], "oil": [0, 80.0]}
        status, _, body = stand.post(f"/replay/{first['replay']}", {"seek_s": 2.0, "speed": 20.0})
        assert (status, orjson.loads(body)["t"]) == (200, 2 * 10**9)
        seen = []
        for _, said in heard:
            seen += [said["values"]["rpm"][1]] if "rpm" in said["values"] else []
            if seen and seen[-1] == 299.0:
                break
        assert seen == sorted(seen)
        status, _, _ = stand.post(f"/replay/{first['replay']}", {"pause": True, "seek_s": 0.5})
        assert status == 200
        assert next(said for _, said in heard if "rpm" in said["values"])["values"]["rpm"][1] == 49.0
        connection.close()
        assert stand.post("/replay/none", {"pause": True})[0] == 404
        assert stand.post(f"/replay/{first['replay']}", {"speed": 1000})[0] == 400


def test_laps_and_cues_come_when_they_were_and_go_with_a_seek_back():
    with standing(garage=garage()) as stand, played(stand, "speed=1&t_from=700000000&pause=true") as heard:
        id = next(heard)[1]["replay"]
        _, state = next(heard)
        assert (state["laps"], state["replay"]) == ([], {"t": 7 * 10**8, "speed": 1.0, "paused": True})
        assert "cue" not in state
        stand.post(f"/replay/{id}", {"pause": False})
        over = until(heard, lambda said: said.get("laps"))
        assert [(one["number"], one["time_s"], one["sectors_s"]) for one in over["laps"]] == [(1, 0.8, [0.3, 0.5])]
        assert over["replay"]["t"] >= 8 * 10**8
        cue = until(heard, lambda said: "cue" in said)["cue"]
        assert (cue["t"], cue["what"], cue["corner"], cue["priority"]) == (S, "brakes-early", "T1", "time")
        assert cue["words"] == dict(zip(("novice", "intermediate", "advanced"), WORDS, strict=True))
        assert [one["number"] for one in until(heard, lambda said: said.get("laps"))["laps"]] == [1, 2]
        assert until(heard, lambda said: "cue" in said)["cue"]["corner"] is None
        stand.post(f"/replay/{id}", {"pause": True, "seek_s": 0.9})
        back = until(heard, lambda said: "laps" in said)
        assert [one["number"] for one in back["laps"]] == [1]
        assert back["status"]["state"] == "paused"
        stand.post(f"/replay/{id}", {"pause": False})
        assert until(heard, lambda said: "cue" in said)["cue"]["what"] == "brakes-early"


def test_who_takes_up_a_stream_again_goes_on_where_it_was():
    with standing(garage=garage()) as stand:
        for id in (f"{SID}@1500000000@1490000000", f"{SID}@1500000000"):
            with played(stand, "speed=0.01", **{"Last-Event-ID": id}) as heard:
                next(heard)
                assert next(heard)[1]["values"]["rpm"] == [149 * 10**7, 149.0], "where it was, not at its last value"
        for other in ("other@1@1490000000", "nonsense"):
            with played(stand, "speed=0.01", **{"Last-Event-ID": other}) as heard:
                next(heard)
                assert "rpm" not in next(heard)[1]["values"]


def test_a_seek_finds_the_last_value_of_every_channel_however_long_before_it_was():
    at = {
        "now": [0, 3_999 * S],
        "soon": [3_980 * S, 4_000 * S],
        "long": [5 * S, 3_000 * S],
        "once": [0],
        "late": [4_001 * S],
    }
    con = projection({(f"of {name}", name): (t, [float(i) for i in range(len(t))]) for name, t in at.items()})
    each = (f"SELECT t, '{name}' AS channel, {name} AS value FROM \"of {name}\"" for name in at)
    con.execute(f"CREATE VIEW signals AS {' UNION ALL '.join(each)}")
    for table in ("laps", "sectors", "cues"):
        con.execute(f"CREATE TABLE {table} ({', '.join(f'{name} {kind}' for name, kind in FIXED[table])})")
    with (
        standing(garage=FakeGarage({SID: con})) as stand,
        played(stand, f"pause=true&t_from={4_000 * S}") as heard,
    ):
        id = next(heard)[1]["replay"]
        values = {"now": [3_999 * S, 1.0], "soon": [3_980 * S, 0.0], "long": [3_000 * S, 1.0], "once": [0, 0.0]}
        assert next(heard)[1]["values"] == values
        stand.post(f"/replay/{id}", {"seek_s": 4.0})
        assert next(heard)[1]["values"] == {"now": [0, 0.0], "soon": None, "long": None}


def test_one_that_rests_shows_that_it_is_there(monkeypatch):
    monkeypatch.setattr(replaying, "PING_S", 0.05)
    with standing(garage=garage()) as stand, played(stand, "pause=true") as heard:
        assert [next(heard)[0] for _ in range(4)] == ["replay", "state", "ping", "ping"]


def address(stand: Stand, asked: str = "") -> str:
    return f"ws://localhost:{stand.port}/replay/ws?session={SID}{asked}"


def next_of(client: ClientConnection, there: Any) -> dict:
    while not there(said := json.loads(client.recv(60))):
        pass
    return said


def test_as_a_websocket_it_is_chosen_from_and_steered_by_what_is_said_on_it():
    with (
        standing(garage=garage()) as stand,
        connect(address(stand, "&t_from=1000000000&pause=true"), open_timeout=60) as client,
    ):
        first = json.loads(client.recv(60))
        assert (first["event"], first["t_to"], first["id"]) == ("replay", 299 * 10**7, f"{SID}@{S}")
        state = json.loads(client.recv(60))
        assert (state["event"], set(state["values"]), len(state["laps"])) == ("state", {"rpm", "oil"}, 1)
        assert state["replay"] == {"t": S, "speed": 1.0, "paused": True}
        client.send('{"channels": ["rpm"], "seek_s": 1.5}')
        there = next_of(client, lambda said: said["replay"]["t"] == 15 * 10**8 and "rpm" in said["values"])
        assert there["values"] == {"rpm": [149 * 10**7, 149.0]}
        client.send('{"pause": false, "speed": 32}')
        ended = next_of(client, lambda said: said.get("status", {}).get("state") == "ended")
        assert ended["replay"] == {"t": 299 * 10**7, "speed": 32.0, "paused": False}
        status, _, body = stand.post(f"/replay/{first['replay']}", {"seek_s": 0.5, "pause": True})
        assert (status, orjson.loads(body)["t"]) == (200, 5 * 10**8)
        assert next_of(client, lambda said: said["replay"]["t"] == 5 * 10**8)["laps"] == []
        for wrong in ('{"speed": 1000}', '{"rate": 1}', "no JSON", '{"pause": 1}'):
            client.send(wrong)
            assert next_of(client, lambda said: said["event"] == "problem")["type"] == f"{TYPES}bad-parameter"


@pytest.mark.parametrize("asked", ["&speed=fast", "&speed=1000", "&what=1"])
def test_what_can_not_be_played_is_told_and_the_socket_closed(asked: str):
    with standing(garage=garage()) as stand, connect(address(stand, asked), open_timeout=60) as client:
        assert json.loads(client.recv(60))["type"] == f"{TYPES}bad-parameter"
        with pytest.raises(ConnectionClosed):
            client.recv(60)
        assert client.close_code == 1008


def test_who_still_speaks_when_it_is_closed_is_heard_out():
    """Else the connection is reset, and takes with it what was told."""
    said = Frame(Opcode.TEXT, b"x" * 60_000).serialize(mask=True)
    with standing(garage=garage()) as stand, sockets.create_connection(("127.0.0.1", stand.port), 60) as client:
        client.sendall(
            b"GET /replay/ws?what=1 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        heard = b""
        while (1008).to_bytes(2, "big") not in heard:
            heard += client.recv(4096)
        for _ in range(20):
            client.sendall(said)
        client.sendall(Frame(Opcode.CLOSE, (1008).to_bytes(2, "big")).serialize(mask=True))
        while client.recv(4096):
            pass


def test_a_session_that_is_none_is_told_and_nothing_of_it_stays_open():
    with standing(garage=garage()) as stand:
        with connect(f"ws://localhost:{stand.port}/replay/ws?session=none", open_timeout=60) as client:
            assert json.loads(client.recv(60))["type"] == f"{TYPES}unknown-session"
        while stand.json("/health")["streams"]["open"]:
            pass


class Breaking(FakeGarage):
    """Its projections can be asked for its first questions alone."""

    asked: int = 0

    def cursor(self, id: str) -> duckdb.DuckDBPyConnection:
        self.asked += 1
        if self.asked > 2:
            raise duckdb.IOException("gone")
        return super().cursor(id)


def test_what_ends_a_replay_is_told_before_it_closes():
    with standing(garage=Breaking(garage().projections)) as stand, played(stand, "speed=0.01") as heard:
        kinds = [kind for kind, _ in heard]
    assert kinds[-2:] == ["problem", "closing"]


def test_a_car_that_was_edited_meanwhile_is_gone_over_to_whole():
    past = garage()
    with standing(garage=past) as stand, played(stand, "pause=true&t_from=1000000000") as heard:
        id = next(heard)[1]["replay"]
        assert set(next(heard)[1]["channels"]) == {"rpm", "oil"}
        anew = garage().projections[SID]
        anew.execute("ALTER TABLE fast RENAME rpm TO revs")
        anew.execute(
            "CREATE OR REPLACE VIEW signals AS SELECT t, 'revs' AS channel, 2 * revs AS value FROM fast "
            "UNION ALL SELECT t, 'oil' AS channel, oil AS value FROM slow"
        )
        anew.execute("UPDATE channels SET name = 'revs', column_name = 'revs', unit = '1/s' WHERE name = 'rpm'")
        anew.execute("UPDATE built_from SET fingerprint = repeat('e', 64)")
        anew.execute("DELETE FROM laps WHERE number = 1")
        past.projections[SID] = anew
        stand.post(f"/replay/{id}", {"seek_s": 1.5})
        kind, state = next(heard)
        assert (kind, state["fingerprint"], set(state["channels"])) == ("state", "e" * 64, {"revs", "oil"})
        assert state["values"] == {"revs": [149 * 10**7, 298.0], "oil": [0, 80.0]}
        assert state["replay"] == {"t": 15 * 10**8, "speed": 1.0, "paused": True}
        stand.post(f"/replay/{id}", {"seek_s": 2.5})
        assert [one["number"] for one in until(heard, lambda said: "laps" in said)["laps"]] == [2]


class Unprojectable(FakeGarage):
    """There is no room to build its projections in."""

    def cursor(self, id: str) -> duckdb.DuckDBPyConnection:
        raise PitwallError("there is no room", hint="make some")


def test_a_session_that_can_not_be_projected_is_told_so_on_a_websocket_too():
    with standing(garage=Unprojectable(garage().projections)) as stand, connect(address(stand), open_timeout=60) as one:
        told = json.loads(one.recv(60))
        assert (told["event"], told["type"], told["hint"]) == ("problem", f"{TYPES}no-projection", "make some")
        with pytest.raises(ConnectionClosed):
            one.recv(60)
        assert one.close_code == 1013


@dataclass
class Slow(FakeGarage):
    """Its projections are had only once it is told so."""

    ready: threading.Event = field(default_factory=threading.Event)

    def cursor(self, id: str) -> duckdb.DuckDBPyConnection:
        self.ready.wait(60)
        return super().cursor(id)


def test_one_more_than_may_be_open_is_refused_though_none_of_them_has_begun():
    slow = Slow(garage().projections)
    with standing(garage=slow) as stand, contextlib.ExitStack() as open_:
        open_.callback(slow.ready.set)
        opened = [stand.connect() for _ in range(MAX_REPLAYS)]
        for connection in opened:
            open_.callback(connection.close)
            connection.request("GET", f"/replay?session={SID}")
        while stand.json("/health")["streams"]["open"] < MAX_REPLAYS:
            pass
        status, _, body = stand.ask(f"/replay?session={SID}")
        assert status == 503
        assert orjson.loads(body)["detail"].startswith(f"{MAX_REPLAYS} replays of at most {MAX_REPLAYS}")
        with connect(address(stand), open_timeout=60) as client:
            assert json.loads(client.recv(60))["type"] == f"{TYPES}too-busy"
        slow.ready.set()
        assert next(events(opened[-1].getresponse()))[0] == "replay"
