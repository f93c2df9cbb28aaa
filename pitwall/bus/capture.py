"""Capture files in, frames out, and frames out into capture files again.

Laws: what is readable of a damaged file comes out, and each loss is told; times are ns since the first frame and never
run backwards; what is written and read again is the same frames, their times equal to the microsecond or better, and
where a format can't hold them all, that is told.
"""

from __future__ import annotations

import gzip
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from pitwall.bus.formats import FORMATS, HEAD_BYTES, KNOWN, SUFFIXES, Format
from pitwall.bus.gps import IDS
from pitwall.bus.gz import inflate
from pitwall.bus.losses import Losses
from pitwall.bus.reading import Reading
from pitwall.errors import LossError, PitwallError, UsageError
from pitwall.frames import LOGGER_BUS, Flag, Frames, concat, take

EARLIEST_NS = 631_152_000 * 1_000_000_000
"""1990: an earlier time is no date but a counter that began somewhere (python-can draws the same line)."""

Progress = Callable[[int, int], None]
"""Told the bytes read so far, and of how many."""


@dataclass(frozen=True, eq=False)
class Capture:
    """A capture file, or several on one time line.

    buses: the name of each `frames.bus`.  started_at_ns: unix time of the first frame; where the file has no date
    (`dated` false) it is counted back from when the file was last written.
    frames: all of them in the order of their times, `t` ns since the first.  problems: what could not be read.
    notes: what was assumed in reading.
    """

    path: Path
    buses: tuple[str, ...]
    started_at_ns: int
    dated: bool
    frames: Frames
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Timeline:
    """Captures on one time line.

    buses: the names of all, each once.  started_at_ns: unix time of the first frame.  frames: all frames, `t` ns since
    the first, `bus` an index into `buses`.  captures: the files as they were read, by their start.
    begins: t (ns) of each capture's first frame.
    """

    buses: tuple[str, ...]
    started_at_ns: int
    frames: Frames
    captures: tuple[Capture, ...]
    begins: tuple[int, ...]
    notes: tuple[str, ...]

    @property
    def problems(self) -> list[str]:
        """What could not be read of any of them."""
        return [problem for capture in self.captures for problem in capture.problems]


def form_of(path: Path, name: str | None = None) -> Format:
    """The format to write: the one called `name`, or the one that the file's name ends in.

    Raises UsageError where there is none that can be written.
    """
    if name is None:
        forms = forms_of(path)
    elif name in FORMATS:
        forms = [FORMATS[name]]
    else:
        raise UsageError(f"no capture format is called {name!r}", hint=f"known: {', '.join(FORMATS)}")
    form = next((form for form in forms if form.write is not None), None)
    if form is None:
        written = ", ".join(form.name for form in FORMATS.values() if form.write is not None)
        raise UsageError(f"{forms[0].name} is read, and not written", where=path, hint=f"written are {written}")
    return form


