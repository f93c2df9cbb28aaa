"""What is known of numbered recorders from outside, and what their log must hold because of it.

Laws of a logs folder, after whatever was done to its recorders:

1. What was reported as written is there; no damage is found.
2. Offsets are dense.  In the order of the log, runs follow one another, and each run's frames are numbered 0, 1, 2, …:
   none twice, none out of its place, and none missing but those that a LOST row behind the gap counts.
3. `t` never runs backwards, and is what the clock showed less the session's zero; a frame that came late takes the
   time of the row before it.
4. A killed session is gone on with: where the run changes within a session, a RECOVERED row stands between.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from pitwall.frames import Control, Flag, Frames, concat, in_log_order
from pitwall.log import Session, read, sessions, verify
from pitwall.log.lock import NAME
from pitwall.log.published import decode
from tests.torture.recorder import PAYLOAD, Report


@dataclass
class Checked:
    """How far a session was looked at: its rows, the last one's t, the last frame's run and number, and the control
    rows behind that.
    """

    rows: int = 0
    t: int = 0
    run: int = -1
    number: int = -1
    behind: list[tuple[int, dict]] = field(default_factory=list)


@dataclass
class Ledger:
    """Of one logs folder.

    stamped: whether the frames' payloads tell their `t` exactly.
    frames: in the log, by run.  lost: counted there as lost, by run.  told: the last report, by run.  written: the most
    rows of a session that were called written.
    """

    logs: Path
    stamped: bool = True
    frames: dict[int, int] = field(default_factory=dict)
    lost: dict[int, int] = field(default_factory=dict)
    told: dict[int, Report] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)
    _checked: dict[str, Checked] = field(default_factory=dict)
    _ended: set[str] = field(default_factory=set)

    def hear(self, reports: Sequence[Report]) -> None:
        """What a run reported, in order, through its pipe; and what it has published."""
        for before, report in pairwise([None, *reports]):
            assert report is not None
            assert report.durable <= report.written, report
            if before is not None and before.session == report.session:
                assert before.written <= report.written, (before, report)
                assert before.durable <= report.durable, (before, report)
            self.told[report.run] = report
            self._promise(report.session, report.written)
        published = decode((self.logs / NAME).read_bytes()) if (self.logs / NAME).exists() else None
        if published is not None:
            assert published.state.durable <= published.state.written, published
            self._promise(published.state.session, published.state.written)

    def _promise(self, session: str, written: int) -> None:
        self.written[session] = max(written, self.written.get(session, 0))

    def check(self, *, ended: bool = False) -> list[Session]:
        """Look at what has come since the last time; the sessions with frames.  ended: whether one may have been ended.

        Raises AssertionError.
        """
        found = sessions(self.logs)
        for session in found:
            if session.id not in self._ended:
                self._check_session(session)
            if session.state == "ended":
                assert ended or session.id in self._ended or not session.frames, f"{session.id} was not gone on with"
                self._ended.add(session.id)
        for run, report in self.told.items():
            kept = self.frames.get(run, 0)
            assert kept >= report.frames, f"{report.frames - kept} of the frames reported written are missing: {report}"
        found = [session for session in found if session.frames]
        assert sum(session.state != "ended" for session in found) <= 1, [session.id for session in found]
        return found

    def check_all(self) -> list[Session]:
        """Look at everything from the beginning."""
        self._checked, self._ended, self.frames, self.lost = {}, set(), {}, {}
        return self.check(ended=True)

    def _check_session(self, session: Session) -> None:
        report = verify(session)
        assert not report.damages, [str(damage) for damage in report.damages]
        written = self.written.get(session.id, 0)
        assert session.rows >= written, f"{session.id} has {session.rows} rows of {written} reported written"
        checked = self._checked.setdefault(session.id, Checked())
        rows = concat([in_log_order(batch) for batch in read(session.path, checked.rows)])
        if len(rows):
            assert rows.start == checked.rows
            assert rows.stop == session.rows, (rows.stop, session)
            self._check_rows(rows, checked, session)

    def _check_rows(self, rows: Frames, checked: Checked, session: Session) -> None:
        before = np.concatenate([[checked.t], rows.t[:-1]])
        assert np.all(rows.t >= before), "t runs backwards"
        is_control = rows.flags & np.uint8(Flag.CONTROL) != 0
        at = np.flatnonzero(~is_control)
        heard = np.ascontiguousarray(rows.data[at]).view(PAYLOAD).reshape(-1)
        if self.stamped:
            self._check_times(rows.t[at], before[at], heard["ms"], session)
        run = np.concatenate([[checked.run], heard["run"].astype(np.int64)])
        number = np.concatenate([[checked.number], heard["number"].astype(np.int64)])
        fresh = np.diff(run) != 0
        missing = heard["number"] - np.where(fresh, 0, number[:-1] + 1)
        facts = {int(i): _fact(rows, int(i)) for i in np.flatnonzero(is_control)}
        for i in np.flatnonzero(fresh | (missing != 0)):
            first = int(at[i - 1]) + 1 if i else 0
            between = [facts[row] for row in range(first, int(at[i]))]
            self._check_join(between if i else checked.behind + between, int(run[i]), int(run[i + 1]), int(missing[i]))
        for one, count in zip(*np.unique(heard["run"], return_counts=True), strict=True):
            self.frames[int(one)] = self.frames.get(int(one), 0) + int(count)
        behind = [facts[row] for row in range(int(at[-1]) + 1 if len(at) else 0, len(rows))]
        checked.behind = behind if len(at) else checked.behind + behind
        checked.rows, checked.t = rows.stop, int(rows.t[-1])
        checked.run, checked.number = int(run[-1]), int(number[-1])

    def _check_times(self, t: np.ndarray, before: np.ndarray, ms: np.ndarray, session: Session) -> None:
        zero = session.header.zero_ns
        if zero is not None:
            late = (t + zero) // 10**6 & 0xFFFF != ms
            assert np.all(t[late] == before[late]), "a frame has another time than it was heard at"

    def _check_join(self, between: list[tuple[int, dict]], run: int, then: int, missing: int) -> None:
        """Two frames in a row of which the second is not the next of the same run."""
        assert then >= run, f"frames of the run {then} stand behind those of {run}"
        assert missing >= 0, f"{-missing} frames of the run {then} are twice"
        if then != run and run >= 0:
            assert any(kind == Control.RECOVERED for kind, _ in between), "a recorder went on without a word"
        lost = sum(fact["count"] for kind, fact in between if kind == Control.LOST)
        assert missing <= lost, f"{missing} frames of the run {then} are missing, {lost} were counted as lost"
        self.lost[then] = self.lost.get(then, 0) + missing


def _fact(rows: Frames, i: int) -> tuple[int, dict]:
    assert rows.more is not None
    return int(rows.id[i]), json.loads(rows.more[i].as_py())
