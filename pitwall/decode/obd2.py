"""Answers of OBD-II in, the values of every PID in them out.

Laws:

1. One answer is one row, however many PIDs of service 01 it holds; of one that it holds twice, the first counts.
2. How long a PID's data is, the message says: up to the last byte that one of its signals has.

The message names the answer's bytes: the service (0x41 is an answer of service 01), the PID, its data (SAE J1979).

Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from pitwall.car.definition import Message, Signal
from pitwall.decode.reading import Reading
from pitwall.decode.signals import Float64
from pitwall.frames import Int64, UInt8

SERVICE_01: Final = 0x41
"""The first byte of an answer of service 01, the only one whose answers hold several PIDs."""

SHORT: Final = "too short for its PID"
UNKNOWN: Final = "holds a PID that the DBC does not name, and maybe others behind it"

_HEAD: Final = 2  # the service and the first PID; the PIDs behind it come without the service


@dataclass(frozen=True, slots=True)
class Pids:
    """values: of every signal, float64 (k,).  failed: (reason, rows) of answers that could not be read to their end."""

    values: dict[str, Float64]
    failed: list[tuple[str, Int64]]


class Splitting:
    """How the answers of one message are read.  Immutable."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._sizes = sizes(reading.message)

    def values(self, payloads: UInt8, lengths: Int64) -> Pids:
        """payloads: uint8 (k, columns), zero-padded.  lengths: int64 (k,)."""
        columns = max(payloads.shape[1], self._reading.columns)
        padded = np.zeros((len(payloads), columns + self._reading.columns), np.uint8)
        padded[:, : payloads.shape[1]] = payloads
        values = self._read(padded, lengths)
        failed: list[tuple[str, Int64]] = []
        rows = np.flatnonzero((padded[:, 0] == SERVICE_01) & (lengths >= _HEAD) & (self._sizes[padded[:, 1]] > 0))
        pid = padded[rows, 1]
        at = np.full(len(rows), _HEAD, np.int64)  # where the PID's data begins
        while len(rows):
            at += self._sizes[pid]
            failed.append((SHORT, rows[at > lengths[rows]]))
            more = at < lengths[rows]
            rows, at = rows[more], at[more]
            pid = padded[rows, at]
            at += 1
            known = self._sizes[pid] > 0
            failed.append((UNKNOWN, rows[~known]))
            rows, at, pid = rows[known], at[known], pid[known]
            if len(rows):
                self._add(values, padded, lengths, rows, at)
        return Pids(values, failed)

    def _add(self, values: dict[str, Float64], padded: UInt8, lengths: Int64, rows: Int64, at: Int64) -> None:
        """The values of the PIDs whose data begins at `at` (r,), into those of the answers `rows` (r,)."""
        one = np.zeros((len(rows), self._reading.columns), np.uint8)
        one[:, 0] = SERVICE_01
        width = self._reading.columns - 1
        one[:, 1:] = padded[rows[:, None], at[:, None] - 1 + np.arange(width)]
        for name, found in self._read(one, lengths[rows] - at + _HEAD).items():
            column = values[name]
            fresh = np.isnan(column[rows])
            column[rows[fresh]] = found[fresh]

    def _read(self, payloads: UInt8, lengths: Int64) -> dict[str, Float64]:
        columns = self._reading.columns
        held = np.minimum(lengths, 255).astype(np.uint8)  # no signal is further back
        shortest = int(held.min()) if len(held) else 0
        return self._reading.values(np.ascontiguousarray(payloads[:, :columns]), held, shortest)


def sizes(message: Message) -> np.ndarray[Any, np.dtype[np.int64]]:
    """int64 (256,): bytes of data that each PID of service 01 has; 0 for one that the message does not name."""
    found = np.zeros(256, np.int64)
    pid = next((signal for signal in message.signals if _is_pid(signal, message)), None)
    for signal in message.signals:
        if pid is not None and signal.multiplexer == pid.name:
            for first, last in signal.multiplexer_ids:
                part = slice(first, min(last, 255) + 1)
                found[part] = np.maximum(found[part], signal.bytes_needed - _HEAD)
    return found


def _is_pid(signal: Signal, message: Message) -> bool:
    """Whether it is the second byte, where the first one says service 01."""
    service = next((other for other in message.signals if other.name == signal.multiplexer), None)
    return (
        (signal.first_bit, signal.length) == (8, 8)
        and service is not None
        and (service.first_bit, service.length) == (0, 8)
        and any(first <= SERVICE_01 <= last for first, last in signal.multiplexer_ids)
    )
