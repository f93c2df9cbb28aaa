"""What the tests of the log write into it, and the plain ways in which they look at it."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from pitwall.frames import Flag, Frames, concat, frames, in_log_order, to_arrow
from pitwall.log import Damage, Writer, read
from pitwall.log.disk import Disk

START_NS = 1_763_000_000_123_456_789


def traffic(n: int, *, seed: int = 1, start_ns: int = 1_000, fd: bool = True) -> Frames:
    """`n` rows of a dozen ids on two buses, many of them at the same instant, some of them CAN FD, remote or echoes."""
    random = np.random.default_rng(seed)
    length = random.integers(0, 9, n)
    flags = random.choice([0, 0, 0, int(Flag.EXTENDED), int(Flag.REMOTE), int(Flag.TX), int(Flag.ERROR)], n)
    data = random.integers(0, 256, (n, 8)).astype(np.uint8)
    more = [b""] * n
    if fd:
        for i in np.flatnonzero(random.random(n) < 0.1):
            more[i] = random.bytes(int(random.choice([4, 8, 12, 16, 24, 40, 56])))
            length[i], flags[i] = 8 + len(more[i]), int(Flag.FD)
    data[np.arange(8)[None, :] >= length[:, None]] = 0
    return frames(
        0,
        t=start_ns + np.cumsum(random.integers(0, 3, n) * random.integers(0, 2_000_000, n)),
        id=random.integers(0, 12, n) * 0x1F,
        data=data,
        len=length,
        bus=random.integers(0, 2, n),
        flags=flags,
        more=pa.array(more, pa.binary()) if any(more) else None,
    )


@st.composite
def batches(draw: st.DrawFn, *, most: int = 12) -> list[Frames]:
    """Batches of one drive: sizes, seeds and gaps in time of any kind, gaps beyond 32 bits of ns among them."""
    made: list[Frames] = []
    t = 0
    for size in draw(st.lists(st.integers(1, 40), min_size=1, max_size=most)):
        t += draw(st.sampled_from([0, 1, 1_000_000, 5_000_000_000, 2**40]))
        made.append(traffic(size, seed=draw(st.integers(0, 2**32 - 1)), start_ns=t, fd=draw(st.booleans())))
        t = int(made[-1].t[-1])
    return made


class NoSealing(Disk):
    """A disk on which nothing can be sealed: segments stay open, as if their writer had died before."""

    def create(self, path: Path) -> int:
        """Refuse a sealed segment's file."""
        if path.name.endswith(".arrow.tmp"):
            raise OSError(errno.EDQUOT, "not sealed, on purpose")
        return super().create(path)


class Watched(Disk):
    """A disk that tells of each call, by its name, before it is done: where a test breaks off, or dies."""

    def __init__(self, before: Callable[[str], object]) -> None:
        self._before = before


def _watched(name: str) -> Callable[..., object]:
    real = getattr(Disk, name)

    def call(self: Watched, *arguments: object) -> object:
        self._before(name)
        return real(self, *arguments)

    return call


for _name in [name for name in vars(Disk) if not name.startswith("_")]:
    setattr(Watched, _name, _watched(_name))


def record(logs: Path, parts: Iterable[Frames], *, end: bool = False, **options) -> Path:
    """A session of these batches; its folder.

    Not ended, it is left as a writer that stopped between two batches leaves it.
    """
    writer = Writer.create(logs, car="test", buses=["a", "b"], started_at_ns=START_NS, **options)
    last = 0
    for part in parts:
        writer.append(part)
        last = int(part.t[-1])
    if end:
        writer.end(last)
    else:
        writer.close()
    return writer.path


def everything(path: Path, start: int = 0, stop: int | None = None) -> Frames:
    """All rows of a log that is whole."""
    return joined(read(path, start, stop))


def readable(path: Path) -> tuple[dict[int, tuple], list[Damage]]:
    """Every row that can still be read, by its offset, and what is damaged."""
    damages: list[Damage] = []
    found: dict[int, tuple] = {}
    for batch in read(path, damaged=damages.append):
        for offset, row in zip(range(batch.start, batch.stop), rows_of(batch), strict=True):
            assert offset not in found
            found[offset] = row
    return found, damages


def joined(parts: Iterable[Frames]) -> Frames:
    """Batches as one, in log order."""
    return concat([in_log_order(part) for part in parts])


def rows_of(rows: Frames) -> Sequence[tuple]:
    """The rows as plain tuples, in log order."""
    return [tuple(row.values()) for row in to_arrow(rows).to_pylist()]


def lost(damages: Iterable[Damage]) -> set[int]:
    """The offsets that are reported lost."""
    return {
        offset
        for damage in damages
        if damage.first is not None and damage.last is not None
        for offset in range(damage.first, damage.last)
    }
