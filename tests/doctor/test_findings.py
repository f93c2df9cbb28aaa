"""Each state of a machine, and what is said about it."""

from __future__ import annotations

import errno
import http.server
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pitwall.doctor import android, clock, ports, software, storage
from pitwall.doctor.check import Finding, Verdict
from pitwall.log.disk import Disk, Space
from pitwall.log.lock import Lock
from pitwall.log.published import SourceState, State
from tests.doctor.machines import NOON, Made

OK, WARNING, FAILED, SKIPPED = Verdict.OK, Verdict.WARNING, Verdict.FAILED, Verdict.SKIPPED


def check(found: Finding, verdict: Verdict, *words: str) -> None:
    assert found.verdict is verdict, found
    for word in words:
        assert word in f"{found.said} | {found.advice}", found
    assert found.advice or verdict in (OK, SKIPPED), "what to do is said"


# --- software


def test_python_is_new_enough_or_it_fails() -> None:
    check(software.python((3, 14, 6)), OK, "3.14.6")
    check(software.python((3, 10, 1)), FAILED, "too old", "3.11")


def test_what_is_missing_is_named_with_what_it_costs() -> None:
    def without(*names: str) -> Any:
        return lambda name: None if name in names else object()

    check(software.recording(without()), OK)
    check(
        software.recording(without("can", "numpy")), FAILED, "nothing can be recorded", "pip install numpy python-can"
    )
    check(software.serving(Made(), without()), OK)
    check(software.serving(Made(), without("duckdb", "isotp")), WARNING, "duckdb, can-isotp", "no page and no SQL")
    check(software.serving(Made(android=True), without("duckdb")), WARNING, "deploy/termux/install.sh")
    check(software.optional(without("asammdf")), OK, "MF4 captures")
    check(software.optional(without()), OK)


# --- the clock

NTP = "timedatectl show --property=NTPSynchronized --value"


@pytest.mark.parametrize(
    ("machine", "verdict", "word"),
    [
        (Made(unix_s=0), FAILED, "1970-01-01"),
        (Made(unix_s=NOON + 50 * 365 * 86_400), FAILED, "can't be"),
        (Made(commands={NTP: "yes"}), OK, "NTP"),
        (Made(files={clock.SYNCED: ""}), OK, "NTP"),
        (Made(commands={NTP: "no"}), WARNING, "set-ntp true"),
        (Made(commands={"chronyc -c tracking": "C0A80001,192.168.0.1,2,0,0,0,0,0,0,0,0,0,0,Normal"}), OK, "chrony"),
        (Made(commands={"chronyc -c tracking": "7F7F0101,,0,0,0,0,0,0,0,0,0,0,0,Not synchronised"}), WARNING, "chrony"),
        (Made(), WARNING, "can't tell"),
        (Made(android=True), OK, "phone"),
    ],
)
def test_a_clock_is_sane_and_set_by_somebody(machine: Made, verdict: Verdict, word: str) -> None:
    check(clock.clock(machine), verdict, word)


# --- Android

PROCS = "getprop persist.sys.fflag.override.settings_enable_monitor_phantom_procs"
SDK = "getprop ro.build.version.sdk"


@pytest.mark.parametrize(
    ("commands", "verdict", "word"),
    [
        ({SDK: "30"}, OK, "older"),
        ({SDK: "34", PROCS: "false"}, OK, "off"),
        ({SDK: "34", "/system/bin/settings get global settings_enable_monitor_phantom_procs": "false"}, OK, "off"),
        ({SDK: "34", PROCS: "true"}, WARNING, "Disable child process restrictions"),
        ({SDK: "34", PROCS: ""}, WARNING, "can't tell"),
        ({}, WARNING, "can't tell"),
    ],
)
def test_the_process_killer(commands: dict[str, str | None], verdict: Verdict, word: str) -> None:
    check(android.killer(Made(android=True, commands=commands)), verdict, word)


