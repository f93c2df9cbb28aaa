"""A car and a log's header in, the pipeline of that session: frames in, rows of every table out.

Laws:

1. What comes out depends on the frames alone, not on how they are cut into batches, or whether they come clustered.
2. Its `fingerprint` differs whenever what comes out may: another car definition, other code, another session.
3. Rows that the log can't give are counted, never guessed.
4. A frame that can't be taken as it is stops nothing, unless it is to be `strict`: it is a row of `rejected`.
5. What fails in laps or coach costs no signal: it is a row of `problems`.

It folds state from batch to batch, and never saves it: a pipeline begins at offset 0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

import duckdb
import numpy as np

import pitwall
from pitwall import decode
from pitwall.car import Car, heard
from pitwall.coach.cues import Cue
from pitwall.decode import Rejected, Seen, in_order
from pitwall.derive import Deriver, Rows, Table, Trace
from pitwall.errors import CarError, LogError, RejectedError
from pitwall.frames import Control, Flag, Frames
from pitwall.log.opening import Header
from pitwall.project import tracks
from pitwall.project.built import BuiltFrom
from pitwall.project.fenced import Fenced
from pitwall.project.gathered import rate_hz
from pitwall.project.laps import Small
from pitwall.project.layout import RESERVED

CODE: Final = ("frames.py", "car", "decode", "derive", "track", "tracks", "coach", "project")
"""What decides which rows come out: the version of the code is a digest of these."""

ControlRow = tuple[object, ...]
"""A row of the table `control`."""

RejectedRow = tuple[object, ...]
"""A row of the table `rejected`."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What one batch gave."""

    rows: list[Rows]
    control: list[ControlRow]
    rejected: list[RejectedRow]


class Pipeline:
    """The way of one session's frames.

    car: as it is in that session (`pitwall.car.heard`).  tables: all that its rows can be of.
    built: what a projection of the frames so far is built from.
    """

    def __init__(self, car: Car, header: Header, *, strict: bool = False, trace: Trace | None = None) -> None:
        """strict: the first frame that is rejected raises RejectedError.  trace: sees what is done to every sample."""
        self._buses = tuple(header.buses)
        self.car = car = heard(car, self._buses)
        self._plan = decode.plan(car, self._buses)
        self._deriver = Deriver(car, trace)
        self._strict = strict
        self._ids: dict[tuple[int, int, int], Seen] = {}
        self._fenced = Fenced(car, self._deriver.tables)
        self.tables: tuple[Table, ...] = (*self._deriver.tables, *self._fenced.tables)
        _check(self._deriver.tables, car)
        self.built = origin(car, header)

    def apply(self, frames: Frames) -> Applied:
        """The rows that the log's next batch gives."""
        self.skip(frames.start)
        decoding = self._decode(frames)
        rows = self._deriver.fold(decoding)
        rejected = in_order([*decoding.rejected, *self._deriver.rejected])
        if rejected and self._strict:
            raise RejectedError(f"offset {rejected[0].at}: {rejected[0].reason}", where=self.built.session)
        control = _control_rows(frames)
        rows += self._fenced.fold(rows, control, int(frames.t.max()) if len(frames) else None)
        ended = any(row[2] == _kind(Control.SESSION_END) for row in control)
        self.built = replace(self.built, offset=frames.stop, complete=self.built.complete or ended)
        if not self.built.place and self._fenced.place:
            self.built = replace(self.built, place=self._fenced.place, tracks=tracks.near(self._fenced.place))
        return Applied(rows, control, _rejected_rows(frames, rejected, self._buses))

    def skip(self, offset: int) -> None:
        """Counts the rows before `offset` that did not come as lost."""
        missing = offset - self.built.offset
        if missing < 0:
            raise LogError(f"rows came twice: offset {offset} after {self.built.offset}", where=self.built.session)
        if missing:
            self.built = replace(self.built, offset=offset, lost=self.built.lost + missing)

    def ids(self) -> list[tuple[object, ...]]:
        """The rows of the table `ids` for the frames so far, in the order of bus, kind and id."""
        return [_id_row(seen, self._buses) for _, seen in sorted(self._ids.items())]

    def laps(self) -> Small:
        """The rows of the tables of laps, as of now; the same object until they may differ."""
        return self._fenced.laps()

    @property
    def cue(self) -> Cue | None:
        """What was said to the driver last."""
        return self._fenced.cue

    def behind_laps(self) -> str:
        """What the newest row of `laptime` stands on, in words."""
        return self._fenced.behind()

    def coached(self) -> Small:
        """The rows of the coach's tables, as of now; the same object until they may differ."""
        return self._fenced.coached()

    def problems(self) -> list[tuple[object, ...]]:
        """The rows of the table `problems`: what of laps or coach failed, and gives nothing."""
        return self._fenced.problems()

    def _decode(self, frames: Frames) -> decode.Decoding:
        decoding = self._plan.decode(frames)
        for seen in decoding.ids:
            key = (seen.bus, seen.flags, seen.id)
            before = self._ids.get(key)
            self._ids[key] = seen if before is None else _both(before, seen)
        return decoding


