"""What stands around the model: breaker, health, restarts, settings, agents, tools, rates."""

from __future__ import annotations

import asyncio
import json
import sys
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.errors import UsageError
from pitwall.serve.limits import CLIENTS
from pitwall.serve.model import agents
from pitwall.serve.model.agents import Agents, load
from pitwall.serve.model.breaker import FAILURES, FIRST_S, LONGEST_S, Breaker
from pitwall.serve.model.health import DOWN_S, KEEP_S, Health
from pitwall.serve.model.rows import MAX_ROWS, ToolError
from pitwall.serve.model.settings import DEFAULT_URL, SHIPPED, Settings
from pitwall.serve.model.settings import settings as said_by
from pitwall.serve.model.tools import call
from pitwall.serve.rates import BURST, EVERY_S, Rates
from tests.serve.driven import driven
from tests.serve.model_server import model_server


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=60))
def test_a_breaker_lets_one_call_at_a_time_try_a_server_that_fails(steps):
    breaker, now_s, failures, opened_s, pause_s = Breaker(), 0.0, 0, None, 0.0
    for wait_s, works in steps:
        now_s += wait_s
        state = breaker.state(now_s)
        if opened_s is None:
            assert state == "closed"
        else:
            assert state == ("open" if now_s - opened_s < pause_s else "half-open")
        if not breaker.may_call(now_s):
            assert state == "open"
            continue
        if state == "half-open":
            assert not breaker.may_call(now_s), "one at a time"
        if works:
            breaker.succeeded()
            failures, opened_s, pause_s = 0, None, 0.0
        else:
            breaker.failed(now_s)
            failures += 1
            if state == "half-open" or failures >= FAILURES:
                pause_s = min(LONGEST_S, 2 * pause_s or FIRST_S)
                opened_s = now_s


def test_a_trial_that_is_given_up_leaves_room_for_another():
    breaker = Breaker()
    for _ in range(FAILURES):
        breaker.failed(0.0)
    assert breaker.may_call(FIRST_S)
    breaker.gave_up()
    assert breaker.may_call(FIRST_S)


def test_a_probe_is_kept_and_there_is_one_at_a_time():
    async def probed() -> None:
        clock = Clock()
        checked = Health(model.settings(), clock)
        assert await asyncio.gather(*(checked.is_up() for _ in range(20))) == [True] * 20
        assert model.probes == 1
        clock.now_s += KEEP_S - 0.1
        assert await checked.is_up()
        assert model.probes == 1
        clock.now_s += 0.2
        assert await checked.is_up()
        assert model.probes == 2

    with model_server() as model:
        asyncio.run(probed())


@pytest.mark.parametrize("manner", ["is broken", "is html", "resets", "is garbage"])
def test_what_does_not_answer_as_it_should_is_down(manner):
    async def probed() -> tuple[bool, str]:
        checked = Health(model.settings())
        return await checked.is_up(), checked.last_error

    with model_server(manner) as model:
        up, why = asyncio.run(probed())
    assert up is (manner == "is html"), "a server that answers 200 is up until it is asked something"
    assert up or why


def test_a_server_that_is_down_for_long_is_restarted_once_and_then_less_and_less(tmp_path):
    ran = tmp_path / "ran"
    command = (sys.executable, "-c", f"open({str(ran)!r}, 'a').write('x')")
    clock = Clock()
    with model_server() as model:
        dead = model.settings(restart=command)

    async def watched() -> list[float]:
        checked = Health(dead, clock)
        began_s, restarts = clock.now_s, []
        while clock.now_s < began_s + 2000:
            before = checked.restarts
            await checked.is_up()
            await checked.tend()
            if checked.restarts > before:
                restarts.append(clock.now_s - began_s)
            clock.now_s += KEEP_S
        assert checked.report()["restarts"] == len(restarts)
        return restarts

    restarts = asyncio.run(watched())
    pauses = [b - a for a, b in pairwise([0.0, *restarts])]
    assert pauses[0] == DOWN_S
    assert pauses[1:] == sorted(pauses[1:])
    assert all(b == pytest.approx(2 * a) for a, b in pairwise(pauses[1:]))
    assert ran.read_text() == "x" * len(restarts)
    assert 3 <= len(restarts) <= 6


