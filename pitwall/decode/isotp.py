"""Frames of one ECU's answers in, whole answers out: ISO-TP (ISO 15765-2), with frames of 8 bytes at most.

Laws:

1. An answer is where the frame is that completes it.  An answer that lacks a frame, or is late, gives nothing.
2. Answers of one frame cost array operations alone; only first and consecutive frames, and the single frame that cuts
   an answer off, are looked at one by one (docs/decisions/030-isotp.md).
3. Time is that of the frames: what is said of a log does not depend on when, or in which pieces, it is read.

What is half received is kept from call to call, and rebuilt by replay.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pitwall.frames import DATA_BYTES, Int64, UInt8

if TYPE_CHECKING:
    from isotp import TransportLayerLogic

TIMEOUT_NS: Final = 1_000_000_000
"""ISO 15765-2's N_Cr: consecutive frames are no further apart."""

NO_FRAME: Final = "ISO-TP: no frame of it"
NO_LENGTH: Final = "ISO-TP: a single frame of an impossible length"
UNFINISHED: Final = "ISO-TP: the answer before it lacks its end"
LATE: Final = "ISO-TP: more than 1 s behind the frame before it"
MISSING: Final = "ISO-TP: a frame before it is missing"
NO_FIRST: Final = "ISO-TP: belongs to no answer"
TOO_LONG: Final = "ISO-TP: begins an answer of more than 4,095 bytes"

_REASONS: Final = {
    "WrongSequenceNumberError": MISSING,
    "UnexpectedConsecutiveFrameError": NO_FIRST,
    "ReceptionInterruptedWithFirstFrameError": UNFINISHED,
    "FrameTooLongError": TOO_LONG,
    "InvalidCanDataError": NO_FRAME,
}
_NEVER_MS: Final = 1_000_000_000  # can-isotp's own clock decides nothing here
_LONGEST: Final = 4095

_SINGLE, _FIRST, _CONSECUTIVE, _FLOW = range(4)


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """`k` answers.  rows: int64 (k,), ascending, the frame that completed each.

    payloads: uint8 (k, columns), zero-padded.  lengths: int64 (k,), bytes.
    failed: (reason, rows) of frames that are rejected; a row may be among them and complete an answer all the same.
    """

    rows: Int64
    payloads: UInt8
    lengths: Int64
    failed: list[tuple[str, Int64]]


