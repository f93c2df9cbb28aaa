"""`pitwall run` from outside: a page with live values, either half lost and found again, an end that leaves nothing."""

from __future__ import annotations

import http.client
import json
import os
import re
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from pitwall.commands import run
from pitwall.commands.children import Child
from pitwall.frames import Flag, concat, in_log_order
from pitwall.log import read
from tests.cli.conftest import Pitwall
from tests.cli.hog import FRAMES_BEFORE, plugin

Start = Callable[..., "subprocess.Popen[str]"]

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="children are looked up in /proc")


def children(pid: int) -> dict[str, int]:
    """The processes that `pid` has started and that live: the word of pitwall that each was started with -> pid."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parts = stat.read_text().rpartition(")")[2].split()
            words = stat.with_name("cmdline").read_text().split("\0")
        except OSError:
            continue
        half = next((word for word in words if word in ("record", "serve")), None)  # none: it is just being started
        if int(parts[1]) == pid and parts[0] != "Z" and half is not None:
            found[half] = int(stat.parent.name)
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(true: Callable[[], Any], within_s: float = 60) -> Any:
    """What `true` says once it says something; fails where it has not by then."""
    end = time.monotonic() + within_s
    while not (found := true()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
    return found


def address(child: subprocess.Popen[str]) -> tuple[str, int]:
    assert child.stdout is not None
    line = child.stdout.readline()
    match = re.search(r"http://([\d.]+):(\d+)/", line)
    if match is None:
        child.kill()
        raise AssertionError(f"{line!r} {child.communicate()}")
    return match[1], int(match[2])


def health(where: tuple[str, int]) -> Any:
    connection = http.client.HTTPConnection(*where, timeout=10)
    try:
        connection.request("GET", "/health")
        return json.loads(connection.getresponse().read())
    except OSError:
        return None
    finally:
        connection.close()


def live_events(where: tuple[str, int]) -> Iterator[dict[str, Any]]:
    """The events of /live, as they come."""
    with socket.create_connection(where, timeout=60) as connection:
        connection.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
        for line in connection.makefile(encoding="utf-8", errors="replace"):
            if line.startswith("data: "):
                yield json.loads(line[6:])


@pytest.fixture
def running(process: Start) -> Iterator[subprocess.Popen[str]]:
    child = process("run", "--simulate", "--port", 0)
    yield child
    left = children(child.pid)
    child.terminate()
    try:
        child.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        for pid in left.values():
            os.kill(pid, signal.SIGKILL)
        raise


def test_live_values_come_and_a_sigterm_ends_it_with_a_sealed_session(
    running: subprocess.Popen[str], pitwall: Pitwall, tmp_path: Path
) -> None:
    where = address(running)
    moving: set[str] = set()
    for event in live_events(where):
        moving.update(name for name, value in event.get("values", {}).items() if value)
        if len(moving) > 10:
            break
    halves = children(running.pid)
    assert set(halves) == {"record", "serve"}
    assert os.getpriority(os.PRIO_PROCESS, halves["record"]) < os.getpriority(os.PRIO_PROCESS, halves["serve"])
    (source,) = health(where)["sources"]
    assert (source["bus"], source["source"], source["state"], source["lost"]) == ("dash", "simulator", "connected", {})
    running.terminate()
    assert running.wait(60) == 0
    assert not any(alive(pid) for pid in halves.values())
    (session,) = pitwall("sessions", "--json").json
    assert session["state"] == "ended"
    assert session["frames"] > 0
    assert [file.suffix for file in Path(session["path"]).iterdir()] == [".arrow"]
    assert pitwall("verify").code == 0
    assert pitwall("query", "latest", "SELECT count(*) AS n FROM signals", "--json").json[0]["n"] > 0


def test_a_server_that_dies_is_started_again_and_costs_no_frame(
    running: subprocess.Popen[str], pitwall: Pitwall
) -> None:
    where = address(running)
    before = children(running.pid)
    until(lambda: (health(where) or {}).get("live", {}).get("session"))
    os.kill(before["serve"], signal.SIGKILL)
    after = until(lambda: (now := children(running.pid)).get("serve") not in (None, before["serve"]) and now)
    assert after["record"] == before["record"]
    until(lambda: health(where))
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 0
    (session,) = pitwall("sessions", "--json").json
    lost = pitwall("query", "latest", "SELECT count(*) AS n FROM control WHERE kind = 'lost'", "--json").json
    assert lost == [{"n": 0}]
    assert session["state"] == "ended"


def test_a_recorder_that_dies_is_started_again_and_goes_on_with_its_session(
    running: subprocess.Popen[str], pitwall: Pitwall
) -> None:
    where = address(running)
    recorder = until(lambda: (found := (health(where) or {}).get("recorder")) and found["session"] and found)
    before = children(running.pid)
    assert before["record"] == recorder["pid"]
    os.kill(before["record"], signal.SIGKILL)
    again = until(
        lambda: (
            (found := (health(where) or {}).get("recorder")) and found["pid"] != recorder["pid"] and found["session"]
        )
    )
    assert again == recorder["session"]
    frames = health(where)["recorder"]["frames"]
    until(lambda: health(where)["recorder"]["frames"] > frames)
    assert children(running.pid)["serve"] == before["serve"]
    running.terminate()
    assert running.wait(60) == 0
    (session,) = pitwall("sessions", "--json").json
    assert (session["id"], session["state"]) == (recorder["session"], "ended")
    assert session["written"] == session["durable"] > frames
    recovered = pitwall("query", "latest", "SELECT count(*) AS n FROM control WHERE kind = 'recovered'", "--json").json
    assert recovered == [{"n": 1}]
    assert pitwall("verify").code == 0


def test_a_session_ends_on_request_and_the_next_frame_begins_another(
    running: subprocess.Popen[str], pitwall: Pitwall
) -> None:
    where = address(running)
    first = until(lambda: (health(where) or {}).get("live", {}).get("session"))
    assert pitwall("end").out.strip() == first
    second = until(lambda: (found := health(where)["live"]["session"]) != first and found)
    ended = http.client.HTTPConnection(*where, timeout=20)
    ended.request("POST", f"/session/{second}/end", headers={"Origin": "http://example.org"})
    assert ended.getresponse().status == 403
    ended.close()
    ended.request("POST", "/session/_live/end")
    assert ended.getresponse().status == 200
    running.terminate()
    assert running.wait(60) == 0
    states = {session["id"]: session["state"] for session in pitwall("sessions", "--json").json}
    assert states[first] == states[second] == "ended"
    assert pitwall("end").code == 1


def test_a_start_line_is_set_in_a_session_that_is_recorded_and_in_one_that_is_over(
    running: subprocess.Popen[str], pitwall: Pitwall
) -> None:
    where = address(running)
    first = until(lambda: (health(where) or {}).get("live", {}).get("session"))
    line = {"line": [[52.41837042, -0.62775437], [52.41824463, -0.62775828]], "name": "by hand"}
    client = http.client.HTTPConnection(*where, timeout=20)

    def set_line(session: str) -> int:
        client.request("POST", f"/session/{session}/start-line", body=json.dumps(line))
        answer = client.getresponse()
        answer.read()
        return answer.status

    assert set_line("_live") == 200
    assert pitwall("end").out.strip() == first
    assert until(lambda: set_line(first) == 200)
    client.close()
    running.terminate()
    assert running.wait(60) == 0
    facts = pitwall("query", first, "SELECT fact FROM control WHERE kind = 'start_line'", "--json").json
    assert [json.loads(row["fact"]) for row in facts] == [line, line]
    assert pitwall("query", first, "SELECT name FROM track", "--json").json == [{"name": "by hand"}]


def test_a_second_sigterm_ends_it_at_once_and_loses_nothing_that_was_written(
    running: subprocess.Popen[str], pitwall: Pitwall, tmp_path: Path
) -> None:
    where = address(running)
    recorder = until(lambda: (found := (health(where) or {}).get("recorder")) and found["session"] and found)
    halves = children(running.pid)
    os.kill(halves["record"], signal.SIGSTOP)  # it does not answer the first
    written = health(where)["recorder"]["written"]
    running.terminate()
    until(lambda: not alive(halves["serve"]))
    running.terminate()
    assert running.wait(60) == 128 + signal.SIGTERM
    assert not any(alive(pid) for pid in halves.values())
    (session,) = pitwall("sessions", "--json").json
    assert session["id"] == recorder["session"]
    assert session["written"] >= written
    assert pitwall("verify").code == 0


@pytest.mark.parametrize("command", ["record", "serve"])
def test_either_command_ends_at_once_when_it_is_asked_twice(
    process: Start, pitwall: Pitwall, command: str, tmp_path: Path
) -> None:
    child = process(command, *(["--simulate"] if command == "record" else ["--port", 0]))
    assert child.stdout is not None
    child.stdout.readline()
    before = (tmp_path / "logs").is_dir() and pitwall("sessions", "--json").json
    os.kill(child.pid, signal.SIGSTOP)
    for number in (signal.SIGTERM, signal.SIGINT):
        os.kill(child.pid, number)
    os.kill(child.pid, signal.SIGCONT)
    assert child.wait(60) in (0, 128 + signal.SIGTERM, 128 + signal.SIGINT)
    if before:
        assert pitwall("sessions", "--json").json[0]["written"] >= before[0]["written"]
        assert pitwall("verify").code == 0


def test_a_server_that_gives_up_early_does_not_take_a_recorder_that_records_with_it(
    running: subprocess.Popen[str], pitwall: Pitwall
) -> None:
    where = address(running)
    until(lambda: (found := (health(where) or {}).get("recorder")) and found["session"])
    before = children(running.pid)
    os.kill(before["serve"], signal.SIGSTOP)
    for number in (signal.SIGTERM, signal.SIGINT):  # twice: with an exit code of its own
        os.kill(before["serve"], number)
    os.kill(before["serve"], signal.SIGCONT)
    after = until(lambda: (now := children(running.pid)).get("serve") not in (None, before["serve"]) and now)
    assert after["record"] == before["record"]
    until(lambda: health(where))
    running.terminate()
    assert running.wait(60) == 0
    (session,) = pitwall("sessions", "--json").json
    assert session["state"] == "ended"


def test_a_recorder_whose_driver_keeps_the_interpreter_is_killed_and_goes_on_with_its_session(
    process: Start, pitwall: Pitwall, car: Callable[[str, str], Path], tmp_path: Path
) -> None:
    car("car: {make: X}\nbuses: {can: {}}\n", "")
    path = os.pathsep.join([str(plugin(tmp_path / "driver")), str(Path(__file__).parents[2])])
    with (tmp_path / "said").open("w") as said:
        source = f"hog:{tmp_path / 'hung'}"
        arguments = ("run", "--cars", tmp_path / "cars", "--car", "mine", "--source", source, "--port", 0)
        child = process(*arguments, stderr=said, env=os.environ | {"PYTHONPATH": path})
    where = address(child)
    until(lambda: "has not had a turn" in (tmp_path / "said").read_text())
    until(lambda: (found := health(where)) and (found["recorder"] or {}).get("frames", 0) > 2 * FRAMES_BEFORE)
    child.terminate()
    assert child.wait(60) == 0
    (session,) = pitwall("sessions", "--json").json
    assert session["state"] == "ended"
    rows = concat([in_log_order(rows) for rows in read(Path(session["path"]))])
    numbers = rows.data[rows.flags & Flag.CONTROL == 0].copy().view("<u8").ravel().tolist()
    assert numbers == [*range(1, FRAMES_BEFORE + 1), *range(1, len(numbers) - FRAMES_BEFORE + 1)]


def test_whatever_kills_the_supervisor_takes_its_children_along(running: subprocess.Popen[str]) -> None:
    address(running)
    halves = children(running.pid)
    running.kill()
    until(lambda: not any(alive(pid) for pid in halves.values()))


def test_a_second_recorder_of_the_same_log_is_turned_away(running: subprocess.Popen[str], process: Start) -> None:
    where = address(running)
    until(lambda: (health(where) or {}).get("live", {}).get("session"))
    second = process("run", "--simulate", "--port", 0)
    _, said = second.communicate(timeout=60)
    assert second.returncode == 1
    lines = [line for line in said.splitlines() if line.startswith("pitwall: ")]
    assert len(lines) == 1, said
    assert "logs" in lines[0]
    assert set(children(running.pid)) == {"record", "serve"}


def test_record_alone_ends_its_session_at_ctrl_c(process: Start, pitwall: Pitwall) -> None:
    child = process("record", "--simulate", "--session", "alone")
    assert child.stdout is not None
    assert child.stdout.readline() == "recording alone\n"
    child.send_signal(signal.SIGINT)
    assert child.wait(60) == 0
    (session,) = pitwall("sessions", "--json").json
    assert (session["id"], session["state"]) == ("alone", "ended")


def test_what_is_announced_on_a_terminal_does_not_stand_behind_the_line_that_tells_how_it_goes(process: Start) -> None:
    terminal, theirs = os.openpty()
    shown = b""
    try:
        child = process("run", "--simulate", "--port", 0, stdout=theirs, stderr=theirs)
        while not (b"the page is at" in shown and b"frames, " in shown.split(b"the page is at")[1]):
            assert select.select([terminal], [], [], 60)[0], shown
            shown += os.read(terminal, 4096)
        child.terminate()
        while child.poll() is None:
            if select.select([terminal], [], [], 0.1)[0]:
                shown += os.read(terminal, 4096)
    finally:
        os.close(terminal)
        os.close(theirs)
    for line in filter(None, re.split(rb"\r\n|\r\x1b\[K", shown)):
        assert re.fullmatch(rb"\d\d:\d\d:\d\d .*|pitwall: .*|[\d,]+ frames?, [\d,]+/s", line), line


class _Looked:
    """A page that is looked for `left` times; then the run is asked to end."""

    def __init__(self, left: int) -> None:
        self.left = left

    def announce(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("recorded", [True, False])
def test_who_gives_up_at_its_first_start_ends_all_only_while_nothing_is_recorded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, recorded: bool
) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    monkeypatch.setattr(run, "_records", lambda recorder, logs: recorded)
    monkeypatch.setattr(run, "LOOK_S", 1.5)  # so seldom that who gives up has given up by the first look
    child, page = Child("the server", ["no-such-command"], patience_s=60), _Looked(3 if recorded else 1000)
    try:
        code = run._supervise([child], cast(Any, page), tmp_path)
    finally:
        child.kill()
        for number, handler in before.items():
            signal.signal(number, handler)
    assert (page.left <= 0) == recorded
    if not recorded:
        assert code == 2
