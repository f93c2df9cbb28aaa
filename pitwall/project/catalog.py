"""The projections of sessions in, what spans them out: good laps on tracks that have a name, and bests of cars.

    catalog.<fingerprint, 12 hex>.duckdb    sealed, swapped in and put aside like a session's generation

Laws:

1. It is made of the sessions' projections and nothing else; deleting it loses nothing.  Nothing of it goes into a
   session's rows: what is best of all depends on what else was driven, and a replay says what was said live.
2. Readers see one catalog or the next, whole.  Where there is no right or room to write one, it is made in memory.
3. A session counts by the generation that its pipeline makes now.  One that has none is named, never guessed.
4. Laps are compared where car and track bear the same name and the track is as long: a track without a name is only
   its own session's.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import duckdb

from pitwall.car import Car
from pitwall.errors import UsageError
from pitwall.log.session import Session
from pitwall.project.built import BuiltFrom
from pitwall.project.database import connect
from pitwall.project.generations import Generations
from pitwall.project.pipeline import code_version, origin
from pitwall.project.query import open_as_it_is
from pitwall.project.room import WriteError
from pitwall.project.tracks import near
from pitwall.project.turn import BusyError

logger = logging.getLogger(__name__)

NAME: Final = "catalog"
"""What it is called among the generations; no session that it is to hold may be."""

MOST_SESSIONS: Final = 5_000
"""The newest; a club's cars drive fewer in ten years."""
MOST_LAPS: Final = 200
"""Of each session, the fastest: a day has no more, and what is best is among them."""
AS_LONG: Final = 0.03
"""Two layouts of one name differ by more of their length; two lines through one, by less."""

_TABLES: Final = (
    "CREATE TABLE sessions (session VARCHAR, fingerprint VARCHAR, log_offset BIGINT, tracks VARCHAR, car VARCHAR,"
    " started_at_ns BIGINT, track VARCHAR, length_m DOUBLE)",
    "CREATE TABLE laps (session VARCHAR, number BIGINT, time_s DOUBLE)",
)

_Key = tuple[str, str, int, str]
"""A session, and the generation of it: fingerprint, offset, and the tracks that were near."""


@dataclass(frozen=True, slots=True)
class Of:
    """What the catalog has of a session.  track: its name; "": it has none.  laps: (number, time_s), fastest first."""

    session: str
    fingerprint: str
    offset: int
    tracks: str
    car: str
    started_at_ns: int
    track: str
    length_m: float | None
    laps: tuple[tuple[int, float], ...]

    @property
    def key(self) -> _Key:
        return self.session, self.fingerprint, self.offset, self.tracks


@dataclass(frozen=True, slots=True)
class Best:
    """The fastest good lap of a car on a track.  laps, sessions: how many it is the best of."""

    car: str
    track: str
    session: str
    number: int
    time_s: float
    started_at_ns: int
    length_m: float
    laps: int
    sessions: int


@dataclass(frozen=True, slots=True)
class Catalog:
    """missing: sessions that have no current projection.  left_out: sessions beyond the newest that it holds."""

    sessions: tuple[Of, ...]
    missing: tuple[str, ...] = ()
    left_out: int = 0

    def bests(self) -> list[Best]:
        """One for each car and track, and length where that differs; by their names."""
        groups: list[list[Of]] = []
        for one in sorted((one for one in self.sessions if one.track and one.laps), key=lambda one: one.started_at_ns):
            group = next((group for group in groups if _same(group[0], one)), None)
            if group is None:
                groups.append([one])
            else:
                group.append(one)
        return sorted((_best(group) for group in groups), key=lambda best: (best.car, best.track, best.length_m))

    def ever(self, car: str, track: str, length_m: float) -> Best | None:
        """The best of this car on this track; None: it has driven no good lap there."""
        found = [
            one
            for one in self.sessions
            if one.laps and (one.car, one.track) == (car, track) and _as_long(one.length_m, length_m)
        ]
        return _best(found) if found else None


def best_ever(connection: duckdb.DuckDBPyConnection, session: str, car: str, found: Catalog) -> tuple[str, str]:
    """The session and the number of the best lap of `car` on the track of a session, that one's own among them.

    connection: on the session's projection.  UsageError: its track has no name, or nobody drove a good lap there.
    """
    track = connection.execute("SELECT name, length_m FROM track").fetchone()
    if track is None or not track[0]:
        hint = f"pitwall track save {session} --name NAME"
        raise UsageError("its track has no name: which other sessions were on it?", where=session, hint=hint)
    own = connection.execute("SELECT lap, time_s FROM bests").fetchone()
    best = None if track[1] is None else found.ever(car, track[0], track[1])
    if own is not None and own[1] is not None and (best is None or own[1] < best.time_s):
        return session, str(own[0])  # a session that a server follows is in no catalog yet
    if best is None:
        raise UsageError("it has no good lap, and no other session on its track has one", where=session)
    return best.session, str(best.number)


