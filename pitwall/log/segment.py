"""One segment's verified messages in, its batches in offset order out.

As long as each message follows the one before (offset and chain), batches stream through.  At the first that doesn't,
what is still
readable of the file is indexed, put in order and given, and everything wrong is reported: damage costs the batch that
it is in.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Final

from pitwall.errors import LogError
from pitwall.log import tag as tags
from pitwall.log.folder import Segment, check_version, header, read_opening, segments
from pitwall.log.opening import End, Opening
from pitwall.log.place import Damage, Found, Place, Torn
from pitwall.log.salvage import MISSING, Fault, survey, take_fault
from pitwall.log.tag import Flaw, Kind, Message
from pitwall.log.walk import FILE_MAGIC, Walk

Batches = Generator[Found | None, None, None]

LOST_BEFORE: Final = "the rows were lost before the segment was sealed"
_NO_SCHEMA: Final = "the segment's beginning is missing"
_BEHIND_END: Final = "there is something behind the end"


class SegmentReader:
    """Reads one segment, following it while it is the newest of its session."""

    def __init__(self, segment: Segment, walk: Walk, place: Place, report: Callable[[Damage], None]) -> None:
        self._segment = segment
        self._walk = walk
        self._place = place
        self._report = report
        self._opening: Opening | None = None
        self._expected = segment.first  # offset that the next batch must have
        self._chain: int | None = None  # CRC of the message before; None: not known
        self._footer = False
        self._limit: int | None = None  # offset of the next segment, if there is one
        self._whole = True  # nothing was wrong so far

    def batches(self) -> Generator[Found | None, None, bool]:
        """The segment's batches; None whenever there are no more for now.  Returns whether it is done with.

        Not done: another file has the segment's name, or the sealed form is there; it is to be opened again.
        """
        segment, walk, place = self._segment, self._walk, self._place
        place.torn = None
        if not self._begin(segments(segment.path.parent)):
            return True
        if not walk.magic():
            self._tell(0, "the file does not begin as a sealed segment does")
        while True:
            yield from self._stream()
            if self._done_with():
                break
            if self._is_behind():
                yield from self._salvage()
                continue
            if segment.sealed or self._limit is not None:
                break
            # the newest segment, still open: wait for more, unless something took its place
            listed = segments(segment.path.parent)
            self._limit = _first_behind(segment, listed, place.session)
            if self._limit is None:  # a file that is none of the session may stand where its next one should
                behind = (other.first for other in listed if other.first > segment.first)
                self._limit = next((first for first in behind if first >= self._expected), None)
            if self._limit is None:
                if _replaced(segment, walk, listed):
                    return False
                yield None
            walk.forget()
            limit = self._limit
            if walk.position == 0 and not self._begin(listed):
                return True
            if self._limit is None:  # a stranger ends this segment, too: it was looked at, and is not waited for
                self._limit = limit
        self._finish()
        return True

    def _begin(self, listed: list[Segment]) -> bool:
        """Read the schema message.  False: the file is another one than its name says, and none of it is used."""
        walk, place, segment = self._walk, self._place, self._segment
        found = walk.next()
        self._opening = read_opening(found, segment.path) if isinstance(found, Message) else None
        if self._opening is not None and self._opening.header.session == segment.path.parent.name:
            place.session = place.session or self._opening.header.session
        if place.session is None:
            known = header(segment.path.parent)
            place.session = known.session if known else None
        session = place.session or segment.path.parent.name
        walk.seed = tags.seed(session, segment.first)
        self._limit = _first_behind(segment, listed, session)
        misfit = _misfit(segment, self._opening or _misplaced(segment, walk), session)
        if misfit:
            self._pass_by(misfit)
            return False
        if self._opening is None:
            if isinstance(found, Message):
                walk.position = found.position
            return True
        assert isinstance(found, Message)
        before, end = self._opening.previous, place.end
        if before and end and before.offset == end.offset and before.crc != end.crc:
            self._tell(0, "the segment does not continue the one before it")
        place.end = None
        self._chain = found.tag.crc
        return True

    def _pass_by(self, what: str) -> None:
        """Use nothing of the file.  The rows that it stands in front of are told lost where the next segment begins."""
        place, first = self._place, self._segment.first
        place.stopped = (self._segment.path, 0, what)
        if self._limit is None:
            self._tell(0, what, max(place.at, first), None)
        elif self._limit <= place.at:
            self._tell(0, what)

    def _stream(self) -> Batches:
        """Batches while all is well; `walk.position` stays before the first thing that is not the next batch."""
        walk = self._walk
        while True:
            found = walk.next()
            if isinstance(found, Flaw):
                return
            tag = found.tag
            check_version(tag, walk.path)
            if self._walk.sealed and tag.prev == self._chain and tag.offset > self._expected:
                self._tell(found.position, LOST_BEFORE, self._expected, tag.offset)
                self._expected = tag.offset
            fits = tag.offset == self._expected and tag.prev == self._chain
            elsewhere = tag.kind is Kind.ROWS and self._limit is not None and tag.offset >= self._limit
            if not fits or tag.kind is Kind.SCHEMA or elsewhere:
                walk.position = found.position
                return
            self._chain = tag.crc
            if tag.kind is Kind.FOOTER:
                self._footer = True
                return
            new = self._take(found)
            if new is not None:
                yield new

    def _take(self, message: Message) -> Found | None:
        """The batch as it is given on; None where none of its rows is new."""
        place, tag = self._place, message.tag
        self._expected = stop = tag.offset + tag.rows
        if self._limit is not None and stop > self._limit:
            stop = self._limit
        if stop <= place.at:
            return None
        first = place.at if place.at > tag.offset else tag.offset
        place.at = stop
        place.ended = place.ended or tag.ends
        return Found(self._segment, message, first, stop)

    def _done_with(self) -> bool:
        """Whether the segment was read to its very end."""
        if self._footer:
            return self._walk.position == self._walk.size
        return self._limit is not None and self._expected >= self._limit

    def _is_behind(self) -> bool:
        """Whether something that verifies stands behind what does not."""
        walk, place = self._walk, self._place
        position, size = walk.position, walk.size
        if self._footer or position >= size:
            empty = size == 0 and not self._segment.sealed  # no writer leaves one: it comes whole, with its beginning
            place.torn = Torn(self._segment.path, 0, 0, "the file is empty", cut=True) if empty else None
            return False
        if place.torn is not None and (place.torn.position, place.torn.size) == (position, size - position):
            return False
        here = walk.at(position)
        behind = here if isinstance(here, Message) else walk.resync()
        walk.position = position
        if behind is not None:
            return True
        assert isinstance(here, Flaw)
        if not self._segment.sealed:
            place.torn = Torn(self._segment.path, position, size - position, here.what, here.cut)
        return False

    def _salvage(self) -> Batches:
        """Whatever is still readable of the file, in order; and a report of everything that is wrong."""
        found = survey(self._walk, self._expected, self._chain)
        faults, self._chain = found.faults, found.chain
        if self._opening is None and self._whole and not faults:
            faults.append(Fault(found.start, _NO_SCHEMA, self._expected, self._expected))
        for tag, position in found.in_order():
            begins = tag.offset if self._limit is None else min(tag.offset, self._limit)
            if begins > self._expected:
                fault = take_fault(faults, self._expected, begins) or Fault(position, MISSING, 0, 0)
                self._tell(fault.position, fault.what, self._expected, begins)
                self._place.at = max(self._place.at, begins)
                self._expected = begins
            if tag.kind is Kind.FOOTER:
                self._footer = True
                continue
            if tag.stop <= self._expected or tag.offset > begins:
                continue  # a repeated batch, or one that the next segment has
            message = self._walk.at(position)
            new = self._take(message) if isinstance(message, Message) else None
            if new is not None:
                yield new
        for fault in faults:
            self._tell(fault.position, fault.what)

    def _finish(self) -> None:
        """The segment has no more: is that where it should end?"""
        walk, place, segment = self._walk, self._place, self._segment
        position = walk.position
        place.stopped = (segment.path, position, "the segment ends too early")
        place.end = None
        if not segment.sealed:
            if place.torn is not None:
                place.stopped = (segment.path, position, place.torn.what)
            if self._whole and self._chain is not None:
                place.end = End(self._expected, self._chain)
            place.torn = None if self._limit is not None else place.torn
            return
        ended = self._opening.ended if self._opening else None
        place.end = ended
        if self._footer:
            if position != walk.size:
                self._tell(position, _BEHIND_END)
            return
        stop = ended.offset if ended else self._limit
        if self._limit is not None and stop is not None:
            stop = min(stop, self._limit)
        flaw = walk.at(position)
        what = flaw.what if isinstance(flaw, Flaw) else _BEHIND_END
        if stop is None:
            self._tell(position, what, self._expected, None)
        elif stop > self._expected:
            self._tell(position, what, self._expected, stop)
            place.at = max(place.at, stop)
        else:
            self._tell(position, what)

    def _tell(self, position: int, what: str, first: int | None = None, last: int | None = None) -> None:
        self._whole = False
        self._report(Damage(self._segment.path, min(position, self._walk.size), what, first, last))


def _first_behind(segment: Segment, listed: list[Segment], session: str | None) -> int | None:
    """Where the next segment of the session begins; a file that is none of it ends nothing."""
    behind = (other for other in listed if other.first > segment.first)
    return next((other.first for other in behind if session is None or not stranger(other, session)), None)


def stranger(segment: Segment, session: str) -> str:
    """What a file is, where that is another thing than its name says; "" where it is that, or nothing can tell."""
    try:
        with Walk(segment.path, sealed=segment.sealed, seed=0) as walk:
            return _misfit(segment, _opening_at(walk, walk.position) or _misplaced(segment, walk), session)
    except (OSError, LogError):
        return ""


def _opening_at(walk: Walk, position: int) -> Opening | None:
    found = walk.at(position)
    return read_opening(found, walk.path) if isinstance(found, Message) else None


def _misplaced(segment: Segment, walk: Walk) -> Opening | None:
    """The opening of a file that is in the other form than its name says."""
    return _opening_at(walk, 0 if segment.sealed else len(FILE_MAGIC))


def _misfit(segment: Segment, opening: Opening | None, session: str) -> str:
    if opening is None:
        return ""
    if opening.header.session != session or opening.first != segment.first:
        return f"the file is the segment {opening.first} of the session {opening.header.session}"
    if (opening.ended is not None) != segment.sealed:
        form, called = ("an open", "a sealed") if segment.sealed else ("a sealed", "an open")
        return f"the file is {form} segment that has {called} one's name"
    return ""


def _replaced(segment: Segment, walk: Walk, listed: list[Segment]) -> bool:
    """Whether the segment is now another file than the one being read: sealed, written again elsewhere, or removed."""
    now = next((other for other in listed if other.first == segment.first), None)
    if now is None or now.path != segment.path:
        return True
    try:
        return now.path.stat().st_ino != walk.inode
    except FileNotFoundError:
        return True
