"""Frames in; out, at any moment, what each id of each bus sent last, how often it does, and which of its bits move.

Laws:

1. Nothing here runs per frame: a batch costs a fixed number of array operations.
2. What is told depends on the rows alone, and not on how they were cut into batches, or clustered.
3. A bit has changed where two frames of one stream, one behind the other, both hold it and differ in it.
4. Of more streams than are kept, those are that came first.

Pure: no clock, no files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from pitwall.decode.streams import payloads
from pitwall.frames import DATA_BYTES, Flag, Frames, Int64, UInt8, UInt32, stream_key

N = TypeVar("N", bound=np.generic)
Keys = npt.NDArray[np.uint64]
Index = npt.NDArray[np.intp]

RECENT_S: Final = 10
"""How far back bits count as moving, and frames for a rate: whole seconds of the session, with the one under way."""
MAX_IDS: Final = 4096
"""Streams that are kept: ten times what any car's buses carry; a bus of random 29-bit ids would have no end.  At most
4 MB in all where frames are CAN FD, and 1 MB where none is."""
FD_BYTES: Final = 64

_NO_BYTES: Final = -1  # as the length of a payload: there was none


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """`n` streams of frames (as `frames.stream_key` tells them apart), by bus and id, as of `t`.

    t: ns.  t_from: since when frames and bits are counted, ns.  left_out: frames of streams beyond MAX_IDS.
    bus: uint8 (n,).  id: uint32 (n,).  flags: uint8 (n,), of the newest frame.  at: int64 (n,), its time.
    len: int64 (n,), bytes of its payload, and of a remote frame those that it asks for.  payload: uint8 (n, w), padded.
    count: int64 (n,), frames since `t_from`.  rate_hz: float64 (n,), over the last RECENT_S; NaN: too early to say.
    changed: uint8 (n, w), the bits that changed within RECENT_S.  changed_ever: since `t_from`.
    """

    t: int
    t_from: int
    left_out: int
    bus: UInt8
    id: UInt32
    flags: UInt8
    at: Int64
    len: Int64
    payload: UInt8
    count: Int64
    rate_hz: npt.NDArray[np.float64]
    changed: UInt8
    changed_ever: UInt8


class Traffic:
    """The frames of one log from `t_from` on, folded in log order.  newest_t: ns, of the newest row; -1: there is none.

    Memory is bounded by MAX_IDS.
    """

    def __init__(self, t_from: int = 0) -> None:
        self.newest_t = -1
        self._t_from = t_from
        self._left_out = 0
        self._keys = np.empty(0, np.uint64)  # ascending
        self._places = np.empty(0, np.intp)  # of each key, in what follows
        self._second = -1  # the newest
        self._flags = np.empty(0, np.uint8)
        self._at = np.empty(0, np.int64)
        self._len = np.empty(0, np.int64)
        self._payload = np.empty((0, DATA_BYTES), np.uint8)
        self._count = np.empty(0, np.int64)
        self._ever = np.empty((0, DATA_BYTES), np.uint8)
        self._counts = np.empty((RECENT_S, 0), np.int64)  # of second s in row s % RECENT_S
        self._masks = np.empty((RECENT_S, 0, DATA_BYTES), np.uint8)

    def take(self, frames: Frames) -> None:
        """The next rows of the log."""
        if not len(frames):
            return
        self.newest_t = max(self.newest_t, int(frames.t.max()))
        self._turn(self.newest_t // 10**9)
        keys = stream_key(frames)
        rows = np.arange(len(frames)) if frames.order is not None else np.argsort(keys, kind="stable")
        rows = rows[frames.flags[rows] & np.uint8(Flag.CONTROL) == 0]
        keys = keys[rows]
        places = self._found(keys, rows if frames.order is None else frames.order[rows])
        known = places >= 0
        if not known.all():
            self._left_out += int(np.count_nonzero(~known))
            rows, keys, places = rows[known], keys[known], places[known]
        if len(rows):
            self._fold(frames, rows, keys, places)

    def heard(self, now_t: int | None = None) -> Heard:
        """All streams, as of `now_t` ns, which is no earlier than `newest_t`; None: as of that."""
        t = self.newest_t if now_t is None else now_t
        oldest = t // 10**9 - RECENT_S + 1
        there = [second % RECENT_S for second in range(max(0, oldest), self._second + 1)]
        span_ns = t - max(oldest * 10**9, self._t_from)
        at = self._places  # in the order of the keys: by bus, flags, id
        bus = (self._keys >> np.uint64(40)).astype(np.uint8)
        id = (self._keys & np.uint64(0xFFFFFFFF)).astype(np.uint32)
        by_id = np.lexsort((self._keys, id, bus))
        at = at[by_id]
        counts = self._counts[there][:, at].sum(axis=0)
        return Heard(
            t=t,
            t_from=self._t_from,
            left_out=self._left_out,
            bus=bus[by_id],
            id=id[by_id],
            flags=self._flags[at],
            at=self._at[at],
            len=self._len[at],
            payload=self._payload[at],
            count=self._count[at],
            rate_hz=counts / span_ns * 1e9 if span_ns > 0 else np.full(len(at), np.nan),
            changed=np.bitwise_or.reduce(self._masks[there][:, at], axis=0),
            changed_ever=self._ever[at],
        )

    def _fold(self, frames: Frames, rows: Index, keys: Keys, places: Index) -> None:
        """Rows that are frames of known streams, clustered, each stream's in log order."""
        if frames.more is not None and self._payload.shape[1] < FD_BYTES:
            self._widen()
        width = self._payload.shape[1]
        payload = payloads(frames.data, frames.more, width)[rows]
        t, flags, lengths = frames.t[rows], frames.flags[rows], frames.len[rows].astype(np.int64)
        second = t // 10**9
        is_first = np.ones(len(rows), np.bool_)
        np.not_equal(keys[1:], keys[:-1], out=is_first[1:])
        first = np.flatnonzero(is_first)
        last = np.append(first[1:], len(rows)) - 1
        stream = places[first]
        changed = self._changed(payload, lengths, first, stream)
        self._ever[stream] |= np.bitwise_or.reduceat(changed, first, axis=0)
        is_first[1:] |= second[1:] != second[:-1]
        begins = np.flatnonzero(is_first)  # of each stream's each second
        masks = np.bitwise_or.reduceat(changed, begins, axis=0)
        counts = np.diff(np.append(begins, len(rows)))
        recent = second[begins] > self._second - RECENT_S
        slots, of = second[begins][recent] % RECENT_S, places[begins][recent]
        self._counts[slots, of] += counts[recent]
        self._masks[slots, of] |= masks[recent]
        self._count[stream] += last - first + 1
        self._at[stream], self._flags[stream] = t[last], flags[last]
        self._len[stream], self._payload[stream] = lengths[last], payload[last]

    def _changed(self, payload: UInt8, lengths: Int64, first: Index, stream: Index) -> UInt8:
        """uint8 (n, w): the bits in which each frame differs from the one before it, of its stream."""
        before, len_before = np.empty_like(payload), np.empty_like(lengths)
        before[1:], len_before[1:] = payload[:-1], lengths[:-1]
        before[first], len_before[first] = self._payload[stream], self._len[stream]
        both = np.minimum(lengths, len_before)
        changed: UInt8 = payload ^ before
        if int(both.min()) < payload.shape[1]:
            changed[np.arange(payload.shape[1]) >= both[:, None]] = 0
        return changed

    def _turn(self, second: int) -> None:
        """Has room for the seconds up to this one."""
        for each in range(max(self._second + 1, second - RECENT_S + 1), second + 1):
            self._counts[each % RECENT_S] = 0
            self._masks[each % RECENT_S] = 0
        self._second = max(self._second, second)

    def _found(self, keys: Keys, order: Index) -> Index:
        """The place of each of clustered keys; -1: there are too many.  order: of the rows in the log."""
        places = self._known(keys)
        new, room = np.flatnonzero(places < 0), MAX_IDS - len(self._keys)
        if len(new) and room > 0:
            unknown, begins = np.unique(keys[new], return_index=True)
            self._add(unknown[np.argsort(order[new[begins]])[:room]])
            places = self._known(keys)
        return places

    def _known(self, keys: Keys) -> Index:
        if not len(self._keys):
            return np.full(len(keys), -1, np.intp)
        at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[at] == keys, self._places[at], -1)

    def _add(self, keys: Keys) -> None:
        before, count = len(self._keys), len(keys)
        all_keys = np.append(self._keys, keys)
        order = np.argsort(all_keys)
        self._keys, self._places = all_keys[order], np.append(self._places, np.arange(before, before + count))[order]
        self._flags, self._at, self._count = (
            _longer(self._flags, count),
            _longer(self._at, count),
            _longer(self._count, count),
        )
        self._len = np.append(self._len, np.full(count, _NO_BYTES, np.int64))
        self._payload, self._ever = _longer(self._payload, count), _longer(self._ever, count)
        self._counts, self._masks = _longer(self._counts, count, 1), _longer(self._masks, count, 1)

    def _widen(self) -> None:
        """Payloads are as long as CAN FD's from now on."""
        more = FD_BYTES - DATA_BYTES
        self._payload, self._ever = _longer(self._payload, more, 1), _longer(self._ever, more, 1)
        self._masks = _longer(self._masks, more, 2)


def _longer(column: npt.NDArray[N], count: int, axis: int = 0) -> npt.NDArray[N]:
    """With `count` zeros more."""
    shape = [count if each == axis else size for each, size in enumerate(column.shape)]
    return np.concatenate([column, np.zeros(shape, column.dtype)], axis=axis)
