"""Rows in, a session on disk out.

`append` writes a batch with one `write`: then it is *written*, and survives the death of the process.  A thread makes
it *durable* within the sync interval; segments that are full are sealed by the `Hold`.  The laws are those of `Tip`.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pitwall import __version__
from pitwall.errors import LogError, UsageError
from pitwall.frames import Control, Frames
from pitwall.frames import control as control_row
from pitwall.log import durable, recovery
from pitwall.log import opening as openings
from pitwall.log import tag as tags
from pitwall.log.boot import boot_id
from pitwall.log.disk import DISK, Disk
from pitwall.log.hold import Hold
from pitwall.log.opening import Header, Opening
from pitwall.log.recovery import Stump
from pitwall.log.tip import Tip, failed

logger = logging.getLogger(__name__)

MAX_BUSES: Final = 256  # the column `bus` is a uint8
MAX_NAME: Final = 128

_NAME: Final = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_NAME - 1}}}")


@dataclass(frozen=True, slots=True)
class Pace:
    """How soon what is written is durable, and how large and old a segment becomes before the next one begins."""

    sync_interval_s: float = 0.1
    segment_bytes: int = 64 << 20
    segment_age_s: float = 600


class Writer:
    """Writes one session.  header, session, path: of the session.

    problem: why what is written could not be made durable just now; "" while all is well.
    """

    @classmethod
    def create(
        cls,
        logs: Path,
        *,
        car: str,
        buses: Sequence[str],
        started_at_ns: int,
        session_id: str | None = None,
        sync_interval_s: float = 0.1,
        segment_bytes: int = 64 << 20,
        segment_age_s: float = 600,
        disk: Disk = DISK,
    ) -> Writer:
        """Begin a session in a logs folder that is held for it alone, having recovered what a dead writer left.

        Raises as `Hold` and `begin` do.
        """
        _check_names(session_id, car, buses)
        hold = Hold(logs, disk=disk)
        try:
            hold.recover()
            pace = Pace(sync_interval_s, segment_bytes, segment_age_s)
            writer = cls.begin(
                hold, car=car, buses=buses, started_at_ns=started_at_ns, session_id=session_id, pace=pace
            )
        except BaseException:
            hold.close(seal=False)
            raise
        writer._alone = True
        return writer

    @classmethod
    def begin(
        cls,
        hold: Hold,
        *,
        car: str,
        buses: Sequence[str],
        started_at_ns: int,
        zero_ns: int | None = None,
        session_id: str | None = None,
        pace: Pace = Pace(),
    ) -> Writer:
        """Begin a session with its SESSION_START at t = 0, durable on return.

        started_at_ns: wall clock (Unix) at t = 0.  zero_ns: the monotonic clock then, where rows' `t` are of it, so
        that a recorder of the same boot can go on with the session.
        session_id: by default `YYYYmmddTHHMMSSZ-<car>`, of that moment.
        Raises LogError where it can't be written, and leaves nothing, or what the next try takes; UsageError where a
        name won't do.
        """
        _check_names(session_id, car, buses)
        name = session_id or session_name(started_at_ns, car)
        path = _new_folder(hold, name, exactly=session_id is not None)
        boot = "" if zero_ns is None else boot_id()
        header = Header(
            openings.VERSION, path.name, car, started_at_ns, tuple(buses), f"pitwall {__version__}", boot, zero_ns
        )
        fact = {"session": path.name, "car": car, "started_at_ns": started_at_ns, "buses": list(buses)}
        row = control_row(Control.SESSION_START, 0, json.dumps(fact).encode())
        try:
            writer = cls(hold, path, Opening(header, 0, None), row, pace)
            hold.unbegun.discard(path)
            return writer
        except BaseException:
            with suppress(OSError):
                hold.disk.remove_folder(path)  # where nothing could be written, no empty session stays
            raise

    @classmethod
    def go_on(cls, hold: Hold, stump: Stump, *, pace: Pace = Pace()) -> Writer:
        """Go on with a session that a dead writer left, behind a RECOVERED row that says so.

        Raises LogError where it can't be written; the session is as it was then.
        """
        try:
            unsealed = recovery.leftovers(stump.folder, hold.disk)
        except OSError as error:
            raise failed("can't be gone on with", stump.folder, error) from error
        writer = cls(hold, stump.folder, stump.opening, stump.recovered(), pace)
        for segment in unsealed:
            if segment.first < stump.opening.first:
                hold.seal(segment)
        return writer

    def __init__(self, hold: Hold, path: Path, origin: Opening, first: Frames, pace: Pace) -> None:
        """first: the rows that the session's first segment here begins with."""
        self.header = origin.header
        self.session = origin.header.session
        self.path = path
        self.problem = ""
        self._hold = hold
        self._alone = False  # nobody else has the hold: it ends with the session
        self._sync_interval_s = pace.sync_interval_s
        self._closed = False
        self._tip = Tip(
            hold.roomy,
            path,
            origin,
            hold.seal,
            self._stand,
            segment_bytes=pace.segment_bytes,
            segment_age_s=pace.segment_age_s,
        )
        self._tip.begin(first)
        self._publish()
        self._dirty = threading.Event()
        self._stop = threading.Event()
        self._syncing = threading.Thread(target=self._sync_for_ever, name="pitwall-log-sync", daemon=True)
        self._syncing.start()

    @property
    def written(self) -> int:
        """Offset behind the last row that is safe from the death of this process."""
        return self._tip.written

    @property
    def durable(self) -> int:
        """Offset behind the last row that is safe from a loss of power."""
        return self._tip.durable

    @property
    def frames(self) -> int:
        """Rows of the session that are no control rows."""
        return self._tip.frames

    @property
    def last_t(self) -> int:
        """ns, of the last row."""
        return self._tip.last_t

    def append(self, rows: Frames) -> None:
        """Append `rows`, in log order, as one batch (several beyond a million rows); the log gives them their offsets.

        Raises ValueError where `t` runs backwards or the columns differ in length, and appends nothing.
        Raises LogError where the disk fails: `written` tells what was kept; the next call goes on in a new segment.
        """
        if self._closed:
            raise LogError("the session is closed", where=self.path)
        if not len(rows):
            return
        self._tip.append(rows)
        if not self._dirty.is_set():
            self._dirty.set()
        if self._tip.crowded:
            self._tip.sync()

    def control(self, kind: Control, t_ns: int, fact: Mapping[str, object]) -> None:
        """Append one control row.  fact: what becomes its JSON."""
        self.append(control_row(kind, t_ns, json.dumps(fact).encode()))

    def sync(self) -> None:
        """Make durable all that is written.

        Raises LogError where the disk fails; nothing is called durable then that may not be, and the next call writes
        it again elsewhere.
        """
        self._tip.sync()

    def look(self) -> None:
        """Raises LogError where what is being written was removed or moved away; it is written again elsewhere."""
        try:
            self._tip.look()
        except LogError as error:
            self.problem = error.what
            self._dirty.set()
            raise

    def end(self, t_ns: int, reason: str = "ended") -> None:
        """Append SESSION_END, at the last row's `t` if that is later, and have all sealed.

        Raises LogError where the disk fails: the session is open still then, and to be ended again.
        """
        if not self._tip.ends:
            self.control(Control.SESSION_END, max(t_ns, self._tip.last_t), {"reason": reason})
        self._tip.retire()
        self._tip.sync()
        self._shut(seal=True)

    def close(self) -> None:
        """Leave the session without an end: what a crash leaves, but durable.

        Raises LogError where the disk fails.
        """
        if self._closed:
            return
        try:
            self._tip.sync()
        finally:
            self._shut(seal=False)

    def _stand(self) -> None:
        """The session's folder is there, in a logs folder that we hold."""
        self._hold.stand()
        if not self.path.is_dir():
            durable.make_folder(self.path, self._hold.disk)

    def _publish(self) -> None:
        durable_now = self.durable  # before what is written: it may never be ahead of that
        self._hold.tell(session=self.session, durable=durable_now, written=self.written, frames=self.frames)

    def _sync_for_ever(self) -> None:
        took_s = 0.0  # the last sync: what is written is to be durable within the interval, not only asked for
        while True:
            self._dirty.wait()
            self._stop.wait(max(0.0, self._sync_interval_s - took_s))
            self._dirty.clear()
            if self._stop.is_set():  # asked only now: what woke us may have been the stop, and is cleared
                return
            began_s = time.monotonic()
            try:
                self._tip.sync()
            except LogError as error:
                self._dirty.set()
                if error.what != self.problem:
                    logger.warning("%s", error)
                self.problem = error.what
            else:
                self.problem = ""
            took_s = min(time.monotonic() - began_s, self._sync_interval_s / 2)
            self._publish()

    def _shut(self, *, seal: bool) -> None:
        if self._closed:
            return
        self._closed = True
        self._stop.set()
        self._dirty.set()
        self._syncing.join()
        self._tip.close()
        self._hold.tell(session="", written=0, durable=0, frames=0)
        if self._alone:
            self._hold.close(seal=seal)


