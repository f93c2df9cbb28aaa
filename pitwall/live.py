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
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb

from pitwall import logger as logger_of_all
from pitwall.errors import PitwallError
from pitwall.frames import Control
from pitwall.log import lock, requests
from pitwall.log.folder import header, header_by_name
from pitwall.log.published import Recorder
from pitwall.log.session import find
from pitwall.project.build import stale
from pitwall.project.generations import Generations
from pitwall.project.pipeline import origin
from pitwall.project.private import kept
from pitwall.project.recent import Held
from pitwall.project.room import Room, Space
from pitwall.serve.access import Access
from pitwall.serve.chase import LOOK_S, Chase
from pitwall.serve.companion import Companion, stop_all
from pitwall.serve.course import Course
from pitwall.serve.definitions import Definitions
from pitwall.serve.edits import Edits
from pitwall.serve.following import finished
from pitwall.serve.garage import Shelf
from pitwall.serve.importer import Importer
from pitwall.serve.latest import Latest
from pitwall.serve.model.settings import NONE, Settings
from pitwall.serve.mover import Mover
from pitwall.serve.newest import Picture
from pitwall.serve.rebuilder import Rebuilder
from pitwall.serve.server import bind, serve
from pitwall.serve.speaker import Speaker, Speaking
from pitwall.serve.tender import Tender, presses
from pitwall.serve.uploads import Uploads

if TYPE_CHECKING:
    from pitwall.decode.traffic import Heard
    from pitwall.log.remarks import Remarks
    from pitwall.serve.doctor import Examine

logger = logging.getLogger("pitwall.live")