def forms_of(path: Path) -> list[Format]:
    """The formats that a file of that name may be in, at least one.  Raises UsageError where there is none."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    if not suffixes or suffixes[-1] not in SUFFIXES:
        raise UsageError("its name ends in no capture format", where=path, hint=f"known: {KNOWN}")
    return SUFFIXES[suffixes[-1]]


def read_capture(path: Path, progress: Callable[[int], None] = lambda _bytes: None) -> Capture:
    """Everything that is readable of one capture file.

    Raises UsageError where there is no such file, or nothing of a capture in it.
    """
    forms = forms_of(path)
    losses = Losses(path)
    notes: list[str] = []
    try:
        if not path.is_file():
            raise UsageError("is no file" if path.exists() else "no such file", where=path)
        if not path.stat().st_size:
            raise UsageError("is empty", where=path, hint=f"captures end in {KNOWN}")
        mtime_ns = path.stat().st_mtime_ns
        with tempfile.TemporaryDirectory(prefix="pitwall-") as folder:
            plain = path
            if path.suffix.lower() == ".gz":
                plain = Path(folder, path.stem)
                inflate(path, plain, losses)
            reading = Reading(plain, losses, progress if plain == path else lambda _bytes: None)
            form = _told(forms, plain)
            rows = concat(list(form.read(reading)))
            notes += reading.notes
    except OSError as error:
        raise PitwallError(f"can't be read: {error.strerror or error}", where=path) from error
    if not len(rows):
        why = f": {losses.problems[0].removeprefix(f'{path}:').strip()}" if losses.count else ""
        what = f"holds no {form.holds} that can be read as {form.name}{why}"
        raise UsageError(what, where=path, hint=f"captures end in {KNOWN}")
    if np.any(np.diff(rows.t) < 0):
        notes.append(f"{path}: its frames are not in the order of their times: sorted")
        rows = take(rows, np.argsort(rows.t, kind="stable"))
    first = int(rows.t[0])
    dated = first >= EARLIEST_NS
    if not dated:
        notes.append(f"{path}: its times have no date: it ended when the file was last written, as far as is known")
    buses, index = _sorted_names(reading.buses.names)
    rows = _on(rows, t_ns=-first, buses=index)
    started_at_ns = first if dated else mtime_ns - int(rows.t[-1])
    return Capture(path, buses, started_at_ns, dated, rows, losses.problems, notes)


def _told(forms: Sequence[Format], path: Path) -> Format:
    """Which of the formats the file is in, by how it begins."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    told = [form for form in forms if form.begins is not None and form.begins.search(head)]
    return (told or [form for form in forms if form.begins is None] or list(forms))[0]


def read_captures(paths: Sequence[Path], progress: Progress = lambda _done, _all: None) -> Timeline:
    """Captures on one time line: each where its date puts it; a bus of the same name is the same bus.

    Where one of several has no date, they follow one another in the order given, and a note says so.
    Raises UsageError for the first that is no capture, and for two receivers' positions at one time, which are no one
    path: then nothing has happened.
    """
    if not paths:
        raise UsageError("no capture is named")
    sizes = [path.stat().st_size if path.is_file() else 0 for path in paths]
    captures = []
    for i, path in enumerate(paths):
        before = sum(sizes[:i])
        captures.append(read_capture(path, lambda done, before=before: progress(before + done, sum(sizes))))  # type: ignore[misc]
        progress(sum(sizes[: i + 1]), sum(sizes))
    notes = [note for capture in captures for note in capture.notes]
    if all(capture.dated for capture in captures):
        captures.sort(key=lambda capture: capture.started_at_ns)
        begins = [capture.started_at_ns - captures[0].started_at_ns for capture in captures]
    else:
        begins = [0, *np.cumsum([int(capture.frames.t[-1]) for capture in captures[:-1]]).tolist()]
        if len(captures) > 1:
            notes.append("not all of the files have a date: they follow one another in the order given")
    _check_positions(captures, begins)
    buses, _ = _sorted_names({name: None for capture in captures for name in capture.buses})
    if len(buses) > 256:
        raise UsageError("more than 256 buses in these captures")
    parts = [
        _on(capture.frames, t_ns=begin, buses=np.array([buses.index(name) for name in capture.buses], np.uint8))
        for capture, begin in zip(captures, begins, strict=True)
    ]
    rows = concat(parts)
    if np.any(np.diff(rows.t) < 0):
        rows = take(rows, np.argsort(rows.t, kind="stable"))
    return Timeline(buses, captures[0].started_at_ns, rows, tuple(captures), tuple(begins), tuple(notes))


def _check_positions(captures: Sequence[Capture], begins: Sequence[int]) -> None:
    spans = []
    for capture, begin in zip(captures, begins, strict=True):
        if LOGGER_BUS in capture.buses:
            rows = capture.frames
            heard = rows.t[(rows.bus == capture.buses.index(LOGGER_BUS)) & (rows.id == IDS["lat"])]
            spans += [(begin + int(heard[0]), begin + int(heard[-1]), capture.path)] if len(heard) else []
    for (_, end, one), (begin, _, other) in pairwise(sorted(spans)):
        if begin < end:
            what = f"says where the car was at the same time as {one}"
            raise UsageError(what, where=other, hint="import them into sessions of their own")