def test_the_freezer_is_found_by_a_command_that_does_not_answer() -> None:
    check(android.freezer(Made(android=True)), FAILED, "pkg install termux-api")
    check(android.freezer(Made(android=True, commands={"termux-battery-status": None})), FAILED, "Unrestricted")
    check(android.freezer(Made(android=True, commands={"termux-battery-status": "{}"})), OK)
    check(android.freezer(Made()), SKIPPED)
    check(android.killer(Made()), SKIPPED)


def test_the_wake_lock() -> None:
    check(android.wake_lock(Made(android=True)), FAILED, "pkg install termux-tools")
    check(android.wake_lock(Made(android=True, commands={"termux-wake-lock": ""})), OK)
    check(android.wake_lock(Made()), SKIPPED)


# --- storage


class Slow(Disk):
    """Free space, and how long a sync takes, as a test says."""

    def __init__(self, *, free: int = 10**12, error: int = 0) -> None:
        self._free, self._error = free, error

    def space(self, folder: Path) -> Space:
        return Space(self._free, 2 * self._free)

    def sync(self, fd: int) -> None:
        if self._error:
            raise OSError(self._error, os.strerror(self._error))


def ticking(step_s: float) -> Any:
    """A clock that moves on by a step each time it is read."""
    now = iter(range(10**6))
    return lambda: next(now) * step_s


def driven(car: str, size: int, seconds: float, state: str = "ended") -> Any:
    return SimpleNamespace(state=state, duration_s=seconds, bytes=size, header=SimpleNamespace(car=car))


def test_folders_are_there_or_can_be_made(tmp_path: Path) -> None:
    check(storage.writable(tmp_path, "logs"), OK, "can be written")
    check(storage.writable(tmp_path / "new" / "logs", "logs"), OK, "will be made")
    (tmp_path / "file").write_text("")
    check(storage.writable(tmp_path / "file", "logs"), FAILED, "no folder", "--logs")
    assert list(tmp_path.iterdir()) == [tmp_path / "file"], "nothing is left behind"


def test_a_folder_that_refuses_is_said_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Disk, path: Path) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(Disk, "create", refuse)
    check(storage.writable(tmp_path, "projections"), FAILED, "read-only file system", "--projections")
    monkeypatch.setattr(os, "access", lambda *_: False)
    check(storage.writable(tmp_path / "new", "logs"), FAILED, "not yours to write")


@pytest.mark.parametrize(
    ("state", "verdict", "word"),
    [
        (State(), OK, "waits for a first frame"),
        (State(session="s", frames=1234), OK, "1,234 frames, none lost"),
        (State(session="s", lost=7), WARNING, "7 LOST"),
        (State(sources=(SourceState("can", "slcan", "lost", why="unplugged"),)), WARNING, "can is lost: unplugged"),
        (State("s", sources=(SourceState("can", "slcan", "silent"),)), WARNING, "can is silent"),
        (State("s", frames=2, sources=(SourceState("can", "slcan", "connected"),)), OK, "2 frames, none lost"),
        (State(session="s", low_space=True), WARNING, "nearly full"),
        (State(session="s", problem="no space left", waiting=9), FAILED, "no space left"),
    ],
)
def test_a_recorder_at_work_is_asked_how_it_is(tmp_path: Path, state: State, verdict: Verdict, word: str) -> None:
    check(storage.recorder(tmp_path), OK, "nobody")
    lock = Lock(tmp_path)
    lock.publish(state)
    try:
        check(storage.recorder(tmp_path), verdict, word, str(os.getpid()))
    finally:
        lock.release()


def test_room_is_told_in_hours_at_the_cars_own_rate(tmp_path: Path) -> None:
    hour = [driven("mine", 360_000_000, 3600), driven("other", 1, 3600), driven("mine", 9, 3600, "interrupted")]
    small = Slow(free=storage.OPEN_BYTES + 3_600_000_000)
    check(storage.room(tmp_path, "mine", [], hour, small), OK, "10 hours", "as mine was recorded before")
    check(storage.room(tmp_path, "new", [500_000, 500_000], hour, small), OK, "14 hours", "buses full")
    check(storage.room(tmp_path, None, [], [], small), OK, "14 hours", "1 Mbit/s")
    check(storage.room(tmp_path, "mine", [], hour, Slow(free=storage.OPEN_BYTES + 720_000_000)), WARNING, "2.0 hours")
    check(storage.room(tmp_path, "mine", [], hour, Slow(free=1000)), FAILED, "0.0 hours", "archive")
    check(storage.room(tmp_path, "mine", [], hour, Slow(free=10**15)), OK, "weeks")


