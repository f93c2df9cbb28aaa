"""A log that is written, crashed, recovered, gone on with, archived and restored in any order, beside a list of rows.

Laws, after each step, of each session that is in the log:

1. acknowledged ⊆ there ⊆ sent, in order, each frame once; offsets are dense, and no damage is found.  Only a loss of
   power may take frames, none of them durable, and leave others behind them: then it is reported which.
2. Where the power went, at least what was durable is there; where the process died, all that was written.
3. To recover what was recovered changes nothing; what was archived comes back row for row.

A process that dies leaves its folder as it is; where the power goes, it is left in a state that POSIX allows
(`crash_states_disk`).  Its successor lives on a copy, so that the dead one's threads can do no harm.
"""

from __future__ import annotations

import random
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pitwall.errors import LogError
from pitwall.frames import Control, Flag, in_log_order
from pitwall.log import Damage, Writer, pins, read, recover, recovery, sessions
from pitwall.log.archive import archive
from pitwall.log.destination import Destination
from pitwall.log.hold import Hold
from pitwall.log.lock import Lock
from pitwall.log.removal import discard
from pitwall.log.restore import restore
from pitwall.log.writer import Pace
from tests.log.drives import START_NS, lost, rows_of, traffic
from tests.torture.crash_states_disk import Memory, Recorder, State, Volume
from tests.torture.failing_io import MEMORY, on_disk

NEVER_S: Final = 3600.0


@dataclass
class Known:
    """What is known of a session.  sent: its frames.  written, durable: how many of them were called so.

    torn: the power went while it was written: what was lost may be reported as damage, for ever.
    """

    sent: list[tuple] = field(default_factory=list)
    written: int = 0
    durable: int = 0
    ended: bool = False
    archived: bool = False
    pinned: bool = False
    torn: bool = False