def test_one_that_is_up_again_is_not_restarted(tmp_path):
    ran = tmp_path / "ran"
    clock = Clock()

    async def watched() -> None:
        checked = Health(Settings(f"http://127.0.0.1:{port}/v1", restart=("touch", str(ran))), clock)
        assert not await checked.is_up()
        clock.now_s += DOWN_S - KEEP_S
        with model_server(port=port):
            assert await checked.is_up()
        clock.now_s += 2 * KEEP_S
        assert not await checked.is_up()
        await checked.tend()
        assert checked.restarts == 0

    with model_server() as model:
        port = model.port
    asyncio.run(watched())
    assert not ran.exists()


@pytest.mark.parametrize("command", [("/nowhere/at-all",), (sys.executable, "-c", "raise SystemExit(3)")])
def test_a_restart_that_fails_says_so(command):
    async def watched() -> str:
        checked = Health(gone, clock)
        await checked.is_up()
        clock.now_s += DOWN_S
        await checked.tend()
        return checked.last_error

    clock = Clock()
    with model_server() as model:
        gone = model.settings(restart=command)
    assert "restart" in asyncio.run(watched())


def test_a_restart_that_hangs_is_ended():
    clock = Clock()
    with model_server() as model:
        gone = model.settings(restart=("sleep", "600"))

    async def watched() -> None:
        checked = Health(gone, clock, command_s=0.2)
        await checked.is_up()
        clock.now_s += DOWN_S
        await checked.tend()
        assert checked.restarts == 1

    asyncio.run(watched())


def test_settings_come_from_the_environment():
    assert said_by({}) == Settings(DEFAULT_URL)
    assert said_by({"PITWALL_LLM_URL": "off"}).url == said_by({"PITWALL_LLM_URL": ""}).url == ""
    found = said_by({"PITWALL_LLM_URL": "http://user:pw@box:1/v1/", "PITWALL_LLM_RESTART": "am start -n 'a b'"})
    assert (found.url, found.restart) == ("http://user:pw@box:1/v1", ("am", "start", "-n", "a b"))
    assert found.shown_url == "http://box:1/v1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PITWALL_LLM_URL", "127.0.0.1:8099"),
        ("PITWALL_LLM_URL", "ftp://x/v1"),
        ("PITWALL_LLM_URL", "http://"),
        ("PITWALL_LLM_URL", "http://x:99999/v1"),
        ("PITWALL_LLM_URL", "http://x/v1?a=b"),
        ("PITWALL_LLM_URL", "http://x/v 1"),
        ("PITWALL_LLM_URL", "http://x/v1\r\nX: y"),
        ("PITWALL_LLM_MODEL", "a\nb"),
        ("PITWALL_LLM_KEY", "schlüssel"),
        ("PITWALL_LLM_RESTART", "am 'start"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(name, value):
    with pytest.raises(UsageError) as error:
        said_by({name: value})
    assert str(error.value).startswith(f"{name}: ")
    assert "\n" not in str(error.value)


GOOD = (SHIPPED / "ask.yaml").read_text()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("does:", "doing:", "agent.yaml:2:1: unknown key 'doing'"),
        ("figures: question", "figures: questions", "agent.yaml:3:1: figures: 'questions' is not known"),
        ("tools: [laps", "tools: [lap", "agent.yaml:11:9: tools[1]: 'lap' is not known"),
        ("rounds: 3", "rounds: 300", "agent.yaml:12:10: limits.rounds: 300 is more than 6"),
        ("tokens: 400", "tokens: many", "agent.yaml:12:21: limits.tokens: a number is expected"),
        ("  novice: Plain words, no terms.\n", "", "agent.yaml:7:1: levels: novice: is missing"),
        ("agent: agent", "agent: other", "the file is called 'agent', and the agent 'other'"),
        ("agent: agent", "agent: [", "agent.yaml:"),
        (GOOD.replace("agent: ask", "agent: agent"), "just text", "holds no agent (it begins with agent:"),
        (GOOD.replace("agent: ask", "agent: agent"), "x" * 70_000, "is longer than"),
    ],
)
def test_what_is_wrong_with_an_agent_is_said_with_its_line(tmp_path, old, new, said):
    file = tmp_path / "agent.yaml"
    good = GOOD.replace("agent: ask", "agent: agent")
    assert old in good
    file.write_text(good.replace(old, new))
    with pytest.raises(UsageError) as error:
        load(file)
    assert said in str(error.value)


