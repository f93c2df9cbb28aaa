"""The server's projector: follows the newest session of the logs folder, in a thread of its own.

The log in, by its tail; out go that session's generation, committed four times a second, and a picture of the newest
values. It feeds the one loop's projector from a tail: live differs from replay in where batches come from. A session
that begins later is gone over to when the one before gives no more. Whatever fails is shown, and tried again.

Law: what keeps rows from being written (no room, a disk that fails) never keeps values from being shown. The projector
goes on from memory, and the projection is built anew from the log, once it can be.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import duckdb

from pitwall import car as cars_of
from pitwall.derive import Rows
from pitwall.errors import PitwallError
from pitwall.frames import Frames, concat
from pitwall.log import lock, requests
from pitwall.log.folder import header, header_by_name, segments
from pitwall.log.published import Recorder
from pitwall.log.reader import Tail
from pitwall.log.session import find
from pitwall.project.build import stale
from pitwall.project.generations import Generations
from pitwall.project.loop import Projector, project, projecting, projecting_in_memory
from pitwall.project.pipeline import Pipeline
from pitwall.project.private import kept
from pitwall.project.room import NoRoomError, Room, Space, WriteError
from pitwall.project.turn import BusyError
from pitwall.serve.following import Following, finished
from pitwall.serve.garage import Shelf, load_car
from pitwall.serve.newest import Picture
from pitwall.serve.server import bind, serve
from pitwall.serve.tender import Tender, presses

logger = logging.getLogger("pitwall.live")

POLL_S: Final = 0.02
"""How often a log that grows is looked at: what is written is seen 10 ms later on average."""

IDLE_POLL_S: Final = 0.05
"""And one that has not grown for IDLE_S."""
IDLE_S: Final = 2.0

COMMIT_S: Final = 0.25
"""How often readers see new rows."""

CATCH_UP_COMMIT_S: Final = 2.0
"""And while there is much to catch up with: DuckDB takes rows faster in large pieces."""

LOOK_S: Final = 0.25
"""How often the logs folder is looked at for a newer session."""

PAUSES_S: Final = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Between one failure of a session's projection and the next try; the last for ever."""


