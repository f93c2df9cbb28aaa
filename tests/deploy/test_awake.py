"""A phone is kept awake while something records, and let sleep afterwards; it never keeps us waiting."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pitwall.commands import awake as waking
from pitwall.commands import notice as noticing
from pitwall.commands.awake import awake
from pitwall.commands.notice import answered, notice, told
from pitwall.errors import PitwallError
from pitwall.log.lock import Lock
from pitwall.log.published import Recorder, SourceState, State
from tests.deploy.stubs import Stubs, on_path


@pytest.fixture
def phone(stubs: Stubs, monkeypatch: pytest.MonkeyPatch) -> Stubs:
    stubs.add("termux-wake-lock", "termux-wake-unlock", "termux-notification", "termux-notification-remove")
    monkeypatch.setenv("PATH", on_path(stubs))
    return stubs


def test_the_lock_is_given_back_when_what_it_was_taken_for_breaks(phone: Stubs) -> None:
    with pytest.raises(ZeroDivisionError), awake(None):
        raise ZeroDivisionError
    assert [call.strip() for call in phone.calls] == ["termux-wake-lock", "termux-wake-unlock"]


def test_it_is_not_taken_where_it_is_not_wanted_and_missed_where_it_is(
    phone: Stubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    with awake(False):
        pass
    assert phone.calls == []
    monkeypatch.setenv("PATH", "/nowhere")
    with awake(None):
        pass
    with pytest.raises(PitwallError, match="no wake lock"), awake(True):
        raise AssertionError("not reached")


def test_a_phone_that_hangs_keeps_nobody_waiting(
    phone: Stubs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(waking, "GUARDIAN", waking.GUARDIAN.replace(f" {waking.ANSWER_S:g} ", " 1 "))
    phone.does("termux-wake-lock", "exec sleep 600")
    phone.does("termux-wake-unlock", "exit 7")
    begun = []
    with awake(None):
        begun.append(True)
    assert begun
    assert "this phone may fall asleep" in caplog.text
    assert "stays awake" in caplog.text
    assert phone.called("termux-wake-unlock"), "given back all the same"


def test_a_command_that_hangs_fails_or_is_not_there_is_told_by_its_kind(phone: Stubs) -> None:
    phone.does("termux-notification", "exec sleep 600")
    assert "did not answer" in answered("termux-notification", within_s=0.2)
    phone.does("termux-notification", "exit 7")
    assert answered("termux-notification") == "failed with exit code 7"
    assert "could not be started" in answered("/no/such/command")


def test_one_that_is_killed_gives_it_back_too(phone: Stubs, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "pitwall", "record", "--simulate"],
        cwd=tmp_path,
        env={**os.environ, "PATH": on_path(phone)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline()
        until(lambda: phone.called("termux-wake-lock"))
        assert not phone.called("termux-wake-unlock")
    finally:
        process.kill()
        process.communicate()
    until(lambda: phone.called("termux-wake-unlock"))


@pytest.mark.parametrize(
    "command", [["record", "--simulate"], ["run", "--simulate", "--port", "0"]], ids=lambda one: one[0]
)
def test_recording_takes_it_once_and_gives_it_back_at_sigterm(phone: Stubs, tmp_path: Path, command: list[str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "pitwall", *command],
        cwd=tmp_path,
        env={**os.environ, "PATH": on_path(phone)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, said
    assert len(phone.called("termux-wake-lock")) == 1
    assert len(phone.called("termux-wake-unlock")) == 1
    shown = bool(phone.called("termux-notification --id"))  # it may have been too short for one
    assert bool(phone.called("termux-notification-remove pitwall")) is shown


@pytest.mark.parametrize(
    ("recorder", "title", "text"),
    [
        (None, "not recording", "no recorder"),
        (Recorder(1, State()), "waiting", "no frame"),
        (Recorder(1, State(session="s", frames=1234)), "recording", "1,234 frames, none lost: s"),
        (Recorder(1, State(session="s", frames=10, low_space=True)), "recording", "nearly full"),
        (Recorder(1, State(sources=(SourceState("can", "slcan", "lost", why="unplugged"),))), "can LOST", "unplugged"),
        (Recorder(1, State("s", sources=(SourceState("can", "slcan", "silent"),))), "silence", "on can: s"),
        (Recorder(1, State("s", frames=5, sources=(SourceState("can", "it", "connected"),))), "recording", "5 frames"),
        (Recorder(1, State(session="s", frames=90, lost=10)), "LOST", "10 lost of 100"),
        (Recorder(1, State(session="s", problem="no space left", waiting=5)), "NOTHING IS KEPT", "5 frames wait"),
    ],
)
def test_a_notification_says_how_the_recorder_is(recorder: Recorder | None, title: str, text: str) -> None:
    said = told(recorder)
    assert title in said[0]
    assert text in said[1]


def test_a_change_is_shown_once_and_taken_away_at_the_end(
    phone: Stubs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noticing, "EVERY_S", 0.02)
    logs = tmp_path / "logs"
    logs.mkdir()
    lock = Lock(logs)
    try:
        with notice(logs, None):
            until(lambda: phone.called("termux-notification --id"))
            lock.publish(State(session="drive", frames=5))
            until(lambda: len(phone.called("termux-notification --id")) > 1)
    finally:
        lock.release()
    waiting, driving = phone.called("termux-notification --id")
    assert "waiting" in waiting
    assert "5 frames, none lost: drive" in driving
    assert phone.calls[-1] == "termux-notification-remove pitwall"


def test_a_phone_that_shows_nothing_does_not_hold_up_the_end(
    phone: Stubs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noticing, "answered", lambda *command: answered(*command, within_s=0.2))
    phone.does("termux-notification", "exec sleep 600")
    phone.does("termux-notification-remove", "exec sleep 600")
    with notice(tmp_path, None):
        until(lambda: phone.called("termux-notification --id"))
    assert not phone.called("termux-notification-remove"), "there is nothing to remove"


def until(true: object, within_s: float = 30) -> None:
    end = time.monotonic() + within_s
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def test_what_a_command_that_hangs_has_started_is_gone_with_it(phone: Stubs, tmp_path: Path) -> None:
    its = tmp_path / "pid"
    phone.does("termux-notification", f"sleep 600 & echo $! > {its}.new; mv {its}.new {its}; wait")
    assert "did not answer" in answered("termux-notification", within_s=1.0)
    pid = int(its.read_text())
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    pytest.fail("it was left behind")
