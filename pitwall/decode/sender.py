"""One stream of a message's frames in, its signals out, with what of it could not be taken as it is.

Laws:

1. Every frame is one row, and of ISO-TP every answer.  One that a step raised on has no values, and so has one that
   fails its checksum or counter; one that is too short has those that it holds.
2. A frame is rejected for one reason, the first of these.
3. What is kept from batch to batch (the last counter, half an answer, how often something was told of) is rebuilt by
   replay: rows and rejections do not depend on how the log was cut.

Pure: no clock, no files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from pitwall.car.definition import Message
from pitwall.decode.integrity import Integrity, Verdict
from pitwall.decode.isotp import Assembly
from pitwall.decode.multiplex import Mask
from pitwall.decode.obd2 import Splitting
from pitwall.decode.reading import Reading
from pitwall.decode.rejected import Rejected, Step, Tally
from pitwall.decode.signals import Float64
from pitwall.decode.streams import Stream
from pitwall.frames import Int64

Work = Callable[[slice], dict[str, Float64]]
"""Rows -> float64 of each signal, of those rows."""

SHORT: Final = "too short for its message"


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """What `m` frames of one message hold (of ISO-TP: `m` answers), in log order.

    bus: its name in the car.  at: int64 (m,), log offsets, ascending.  t: int64 (m,).
    values: float64 (m,) of every signal, by its name, in its DBC's unit; NaN: missing.
    """

    bus: str
    message: Message
    at: Int64
    t: Int64
    values: dict[str, Float64]


def joined(parts: Sequence[Decoded]) -> Decoded:
    """The rows of several streams of one message, in log order."""
    if len(parts) == 1:
        return parts[0]
    at = np.concatenate([part.at for part in parts])
    order = np.argsort(at, kind="stable")
    values = {name: np.concatenate([part.values[name] for part in parts])[order] for name in parts[0].values}
    return Decoded(parts[0].bus, parts[0].message, at[order], np.concatenate([part.t for part in parts])[order], values)


@dataclass(slots=True)
class Faults:
    """What of one batch of a stream could not be taken as it is.

    short, rejected, missed: frames, as `pitwall.decode.Seen` has them.  told: of the rejected ones, in no order.
    """

    short: int = 0
    rejected: int = 0
    missed: int = 0
    told: Sequence[Rejected] = ()


NO_FAULTS: Final = Faults()


class Sender:
    """One stream of a message, folded from its first frame on."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        message = reading.message
        self._tally = Tally()
        self._step = Step(f"decoding {message.name}")
        self._integrity = Integrity(reading) if message.checksum is not None or message.counter is not None else None
        self._assembly = Assembly() if message.isotp else None
        self._splitting = Splitting(reading) if message.isotp else None
        self._is_plain = self._integrity is None and self._assembly is None

    def read(self, stream: Stream) -> tuple[Decoded, Faults]:
        """The signals of the stream's next frames."""
        reading = self._reading
        if self._is_plain and stream.shortest >= reading.needed and not self._step.raised:
            payloads = stream.payloads(reading.columns)
            try:
                values = reading.values(payloads, stream.len, stream.shortest)
            except MemoryError:
                raise
            except Exception:  # noqa: BLE001, S110  the way below finds the frame that it raised on
                pass
            else:
                return Decoded(reading.bus, reading.message, stream.at, stream.t, values), NO_FAULTS
        return self._answers(stream) if self._assembly is not None else self._frames(stream)

    def _frames(self, stream: Stream) -> tuple[Decoded, Faults]:
        reading, integrity = self._reading, self._integrity
        payloads = stream.payloads(reading.columns)
        lengths = stream.len
        short = np.zeros(len(lengths), np.bool_)
        verdicts: list[tuple[slice, Verdict]] = []

        def work(part: slice) -> dict[str, Float64]:
            values = reading.values(payloads[part], lengths[part], stream.shortest)
            short[part] = reading.short(payloads[part], lengths[part])
            if integrity is not None:  # last, as it remembers: what raised is tried again in pieces
                verdicts.append((part, integrity.verdict(payloads[part], lengths[part])))
            return values

        values, raised = self._stepped(stream.at, work)
        short[raised] = False
        faults = _Faults(self._tally, stream.at)
        faults.raised(self._step, raised)
        for part, verdict in verdicts:
            faults.missed += verdict.missed
            for reason, rows in verdict.reasons:
                faults.add(reason, _mask(np.flatnonzero(rows) + part.start, len(lengths)))
            for column in values.values():
                column[part][verdict.failed] = np.nan
        faults.add(SHORT, short)
        faults.short = int(np.count_nonzero(short))
        return Decoded(reading.bus, reading.message, stream.at, stream.t, values), faults.summed()

    def _answers(self, stream: Stream) -> tuple[Decoded, Faults]:
        assert self._assembly is not None
        assert self._splitting is not None
        splitting = self._splitting
        answers = self._assembly.answers(stream.data, stream.len, stream.t)
        faults = _Faults(self._tally, stream.at)
        for reason, rows in answers.failed:
            faults.add(reason, _mask(rows, len(stream.at)))
        at, t = stream.at[answers.rows], stream.t[answers.rows]
        failed: list[tuple[str, Int64]] = []

        def work(part: slice) -> dict[str, Float64]:
            pids = splitting.values(answers.payloads[part], answers.lengths[part])
            failed.extend((reason, rows + part.start) for reason, rows in pids.failed)
            return pids.values

        values, raised = self._stepped(at, work)
        faults.raised(self._step, _mask(answers.rows[raised], len(stream.at)))
        for reason, rows in failed:
            faults.add(reason, _mask(answers.rows[rows], len(stream.at)))
        return Decoded(self._reading.bus, self._reading.message, at, t, values), faults.summed()

    def _stepped(self, at: Int64, work: Work) -> tuple[dict[str, Float64], Mask]:
        """The values of all rows, and where the work raised: there they have none."""
        done = self._step.run(work, at)
        if len(done) == 1 and done[0][0] == slice(0, len(at)):
            return done[0][1], np.zeros(len(at), np.bool_)  # nearly always
        values = self._reading.nothing(len(at))
        raised = np.ones(len(at), np.bool_)
        for part, found in done:
            raised[part] = False
            for name, column in found.items():
                values[name][part] = column
        return values, raised


class _Faults:
    """Gathers the faults of one batch: a row that has one gets no other."""

    def __init__(self, tally: Tally, at: Int64) -> None:
        self._tally = tally
        self._at = at
        self.covered = np.zeros(len(at), np.bool_)
        self.told: list[Rejected] = []
        self.short = 0
        self.missed = 0

    def add(self, reason: str, where: Mask) -> None:
        fresh = where & ~self.covered
        if fresh.any():
            self.told += self._tally.told(reason, self._at[fresh], reason)
            self.covered |= fresh

    def raised(self, step: Step, where: Mask) -> None:
        self.told += step.taken()
        self.covered |= where

    def summed(self) -> Faults:
        return Faults(self.short, int(np.count_nonzero(self.covered)), self.missed, self.told)


def _mask(rows: Int64, length: int) -> Mask:
    mask = np.zeros(length, np.bool_)
    mask[rows] = True
    return mask
