"""Descriptors handed over between processes: each is taken, tried at once, answered; and nobody else's is."""

from __future__ import annotations

import errno
import gc
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from pitwall.bus import address, handed, usb
from pitwall.bus.address import Settings
from pitwall.bus.handed import Answer, Handed, hand_over
from pitwall.errors import PitwallError, UsageError
from tests.adapters import slcan
from tests.adapters.usb import GsUsbAdapter, Hub
from tests.bus.test_usb import frames_of, heard, numbered, rest_of

SETTINGS = Settings(bitrate=500_000)
LIMIT_S = 60
NOTHING = Path(os.devnull)


@pytest.fixture
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("s") / "usb.sock"


@pytest.fixture
def hub():
    hub = Hub()
    yield hub
    for adapter in hub.adapters:
        adapter.end()


def wait_for(condition):
    until = time.monotonic() + LIMIT_S
    while not (found := condition()):
        assert time.monotonic() < until
        time.sleep(0.005)
    return found


def mark(plug):
    try:
        found = plug.node.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_ctime_ns


def opened(plug):
    """As a recorder opens it: again once the marker is another one."""
    while True:
        tried = mark(plug)
        try:
            return plug.open()
        except PitwallError:
            wait_for(lambda tried=tried: mark(plug) not in (None, tried))


class Handing:
    """`hand_over`, under way in a thread."""

    def __init__(self, fd, path, wait_s=LIMIT_S):
        self._answers = []
        self._thread = threading.Thread(target=lambda: self._answers.append(hand_over(fd, path, wait_s)))
        self._thread.start()

    def answer(self):
        self._thread.join(LIMIT_S)
        return self._answers[0]


