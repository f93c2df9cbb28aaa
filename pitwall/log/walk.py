"""The bytes of a segment's file in, its verified messages out; behind damage it finds its way again.

Read in blocks, through `pitwall.log.bytefile`.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Final

from pitwall.log import tag as tags
from pitwall.log.bytefile import ByteFile, open_bytes
from pitwall.log.tag import Flaw, Message

FILE_MAGIC: Final = b"ARROW1\0\0"
"""How an Arrow file, and so a sealed segment, begins; its first message follows."""

BLOCK_BYTES: Final = 1 << 20
_LOOK_BACK: Final = 1 << 14  # a message's tag stands within so many bytes of its start (a schema with many buses)


class Walk:
    """Goes through one file.  position: of the next message.  file: its bytes, where they are not those in `path`."""

    def __init__(self, path: Path, *, sealed: bool, seed: int, file: ByteFile | None = None) -> None:
        self.path = path
        self.sealed = sealed
        self.seed = seed
        self.position = len(FILE_MAGIC) if sealed else 0
        self._file = file or open_bytes(path)
        self._base = 0
        self._block = b""

    def __enter__(self) -> Walk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    @property
    def size(self) -> int:
        """Bytes of the file, now."""
        return self._file.size

    @property
    def inode(self) -> int:
        """Which file it is, whatever its name has become."""
        return self._file.inode

    def magic(self) -> bool:
        """Whether a sealed file begins as one does."""
        return not self.sealed or self._file.pread(len(FILE_MAGIC), 0) == FILE_MAGIC

    def next(self) -> Message | Flaw:
        """The message at `position`, which moves behind it; or why there is none, and `position` stays."""
        found = self.at(self.position)
        if isinstance(found, Message):
            self.position = found.end
        return found

    def at(self, position: int) -> Message | Flaw:
        """The message that begins at `position`, verified, or why there is none."""
        need = 1
        while True:
            index = self._hold(position, need)
            found = tags.check(self._block, index, self.seed, position, sealed=self.sealed)
            if not isinstance(found, int):
                return found
            if len(self._block) - index >= found or not self._more(position, found):
                return Flaw("the file ends within a message", cut=True)
            need = found

    def resync(self) -> Message | None:
        """The next message behind damage at `position`, which moves behind it; None where no more is readable."""
        search = self.position
        while True:
            index = self._hold(search, BLOCK_BYTES)
            hit = self._block.find(tags.MAGIC, index)
            if hit < 0:
                if len(self._block) - index < BLOCK_BYTES:
                    return None
                search += len(self._block) - index - len(tags.MAGIC) + 1
                continue
            tag_at = self._base + hit
            found = self._around(tag_at, self.position)
            if found is not None:
                self.position = found.end
                return found
            search = tag_at + 1

    def last(self) -> Message | None:
        """The last message of the file that verifies, looked for from its end; None where none does."""
        end = self.size
        while end > 0:
            low = max(0, end - BLOCK_BYTES)
            block = self._file.pread(end - low, low)
            hit = len(block)
            while (hit := block.rfind(tags.MAGIC, 0, hit + len(tags.MAGIC) - 1)) >= 0:
                found = self._around(low + hit, 0)
                if found is not None:
                    return found
            end = low + len(tags.MAGIC) - 1 if low else 0
        return None

    def forget(self) -> None:
        """Read the file again from here on: it may have grown."""
        self._block = b""

    def _around(self, tag_at: int, first: int) -> Message | None:
        """The message whose tag is at `tag_at`: it begins at the nearest mark in front, from `first` on, that fits."""
        low = max(first, tag_at - _LOOK_BACK)
        ahead = self._file.pread(tag_at - low, low)
        mark = len(ahead)
        while (mark := ahead.rfind(tags.CONTINUATION, 0, mark + len(tags.CONTINUATION) - 1)) >= 0:
            metadata = int.from_bytes(ahead[mark + 4 : mark + 8], "little")
            reaches = metadata <= tags.MAX_METADATA_BYTES and low + mark + tags.PREFIX_BYTES + metadata > tag_at
            if reaches or (metadata == 0 and self.sealed):
                found = self.at(low + mark)
                if isinstance(found, Message):
                    return found
        return None

    def _hold(self, position: int, need: int) -> int:
        """Have `need` bytes from `position` in the block, or all that there are; the index of the first."""
        index = position - self._base
        if index < 0 or index + need > len(self._block):
            self._more(position, need)
            index = 0
        return index

    def _more(self, position: int, need: int) -> bool:
        # no more than there is: a length that damage made up takes no memory
        self._block = self._file.pread(max(min(need, self.size - position), BLOCK_BYTES), position)
        self._base = position
        return len(self._block) >= need