def _check_names(session: str | None, car: str, buses: Sequence[str]) -> None:
    for kind, name in (("car", car), ("session", session)):
        if name is not None and not _NAME.fullmatch(name):
            raise UsageError(f"{name[:40]!r} can't name a {kind}", hint="letters, digits, dot, dash and underscore")
    if len(buses) > MAX_BUSES:
        raise UsageError(f"{len(buses)} buses are too many", hint=f"{MAX_BUSES} at most")
    magic = tags.MAGIC.decode()
    for bus in buses:
        if magic in bus or len(bus) > MAX_NAME:
            raise UsageError(f"{bus[:40]!r} can't name a bus", hint=f"at most {MAX_NAME} characters, no {magic!r}")


def session_name(started_at_ns: int, car: str) -> str:
    """What a session that begins then is called, where nobody says otherwise: `YYYYmmddTHHMMSSZ-<car>`."""
    return f"{datetime.fromtimestamp(started_at_ns // 10**9, UTC):%Y%m%dT%H%M%SZ}-{car}"


def _new_folder(hold: Hold, name: str, *, exactly: bool) -> Path:
    """A new folder of that name; with a number behind it where that is taken, unless it is to be `exactly` so."""
    for number in range(1, 1000):
        path = hold.logs / (name if number == 1 else f"{name}-{number}")
        try:
            hold.stand()
            if path not in hold.unbegun or not path.is_dir():
                hold.roomy.make_folder(path)
                hold.unbegun.add(path)
            hold.roomy.sync_folder(hold.logs)
        except FileExistsError as error:
            if exactly:
                raise UsageError(
                    f"there is a session {name!r} already", where=hold.logs, hint="choose another name"
                ) from error
        except OSError as error:
            raise failed("can't be begun", path, error) from error
        else:
            return path
    raise LogError(f"there are a thousand sessions {name!r}", where=hold.logs)
