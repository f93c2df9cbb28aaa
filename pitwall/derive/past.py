"""What looks back in time: rows of one channel and a state in, a value for each row and the next state out.

Laws:

1. A state is an argument and a result; whatever the batches, the same rows give the same bits.  So a sum over all time
   is one running sum, and a window is computed from the rows in it alone.
2. A row without a value gives none, and is as if it were not there: rates and integrals bridge it, windows skip it.
   `lag` tells what was, and so also that there was nothing.
3. What is remembered is bounded: by the window, which a definition bounds, and by MAX_ROWS.

Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from pitwall.derive.channel import Float64
from pitwall.frames import Int64

SECONDS: Final = 1e-9  # of a nanosecond
MAX_ROWS: Final = 65_536
"""No window holds more rows than so many, its newest: 1 kHz for a minute, and a megabyte."""

State = TypeVar("State")
Fold = Callable[[State | None, Int64, Float64], tuple[Float64, State | None]]
"""(state, t int64 (n,) ascending, values float64 (n,)) -> (results float64 (n,), state); the first state is None."""


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest row that has a value.  total: of what was summed up until then."""

    t: int
    value: float
    total: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Tail:
    """The newest rows, as many as the next ones may ask for.  t: int64 (k,).  values: float64 (k,)."""

    t: Int64
    values: Float64


@dataclass(frozen=True, slots=True)
class Marked:
    """mark: the newest that was there.  base: the value at the first row since it changed; None: none since then."""

    mark: float | None = None
    base: float | None = None


def since(state: Marked | None, t: Int64, values: Float64, marks: Float64) -> tuple[Float64, Marked]:
    """What the value has risen by since the first row of the same mark; a mark that is missing is the one before."""
    before = Marked() if state is None else state
    if len(t) == 0:
        return np.empty(0), before
    there = np.flatnonzero(~np.isnan(marks))
    changed = np.zeros(len(t), np.bool_)
    known = marks[there]
    changed[there] = known != np.append(before.mark if before.mark is not None else known[:1], known[:-1])
    run = np.cumsum(changed)  # 0: that of the state
    rows = np.flatnonzero(~np.isnan(values))
    first = run[rows] != np.append(0 if before.base is not None else -1, run[rows][:-1])
    base = np.maximum.accumulate(np.where(first, np.arange(len(rows)), -1))
    found = np.full(len(t), np.nan)
    held = np.where(base < 0, np.nan if before.base is None else before.base, values[rows][base])
    found[rows] = values[rows] - held
    mark = float(known[-1]) if len(known) else before.mark
    if len(rows) and run[rows[-1]] == run[-1]:
        return found, Marked(mark, float(held[-1]))
    return found, Marked(mark, None if run[-1] else before.base)


def rate(state: Newest | None, t: Int64, values: Float64) -> tuple[Float64, Newest | None]:
    """Change per second since the row before; missing at the first row, and where no time has passed."""
    return bridged(_rate, state, t, values)


def integral(state: Newest | None, t: Int64, values: Float64, factor: float = 1.0) -> tuple[Float64, Newest | None]:
    """Value times seconds since the first row, by trapezoids, times `factor`."""
    return bridged(partial(_integral, factor=factor), state, t, values)


def lag(state: Tail | None, t: Int64, values: Float64, *, window_ns: int) -> tuple[Float64, Tail | None]:
    """The value that held `window_ns` ago: that of the newest row at or before then; missing before the first."""
    if len(t) == 0:
        return np.empty(0), state
    tail = _joined(state, t, values)
    then, there = _then(tail, t, window_ns)
    return np.where(there, tail.values[then], np.nan), _kept(tail, int(then[-1]))


def rolling_mean(state: Tail | None, t: Int64, values: Float64, *, window_ns: int) -> tuple[Float64, Tail | None]:
    """The mean of the rows of the last `window_ns`, this one included and one exactly so old not."""
    return bridged(partial(_rolled, window_ns=window_ns, mean=True, combine=np.add), state, t, values)


def rolling_min(state: Tail | None, t: Int64, values: Float64, *, window_ns: int) -> tuple[Float64, Tail | None]:
    """The least value of the rows of the last `window_ns`."""
    return bridged(partial(_rolled, window_ns=window_ns, combine=np.minimum), state, t, values)


def rolling_max(state: Tail | None, t: Int64, values: Float64, *, window_ns: int) -> tuple[Float64, Tail | None]:
    """The greatest value of the rows of the last `window_ns`."""
    return bridged(partial(_rolled, window_ns=window_ns, combine=np.maximum), state, t, values)


def slope(state: Tail | None, t: Int64, values: Float64, *, window_ns: int) -> tuple[Float64, Tail | None]:
    """Change per second since the newest row at or before `window_ns` ago; missing where there is none."""
    return bridged(partial(_slope, window_ns=window_ns), state, t, values)


FUNCTIONS: Final[dict[str, Callable[..., tuple[Float64, Any]]]] = {
    "integrate": integral,
    "lag": lag,
    "rate": rate,
    "rolling_max": rolling_max,
    "rolling_mean": rolling_mean,
    "rolling_min": rolling_min,
}
"""What each function of `pitwall.car.expression.PAST` does."""


