"""The USB watcher against a stub `termux-usb`: each new device is handed over, and a phone that hangs costs a round."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.deploy.stubs import Stubs

TERMUX_USB = """
case "$1" in
  -l) if [ -e {folder}/hangs ]; then exec sleep 600; fi; cat {folder}/devices ;;
  -r) if [ -e {folder}/dialog ]; then exec sleep 600; fi
      [ ! -e {folder}/denied ] || exit 1
      TERMUX_USB_FD=7 "$4" && echo "given ${{5##*/}}" >> {folder}/given ;;
esac
"""
ONE, TWO = "/dev/bus/usb/001/002", "/dev/bus/usb/001/003"


class Phone:
    """A phone, and the watcher that runs on it."""

    def __init__(self, stubs: Stubs, *, rest_s: float = 0.05) -> None:
        self.stubs, self.folder = stubs, stubs.folder
        self.logs = self.folder / "logs"
        self.logs.mkdir()
        self.recorder(100)
        self.plug()
        stubs.does("termux-usb", TERMUX_USB.format(folder=self.folder))
        stubs.does("give", f"[ ! -e {self.folder}/refused ]")
        stubs.environment = {
            "HOME": str(self.folder),
            "PITWALL_LOGS": str(self.logs),
            "PITWALL_HAND_OVER": str(stubs.bin / "give"),
            **{f"PITWALL_USB_{name}_S": "2" for name in ("ANSWER", "DIALOG")},
            "PITWALL_USB_AGAIN_S": "1",
            "PITWALL_USB_LOOK_S": "0.05",
            "PITWALL_USB_REST_S": str(rest_s),
            **stubs.environment,
        }
        self.process = stubs.start("deploy/termux/watch-usb.sh")

    def plug(self, *devices: str) -> None:
        new = self.folder / "devices.new"
        new.write_text("[\n" + ",\n".join(f'  "{device}"' for device in devices) + "\n]\n")
        new.replace(self.folder / "devices")

    def recorder(self, pid: int, state: str = "connected") -> None:
        said = json.dumps({"sources": [{"bus": "can", "state": state}]})
        (self.logs / ".lock").write_text(f"{pid}\nsession\n{said}\n")

    def put(self, name: str) -> None:
        (self.folder / name).touch()

    def take(self, name: str) -> None:
        (self.folder / name).unlink()

    @property
    def given(self) -> list[str]:
        try:
            return (self.folder / "given").read_text().split()[1::2]
        except FileNotFoundError:
            return []

    def looks(self) -> int:
        return len(self.stubs.called("termux-usb -l"))

    def sleeps(self, seconds: str) -> bool:
        """Whether the watcher rests for so long just now."""
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                napping = path.read_bytes().split(b"\0")[:2] == [b"sleep", seconds.encode()]
                if napping and str(self.folder) in path.with_name("environ").read_bytes().decode(errors="replace"):
                    return True
            except OSError:
                continue
        return False

    def later(self, looks: int = 3) -> None:
        """Once the watcher has looked so often again."""
        now = self.looks()
        until(lambda: self.looks() >= now + looks)

    def end(self) -> str:
        self.process.send_signal(signal.SIGTERM)
        said, _ = self.process.communicate(timeout=30)
        assert self.process.returncode == 0
        return said


def until(true: Callable[[], object], within_s: float = 30) -> None:
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


@pytest.fixture
def phone(stubs: Stubs) -> Iterator[Phone]:
    phone = Phone(stubs)
    yield phone
    if phone.process.poll() is None:
        os.killpg(phone.process.pid, signal.SIGKILL)
    phone.process.communicate()


def test_a_device_is_handed_over_once_and_again_after_each_replug(phone: Phone) -> None:
    phone.later(1)
    assert phone.given == []
    phone.plug(ONE)
    until(lambda: phone.given == ["002"])
    phone.later()
    assert phone.given == ["002"], "once"
    phone.plug()
    phone.later()
    phone.plug(TWO)
    until(lambda: phone.given == ["002", "003"])
    phone.plug()
    phone.later()
    phone.plug(TWO)
    until(lambda: phone.given == ["002", "003", "003"])
    said = phone.end()
    assert f"{ONE} is handed to the recorder" in said
    assert f"{ONE} is gone" in said
    (first, *_) = phone.stubs.called("termux-usb -r")
    assert first.split()[1:4] == ["-r", "-E", "-e"]


def test_it_looks_more_often_while_the_recorder_says_that_it_lost_the_device(stubs: Stubs) -> None:
    phone = Phone(stubs, rest_s=600)
    try:
        phone.recorder(100, "lost")
        phone.plug(ONE)
        until(lambda: phone.given == ["002"])
        phone.later(2)
        phone.plug(TWO)
        until(lambda: phone.given == ["002", "003"])
        phone.recorder(100)
        until(lambda: phone.sleeps("600"))
    finally:
        os.killpg(phone.process.pid, signal.SIGKILL)
        phone.process.communicate()


def test_a_recorder_that_was_started_anew_gets_it_anew(phone: Phone) -> None:
    phone.plug(ONE)
    until(lambda: phone.given == ["002"])
    phone.recorder(200)
    until(lambda: phone.given == ["002", "002"])


def test_what_one_recorder_refused_is_asked_of_the_next_at_once(stubs: Stubs) -> None:
    stubs.environment["PITWALL_USB_AGAIN_S"] = "600"
    phone = Phone(stubs)
    try:
        phone.put("refused")
        phone.plug(ONE)
        until(lambda: phone.stubs.called("give"))
        phone.later(2)
        phone.take("refused")
        phone.recorder(200)
        until(lambda: phone.given == ["002"])
    finally:
        phone.end()


def test_a_hub_of_two_gives_both(phone: Phone) -> None:
    phone.plug(ONE, TWO)
    until(lambda: sorted(phone.given) == ["002", "003"])


def test_a_list_that_hangs_costs_a_round_and_is_said_once(phone: Phone) -> None:
    phone.put("hangs")
    phone.later(2)
    phone.take("hangs")
    phone.plug(ONE)
    until(lambda: phone.given == ["002"])
    said = phone.end()
    assert said.count("does not answer") == 1
    assert said.count("answers again") == 1


def test_a_device_that_is_handed_over_is_not_forgotten_while_the_list_hangs(phone: Phone) -> None:
    phone.plug(ONE)
    until(lambda: phone.given == ["002"])
    phone.put("hangs")
    phone.later(2)
    phone.take("hangs")
    phone.later(2)
    assert phone.given == ["002"]


@pytest.mark.parametrize("what", ["denied", "dialog"])
def test_what_is_refused_or_unanswered_is_asked_for_again_and_ever_more_rarely(phone: Phone, what: str) -> None:
    phone.put(what)
    phone.plug(ONE)
    until(lambda: len(phone.stubs.called("termux-usb -r")) >= 2)
    phone.take(what)
    until(lambda: phone.given == ["002"])
    said = phone.end()
    assert "again in 1 s" in said
    assert "again in 2 s" in said


def test_it_ends_at_once_when_asked_to_and_leaves_nothing_behind(phone: Phone) -> None:
    phone.plug(ONE)
    until(lambda: phone.given == ["002"])
    phone.end()
    folder = str(phone.folder)

    def ours() -> list[Path]:
        return [one for one in Path("/proc").glob("[0-9]*/environ") if folder in environment(one)]

    def environment(path: Path) -> str:
        try:
            return path.read_bytes().decode(errors="replace")
        except OSError:
            return ""

    until(lambda: not ours(), 15)


def test_it_ends_at_once_while_a_dialog_is_open(stubs: Stubs) -> None:
    stubs.environment["PITWALL_USB_DIALOG_S"] = "600"
    phone = Phone(stubs)
    try:
        phone.put("dialog")
        phone.plug(ONE)
        until(lambda: phone.stubs.called("termux-usb -r"))
        phone.end()
    finally:
        phone.process.kill()
        phone.process.communicate()


def test_no_call_of_termux_is_made_without_a_time_limit() -> None:
    script = (Path(__file__).parents[2] / "deploy" / "termux" / "watch-usb.sh").read_text()
    calls = [
        line for line in script.splitlines() if "termux-" in line and not line.lstrip().startswith(("#", "[", "say"))
    ]
    assert calls
    assert all("timeout -k" in line for line in calls), calls
