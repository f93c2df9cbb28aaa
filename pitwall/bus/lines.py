"""A text capture's bytes in, its lines out one by one, numbered: a reader that fails on one can go on with the next.

python-can's readers of text formats stop for good at the first line that they don't understand, or pass over it in
silence.  `Lines` stands between file and reader, as the file object that they iterate: it knows which line made which
message, and which made none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from pitwall.bus.losses import Losses, glimpse, reason
from pitwall.bus.pythoncan import can

LINE_BYTES = 64 * 1024
"""The longest line that is looked at: a CAN FD frame takes some 300 bytes in the wordiest format."""


class Lines:
    """The lines of `path`, as an iterator of text and just enough of a file for python-can's readers.

    silent: tells the lines that make no frame and are no loss (headers, comments, a bus's statistics).
    seen: is given each line before the reader is, and may give another in its place, or None where it is no good.
    whole: tells whether a last line without a line end is all there.
    """

    def __init__(
        self,
        path: Path,
        losses: Losses,
        *,
        silent: Callable[[str], bool],
        whole: Callable[[str], bool],
        seen: Callable[[str], str | None] = lambda line: line,
    ) -> None:
        self.number = 0
        self._file = path.open("rb")
        self._losses = losses
        self._silent, self._whole, self._seen = silent, whole, seen
        self._open: str | None = None  # the line that was handed out last, while nothing has come of it
        self._next: str | None = None  # a line of ours, to be handed out before the file's

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._next is not None:
            ours, self._next = self._next, None
            return ours
        self.missed()
        while raw := self._file.readline(LINE_BYTES):
            self.number += 1
            if not raw.endswith(b"\n") and not self._is_last_whole(raw):
                continue
            try:
                text = raw.decode("utf-8").removeprefix("\ufeff")  # what some Windows editors begin a file with
            except UnicodeDecodeError:
                text = raw.decode("latin-1")  # as older Windows tools write: a month's name in German, a comment
            self._open = text
            if (line := self._seen(text)) is not None:
                return line
            self.missed()
        raise StopIteration

    def _is_last_whole(self, raw: bytes) -> bool:
        if len(raw) == LINE_BYTES:
            self._losses.add(f"a line of more than {LINE_BYTES:,} bytes", self.number)
            while (rest := self._file.readline(LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
            return False
        text = raw.decode("latin-1")
        if self._silent(text) or self._whole(text):
            return True
        self._losses.add(f"cut short: {glimpse(text)}", self.number)
        return False

    def answered(self) -> None:
        """A frame came of the line that was handed out last."""
        self._open = None

    def missed(self, error: BaseException | None = None) -> None:
        """Nothing came of the line that was handed out last, and nothing will."""
        line, self._open = self._open, None
        if line is not None and not self._silent(line):
            why = f" ({reason(error)})" if error is not None else ""
            self._losses.add(f"not understood: {glimpse(line)}{why}", self.number)

    def again(self, line: str) -> None:
        """Hand out `line` before the next of the file: what a reader wants to see before it takes up again."""
        self._next = line

    def tell(self) -> int:
        """Bytes read so far."""
        return self._file.tell()

    def close(self) -> None:
        self._file.close()


def messages(reader: can.io.generic.MessageReader, lines: Lines, again: str) -> Iterator[can.Message]:
    """The messages of a reader over `lines`, whatever single lines do to it.

    again: a line that brings the reader, when it starts anew in the middle of the file, past its header.
    """
    while True:
        number = lines.number
        try:
            for message in reader:
                lines.answered()
                yield message
            lines.missed()
            return
        except Exception as error:  # noqa: BLE001  # a reader fed with garbage raises anything there is
            lines.missed(error)
            if lines.number == number:
                return
            lines.again(again)
