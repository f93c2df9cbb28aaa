"""Work on rows that may raise in, a column out: where it raises on a row, that has no value and is rejected.  Pure."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pitwall.decode import Step
from pitwall.derive.channel import Float64
from pitwall.frames import Int64


def guarded(step: Step, at: Int64, work: Callable[[slice], Float64]) -> Float64:
    """What `work` gives for the rows at the offsets `at`, in order; NaN where it raises, which `step` tells of.

    work: gives as many values as the slice has rows, and keeps what it keeps only where it returns: a part that it
    raised on is tried again in halves.
    """
    if not step.raised:
        try:
            return work(slice(None))
        except MemoryError:  # of this machine at this moment, not of a row
            raise
        except Exception:  # noqa: BLE001, S110  the step finds the row that it raised on
            pass
    values = np.full(len(at), np.nan)
    for part, found in step.run(work, at):
        values[part] = found
    return values
