"""Two definitions of a car (or one, and a finished generation of another) and a session in, what would change out.

Nothing is written.  In one pass over the log channels are compared by name, row by row: a row is of the log offset that
it stems from.  What is kept is counts and one example a channel, however long the log.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pitwall.car import Car
from pitwall.derive import Rows, Table
from pitwall.derive.channel import Channel, Float64
from pitwall.frames import Frames, Int64
from pitwall.log.place import Damage
from pitwall.log.reader import read
from pitwall.log.session import Session
from pitwall.project import seal
from pitwall.project.build import Progress
from pitwall.project.earlier import earlier, whole_times
from pitwall.project.generations import Generations
from pitwall.project.lap_changes import BestChange, LapChange, best_change, lap_changes
from pitwall.project.laps import Small
from pitwall.project.pipeline import Pipeline
from pitwall.project.raw import Frame, frame


@dataclass(frozen=True, slots=True)
class Example:
    """The first row that differs.  frame: the one that made it.  before, after: NaN: missing."""

    frame: Frame
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Change:
    """What would change of a channel.

    before, after: the channel; None: there is none of that name.  renamed: the values are the same, to the last one.
    values_before, values_after: how many it has.  differing: rows whose values differ, a missing one among them.
    largest, mean: of the absolute differences where both are there; NaN: nowhere.
    """

    before: Channel | None
    after: Channel | None
    values_before: int = 0
    values_after: int = 0
    differing: int = 0
    largest: float = np.nan
    mean: float = np.nan
    example: Example | None = None
    renamed: bool = False


@dataclass(frozen=True, slots=True)
class Changes:
    """channels: removed ones, changed ones, added ones, in the tables' order.  laps: by number.  best: if it moves."""

    channels: list[Change]
    laps: list[LapChange]
    best: BestChange | None


def changes(
    session: Session,
    before: Car,
    after: Car,
    *,
    damaged: Callable[[Damage], None],
    progress: Progress | None = None,
) -> Changes:
    """What of the session's channels and laps would change.

    damaged: told of what of the log can't be read.
    """
    old, new = Pipeline(before, session.header), Pipeline(after, session.header)
    batches = read(session.path, damaged=damaged)
    channels = _compare(session, batches, old.tables, lambda frames, _: old.apply(frames).rows, new, progress)
    return _with_laps(channels, old.laps(), new)


def changes_since(
    session: Session,
    generations: Generations,
    file: Path,
    after: Car,
    *,
    damaged: Callable[[Damage], None],
    progress: Progress | None = None,
) -> Changes:
    """The same of a generation in `file` that was built from another definition, or by other code, up to its end.

    PitwallError: it can't be read.
    """
    new = Pipeline(after, session.header)
    built = seal.trusted(file)
    holds_s = {name: channel.hold_s for name, channel in _by_name(new.tables).items()}
    with earlier(generations, file, holds_s) as old:
        batches = whole_times(read(session.path, 0, built.offset if built else None, damaged=damaged))
        channels = _compare(session, batches, old.tables, old.rows, new, progress)
        return _with_laps(channels, old.laps(), new)


def _with_laps(channels: list[Change], before: Small, new: Pipeline) -> Changes:
    return Changes(channels, lap_changes(before, new.laps()), best_change(before, new.laps()))


def _compare(
    session: Session,
    batches: Iterable[Frames],
    tables: Sequence[Table],
    before: Callable[[Frames, list[Rows]], list[Rows]],
    new: Pipeline,
    progress: Progress | None,
) -> list[Change]:
    """before: the old rows of frames, from those and what the new pipeline makes of them.  tables: of the old ones."""
    channels = _by_name(tables), _by_name(new.tables)
    compared = {name: _Compared() for name in (*channels[0], *channels[1])}
    for frames in batches:
        now = new.apply(frames).rows
        rows = _columns(before(frames, now)), _columns(now)
        for name in rows[0].keys() | rows[1].keys():
            compared[name].add(rows[0].get(name, _NONE), rows[1].get(name, _NONE))
        if progress is not None:
            progress(frames.stop, max(frames.stop, session.rows))
    found = [_change(session, channels[0].get(name), channels[1].get(name), each) for name, each in compared.items()]
    removed = [one for one in found if one.after is None]
    added = [one for one in found if one.before is None]
    renamed = _renamed(removed, added, compared)
    gone = {id(one) for pair in renamed for one in pair}
    return [
        *(_joined(was, now) for was, now in renamed),
        *(one for one in removed if id(one) not in gone),
        *(one for one in found if one.before is not None and one.after is not None and _differs(one)),
        *(one for one in added if id(one) not in gone),
    ]


