"""A receiver's error: a seed in, how far its fixes lie from where the car is out.

Law: the error of a real receiver wanders (satellite clocks, ionosphere, reflections: Ornstein-Uhlenbeck, about 0.7 m
with a memory of minutes, and a smaller part that forgets in seconds), and only centimetres of it are noise from fix to
fix.  So a lap's line is off by most of a metre while neighbouring fixes agree.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from pitwall.bus.simulator.lag import lagged
from pitwall.bus.simulator.track import Float64

WANDERS: Final = ((0.7, 150.0), (0.12, 9.0))
"""Standard deviation in metres of each axis, and the time in seconds in which the error forgets itself."""
NOISE_M: Final = 0.02


class GpsError:
    """The error of one receiver through a drive."""

    def __init__(self, rng: np.random.Generator, period_s: float) -> None:
        self._rng = rng
        self._decays = [float(np.exp(-period_s / tau_s)) for _, tau_s in WANDERS]
        self._state = [rng.normal(0.0, sigma_m, 2) for sigma_m, _ in WANDERS]

    def next(self, n: int) -> Float64:
        """The errors of the next `n` fixes: float64 (n, 2), metres east and north."""
        error = self._rng.normal(0.0, NOISE_M, (n, 2))
        if n == 0:
            return error
        for k, ((sigma_m, _), decay) in enumerate(zip(WANDERS, self._decays, strict=True)):
            steps = self._rng.normal(0.0, sigma_m * np.sqrt(1 - decay**2), (n, 2))
            walk = lagged(steps, decay, self._state[k])
            self._state[k] = walk[-1]
            error += walk
        return error