def test_a_device_that_is_plugged_in_twenty_times_is_handed_over_by_another_process_each_time(path, tmp_path):
    plug = address.plug(address.parse(f"usb:handed?socket={path}"), SETTINGS, time.monotonic_ns())
    got, over = [], threading.Event()

    def record():
        while not over.is_set():
            source = opened(plug)
            with suppress(PitwallError):  # it is unplugged
                while True:
                    got.extend(frames_of(source.read(0.1)))
            source.close()

    with pytest.raises(PitwallError, match=r"usb:handed: no descriptor was handed over yet \(pitwall hand-over\)"):
        plug.open()
    recorder = threading.Thread(target=record, daemon=True)
    recorder.start()
    sent = []
    adapter = slcan.Adapter("canable", link=tmp_path / "ttyACM0")
    for turn in range(20):
        adapter.plug()
        fd = os.open(adapter.place, os.O_RDWR | os.O_NOCTTY)
        done = subprocess.run(
            [sys.executable, "-m", "pitwall", "hand-over", "--socket", path],
            env={**os.environ, "TERMUX_USB_FD": str(fd)},
            pass_fds=[fd],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
        os.close(fd)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("handed over: heard as slcan fd ")
        adapter.wait_open()
        lines = [f"t1232{turn:02X}{i:02X}\r".encode() for i in range(100)]
        assert adapter.frames(lines) == 100
        sent += [bytes([turn, i]) for i in range(100)]
        wait_for(lambda turn=turn: len(got) == 100 * (turn + 1))
        over.set() if turn == 19 else None
        adapter.unplug()
    recorder.join(LIMIT_S)
    assert [frame.data for frame in got] == sent


def test_a_usb_device_is_handed_over_again_after_each_replug_and_tried_at_once(hub, path):
    adapter = GsUsbAdapter(hub)
    plug = usb.plug(address.parse(f"gs_usb:handed?socket={path}"), SETTINGS, 0, usb1=lambda: hub.usb1)
    with pytest.raises(PitwallError, match="no descriptor was handed over yet"):
        plug.open()
    for turn in range(5):
        adapter.plug_in()
        before = mark(plug)
        with os.fdopen(adapter.descriptor()) as descriptor:
            handing = Handing(descriptor.fileno(), path)
            wait_for(lambda before=before: mark(plug) not in (None, before))
            source = plug.open()
            assert handing.answer() == Answer(True, "heard as gs_usb 1d50:606f")
        adapter.hear(numbered(50, turn * 100))
        assert frames_of(heard(source, 50)) == numbered(50, turn * 100)
        source.close()
        again = plug.open()  # a source that went mute is opened again, from the same descriptor
        adapter.hear(numbered(1))
        assert frames_of(heard(again, 1)) == numbered(1)
        adapter.unplug()
        assert "is lost" in str(rest_of(again)[1])
        again.close()
        with pytest.raises(PitwallError, match="it is unplugged"):
            plug.open()
    assert hub.contexts == 0


def test_what_is_no_adapter_does_not_take_the_place_of_one(hub, path, tmp_path):
    adapter = GsUsbAdapter(hub)
    adapter.plug_in()
    plug = usb.plug(address.parse(f"usb:handed?socket={path}"), SETTINGS, 0, usb1=lambda: hub.usb1)
    with pytest.raises(PitwallError):
        plug.open()
    with os.fdopen(adapter.descriptor()) as descriptor:
        handing = Handing(descriptor.fileno(), path)
        source = opened(plug)
        assert handing.answer().taken
    tried = mark(plug)
    with (tmp_path / "file").open("w") as other:
        handing = Handing(other.fileno(), path)
        wait_for(lambda: mark(plug) not in (None, tried))
        source.close()
        with pytest.raises(PitwallError, match="is no USB device that can be used"):
            plug.open()
        assert not handing.answer().taken
    plug.open().close()


def test_one_that_was_not_opened_gives_way_to_a_newer_one_and_is_told_so(path):
    wrapped = []
    with closing(_stand(path, wrapped)) as stand, NOTHING.open() as one, NOTHING.open() as other:
        first = Handing(one.fileno(), path)
        wait_for(stand.marker.exists)
        second = Handing(other.fileno(), path)
        assert first.answer() == Answer(False, "another one was handed over before it was opened")
        stand.open()
        assert second.answer() == Answer(True, "heard as a stand")
        assert len(wrapped) == 1
        assert hand_over(one.fileno(), path, 0.05) is None  # the recorder has one, and doesn't ask for another


class _Stand(Handed):
    def close(self):
        if self._fd is not None:
            os.close(self._fd)
        if self._new is not None:
            os.close(self._new[0])
            self._new[1].close()


def _stand(path, wrapped):
    class Heard:
        name = "a stand"

    def wrap(fd):
        wrapped.append(fd)
        return Heard()

    stand = _Stand(path, "usb:handed", wrap)
    stand.listen()
    return stand


def test_the_socket_is_its_users_alone_and_gone_with_the_recorder(path):
    stand = _stand(path, [])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(PitwallError, match="another recorder listens here"):
        _stand(path, [])
    del stand
    gc.collect()
    wait_for(lambda: not path.exists())


def test_the_socket_of_a_recorder_that_was_killed_is_taken_over(path):
    killed = socket.socket(socket.AF_UNIX)
    killed.bind(str(path))
    killed.close()
    with closing(_stand(path, [])), NOTHING.open() as file:
        assert hand_over(file.fileno(), path, 0.05) is None


def test_a_file_that_is_no_socket_is_left_alone(path):
    path.write_text("precious")
    with pytest.raises(PitwallError, match="is no socket"):
        _stand(path, [])
    assert path.read_text() == "precious"


def test_who_is_another_user_is_refused(path, monkeypatch):
    with closing(_stand(path, [])) as stand, NOTHING.open() as file:
        monkeypatch.setattr(handed, "_own", lambda: 12345)
        answer = hand_over(file.fileno(), path, LIMIT_S)
        assert answer == Answer(False, "only its own user may hand something to this recorder")
        assert not stand.marker.exists()


def test_who_says_nothing_or_something_else_hands_over_nothing_and_keeps_nobody_waiting(path, monkeypatch):
    monkeypatch.setattr(handed, "SAY_S", 0.1)
    with closing(_stand(path, [])) as stand, socket.socket(socket.AF_UNIX) as silent, NOTHING.open() as file:
        silent.connect(str(path))
        with socket.socket(socket.AF_UNIX) as other:
            other.connect(str(path))
            socket.send_fds(other, [b"something else"], [file.fileno()])
            other.settimeout(LIMIT_S)
            assert b"no descriptor came with it" in other.recv(1000)
        with pytest.raises(PitwallError, match="no descriptor was handed over yet"):
            stand.open()


def test_what_can_not_be_handed_over_is_said(path):
    with pytest.raises(UsageError, match="fd 999: is no open descriptor"):
        hand_over(999, path, 1)
    with pytest.raises(PitwallError, match="no recorder listens here"), NOTHING.open() as file:
        hand_over(file.fileno(), path, 1)
    with pytest.raises(UsageError, match="too long for a socket"):
        Handed(path.with_name("x" * 100), "usb:handed", lambda _fd: None)


def test_the_place_is_a_folder_of_our_own(tmp_path, monkeypatch):
    monkeypatch.delenv("PITWALL_SOCKET", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert handed.socket_path() == tmp_path / "pitwall" / "usb.sock"
    assert stat.S_IMODE((tmp_path / "pitwall").stat().st_mode) == 0o700
    (tmp_path / "pitwall").chmod(0o777)
    with pytest.raises(PitwallError, match="is not ours alone"):
        handed.socket_path()
    monkeypatch.setenv("PITWALL_SOCKET", "/run/x.sock")
    assert str(handed.socket_path()) == "/run/x.sock"


def test_to_hand_something_over_needs_nothing_heavy():
    listing = "import pitwall.commands.handing, pitwall.bus.handed, sys; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "pyarrow", "can", "usb1", "duckdb", "yaml"} & set(found)


def test_who_can_not_take_a_connection_just_now_takes_the_next_one(path, monkeypatch):
    monkeypatch.setattr(handed, "SAY_S", 0.01)
    real, failed = socket.socket.accept, []

    def accept(self):
        if len(failed) < 3:
            failed.append(True)
            raise OSError(errno.EMFILE, "Too many open files")
        return real(self)

    monkeypatch.setattr(socket.socket, "accept", accept)
    with closing(_stand(path, [])), NOTHING.open() as file:
        wait_for(lambda: len(failed) == 3)
        assert hand_over(file.fileno(), path, 0.05) is None  # taken, and not opened yet
        with socket.socket(socket.AF_UNIX) as other:
            other.connect(str(path))
            other.sendall(b"something else")
            other.settimeout(LIMIT_S)
            assert b"no descriptor came with it" in other.recv(1000)
