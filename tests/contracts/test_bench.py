"""`make bench` prints what a benchmark says, in lines that fit a terminal, and tells a goal that is missed."""

from __future__ import annotations

import pytest

from tests.bench.__main__ import HEAD, lines, met, ratio
from tests.bench.result import Result

FAST = Result("decoding AiM frames", 12_345_678, "frames/s", "cantools", 123_456, 50, goal_is_ratio=True)
SLOW = Result("a replay", 1_900_000, "frames/s", goal=2_000_000, note="from sealed segments to a committed file " * 4)
SMALL = Result("a frame, sealed", 3.5, "B", "MF4", 7.0, goal=4, less_is_better=True)
BARE = Result("a first figure with a name that is long enough to need its own line", 0.00123, "s")


def test_goals_are_met_or_missed_in_their_own_sense() -> None:
    assert [met(result) for result in (FAST, SLOW, SMALL, BARE)] == [True, False, True, None]
    assert ratio(SMALL) == pytest.approx(2)


@pytest.mark.parametrize("result", [FAST, SLOW, SMALL, BARE], ids=lambda result: result.name[:8])
def test_a_result_fits_a_terminal(result: Result) -> None:
    printed = list(lines(result))
    assert all(len(line) <= 80 for line in (HEAD, *printed))
    assert result.name in printed[0]
