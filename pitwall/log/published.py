"""What a recorder says of itself, and the block of bytes that it says it in.

The block is the whole content of the lock file: line 1 the pid, line 2 the session, line 3 a JSON object, line 4 the
CRC-32 of those three, then padding.  It is of one size and overwritten in place, so that a full disk takes it too.
Pure: no clock, no files.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, dataclass, fields
from typing import Final

BLOCK_BYTES: Final = 4096
_MAX_PROBLEM: Final = 300  # characters: twelve bytes each at most, so that the block has room for everything else


@dataclass(frozen=True, slots=True)
class State:
    """How a recorder is doing.

    session: the one being written, "" for none.  written, durable: offsets behind its last row that is safe from the
    death of the process, and from a loss of power.  frames: rows of it that are no control rows.
    lost: frames lost since the recorder began.  waiting: frames heard that are not written yet.
    problem: why nothing can be kept just now, "" while all is well.  problem_since_ns: unix time; None: no problem.
    low_space: the disk is nearly full.  at_ns: unix time of this word.
    """

    session: str = ""
    written: int = 0
    durable: int = 0
    frames: int = 0
    lost: int = 0
    waiting: int = 0
    problem: str = ""
    problem_since_ns: int | None = None
    low_space: bool = False
    at_ns: int = 0


@dataclass(frozen=True, slots=True)
class Recorder:
    """Who holds a logs folder.  pid: 0 where it could not say.  state: as it was told last."""

    pid: int
    state: State


_FIELDS: Final = {field.name for field in fields(State)}


def encode(pid: int, state: State) -> bytes:
    """The block that says so."""
    about = asdict(state) | {"problem": state.problem[:_MAX_PROBLEM]}
    session = about.pop("session")
    said = f"{pid}\n{session}\n{json.dumps(about)}\n".encode()
    return (said + b"%08x\n" % zlib.crc32(said)).ljust(BLOCK_BYTES)


def decode(block: bytes) -> Recorder | None:
    """What the block says; None where it says nothing whole (it is just being written, or never was)."""
    lines = block.split(b"\n")
    if len(lines) < 4:
        return None
    said = b"\n".join(lines[:3]) + b"\n"
    if lines[3] != b"%08x" % zlib.crc32(said):
        return None
    about = {key: value for key, value in json.loads(lines[2]).items() if key in _FIELDS}
    return Recorder(int(lines[0]), State(session=lines[1].decode(), **about))
