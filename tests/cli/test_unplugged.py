"""`pitwall record` from outside: its adapter pulled out and put back, and the process itself frozen and let go."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from pitwall.frames import Control
from pitwall.log import lock, verify
from pitwall.log.published import SourceState
from tests.record.drives import only_frames, rows_of, until

TIMES = 4


class Adapter:
    """An SLCAN adapter that answers to nothing, on a pty.  node: where its device appears.  sent: frames so far."""

    def __init__(self, node: Path) -> None:
        self.node = node
        self.sent = 0
        self._master = self._slave = -1

    def plug(self) -> None:
        """It is there, under another number than before."""
        before = self._slave
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        if before >= 0:
            os.close(before)  # only now: the number of the pty is another one
        link = self.node.with_suffix(".new")
        link.symlink_to(os.ttyname(self._slave))
        link.replace(self.node)

    def send(self, frames: int, rest: bytes = b"") -> None:
        """Frames of 8 bytes, each with its own number in them; and what is none."""
        numbers = range(self.sent, self.sent + frames)
        os.write(self._master, b"".join(b"t1238%s\r" % n.to_bytes(8, "little").hex().encode() for n in numbers) + rest)
        self.sent += frames

    def unplug(self) -> None:
        self.node.unlink()
        os.close(self._master)

    def close(self) -> None:
        if self.node.is_symlink():
            self.unplug()
        os.close(self._slave)


@pytest.fixture
def adapter(tmp_path: Path) -> Iterator[Adapter]:
    adapter = Adapter(tmp_path / "ttyCAN")
    adapter.plug()
    yield adapter
    adapter.close()


@pytest.fixture
def recorder(adapter: Adapter, process, car) -> subprocess.Popen[str]:
    """Records what the adapter hears."""
    cars = car("buses: {dash: {dbc: my.dbc}}\n", "")
    return process("record", "--car", "mine", "--cars", cars, "--source", f"slcan:{adapter.node}?firmware=canable")


@pytest.fixture
def source(tmp_path: Path, recorder: subprocess.Popen[str]) -> Callable[[], SourceState | None]:
    """How the recorder's source is, as it was told last."""

    def look() -> SourceState | None:
        assert recorder.poll() is None, recorder.communicate()
        found = lock.recorder(tmp_path / "logs")
        return found.state.sources[0] if found is not None and found.state.sources else None

    return look


def test_an_adapter_that_is_pulled_out_and_put_back_costs_no_frame_that_it_sent_whole(
    recorder: subprocess.Popen[str], adapter: Adapter, source, tmp_path: Path
) -> None:
    states = ["connected"]
    until(lambda: (now := source()) and now.state == "connected")  # what it sends before may be swallowed
    for time_ in range(TIMES):
        adapter.send(50, b"nonsense\rt123%02x" % time_)
        until(lambda: source().frames == adapter.sent)
        adapter.unplug()
        until(lambda: source().state == "lost")
        adapter.plug()
        until(lambda: source().state == "reconnected")
        states += ["lost", "reconnected"]
    adapter.send(50)
    until(lambda: source().frames == adapter.sent)
    assert source().lost == {"malformed": 2 * TIMES}, "a line that makes no sense, and half a one"
    recorder.send_signal(signal.SIGINT)
    _, said = recorder.communicate(timeout=60)
    assert recorder.returncode == 0, said
    session, rows, facts = rows_of(tmp_path / "logs")
    numbers = only_frames(rows).data.view("<u8").ravel()
    assert numbers.tolist() == list(range(adapter.sent))
    assert np.all(np.diff(rows.t) >= 0)
    told = [fact for kind, _, fact in facts if kind is Control.SOURCE]
    assert [fact["state"] for fact in told] == states
    assert {fact["bus"] for fact in told} == {"dash"}
    lost = [fact for kind, _, fact in facts if kind is Control.LOST]
    assert sum(fact["count"] for fact in lost) == 2 * TIMES
    assert {fact["cause"] for fact in lost} == {"malformed"}
    assert session.state == "ended"
    assert not verify(session).damages
    assert said.count("is lost") == said.count("is reconnected") == TIMES
    assert "Traceback" not in said


def test_a_recorder_whose_adapter_is_not_there_yet_begins_when_it_comes(
    adapter: Adapter, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    adapter.unplug()
    recorder = request.getfixturevalue("recorder")
    source = request.getfixturevalue("source")
    until(lambda: (now := source()) and now.state == "lost")
    adapter.plug()
    until(lambda: source().state == "connected")
    adapter.send(3)
    until(lambda: source().frames == 3)
    recorder.send_signal(signal.SIGTERM)
    assert recorder.wait(60) == 0
    assert len(only_frames(rows_of(tmp_path / "logs")[1])) == 3


def test_a_recorder_that_was_frozen_notices(
    recorder: subprocess.Popen[str], adapter: Adapter, source, tmp_path: Path
) -> None:
    until(lambda: (now := source()) and now.state == "connected")
    adapter.send(5)
    until(lambda: source().frames == 5)
    recorder.send_signal(signal.SIGSTOP)
    time.sleep(3)  # what is measured
    adapter.send(5)
    recorder.send_signal(signal.SIGCONT)
    until(lambda: source().frames == 10)
    recorder.send_signal(signal.SIGTERM)
    _, said = recorder.communicate(timeout=60)
    assert recorder.returncode == 0, said
    _, rows, facts = rows_of(tmp_path / "logs")
    assert len(only_frames(rows)) == 10
    (gap,) = [fact for kind, _, fact in facts if kind is Control.GAP]
    assert gap["what"] == "frozen"
    assert 2.5 < gap["seconds"] < 60
    assert said.count("this process did not run") == 1
    assert "is lost" not in said, "the source was not to blame"


def test_a_driver_that_is_missing_ends_the_start_with_two(process, car) -> None:
    cars = car("buses: {dash: {dbc: my.dbc}}\n", "")
    started = process("record", "--car", "mine", "--cars", cars, "--interface", "neovi", "--channel", "1")
    _, said = started.communicate(timeout=60)
    assert started.returncode == 2
    assert "driver" in said.splitlines()[-1]
