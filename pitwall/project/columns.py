"""numpy columns in, Arrow arrays out, without a copy.  NaN becomes NULL.

Built from buffers: `pyarrow.array` imports pandas, where it is installed, to look whether it was given a series, and
that takes seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pitwall.frames import Int64

Float64 = npt.NDArray[np.float64]


def int64(values: Int64) -> pa.Array:
    """values: int64 (n,)."""
    return pa.Array.from_buffers(pa.int64(), len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])


def whole(values: Sequence[int | None]) -> pa.Array:
    """Whole numbers; a None is missing."""
    present = np.fromiter((value is not None for value in values), np.bool_, len(values))
    data = np.fromiter((0 if value is None else value for value in values), np.int64, len(values))
    if present.all():
        return int64(data)
    valid = pa.py_buffer(np.packbits(present, bitorder="little"))
    return pa.Array.from_buffers(pa.int64(), len(values), [valid, pa.py_buffer(data)])


def float64(values: Float64) -> pa.Array:
    """values: float64 (n,); a NaN is missing."""
    values = np.ascontiguousarray(values)
    data = pa.py_buffer(values)
    if not holds_nan(values):
        return pa.Array.from_buffers(pa.float64(), len(values), [None, data], null_count=0)
    present = ~np.isnan(values)
    valid = pa.py_buffer(np.packbits(present, bitorder="little"))
    missing = len(values) - int(np.count_nonzero(present))
    return pa.Array.from_buffers(pa.float64(), len(values), [valid, data], null_count=missing)


def text(values: Sequence[str | None]) -> pa.Array:
    """A None is missing."""
    coded = [b"" if value is None else value.encode() for value in values]
    offsets = np.fromiter(accumulate(map(len, coded), initial=0), np.int32, len(coded) + 1)
    present = np.fromiter((value is not None for value in values), np.bool_, len(coded))
    buffers = [
        pa.py_buffer(np.packbits(present, bitorder="little")),
        pa.py_buffer(offsets),
        pa.py_buffer(b"".join(coded)),
    ]
    return pa.Array.from_buffers(pa.string(), len(coded), buffers)


def holds_nan(values: Float64) -> bool:
    """Whether any of `values` is NaN."""
    # a minimum is NaN where one of them is, and makes no array of booleans; `dot` would too, on every core at once
    return bool(len(values)) and bool(np.isnan(values.min()))
