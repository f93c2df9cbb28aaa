"""Frames that could not be taken as they are in, the rows that tell of them out; and work that raises, isolated.

Laws:

1. All are counted, the first KEPT of each kind and stream (or step) are told of one by one, in log order.
2. Work that raises is tried again on halves, down to the one row that it raises on: what is rejected does not depend on
   how the log was cut.
3. A step that has raised on KEPT rows is not tried any more; the rows behind are rejected with the rest.

Pure: no clock, no files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from pitwall.frames import Int64

KEPT: Final = 100
"""Rows of one kind and stream (or step) that are told of one by one."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Rejected:
    """The frame at the offset `at` could not be taken as it is.  reason: why, in words."""

    at: int
    reason: str


class Tally:
    """Of which kinds rows of one stream, or of one step, were rejected so far."""

    def __init__(self) -> None:
        self._kept: Counter[str] = Counter()

    def told(self, kind: str, at: Int64, reason: str) -> list[Rejected]:
        """Those of the rows at the offsets `at`, ascending, that are told of."""
        room = KEPT - self._kept[kind]
        if room <= 0:
            return []
        found = [Rejected(offset, reason) for offset in at[:room].tolist()]
        self._kept[kind] += len(found)
        return found


@dataclass(slots=True)
class Step:
    """A piece of work that may raise, and on how many rows it has.  name: as the reason says it."""

    name: str
    raised: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    """Since `taken` was called last."""

    def run(self, work: Callable[[slice], Result], at: Int64) -> list[tuple[slice, Result]]:
        """`work` on slices of the rows at the offsets `at`, in order; where a row is in none, the work raised on it."""
        done: list[tuple[slice, Result]] = []
        self._halved(work, at, 0, len(at), done)
        return done

    def taken(self) -> list[Rejected]:
        """What was rejected since it was asked last."""
        found, self.rejected = self.rejected, []
        return found

    def _halved(
        self,
        work: Callable[[slice], Result],
        at: Int64,
        first: int,
        last: int,
        done: list[tuple[slice, Result]],
    ) -> None:
        if self.raised >= KEPT or first == last:
            return
        try:
            done.append((slice(first, last), work(slice(first, last))))
        except MemoryError:  # of this machine at this moment, not of the row
            raise
        except Exception as error:  # noqa: BLE001  a step that raises never stops a projector
            if last - first > 1:
                middle = (first + last) // 2
                self._halved(work, at, first, middle, done)
                self._halved(work, at, middle, last, done)
                return
            self.raised += 1
            ending = ": it is not tried any more" if self.raised == KEPT else ""
            words = " ".join(f"{type(error).__name__}: {error}".split())
            self.rejected.append(Rejected(int(at[first]), f"{self.name} raised {words}{ending}"))


def in_order(rejected: Sequence[Rejected]) -> list[Rejected]:
    """The same in log order."""
    return sorted(rejected, key=lambda row: row.at)
