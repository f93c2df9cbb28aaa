"""A phone's whole way, from a plug to the log: the watcher, `hand-over` and the recorder as runit runs them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pitwall.frames import Flag, concat, take
from pitwall.log.reader import read
from pitwall.log.session import find
from tests.adapters.slcan import Adapter
from tests.deploy.stubs import ROOT, Stubs

DEVICES = ("/dev/bus/usb/001/002", "/dev/bus/usb/001/003")

TERMUX_USB = """
case "$1" in
  -l) cat {folder}/devices ;;
  -r) for device; do :; done
      TERMUX_USB_FD=7 "$4" 7<>"{folder}/$(basename "$device")" ;;
esac
"""


class Phone:
    """A phone with pitwall on it, its services running; an adapter that is plugged in is another device each time."""

    def __init__(self, stubs: Stubs) -> None:
        self.stubs, self.folder = stubs, stubs.folder
        home, prefix = self.folder / "home", self.folder / "usr"
        home.mkdir()
        (prefix / "var" / "service").mkdir(parents=True)
        (prefix / "bin").symlink_to(stubs.bin)
        stubs.environment |= {"HOME": str(home), "PREFIX": str(prefix), "TERMUX_VERSION": "0.119"}
        stubs.environment |= {"PITWALL_USB_LOOK_S": "0.2", "PITWALL_USB_REST_S": "0.2"}
        stubs.environment |= {"PITWALL_USB_AGAIN_S": "1"}
        stubs.add("pkg", "service-daemon", "sv-enable", "sv")
        stubs.does("termux-usb", TERMUX_USB.format(folder=self.folder))
        # the phone's Python is this one, and its virtual environment a way to it
        python = f'exec env PYTHONPATH="{ROOT}" "{sys.executable}" "$@"'
        make = 'for last; do :; done; mkdir -p "$last/bin"; cp "$0" "$last/bin/python"; exit'
        stubs.does("python", f'case "$*" in "-m venv "*) {make} ;; "-m pip "*) exit ;; esac\n{python}')
        self.plug()
        done = stubs.run("deploy/termux/install.sh", "--server", "none", "--car", "gps-logger")
        assert done.returncode == 0, done.stderr
        self.logs = home / "pitwall" / "logs"
        self.services = [stubs.start(f"deploy/termux/services/pitwall-{name}/run") for name in ("recorder", "usb")]

    def plug(self, *devices: str) -> None:
        new = self.folder / "devices.new"
        new.write_text("[" + ", ".join(f'"{device}"' for device in devices) + "]\n")
        new.replace(self.folder / "devices")

    def stop(self) -> str:
        """Ends the recorder, as runit does; what it said."""
        recorder = self.services[0]
        recorder.terminate()
        said, _ = recorder.communicate(timeout=60)
        assert recorder.returncode == 0, said
        return said


@pytest.fixture
def phone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phone]:
    phone = Phone(Stubs(tmp_path_factory.mktemp("p") / "s"))  # short: a socket's path has a hundred bytes
    yield phone
    for process in phone.services:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def lines(first: int, count: int) -> list[bytes]:
    """Frames as SLCAN has them, numbered."""
    return [b"t1238%016X\r" % number for number in range(first, first + count)]


def test_every_frame_of_a_device_that_is_plugged_in_twice_is_in_the_log_once_and_in_order(phone: Phone) -> None:
    sent = 0
    for device in DEVICES:
        with Adapter("lawicel", link=phone.folder / Path(device).name) as adapter:
            phone.plug(device)
            adapter.wait_open(60)
            assert adapter.silent
            sent += adapter.frames(lines(sent, 100))
            phone.plug()
            adapter.unplug()
    assert sent == 200
    phone.stop()
    session = find(phone.logs, "latest")
    frames = concat(list(read(session.path)))
    frames = take(frames, np.flatnonzero((frames.flags & Flag.CONTROL) == 0))
    assert frames.data.view(">u8").ravel().tolist() == list(range(200))
