"""What hypothesis draws from: messages as a DBC may describe them, payloads, logs, and ways to cut them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import cantools.database.can as cantools_can
import numpy as np
import pyarrow as pa
from cantools.database.conversion import BaseConversion
from hypothesis import strategies as st

from pitwall import frames as log_frames
from pitwall.frames import Flag, Frames

FD_LENGTHS = (*range(9), 12, 16, 20, 24, 32, 48, 64)
"""Bytes of payload that a CAN FD frame can have."""

HEARD = st.sampled_from([0, 0, 0, int(Flag.FD), int(Flag.FD | Flag.BRS)])
NOT_HEARD = st.sampled_from([int(Flag.TX), int(Flag.REMOTE), int(Flag.ERROR), int(Flag.CONTROL)])

# any byte, and often those at which signs and fields begin to overflow
_BYTES = st.one_of(st.sampled_from([0x00, 0x01, 0x7F, 0x80, 0xFF]), st.integers(0, 255))
_FACTORS = st.one_of(
    st.sampled_from([1, 1, 2, -3, 1000, 10**12, 0.1, 0.01, 1e-7, -0.5, 0.0155168902, 0.39215686274509803]),
    st.floats(-1e6, 1e6, allow_nan=False).filter(lambda x: x != 0),
)
_TERMS = st.one_of(
    st.sampled_from([0, 0, 0, 1, -40, 1577840400, 10**15, -98.85]), st.floats(-1e6, 1e6, allow_nan=False)
)


def payloads(longest: int) -> st.SearchStrategy[bytes]:
    """Up to `longest` bytes, of a length that CAN FD allows."""
    lengths = [length for length in FD_LENGTHS if length <= longest]
    return st.sampled_from(lengths).flatmap(lambda n: st.lists(_BYTES, min_size=n, max_size=n).map(bytes))


@st.composite
def messages(draw: st.DrawFn, *, name: str = "M", id: int | None = None) -> cantools_can.Message:
    """A message as cantools has it: 1 to 64 bytes, both byte orders, floats, nested and extended multiplexing."""
    length = draw(st.one_of(st.integers(1, 8), st.sampled_from([8, 8, 12, 64])))
    extended = draw(st.booleans())
    numbers = iter(range(1_000))
    signals = _fill(draw, numbers, 0, length, None, depth=0)
    if not signals:
        signals = [cantools_can.Signal("S", 0, 1)]
    arbitration_id = draw(st.integers(0, 0x1FFFFFFF if extended else 0x7FF)) if id is None else id
    return cantools_can.Message(arbitration_id, name, length, signals, is_extended_frame=extended)


def _fill(
    draw: st.DrawFn, numbers: Any, first: int, last: int, under: tuple[str, list[int]] | None, *, depth: int
) -> list[cantools_can.Signal]:
    """Signals in the bytes `first <= byte < last`, none over another; `under`: their multiplexer and its values."""
    if depth < 3 and last - first >= 2 and draw(st.booleans()):
        return _multiplexed(draw, numbers, first, last, under, depth=depth)
    edges = sorted({first, last, *draw(st.lists(st.integers(first, last), max_size=4))})
    return [
        signal
        for start, stop in pairwise(edges)
        for signal in _run(draw, numbers, start, stop, draw(st.booleans()), under)
    ]


def _multiplexed(
    draw: st.DrawFn, numbers: Any, first: int, last: int, under: tuple[str, list[int]] | None, *, depth: int
) -> list[cantools_can.Signal]:
    bits = draw(st.integers(1, 4))
    low = draw(st.integers(0, 8 - bits))
    big = draw(st.booleans())
    name = f"S{next(numbers)}"
    # cantools refuses a frame whose multiplexer has a value of which it knows nothing; a value table makes all known
    multiplexer = cantools_can.Signal(
        name,
        8 * first + (low + bits - 1 if big else low),
        bits,
        "big_endian" if big else "little_endian",
        conversion=BaseConversion.factory(choices={value: f"V{value}" for value in range(2**bits)}),
        is_multiplexer=True,
        multiplexer_signal=None if under is None else under[0],
        multiplexer_ids=None if under is None else under[1],
    )
    values = draw(st.permutations(range(2**bits)))
    cut = sorted(draw(st.lists(st.integers(1, len(values)), min_size=1, max_size=3)))
    groups = [values[a:b] for a, b in pairwise([0, *cut]) if b > a]
    signals = [multiplexer]
    for group in groups:
        signals += _fill(draw, numbers, first + 1, last, (name, sorted(group)), depth=depth + 1)
    return signals


def _run(
    draw: st.DrawFn, numbers: Any, first: int, last: int, big: bool, under: tuple[str, list[int]] | None
) -> list[cantools_can.Signal]:
    """Signals of one byte order, one behind the other, with gaps, in the bytes `first <= byte < last`."""
    signals = []
    at, end = 8 * first, 8 * last
    while at < end and len(signals) < 6:
        at += draw(st.sampled_from([0, 0, 0, 1, 3, 8]))
        room = end - at
        if room <= 0:
            break
        floats = [length for length in (16, 32, 64) if length <= room]
        is_float = bool(floats) and draw(st.integers(0, 4)) == 0
        length = draw(st.sampled_from(floats)) if is_float else draw(st.integers(1, min(room, 64)))
        if not is_float and draw(st.booleans()):
            length = max([n for n in (1, 8, 16, 32, 64) if n <= room])
        signals.append(
            cantools_can.Signal(
                f"S{next(numbers)}",
                8 * (at // 8) + 7 - at % 8 if big else at,
                length,
                "big_endian" if big else "little_endian",
                is_signed=draw(st.booleans()),
                conversion=BaseConversion.factory(scale=draw(_FACTORS), offset=draw(_TERMS), is_float=is_float),
                multiplexer_signal=None if under is None else under[0],
                multiplexer_ids=None if under is None else under[1],
            )
        )
        at += length
    return signals


def log(rows: list[tuple[int, int, int, bytes]], *, step_ns: int = 1_000_000, start: int = 0) -> Frames:
    """A log of (bus, id, flags, payload) rows, `step_ns` apart."""
    payload = [row[3] for row in rows]
    more = pa.array([p[8:] for p in payload], pa.binary()) if any(len(p) > 8 for p in payload) else None
    data = np.frombuffer(b"".join(p[:8].ljust(8, b"\0") for p in payload), np.uint8).reshape(-1, 8)
    return log_frames.frames(
        start,
        t=np.arange(len(rows), dtype=np.int64) * step_ns,
        bus=[row[0] for row in rows],
        id=[row[1] for row in rows],
        flags=[row[2] for row in rows],
        len=[len(p) for p in payload],
        data=data,
        more=more,
    )


@st.composite
def logs(
    draw: st.DrawFn, ids: list[tuple[int, int, int]], *, longest: int = 8, min_size: int = 0, max_size: int = 60
) -> Frames:
    """A log whose rows have one of `ids` (bus, id, flags) and any payload; now and then two at one time."""
    row = st.tuples(st.sampled_from(ids), payloads(longest)).map(lambda drawn: (*drawn[0], drawn[1]))
    rows = log(draw(st.lists(row, min_size=min_size, max_size=max_size)))
    steps = draw(st.lists(st.sampled_from([0, 1, 1_000_000, 20_000_000]), min_size=len(rows), max_size=len(rows)))
    rows.t[:] = np.cumsum(np.array(steps, np.int64))
    return rows


@st.composite
def batches(draw: st.DrawFn, rows: Frames) -> list[Frames]:
    """The same rows cut into batches, some of them clustered; an empty one among them now and then."""
    edges = sorted(draw(st.lists(st.integers(0, len(rows)), max_size=8)))
    parts = [log_frames.cut(rows, first, last) for first, last in pairwise([0, *edges, len(rows)])]
    return [log_frames.clustered(part) if draw(st.booleans()) else part for part in parts]
