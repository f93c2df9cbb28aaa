"""A window of channels in, points out: what a plot can draw, with no peak lost.

A channel with more samples than points are wanted is cut into buckets of equal time, and each gives its least and its
greatest sample, at the times they really had, in order of time.

Law: it is the same whichever source the samples are from: the projection's tables (`window_stored`), or the newest rows
of one that is being built (`window_recent`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from pitwall.frames import Int64
from pitwall.serve.limits import MAX_POINTS, MAX_VALUES

Float64 = npt.NDArray[np.float64]

DEFAULT_NS: Final = 60_000_000_000
"""The window when neither end is given: the last minute."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for.  Ends in ns (t_from <= t <= t_to), None where open; at most one of points and rate_hz."""

    channels: tuple[str, ...]
    t_from: int | None = None
    t_to: int | None = None
    points: int | None = None
    rate_hz: float | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a channel lives."""

    name: str
    unit: str
    table: str
    column: str


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """A channel's points.  t: int64 (k,) ns, ascending.  v: float64 (k,).  samples: how many the window holds."""

    unit: str
    t: Int64
    v: Float64
    samples: int


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """The answer: its real ends, and a trace a channel, in the order asked."""

    t_from: int
    t_to: int
    traces: dict[str, Trace]


Found = dict[str, tuple[Int64, Float64]]
"""t and v of each channel."""


class Cut(Protocol):
    """What lies between two ends, both included.  What is missing is no sample."""

    def counts(self) -> Mapping[str, int]:
        """Of each channel, how many samples."""

    def samples(self, places: Sequence[Place]) -> Found:
        """All of them, in the order of the log."""

    def extremes(self, places: Sequence[Place], buckets: int) -> Found:
        """The least and the greatest of each of so many buckets, as `both` has them; of equal ones the first."""


class Source(Protocol):
    """Where samples are."""

    def places(self) -> Mapping[str, Place]:
        """Every channel, by its name."""

    def newest(self, places: Sequence[Place]) -> int:
        """t of the newest row of the tables of these; 0: there is none."""

    def cut(self, places: Sequence[Place], t_from: int, t_to: int) -> Cut:
        """What there is of these channels between the two."""


class UnknownChannelError(Exception):
    """The projection has no channel `name`; `names` are what it has."""

    def __init__(self, name: str, names: list[str]) -> None:
        super().__init__(name)
        self.name = name
        self.names = names


class TooManyPointsError(Exception):
    """`count` points were asked for, of a `limit` for `what`; a window of `fits_s` seconds would fit."""

    def __init__(self, what: str, count: int, limit: int, fits_s: float) -> None:
        super().__init__(f"{what} would be {count:,} points, of at most {limit:,}")
        self.fits_s = fits_s


def read(source: Source, asked: Asked) -> Window:
    """The window of what is behind `source`.  Raises UnknownChannelError, TooManyPointsError."""
    places = _places(source.places(), asked.channels)
    t_from, t_to = _ends(source, places, asked)
    cut = source.cut(places, t_from, t_to)
    counts = cut.counts()
    points = _points(asked, t_from, t_to)
    _check(counts, points, t_to - t_from)
    dense = [place for place in places if points is not None and counts[place.name] > points]
    found = cut.samples([place for place in places if place not in dense])
    if points is not None:
        found |= cut.extremes(dense, max(1, points // 2))
    return Window(
        t_from, t_to, {place.name: Trace(place.unit, *found[place.name], counts[place.name]) for place in places}
    )


def width(t_from: int, t_to: int, buckets: int) -> int:
    """Of each of so many buckets, in ns: the first begins with `t_from`, the last holds `t_to`."""
    return (t_to - t_from) // buckets + 1


def both(t_low: Int64, low: Float64, t_high: Int64, high: Float64) -> tuple[Int64, Float64]:
    """The least and the greatest sample of each bucket in order of time, once where they are the same one."""
    t, v = np.stack([t_low, t_high], axis=1), np.stack([low, high], axis=1)
    later = t_low > t_high
    t[later], v[later] = t[later, ::-1], v[later, ::-1]
    keep = np.ones(t.shape, np.bool_)
    keep[:, 1] = (t[:, 0] != t[:, 1]) | (v[:, 0] != v[:, 1])
    return t[keep], v[keep]


def _places(found: Mapping[str, Place], names: tuple[str, ...]) -> list[Place]:
    for name in names:
        if name not in found:
            raise UnknownChannelError(name, sorted(found))
    return [found[name] for name in names]


def _ends(source: Source, places: list[Place], asked: Asked) -> tuple[int, int]:
    t_to = source.newest(places) if asked.t_to is None else asked.t_to
    t_from = asked.t_from
    if t_from is None:
        t_from = max(0, t_to - DEFAULT_NS) if asked.t_to is None else 0
    return t_from, max(t_from, t_to)


def _points(asked: Asked, t_from: int, t_to: int) -> int | None:
    if asked.rate_hz is None:
        return asked.points
    return max(2, math.ceil(asked.rate_hz * (t_to - t_from) / 1e9))


def _check(counts: Mapping[str, int], points: int | None, span_ns: int) -> None:
    wanted = {name: count if points is None else min(points, count) for name, count in counts.items()}
    most, total = max(wanted, key=wanted.__getitem__), sum(wanted.values())
    for what, count, limit in (
        (f"the channel {most!r}", wanted[most], MAX_POINTS),
        (f"{len(wanted)} channels", total, MAX_VALUES),
    ):
        if count > limit:
            raise TooManyPointsError(what, count, limit, span_ns / 1e9 * limit / count)