KEEP_S: Final = 2.0
"""For a recorder to write down a model's answer: less than a server that stops is waited for."""

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
    model: Settings = NONE,
    access: Access | None = None,
    ready: Callable[[str], None] | None = None,
    stop: threading.Event | None = None,
    last_s: float = 0.0,
    speaks: Speaking | None = None,
    archive_to: str = "",
    examine: Examine | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT (in the main thread), or until `stop` is set.

    leave_free: bytes that projections leave to the log; None: `room.FLOOR_BYTES`.
    model: that words what the rules say.  access: who may ask.
    ready: called with the page's address once it answers.  last_s: so long, when stopped, the end of a session that is
    being recorded is waited for, which makes its projection whole.  speaks: with what, and in whose words, cues are
    spoken here; None: on the page alone.  archive_to: where sessions go that somebody archives over HTTP; "": nowhere.
    examine: says what would keep this machine from recording.  PitwallError: the port can't be had.
    """
    with contextlib.closing(bind(host, port)) as sock, kept(projections) as folder:
        room = Room(folder, floor=leave_free, pressed=lambda: presses(logs, folder))
        definitions, edits = Definitions(cars), Edits(logs)
        follower = Follower(logs, folder, definitions, room, edits, last_s=last_s)
        shelf = Shelf(logs, folder, definitions, room)
        tender, rebuilder = (
            Tender(shelf, follower),
            Rebuilder(logs, shelf, definitions, follower, leave_free=leave_free),
        )

        uploads = Uploads(folder, room)
        importer = Importer(uploads, logs, projections, cars)
        mover = Mover(logs, projections, archive_to)
        companions: list[Companion] = [follower, definitions, edits, tender, rebuilder, importer, mover]
        if speaks is not None:
            companions.append(Speaker(follower.picture, speaks.level, speaks.command))

        def answering(url: str) -> None:
            # not before: Sanic, while it starts, and a car's formulas go through `ast`, which bears one thread
            for thread in companions:
                thread.start()
            if ready is not None:
                ready(url)

        try:
            serve(
                follower,
                shelf,
                sock,
                importer=importer,
                mover=mover,
                examine=examine,
                model=model,
                access=access,
                ready=answering,
                stop=stop,
            )
        finally:
            try:
                stop_all(companions)
            finally:
                uploads.close()


class Follower(Companion):
    """The projector's thread, from `start` to `stop`, and what it shows: a `Live` to the server."""

    def __init__(
        self,
        logs: Path,
        projections: Path,
        definitions: Definitions,
        room: Room | None = None,
        edits: Edits | None = None,
        last_s: float = 0.0,
    ) -> None:
        """edits: is told which definition is shown from now on; None: nobody is.  last_s: as of `run`."""
        super().__init__("pitwall-projector")
        self._logs = logs
        self._definitions = definitions
        self._generations = Generations(projections, room)
        self._room = self._generations.room
        self._latest = Latest(logs)
        self._unkept = False  # the session that was followed last has no whole projection, for lack of room
        self._picture = Picture()
        self._told: Callable[[], None] = lambda: None
        self._chase = Chase(
            logs,
            definitions,
            self._generations,
            latest=self._latest,
            stop=self.stopping,
            show=self._show,
            edits=edits,
            last_s=last_s,
        )

    def picture(self) -> Picture:
        """The newest values as of now."""
        return self._picture

    def watch(self, told: Callable[[], None]) -> None:
        """From now on `told`, in this thread, of every picture."""
        self._told = told

    def cursor(self, session: str) -> duckdb.DuckDBPyConnection | None:
        """A cursor on the generation being built, if it is of `session`; whoever gets it closes it."""
        course = self._asked(session)
        while course is not None:
            try:
                return course.projector.store.cursor()
            except duckdb.Error:  # finished, or succeeded, between the two lines
                before, course = course, self._asked(session)
                if course is before:
                    return None  # from now on it is a file
        return None

    def traffic(self, session: str) -> Heard | None:
        """The newest frame of each id of `session`, where that is followed, and has been caught up with."""
        course = self._chase.course
        if course is None or course.session != session or course.following.behind:
            return None
        return course.following.traffic()

    def remarks(self, session: str) -> Remarks | None:
        """What people said of `session` so far, where that is followed, and has been caught up with."""
        course = self._chase.course
        if course is None or course.session != session or course.following.behind:
            return None
        return course.following.remarks

    def held(self, session: str) -> Held | None:
        """The newest rows of the generation being built, if it is of `session`."""
        course = self._asked(session)
        return course.projector.store.held if course is not None else None

    def _asked(self, session: str) -> Course | None:
        """The course whose generation answers for `session`."""
        course = self._chase.course
        if course is None or course.session != session:
            return None
        if not (course.projector.keeping or course.projector.committed.offset):
            return None
        if course.following.behind and self._chase.replaces:
            return None  # half of one: until it has caught up, the one that it is to replace answers
        return course

    def problems(self) -> Mapping[str, tuple[str, ...]]:
        """What is wrong with the cars as they are saved, by car."""
        return self._definitions.problems

    def successor(self) -> dict[str, Any] | None:
        """What is built beside what is shown, to take its place: the car's fingerprint, and how far it is."""
        successor = self._chase.successor
        if successor is None:
            return None
        return {"definition": successor.definition.car.fingerprint, "offset": successor.offset}

    def space(self) -> Space:
        """Whether there is room for projections."""
        return self._room.space

    def recorder(self) -> Recorder | None:
        """What the process that records says of itself."""
        return lock.recorder(self._logs)

    def end(self, session: str) -> None:
        """Has the session that is being recorded end.  LogError: it can't be."""
        requests.ask(self._logs, {"end": session})

    def set_line(self, session: str, fact: Mapping[str, Any]) -> None:
        """Has a start line put into the session's log, recorded or ended.  LogError: it can't be."""
        requests.ask(self._logs, {"control": int(Control.START_LINE), "fact": dict(fact), "session": session})

    def note(self, session: str, fact: Mapping[str, Any]) -> None:
        """Has a person's words put into the session's log, recorded or ended.  LogError: they can't be."""
        requests.ask(self._logs, {"control": int(Control.NOTE), "fact": dict(fact), "session": session})

    def tag(self, session: str, fact: Mapping[str, Any]) -> None:
        """Has the session's tags put into its log, recorded or ended.  LogError: they can't be."""
        requests.ask(self._logs, {"control": int(Control.TAGS), "fact": dict(fact), "session": session})

    def keep_answer(self, session: str, fact: Mapping[str, Any]) -> None:
        """Has what a model answered put into the session's log, recorded or ended.  LogError: it can't be."""
        request = {"control": int(Control.ANSWER), "fact": dict(fact), "session": session}
        requests.ask(self._logs, request, within_s=KEEP_S)

    def run(self) -> None:
        failed: tuple[str, int] = ("", 0)  # the session that failed last, and how often
        while not self.stopping.is_set():
            folder = None
            try:
                folder = self._latest.folder()
                if folder is None:
                    self._show(Picture)
                    self.stopping.wait(LOOK_S)
                else:
                    self._project(folder)
                    failed = ("", 0)
                    self._rest(folder)
            except Exception as error:  # noqa: BLE001  the rim of this thread: whatever it is, the server goes on
                name = folder.name if folder else ""
                failed = (name, failed[1] + 1 if failed[0] == name else 1)
                self._tell(error, failed[1])
                self.stopping.wait(PAUSES_S[min(failed[1], len(PAUSES_S)) - 1])

    def _project(self, folder: Path) -> None:
        """Follows the session in `folder`, or shows the last values of one that is over."""
        self._unkept = False
        session = find(self._logs, folder.name)
        definition = self._definitions.get(session.header.car)
        if session.state == "ended" and not stale(session, definition.car, self._generations):
            self._show(partial(finished, session, definition.car, self._generations))
            return
        self._unkept = not self._chase.run(session, definition)

    def _rest(self, folder: Path) -> None:
        """Waits for another session than the one that was followed to its end, for room to keep that one, or for one
        that was rebuilt by an edited definition."""
        version = self._definitions.version
        while (
            not self.stopping.is_set()
            and self._latest.folder() == folder
            and (not self._unkept or self._room.look().why)
        ):
            if self._definitions.version != version and self._was_rebuilt(folder):
                return
            self.stopping.wait(LOOK_S)

    def _was_rebuilt(self, folder: Path) -> bool:
        cast = self._picture.cast
        if cast is None or cast.session != folder.name:
            return True
        about = header(folder) or header_by_name(folder)
        now = origin(self._definitions.get(cast.car).car, about)
        return now.fingerprint != cast.fingerprint and self._generations.file(now.session, now.fingerprint).exists()

    def _show(self, picture: Callable[[int], Picture]) -> None:
        self._picture = picture(self._picture.number + 1)
        cast = self._picture.cast
        logger_of_all.follow(cast.session if cast is not None else "")
        self._told()

    def _tell(self, error: Exception, failures: int) -> None:
        """Shows that it fails, and why; logs what nobody expected, with its trace."""
        expected = isinstance(error, PitwallError)
        what = str(error) if expected else f"{type(error).__name__}: {error}"
        if failures == 1:
            logger.error("%s", what, exc_info=None if expected else error)
        before = self._picture
        status = replace(before.status, state="failing", error=what, failures=before.status.failures + 1)
        self._show(lambda number: replace(before, number=number, status=status))
