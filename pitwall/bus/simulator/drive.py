"""A simulated drive: a seed and a length in; frames out, lap by lap, and what really happened.

Law: the same arguments give byte for byte the same frames, whoever reads them and how often.  Laps are driven when they
are read, so that a drive without end begins at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from pitwall.bus.simulator import slow, truth
from pitwall.bus.simulator.course import HALT_S, STINT_LAPS, Length, Stretch, halted, stretches
from pitwall.bus.simulator.driver import Lap
from pitwall.bus.simulator.mistakes import Mistake, check
from pitwall.bus.simulator.motion import SECOND_NS
from pitwall.bus.simulator.traffic import Traffic
from pitwall.errors import UsageError
from pitwall.frames import Frames

LONGEST_HOURS: Final = 24 * 366


def simulate(
    *,
    seed: int = 1,
    laps: int | None = None,
    hours: float | None = None,
    mistakes: Sequence[Mistake] = (),
    unknown_ids: bool = True,
) -> Drive:
    """A drive of the simulated car.

    laps: flying laps, between an out lap and an in lap.  hours: as many laps as fit, and the car stands in its box for
    the rest.  Neither: without end.  A tank lasts for 40 flying laps, then there is a pit stop.
    mistakes: made on the flying lap that each names, or on all of them.  unknown_ids: whether the 13 undocumented ids
    are on the bus.

    Raises UsageError where a length makes no sense, or a mistake can't be made.
    """
    if seed < 0:
        raise UsageError(f"{seed} is no seed", hint="a seed is 0 or more")
    if laps is not None and hours is not None:
        raise UsageError("either laps or hours, not both")
    if laps is not None and laps < 1:
        raise UsageError(f"{laps} laps can't be driven", hint="1 or more")
    if hours is not None and not 0 < hours <= LONGEST_HOURS:
        raise UsageError(f"{hours} hours can't be driven", hint=f"more than 0, at most {LONGEST_HOURS}")
    for k, mistake in enumerate(mistakes):
        check(mistake)
        if mistake.lap is not None and not _flies(mistake.lap, laps):
            raise UsageError(f"lap {mistake.lap} is no flying lap of this drive", where=str(mistake))
        for other in mistakes[:k]:
            if (other.kind, other.corner) == (mistake.kind, mistake.corner) and _meet(other.lap, mistake.lap):
                raise UsageError("asked for twice on one lap", where=str(mistake))
    return Drive(seed, Length(laps, None if hours is None else round(hours * 3600 * SECOND_NS)), mistakes, unknown_ids)


class Drive:
    """What `simulate` gives."""

    def __init__(self, seed: int, length: Length, mistakes: Sequence[Mistake], unknown_ids: bool) -> None:
        self._seed = seed
        self._length = length
        self._mistakes = tuple(mistakes)
        self._unknown_ids = unknown_ids
        self._laps: list[truth.Facts] = []
        self._done: list[tuple[Lap, int, int]] = []
        self._end_ns = 0
        self._over = False

    @property
    def endless(self) -> bool:
        return self._length == Length()

    def frames(self) -> Iterator[Frames]:
        """The drive's frames, one lap's at a time, from its first one at `t` 0; offsets count on from 0."""
        traffic = Traffic(self._seed, unknown_ids=self._unknown_ids)
        for stretch, state in self._stretches():
            yield traffic.lap(stretch.motion, state, stretch.start_ns, stretch.end_ns)

    def truth(self) -> truth.Facts:
        """What really happened, JSON-able: of the whole drive, or of an endless one's laps so far.

        seed; duration_ns and distance_m; track (lines and corners as coordinates); laps, with times in ns and seconds,
        sectors, corners, and the true values as each line was crossed; mistakes, with what each cost in seconds.
        """
        if not self.endless and not self._over:
            for _ in self._stretches():
                pass
        done, laps = list(self._done), list(self._laps)
        return {
            "seed": self._seed,
            "duration_ns": self._end_ns,
            "distance_m": round(sum(lap["distance_m"] for lap in laps), 3),
            "track": truth.of_track(),
            "laps": laps,
            "mistakes": truth.costs(self._seed, self._length, self._mistakes, done),
        }

    def _stretches(self) -> Iterator[tuple[Stretch, slow.Slow]]:
        """Laps, then the halt, each cut where the drive's time is up; finished laps are noted."""
        state = slow.COLD
        stop_ns = self._length.duration_ns
        last = None
        for stretch in stretches(self._seed, self._length, self._mistakes):
            state = slow.along(stretch.motion, state)
            if stop_ns is not None and stretch.end_ns > stop_ns:
                self._end_ns, self._over = stop_ns, True
                yield Stretch(stretch.motion, stretch.start_ns, stop_ns), state
                return
            self._note(stretch, state)
            yield stretch, state
            last = stretch
        assert last is not None, "a drive has an out lap"
        halt = halted(last, last.end_ns + int(HALT_S * SECOND_NS) if stop_ns is None else stop_ns)
        self._end_ns, self._over = halt.end_ns, True
        yield halt, slow.along(halt.motion, state)

    def _note(self, stretch: Stretch, state: slow.Slow) -> None:
        if stretch.motion.lap.number == len(self._laps):
            self._laps.append(truth.of_lap(stretch, state))
            self._done.append((stretch.motion.lap, stretch.start_ns, stretch.end_ns))
            self._end_ns = stretch.end_ns


def _flies(number: int, laps: int | None) -> bool:
    stints, of_stint = divmod(number, STINT_LAPS + 2)
    return 1 <= of_stint <= STINT_LAPS and (laps is None or stints * STINT_LAPS + of_stint <= laps)


def _meet(a: int | None, b: int | None) -> bool:
    return a is None or b is None or a == b
