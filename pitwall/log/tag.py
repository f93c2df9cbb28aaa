"""Message bytes in, a verified tag out: the checksum that covers every byte of the log.

Arrow has no integrity of its own, so each of its messages (schema, record batch, footer) carries a tag of fixed width
in its metadata, as text that any reader shows.  Laws:

1. `crc` is CRC-32 (zlib's) of the whole message with the eight digits of `crc` itself read as `00000000`.
2. A batch's or footer's CRC starts from the `seed` of its session and segment, so one from elsewhere never verifies;
   a schema's starts from 0.
3. `prev` is the `crc` of the message before it: a chain that a missing, repeated or moved message breaks.
4. A tag is believed only when its CRC holds; nothing is parsed by Arrow before that.
5. This form, and these rules for the schema message, stay in every later format version.

Pure: no clock, no files.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

KEY: Final = b"pitwall"
"""The metadata key whose value is the tag."""

MAGIC: Final = b"PW1:"
CONTINUATION: Final = b"\xff\xff\xff\xff"
PREFIX_BYTES: Final = 8
MAX_METADATA_BYTES: Final = 1 << 20  # a batch's metadata is 1 to 2 kB, a schema's grows with the names of its buses
MAX_MESSAGE_BYTES: Final = 1 << 30  # what a reader will take into memory for one message

_NO_CRC: Final = b"00000000"
_PREFIX: Final = struct.Struct("<4sI")
_TEXT: Final = struct.Struct("4x8sx8sx8sxsx2sx16sx8sx8sxsx16sx16s")  # a tag's fields, in the order of `encode`


class Kind(Enum):
    """What a message is."""

    SCHEMA = "S"
    ROWS = "R"
    FOOTER = "F"  # from the end-of-stream marker of a sealed file to its last byte


_LENGTH: Final = 9  # index of the first of the two fields that a message has only once it is serialised
_KINDS: Final = {kind.value.encode(): kind for kind in Kind}


class Tag(NamedTuple):
    """What a message says of itself, and of the session up to its last row.

    offset: of a batch, its first row; of a schema, the segment's first row; of a footer, the row behind the segment's
    last.  rows: in the batch; of a footer, in the segment; of a schema, 0.
    controls: how many control rows the session has so far.  ends: whether one of them was its end.
    first_t, last_t: ns, of the rows; of a schema, both are of the last row before the segment.
    prev: `crc` of the message before; of a schema, of the last message of the segment before.  version: of the format.
    length: bytes of the whole message.
    """

    kind: Kind
    offset: int
    rows: int = 0
    controls: int = 0
    ends: bool = False
    first_t: int = 0
    last_t: int = 0
    prev: int = 0
    version: int = 1
    length: int = 0
    crc: int = 0

    @property
    def stop(self) -> int:
        """Offset behind the last row so far."""
        return self.offset + self.rows if self.kind is Kind.ROWS else self.offset


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why no message verifies at a place.  cut: it would, for all that can be told, were there more bytes."""

    what: str
    cut: bool = False


class Message(NamedTuple):
    """A verified message: where it begins in its file, its bytes, its tag."""

    position: int
    data: memoryview
    tag: Tag

    @property
    def end(self) -> int:
        """Position of the byte behind it."""
        return self.position + self.tag.length


def encode(tag: Tag) -> bytes:
    """The tag as text: its fields in hexadecimal, of fixed width, behind `PW1:`."""
    return (
        f"PW1:{tag.crc:08x}:{tag.prev:08x}:{tag.length:08x}:{tag.kind.value}:{tag.version:02x}:{tag.offset:016x}"
        f":{tag.rows:08x}:{tag.controls:08x}:{tag.ends:d}:{tag.first_t:016x}:{tag.last_t:016x}"
    ).encode("ascii")


