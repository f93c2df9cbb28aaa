"""The open segment of a session: rows in, one message in one `write` each.

It comes into being whole (under a temporary name, then renamed), grows by whole messages, and is never truncated or
rewritten. After an error its file is left alone: its writer goes on in a new segment.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from pitwall.frames import SCHEMA, Frames
from pitwall.log import opening as openings
from pitwall.log import rows as plain
from pitwall.log.disk import Disk, write_all
from pitwall.log.folder import TEMPORARY_SUFFIX, segment_path
from pitwall.log.opening import Opening


class Active:
    """An open segment.

    first: offset of its first row.  end: the tag of its last message.  size: bytes.  born_s: when it began, monotonic.
    batches: what it begins with (rows that a failed segment held).  Raises OSError, and leaves nothing behind.
    """

    def __init__(self, disk: Disk, folder: Path, opening: Opening, batches: Iterable[Frames] = ()) -> None:
        self._disk = disk
        self.path = segment_path(folder, opening.first, sealed=False)
        self.first = opening.first
        self.born_s = time.monotonic()
        self.size = 0
        self._seed = opening.seed
        self._named = False  # whether the name is durable
        temporary = self.path.with_name(self.path.name + TEMPORARY_SUFFIX)
        self._fd = disk.create(temporary)
        try:
            message, self.end = openings.encode(opening, SCHEMA)
            self._write(message)
            for batch in batches:
                self.append(batch)
            disk.rename(temporary, self.path)
        except BaseException:
            self.close()
            with suppress(OSError):
                disk.unlink(temporary)
            raise

    def append(self, rows: Frames) -> bytearray:
        """Write `rows` (in log order, at least one) behind the last; returns the message.

        Raises OSError: the file is spoilt.
        """
        message, end = plain.encode(rows, self.end, self._seed)
        self._write(message)
        self.end = end
        return message

    def sync(self) -> None:
        """Make what is written durable.

        Raises OSError: what was not durable yet may be gone, whatever a second try says.
        """
        self._disk.sync(self._fd)
        if not self._named:
            self._disk.sync_folder(self.path.parent)
            self._named = True

    def look(self) -> None:
        """Raises OSError where the file was removed or moved away: what is in it may be gone with its last user."""
        try:
            gone = not self._disk.is_at(self._fd, self.path)
        except OSError:
            return  # nobody can tell; it takes rows
        if gone:
            raise OSError(errno.ENOENT, "its file was removed or moved away")

    def close(self) -> None:
        """Let go of the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _write(self, message: bytes | bytearray) -> None:
        write_all(self._disk, self._fd, message)
        self.size += len(message)
