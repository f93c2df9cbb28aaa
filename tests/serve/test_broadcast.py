"""What a client gets is what changed since what it has seen, as of now: nothing twice, nothing old."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.log.published import Recorder, SourceState, State
from pitwall.serve.broadcast import Broadcast
from pitwall.serve.newest import Status, Still
from tests.serve.stand import CAST, CHANNELS, SID, picture


def parsed(event: bytes) -> tuple[str, str, dict]:
    fields = dict(line.split(": ", 1) for line in event.decode().strip().split("\n"))
    return fields["id"], fields["event"], orjson.loads(fields["data"])


def test_the_first_event_holds_everything():
    broadcast = Broadcast(Still(picture(5, rpm=900.0)))
    broadcast.look()
    id, kind, body = parsed(broadcast.since(0))
    assert (id, kind, body["session"], body["car"]) == (f"{SID}@5@1000000000", "state", SID, "bmw-e46-m3")
    assert {name: facts["unit"] for name, facts in body["channels"].items()} == {c.name: c.unit for c in CHANNELS}
    assert body["channels"]["rpm"]["hold_s"] is None
    assert body["values"] == {"rpm": [10**9, 900.0]}
    assert body["status"]["state"] == "recording"
    assert body["roles"] == {"speed": "speed", "rpm": "rpm"}


def test_nothing_recorded_yet_is_a_state_too():
    broadcast = Broadcast(Still())
    broadcast.look()
    _, kind, body = parsed(broadcast.since(0))
    assert (kind, body["session"], body["channels"], body["values"]) == ("state", None, {}, {})
    assert body["status"]["state"] == "waiting"


def test_a_new_session_is_told_whole_to_everybody():
    live = Still(picture(1, rpm=900.0))
    broadcast = Broadcast(live)
    broadcast.look()
    seen = broadcast.tick
    live.shown = picture(2, cast=replace(CAST, session="20261123T150000Z-bmw-e46-m3"))
    broadcast.look(False)
    _, kind, body = parsed(broadcast.since(seen))
    assert (kind, body["session"], body["values"]) == ("state", "20261123T150000Z-bmw-e46-m3", {})


def test_a_change_of_state_is_told_at_once_and_rates_once_a_second():
    live = Still(picture(1))
    broadcast = Broadcast(live)
    broadcast.look()
    seen = broadcast.tick
    live.shown = replace(live.shown, number=2, status=replace(live.shown.status, frames_per_s=344.0))
    broadcast.look(False)
    assert broadcast.tick == seen
    broadcast.look(True)
    assert parsed(broadcast.since(seen))[2]["status"]["frames_per_s"] == 344.0
    seen = broadcast.tick
    live.shown = replace(live.shown, number=3, status=Status(state="ended"))
    broadcast.look(False)
    assert parsed(broadcast.since(seen))[2]["status"]["state"] == "ended"


def test_the_age_of_the_newest_data_is_told():
    live = Still(picture(1))
    live.shown = replace(live.shown, status=replace(live.shown.status, heard_at_s=time.monotonic() - 5))
    broadcast = Broadcast(live)
    assert 5 <= parsed(broadcast.since(0))[2]["age_s"] < 6


def test_a_value_that_was_forgotten_is_told_to_who_may_have_seen_it():
    live = Still(picture(1, rpm=900.0))
    broadcast = Broadcast(live)
    broadcast.look()
    seen = broadcast.tick
    live.shown = picture(2)
    broadcast.look()
    assert parsed(broadcast.since(seen))[2]["values"] == {"rpm": None}
    assert parsed(broadcast.since(0))[2]["values"] == {}


def test_the_states_of_the_sources_are_told():
    live = Still(picture(1))
    told = (SourceState("dash", "slcan /dev/ttyACM0", "connected"), SourceState("obd", "can0", "lost", why="gone"))
    live.shown_recorder = Recorder(1, State(sources=told))
    broadcast = Broadcast(live)
    broadcast.look()
    assert parsed(broadcast.since(0))[2]["status"]["sources"] == [
        {"bus": "dash", "source": "slcan /dev/ttyACM0", "state": "connected", "why": None},
        {"bus": "obd", "source": "can0", "state": "lost", "why": "gone"},
    ]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.dictionaries(st.sampled_from([c.name for c in CHANNELS]), st.floats(-9, 9), max_size=4), max_size=12),
    st.data(),
)
def test_whatever_a_client_misses_it_ends_with_the_newest_values(steps, data):
    live = Still(picture(0))
    broadcast = Broadcast(live)
    broadcast.look()
    known: dict[str, list] = {}
    truth: dict[str, list] = {}
    seen = 0
    for number, values in enumerate(steps, start=1):
        t, v = live.shown.t.copy(), live.shown.v.copy()
        for name, value in values.items():
            i = [c.name for c in CHANNELS].index(name)
            t[i], v[i] = number, value
            truth[name] = [number, value]
        live.shown = replace(live.shown, number=number, t=t, v=v)
        broadcast.look(data.draw(st.booleans()))
        if data.draw(st.booleans()):
            _, _, body = parsed(broadcast.since(seen))
            assert seen == 0 or all(known.get(name) != value for name, value in body["values"].items())
            known |= body["values"]
            seen = broadcast.tick
            assert known == truth
    known |= parsed(broadcast.since(seen))[2]["values"]
    assert known == truth


def test_clients_that_have_seen_the_same_share_one_encoding():
    broadcast = Broadcast(Still(picture(1, rpm=1.0)))
    assert broadcast.since(0) is broadcast.since(0)


def test_who_waits_is_woken_by_news_and_by_the_end():
    async def story() -> None:
        live = Still(picture(1))
        broadcast = Broadcast(live)
        broadcast.look()
        waiting = asyncio.create_task(broadcast.after(broadcast.tick))
        await asyncio.sleep(0)
        broadcast.look()
        await asyncio.sleep(0)
        assert not waiting.done()
        live.shown = picture(2, rpm=1.0)
        broadcast.look()
        await waiting
        waiting = asyncio.create_task(broadcast.after(broadcast.tick))
        await asyncio.sleep(0)
        broadcast.close()
        await waiting

    asyncio.run(story())


def test_a_newer_picture_makes_a_tick_of_its_own_and_nobody_waits_for_the_beat():
    async def story() -> None:
        live = Still(picture(1))
        broadcast = Broadcast(live)
        running = asyncio.create_task(broadcast.run())
        for number in range(2, 12):
            await asyncio.sleep(0)
            seen = broadcast.tick
            live.shown = picture(number, t=number, rpm=float(number))
            async with asyncio.timeout(20):
                await broadcast.after(seen)
            while "rpm" not in parsed(broadcast.since(seen))[2]["values"]:  # the first look tells the status
                seen = broadcast.tick
                async with asyncio.timeout(20):
                    await broadcast.after(seen)
            assert parsed(broadcast.since(seen))[2]["values"] == {"rpm": [number, float(number)]}
        broadcast.close()
        await running

    asyncio.run(story())
