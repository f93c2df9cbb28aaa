"""The coach from outside: a whole drive is advised on, and what a model answers stands in the session's log."""

from __future__ import annotations

import http.client
import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.conftest import Pitwall
from tests.cli.test_run import address, health, until
from tests.serve.model_server import model_server

Start = Callable[..., "subprocess.Popen[str]"]


def get(where: tuple[str, int], path: str, body: object = None) -> Any:
    connection = http.client.HTTPConnection(*where, timeout=60)
    try:
        connection.request("GET" if body is None else "POST", path, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        said = answer.read()
        assert answer.status == 200, said
        return json.loads(said)
    finally:
        connection.close()


def test_a_simulated_drive_is_advised_on_by_the_rules(process: Start, pitwall: Pitwall) -> None:
    mistakes = ("--mistake", "brake-early@T3:1", "--mistake", "coast@T2:4")
    assert pitwall("simulate", "--laps", 6, "--seed", 1, *mistakes).code == 0
    child = process("serve", "--port", 0)
    where = address(child)
    debrief = until(lambda: (found := get(where, "/coach/debrief"))["points"] and found)
    assert debrief["source"] == "rules"
    assert debrief["laps"] >= 4
    assert debrief["best_lap"] in {lap["number"] for lap in pitwall("laps", "latest", "--json").json}
    assert all(link["session"] == debrief["session"] for link in debrief["links"])
    assert {link["lap"] for link in debrief["links"]}
    brief = get(where, "/coach/brief?level=advanced")
    assert [point["where"] for point in brief["points"]]
    asked = get(where, "/coach/ask", {"question": "What was my fastest lap?"})
    assert f"lap {debrief['best_lap']}:" in asked["words"]
    child.terminate()
    assert child.wait(60) == 0


def test_what_a_model_answers_while_a_session_is_recorded_is_a_control_row(
    process: Start, pitwall: Pitwall, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "So far 0 laps count, so drive a little more before you ask."
    with model_server("well", said) as model:
        monkeypatch.setenv("PITWALL_LLM_URL", model.settings().url)
        child = process("run", "--simulate", "--port", 0)
        where = address(child)
        until(lambda: (health(where) or {}).get("live", {}).get("session"))
        until(lambda: health(where)["llm"]["up"])
        question = {"question": "How many laps did I drive?"}
        answer = until(lambda: (found := get(where, "/coach/ask", question))["source"] == "model" and found)
        assert answer["words"] == said
        until(lambda: health(where)["llm"]["kept"] == 1)
        child.terminate()
        assert child.wait(60) == 0
    (row,) = pitwall("query", "latest", "SELECT fact FROM control WHERE kind = 'answer'", "--json").json
    fact = json.loads(row["fact"])
    assert (fact["words"], fact["question"], fact["model"]) == (said, question["question"], "small")


def test_a_setting_that_makes_no_sense_is_one_line(pitwall: Pitwall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PITWALL_LLM_URL", "nowhere")
    answer = pitwall("serve", "--port", 0)
    assert answer.code == 2
    assert answer.line().startswith("pitwall: PITWALL_LLM_URL: 'nowhere' is no address")
