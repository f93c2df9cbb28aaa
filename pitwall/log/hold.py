"""A logs folder in the hands of its one writer: locked, with room in reserve, and tidied up behind it.

Laws:

1. Nobody else writes there while it is held, and anybody can read who holds it and how that is doing (`lock.recorder`).
2. What dead writers left gets its end, and what is settled is sealed, by a thread of its own, one thing after the
   other.  What fails there is tried again, and never keeps anybody from writing.
3. It takes a lock file, or a logs folder, that was removed under it for gone, and makes another.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from pitwall.errors import LogError
from pitwall.frames import Control
from pitwall.log import durable, recovery, sealing
from pitwall.log.disk import DISK, Disk
from pitwall.log.folder import Segment
from pitwall.log.lock import Lock
from pitwall.log.published import State
from pitwall.log.recovery import Stump
from pitwall.log.reserve import Relieved, Reserve
from pitwall.resident import trim

logger = logging.getLogger(__name__)

RESERVE_BYTES: Final = 64 << 20
"""Room for a minute and a half of two saturated 1 Mbit/s buses, or an hour of a dash logger's stream."""

KEEP_S: Final = 2.0
"""How often the reserve is looked after."""
AGAIN_S: Final = 30.0
"""After so long what failed is tried again."""

Job = Callable[[], None]


class Hold:
    """Held from creation to `close`.  logs, disk: the folder, and what it is on.  roomy: the same disk, for rows: what
    finds no room there is tried again without the reserve.

    reserve_bytes: how much room is kept for that; 0: none.
    unbegun: folders that were made here for sessions that could not be begun; the next try takes them.
    Raises LogError where another process holds the folder, or it can't be written.
    """

    def __init__(self, logs: Path, *, disk: Disk = DISK, reserve_bytes: int = 0) -> None:
        self.logs = logs
        self.disk = disk
        self.unbegun: set[Path] = set()
        try:
            durable.make_folder(logs, disk)
        except OSError as error:
            raise LogError(f"the logs folder can't be made: {error.strerror}", where=logs) from error
        self._lock = Lock(logs, disk)
        self._state = State()
        self._mutex = threading.RLock()  # guards the two
        self._reserve = Reserve(logs, disk, reserve_bytes)
        self.roomy = Relieved(disk, self._reserve)
        self._jobs: queue.Queue[Job | None] = queue.Queue()
        self._failed: list[Job] = []
        self._dropping = False  # what has not begun is left to the next who holds the folder
        self._keeper = threading.Thread(target=self._keep_for_ever, name="pitwall-log-keep", daemon=True)
        self._keeper.start()

    def tell(self, **about: Any) -> None:
        """Publish these fields of `State`, the others as they are."""
        with self._mutex:
            self._state = replace(self._state, **about, low_space=self._reserve.low, at_ns=time.time_ns())
            self._lock.publish(self._state)

    def stand(self) -> None:
        """Have the logs folder there, and its lock held.  Raises OSError, or LogError where another took it."""
        with self._mutex:
            if self._lock.stands:
                return
            durable.make_folder(self.logs, self.disk)
            held = Lock(self.logs, self.disk)
            self._lock.release()
            self._lock = held
            self._lock.publish(self._state)

    def take_up(self, fits: Callable[[Stump], bool]) -> Stump | None:
        """The newest session that a dead writer left, to be gone on with, where it `fits`; all others get their end."""
        left = recovery.unsettled(self.logs)
        stump = self._newest(left)
        if stump is not None and not (stump.can_go_on and fits(stump)):
            stump = None
        for folder in left:
            if stump is None or folder != stump.folder:
                self._jobs.put(partial(self._end, folder))
        return stump

    def leave(self, stump: Stump) -> None:
        """Have a session that was taken up given its end after all."""
        self._jobs.put(partial(self._end, stump.folder))

    def recover(self) -> None:
        """Every session gets its end now; sealing comes behind."""
        for folder in recovery.session_folders(self.logs):
            self._end(folder)

    def seal(self, segment: Segment) -> None:
        """Have a segment sealed that takes no more rows and is durable."""
        self._jobs.put(partial(self._seal, segment))

    def add(self, session: str, kind: Control, fact: Mapping[str, object], done: Callable[[str], None]) -> None:
        """Have a control row put behind the end of a session; `done` is told why not, or "" once it is there."""
        self._jobs.put(partial(self._add, session, kind, fact, done))

    def close(self, *, seal: bool = True) -> None:
        """Let the next writer in.  seal: finish what is to be done before; else it is left to the next one."""
        self._dropping = not seal
        self._jobs.put(None)
        self._keeper.join()
        self._reserve.give()
        self._lock.release()

    # what follows is the keeper's

    def _keep_for_ever(self) -> None:
        self._reserve.keep()
        kept_s = again_s = time.monotonic()
        while True:
            try:
                job = self._jobs.get(timeout=KEEP_S)
            except queue.Empty:
                job = _nothing
            if job is None:
                while not self._dropping and not self._jobs.empty():  # what came of the last jobs
                    self._do(self._jobs.get() or _nothing)
                return
            if not self._dropping:
                self._do(job)
            now = time.monotonic()
            if now - kept_s >= KEEP_S:
                self._reserve.keep()
                kept_s = now
            if now - again_s >= AGAIN_S:
                again, self._failed, again_s = self._failed, [], now
                for one in again:
                    self._do(one)

    def _do(self, job: Job) -> None:
        try:
            job()
        except (OSError, LogError) as error:
            logger.warning("%s", error)
            self._failed.append(job)
        except Exception:  # a thread that died of one would leave all others undone; tried again, it would fail again
            logger.exception("what was to be done for a session could not be")

    def _end(self, folder: Path) -> None:
        _, unsealed = recovery.end_session(folder, self.disk)
        for segment in unsealed:
            self.seal(segment)

    def _seal(self, segment: Segment) -> None:
        try:
            if segment.path.exists() and not sealing.drop_if_sealed(segment, self.disk):
                sealing.seal(segment, self.disk)
                trim()
        except (OSError, LogError) as error:
            raise LogError(f"it stays unsealed for now: {error}", where=segment.path) from error

    def _add(self, session: str, kind: Control, fact: Mapping[str, object], done: Callable[[str], None]) -> None:
        try:
            recovery.add(self.logs / session, kind, fact, self.disk)
        except LogError as error:
            done(str(error))
        except OSError as error:
            done(f"the row can't be written: {error.strerror}")
        else:
            done("")

    def _newest(self, folders: list[Path]) -> Stump | None:
        stumps = []
        for folder in folders:
            try:
                stump = recovery.quick_stump_of(folder)
            except (OSError, LogError):  # whoever ends it will say what is wrong
                continue
            if stump is not None:
                stumps.append(stump)
        return max(stumps, key=lambda stump: stump.opening.header.started_at_ns, default=None)


def _nothing() -> None:
    return
