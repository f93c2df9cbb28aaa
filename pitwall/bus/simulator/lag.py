"""First-order lags over whole arrays: inputs and a starting value in, the values that follow them out.

Law: `y[k] = decay * y[k-1] + inputs[k]`, computed in blocks without a loop over samples.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from pitwall.bus.simulator.track import Float64

GROWTH: Final = 60.0  # e-folds within a block: far from where float64 overflows


def lagged(inputs: Float64, decay: float, before: Float64) -> Float64:
    """The recurrence over axis 0 of inputs (n, m), from the value before it (m,).  decay: in (0, 1).  Gives (n, m)."""
    block = max(1, int(GROWTH / -np.log(decay)))
    out = np.empty_like(inputs)
    for first in range(0, inputs.shape[0], block):
        part = inputs[first : first + block]
        power = decay ** np.arange(1, part.shape[0] + 1)[:, None]
        out[first : first + block] = power * (before + np.cumsum(part / power, axis=0))
        before = out[first + part.shape[0] - 1]
    return out