def bridged(fold: Fold[State], state: State | None, t: Int64, values: Float64) -> tuple[Float64, State | None]:
    """`fold` over the rows that have a finite value; the others, and results that are no finite number, are missing."""
    there = np.isfinite(values)
    if there.all():
        result, state = _folded(fold, state, t, values)
    else:
        result = np.full(len(t), np.nan)
        result[there], state = _folded(fold, state, t[there], values[there])
    result[~np.isfinite(result)] = np.nan
    return result, state


def windowed(combine: np.ufunc, values: Float64, first: Int64, end: Int64) -> Float64:
    """`combine` over values[first:end] of each window (m,), none of them empty.

    Windows are put together of blocks of 1, 2, 4, … values, the lengths that their own one is made of: a few
    operations on whole arrays for windows of any length, and the same bits wherever in an array a window lies.
    """
    length = end - first
    result = np.empty(len(end))
    begun = np.zeros(len(end), np.bool_)
    block, size = values, 1  # block[i]: over values[i : i + size]
    left = end.copy()  # what lies behind is in the result
    for _ in range(int(length.max(initial=0)).bit_length()):
        rows = np.flatnonzero(length & size)
        left[rows] -= size
        piece = block[left[rows]]
        fresh = ~begun[rows]
        result[rows[fresh]] = piece[fresh]
        result[rows[~fresh]] = combine(piece[~fresh], result[rows[~fresh]])
        begun[rows] = True
        block = combine(block[:-size], block[size:])
        size *= 2
    return result


def _folded(fold: Fold[State], state: State | None, t: Int64, values: Float64) -> tuple[Float64, State | None]:
    if len(t) == 0:
        return np.empty(0), state
    with np.errstate(all="ignore"):
        return fold(state, t, values)


def _rate(state: Newest | None, t: Int64, values: Float64) -> tuple[Float64, Newest | None]:
    steps, seconds = _steps(state, t, values)
    result = np.where(seconds > 0, (steps[1:] - steps[:-1]) / seconds, np.nan)
    return result, Newest(int(t[-1]), float(values[-1]))


def _integral(state: Newest | None, t: Int64, values: Float64, factor: float) -> tuple[Float64, Newest | None]:
    steps, seconds = _steps(state, t, values)
    areas = (steps[1:] + steps[:-1]) * 0.5 * seconds * factor
    # one running sum, never the sum of partial sums: its bits must not depend on where a batch begins
    result = np.cumsum(np.append(0.0 if state is None else state.total, areas))[1:]
    return result, Newest(int(t[-1]), float(values[-1]), float(result[-1]))


def _steps(state: Newest | None, t: Int64, values: Float64) -> tuple[Float64, Float64]:
    """The values with the one before them (n + 1,), and the seconds between each two (n,): 0 before the first row."""
    before = Newest(int(t[0]), float(values[0])) if state is None else state
    seconds: Float64 = np.diff(np.append(np.int64(before.t), t)).astype(np.float64) * SECONDS
    return np.append(before.value, values), seconds


def _rolled(
    state: Tail | None, t: Int64, values: Float64, *, window_ns: int, combine: np.ufunc, mean: bool = False
) -> tuple[Float64, Tail | None]:
    tail = _joined(state, t, values)
    end = _ends(tail, t)
    first = np.maximum(np.searchsorted(tail.t, t - window_ns, side="right"), end - MAX_ROWS)
    result = windowed(combine, tail.values, first, end)
    return result / (end - first) if mean else result, _kept(tail, int(first[-1]))


def _slope(state: Tail | None, t: Int64, values: Float64, window_ns: int) -> tuple[Float64, Tail | None]:
    tail = _joined(state, t, values)
    then, there = _then(tail, t, window_ns)
    slopes = (values - tail.values[then]) / ((t - tail.t[then]) * SECONDS)
    return np.where(there, slopes, np.nan), _kept(tail, int(then[-1]))


def _then(tail: Tail, t: Int64, window_ns: int) -> tuple[Int64, npt.NDArray[np.bool_]]:
    """For each of the newest rows, whose times are `t`, the newest one that is `window_ns` old, and if there is one."""
    then = np.searchsorted(tail.t, t - window_ns, side="right") - 1
    return then, then >= np.maximum(_ends(tail, t) - MAX_ROWS, 0)


def _joined(state: Tail | None, t: Int64, values: Float64) -> Tail:
    if state is None:
        return Tail(t, values)
    return Tail(np.concatenate([state.t, t]), np.concatenate([state.values, values]))


def _ends(tail: Tail, t: Int64) -> Int64:
    """For each of the newest rows, whose times are `t`, how many rows there are up to it."""
    return np.arange(len(tail.t) - len(t) + 1, len(tail.t) + 1)


def _kept(tail: Tail, first: int) -> Tail:
    """The rows from `first` on, and no more than may be asked for; copied, so that no batch is kept alive by them."""
    first = max(first, len(tail.t) - MAX_ROWS, 0)
    return Tail(tail.t[first:].copy(), tail.values[first:].copy())