_Column = tuple[Int64, Float64]
"""Log offsets, ascending, and values (m,) of one channel."""

_NONE: _Column = (np.empty(0, np.int64), np.empty(0))


@dataclass
class _Compared:
    """One channel, as far as the log was read.  example: (offset, before, after)."""

    values: list[int] = field(default_factory=lambda: [0, 0])
    differing: int = 0
    both: int = 0
    largest: float = 0.0
    total: float = 0.0
    example: tuple[int, float, float] | None = None
    digests: tuple[hashlib.blake2b, hashlib.blake2b] = field(
        default_factory=lambda: (hashlib.blake2b(), hashlib.blake2b())
    )

    def add(self, before: _Column, after: _Column) -> None:
        """What the next batch gave."""
        sides = before, after
        if not len(before[0]) or not len(after[0]):
            self._digest(sides)  # it may be a channel of one side alone, and the other side's under another name
        if before[0] is not after[0] and not np.array_equal(before[0], after[0]):
            at = np.union1d(before[0], after[0])
            sides = (at, _spread(before, at)), (at, _spread(after, at))
        at, a, b = sides[0][0], sides[0][1], sides[1][1]
        there_a, there_b = ~np.isnan(a), ~np.isnan(b)
        self.values[0] += int(np.count_nonzero(there_a))
        self.values[1] += int(np.count_nonzero(there_b))
        differs = np.flatnonzero((a != b) & (there_a | there_b))
        if not len(differs):
            return
        self.differing += len(differs)
        if self.example is None:
            row = differs[0]
            self.example = int(at[row]), float(a[row]), float(b[row])
        with np.errstate(invalid="ignore", over="ignore"):
            distances = np.abs(a[differs] - b[differs])
        distances = distances[~np.isnan(distances)]
        if len(distances):
            self.both += len(distances)
            self.largest = max(self.largest, float(distances.max()))
            self.total += float(distances.sum())

    def _digest(self, sides: tuple[_Column, _Column]) -> None:
        for digest, (at, values) in zip(self.digests, sides, strict=True):
            there = ~np.isnan(values)
            digest.update(at[there].tobytes() + values[there].tobytes())


def _spread(column: _Column, at: Int64) -> Float64:
    """The column's values at all offsets `at`, which hold its own; NaN where it has no row."""
    values = np.full(len(at), np.nan)
    values[np.searchsorted(at, column[0])] = column[1]
    return values


def _by_name(tables: Sequence[Table]) -> dict[str, Channel]:
    return {channel.name: channel for table in tables for channel in table.channels}


def _columns(rows: Iterable[Rows]) -> dict[str, _Column]:
    return {
        channel.name: (each.at, values)
        for each in rows
        for channel, values in zip(each.table.channels, each.values, strict=True)
    }


def _change(session: Session, before: Channel | None, after: Channel | None, found: _Compared) -> Change:
    example = None
    if found.example is not None:
        offset, was, now = found.example
        example = Example(frame(session, offset), was, now)
    return Change(
        before,
        after,
        values_before=found.values[0],
        values_after=found.values[1],
        differing=found.differing,
        largest=found.largest if found.both else np.nan,
        mean=found.total / found.both if found.both else np.nan,
        example=example,
    )


def _differs(one: Change) -> bool:
    assert one.before is not None
    assert one.after is not None
    return bool(one.differing) or one.before.unit != one.after.unit or one.before.hold_s != one.after.hold_s


def _renamed(
    removed: Sequence[Change], added: Sequence[Change], compared: dict[str, _Compared]
) -> list[tuple[Change, Change]]:
    """Pairs of a channel removed and one added with the same values: of one signal, or the only ones that have them."""
    pairs: list[tuple[Change, Change]] = []
    for was in removed:
        assert was.before is not None
        taken = {id(now) for _, now in pairs}
        digest = compared[was.before.name].digests[0].digest()
        same = [
            now
            for now in added
            if now.after is not None
            and id(now) not in taken
            and was.values_before
            and now.after.unit == was.before.unit
            and compared[now.after.name].digests[1].digest() == digest
        ]
        of_source = [now for now in same if now.after is not None and now.after.source == was.before.source]
        if len(chosen := of_source or same) == 1:
            pairs.append((was, chosen[0]))
    return pairs


def _joined(was: Change, now: Change) -> Change:
    return Change(was.before, now.after, was.values_before, now.values_after, renamed=True)