def catalog(sessions: Sequence[tuple[Session, Car]], generations: Generations) -> Catalog:
    """What the projections of these sessions hold now.  What was looked up before is not looked at again."""
    if any(session.id == NAME for session, _ in sessions):
        raise UsageError(f"a session is called {NAME!r}, as the catalog is", hint="give its folder another name")
    newest = sorted(sessions, key=lambda one: one[0].header.started_at_ns)[-MOST_SESSIONS:]
    before = {one.key: one for one in _read(generations)}
    now, missing = [], []
    for session, car in newest:
        wanted = origin(car, session.header)
        said = generations.said(session.id, wanted.fingerprint)
        found = None
        if said is not None and said.tracks == near(said.place):
            known = before.get((session.id, wanted.fingerprint, said.offset, said.tracks))
            found = known or _looked_up(session, wanted, generations)
        if found is None:
            missing.append(session.id)
        else:
            now.append(found)
    if {one.key for one in now} != before.keys():
        _write(now, generations)
    return Catalog(tuple(now), tuple(missing), len(sessions) - len(newest))


def _looked_up(session: Session, wanted: BuiltFrom, generations: Generations) -> Of | None:
    built = generations.find(session.id, wanted.fingerprint)
    if built is None:
        return None
    try:
        with open_as_it_is(built, generations) as projection:
            track = projection.connection.execute("SELECT name, length_m FROM track").fetchone() or ("", None)
            laps = projection.connection.execute(
                "SELECT number, time_s FROM laps WHERE valid AND flying ORDER BY time_s, number LIMIT ?", [MOST_LAPS]
            ).fetchall()
    except duckdb.Error:  # gone meanwhile, or damaged: asking it will build it again
        return None
    about = session.header
    return Of(
        session.id, built.fingerprint, built.offset, built.tracks,
        about.car, about.started_at_ns, track[0] or "", track[1],
        tuple((int(number), float(time_s)) for number, time_s in laps),
    )  # fmt: skip


@cache
def _built() -> BuiltFrom:
    given = repr((code_version(), _TABLES))
    return BuiltFrom(NAME, hashlib.sha256(given.encode()).hexdigest(), code_version())


def _read(generations: Generations) -> list[Of]:
    """What the catalog on disk holds; nothing where there is none that can be trusted."""
    built = generations.find(NAME, _built().fingerprint)
    if built is None:
        return []
    file = generations.file(NAME, built.fingerprint)
    try:
        with (
            generations.reading(file),
            contextlib.closing(connect(file, generations.spill(file.stem), read_only=True)) as connection,
        ):
            laps: dict[str, list[tuple[int, float]]] = {}
            for session, number, time_s in connection.execute("FROM laps ORDER BY time_s, number").fetchall():
                laps.setdefault(session, []).append((number, time_s))
            rows = connection.execute("FROM sessions ORDER BY started_at_ns").fetchall()
    except duckdb.Error:
        return []
    return [
        Of(session, fingerprint, offset, tracks, car, started_at_ns, track, length_m, tuple(laps.get(session, ())))
        for session, fingerprint, offset, tracks, car, started_at_ns, track, length_m in rows
    ]


def _write(found: Iterable[Of], generations: Generations) -> None:
    """Swaps in a catalog of these; where that can't be, the next question makes it."""
    try:
        generations.room.check()
        with generations.building(NAME) as building:
            try:
                with contextlib.closing(connect(building.file, building.spill, columns=10)) as connection:
                    connection.execute("BEGIN")
                    for statement in _TABLES:
                        connection.execute(statement)
                    for one in found:
                        row = (*one.key, one.car, one.started_at_ns, one.track, one.length_m)
                        connection.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
                        if one.laps:
                            connection.executemany(
                                "INSERT INTO laps VALUES (?, ?, ?)", [(one.session, *lap) for lap in one.laps]
                            )
                    connection.execute("COMMIT")
                    connection.execute("CHECKPOINT")
                building.swap_in(_built())
            finally:
                building.discard()
    except (BusyError, WriteError, OSError, duckdb.Error) as error:
        logger.info("the catalog is not kept: %s", error)


def _best(group: Sequence[Of]) -> Best:
    fastest = min(group, key=lambda one: (one.laps[0][1], one.started_at_ns))
    number, time_s = fastest.laps[0]
    laps = sum(len(one.laps) for one in group)
    return Best(
        fastest.car, fastest.track, fastest.session, number, time_s, fastest.started_at_ns,
        fastest.length_m or 0.0, laps, len(group),
    )  # fmt: skip


def _same(a: Of, b: Of) -> bool:
    return (a.car, a.track) == (b.car, b.track) and _as_long(a.length_m, b.length_m)


def _as_long(a: float | None, b: float | None) -> bool:
    return a is not None and b is not None and abs(a - b) <= AS_LONG * max(a, b)
