"""A receiver's error: a seed in, how far its fixes lie from where the car is out.

Law: the error of a real receiver wanders, and only centimetres of it are noise from fix to fix: most of it (orbits,
satellite clocks, ionosphere) goes on for many minutes, a part (reflections) for about one, a small one for seconds.
So a place is off by a metre, two passes of it a lap apart by half of one, and neighbouring fixes agree.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from pitwall.bus.simulator.lag import lagged
from pitwall.bus.simulator.track import Float64

WANDERS: Final = ((0.7, 1200.0), (0.25, 60.0), (0.1, 9.0))
"""Standard deviation in metres of each axis, and the time in seconds in which it forgets itself (Ornstein-Uhlenbeck).

Together 1.06 m: a VBOX 3i's place is within 1.2 m (RMS, horizontal), or 0.8 m by SBAS (Racelogic's specification).
From one lap of 100 s to the next 0.45 m on each axis; the same specification's 0.01 s over a line crossed at 100 km/h
are 0.28 m, and three recorded receivers' laps shift by 0.35 m in that time, their drivers' lines included
(tests/track/test_wander.py).  That errors are alike for minutes, with a bend at about one: D. L. Wilson,
autocorrelation of a receiver's errors over twenty days.
"""
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
