"""A past session is played as `/live` shows one: at its speed, paused, sought, with all values at once."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import duckdb
import orjson

from pitwall.serve.limits import MAX_REPLAYS
from tests.serve.stand import SID, FakeGarage, projection, standing


def garage() -> FakeGarage:
    t = [i * 10**7 for i in range(300)]
    con = projection({("fast", "rpm"): (t, [float(i) for i in range(300)]), ("slow", "oil"): ([0], [80.0])})
    con.execute(
        "CREATE VIEW signals AS SELECT t, 'rpm' AS channel, rpm AS value FROM fast "
        "UNION ALL SELECT t, 'oil' AS channel, oil AS value FROM slow"
    )
    return FakeGarage({SID: con})


def events(response: http.client.HTTPResponse) -> Iterator[tuple[str, dict]]:
    kind = ""
    while line := response.readline().decode():
        key, _, value = line.rstrip("\n").partition(": ")
        if key == "event":
            kind = value
        elif key == "data":
            yield kind, orjson.loads(value)


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
        slow.ready.set()
        assert next(events(opened[-1].getresponse()))[0] == "replay"