class Assembly:
    """The answers of one ECU, folded over its frames from the first one on."""

    def __init__(self) -> None:
        self._waiting: deque[Any] = deque()
        self._errors: list[Exception] = []
        self._stack = _stack(self._waiting, self._errors)
        self._newest_ns = 0  # of the answer that is being received

    def answers(self, data: UInt8, lengths: UInt8, t: Int64) -> Answers:
        """data: uint8 (m, 8), the next frames' payloads.  lengths: uint8 (m,).  t: int64 (m,), ns."""
        kind = np.where((lengths == 0) | (lengths > DATA_BYTES), np.uint8(15), data[:, 0] >> np.uint8(4))
        size = (data[:, 0] & np.uint8(15)).astype(np.int64)
        possible = (size > 0) & (size < lengths)
        single = (kind == _SINGLE) & possible
        failed = [
            (NO_FRAME, np.flatnonzero(kind > _FLOW)),
            (NO_LENGTH, np.flatnonzero((kind == _SINGLE) & ~possible)),
        ]
        several = (kind == _FIRST) | (kind == _CONSECUTIVE)
        whole = self._assembled(np.flatnonzero(single | several), several, kind, data, lengths, t, failed)
        alone = np.flatnonzero(single)
        if not whole:
            return Answers(alone, _beyond_first_byte(data[alone]), size[alone], failed)
        return _joined(alone, _beyond_first_byte(data[alone]), size[alone], whole, failed)

    def _assembled(
        self,
        rows: Int64,
        several: np.ndarray[Any, np.dtype[np.bool_]],
        kind: UInt8,
        data: UInt8,
        lengths: UInt8,
        t: Int64,
        failed: list[tuple[str, Int64]],
    ) -> dict[int, bytes]:
        """The answers of several frames, by the row that completes each.  rows: of frames that matter, ascending."""
        ours = several[rows]
        behind = np.concatenate([[self._stack.is_rx_active()], ours[:-1]])[: len(ours)]
        whole: dict[int, bytes] = {}
        found: dict[str, list[int]] = {}
        for row in rows[ours | behind].tolist():
            active = self._stack.is_rx_active()
            if active and t[row] - self._newest_ns > TIMEOUT_NS:
                self._stack.stop_receiving()
                found.setdefault(LATE, []).append(row)
                if kind[row] == _CONSECUTIVE:
                    continue
            elif active and kind[row] == _SINGLE:
                self._stack.stop_receiving()
                found.setdefault(UNFINISHED, []).append(row)
            if kind[row] != _SINGLE:
                self._newest_ns = int(t[row])
                answer = self._fed(data[row, : lengths[row]].tobytes())
                if answer is not None:
                    whole[row] = answer
                for error in self._errors:
                    reason = _REASONS.get(type(error).__name__, f"ISO-TP: {type(error).__name__}")
                    found.setdefault(reason, []).append(row)
                self._errors.clear()
        failed += [(reason, np.array(rows_of_it, np.int64)) for reason, rows_of_it in found.items()]
        return whole

    def _fed(self, payload: bytes) -> bytes | None:
        """What the frame completes."""
        try:
            self._waiting.append(_message(payload))
            self._stack.process()
            answer = self._stack.recv()
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001  a step that raises never stops a projector
            self._waiting.clear()
            self._stack.reset()
            self._errors.append(error)
            return None
        return None if answer is None else bytes(answer)


def _beyond_first_byte(data: UInt8) -> UInt8:
    payloads = np.zeros_like(data)
    payloads[:, :-1] = data[:, 1:]
    # what is behind a single frame's length is padding
    payloads[np.arange(DATA_BYTES) >= (data[:, :1] & np.uint8(15))] = 0
    return payloads


def _joined(
    alone: Int64, payloads: UInt8, lengths: Int64, whole: dict[int, bytes], failed: list[tuple[str, Int64]]
) -> Answers:
    """Answers of one frame and of several, in the order of their rows."""
    longest = max(DATA_BYTES, *map(len, whole.values()))
    rows = np.concatenate([alone, np.array(list(whole), np.int64)])
    order = np.argsort(rows, kind="stable")
    joined = np.zeros((len(rows), longest), np.uint8)
    joined[: len(alone), :DATA_BYTES] = payloads
    joined[len(alone) :] = [np.frombuffer(answer.ljust(longest, b"\0"), np.uint8) for answer in whole.values()]
    sizes = np.concatenate([lengths, np.array([len(answer) for answer in whole.values()], np.int64)])
    return Answers(rows[order], joined[order], sizes[order], failed)


@cache
def _library() -> Any:
    import isotp  # with sockets and threads, for those who have such a bus alone

    logging.getLogger("isotp").setLevel(logging.CRITICAL)  # what it warns of is rejected, with its offset
    return isotp


def _stack(waiting: deque[Any], errors: list[Exception]) -> TransportLayerLogic:
    """can-isotp's state machine of a receiver that only listens."""
    isotp = _library()
    stack: TransportLayerLogic = isotp.TransportLayerLogic(
        rxfn=lambda timeout: waiting.popleft() if waiting else None,
        txfn=lambda message: None,
        address=isotp.Address(isotp.AddressingMode.Normal_11bits, rxid=1, txid=2),
        error_handler=errors.append,
        params={
            "listen_mode": True,
            "blocksize": 0,
            "rx_consecutive_frame_timeout": _NEVER_MS,
            "max_frame_size": _LONGEST,
            "logger_name": "isotp",
        },
    )
    return stack


def _message(payload: bytes) -> Any:
    return _library().CanMessage(arbitration_id=1, dlc=len(payload), data=payload)
