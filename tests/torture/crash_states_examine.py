"""A logs folder after a loss of power in; whether the log keeps its word, read as it is and recovered, out.

Before recovery and after it: every row that reads back is the one that was appended at its offset, none comes twice, a
missing one is reported, and none is missing that was promised to be durable.  Recovery loses nothing that a plain read
gave, leaves every session ended and nothing unsealed; to recover again changes nothing; a new writer can go on.
"""

from __future__ import annotations

import logging
import os
import random
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from pitwall.frames import Control, to_arrow
from pitwall.log import Damage, Writer, read, recover, sessions
from tests.log.drives import START_NS, traffic
from tests.torture.crash_states_disk import Event, Memory, Recorder, State, Volume

OWN = (int(Control.RECOVERED), int(Control.SESSION_END))
"""Kinds of the rows that a recovery appends."""

_COLUMN_ID, _COLUMN_FLAGS = 2, 3


class BrokenError(AssertionError):
    """The log broke its word.  what: in a line.  state: in which folder it did."""

    def __init__(self, what: str, state: State) -> None:
        self.what = what
        self.state = state
        listed = ", ".join(f"{path} {'/' if data is None else len(data)}" for path, data in state.files.items())
        super().__init__(f"{what}\n  in: {listed}")


class Outcome(NamedTuple):
    """What an examined state holds: of each session, the runs [first, stop) of offsets that read back, and the trace
    of its recovery."""

    plain: Mapping[str, list[tuple[int, int]]]
    recovered: Mapping[str, list[tuple[int, int]]]
    trace: list[Event]