def test_an_agent_is_loaded_when_first_used_read_again_when_edited_and_let_go_when_idle(tmp_path):
    file = tmp_path / "ask.yaml"
    file.write_text(GOOD)
    clock = Clock()
    held = Agents(tmp_path, clock)
    assert held.report()[0]["loaded"] is False
    first = held.get("ask")
    assert held.get("ask") is first
    file.write_text(GOOD.replace("rounds: 3", "rounds: 2"))
    assert held.get("ask").limits.rounds == 2
    assert held.report()[0]["loaded"] is True
    clock.now_s += agents.IDLE_S
    held.let_go()
    assert held.report()[0]["loaded"] is False
    with pytest.raises(UsageError, match="no agent"):
        held.get("../ask")


def test_the_agents_that_ship_are_right():
    assert [report["error"] for report in Agents(SHIPPED).report()] == [None] * len(list(SHIPPED.glob("*.yaml")))


@pytest.fixture(scope="module")
def cursor():
    return driven().cursor()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 42 AS best_s FROM laps",
        "SELECT time_s + 1 AS a_s FROM laps",
        "SELECT time_s * 7 AS a_s FROM laps",
        "SELECT * FROM range(42)",
        "VALUES (42)",
        "WITH x AS (SELECT 42 AS a) SELECT a FROM x",
        "SELECT CAST('42' AS INT) + number AS a FROM laps",
        "SELECT (SELECT 41.5) + number AS a_s FROM laps",
        "SELECT 1 FROM laps",
        "SELECT unnest([42, 43]) FROM laps",
        "SELECT coalesce(delta_s, 3.6) AS d_s FROM laps",
        "SELECT CASE WHEN number = 1 THEN 60 ELSE time_s END AS t_s FROM laps",
        "SELECT time_s, 'T5 42' AS corner FROM laps",
        "DROP TABLE laps",
        "SELECT 1; SELECT 2",
        "SELECT * FROM read_csv('/etc/passwd')",
        "COPY laps TO '/tmp/x'",
        "ATTACH '/tmp/x'",
        "SELECT getenv('HOME') FROM laps",
        "",
        "SELECT",
        "SELECT time_s FROM laps -- " + "x" * 3000,
    ],
)
def test_sql_that_writes_reaches_out_or_states_numbers_is_refused(cursor, sql):
    with pytest.raises(ToolError):
        call(cursor, "sql", json.dumps({"query": sql}), ["sql"])


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT time_s FROM laps WHERE number = 3", [[102.318]]),
        ("SELECT round(max(top_speed_mps) * 3.6, 1) AS top_kmh FROM laps", [[199.8]]),
        ("SELECT median(time_s) AS m_s, count(*) AS n FROM laps WHERE time_s < 104 LIMIT 5", [[102.8075, 4]]),
        ("SELECT max(t_end - t_start) / 1e9 AS d_s FROM laps WHERE number > 0", [[1.0]]),
        (
            "SELECT a.time_s FROM laps a JOIN sectors s ON a.number = s.lap AND s.number = 1 WHERE a.number = 3",
            [[102.318]],
        ),
    ],
)
def test_sql_that_reads_is_answered(cursor, sql, rows):
    found = call(cursor, "sql", json.dumps({"query": sql}), ["sql"]).rows
    assert [list(row) for row in found] == [pytest.approx(row) for row in rows]


def test_a_tool_gives_no_more_rows_than_one_can_read(cursor):
    found = call(cursor, "sql", json.dumps({"query": "SELECT t, oil_temp FROM engine"}), ["sql"])
    assert (len(found.rows), found.more) == (MAX_ROWS, True)
    assert found.facts()["more"] is True
    assert not found.ground().counts


def test_rows_are_a_ground_to_stand_on(cursor):
    ground = call(cursor, "compare", json.dumps({"lap_a": 3, "lap_b": 5}), ["compare"]).ground()
    assert {3, 5} <= ground.laps
    assert ground.sectors == {1, 2, 3}
    assert any(given.unit == "s" and given.value == pytest.approx(0.426) for given in ground.figures)


def test_a_client_that_asks_too_often_waits_and_another_does_not():
    rates = Rates()
    assert [rates.wait_s("a", 0.0) for _ in range(BURST)] == [0.0] * BURST
    assert rates.wait_s("a", 0.0) == EVERY_S
    assert rates.wait_s("b", 0.0) == 0.0
    assert rates.wait_s("a", EVERY_S) == 0.0
    assert rates.wait_s("a", EVERY_S) == EVERY_S
    assert rates.refused == 2
    for client in range(3 * CLIENTS):
        rates.wait_s(str(client), 1.0)
    assert len(rates._buckets) == CLIENTS
