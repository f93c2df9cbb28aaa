"""How a segment begins: the schema message and what its metadata says of the session and of the segment before.

The metadata key `pitwall` holds the message's tag, `pitwall.segment` one JSON object:
`{"version", "session", "car", "started_at_ns", "buses", "writer", "boot", "zero_ns", "layout", "first", "previous",
"ended"}`.
Pure: no clock, no files.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from pitwall.log import tag as tags
from pitwall.log.tag import Kind, Message, Tag

VERSION: Final = 1
"""The format that this pitwall writes, and the newest that it reads."""

SEGMENT_KEY: Final = b"pitwall.segment"


@dataclass(frozen=True, slots=True)
class Header:
    """What a session is, the same in each of its segments.

    session: its id.  started_at_ns: wall clock (Unix) at t = 0.  buses: a name for each value of the column `bus`.
    writer: the pitwall that wrote it.  boot: the kernel's name for the run of the machine that it was begun in; ""
    unknown.  zero_ns: that machine's monotonic clock at t = 0; None unknown.
    """

    version: int
    session: str
    car: str
    started_at_ns: int
    buses: tuple[str, ...]
    writer: str
    boot: str = ""
    zero_ns: int | None = None


@dataclass(frozen=True, slots=True)
class End:
    """Where a segment ended: the offset behind its last row, and the CRC of its last message while it was open."""

    offset: int
    crc: int


@dataclass(frozen=True, slots=True)
class Opening:
    """What the schema message of a segment says.

    first: offset of its first row.  previous: where the segment before it ended, None for the first of a session.
    ended: where this one ended; None while it is open.
    controls, ends, last_t: of the session before it, as in `Tag`.
    """

    header: Header
    first: int
    previous: End | None
    ended: End | None = None
    controls: int = 0
    ends: bool = False
    last_t: int = 0

    @property
    def seed(self) -> int:
        """What the CRCs of its batches start from."""
        return tags.seed(self.header.session, self.first)

    @property
    def tag(self) -> Tag:
        """The tag of the schema message, before it is stamped."""
        return Tag(
            Kind.SCHEMA,
            self.first,
            controls=self.controls,
            ends=self.ends,
            first_t=self.last_t,
            last_t=self.last_t,
            prev=self.previous.crc if self.previous else 0,
            version=VERSION,
        )


def behind(header: Header, before: Tag) -> Opening:
    """The opening of a segment behind the message `before`, the last one of the session."""
    return Opening(
        header,
        before.stop,
        End(before.stop, before.crc),
        controls=before.controls,
        ends=before.ends,
        last_t=before.last_t,
    )


def metadata(opening: Opening) -> dict[bytes, bytes]:
    """The schema's metadata, with a placeholder where the tag goes."""
    header = opening.header
    about = {
        "version": header.version,
        "session": header.session,
        "car": header.car,
        "started_at_ns": header.started_at_ns,
        "buses": list(header.buses),
        "writer": header.writer,
        "boot": header.boot,
        "zero_ns": header.zero_ns,
        "layout": "clustered" if opening.ended else "rows",
        "first": opening.first,
        "previous": _end_as_json(opening.previous),
        "ended": _end_as_json(opening.ended),
    }
    return {tags.KEY: tags.PLACEHOLDER, SEGMENT_KEY: json.dumps(about, separators=(",", ":")).encode()}


def encode(opening: Opening, schema: pa.Schema) -> tuple[bytes, Tag]:
    """The schema message of a segment, stamped, and its tag."""
    message = bytearray(schema.with_metadata(metadata(opening)).serialize())
    tag = tags.stamp(message, message.index(tags.PLACEHOLDER), opening.tag, 0)
    return bytes(message), tag


def decode(message: Message) -> Opening:
    """What a verified schema message says.  Its version must be one that `VERSION` covers: ask the tag before."""
    about = json.loads(pa.ipc.read_schema(pa.py_buffer(message.data)).metadata[SEGMENT_KEY])
    header = Header(
        version=about["version"],
        session=about["session"],
        car=about["car"],
        started_at_ns=about["started_at_ns"],
        buses=tuple(about["buses"]),
        writer=about["writer"],
        boot=about.get("boot", ""),  # a segment from before has neither
        zero_ns=about.get("zero_ns"),
    )
    tag = message.tag
    return Opening(
        header,
        about["first"],
        _end(about["previous"]),
        _end(about["ended"]),
        controls=tag.controls,
        ends=tag.ends,
        last_t=tag.last_t,
    )


def _end_as_json(end: End | None) -> dict[str, int] | None:
    return None if end is None else {"offset": end.offset, "crc": end.crc}


def _end(about: dict[str, Any] | None) -> End | None:
    return None if about is None else End(about["offset"], about["crc"])
