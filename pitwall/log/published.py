"""What a recorder says of itself, and the block of bytes that it says it in.

The block is the whole content of the lock file: line 1 the pid, line 2 the session, line 3 a JSON object, line 4 the
CRC-32 of those three, then padding.  It is of one size and overwritten in place, so that a full disk takes it too.
Pure: no clock, no files.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Final

BLOCK_BYTES: Final = 16_384
"""Room for forty sources, with words for each; four pages are still one write."""
_MAX_PROBLEM: Final = 300  # characters: twelve bytes each at most
_MAX_WORDS: Final = 100  # of each of a source's: its bus, its name, what is wrong with it


@dataclass(frozen=True, slots=True)
class SourceState:
    """How one source is doing.

    bus: the bus's name.  state: "opening", "connected", "silent", "lost", "reconnected" or "ended".  since_ns: unix
    time at which it began.  why: of one that is not well.  frames: heard since the recorder began.  age_s: of the
    newest of them, when this was said; None: there was none.  lost: what it could not give, by cause.
    """

    bus: str
    source: str
    state: str
    since_ns: int = 0
    why: str = ""
    frames: int = 0
    frames_per_s: float = 0.0
    age_s: float | None = None
    lost: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class State:
    """How a recorder is doing.

    session: the one being written, "" for none.  written, durable: offsets behind its last row that is safe from the
    death of the process, and from a loss of power.  frames: rows of it that are no control rows.
    lost: frames lost since the recorder began.  waiting: frames heard that are not written yet.
    problem: why nothing can be kept just now, "" while all is well.  problem_since_ns: unix time; None: no problem.
    low_space: the disk is nearly full.  at_ns: unix time of this word.
    sources: of all buses, in their order; of more than the block has room for, the first.
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
    sources: tuple[SourceState, ...] = ()


@dataclass(frozen=True, slots=True)
class Recorder:
    """Who holds a logs folder.  pid: 0 where it could not say.  state: as it was told last."""

    pid: int
    state: State


_FIELDS: Final = {field.name for field in fields(State)}
_SOURCE_FIELDS: Final = {field.name for field in fields(SourceState)}


def encode(pid: int, state: State) -> bytes:
    """The block that says so."""
    state = replace(state, problem=state.problem[:_MAX_PROBLEM], sources=tuple(map(_short, state.sources)))
    while len(block := _encoded(pid, state)) > BLOCK_BYTES:
        state = replace(state, sources=state.sources[:-1])
    return block.ljust(BLOCK_BYTES)


def decode(block: bytes) -> Recorder | None:
    """What the block says; None where it says nothing whole (it is just being written, or never was)."""
    lines = block.split(b"\n")
    if len(lines) < 4:
        return None
    said = b"\n".join(lines[:3]) + b"\n"
    if lines[3] != b"%08x" % zlib.crc32(said):
        return None
    about = _known(json.loads(lines[2]), _FIELDS)
    sources = tuple(SourceState(**_known(one, _SOURCE_FIELDS)) for one in about.pop("sources", ()))
    return Recorder(int(lines[0]), State(session=lines[1].decode(), sources=sources, **about))


def _encoded(pid: int, state: State) -> bytes:
    about = asdict(state)
    session = about.pop("session")
    said = f"{pid}\n{session}\n{json.dumps(about)}\n".encode()
    return said + b"%08x\n" % zlib.crc32(said)


def _short(one: SourceState) -> SourceState:
    return replace(one, bus=one.bus[:_MAX_WORDS], source=one.source[:_MAX_WORDS], why=one.why[:_MAX_WORDS])


def _known(about: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in about.items() if name in names}
