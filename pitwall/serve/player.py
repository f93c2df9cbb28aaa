"""Where a past session is being played: a clock in, the stretch that is due next out.  Pure.

Law: at no step is more than STEP_S of the clock due. Who can't keep up makes the playback slower; nothing piles up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SLOWEST: Final = 0.01
FASTEST: Final = 100.0
"""Times as fast as it was: an hour's session in half a minute."""

STEP_S: Final = 0.25
"""Of the clock, for one step: beyond it the client, or the disk, is what is waited for."""


@dataclass(slots=True)
class Player:
    """first, last: what there is to play, ns since the session began.  at: where what is due next begins."""

    first: int
    last: int
    at: int
    speed: float = 1.0
    playing: bool = True
    _stepped_s: float | None = None

    @property
    def ended(self) -> bool:
        """Whether all has been played."""
        return self.at > self.last

    def step(self, now_s: float) -> tuple[int, int]:
        """What is due by `now_s`: [from, to), ns; empty while it is paused, and at its first step."""
        since_s = 0.0 if self._stepped_s is None else min(max(0.0, now_s - self._stepped_s), STEP_S)
        self._stepped_s = now_s
        begin = self.at
        if self.playing and not self.ended:
            self.at = min(begin + round(since_s * self.speed * 1e9), self.last + 1)
        return begin, self.at

    def seek(self, t: int) -> int:
        """Goes to `t`, or to the end that it is beyond; where it is then."""
        self.at = min(max(t, self.first), self.last)
        return self.at

    def set_speed(self, speed: float) -> None:
        """Plays so fast from now on.  ValueError: nobody can."""
        if not SLOWEST <= speed <= FASTEST:
            raise ValueError(f"a speed is from {SLOWEST:g} to {FASTEST:g}, not {speed:g}")
        self.speed = speed