def origin(car: Car, header: Header) -> BuiltFrom:
    """What a projection of that session is built from, before its first row."""
    code = code_version()
    car = heard(car, header.buses)
    given: tuple[object, ...] = (car.fingerprint, code, header.session, header.started_at_ns, tuple(header.buses))
    return BuiltFrom(header.session, hashlib.sha256(repr(given).encode()).hexdigest(), code)


@cache
def code_version() -> str:
    """12 hex digits that differ whenever the code that makes projections does, or the libraries that compute in it."""
    package = Path(pitwall.__file__).parent
    digest = hashlib.sha256(f"numpy {np.__version__} duckdb {duckdb.__version__}".encode())
    for name in CODE:
        place = package / name
        files = [file for file in place.rglob("*") if file.suffix in (".py", ".yaml")] if place.is_dir() else [place]
        for file in sorted(files):
            digest.update(f"\n{file.relative_to(package).as_posix()}\n".encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def _check(tables: Sequence[Table], car: Car) -> None:
    taken = [table.name for table in tables if table.name.lower() in RESERVED]
    if taken:
        raise CarError(
            [f"{name!r} is the name of a table that every projection has" for name in taken],
            where=car.folder / "car.yaml",
            hint="give the channel another name",
        )


def _control_rows(frames: Frames) -> list[ControlRow]:
    found = np.flatnonzero(frames.flags & np.uint8(Flag.CONTROL))
    if not len(found):
        return []
    offsets = frames.offsets[found]
    rows: list[ControlRow] = []
    for i, offset in sorted(zip(found.tolist(), offsets.tolist(), strict=True), key=lambda pair: pair[1]):
        fact = b"" if frames.more is None else frames.more[i].as_py()
        rows.append((offset, int(frames.t[i]), _kind(int(frames.id[i])), fact.decode(errors="replace")))
    return rows


def _rejected_rows(frames: Frames, rejected: Sequence[Rejected], buses: Sequence[str]) -> list[RejectedRow]:
    if not rejected:
        return []
    wanted = np.array([row.at for row in rejected], np.int64)
    order = np.argsort(frames.offsets, kind="stable")
    rows: list[RejectedRow] = []
    for row, i in zip(rejected, order[np.searchsorted(frames.offsets, wanted, sorter=order)].tolist(), strict=True):
        payload = frames.data[i].tobytes()[: int(frames.len[i])]
        payload += b"" if frames.more is None else frames.more[i].as_py()
        place = (row.at, int(frames.t[i]), _bus(int(frames.bus[i]), buses), int(frames.id[i]))
        rows.append((*place, row.reason, payload.hex()))
    return rows


def _kind(kind: int) -> str:
    return Control(kind).name.lower() if kind in Control.__members__.values() else str(kind)


def _both(before: Seen, after: Seen) -> Seen:
    return replace(
        after,
        frames=before.frames + after.frames,
        short=before.short + after.short,
        rejected=before.rejected + after.rejected,
        missed=before.missed + after.missed,
        first_t=before.first_t,
    )


def _bus(index: int, buses: Sequence[str]) -> str:
    return buses[index] if index < len(buses) else str(index)


def _id_row(seen: Seen, buses: Sequence[str]) -> tuple[object, ...]:
    kind = "remote" if seen.flags & Flag.REMOTE else "error" if seen.flags & Flag.ERROR else "data"
    return (
        _bus(seen.bus, buses),
        seen.id,
        bool(seen.flags & Flag.EXTENDED),
        kind,
        bool(seen.flags & Flag.TX),
        seen.message,
        seen.decoded,
        seen.frames,
        seen.short,
        seen.rejected,
        seen.missed,
        seen.first_t,
        seen.last_t,
        rate_hz(seen.frames, seen.first_t, seen.last_t),
        seen.payload.hex(),
    )