def decode(text: bytes, at: int = 0) -> Tag | None:
    """The tag that `text` spells from `at` on, or None where it spells none.  Not yet believed: see `check`."""
    try:
        crc, prev, length, kind, version, offset, rows, controls, ends, first_t, last_t = _TEXT.unpack_from(text, at)
        return Tag(
            _KINDS[kind],
            int(offset, 16),
            int(rows, 16),
            int(controls, 16),
            ends == b"1",
            int(first_t, 16),
            int(last_t, 16),
            int(prev, 16),
            int(version, 16),
            int(length, 16),
            int(crc, 16),
        )
    except (struct.error, ValueError, KeyError):
        return None


PLACEHOLDER: Final = encode(Tag(Kind.SCHEMA, 0))
"""What Arrow is given to serialise; `stamp` puts the tag over it."""

TAG_BYTES: Final = len(PLACEHOLDER)
_CRC_AT: Final = len(MAGIC)


def seed(session: str, first: int) -> int:
    """What the CRCs of a segment's batches start from: CRC-32 of `<session>/<first offset, 20 digits>`."""
    return zlib.crc32(f"{session}/{first:020d}".encode())


def stamp(message: bytearray, at: int, tag: Tag, seed: int) -> Tag:
    """Put `tag` over the placeholder at `at` of `message`; returns it with its length and CRC."""
    said = tag[:_LENGTH]
    message[at : at + TAG_BYTES] = encode(Tag(*said, len(message), 0))
    crc = zlib.crc32(message, 0 if tag.kind is Kind.SCHEMA else seed)
    message[at + _CRC_AT : at + _CRC_AT + 8] = b"%08x" % crc
    return Tag(*said, len(message), crc)


def check(data: bytes, at: int, seed: int, position: int, *, sealed: bool) -> Message | Flaw | int:
    """The message that begins at index `at` of `data`, verified; or why there is none; or how many bytes it takes.

    data: bytes of a file from somewhere on.  position: of the index `at` in the file.
    A number is returned where `data` ends before the message does: the caller reads that many, or knows that the file
    is cut.
    """
    if len(data) - at < PREFIX_BYTES:
        return PREFIX_BYTES
    mark: bytes
    metadata: int
    mark, metadata = _PREFIX.unpack_from(data, at)
    if mark != CONTINUATION:
        return Flaw("no message begins here")
    if metadata == 0 and not sealed:
        return Flaw("an end-of-stream marker, which no open segment has")
    if metadata > MAX_METADATA_BYTES:
        return Flaw("the length of the message's metadata is impossible")
    footer = metadata == 0
    # a footer has no length of its own in front: it lies between the end-of-stream marker and the end of the file
    if not footer and len(data) - at < PREFIX_BYTES + metadata:
        return PREFIX_BYTES + metadata
    tag_at = data.find(MAGIC, at + PREFIX_BYTES, len(data) if footer else at + PREFIX_BYTES + metadata)
    if tag_at < 0 and footer and len(data) - at < PREFIX_BYTES + MAX_METADATA_BYTES:
        return PREFIX_BYTES + MAX_METADATA_BYTES
    if tag_at < 0:
        return Flaw("the message has no tag")
    tag = decode(data, tag_at)
    if tag is None or footer != (tag.kind is Kind.FOOTER):
        return Flaw("the message's tag is unreadable")
    if not tag_at + TAG_BYTES - at <= tag.length <= MAX_MESSAGE_BYTES:
        return Flaw("the length in the message's tag is impossible")
    if len(data) - at < tag.length:
        return tag.length
    # the digits of the crc are compared as text, so that a digit spelt otherwise is found as well
    crc_at = tag_at + _CRC_AT
    whole = memoryview(data)[at : at + tag.length]
    crc = zlib.crc32(data[at:crc_at] + _NO_CRC, 0 if tag.kind is Kind.SCHEMA else seed)
    if b"%08x" % zlib.crc32(whole[crc_at + 8 - at :], crc) != data[crc_at : crc_at + 8]:
        return Flaw("the message's checksum does not match its bytes")
    return Message(position, whole, tag)
