"""Many simulated drives in; whether each debrief names the three mistakes planted in it, and their worth, out.

    python -m tests.coach.many_drives --first 1 --drives 34

Each seed draws its corners and laps by lot: braking early, coasting and a missed apex, of the simulator's usual sizes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np

from pitwall.bus.simulator.mistakes import approaches
from pitwall.coach.debriefing import debrief
from pitwall.coach.driving import Driving
from pitwall.coach.finding import Level
from pitwall.coach.findings import findings
from tests.coach.laps_of import Drive, drive

RULE: Final = {
    "brake-early": "brakes-early",
    "coast": "coasts",
    "miss-apex": "misses-apex",
    "late-throttle": "late-to-power",
}
KINDS: Final = ("brake-early", "coast", "miss-apex")
LAPS: Final = 6
WITHIN: Final = 0.2
"""What a worth may be off by, as a share of the truth."""

Where = tuple[str, str]
"""A rule and a corner."""


@dataclass(frozen=True)
class Told:
    """What the debrief said of a drive, and what was so: seconds by rule and corner."""

    mistakes: tuple[str, ...]
    said_s: Mapping[Where, float]
    true_s: Mapping[Where, float]

    @property
    def found(self) -> bool:
        """Exactly the planted ones are on top."""
        return set(self.said_s) == set(self.true_s)

    def off(self, key: Where) -> float:
        """By what share the worth is wrong; NaN: it was not said."""
        return self.said_s.get(key, np.nan) / self.true_s[key] - 1

    def good(self, key: Where) -> bool:
        return bool(abs(self.off(key)) <= WITHIN)


def drawn(seed: int, laps: int = LAPS) -> tuple[str, ...]:
    """Three mistakes at three corners, each on a lap of its own."""
    rng = np.random.default_rng([seed, 7])
    able = [name for name, way in approaches().items() if way.brake is not None]
    corners = rng.choice(able, len(KINDS), replace=False)
    on = rng.choice(np.arange(1, laps + 1), len(KINDS), replace=False)
    return tuple(f"{kind}@{corner}:{lap}" for kind, corner, lap in zip(KINDS, corners, on, strict=True))


def truth(made: Drive) -> dict[Where, float]:
    """The rule and the corner, and the median of what it cost."""
    costs: dict[Where, list[float]] = {}
    for mistake in made.truth["mistakes"]:
        where = made.at(mistake["corner"]).corner.name
        costs.setdefault((RULE[mistake["kind"]], where), []).append(mistake["cost_s"])
    return {key: float(np.median(each)) for key, each in costs.items()}


def told(seed: int, mistakes: tuple[str, ...], laps: int = LAPS) -> Told:
    made = drive(seed=seed, laps=laps, mistakes=mistakes)
    found = findings(Driving(made.laps, made.sections))
    points = debrief("s", found, {lap.number: float(lap.t_s[-1]) for lap in made.laps}, Level.NOVICE).points
    return Told(mistakes, {(each.rule, each.where): each.worth_s for each in points}, truth(made))


def lines(seed: int, each: Told) -> Iterator[str]:
    right = "right" if each.found and all(map(each.good, each.true_s)) else "found" if each.found else "MISSED"
    yield f"{seed:4} {right:6} {' '.join(each.mistakes)}"
    for key in each.true_s:
        mark = "" if each.good(key) else "   <--"
        yield f"       {key[0]:12} {key[1]:4} true {each.true_s[key]:.3f} s, off {100 * each.off(key):+4.0f} %{mark}"
    for key in set(each.said_s) - set(each.true_s):
        yield f"       {key[0]:12} {key[1]:4} said {each.said_s[key]:.3f} s, was not planted   <--"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.coach.many_drives", description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=1, metavar="SEED")
    parser.add_argument("--drives", type=int, default=34)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args(arguments)
    seeds = range(given.first, given.first + given.drives)
    with ProcessPoolExecutor(given.jobs) as pool:
        all_told = list(pool.map(told, seeds, map(drawn, seeds)))
    for seed, each in zip(seeds, all_told, strict=True):
        print(*lines(seed, each), sep="\n")
    found = sum(each.found for each in all_told)
    right = sum(each.found and all(map(each.good, each.true_s)) for each in all_told)
    good = sum(each.good(key) for each in all_told for key in each.true_s)
    print(f"{len(all_told)} drives: exactly the three on top in {found}, all worths within 20 % in {right};")
    print(f"{good} of {sum(len(each.true_s) for each in all_told)} worths within 20 %")
    for rule in (RULE[kind] for kind in KINDS):
        off = [each.off(key) for each in all_told for key in each.true_s if key[0] == rule]
        kept = [x for x in off if np.isfinite(x)]
        print(
            f"  {rule}: {sum(abs(x) <= WITHIN for x in kept)} of {len(off)}, median off {100 * np.median(kept):+.0f} %"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