class Examiner:
    """Examines states in the folder `place`, and remembers those that it has.

    history: every row of each session, as it was with the power on.  examined: distinct states.  writers: on how many
    of them a new session was recorded.
    """

    def __init__(self, place: Path, history: Mapping[str, pa.RecordBatch], *, every_writer: int = 16) -> None:
        self._logs = place / "logs"
        self._pool = place / "pool"
        self._pool.mkdir(parents=True)
        self._pooled: dict[bytes, Path] = {}
        self._history = history
        self._every_writer = every_writer
        self._seen: dict[bytes, Outcome] = {}
        self._whole: dict[bytes, Mapping[str, list[tuple[int, int]]]] = {}
        self.examined = 0
        self.writers = 0
        self._warned = _Warnings()

    def examine(self, state: State, durable: Mapping[str, int], lies: frozenset[str] = frozenset()) -> Outcome | None:
        """Raises BrokenError.  durable: rows promised of each session.  None where the state was seen before."""
        before = self._seen.get(state.digest)
        outcome = before or self._examine(state, lies)
        for kept in (outcome.plain, outcome.recovered):
            for session, rows in durable.items():
                there = kept.get(session, [])
                if rows and not (there and there[0][0] == 0 and there[0][1] >= rows):
                    raise BrokenError(f"{session}: {rows} rows were durable, these are there: {there}", state)
        self._seen[state.digest] = outcome
        return None if before else outcome

    def check_pool(self) -> None:
        """Nothing was written into a file that was there: they are linked into each state, and are as they were."""
        for data, path in self._pooled.items():
            assert path.read_bytes() == data, "a file of the log was written into"

    def _examine(self, state: State, lies: frozenset[str]) -> Outcome:
        self.examined += 1
        self._lay_down(state)
        names = [path for path, data in state.files.items() if data is None and not path.startswith(".")]
        try:
            plain = {name: self._read(name, state) for name in names}
            disk = Recorder(self._logs, memory := Memory(), lies=lies)
            with self._warned:
                recover(self._logs, disk)
            if self._warned.said:
                raise BrokenError(f"recovery gave up: {self._warned.said[0]}", state)
            recovered = self._check_recovered(state)
        except BrokenError:
            raise
        except Exception as error:
            raise BrokenError(f"{type(error).__name__}: {error}", state) from error
        for name in names:
            if not _covers(recovered[name], plain[name]):
                raise BrokenError(f"{name}: read as it was {plain[name]}, recovered {recovered[name]}", state)
        return Outcome(plain, recovered, memory.noted)

    def _check_recovered(self, state: State) -> Mapping[str, list[tuple[int, int]]]:
        """The folder once it is recovered; the same folder need not be looked at twice."""
        after = self._as_it_is()
        if after.digest in self._whole:
            return self._whole[after.digest]
        listed = sessions(self._logs)
        kept = {name: self._read(name, state) for name, data in after.files.items() if data is None}
        for session in listed:
            if session.state != "ended":
                raise BrokenError(f"{session.id} is {session.state} once it is recovered", state)
        for path in after.files:
            if path.endswith(".tmp") or (path.endswith(".arrows") and self._holds_rows(path)):
                raise BrokenError(f"recovery leaves {path}", state)
        if recover(self._logs) or self._as_it_is().digest != after.digest:
            raise BrokenError("to recover again changes something", state)
        if after.digest[0] % self._every_writer == 0:
            self.writers += 1
            self._go_on(state)
        self._whole[after.digest] = kept
        return kept

    def _holds_rows(self, path: str) -> bool:
        """Whether a row can be read of the open segment, alone: one that holds none stays as it is."""
        alone = self._logs / f".alone/{path}"
        alone.parent.mkdir(parents=True, exist_ok=True)
        os.link(self._logs / path, alone)
        found = any(batch.start >= int(alone.stem) for batch in read(alone.parent, damaged=lambda _: None))
        shutil.rmtree(self._logs / ".alone")
        return found

    def _go_on(self, state: State) -> None:
        writer = Writer.create(self._logs, car="new", buses=["a"], started_at_ns=START_NS, session_id="new")
        rows = traffic(3)
        writer.append(rows)
        writer.end(0)
        got = [to_arrow(batch) for batch in read(self._logs / "new", 1, 4)]
        if not (len(got) == 1 and got[0].equals(to_arrow(rows))):
            raise BrokenError("a new session does not read back", state)

    def _read(self, name: str, state: State) -> list[tuple[int, int]]:
        """The runs of offsets of a session that read back, each row compared with what was appended."""
        known = self._history.get(name)
        total = known.num_rows if known is not None else 0
        damages: list[Damage] = []
        runs: list[tuple[int, int]] = []
        own: list[tuple[int, int]] = []
        at = 0
        for batch in read(self._logs / name, damaged=damages.append):
            first, stop = batch.start, batch.stop
            if first < at or stop == first:
                raise BrokenError(f"{name}: the offsets {first} to {stop} come behind {at}", state)
            rows = to_arrow(batch)
            same = known is not None and stop <= total and rows.equals(known.slice(first, stop - first))
            if not same:
                own += self._own(name, rows, first, state)
            if runs and runs[-1][1] == first:
                runs[-1] = (runs[-1][0], stop)
            else:
                if first > at and not _covers(
                    [(d.first, d.last) for d in damages if d.last is not None], [(at, first)]
                ):
                    raise BrokenError(f"{name}: the offsets {at} to {first} are missing, and nothing says so", state)
                runs.append((first, stop))
            at = stop
        if not set(own) <= {(at - 2, OWN[0]), (at - 1, OWN[1])}:
            raise BrokenError(f"{name}: rows that nobody appended, of the kinds {own}, up to {at}", state)
        return runs

    def _own(self, name: str, rows: pa.RecordBatch, first: int, state: State) -> list[tuple[int, int]]:
        """Offset and kind of each row that is not what was appended there: recovery's own, or else something broke."""
        known = self._history.get(name)
        total = known.num_rows if known is not None else 0
        found = []
        for i in range(rows.num_rows):
            offset = first + i
            row = rows.slice(i, 1)
            if offset < total and known is not None and row.equals(known.slice(offset, 1)):
                continue
            kind = row.column(_COLUMN_ID)[0].as_py()
            if row.column(_COLUMN_FLAGS)[0].as_py() != 128 or kind not in OWN:
                raise BrokenError(f"{name}: the row {offset} is not the one appended: {row.to_pylist()}", state)
            found.append((offset, kind))
        return found

    def _lay_down(self, state: State) -> None:
        shutil.rmtree(self._logs, ignore_errors=True)
        self._logs.mkdir()
        for path, data in sorted(state.files.items()):
            target = self._logs / path
            if data is None:
                target.mkdir()
            else:
                self._link(data, target)

    def _link(self, data: bytes, target: Path) -> None:
        source = self._pooled.get(data)
        if source is None:
            if len(self._pooled) > 2000:
                self.check_pool()
                for old in self._pooled.values():
                    old.unlink()
                self._pooled.clear()
            source = self._pool / str(len(self._pooled))
            source.write_bytes(data)
            self._pooled[data] = source
        if target.suffix == ".tmp":  # the one kind of file that is emptied and written again
            target.write_bytes(data)
        else:
            os.link(source, target)

    def _as_it_is(self) -> State:
        files: dict[str, bytes | None] = {}
        for folder in os.scandir(self._logs):
            if folder.name.startswith("."):
                continue
            files[folder.name] = None
            for file in os.scandir(folder.path):
                files[f"{folder.name}/{file.name}"] = Path(file.path).read_bytes()
        return State(files)


class _Warnings(logging.Handler):
    """What the log warns of, within a `with`."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())

    def __enter__(self) -> None:
        self.said = []
        logging.getLogger("pitwall").addHandler(self)

    def __exit__(self, *_: object) -> None:
        logging.getLogger("pitwall").removeHandler(self)


def _covers(runs: Iterable[tuple[int | None, int | None]], wanted: Iterable[tuple[int, int]]) -> bool:
    """Whether all the offsets in `wanted` are in `runs`."""
    have = sorted((first, stop) for first, stop in runs if first is not None and stop is not None)
    for first, stop in wanted:
        at = first
        for begins, ends in have:
            if begins <= at < ends:
                at = ends
        if at < stop:
            return False
    return True


def again(examiner: Examiner, state: State, outcome: Outcome, durable: Mapping[str, int], random: random.Random, *,
          tries: int, depth: int = 2, lies: frozenset[str] = frozenset()) -> None:  # fmt: skip
    """The power goes once more, while the folder `state` is being recovered, and perhaps once more then."""
    volume = Volume(state)
    stops = sorted(random.randrange(len(outcome.trace) + 1) for _ in range(tries)) if outcome.trace else []
    done = 0
    for stop in stops:
        for event in outcome.trace[done:stop]:
            volume.apply(event)
        done = max(done, stop)
        left = volume.some(random)
        found = examiner.examine(left, durable, lies)
        if found is not None and depth > 1:
            again(examiner, left, found, durable, random, tries=1, depth=depth - 1, lies=lies)
