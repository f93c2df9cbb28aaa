"""Questions to projections, answered off the loop: few threads, a cursor a question, limits on number and time.

The session being projected is read through a cursor on the connection that writes it, a finished one from its file,
read-only. A question whose client has gone, or whose time is up, is interrupted: its thread is free at once. What the
newest rows can answer, which the session being projected has in memory, asks no DuckDB, and waits for none.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

import duckdb

from pitwall.errors import PitwallError
from pitwall.project.query import is_damage
from pitwall.project.tracks import near
from pitwall.serve.limits import QUESTION_THREADS, QUESTIONS
from pitwall.serve.problem import Problem

if TYPE_CHECKING:
    from pitwall.car import Car
    from pitwall.log.remarks import Remarks
    from pitwall.log.session import Session
    from pitwall.project.catalog import Catalog
    from pitwall.project.recent import Held
    from pitwall.serve.newest import Live
    from pitwall.serve.rebuilds import Rebuilds

T = TypeVar("T")
U = TypeVar("U")


TIMEOUT_S: Final = 20.0

AGAIN_S: Final = 0.02
"""A question that is to stop is interrupted this often, until it has."""


class Garage(Protocol):
    """Past sessions.  Called off the loop, from several threads; raises PitwallError."""

    def sessions(self) -> list[Session]:
        """All of them, oldest first."""

    def find(self, name: str) -> Session:
        """The one that `name` stands for; UsageError with near names."""

    def remarks(self, session: Session) -> Remarks:
        """What people said of the session."""

    def cursor(self, id: str) -> duckdb.DuckDBPyConnection:
        """A cursor of its own on that session's projection, which is built if it must be."""

    def cars(self) -> Sequence[str]:
        """The names of the cars that there are."""

    def car(self, name: str) -> Car:
        """The car by its newest definition that was valid.  PitwallError: there is none."""

    def roles(self, id: str) -> Mapping[str, str]:
        """The channel of each role that the session's car has one for; none, where its car can't be had."""

    def holds(self, id: str) -> Mapping[str, float | None]:
        """For how many seconds a value of each channel is good, by the session's car; none, where that can't be had."""

    def fingerprint(self, id: str) -> str:
        """Of the pipeline that the session's projection would be built with now; empty: nobody can say."""

    def catalog(self, id: str) -> tuple[str, Catalog]:
        """The session's car, and what every car has driven, of sessions with a current projection."""

    def projected(self, id: str) -> bool:
        """Whether that session has a projection, stale or not: a question to it waits for no build."""

    def distrust(self, id: str) -> None:
        """Closes that session's projection, which turned out to be damaged."""

    def close(self) -> None:
        """Closes what is open."""

    @property
    def rebuilds(self) -> Rebuilds:
        """How far the rebuilding of what is stale is."""


@dataclass(frozen=True, slots=True)
class Edition:
    """What an answer is from.  fingerprint: of the pipeline that the projection was built with.  tracks: a digest of
    those that were near.  offset: of the log, up to which it was.  complete: the session's end is in it.  stale: it
    would be built with another pipeline, or on other tracks, now.
    """

    fingerprint: str
    tracks: str
    offset: int
    complete: bool
    stale: bool

    @property
    def final(self) -> bool:
        """Whether the same question gets the same answer from now on, unless a car's definition is edited."""
        return self.complete and not self.stale

    def is_replaced_by(self, newer: Edition) -> bool:
        """Whether that one was built anew, and has not just grown."""
        return newer.fingerprint != self.fingerprint or self.tracks not in ("", newer.tracks)

    def pipeline(self) -> dict[str, object]:
        """What the API says of it."""
        return {"fingerprint": self.fingerprint, "stale": self.stale, "complete": self.complete}


@dataclass(frozen=True, slots=True)
class Told(Generic[T]):
    """An answer, wholly of one generation."""

    answer: T
    edition: Edition

    def but(self, answer: U) -> Told[U]:
        """Another answer, of the same generation."""
        return Told(answer, self.edition)

    def pipeline(self) -> dict[str, object]:
        """What the API says of where it is from."""
        return self.edition.pipeline()


