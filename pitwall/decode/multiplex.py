"""Raw values of multiplexers in, for every signal the frames in which it is there out.

Laws: a signal is there where its multiplexer is there, is held by the frame, and has one of the signal's ids.  Ids are
compared with raw values, before any scaling; a value that no signal has makes no error, and no signal.  Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pitwall.car.definition import Signal
from pitwall.decode.signals import Raw

Mask = npt.NDArray[np.bool_]

_FEW: Final = 8  # ranges that are quicker to try one by one


@dataclass(frozen=True, slots=True)
class Condition:
    """Where a signal is there.  raws: the raw values of a multiplexer, by its name; held: frames long enough for it."""

    multiplexer: str
    starts: npt.NDArray[Any]
    ends: npt.NDArray[Any]

    def __call__(self, raws: Callable[[str], Raw], held: Callable[[str], Mask | None]) -> Mask:
        mask = self._chosen(raws(self.multiplexer))
        long_enough = held(self.multiplexer)
        return mask if long_enough is None else mask & long_enough

    def _chosen(self, raw: Raw) -> Mask:
        if len(self.starts) <= _FEW:
            mask = np.zeros(len(raw), np.bool_)
            for first, last in zip(self.starts, self.ends, strict=True):
                mask |= (raw >= first) & (raw <= last)
            return mask
        at = np.searchsorted(self.starts, raw, side="right") - 1
        return (at >= 0) & (raw <= self.ends[at])


def conditions(signal: Signal, signals: Mapping[str, Signal]) -> tuple[Condition, ...] | None:
    """All that must hold for `signal` to be there, its own multiplexer first; None: it never is."""
    found: list[Condition] = []
    seen = {signal.name}
    while signal.multiplexer is not None:
        multiplexer = signals.get(signal.multiplexer)
        if multiplexer is None or multiplexer.name in seen:
            return None
        seen.add(multiplexer.name)
        found.append(_condition(signal, multiplexer))
        signal = multiplexer
    return tuple(found)


def _condition(signal: Signal, multiplexer: Signal) -> Condition:
    dtype = np.float64 if multiplexer.floating else np.int64 if multiplexer.signed else np.uint64
    lowest, highest = (-(2**63), 2**63 - 1) if multiplexer.signed else (0, 2**64 - 1)
    ranges = [
        (max(first, lowest), min(last, highest))
        for first, last in signal.multiplexer_ids
        if last >= lowest and first <= highest
    ]
    return Condition(multiplexer.name, np.array([r[0] for r in ranges], dtype), np.array([r[1] for r in ranges], dtype))