def run(
    *,
    logs: Path,
    projections: Path,
    cars: Path,
    host: str = "127.0.0.1",
    port: int = 8080,
    leave_free: int | None = None,
    ready: Callable[[str], None] | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT (in the main thread), or until `stop` is set.

    leave_free: bytes that projections leave to the log; None: `room.FLOOR_BYTES`.
    ready: called with the page's address once it answers.  PitwallError: the port can't be had.
    """
    with contextlib.closing(bind(host, port)) as sock, kept(projections) as folder:
        room = Room(folder, floor=leave_free, pressed=lambda: presses(logs, folder))
        follower, shelf = Follower(logs, folder, cars, room), Shelf(logs, folder, cars, room)
        tender = Tender(shelf, follower)

        def answering(url: str) -> None:
            # not before: Sanic, while it starts, and a car's formulas go through `ast`, which bears one thread
            follower.start()
            tender.start()
            if ready is not None:
                ready(url)

        try:
            serve(follower, shelf, sock, ready=answering, stop=stop)
        finally:
            tender.stop()
            follower.stop()


class Follower:
    """The projector's thread, from `start` to `stop`, and what it shows: a `Live` to the server."""

    def __init__(self, logs: Path, projections: Path, cars: Path, room: Room | None = None) -> None:
        self._logs = logs
        self._generations = Generations(projections, room)
        self._room = self._generations.room
        self._unkept = False  # the session that was followed last has no whole projection, for lack of room
        self._cars = cars
        self._shown = Picture()
        self._projector: tuple[str, Projector] | None = None
        self._started: dict[str, int] = {}  # session -> when, ns: of the folders seen so far
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pitwall-projector", daemon=True)

    def start(self) -> None:
        """Begins to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it; a generation that is not finished is thrown away.  Returns when all is let go of."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def picture(self) -> Picture:
        """The newest values as of now."""
        return self._shown

    def cursor(self, session: str) -> duckdb.DuckDBPyConnection | None:
        """A cursor on the generation being built, if it is of `session`; whoever gets it closes it."""
        projector = self._projector
        if projector is None or projector[0] != session or not (projector[1].keeping or projector[1].committed.offset):
            return None
        try:
            return projector[1].store.cursor()
        except duckdb.Error:  # finished between the two lines: from now on it is a file
            return None

    def space(self) -> Space:
        """Whether there is room for projections."""
        return self._room.space

    def recorder(self) -> Recorder | None:
        """What the process that records says of itself."""
        return lock.recorder(self._logs)

    def end(self, session: str) -> None:
        """Has the session that is being recorded end.  LogError: it can't be."""
        requests.ask(self._logs, {"end": session})

    def _run(self) -> None:
        failed: tuple[str, int] = ("", 0)  # the session that failed last, and how often
        cold = True
        while not self._stop.is_set():
            folder = None
            try:
                folder = self._newest()
                if folder is None:
                    self._shown = Picture(self._shown.number + 1)
                    if cold:
                        cold = False
                        self._warm_up()
                    self._stop.wait(LOOK_S)
                else:
                    self._project(folder)
                    self._rest(folder)
            except Exception as error:  # noqa: BLE001  the rim of this thread: whatever it is, the server goes on
                name = folder.name if folder else ""
                failed = (name, failed[1] + 1 if failed[0] == name else 1)
                self._tell(error, failed[1])
                self._stop.wait(PAUSES_S[min(failed[1], len(PAUSES_S)) - 1])

    def _project(self, folder: Path) -> None:
        """Follows the session in `folder` to its end, until a newer one has begun, or its rows can be kept again."""
        session = find(self._logs, folder.name)
        about = session.header
        car = load_car(self._cars, about.car)
        if session.state == "ended" and not stale(session, car, self._generations):
            self._shown = finished(session, car, self._generations, self._shown.number + 1)
            return
        self._unkept = False
        pipeline = Pipeline(car, about)
        with self._projecting(pipeline) as projector, contextlib.closing(Tail(folder)) as tail:
            following = Following(car, about, projector, tail, written=session.rows)
            self._projector = (about.session, projector)
            try:
                self._follow(folder, following, projector)
            finally:
                self._unkept = not projector.keeping
                self._projector = None

    def _follow(self, folder: Path, following: Following, projector: Projector) -> None:
        batches = self._batches(folder, following, projector)
        while True:
            try:
                project(batches, projector, lambda *batch: self._saw(following, *batch))
                if not self._stop.is_set() and not self._may_keep(projector):
                    following.finish()
                    self._show(following)
                return
            except WriteError as error:
                logger.warning("%s; it goes on from memory", error.what)
                self._room.failed(error.what)
                projector.drop()

    def _may_keep(self, projector: Projector) -> bool:
        """Whether a projector that keeps nothing could be followed by one that does."""
        return not projector.keeping and not self._room.look().why

    def _batches(self, folder: Path, following: Following, projector: Projector) -> Iterator[Frames | None]:
        """What comes, and None whenever it is time to commit.

        Ends with the session, when a newer one has begun, or when what the projector did not keep can be kept again.
        """
        committed_s = looked_s = heard_s = -math.inf
        uncommitted = False
        following.recording = lock.recording(self._logs) == folder.name
        while not self._stop.is_set():
            batches = following.tail.poll()
            yield from _joined(batches)
            now = time.monotonic()
            uncommitted = uncommitted or bool(batches)
            if uncommitted and now - committed_s >= (CATCH_UP_COMMIT_S if following.behind else COMMIT_S):
                yield None
                committed_s, uncommitted = now, False
            if batches:
                heard_s = now
            elif following.tail.ended:
                return
            if now - looked_s >= LOOK_S:
                looked_s = now
                following.recording = lock.recording(self._logs) == folder.name
                self._show(following)
                if not batches and self._newest() != folder:
                    return
                if self._may_keep(projector):
                    logger.warning("%s: there is room again; its projection is built anew", folder.name)
                    return
                if projector.keeping and self._room.look().why:
                    logger.warning("%s: not kept from here on: %s", folder.name, self._room.why)
                    projector.rest()
            if not batches:
                self._stop.wait(POLL_S if now - heard_s < IDLE_S else IDLE_POLL_S)

    @contextlib.contextmanager
    def _projecting(self, pipeline: Pipeline) -> Iterator[Projector]:
        """A projector into a new generation; in memory, where another process builds it; without room, into nothing."""
        with contextlib.ExitStack() as stack:
            try:
                self._room.check()
                projector = stack.enter_context(projecting(pipeline, self._generations))
            except BusyError as busy:
                logger.warning("%s; it is followed in memory", busy)
                projector = stack.enter_context(projecting_in_memory(pipeline, self._generations))
            except WriteError as error:
                if not isinstance(error, NoRoomError):
                    self._room.failed(error.what)
                logger.warning("%s: not kept: %s", pipeline.built.session, error.what)
                projector = stack.enter_context(projecting_in_memory(pipeline, self._generations))
                projector.rest()
            yield projector

    def _warm_up(self) -> None:
        """Loads the cars once while nobody waits: the libraries that read them take a second or more to import."""
        with contextlib.suppress(PitwallError):
            for name in cars_of.names(self._cars):
                load_car(self._cars, name)

    def _rest(self, folder: Path) -> None:
        """Waits for another session than the one that was followed to its end, or for room to keep that one."""
        while not self._stop.is_set() and self._newest() == folder and (not self._unkept or self._room.look().why):
            self._stop.wait(LOOK_S)

    def _newest(self) -> Path | None:
        """The folder of the session being recorded, or else of the one that began last; None: there is none."""
        recording = lock.recording(self._logs)
        if recording and self._start_of(recording) is not None:
            return self._logs / recording
        try:
            names = [entry.name for entry in os.scandir(self._logs) if entry.is_dir() and entry.name[0] != "."]
        except OSError:
            return None
        started = [(start, name) for name in names if (start := self._start_of(name)) is not None]
        return self._logs / max(started)[1] if started else None

    def _start_of(self, name: str) -> int | None:
        """When a session began; None: the folder holds none."""
        if name not in self._started:
            try:
                folder = self._logs / name
                if not segments(folder):
                    return None
                self._started[name] = (header(folder) or header_by_name(folder)).started_at_ns
            except PitwallError:
                return None
        return self._started[name]

    def _saw(self, following: Following, frames: Frames, rows: list[Rows]) -> None:
        following.saw(frames, rows)
        self._show(following)

    def _show(self, following: Following) -> None:
        self._shown = following.picture(self._shown.number + 1)

    def _tell(self, error: Exception, failures: int) -> None:
        """Shows that it fails, and why; logs what nobody expected, with its trace."""
        expected = isinstance(error, PitwallError)
        what = str(error) if expected else f"{type(error).__name__}: {error}"
        if failures == 1:
            logger.error("%s", what, exc_info=None if expected else error)
        status = replace(self._shown.status, state="failing", error=what, failures=self._shown.status.failures + 1)
        self._shown = replace(self._shown, number=self._shown.number + 1, status=status)


def _joined(batches: list[Frames]) -> Iterator[Frames]:
    """The same rows in fewer batches, as each costs 1 ms: joined where no row is missing between them."""
    run: list[Frames] = []
    for frames in batches:
        if run and not (run[-1].order is None and frames.order is None and run[-1].stop == frames.start):
            yield concat(run)
            run = []
        run.append(frames)
    if run:
        yield concat(run)
