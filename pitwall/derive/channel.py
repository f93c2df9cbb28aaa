"""What the channels of a car are called, which tables they stand in, and the rows of those tables.

Law: a table has one clock: all of its channels have a place, if not a value, in each of its rows.  Pure and frozen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pitwall.frames import Int64

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Channel:
    """A named time series.

    unit: "" for none.  source: where it comes from: `dash SmartyCam01.rpm`, or its formula.  hold_s: how long a value
    is good for, in seconds; None: the definition does not say.
    """

    name: str
    unit: str
    source: str
    hold_s: float | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """What has one clock: the channels of one message, or one derived channel."""

    name: str
    channels: tuple[Channel, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """`m` rows of a table, in log order.

    at: int64 (m,), the log offset that each stems from, ascending.  t: int64 (m,), ns.
    values: float64 (m,) for each of the table's channels; NaN: missing.
    """

    table: Table
    at: Int64
    t: Int64
    values: tuple[Float64, ...]
