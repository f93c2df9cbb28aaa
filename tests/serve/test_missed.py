"""A client of `/live` that comes back gets what it missed, over real sockets, and of a server that was killed."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from dataclasses import replace

import duckdb
import numpy as np
import orjson
import pytest

from pitwall.serve.limits import MISSED_NS, MISSED_POINTS
from pitwall.serve.missed import Left, left
from pitwall.serve.newest import Still
from tests.serve.stand import SID, FakeGarage, picture, projection, standing
from tests.serve.test_live import begin, drive, serving, write  # noqa: F401 — a fixture

S = 10**9
LAST_S = 100
CUES = (
    "CREATE TABLE cues (t BIGINT, lap BIGINT, distance_m DOUBLE, priority VARCHAR, what VARCHAR, corner VARCHAR, "
    "ahead_m DOUBLE, worth_s DOUBLE, novice VARCHAR, intermediate VARCHAR, advanced VARCHAR)"
)


def garage() -> FakeGarage:
    """100 s at 100 Hz with one peak at 70 s, two laps that ended, two cues."""
    t = [i * S // 100 for i in range(LAST_S * 100 + 1)]
    con: duckdb.DuckDBPyConnection = projection(
        {("fast", "rpm"): (t, [9e3 if at == 70 * S else at / S for at in t]), ("slow", "oil"): ([0], [80.0])}
    )
    con.execute(
        "CREATE VIEW signals AS SELECT t, 'rpm' AS channel, rpm AS value FROM fast "
        "UNION ALL SELECT t, 'oil' AS channel, oil AS value FROM slow"
    )
    con.execute("CREATE TABLE laps (number BIGINT, t_start BIGINT, t_end BIGINT)")
    con.execute("CREATE TABLE sectors (lap BIGINT, number BIGINT, time_s DOUBLE)")
    con.execute(CUES)
    for lap, at in ((1, 30 * S), (2, 80 * S)):
        con.execute("INSERT INTO laps VALUES (?, ?, ?)", [lap, at - 30 * S, at])
        con.execute("INSERT INTO cues VALUES (?, ?, 9, 'time', 'coasts', NULL, NULL, 0.1, 'a', 'b', 'c')", [at, lap])
    return FakeGarage({SID: con})


def still() -> Still:
    """All of it is projected, and questions see it."""
    shown = picture(10_000, t=LAST_S * S, rpm=float(LAST_S))
    return Still(replace(shown, status=replace(shown.status, committed=10_000)))


def come_back(port: int, id: str, *, by_query: bool = False) -> Iterator[tuple[str, str, dict]]:
    """Id, kind and body of what a client hears that left at `id`."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        if by_query:
            connection.request("GET", f"/live?last_event_id={id}")
        else:
            connection.request("GET", "/live", headers={"Last-Event-ID": id})
        response, said = connection.getresponse(), {}
        assert response.status == 200
        while line := response.readline().decode():
            key, colon, value = line.rstrip("\n").partition(": ")
            if key and colon:
                said[key] = value
            elif "data" in said:
                yield said["id"], said["event"], orjson.loads(said["data"])
                said = {}
    finally:
        connection.close()


@pytest.mark.parametrize("by_query", [False, True])
def test_who_comes_back_gets_all_since_it_left_with_its_peak_laps_and_cues(by_query):
    with standing(still(), garage()) as stand:
        heard = come_back(stand.port, f"{SID}@6000@{60 * S}", by_query=by_query)
        assert next(heard)[1] == "state"
        id, kind, body = next(heard)
        heard.close()
    assert (id, kind, body["session"]) == (f"{SID}@10000@{LAST_S * S}", "missed", SID)
    assert (body["t_from"], body["t_to"], body["whole"]) == (60 * S, LAST_S * S, True)
    rpm = body["signals"]["rpm"]
    assert len(rpm["t"]) == len(rpm["v"]) <= MISSED_POINTS
    assert (rpm["t"][0], rpm["t"][-1], max(rpm["v"])) == (60 * S, LAST_S * S, 9e3)
    assert "oil" not in body["signals"]
    assert [lap["number"] for lap in body["laps"]] == [2]
    words = {"novice": "a", "intermediate": "b", "advanced": "c"}
    assert [(cue["t"], cue["words"]) for cue in body["cues"]] == [(80 * S, words)]


@pytest.mark.parametrize("id", [f"{SID}@1@{S}", f"{SID}@1"])
def test_who_was_away_for_longer_gets_the_last_minute_and_is_told_that_it_is_not_all(id):
    with standing(still(), garage()) as stand:
        heard = come_back(stand.port, id)
        next(heard)
        _, kind, body = next(heard)
        heard.close()
    assert (kind, body["whole"]) == ("missed", False)
    assert (body["t_from"], body["t_to"]) == (LAST_S * S - MISSED_NS, LAST_S * S)


@pytest.mark.parametrize("id", [f"{SID}-other@5@{S}", "-@0", "no", f"{SID}@x@y", f"{SID}@1@{'9' * 40}", "@" * 500])
def test_an_id_of_another_session_or_none_gets_just_the_state(id):
    live = still()
    with standing(live, garage()) as stand:
        heard = come_back(stand.port, id)
        assert next(heard)[1] == "state"
        live.shown = replace(live.shown, number=10_001, v=live.shown.v + 1, t=live.shown.t + S)
        assert next(heard)[1] == "values"
        heard.close()


def test_a_session_that_can_not_be_asked_says_so_and_the_stream_goes_on():
    live = still()
    with standing(live, FakeGarage({SID: duckdb.connect()})) as stand:
        heard = come_back(stand.port, f"{SID}@6000@{60 * S}")
        assert next(heard)[1] == "state"
        _, kind, body = next(heard)
        assert (kind, body["problem"]["status"]) == ("missed", 503)
        live.shown = replace(live.shown, number=10_001, v=live.shown.v + 1, t=live.shown.t + S)
        assert next(heard)[1] == "values"
        heard.close()


def test_an_id_is_read_with_and_without_its_time():
    assert left("a-b.c_d@12@34") == Left("a-b.c_d", 34, 12)
    assert left("a@12") == Left("a", 0, 12)
    assert left("") is left("a@") is left("a@1@") is left("a@١") is None


def test_a_server_that_was_killed_and_is_back_gives_what_was_recorded_meanwhile(tmp_path, drive):  # noqa: F811
    writer = begin(tmp_path / "logs")
    write(writer, drive, 0, 5_000)
    writer.sync()
    with serving(tmp_path) as (process, port):
        heard = come_back(port, "")
        while not (event := next(heard))[2].get("values"):
            pass
        id = event[0]
        process.kill()
        process.wait(60)
        heard.close()
    write(writer, drive, 5_000, 12_000)
    writer.sync()
    with serving(tmp_path) as (_, port):
        heard = come_back(port, id)
        body = next(body for _, kind, body in heard if kind == "missed")
        heard.close()
    writer.end(int(drive.t[12_000]))
    since = left(id)
    assert since is not None
    assert (body["t_from"], body["whole"]) == (since.t, True)
    assert body["t_to"] > int(drive.t[11_000])
    at = np.array(body["signals"]["rpm"]["t"])
    assert ((at >= since.t) & (at <= body["t_to"])).all()
    assert at[-1] > int(drive.t[11_000])
