"""Rows in, a session on disk out: the one writer of a logs folder.

`append` writes a batch with one `write`: then it is *written*, and survives the death of the process.  A thread makes
it *durable* within the sync interval, another seals the segments that are full.  The laws are those of `Tip`.
"""

from __future__ import annotations

import json
import logging
import queue
import re
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pitwall import __version__
from pitwall.errors import LogError, UsageError
from pitwall.frames import Control, Frames
from pitwall.frames import control as control_row
from pitwall.log import lock, recovery, sealing
from pitwall.log import opening as openings
from pitwall.log import tag as tags
from pitwall.log.disk import DISK, Disk
from pitwall.log.folder import Segment
from pitwall.log.opening import Header
from pitwall.log.tip import Tip, failed

logger = logging.getLogger(__name__)

MAX_BUSES: Final = 256  # the column `bus` is a uint8
MAX_NAME: Final = 128

_NAME: Final = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_NAME - 1}}}")


class Writer:
    """Writes one session.  header, session, path: of the session."""

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
        """Begin a session, having recovered what a dead writer left, and append its SESSION_START at t = 0.

        started_at_ns: wall clock (Unix) at t = 0.  session_id: by default `YYYYmmddTHHMMSSZ-<car>`, of that moment.
        Raises LogError where another process writes in `logs` or it can't be written, UsageError where a name won't do.
        """
        name = session_id or f"{datetime.fromtimestamp(started_at_ns // 10**9, UTC):%Y%m%dT%H%M%SZ}-{car}"
        _check_names(name, car, buses)
        try:
            logs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LogError(f"the logs folder can't be made: {error.strerror}", where=logs) from error
        held = lock.Lock(logs)
        try:
            _, unsealed = recovery.end_interrupted(logs, disk)
            path = _new_folder(disk, logs, name, exactly=session_id is not None)
            held.tell(path.name)
        except BaseException:
            held.release()
            raise
        header = Header(openings.VERSION, path.name, car, started_at_ns, tuple(buses), f"pitwall {__version__}")
        writer = cls(
            disk,
            path,
            header,
            held,
            sync_interval_s=sync_interval_s,
            segment_bytes=segment_bytes,
            segment_age_s=segment_age_s,
        )
        try:
            fact: dict[str, object] = {
                "session": path.name,
                "car": car,
                "started_at_ns": started_at_ns,
                "buses": list(buses),
            }
            writer.control(Control.SESSION_START, 0, fact)
        except BaseException:
            writer._shut(seal=False)
            with suppress(OSError):
                path.rmdir()  # where nothing could be written, no empty session stays
            raise
        for segment in unsealed:
            writer._to_seal.put(segment)
        return writer

    def __init__(
        self,
        disk: Disk,
        path: Path,
        header: Header,
        held: lock.Lock,
        *,
        sync_interval_s: float,
        segment_bytes: int,
        segment_age_s: float,
    ) -> None:
        self.header = header
        self.session = header.session
        self.path = path
        self._disk = disk
        self._held = held
        self._sync_interval_s = sync_interval_s
        self._closed = False
        self._to_seal: queue.SimpleQueue[Segment | None] = queue.SimpleQueue()
        self._tip = Tip(disk, path, header, self._to_seal.put, segment_bytes=segment_bytes, segment_age_s=segment_age_s)
        self._dirty = threading.Event()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._sync_for_ever, name="pitwall-log-sync", daemon=True),
            threading.Thread(target=self._seal_for_ever, name="pitwall-log-seal", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def written(self) -> int:
        """Offset behind the last row that is safe from the death of this process."""
        return self._tip.written

    @property
    def durable(self) -> int:
        """Offset behind the last row that is safe from a loss of power."""
        return self._tip.durable

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

    def end(self, t_ns: int) -> None:
        """Append SESSION_END, at the last row's `t` if that is later; seal all, and let the next writer in.

        Raises LogError where the disk fails; the session is open still then.
        """
        self.control(Control.SESSION_END, max(t_ns, self._tip.last_t), {"reason": "ended"})
        self._tip.retire()
        self._tip.sync()
        self._shut(seal=True)

    def close(self) -> None:
        """Let the next writer in, without an end: what a crash leaves, but durable.

        Raises LogError where the disk fails.
        """
        if self._closed:
            return
        try:
            self._tip.sync()
        finally:
            self._shut(seal=False)

    def _sync_for_ever(self) -> None:
        said = ""
        while True:
            self._dirty.wait()
            self._stop.wait(self._sync_interval_s)
            self._dirty.clear()
            if self._stop.is_set():  # asked only now: what woke us may have been the stop, and is cleared
                return
            try:
                self._tip.sync()
            except LogError as error:
                self._dirty.set()
                if str(error) != said:
                    logger.warning("%s", error)
                said = str(error)
            else:
                said = ""

    def _seal_for_ever(self) -> None:
        while (segment := self._to_seal.get()) is not None:
            try:
                sealing.seal(segment, self._disk)
            except (OSError, LogError) as error:
                logger.warning("%s stays unsealed for now: %s", segment.path, error)

    def _shut(self, *, seal: bool) -> None:
        if self._closed:
            return
        self._closed = True
        self._stop.set()
        self._dirty.set()
        while not seal and not self._to_seal.empty():
            self._to_seal.get()
        self._to_seal.put(None)
        for thread in self._threads:
            thread.join()
        self._tip.close()
        self._held.release()


def _check_names(session: str, car: str, buses: Sequence[str]) -> None:
    for kind, name in (("car", car), ("session", session)):
        if not _NAME.fullmatch(name):
            raise UsageError(f"{name[:40]!r} can't name a {kind}", hint="letters, digits, dot, dash and underscore")
    if len(buses) > MAX_BUSES:
        raise UsageError(f"{len(buses)} buses are too many", hint=f"{MAX_BUSES} at most")
    magic = tags.MAGIC.decode()
    for bus in buses:
        if magic in bus or len(bus) > MAX_NAME:
            raise UsageError(f"{bus[:40]!r} can't name a bus", hint=f"at most {MAX_NAME} characters, no {magic!r}")


def _new_folder(disk: Disk, logs: Path, name: str, *, exactly: bool) -> Path:
    """A new folder of that name; with a number behind it where that is taken, unless it is to be `exactly` so."""
    for number in range(1, 1000):
        path = logs / (name if number == 1 else f"{name}-{number}")
        try:
            disk.make_folder(path)
            disk.sync_folder(logs)
        except FileExistsError as error:
            if exactly:
                raise UsageError(
                    f"there is a session {name!r} already", where=logs, hint="choose another name"
                ) from error
        except OSError as error:
            raise failed("can't be begun", path, error) from error
        else:
            return path
    raise LogError(f"there are a thousand sessions {name!r}", where=logs)
