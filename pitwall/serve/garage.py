"""Past sessions: what the logs folder holds, and a cursor on the projection of each, which is built if there is none.

One that is stale answers as it is, and says so, until its successor has been swapped in.

A few projections stay open, each as of the moment it was opened; one that has been replaced on disk, or whose session
has grown since, is opened anew. What was archived or forgotten is let go of by `tidy`, so that its space is free.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import duckdb

from pitwall.car import names
from pitwall.car.heard import heard
from pitwall.derive import Deriver
from pitwall.errors import PitwallError
from pitwall.log.folder import LATEST, header, header_by_name
from pitwall.log.remarks import NOTHING, Remarks, remarks
from pitwall.log.session import Session, find, sessions
from pitwall.project.build import stale
from pitwall.project.catalog import Catalog, catalog
from pitwall.project.generations import Generations
from pitwall.project.pipeline import origin
from pitwall.project.query import Projection, open_as_it_is, open_projection
from pitwall.serve.limits import HEADERS, REMARKS, most_open
from pitwall.serve.rebuilds import Rebuilds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pitwall.car import Car
    from pitwall.log.opening import Header
    from pitwall.project.room import Room
    from pitwall.serve.definitions import Definitions


LISTED_S: Final = 1.0
"""For how long a listing is good: making one reads every segment that is not sealed."""


@dataclass(slots=True)
class _Opened:
    session: Session
    file: tuple[int, int] | None  # inode and mtime; None: it is in memory
    projection: Projection
    stack: ExitStack
    used_s: float = 0.0


class Shelf:
    """The sessions of `logs`, projected into `projections` by the cars of `definitions`.  For any thread."""

    def __init__(self, logs: Path, projections: Path, definitions: Definitions, room: Room | None = None) -> None:
        self._logs = logs
        self.generations = Generations(projections, room)
        self._definitions = definitions
        self.rebuilds = Rebuilds()
        self._lock = threading.Lock()
        self._headers: dict[str, tuple[tuple[int, int] | None, Header]] = {}  # of those asked for, and of what folder
        self._opening: dict[str, threading.Lock] = {}
        self._opened: OrderedDict[str, _Opened] = OrderedDict()
        self._remarks: dict[str, tuple[int, Remarks]] = {}  # of as many rows
        self._listed: tuple[float, list[Session]] = (0.0, [])
        self._closing = False

    def sessions(self) -> list[Session]:
        """All sessions, oldest first, as of a second ago at most."""
        with self._lock:
            at, listed = self._listed
            if not listed or time.monotonic() - at > LISTED_S:
                listed = sessions(self._logs)
                self._listed = time.monotonic(), listed
            return listed

    def find(self, name: str) -> Session:
        """The session that `name` stands for.  UsageError: none, with near names."""
        listed = self.sessions()
        if listed and name in LATEST:
            return listed[-1]
        return next((session for session in listed if session.id == name), None) or find(self._logs, name)

    def cursor(self, id: str) -> duckdb.DuckDBPyConnection:
        """A cursor on the session's projection; whoever gets it closes it.  PitwallError: it can't be had."""
        session = self.find(id)
        with self._lock:
            if session.id not in self._opening and len(self._opening) >= HEADERS:
                self._opening = {name: lock for name, lock in self._opening.items() if lock.locked()}
            opening = self._opening.setdefault(session.id, threading.Lock())
        with opening:
            known = self._opened.get(session.id)
            if known is not None and self._is_current(known, session):
                cursor = self._another(known)
                if cursor is not None:
                    return cursor
            self._let_go(session.id)
            opened = self._open(find(self._logs, session.id))  # as it is now: what is built must be whole
            cursor = opened.projection.connection.cursor()
            opened.used_s = time.monotonic()
            with self._lock:
                self._opened[session.id] = opened
                oldest = [] if len(self._opened) <= most_open() else [self._opened.popitem(last=False)[1]]
            for leaving in oldest:
                leaving.stack.close()
            return cursor

    def fingerprint(self, id: str) -> str:
        """Of the pipeline that the session's projection would be built with now; empty: its car can't be had."""
        try:
            about = self._header(id)
            return origin(self._definitions.get(about.car).car, about).fingerprint
        except PitwallError:
            return ""

    def _header(self, id: str) -> Header:
        """Of the session that its folder holds now: one of the same name may have taken its place."""
        folder = self._logs / id
        now, known = _stamp(folder), self._headers.get(id)
        if known is None or known[0] != now:
            known = now, header(folder) or header_by_name(folder)
            with self._lock:
                while len(self._headers) >= HEADERS:
                    self._headers.pop(next(iter(self._headers)))
                self._headers[id] = known
        return known[1]

    def remarks(self, session: Session) -> Remarks:
        """What people said of the session; nothing, where its log can't be read."""
        known = self._remarks.get(session.id)
        if known is None or known[0] != session.rows:
            try:
                known = session.rows, remarks(session.path)
            except PitwallError:
                return NOTHING
            with self._lock:
                while len(self._remarks) >= REMARKS:
                    self._remarks.pop(next(iter(self._remarks)))
                self._remarks[session.id] = known
        return known[1]

    def cars(self) -> list[str]:
        """The names of the cars that there are."""
        return names(self._definitions.cars)

    def car(self, name: str) -> Car:
        """The car by its newest definition that was valid.  UsageError: there is none; CarError: none ever was."""
        return self._definitions.get(name).car

    def roles(self, id: str) -> Mapping[str, str]:
        """The channel of each role that the session's car has one for; none, where its car can't be had."""
        try:
            about = self.find(id).header
            return dict(heard(self._definitions.get(about.car).car, about.buses).roles)
        except PitwallError:
            return {}

    def holds(self, id: str) -> Mapping[str, float | None]:
        """For how many seconds a value of each channel is good, by the session's car; none, where that can't be had."""
        try:
            about = self.find(id).header
            tables = Deriver(heard(self._definitions.get(about.car).car, about.buses)).tables
        except PitwallError:
            return {}
        return {channel.name: channel.hold_s for table in tables for channel in table.channels}

    def catalog(self, id: str) -> tuple[str, Catalog]:
        """The session's car, and what every car has driven, of sessions with a current projection."""
        car = self.find(id).header.car
        definitions = {car: self._definitions.get(car).car}
        listed = self.sessions()
        for other in {session.header.car for session in listed} - {car}:
            with suppress(PitwallError):  # it can't be had: nothing of it is current
                definitions[other] = self._definitions.get(other).car
        # of all cars: what is written has the place of what was there
        of = [(one, definitions[one.header.car]) for one in listed if one.header.car in definitions]
        return car, catalog(of, self.generations)

    def projected(self, id: str) -> bool:
        """Whether that session has a projection, stale or not."""
        return self.generations.newest(id) is not None

    def distrust(self, id: str) -> None:
        """The session's projection turned out to be damaged: the next cursor is on one whose bytes were looked at."""
        self._let_go(id)

    def tidy(self, idle_s: float | None = None) -> None:
        """Lets go of what is no longer there, or not what it was; and of what nobody asked for within `idle_s`."""
        with self._lock:
            held = list(self._opened.items())
        for id, opened in held:
            idle = idle_s is not None and time.monotonic() - opened.used_s > idle_s
            if idle or not (self._logs / id).is_dir() or self._file_of(opened) != opened.file:
                self._let_go(id)

    def close(self) -> None:
        """Ends builds under way, and closes all that is open."""
        self._closing = True
        for id in list(self._opened):
            self._let_go(id)

    def _another(self, opened: _Opened) -> duckdb.DuckDBPyConnection | None:
        """A cursor on what is open; None: another thread has let go of it meanwhile."""
        with self._lock:
            if self._opened.get(opened.session.id) is not opened:
                return None
            opened.used_s = time.monotonic()
            self._opened.move_to_end(opened.session.id)
            return opened.projection.connection.cursor()

    def _open(self, session: Session) -> _Opened:
        stack = ExitStack()
        try:
            projection = stack.enter_context(self._projection(session))
        except BaseException:
            stack.close()
            raise
        file = self.generations.file(session.id, projection.built.fingerprint)
        return _Opened(session, _stamp(file), projection, stack)

    @contextmanager
    def _projection(self, session: Session) -> Iterator[Projection]:
        """The session's projection as it is, stale or not; built, where there is none."""
        try:
            car = self._definitions.get(session.header.car).car
            why = stale(session, car, self.generations)
        except PitwallError:  # the car is gone, or was never right while this runs: what there is answers
            car, why = None, "its car can't be had"
        built = self.generations.newest(session.id) if why else None
        if built is not None:
            try:
                with open_as_it_is(built, self.generations) as projection:
                    yield projection
                return
            except duckdb.Error:
                self.generations.room.look()  # it went away, is damaged, or held: it is built, or that is told
        if car is None:
            car = self._definitions.get(session.header.car).car  # raises, with what is wrong
        with open_projection(session, car, self.generations, self._go_on) as projection:
            yield projection

    def _is_current(self, opened: _Opened, session: Session) -> bool:
        """Whether it is still what there is to be opened."""
        built = opened.projection.built
        if self._file_of(opened) != opened.file or session.rows > max(built.offset, opened.session.rows):
            return False
        wanted = self.fingerprint(session.id)
        return wanted in ("", built.fingerprint) or not self.generations.file(session.id, wanted).exists()

    def _file_of(self, opened: _Opened) -> tuple[int, int] | None:
        return _stamp(self.generations.file(opened.session.id, opened.projection.built.fingerprint))

    def _let_go(self, id: str) -> None:
        with self._lock:
            opened = self._opened.pop(id, None)
        if opened is not None:
            opened.stack.close()

    def _go_on(self, done: int, rows: int) -> None:
        if self._closing:
            raise PitwallError(f"stopped while it was built, at row {done:,} of {rows:,}", where="the projection")


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