class LogMachine(RuleBasedStateMachine):
    """The steps, and the model: `known`, of each session by its name."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp(prefix="pitwall-", dir=MEMORY if MEMORY.is_dir() else None))
        self.known: dict[str, Known] = {}
        self.lives = 0
        self.hold: Hold | None = None
        self.writer: Writer | None = None

    @initialize()
    def start(self) -> None:
        self._live(State({}))

    def teardown(self) -> None:
        self._die()
        shutil.rmtree(self.place)

    # --- one who writes

    @precondition(lambda self: self.writer is None)
    @rule(segment_bytes=st.sampled_from([1, 2_000, 1 << 20]))
    def begin(self, segment_bytes: int) -> None:
        name = f"s{len(self.known)}"
        self.writer = Writer.begin(
            self._held(), car="test", buses=["a", "b"], started_at_ns=START_NS + len(self.known), zero_ns=0,
            session_id=name, pace=Pace(NEVER_S, segment_bytes),
        )  # fmt: skip
        self.known[name] = Known()

    @precondition(lambda self: self.writer is None and self.hold is None)
    @rule(segment_bytes=st.sampled_from([1, 2_000, 1 << 20]))
    def go_on(self, segment_bytes: int) -> None:
        hold = self._held()
        stump = hold.take_up(lambda _stump: True)
        if stump is not None:
            self.writer = Writer.go_on(hold, stump, pace=Pace(NEVER_S, segment_bytes))
            known = self.known[stump.folder.name]
            known.durable = known.written = len(known.sent)

    @precondition(lambda self: self.writer is not None)
    @rule(count=st.integers(1, 30), seed=st.integers(0, 999), gap=st.sampled_from([0, 1, 10**9, 2**40]))
    def append(self, count: int, seed: int, gap: int) -> None:
        assert self.writer is not None
        rows = traffic(count, seed=seed, start_ns=self.writer.last_t + gap)
        self.writer.append(rows)
        known = self.known[self.writer.session]
        known.sent += rows_of(rows)
        known.written = len(known.sent)
        assert self.writer.frames == known.written or known.torn

    @precondition(lambda self: self.writer is not None)
    @rule()
    def note(self) -> None:
        assert self.writer is not None
        self.writer.control(Control.NOTE, self.writer.last_t, {"text": "here"})

    @precondition(lambda self: self.writer is not None)
    @rule()
    def sync(self) -> None:
        assert self.writer is not None
        self.writer.sync()
        known = self.known[self.writer.session]
        known.durable = known.written

    @precondition(lambda self: self.writer is not None)
    @rule()
    def end(self) -> None:
        assert self.writer is not None
        self.writer.end(0)
        known = self.known[self.writer.session]
        known.durable, known.ended = known.written, True
        self.writer = None

    @precondition(lambda self: self.hold is not None)
    @rule(seal=st.booleans())
    def leave(self, seal: bool) -> None:
        """The recorder goes, without an end where it is writing."""
        assert self.hold is not None
        if self.writer is not None:
            self.writer.close()
            known = self.known[self.writer.session]
            known.durable = known.written
        self.hold.close(seal=seal)
        self.writer = self.hold = None

    # --- crashes

    @rule()
    def kill(self) -> None:
        """The process dies; the power is on."""
        with self.disk.still():
            left = on_disk(self.logs)
        self._crash(left)

    @rule(seed=st.integers(0, 2**32 - 1), least=st.booleans())
    def cut(self, seed: int, least: bool) -> None:
        """The power goes."""
        with self.disk.still():
            events = list(self.trace.noted)
        for event in events:
            self.volume.apply(event)
        self._crash(self.volume.least() if least else self.volume.some(random.Random(seed)))
        for name, known in self.known.items():
            if not known.archived:
                known.torn |= not known.ended
                kept = self._frames(name)
                assert kept[: known.durable] == known.sent[: known.durable], f"{name}: durable frames are missing"
                rest = iter(known.sent)
                assert all(row in rest for row in kept), f"{name}: other frames than were sent"
                known.sent, known.written, known.durable = kept, len(kept), len(kept)

    # --- those who come behind

    @precondition(lambda self: self.hold is None)
    @rule()
    def recover(self) -> None:
        recover(self.logs, self.disk)
        after = on_disk(self.logs)
        assert recover(self.logs, self.disk) == []
        assert on_disk(self.logs).files == after.files, "to recover again changes something"
        for known in self.known.values():
            known.ended |= not known.archived
        assert all(session.state == "ended" for session in sessions(self.logs))

    @precondition(lambda self: self.hold is None)
    @rule(data=st.data())
    def add(self, data: st.DataObject) -> None:
        name = self._one(data, lambda known: known.ended and not known.archived)
        if name:
            held = Lock(self.logs, self.disk)
            recovery.add(self.logs / name, Control.NOTE, {"text": "behind"}, self.disk)
            held.release()

    @precondition(lambda self: self.hold is None)
    @rule(data=st.data())
    def archive(self, data: st.DataObject) -> None:
        name = self._one(data, lambda known: not known.archived)
        if not name:
            return
        if self.known[name].pinned:
            with pytest.raises(LogError, match="pinned"):
                archive(self.logs, name, Destination(str(self.there)), forget=_forget, disk=self.disk)
            return
        archive(self.logs, name, Destination(str(self.there)), forget=_forget, disk=self.disk)
        assert not (self.logs / name).exists()
        self.known[name].archived = True

    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        name = self._one(data, lambda known: known.archived)
        if name:
            restore(self.logs, name, forget=_forget, disk=self.disk)
            shutil.rmtree(self.there / name)  # so that it can be added to, and archived again
            known = self.known[name]
            known.archived, known.ended, known.durable = False, True, known.written

    @rule(data=st.data(), pinned=st.booleans())
    def pin(self, data: st.DataObject, pinned: bool) -> None:
        name = self._one(data, lambda known: not known.archived)
        if name:
            (pins.pin if pinned else pins.unpin)(self.logs / name)
            self.known[name].pinned = pinned

    @rule(data=st.data())
    def discard(self, data: st.DataObject) -> None:
        name = self._one(data, lambda known: known.ended and not known.archived)
        if not name:
            return
        if self.known[name].pinned:
            with pytest.raises(LogError, match="pinned"):
                discard(self.logs, name, forget=_forget, disk=self.disk)
            return
        discard(self.logs, name, forget=_forget, disk=self.disk)
        self.known[name] = Known(archived=True)  # its name is not used again
        self.known[f"{name} gone"] = self.known.pop(name)

    # ---

    @invariant()
    def what_was_sent_is_there(self) -> None:
        self._wait()
        for name, known in self.known.items():
            if not known.archived:
                assert self._frames(name) == known.sent, name

    def _frames(self, name: str) -> list[tuple]:
        """The frames of a session in their order."""
        damages: list[Damage] = []
        found: list[tuple] = []
        missing: set[int] = set()
        at = 0
        for batch in read(self.logs / name, damaged=damages.append):
            assert batch.start >= at, f"{name}: the offsets {batch.start} to {at} come twice"
            if batch.start > at:
                missing |= set(range(at, batch.start))
            at = batch.stop
            rows = in_log_order(batch)
            found += [row for row, flags in zip(rows_of(rows), rows.flags, strict=True) if not flags & Flag.CONTROL]
        known = self.known[name]
        assert known.torn or not damages, damages
        assert known.torn or not missing, missing
        assert missing <= lost(damages), f"{name}: {missing} are missing, and nothing says so"
        return found

    def _one(self, data: st.DataObject, wanted: Any) -> str | None:
        names = [name for name, known in self.known.items() if wanted(known) and not name.endswith("gone")]
        return data.draw(st.sampled_from(names)) if names else None

    def _wait(self) -> None:
        """Until what the hold does behind us is done: each step begins where it did when it is repeated."""
        while self.hold is not None:
            done = threading.Event()
            self.hold._jobs.put(done.set)
            assert done.wait(60), "the hold hangs"
            if self.hold._jobs.empty():
                return

    def _held(self) -> Hold:
        self.hold = self.hold or Hold(self.logs, disk=self.disk)
        return self.hold

    def _crash(self, left: State) -> None:
        self._die()
        self._live(left)

    def _die(self) -> None:
        if self.writer is not None:
            with suppress(LogError):
                self.writer.close()
        if self.hold is not None:
            self.hold.close(seal=False)
        self.writer = self.hold = None

    def _live(self, state: State) -> None:
        """The next life, in a folder of its own that holds what is left of the last."""
        self.lives += 1
        self.logs, self.there = self.place / f"logs-{self.lives}", self.place / "there"
        self.logs.mkdir()
        for path, content in sorted(state.files.items()):
            if content is None:
                (self.logs / path).mkdir()
            else:
                (self.logs / path).write_bytes(content)
        for name, known in self.known.items():  # a pin is not of the log: its loss is not what is looked for
            if not known.archived:
                (self.logs / name / pins.NAME).unlink(missing_ok=True)
                if known.pinned:
                    (self.logs / name / pins.NAME).touch()
        self.volume, self.trace = Volume(on_disk(self.logs)), Memory()
        self.disk = Recorder(self.logs, self.trace)
        self.disk.open_gate()


def _forget(_session: str) -> None:
    """Nothing was built from it."""


def run(examples: int, steps: int, seed: int) -> None:
    """So many runs of so many steps.  Raises what a step raises, with the steps that led there."""
    given = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, database=None,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink],
    )  # fmt: skip
    run_state_machine_as_test(hypothesis.seed(seed)(LogMachine), settings=given)


def torture(scale: float, seed: int) -> Iterator[str]:
    """5,000 runs of 40 steps."""
    examples = max(5, round(5_000 * scale))
    run(examples, 40, seed)
    yield f"{examples:,} runs of 40 steps, beside a list of rows: the log held what the list did"
