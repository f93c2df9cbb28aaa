"""The live stream as a WebSocket: what is chosen comes, as it was chosen, newest first, and nobody is disturbed."""

from __future__ import annotations

import json
import socket as sockets

import numpy as np
import pyarrow as pa
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from pitwall.serve.newest import Picture, Status, Still
from tests.serve.stand import SID, picture, standing
from tests.serve.test_stream import WIDE, moving


def address(stand) -> str:
    return f"ws://localhost:{stand.port}/live/ws"


def test_first_comes_everything_and_then_what_changes():
    live = Still(picture(1, rpm=900.0))
    with standing(live) as stand, connect(address(stand), open_timeout=60) as client:
        first = json.loads(client.recv(60))
        assert (first["event"], first["id"], first["values"]) == (
            "state",
            f"{SID}@1@1000000000",
            {"rpm": [10**9, 900.0]},
        )
        live.shown = picture(2, t=2 * 10**9, rpm=950.0)
        second = json.loads(client.recv(60))
        assert (second["event"], second["values"]) == ("values", {"rpm": [2 * 10**9, 950.0]})


def test_only_what_was_chosen_comes_and_the_choice_may_change():
    live = Still(picture(1, rpm=900.0, speed=10.0))
    with standing(live) as stand, connect(address(stand), open_timeout=60) as client:
        assert set(json.loads(client.recv(60))["values"]) == {"rpm", "speed"}
        client.send('{"channels": ["speed"]}')
        chosen = json.loads(client.recv(60))
        assert (chosen["event"], set(chosen["values"])) == ("state", {"speed"})
        client.send('{"channels": ["rpm"], "rate_hz": 50}')
        assert set(json.loads(client.recv(60))["values"]) == {"rpm"}
        client.send('{"channels": null}')
        assert set(json.loads(client.recv(60))["values"]) == {"rpm", "speed"}


def test_arrow_is_a_whole_stream_a_message_with_units_in_its_schema():
    live = Still(picture(1, rpm=900.0, speed=10.0))
    with standing(live) as stand, connect(address(stand), open_timeout=60) as client:
        client.recv(60)
        client.send('{"format": "arrow"}')
        table = pa.ipc.open_stream(client.recv(60)).read_all()
    assert table.to_pylist() == [
        {"t": 10**9, "channel": "rpm", "value": 900.0},
        {"t": 10**9, "channel": "speed", "value": 10.0},
    ]
    facts = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    assert (facts["event"], facts["session"]) == ("state", SID)
    assert json.loads(facts["units"]) == {"rpm": "rpm", "speed": "m/s"}


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("{", "bad-parameter"),
        ('{"rate": 1}', "bad-parameter"),
        ('{"rate_hz": 0}', "bad-parameter"),
        ('{"channels": ["warp"]}', "unknown-channel"),
        (b"\xff", "bad-parameter"),
    ],
)
def test_a_choice_that_cannot_be_is_a_problem_and_the_one_before_stays(said, name):
    live = Still(picture(1, rpm=900.0))
    with standing(live) as stand, connect(address(stand), open_timeout=60) as client:
        client.recv(60)
        client.send(said)
        problem = json.loads(client.recv(60))
        assert problem["event"] == "problem"
        assert problem["type"].endswith(name)
        assert problem["hint"]
        live.shown = picture(2, rpm=950.0, t=2 * 10**9)
        assert json.loads(client.recv(60))["values"] == {"rpm": [2 * 10**9, 950.0]}


def test_a_client_that_stalls_comes_back_to_the_newest_state():
    wide = Picture(1, WIDE, np.zeros(300, np.int64), np.zeros(300), Status("recording"))
    with standing(Still(wide)) as stand, moving(stand.live), sockets.socket() as raw:
        raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        raw.connect(("127.0.0.1", stand.port))
        with connect(address(stand), sock=raw, open_timeout=60, max_queue=1) as client:
            client.recv(60)
            events = iter(stand.stream())
            seen = [next(events)[2]["values"]["channel_0"][1] for _ in range(80)]
            old = 0
            while json.loads(client.recv(60))["values"].get("channel_0", [0, 0])[1] < seen[-1]:
                old += 1
            assert old < 30  # of the 80 that it missed


def test_a_server_that_stops_says_so():
    with standing(Still(picture(1))) as stand, connect(address(stand), open_timeout=60) as client:
        client.recv(60)
        assert stand.json("/health")["streams"]["open"] == 1
        stand.stop.set()
        with pytest.raises(ConnectionClosed):
            list(iter(lambda: client.recv(60), None))
        assert client.close_code == 1001
        stand.thread.join(60)
        assert not stand.thread.is_alive()