def test_a_disk_that_syncs_slowly_is_said_to(tmp_path: Path) -> None:
    check(storage.sync_speed(tmp_path, Slow(), ticking(1e-4)), OK, "0.1 ms")
    check(storage.sync_speed(tmp_path, Slow(), ticking(0.2)), WARNING, "200.0 ms")
    check(storage.sync_speed(tmp_path, Slow(), ticking(2.5)), FAILED, "dying")
    check(storage.sync_speed(tmp_path, Slow(error=errno.EIO)), FAILED, "input/output error")
    assert list(tmp_path.iterdir()) == []


def test_the_99th_of_a_hundred_is_meant(tmp_path: Path) -> None:
    steps = iter([0.0, *(t for i in range(100) for t in (i, i, i + (0.5 if i < 2 else 0.001)))])
    found = storage.sync_speed(tmp_path, Slow(), lambda: next(steps) / 50)
    check(found, OK, "10.0 ms")


def test_encryption_is_seen_through_the_layers_below(tmp_path: Path) -> None:
    device = "/sys/dev/block/254:1"
    plain = {f"{device}/uevent": "MAJOR=254\nDEVNAME=nvme0n1p2"}
    crypt = {**plain, f"{device}/dm/uuid": "CRYPT-LUKS2-abc"}
    check(storage.encryption(tmp_path, Made(files=crypt), "254:1"), OK, "dm-crypt")
    volume = {**plain, f"{device}/dm/uuid": "LVM-abc", f"{device}/slaves/dm-0/uevent": "DEVNAME=dm-0"}
    below = {**volume, f"{device}/slaves/dm-0/dm/uuid": "CRYPT-LUKS2-abc"}
    check(storage.encryption(tmp_path, Made(files=below), "254:1"), OK, "dm-crypt")
    check(storage.encryption(tmp_path, Made(files=volume), "254:1"), WARNING, "not encrypted")
    check(storage.encryption(tmp_path, Made(files=plain), "254:1"), WARNING, "nvme0n1p2", "LUKS")
    check(storage.encryption(tmp_path, Made(), "0:42"), SKIPPED, "can't tell")
    phone = {"getprop ro.crypto.state": "encrypted", "getprop ro.crypto.type": "file"}
    check(storage.encryption(tmp_path, Made(android=True, commands=phone)), OK, "file-based")
    check(storage.encryption(tmp_path, Made(android=True)), SKIPPED, "can't tell")


# --- ports


@contextmanager
def listening(answer: bytes | None) -> Iterator[int]:
    """A server on a port of its own that answers so; None: one that is no HTTP server."""

    class Answering(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer or b"")

        def log_message(self, *_: object) -> None:
            return

    with http.server.HTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def test_a_port_is_free_pitwalls_or_somebody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        number = taken.getsockname()[1]
        monkeypatch.setattr(ports, "ANSWER_S", 0.2)
        check(
            ports.port("127.0.0.1", number), WARNING, f"({os.getpid()})" if Path("/proc/net/tcp").exists() else "taken"
        )
    check(ports.port("127.0.0.1", number), OK, "free")
    health = json.dumps({"version": "9.9", "recorder": None, "status": "quiet"}).encode()
    with listening(health) as number:
        check(ports.port("127.0.0.1", number), OK, "9.9, quiet")
    with listening(b'{"version": "of something else"}') as number:
        check(ports.port("127.0.0.1", number), WARNING, "taken")
    check(ports.port("192.0.2.1", 8080), FAILED, "can't be used")