@contextlib.contextmanager
def had() -> Iterator[None]:
    """Problem: the projection can't be had, whatever keeps it from that."""
    try:
        yield
    except PitwallError as error:
        raise Problem("no-projection", str(error), hint=error.hint) from error
    except duckdb.Error as error:
        raise Problem("no-projection", str(error), hint="ask again") from error


class Readings:
    """Asks, and counts.  running: under way or waiting.  interrupted: client gone, or time up.

    recalled: of those answered, without DuckDB.
    """

    def __init__(self, live: Live, garage: Garage) -> None:
        self._live = live
        self._garage = garage
        self._pool = ThreadPoolExecutor(QUESTION_THREADS, "pitwall-query")
        self._memory = ThreadPoolExecutor(1, "pitwall-recall")  # numpy, and few locks of Python's to wait for
        self.running = self.answered = self.refused = self.interrupted = self.recalled = 0

    async def ask(
        self,
        session: str,
        question: Callable[[duckdb.DuckDBPyConnection], T],
        *,
        of: Callable[[Edition], None] = lambda edition: None,
    ) -> Told[T]:
        """What `question` returns, given a cursor on the session's projection.  Problem: too busy, or too slow.

        of: is told first what the answer will be from, and may raise: then nothing is asked.
        """

        def told(cursor: duckdb.DuckDBPyConnection) -> Told[T]:
            ((fingerprint, offset, complete, place, tracks),) = cursor.execute(
                "SELECT fingerprint, log_offset, complete, place, tracks FROM built_from"
            ).fetchall()
            edition = self._edition(session, fingerprint, offset, complete, place, tracks)
            of(edition)
            return Told(question(cursor), edition)

        call = _Call(
            lambda: self._live.cursor(session) or self._garage.cursor(session),
            told,
            lambda: self._garage.distrust(session),
        )
        return await self._run(call, call.interrupt)

    async def recall(self, session: str, question: Callable[[Held], T | None]) -> Told[T] | None:
        """What `question` returns, given the newest rows of the session's projection; None: it says so, or nobody has
        them, as it is not being built.  Problem: too busy.
        """
        held = self._live.held(session)
        if held is None or held.built.complete:
            return None

        def told() -> Told[T] | None:
            answer, built = question(held), held.built
            if answer is None:
                return None
            origin = (built.fingerprint, built.offset, built.complete, built.place, built.tracks)
            return Told(answer, self._edition(session, *origin))

        found = await self._run(told, pool=self._memory)
        self.recalled += found is not None
        return found

    def _edition(self, session: str, fingerprint: str, offset: int, complete: bool, place: str, tracks: str) -> Edition:
        wanted = self._garage.fingerprint(session)
        stale = wanted not in ("", fingerprint) or tracks != near(place)
        return Edition(fingerprint, tracks, offset, complete, stale)

    @property
    def rebuilds(self) -> Rebuilds:
        """How far the rebuilding of what is stale is."""
        return self._garage.rebuilds

    async def catalog(self, session: str) -> tuple[str, Catalog]:
        """The session's car, and what every car has driven, of sessions with a current projection."""
        return await self._run(lambda: self._garage.catalog(session))

    async def projected(self, sessions: Sequence[str]) -> list[str]:
        """Those of them that a question to waits for no build."""
        return await self._run(lambda: [session for session in sessions if self._garage.projected(session)])

    async def sessions(self) -> list[Session]:
        """The sessions there are, oldest first."""
        return await self._run(self._garage.sessions)

    async def remarks(self, sessions: Sequence[Session]) -> list[Remarks]:
        """What people said of each of the sessions."""
        gone = threading.Event()

        def read() -> list[Remarks]:
            return [self._live.remarks(one.id) or self._garage.remarks(one) for one in sessions if not gone.is_set()]

        return await self._run(read, gone.set)

    def cars(self) -> Sequence[str]:
        """The names of the cars that there are.  To be called off the loop, as is `car`."""
        return self._garage.cars()

    def car(self, name: str) -> Car:
        """The car by its newest definition that was valid.  PitwallError: there is none."""
        return self._garage.car(name)

    async def roles(self, session: str) -> Mapping[str, str]:
        """The channel of each role that the session's car has one for."""
        return await self._run(lambda: self._garage.roles(session))

    async def holds(self, session: str) -> Mapping[str, float | None]:
        """For how many seconds a value of each channel is good."""
        return await self._run(lambda: self._garage.holds(session))

    async def find(self, name: str) -> Session:
        """The session of that name."""
        return await self._run(lambda: self._garage.find(name))

    async def read(self, work: Callable[[Callable[[], None]], T]) -> T:
        """What `work` reads of a log, within the limits of a question.  It calls what it is given again and again."""
        gone = threading.Event()

        def go_on() -> None:
            if gone.is_set():
                raise PitwallError("nobody waits for it any more")

        return await self._run(lambda: work(go_on), gone.set)

    def close(self) -> None:
        """Ends builds under way, waits for questions, and closes the files."""
        for pool in (self._pool, self._memory):
            pool.shutdown(wait=False, cancel_futures=True)
        self._garage.close()
        for pool in (self._pool, self._memory):
            pool.shutdown()

    async def _run(
        self,
        work: Callable[[], T],
        interrupt: Callable[[], None] = lambda: None,
        pool: ThreadPoolExecutor | None = None,
    ) -> T:
        if self.running >= QUESTIONS:
            self.refused += 1
            raise Problem(
                "too-busy",
                f"{self.running} questions are waiting already",
                hint="ask again in a second",
                headers={"Retry-After": "1"},
            )
        future = asyncio.get_running_loop().run_in_executor(pool or self._pool, work)
        self.running += 1
        future.add_done_callback(self._done)
        try:
            # shielded: a cancelled future lets go of its thread without stopping it
            async with asyncio.timeout(TIMEOUT_S):
                return await asyncio.shield(future)
        except TimeoutError as error:
            self._give_up(interrupt)
            raise Problem(
                "query-timeout", f"no answer within {TIMEOUT_S:g} s", hint="ask for less, or again later"
            ) from error
        except asyncio.CancelledError:
            self._give_up(interrupt)
            raise

    def _give_up(self, interrupt: Callable[[], None]) -> None:
        self.interrupted += 1
        interrupt()

    def _done(self, future: asyncio.Future[T]) -> None:
        self.running -= 1
        self.answered += not future.cancelled() and future.exception() is None


