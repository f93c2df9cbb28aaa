"""What a process says while it runs: one form for all of it, whoever says it, and nothing past it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pitwall.log import lock
from tests.cli.test_run import address, health, until

PROGRAM = """
import gc, logging, sys, threading, warnings
from pitwall import logger
logger.catch()
logger.begin("info", as_json={as_json}, process="recorder")
logger.follow("a-session")
logging.getLogger("pitwall.bus").info("two\\nlines, %s", "ä")
logging.getLogger("sanic.error").error("a library's")
logging.getLogger("pitwall.bus").debug("too fine")
warnings.warn("an old way")
thread = threading.Thread(target=lambda: 1 / 0, name="reader")
thread.start(); thread.join()
class Bad:
    def __del__(self): raise ValueError("in its end")
bad = Bad(); del bad; gc.collect()
logger.notice("answered")
"""


def said(as_json: bool) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(as_json=as_json)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_as_json_every_line_is_an_object_with_all_there_is_to_know() -> None:
    told = [json.loads(line) for line in said(as_json=True)]
    assert [one["message"].split(":")[0] for one in told] == [
        "two\nlines, ä",
        "a library's",
        "<string>",
        "the thread reader died",
        "ignored" if "ignored" in told[4]["message"] else told[4]["message"].split(":")[0],
        "answered",
    ]
    assert "an old way" in told[2]["message"]
    assert "ZeroDivisionError" in told[3]["error"]
    assert "in its end" in told[4]["error"]
    for one in told:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", one["t"])
        assert (one["process"], one["session"]) == ("recorder", "a-session")
        assert one["level"] in ("info", "warning", "error")


def test_for_people_a_line_has_date_level_process_and_session_and_an_answer_nothing() -> None:
    lines = said(as_json=False)
    head = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    assert re.fullmatch(head + r" INFO recorder a-session: two lines, ä", lines[0]), lines
    assert re.fullmatch(head + r" ERROR recorder a-session: a library's", lines[1]), lines
    assert lines[-1] == "pitwall: answered"
    assert any("ZeroDivisionError" in line for line in lines)


def test_all_processes_of_a_run_say_all_in_json(process: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    child = process("run", "--simulate", "--port", 0, "--log-json", "--log-level", "debug")
    where = address(child)
    until(lambda: (health(where) or {}).get("live", {}).get("session"))
    recorder = lock.recorder(tmp_path / "logs")
    assert recorder is not None
    processes = health(where)["processes"]
    assert processes["recorder"]["pid"] == recorder.pid
    assert all(10**7 < one["rss_bytes"] < 10**9 for one in processes.values())
    assert processes["server"]["since"] > "2020"
    subprocess.run(["kill", "-9", str(processes["server"]["pid"])], check=True)
    until(lambda: (found := health(where)) and found["processes"]["server"]["pid"] != processes["server"]["pid"])
    child.terminate()
    _, err = child.communicate(timeout=60)
    told = [json.loads(line) for line in err.splitlines()]
    assert {"recorder", "supervisor"} <= {one["process"] for one in told}
    assert any("was killed by signal 9" in one["message"] for one in told)
    assert any(one["session"] == recorder.state.session and "frames" in one["message"] for one in told)


@pytest.mark.parametrize("where", ["before", "after"])
def test_it_is_said_before_a_command_or_behind_it(pitwall: Callable[..., object], where: str) -> None:
    flags = ["--log-json"]
    words = ["record", "--car", "no-such-car", "--source", "slcan:nowhere"]
    answer = pitwall(*(flags + words if where == "before" else words + flags))
    (line,) = answer.err.splitlines()  # type: ignore[attr-defined]
    assert json.loads(line)["level"] == "error"


def test_bad_usage_of_a_command_is_said_in_the_form_that_was_asked_for(pitwall: Callable[..., object]) -> None:
    answer = pitwall("--log-json", "run", "--no-such-flag")
    assert answer.code == 2  # type: ignore[attr-defined]
    (line,) = answer.err.splitlines()  # type: ignore[attr-defined]
    assert "--no-such-flag" in json.loads(line)["message"]
