"""What the server's caches, queues and answers may hold at most, each with its reason: its memory is the sum of these.

What is not here is bounded by what it mirrors: a picture by the car's channels, the listing by the sessions on disk.
What the live projection gathers is bounded by `project.store`, what it keeps of the newest rows by `project.recent`,
what DuckDB takes by `project.memory`, what a language model may send by `model.exchange`, and what is remembered of it
by `model.desk`.
"""

from __future__ import annotations

from typing import Final

from pitwall.project.memory import SMALL_BYTES, memory

OPEN: Final = 4
"""Projections of past sessions kept open: each may take `memory().bytes` of buffers."""
OPEN_SMALL: Final = 2
"""And where memory is what a phone has."""
OPEN_IDLE_S: Final = 300.0
"""One that nobody asked for so long is closed, and its buffers are free."""

HEADERS: Final = 512
"""Sessions whose beginning is remembered, so that a question does not read it again: some 2 kB each.  And sessions that
a lock is kept for, so that no two questions build one's projection: those not held are let go of beyond it."""

REMARKS: Final = 4096
"""Sessions of which is remembered what people said, so that a listing does not read it again: some 100 bytes each, and
8 kB at most."""

MAX_STREAMS: Final = 128
"""A hundred clients cost 3 % of a core; a browser needs one for all its tabs."""

SEND_BYTES: Final = 8192
"""The kernel's send buffer of a stream, and with WRITE_BYTES what a client that stalls finds waiting, out of date, when
it comes back: seconds of it, not the half minute that default buffers hold."""
WRITE_BYTES: Final = 2048

MISSED_NS: Final = 60_000_000_000
"""Of a live session, for a client that comes back: what its page plots."""
MISSED_POINTS: Final = 200
"""Of each channel of it: three a second, with every peak; a car with 100 channels makes half a megabyte."""

MAX_REPLAYS: Final = 16
"""Each reads ahead some seconds of a session, and asks for more again and again."""

SEND_S: Final = 10.0
"""For a WebSocket's client to take a message: one that is out of sight for longer opens it anew."""
MAX_SAID_BYTES: Final = 65_536
"""Of one message that a client sends on a WebSocket: a thousand subscriptions fit."""

ENCODED: Final = 64
"""Encodings of one tick, for clients that have seen different ones; beyond it they are made again each time."""

PIECES_S: Final = 30.0
"""For a client that reads a table piece by piece to ask for the next one."""
PIECES_BYTES: Final = 16 << 20
"""Of all tables that are read so: a window of 100,000 values is a megabyte."""

MAX_REQUEST_BYTES: Final = 1 << 20
"""Of a request's body: no resource takes more than a few words."""

MAX_CONNECTIONS: Final = 512
"""Open at a time: the streams, six of each browser, and as many again; each may hold a request's head and body."""
MAX_OF_CLIENT: Final = 256
"""Of one address: scripts and tests have hundreds; no one takes all of them."""
MAX_UNDER_WAY: Final = 256
"""Requests that are being answered, streams among them."""

HEAD_S: Final = 10.0
"""From a connection's, or a request's, first byte to the end of its head: as long as a phone that has just lost its
network needs.  In all: Sanic's own time-outs begin anew with every byte."""
BODY_S: Final = 10.0
BODY_BYTES_PER_S: Final = 16_384
"""And for a body, with so much more for each byte of it."""

QUERY_ROWS: Final = 100_000
"""Of one answer to a question in SQL."""
QUERY_BYTES: Final = 16 << 20
"""And Arrow's bytes of them: JSON takes some three times as much, for as long as it is sent."""
MAX_SQL: Final = 6_000
"""Characters of one: a head has 8 kB."""

QUESTIONS: Final = 32
"""Questions under way and waiting; one more is told to come back."""
QUESTION_THREADS: Final = 2
"""DuckDB uses every core for one question as it is."""

MAX_CHANNELS: Final = 200
"""In one answer: more than any car's page shows."""
MAX_POINTS: Final = 10_000
"""Points of one channel in one answer: more than twice the pixels of a screen."""
MAX_VALUES: Final = 100_000
"""Points of all channels in one answer: some 3 MB of JSON."""

MAX_WINDOW_S: Final = 600.0
"""Of raw frames of a past session: five million of a fast bus, which take some seconds to read."""

EDITS: Final = 64
"""Edits that wait for the recorder; more are not written down, and that is logged."""
MAX_FILES: Final = 1000
"""Of a car's folder that are looked at."""

MAX_QUESTION_BYTES: Final = 8_192
"""Of a question to the coach, with what comes along with it."""
MAX_QUESTION: Final = 500
"""Characters of it: more is not a question."""
MAX_NOTE: Final = 4_000
"""Characters of a note: two pages."""
MAX_LINKS: Final = 24
"""To places on laps, in one of the coach's answers."""
CLIENTS: Final = 1024
"""Whose last requests are counted, of each kind; the one that was quiet for longest is forgotten."""
KEEPING: Final = 8
"""A model's answers that wait for the recorder; more are not kept, and that is counted."""

MOST_ERRORS: Final = 20
"""Of cars as they are saved, in the stream; /health has them all."""
MAX_CAPTURE_BYTES: Final = 1 << 30
"""Of a capture that is uploaded: more than half an hour of 8,000 frames/s as candump's text.  An import holds all of it
in memory, so that more would have no chance on a small machine."""
MAX_IMPORTS: Final = 4
"""Captures on the disk: being uploaded, waiting, and being imported, one at a time."""
BLOCK_BYTES: Final = 1 << 20
"""Of an upload, written at once."""
CAPTURE_BYTES_PER_S: Final = 131_072
"""An upload's each block has BODY_S and so much more: slow Wi-Fi in a paddock does it, and who drips does not."""
HEARD_OUT_BYTES: Final = 64 << 20
"""Of a capture that is refused, so much is taken in all the same: who still sends finds a connection cut off, and no
reason."""
MAX_NAME: Final = 60
"""Characters of a capture's name: at four bytes each they fit any file system."""
MAX_LOSSES: Final = 20
"""Of a damaged capture that are told one by one: more tell nothing new."""
MOST_ENDED: Final = 50
"""Jobs that are over and still told of, of each kind."""
MOST_MOVES: Final = 100
"""Sessions waiting to be archived or restored."""
MOST_WAITING: Final = 100
"""Sessions waiting to be rebuilt that are told of as jobs; /health counts all."""

MOST_FAILED: Final = 20
"""Rebuilds that are told of; the rest are counted."""


def most_open() -> int:
    """Projections of past sessions kept open, on this machine."""
    return OPEN_SMALL if memory().bytes <= SMALL_BYTES else OPEN
