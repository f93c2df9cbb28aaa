"""Answers of control units and the time in, requests of OBD-II out: which PID is asked of whom, and when.

Laws:

1. A control unit has one request at a time: the next comes when it has answered, refused, or let `TIMEOUT_NS` pass.
2. A PID is asked of one control unit: the first that says it has it.  What none has is not asked for.
3. Where there is not time for all, each PID gets its share: whichever is the most of its own periods late comes first.
4. A bus that answers nothing is left alone: `QUIET_AFTER` requests in vain, and all are asked at growing pauses.

Pure: no clock, no bus.  Sources: ISO 15765-4 (ids, padding, time limits), ISO 15765-2 (frames of an answer, flow
control), SAE J1979 (service 01, PIDs), ISO 14229-1 (reasons of a refusal).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from pitwall.frames import DATA_BYTES, Flag, Frames

ALL: Final = (0x7DF, 0x18DB33F1)
"""The ids that every control unit listens to; it knows one of the two, and which one is found by asking."""
ANSWERS: Final = range(0x7E8, 0x7F0)
"""With 11 bits: each control unit has an id of its own, 0x7E0 to 0x7E7, and answers 8 above it."""
LONG_ANSWERS: Final = range(0x18DAF100, 0x18DAF200)
"""With 29 bits the last byte is the sender's address and the one before it the receiver's; 0xF1 is who asks."""

MS: Final = 1_000_000
TIMEOUT_NS: Final = 100 * MS
"""ISO 15765-4 gives a control unit 50 ms to begin its answer; the frame and our own way there take some more."""
NEXT_FRAME_NS: Final = 1000 * MS
"""N_Cr: consecutive frames of an answer are no further apart."""
PENDING_NS: Final = 5000 * MS
"""P2*: a control unit that says that its answer is pending has so long."""
QUIET_AFTER: Final = 10
"""Requests in a row that nobody answers: the ignition is off, or there is nobody."""
PAUSES_NS: Final = tuple(seconds * 1000 * MS for seconds in (1, 2, 5, 10, 30))
"""How long a quiet bus is left alone before it is asked once more; the last one is kept to."""
GIVEN_UP_AFTER: Final = 3
"""A PID that was not answered so often in a row, by a control unit that answers others, is asked seldom."""

OFTEN, USUAL, SELDOM, GIVEN_UP = (ms * MS for ms in (50, 200, 5000, 10_000))
PERIODS_NS: Final[Mapping[int, int]] = {
    **dict.fromkeys((0x0C, 0x0D, 0x11), OFTEN),  # engine speed, vehicle speed, throttle
    **dict.fromkeys((0x49, 0x4A, 0x5A), 2 * OFTEN),  # the pedal
    **dict.fromkeys(
        (0x04, 0x0B, 0x0E, 0x10, 0x24, 0x34, 0x44, 0x61, 0x62), USUAL
    ),  # load, air, ignition, lambda, torque
}
"""How often a PID is asked, where there is time for it; all others change slowly: `SELDOM`."""

LISTS: Final = range(0x00, 0x100, 0x20)
"""The PIDs that say which of the 32 behind them there are; the last bit, whether there is another such list."""

_PADDING: Final = 0xCC
_GO_ON: Final = bytes((0x30, 0, 0)).ljust(DATA_BYTES, bytes((_PADDING,)))
_NEVER: Final = frozenset({0x11, 0x12, 0x31})  # service, subfunction, value not supported: so it stays
_PENDING: Final = 0x78


@dataclass(frozen=True, slots=True)
class Request:
    """A frame to send: its id, of 29 bits where it has no room in 11, and its 8 bytes."""

    id: int
    data: bytes


@dataclass(slots=True)
class _Waiting:
    """An answer that is waited for: to which PID, until when, and how many bytes it still lacks once it has begun."""

    pid: int
    until_ns: int
    lacks: int = 0


@dataclass(slots=True)
class _Unit:
    """A control unit.  lists: those it is still to be asked for.  asked_ns: when each of its PIDs was asked last."""

    answers: int
    lists: list[int] = field(default_factory=list)
    supported: set[int] = field(default_factory=set)
    asked_ns: dict[int, int] = field(default_factory=dict)
    unanswered: dict[int, int] = field(default_factory=dict)  # since it answered anything
    in_vain: dict[int, int] = field(default_factory=dict)  # in a row, while it answered others
    waiting: _Waiting | None = None


@dataclass(slots=True)
class Tally:
    """What became of the requests that were made."""

    asked: int = 0
    answered: int = 0
    refused: int = 0
    in_vain: int = 0


class Poller:
    """What is asked, folded over what is heard.  wanted: the PIDs of service 01 that are asked; None: all there are."""

    def __init__(self, wanted: Sequence[int] | None = None) -> None:
        self.tally = Tally()
        self.quiet = False
        """Whether nobody answers just now."""
        self._wanted = None if wanted is None else tuple(dict.fromkeys(wanted))
        self._units: dict[int, _Unit] = {}
        self._all_until_ns: int | None = None  # a request to all is under way until then
        self._untried: list[int] = []  # of ALL, while nobody has answered
        self._again_ns = 0  # when all are asked who there is; only while nobody is known
        self._pauses = 0
        self._in_vain = 0  # in a row

    @property
    def asks(self) -> dict[int, list[int]]:
        """The PIDs that are asked of each control unit, by the id that it answers with."""
        found: dict[int, list[int]] = {}
        taken: set[int] = set()
        for unit in self._ordered():
            has = [pid for pid in sorted(unit.supported) if pid not in LISTS and pid not in taken]
            mine = has if self._wanted is None else [pid for pid in self._wanted if pid in has]
            taken.update(mine)
            found[unit.answers] = mine
        return found

    @property
    def missing(self) -> list[int]:
        """The PIDs that are wanted and that no control unit has."""
        asked = {pid for pids in self.asks.values() for pid in pids}
        return [pid for pid in self._wanted or () if pid not in asked]

    @property
    def settled(self) -> bool:
        """Whether it is known who there is, and what each has."""
        return bool(self._units) and self._all_until_ns is None and not any(unit.lists for unit in self._units.values())

    def step(self, now_ns: int, heard: Frames) -> list[Request]:
        """What is to be sent now, after what was `heard` since the last time."""
        requests: list[Request] = []
        ids = heard.id
        short = (ids >= ANSWERS.start) & (ids < ANSWERS.stop) & (heard.flags == 0)
        long = (ids >= LONG_ANSWERS.start) & (ids < LONG_ANSWERS.stop) & (heard.flags == Flag.EXTENDED)
        ours = (short | long) & (heard.len > 1)
        for row in np.flatnonzero(ours).tolist():
            self._answer(int(ids[row]), heard.data[row, : heard.len[row]].tobytes(), now_ns, requests)
        self._expire(now_ns)
        self._ask(now_ns, requests)
        return requests

    def wake_ns(self, now_ns: int) -> int:
        """When there is something to do next, though nothing is heard until then; never before `now_ns`."""
        if self._all_until_ns is not None:
            return max(now_ns, self._all_until_ns)
        if not self._units:
            return max(now_ns, self._again_ns)
        asks = self.asks
        due = [
            unit.waiting.until_ns if unit.waiting else self._due(unit, asks[unit.answers], now_ns)
            for unit in self._units.values()
        ]
        return max(now_ns, min(due))

    # what was heard

    def _answer(self, id: int, payload: bytes, now_ns: int, requests: list[Request]) -> None:
        unit = self._units.get(id)
        kind, size = payload[0] >> 4, payload[0] & 15
        if kind == 0 and 0 < size < len(payload):
            self._whole(id, payload[1 : 1 + size], now_ns)
        elif unit is None or unit.waiting is None:
            return  # another tester's
        elif kind == 1 and len(payload) == DATA_BYTES and payload[2] == 0x41 and payload[3] == unit.waiting.pid:
            unit.waiting.lacks = (size << 8 | payload[1]) - (DATA_BYTES - 2)
            unit.waiting.until_ns = now_ns + NEXT_FRAME_NS
            requests.append(Request(_asked_by(id), _GO_ON))
        elif kind == 2 and unit.waiting.lacks > 0:
            unit.waiting.lacks -= len(payload) - 1
            unit.waiting.until_ns = now_ns + NEXT_FRAME_NS
            if unit.waiting.lacks <= 0:
                self._done(unit)

    def _whole(self, id: int, answer: bytes, now_ns: int) -> None:
        """An answer of one frame, without its length."""
        if self._all_until_ns is not None and id not in self._units and answer[:2] == b"\x41\x00":
            self._units[id] = _Unit(id)
        unit = self._units.get(id)
        if unit is None:
            return
        if answer[:1] == b"\x7f" and answer[1:2] == b"\x01" and len(answer) > 2 and unit.waiting is not None:
            self._refused(unit, unit.waiting, answer[2], now_ns)
        elif answer[:1] == b"\x41" and len(answer) > 1:
            if answer[1] in LISTS and len(answer) >= 6:
                self._listed(unit, answer[1], int.from_bytes(answer[2:6], "big"))
            if unit.waiting is not None and unit.waiting.pid == answer[1]:
                self._done(unit)

    def _listed(self, unit: _Unit, first: int, bits: int) -> None:
        unit.supported.update(first + n for n in range(1, 33) if bits >> (32 - n) & 1)
        unit.lists = [pid for pid in unit.lists if pid != first]
        if bits & 1 and first + 0x20 in LISTS and first + 0x20 not in unit.asked_ns:
            unit.lists.append(first + 0x20)

    def _done(self, unit: _Unit) -> None:
        assert unit.waiting is not None
        self._alive(unit, unit.waiting.pid)
        unit.waiting = None
        self.tally.answered += 1

    def _alive(self, unit: _Unit, pid: int) -> None:
        """A control unit has said something of `pid`: what it did not answer before was not for want of power."""
        for other, times in unit.unanswered.items():
            unit.in_vain[other] = unit.in_vain.get(other, 0) + times
        unit.unanswered.clear()
        unit.in_vain.pop(pid, None)
        self._in_vain = self._pauses = 0

    def _refused(self, unit: _Unit, waiting: _Waiting, reason: int, now_ns: int) -> None:
        if reason == _PENDING:
            waiting.until_ns = now_ns + PENDING_NS
            return
        self.tally.refused += 1
        self._alive(unit, waiting.pid)
        if reason in _NEVER:
            unit.supported.discard(waiting.pid)
        unit.lists = [pid for pid in unit.lists if pid != waiting.pid]
        unit.waiting = None

    # what was not

    def _expire(self, now_ns: int) -> None:
        if self._all_until_ns is not None and now_ns >= self._all_until_ns:
            self._all_until_ns = None
            if self._units:
                self.tally.answered += 1
                self.quiet, self._in_vain, self._pauses = False, 0, 0
            elif not self._untried:
                self._vain(now_ns)
        for unit in list(self._units.values()):
            if unit.waiting is not None and now_ns >= unit.waiting.until_ns:
                pid = unit.waiting.pid
                unit.unanswered[pid] = unit.unanswered.get(pid, 0) + 1
                unit.waiting = None
                if pid in unit.lists and unit.unanswered[pid] >= GIVEN_UP_AFTER:
                    unit.lists.remove(pid)
                self._vain(now_ns)

    def _vain(self, now_ns: int) -> None:
        self.tally.in_vain += 1
        self._in_vain += 1
        if self.quiet or not self._units or self._in_vain >= QUIET_AFTER:
            self.quiet = True
            self._units.clear()
            self._again_ns = now_ns + PAUSES_NS[min(self._pauses, len(PAUSES_NS) - 1)]
            self._pauses += 1

    # what is asked

    def _ask(self, now_ns: int, requests: list[Request]) -> None:
        if self._all_until_ns is not None:
            return
        if not self._units:
            if now_ns >= self._again_ns:
                self._untried = self._untried or list(ALL)
                self._all_until_ns = now_ns + TIMEOUT_NS
                requests.append(self._request(self._untried.pop(0), 0x00))
            return
        self._untried = []
        asks = self.asks
        for unit in self._ordered():
            if unit.waiting is None and (pid := self._next(unit, asks[unit.answers], now_ns)) is not None:
                unit.waiting = _Waiting(pid, now_ns + TIMEOUT_NS)
                unit.asked_ns[pid] = now_ns
                requests.append(self._request(_asked_by(unit.answers), pid))

    def _next(self, unit: _Unit, pids: Sequence[int], now_ns: int) -> int | None:
        if unit.lists:
            return unit.lists[0]
        late = {pid: self._late(unit, pid, now_ns) for pid in pids}
        pid = max(late, key=lambda one: late[one], default=None)
        return pid if pid is not None and late[pid] >= 1 else None

    def _late(self, unit: _Unit, pid: int, now_ns: int) -> float:
        """For how many of its periods a PID was not asked; what never was, before all others."""
        asked = unit.asked_ns.get(pid)
        return float("inf") if asked is None else (now_ns - asked) / _period(unit, pid)

    def _due(self, unit: _Unit, pids: Sequence[int], now_ns: int) -> int:
        if unit.lists or any(pid not in unit.asked_ns for pid in pids):
            return now_ns
        return min((unit.asked_ns[pid] + _period(unit, pid) for pid in pids), default=now_ns + SELDOM)

    def _request(self, id: int, pid: int) -> Request:
        self.tally.asked += 1
        return Request(id, bytes((2, 0x01, pid)).ljust(DATA_BYTES, bytes((_PADDING,))))

    def _ordered(self) -> list[_Unit]:
        return [self._units[id] for id in sorted(self._units)]


def _asked_by(answers: int) -> int:
    """The id that a control unit is asked by, of the one that it answers with."""
    return answers - 8 if answers in ANSWERS else 0x18DA00F1 | (answers & 0xFF) << 8


def _period(unit: _Unit, pid: int) -> int:
    usual = PERIODS_NS.get(pid, SELDOM)
    return max(usual, GIVEN_UP) if unit.in_vain.get(pid, 0) >= GIVEN_UP_AFTER else usual
