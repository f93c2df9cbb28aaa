"""`pitwall doctor` as people and scripts meet it."""

from __future__ import annotations

import socket
import threading
from contextlib import closing
from pathlib import Path

import pytest

from pitwall.cli import COMMANDS
from pitwall.log.lock import Lock
from tests.adapters.slcan import Adapter
from tests.cli.conftest import Pitwall

VERDICTS = {"ok", "warning", "failed", "skipped"}


def test_every_line_is_a_verdict_and_nothing_is_wider_than_a_terminal(pitwall: Pitwall, tmp_path: Path) -> None:
    answer = pitwall("doctor", "--port", "0")
    assert answer.code == 0, answer.out
    told = answer.out.splitlines()
    assert max(map(len, told)) <= 80
    assert {line.split()[0] for line in told if not line.startswith(" ")} <= VERDICTS
    assert "doctor" in COMMANDS
    assert list(tmp_path.iterdir()) == [], "it looks, and leaves nothing"


def test_json_says_the_same_in_plain_words(pitwall: Pitwall) -> None:
    said = pitwall("doctor", "--port", "0", "--json").json
    assert said["ok"] is True
    assert {check["verdict"] for check in said["checks"]} <= VERDICTS
    told = {check["name"] for check in said["checks"]}
    assert {"python", "recording", "serving", "logs", "recorder", "projections", "room", "sync"} <= told
    assert {"encryption", "clock", "killer", "freezer", "wake lock", "port", "adapter"} <= told


def test_what_failed_makes_the_exit_code_1(pitwall: Pitwall) -> None:
    answer = pitwall("doctor", "--port", "0", "--car", "bmw-e46-m3", "--source", "slcan:/dev/no-such-node", "--json")
    assert answer.code == 1
    verdicts = {check["name"]: check for check in answer.json["checks"]}
    assert answer.json["ok"] is False
    assert verdicts["device"]["verdict"] == "failed"
    assert verdicts["device"]["advice"]
    assert {verdicts["firmware"]["verdict"], verdicts["bus"]["verdict"]} == {"skipped"}


def test_a_car_that_is_not_there_is_a_failed_line(pitwall: Pitwall) -> None:
    answer = pitwall("doctor", "--port", "0", "--car", "nobodys")
    assert answer.code == 1
    assert "failed   adapter" in answer.out
    assert answer.err == ""


def test_a_taken_port_is_a_warning(pitwall: Pitwall) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        answer = pitwall("doctor", "--port", taken.getsockname()[1], "--json")
    assert answer.code == 0
    assert {check["name"]: check["verdict"] for check in answer.json["checks"]}["port"] == "warning"


def test_an_adapter_that_a_recorder_has_is_left_to_it(pitwall: Pitwall, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    lock = Lock(logs)
    try:
        answer = pitwall("doctor", "--port", "0", "--car", "bmw-e46-m3", "--source", "slcan:/dev/null", "--json")
    finally:
        lock.release()
    verdicts = {check["name"]: check for check in answer.json["checks"]}
    assert verdicts["bus"]["said"] == "the recorder has the adapter"
    assert "firmware" not in verdicts
    assert "waits for a first frame" in verdicts["recorder"]["said"]


@pytest.mark.parametrize(
    ("kind", "verdict", "answer"),
    [("lawicel", "ok", "V1013"), ("canable", "warning", "CANable 1"), ("mute", "warning", "nothing")],
)
def test_an_adapter_on_a_serial_line_is_asked_and_listened_to(
    pitwall: Pitwall, tmp_path: Path, kind: str, verdict: str, answer: str
) -> None:
    with Adapter(kind, link=tmp_path / "ttyACM0") as adapter:

        def drive() -> None:
            adapter.wait_open()
            adapter.frames([b"t42080000000000000000\r"] * 100_000, rate=500)

        driving = threading.Thread(target=drive)
        driving.start()
        said = pitwall("doctor", "--port", "0", "--car", "bmw-e46-m3", "--source", adapter.address, "--json").json
        driving.join()  # its channel is closed again
        assert adapter.silent, "and was never open to send"
    checks = {check["name"]: check for check in said["checks"]}
    assert checks["device"]["verdict"] == checks["listen-only"]["verdict"] == "ok"
    assert checks["firmware"]["verdict"] == verdict
    assert answer in checks["firmware"]["said"]
    assert checks["bus"]["verdict"] == "ok"
    assert "of 1 ids at 1000 kbit/s" in checks["bus"]["said"]
    assert not {command[:1] for command in adapter.commands} & {"t", "T", "r", "R", "d", "D", "b", "B", "X", ""}