class _Call(Generic[T]):
    """One question on its way through a thread, and how to stop it from another."""

    def __init__(
        self,
        open: Callable[[], duckdb.DuckDBPyConnection],
        question: Callable[[duckdb.DuckDBPyConnection], T],
        distrust: Callable[[], None] = lambda: None,
    ) -> None:
        """distrust: called where what was opened turns out to be damaged, before it is opened again."""
        self._open = open
        self._question = question
        self._distrust = distrust
        self._cursor: duckdb.DuckDBPyConnection | None = None
        self._stopped = False
        self._over = threading.Event()

    def __call__(self) -> T:
        try:
            return self._once()
        except duckdb.InterruptException:
            raise
        except duckdb.Error as error:
            # the projection was finished, replaced or damaged while it was read: what takes its place answers
            if is_damage(error):
                self._distrust()
            return self._once()
        finally:
            self._over.set()

    def _once(self) -> T:
        self._cursor = cursor = self._open()
        try:
            if self._stopped:  # before there was anything to interrupt
                raise duckdb.InterruptException("nobody waits for it any more")
            return self._question(cursor)
        finally:
            self._cursor = None
            cursor.close()

    def interrupt(self) -> None:
        """Stops the question, soon."""
        self._stopped = True
        threading.Thread(target=self._insist, name="pitwall-interrupt", daemon=True).start()

    def _insist(self) -> None:
        # DuckDB forgets an interruption that comes just before a statement begins: once is not enough
        while not self._over.is_set():
            cursor = self._cursor
            if cursor is not None:
                with contextlib.suppress(duckdb.Error):  # closed between the two lines
                    cursor.interrupt()
            self._over.wait(AGAIN_S)
