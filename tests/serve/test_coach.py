"""The coach over HTTP, beside a model that answers well, falsely, badly, slowly, or not at all."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import orjson
import pytest

from pitwall.log.published import Recorder, State
from pitwall.serve.model import client
from pitwall.serve.model.breaker import FAILURES
from pitwall.serve.model.exchange import ModelError
from pitwall.serve.model.settings import Settings
from pitwall.serve.newest import Still
from pitwall.serve.rates import BURST
from tests.serve.driven import FINDINGS, driven
from tests.serve.model_server import model_server
from tests.serve.stand import SID, FakeGarage, Stand, standing

BRIEF, DEBRIEF = f"/coach/brief?session={SID}", f"/coach/debrief?session={SID}"
GOOD = "You brake 112 m before the apex of T5, at your best 98 m. That is worth 0.31 s a lap."
ASKED = {"question": "Where do I lose the most?", "session": SID}


@contextmanager
def coached(model: Settings | None = None, live: Still | None = None):
    garage = FakeGarage({SID: driven()})
    with standing(live, garage, model=model or Settings(url=""), findings_of=lambda cursor: FINDINGS) as stand:
        yield stand


def asked(stand: Stand, **said: object) -> dict:
    status, _, body = stand.post("/coach/ask", {**ASKED, **said})
    assert status == 200, body
    return orjson.loads(body)


def three(stand: Stand) -> list[dict]:
    """What all three endpoints say, asked at once."""
    with ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(stand.json, BRIEF), pool.submit(stand.json, DEBRIEF), pool.submit(asked, stand)]
        return [call.result(30) for call in calls]


def events(body: bytes) -> list[tuple[str, dict]]:
    found = []
    for block in body.split(b"\n\n"):
        lines = dict(line.split(b": ", 1) for line in block.split(b"\n") if b": " in line and not line.startswith(b":"))
        if lines:
            found.append((lines[b"event"].decode(), orjson.loads(lines[b"data"])))
    return found


def test_without_a_model_the_rules_answer_and_say_so():
    with coached() as stand:
        brief, debrief, answer = three(stand)
        health = stand.json("/health")["llm"]
    for each in (brief, debrief, answer):
        assert each["source"] == "rules"
        assert each["why"] == "no language model is set up"
        assert not each["pending"]
        assert each["session"] == SID
        assert {"session": SID, "lap": 1, "corner": "T5", "distance_m": 812.0} in each["links"]
        assert {"name": "brake_point", "value": 112.0, "unit": "m", "usual": 98.0, "corner": "T5"} in each["figures"]
    assert debrief["best_lap"] == 3
    assert debrief["words"].startswith("Your best lap was lap 3, 102.318 s.")
    assert answer["words"].startswith("You lose the most at T5: 0.31 s a lap.")
    assert health["up"] is False
    assert health["url"] is None


def test_a_model_words_what_the_rules_say_and_its_answer_is_kept():
    live = Still()
    live.shown_recorder = Recorder(1, State())
    with model_server("well", GOOD) as model, coached(model.settings(), live) as stand:
        debrief = stand.json(DEBRIEF)
        health = stand.json("/health")["llm"]
        stand.json(DEBRIEF)
    assert debrief["source"] == "model"
    assert debrief["words"] == GOOD
    assert debrief["points"][0]["where"] == "T5"
    assert (health["up"], health["breaker"], health["answered"], health["rejected"]) == (True, "closed", 1, 0)
    assert len(model.asked) == 1, "an answer is written once"
    ((session, fact),) = live.answers
    assert session == SID
    assert (fact["agent"], fact["words"], fact["refused"], fact["model"]) == ("debrief", GOOD, None, "small")
    told = model.asked[0]["messages"]
    assert "112 m, at your best 98 m, difference 14 m" in told[1]["content"]
    assert model.asked[0]["max_tokens"] == 400


@pytest.mark.parametrize("said", ["<think>They lost 99 s at T77.</think>\n" + GOOD, GOOD])
def test_what_a_model_thinks_aloud_is_not_told(said):
    with model_server("well", said) as model, coached(model.settings()) as stand:
        assert stand.json(BRIEF)["words"] == GOOD


@pytest.mark.parametrize("manner", ["at once", "knows no HEAD"])
def test_servers_that_do_less_will_do(manner):
    with model_server(manner, GOOD) as model, coached(model.settings()) as stand:
        assert stand.json(BRIEF)["source"] == "model"


@pytest.mark.parametrize(
    "lie",
    [
        "You brake 113 m before the apex of T5.",
        "At T5 you lose 0.18 s a lap, so brake later.",
        "You lose half a second at T5, that is a lot.",
        "You brake a hundred and thirteen metres before T5.",
        "At T5 you brake too early on lap 3 of the session.",
        "T7 is where you lose the most, so brake later.",
        "Bananas are yellow, and the sky is blue today.",
        "Vous freinez trop tôt dans le virage nommé T5, attendez encore un petit peu avant de freiner.",
        "<b>Brake later for T5.</b>",
        "T5 T5 T5 T5 T5 T5 T5 T5",
        "",
        "Brake later for T5. " * 200,
    ],
)
def test_an_answer_that_is_not_borne_out_is_refused_and_the_rules_answer(lie):
    live = Still()
    live.shown_recorder = Recorder(1, State())
    with model_server("well", lie) as model, coached(model.settings(), live) as stand:
        answer = stand.json(BRIEF)
        again = stand.json(BRIEF)
        health = stand.json("/health")["llm"]
    assert answer["source"] == "rules"
    assert "refused" in answer["why"]
    assert answer["words"].startswith("You brake 112 m before the apex of T5")
    assert again == answer
    assert len(model.asked) == 1, "what was refused is not asked for again at once"
    assert (health["answered"], health["rejected"], health["breaker"]) == (0, 1, "closed")
    assert live.answers[0][1]["words"] is None
    assert "refused" in live.answers[0][1]["refused"]
    assert live.answers[0][1]["said"]


@pytest.mark.parametrize(
    "manner",
    [
        "hangs",
        "resets",
        "waits",
        "dribbles",
        "dribbles words",
        "resets midway",
        "stops midway",
        "floods",
        "never ends a line",
        "is html",
        "is broken",
        "is garbage",
        "refuses",
        "streams html",
        "sends no JSON",
        "sends other JSON",
        "says nothing",
        "redirects",
    ],
)
def test_beside_a_model_that_fails_every_endpoint_answers_from_the_rules(manner):
    with model_server(manner, GOOD) as model, coached(model.settings()) as stand:
        answers = three(stand)
        model.let_go.set()
    for answer in answers:
        assert answer["source"] == "rules"
        assert answer["why"]
        assert answer["words"]
        assert answer["figures"]


def test_where_nobody_set_one_up_none_is_said_to_be_down(monkeypatch):
    async def nobody(_settings):
        raise ModelError("can't be reached: Connection refused")

    monkeypatch.setattr(client, "probe", nobody)
    with coached(Settings()) as stand:
        assert [answer["why"] for answer in three(stand)] == ["no language model is set up"] * 3


def test_a_model_that_is_not_there_costs_nothing():
    with model_server() as model:
        gone = model.settings()
    with coached(gone) as stand:
        answers = three(stand)
        health = stand.json("/health")["llm"]
    assert all(answer["source"] == "rules" and "can't be reached" in answer["why"] for answer in answers)
    assert health["up"] is False
    assert "can't be reached" in health["last_error"]


def test_a_dead_one_is_left_alone_after_some_failures():
    with model_server("stops midway") as model, coached(model.settings()) as stand:
        for _ in range(FAILURES + 3):
            assert stand.json(BRIEF)["source"] == "rules"
        health = stand.json("/health")["llm"]
        assert "left alone" in stand.json(BRIEF)["why"]
    assert len(model.asked) == FAILURES
    assert (health["breaker"], health["failed"]) == ("open", FAILURES)


def test_an_answer_that_comes_late_is_there_for_who_asks_again():
    with model_server("waits", GOOD) as model, coached(model.settings()) as stand:
        first = stand.json(BRIEF)
        assert (first["source"], first["pending"]) == ("rules", True)
        model.let_go.set()
        for _ in range(20):  # each waits for it for as long as an answer may take
            later = stand.json(BRIEF)
            if not later["pending"]:
                break
    assert (later["source"], later["words"]) == ("model", GOOD)
    assert len(model.asked) == 1


def test_a_stream_has_the_rules_first_then_checked_words_then_the_answer():
    with model_server("well", GOOD) as model, coached(model.settings()) as stand:
        status, headers, body = stand.ask(f"{DEBRIEF}&stream=true")
    assert status == 200
    assert headers["content-type"] == "text/event-stream"
    (first, rules), *words, (last, answer) = events(body)
    assert (first, rules["source"], rules["pending"]) == ("rules", "rules", True)
    assert {kind for kind, _ in words} == {"words"}
    assert all(GOOD.startswith(said["words"].strip()) for _, said in words)
    assert (last, answer["source"], answer["words"]) == ("answer", "model", GOOD)


def test_a_stream_never_tells_a_number_that_is_not_given():
    said = "You brake 112 m before the apex of T5. You lose 0.99 s there. That is all."
    with model_server("well", said) as model, coached(model.settings()) as stand:
        _, _, body = stand.post("/coach/ask", {**ASKED, "stream": True})
    assert b"0.99" not in b"".join(block for block in body.split(b"\n\n") if b"event: words" in block)
    kind, answer = events(body)[-1]
    assert (kind, answer["source"]) == ("answer", "rules")
    assert "'0.99 s' is not among the figures" in answer["why"]


@pytest.mark.parametrize("manner", ["is broken", "stops midway", "resets"])
def test_a_stream_beside_a_model_that_fails_ends_with_the_rules(manner):
    with model_server(manner) as model, coached(model.settings()) as stand:
        _, _, body = stand.ask(f"{BRIEF}&stream=1")
    assert [kind for kind, _ in events(body) if kind != "words"] == ["rules", "answer"]
    assert events(body)[-1][1]["source"] == "rules"


def test_a_model_that_asks_may_look_things_up():
    turns = (
        [("laps", {}), ("channel", {"channel": "oil_temp"})],
        [("sql", {"query": "SELECT max(top_speed_mps) AS top_mps FROM laps WHERE flying"})],
        "Lap 3 was the fastest, 1:42.318. The oil reached 89.9 °C, and you 199.8 km/h.",
    )
    with model_server("well", *turns) as model, coached(model.settings()) as stand:
        answer = asked(stand, question="How hot was the oil when I was fastest?")
    assert answer["source"] == "model", answer["why"]
    assert [each["tool"] for each in answer["looked_up"]] == ["laps", "channel", "sql"]
    assert [tool["function"]["name"] for tool in model.asked[0]["tools"]][:2] == ["laps", "sectors"]
    results = [message for message in model.asked[2]["messages"] if message["role"] == "tool"]
    assert len(results) == 3
    assert orjson.loads(results[2]["content"])["rows"] == [{"top_mps": 55.5}]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (("sql", {"query": "SELECT 99.0 AS best_s FROM laps"}), "can't be selected|must come from a table"),
        (("sql", {"query": "DROP TABLE laps"}), "no SELECT"),
        (("sql", {"query": "SELECT * FROM read_csv('/etc/passwd')"}), "only tables"),
        (("shell", {"command": "ls"}), "no tool"),
        (("laps", {"no": 1}), "no argument"),
        (("channel", {"channel": 5}), "type string"),
        (("compare", {"lap_a": 1}), "lap_b is missing"),
        (("channel", {"channel": "nothing"}), "no channel"),
    ],
)
def test_a_tool_that_is_called_wrongly_says_why_and_the_lie_is_refused(call, said):
    import re

    turns = ([call], "Your best lap took 99.0 s, and that is the truth.")
    with model_server("well", *turns) as model, coached(model.settings()) as stand:
        answer = asked(stand, question="What is the meaning of it all?")
    assert answer["source"] == "rules"
    assert re.search(said, model.asked[1]["messages"][-1]["content"])


def test_a_model_that_only_calls_tools_is_stopped():
    with model_server("well", [("laps", {})]) as model, coached(model.settings()) as stand:
        answer = asked(stand)
    assert answer["source"] == "rules"
    assert "calls tools" in answer["why"]
    assert len(model.asked) == 4
    assert "tools" not in model.asked[-1]


@pytest.mark.parametrize(
    ("body", "status", "name"),
    [
        (b"{", 400, "bad-parameter"),
        (b"[]", 400, "bad-parameter"),
        (b"{}", 400, "bad-parameter"),
        (b'{"question": 5}', 400, "bad-parameter"),
        (b'{"question": "x", "level": "expert"}', 400, "bad-parameter"),
        (b'{"question": "x", "more": 1}', 400, "bad-parameter"),
        (b'{"question": "x", "stream": "perhaps"}', 400, "bad-parameter"),
        (b'{"question": "x", "agent": "nobody"}', 404, "unknown-agent"),
        (b'{"question": "x", "session": "none"}', 404, "unknown-session"),
        (b'{"question": "' + b"x" * 600 + b'"}', 413, "too-long"),
        (b'{"question": "' + b"x" * 9000 + b'"}', 413, "too-long"),
        (b"[" * 5000, 400, "bad-parameter"),
        (b"\xff\xfe", 400, "bad-parameter"),
    ],
)
def test_a_question_that_makes_no_sense_is_explained(body, status, name):
    with coached() as stand:
        found, headers, said = stand.post("/coach/ask", body)
    assert (found, orjson.loads(said)["type"]) == (status, f"urn:pitwall:problem:{name}")
    assert headers["content-type"] == "application/problem+json"
    assert orjson.loads(said)["hint"]


@pytest.mark.parametrize("query", ["level=expert", "stream=perhaps", "points=3", "against=none"])
def test_parameters_that_make_no_sense_are_explained(query):
    with coached() as stand:
        status, _, said = stand.ask(f"{DEBRIEF}&{query}")
    assert status in (400, 404)
    assert orjson.loads(said)["hint"]


def test_who_asks_too_often_is_told_when_to_come_back():
    with coached() as stand:
        answers, refused = 0, []
        while len(refused) < 3:  # on a busy machine tokens come back meanwhile
            status, headers, _ = stand.ask("/coach/agents")
            answers += 1
            assert status in (200, 429)
            refused += [headers] if status == 429 else []
            assert answers >= BURST or not refused
        assert all(int(headers["Retry-After"]) >= 1 for headers in refused)
        assert stand.ask("/health")[0] == 200, "nobody else is kept out"
        assert stand.json("/health")["limits"]["too_often"]["coach"] == len(refused)


def test_agents_are_listed_and_loaded_when_first_used():
    with model_server("well", GOOD) as model, coached(model.settings()) as stand:
        before = {agent["name"]: agent for agent in stand.json("/coach/agents")["agents"]}
        stand.json(BRIEF)
        after = {agent["name"]: agent for agent in stand.json("/coach/agents")["agents"]}
    assert {"brief", "debrief", "ask", "corner", "setup"} <= set(before)
    assert not any(agent["loaded"] for agent in before.values())
    assert [name for name, agent in after.items() if agent["loaded"]] == ["brief"]
    assert all(agent["error"] is None for agent in before.values())


def test_an_agent_that_is_wrong_costs_its_words_alone(tmp_path):
    (tmp_path / "brief.yaml").write_text("agent: brief\ndoes: words it\nfigures: brief\nnothing: here\n")
    with model_server("well", GOOD) as model:
        settings = Settings(model.settings().url, agents=tmp_path)
        with coached(settings) as stand:
            answer = stand.json(BRIEF)
    assert answer["source"] == "rules"
    assert "brief.yaml:4:1: unknown key 'nothing'" in answer["why"]


def test_a_novice_is_told_less():
    with coached() as stand:
        novice, advanced = (stand.json(f"{DEBRIEF}&level={level}") for level in ("novice", "advanced"))
    assert len(novice["words"]) < len(advanced["words"])
    assert len(novice["points"]) == len(advanced["points"])


def test_a_server_that_stops_does_not_wait_for_a_model():
    with model_server("waits") as model, coached(model.settings()) as stand:
        heard: list[bytes] = []
        thread = threading.Thread(target=lambda: heard.append(stand.ask(f"{BRIEF}&stream=1")[2]))
        thread.start()
        assert model.chatted.wait(20)
        stand.stop.set()
        thread.join(20)
        assert not thread.is_alive()
        assert not model.let_go.is_set()
    assert events(heard[0])[-1][1]["why"] == "the server stops"


def test_a_flood_takes_no_memory():
    import resource

    with model_server("floods") as model, coached(model.settings()) as stand:
        stand.json(BRIEF)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(3):
            stand.json(BRIEF)
        grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kb < 50_000