def write_capture(
    path: Path, format: str | None, batches: Iterable[Frames], *, started_at_ns: int, buses: Sequence[str]
) -> int:
    """Write frames as a capture file, in the named format or the one that `path` ends in (`.gz` behind it gzips).

    batches: in log order; their control rows are left out.  started_at_ns: unix time of t = 0.  buses: their names.
    The file appears whole or not at all; one that is there is replaced.  Returns how many frames it holds.
    Raises UsageError for an unknown format, PitwallError where the file can't be written, LossError when it is written
    but the format could not hold all: what, and of how many frames.
    """
    form = form_of(path, format)
    tally = _Tally(form, buses)
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        try:
            assert form.write is not None, "form_of gives none that can't be written"
            form.write(unfinished, tally.kept(batches), started_at_ns, buses)
            if path.suffix.lower() == ".gz":
                plain = unfinished.rename(unfinished.with_suffix(".plain"))
                try:
                    with plain.open("rb") as source, gzip.open(unfinished, "wb", compresslevel=6) as packed:
                        shutil.copyfileobj(source, packed, 1 << 20)
                finally:
                    plain.unlink()
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except (OSError, sqlite3.Error) as error:
        why = getattr(error, "strerror", None) or error
        raise PitwallError(f"can't be written: {why}", where=path) from error
    if tally.lost:
        what = f"{tally.frames:,} frames are written, but {form.name} can't hold {'; '.join(tally.lost)}"
        raise LossError(what, where=path, hint="candump, blf and mf4 hold everything")
    return tally.frames


class _Tally:
    """What passes into a format, and what it does not hold of that."""

    def __init__(self, form: Format, buses: Sequence[str]) -> None:
        self.form, self.buses = form, buses
        self.frames = 0
        self._refused = self._changed = self._bare = 0
        self._heard = np.zeros(256, bool)

    def kept(self, batches: Iterable[Frames]) -> Iterator[Frames]:
        form = self.form
        for batch in batches:
            frame = batch.flags & np.uint8(Flag.CONTROL) == 0
            refused = frame & (batch.flags & np.uint8(form.refuses) != 0)
            rows = take(batch, np.flatnonzero(frame & ~refused)) if not np.all(frame & ~refused) else batch
            self._refused += int(np.count_nonzero(refused))
            self._changed += int(np.count_nonzero(rows.flags & np.uint8(form.forgets)))
            if form.bare_errors:
                error = rows.flags & np.uint8(Flag.ERROR) != 0
                more = (rows.len > 0) | (rows.id > 0) | (rows.flags & np.uint8(Flag.TX) != 0)
                self._bare += int(np.count_nonzero(error & more))
            self._heard[np.unique(rows.bus)] = True
            self.frames += len(rows)
            yield rows

    @property
    def lost(self) -> list[str]:
        """What the format could not hold, in words."""
        lost = []
        if self._refused:
            lost.append(f"{self._refused:,} remote, error or CAN FD frames")
        if self._changed:
            lost.append(f"what marks {self._changed:,} frames as CAN FD or sent")
        if self._bare:
            lost.append(f"what {self._bare:,} error frames say")
        if self.form.one_bus and np.count_nonzero(self._heard) > 1:
            lost.append(f"which of {np.count_nonzero(self._heard)} buses a frame was on")
        return lost


def _sorted_names(names: Iterable[str]) -> tuple[tuple[str, ...], np.ndarray[tuple[int], np.dtype[np.uint8]]]:
    """The names in the order that people count in, and where each went: uint8 (n,), in the order given."""
    given = list(names)

    def counting(name: str) -> list[tuple[bool, int, str]]:
        parts = [part for part in re.split(r"(\d+)", name) if part]
        return [(not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]

    ordered = sorted(given, key=counting)
    return tuple(ordered), np.array([ordered.index(name) for name in given], np.uint8)


def _on(rows: Frames, *, t_ns: int, buses: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> Frames:
    """The same frames, later by `t_ns`, each on the bus that its own stands for."""
    return replace(rows, t=rows.t + t_ns, bus=buses[rows.bus])
