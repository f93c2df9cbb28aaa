"""The live stream over real sockets: what comes, how often, and that nobody is disturbed by anybody."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from pitwall.serve.limits import MAX_STREAMS
from pitwall.serve.live import PING_S
from pitwall.serve.newest import Cast, LiveChannel, Picture, Status, Still
from tests.serve.stand import CAST, SID, STARTED_AT_NS, picture, standing

WIDE = Cast(
    SID, "wide", STARTED_AT_NS, "f" * 64, tuple(LiveChannel(f"channel_{i}", "V", "m", "test") for i in range(300)), {}
)


@contextlib.contextmanager
def moving(live: Still, period_s: float = 0.01):
    """`live` with new values in all channels, every `period_s`; each value is its picture's number."""
    stop = threading.Event()

    def move() -> None:
        number = 0
        while not stop.wait(period_s):
            number += 1
            n = len(live.shown.t)
            live.shown = replace(
                live.shown,
                number=number,
                t=np.full(n, number * 10**7),
                v=np.full(n, float(number)),
                status=Status("recording"),
            )

    thread = threading.Thread(target=move)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_the_first_event_is_everything_and_then_comes_what_changes():
    live = Still(picture(1, rpm=900.0))
    with standing(live) as stand:
        events = iter(stand.stream())
        id, kind, body = next(events)
        assert (id, kind, body["values"]) == (f"{SID}@1@1000000000", "state", {"rpm": [10**9, 900.0]})
        assert body["channels"]["speed"]["unit"] == "m/s"
        live.shown = picture(2, t=2 * 10**9, rpm=950.0, speed=10.0)
        id, kind, body = next(events)
        assert (id, kind) == (f"{SID}@2@2000000000", "values")
        assert body["values"] == {"rpm": [2 * 10**9, 950.0], "speed": [2 * 10**9, 10.0]}
        live.shown = picture(3, cast=replace(CAST, session="20261123T150000Z-other"))
        _, kind, body = next(events)
        assert (kind, body["session"]) == ("state", "20261123T150000Z-other")


def test_events_come_at_fifty_a_second_at_most_however_fast_values_change():
    live = Still(picture(1))
    with standing(live) as stand, moving(live, 0.002):
        events = iter(stand.stream())
        next(events)
        began = time.monotonic()
        for _ in range(40):
            next(events)
        assert 40 / (time.monotonic() - began) < 60


def test_a_stream_with_nothing_to_tell_pings():
    assert PING_S < 10
    with standing() as stand:
        events = iter(stand.stream())
        assert next(events)[1] == "state"
        assert next(events)[1] == "ping"


def test_stalled_clients_disturb_nobody_and_come_back_to_the_newest_state():
    wide = Picture(1, WIDE, np.zeros(300, np.int64), np.zeros(300), Status("recording"))
    live = Still(wide)
    with standing(live) as stand, moving(live):
        stalled = [stand.stream(receive_buffer=4096) for _ in range(10)]
        events = iter(stand.stream())
        seen = [next(events)[2]["values"]["channel_0"][1] for _ in range(80)]
        assert seen == sorted(set(seen))
        for client in stalled:
            old = 0
            for _, _, body in client:
                if body["values"]["channel_0"][1] >= seen[-1]:
                    break
                old += 1
            assert old < 20  # of the 80 that it missed
            assert len(body["values"]) == 300
            client.close()
        assert stand.json("/health")["streams"]["skipped"] > 10 * 40
    assert stand.garage.closed


def test_a_client_that_has_gone_is_let_go_of():
    live = Still(picture(1))
    with standing(live) as stand, moving(live):
        clients = [stand.stream() for _ in range(5)]
        for client in clients:
            next(iter(client))
        assert stand.json("/health")["streams"]["open"] == 5
        for client in clients:
            client.close()
        while stand.json("/health")["streams"]["open"]:
            pass


def test_one_stream_more_than_there_may_be_is_refused():
    with standing() as stand:
        clients = [stand.stream() for _ in range(MAX_STREAMS)]
        for client in clients:
            next(iter(client))
        status, headers, _ = stand.ask("/live")
        assert (status, headers["content-type"]) == (503, "application/problem+json")
        assert headers["retry-after"]
        assert stand.json("/health")["streams"] == {
            "open": MAX_STREAMS,
            "limit": MAX_STREAMS,
            "refused": 1,
            "skipped": 0,
            "stalled": 0,
        }
        for client in clients:
            client.close()


@pytest.mark.parametrize("stalls", [False, True])
def test_a_server_that_stops_tells_its_streams_and_does_not_wait(stalls):
    wide = Picture(1, WIDE, np.zeros(300, np.int64), np.zeros(300), Status("recording"))
    live = Still(wide)
    with standing(live) as stand, moving(live):
        stalled = [stand.stream(receive_buffer=4096) for _ in range(3 if stalls else 0)]
        events = iter(stand.stream())
        for _ in range(40):
            next(events)
        stand.stop.set()
        assert [kind for _, kind, _ in events][-1] == "closing"
        stand.thread.join(10)
        assert not stand.thread.is_alive()
        for client in stalled:
            client.close()
