"""Replay equals live for laps: however a drive comes in pieces, laps and columns are the same to the bit."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.car import load
from pitwall.decode import plan
from pitwall.derive import Deriver, Rows
from pitwall.frames import Control, Frames, clustered, concat, control, cut, in_log_order, moved
from pitwall.project.laps import Laps
from pitwall.track.definition import Track
from pitwall.track.fixes import Fixes
from pitwall.track.lapping import Lapping, laptime_table
from pitwall.track.load import shipped
from tests.project.sessions import CARS, E46, driven
from tests.track.rounds import RING, drive, halting, line, steady

TABLE = laptime_table([])
BARE = Track("", line(0.2, heading=False))


def folded(fixes: Fixes, edges: list[int], lines: list[tuple[int, Track]], tracks: tuple[Track, ...]) -> list[object]:
    """Everything that comes of it, with the bits of every value."""
    lapping = Lapping(tracks, TABLE)
    found: list[Rows] = []
    for first, last in pairwise([0, *sorted(min(edge, len(fixes)) for edge in edges), len(fixes)]):
        part = fixes.part(slice(first, last))
        end = int(fixes.at[last]) if last < len(fixes) else 1 << 40
        begin = int(fixes.at[first]) if first and first < len(fixes) else -1 if not first else 1 << 40
        found += lapping.fold(part, [(at, track) for at, track in lines if begin <= at < end])
    lapping.end(int(fixes.t[-1]))
    rows = [np.concatenate([r.at for r in found]), np.concatenate([r.t for r in found])] if found else []
    rows += [np.concatenate(column) for column in zip(*(r.values for r in found), strict=True)]
    bits = [np.where(np.isnan(column), np.nan, column).astype(np.float64).view(np.int64).tolist() for column in rows]
    cutter = lapping.cutter
    return [bits, *([] if cutter is None else [cutter.judge.laps, cutter.judge.sectors, cutter.crossed, cutter.track])]


def rough(seed: int) -> Fixes:
    """Rounds with all that may go wrong: noise, jitter, dropouts, a stop, a jump, the wrong way for a while."""
    rng = np.random.default_rng(seed)
    turns, t = steady(float(rng.uniform(1.5, 5)), lap_s=float(rng.uniform(12, 40)), hz=float(rng.choice([5, 10, 25])))
    if rng.random() < 0.5:
        turns, t = halting(turns, t, float(rng.uniform(0.1, turns[-1] - 0.1)), float(rng.uniform(5, 40)))
    if rng.random() < 0.3:
        turns = turns + np.where(t > t[-1] / 2, -0.2 * np.minimum((t - t[-1] / 2) / 5, 1), 0.0)
    t = np.sort(t + rng.uniform(0, 0.02, len(t)))
    off = rng.normal(0, 0.3, len(t)) + np.where(rng.random(len(t)) < 0.002, 50.0, 0.0)
    kept = rng.random(len(t)) > 0.02
    gone = float(rng.uniform(0, t[-1]))
    kept &= (t < gone) | (t > gone + rng.uniform(0, 8))
    return drive(turns[kept], t[kept], off[kept])


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    edges=st.lists(st.integers(0, 4000), max_size=12),
    lines=st.lists(
        st.tuples(st.integers(0, 4000), st.sampled_from([BARE, RING])), max_size=2, unique_by=lambda one: one[0]
    ),
    known=st.booleans(),
)
def test_any_cut_of_a_rough_drive_gives_the_same_laps(
    seed: int, edges: list[int], lines: list[tuple[int, Track]], known: bool
) -> None:
    fixes, tracks = rough(seed), (RING,) if known else ()
    assert folded(fixes, edges, sorted(lines, key=lambda one: one[0]), tracks) == folded(
        fixes, [], sorted(lines, key=lambda one: one[0]), tracks
    )


@pytest.mark.parametrize("known", [True, False])
def test_fix_by_fix_and_all_at_once_are_the_same(known: bool) -> None:
    fixes = rough(11)
    lines = [] if known else [(700, BARE)]
    tracks = (RING,) if known else ()
    assert folded(fixes, list(range(len(fixes))), lines, tracks) == folded(fixes, [], lines, tracks)


def of_frames(parts: list[Frames]) -> list[object]:
    decode, deriver = plan(E46, ["dash"]), Deriver(E46)
    laps = Laps(E46, deriver.tables)
    found: list[object] = []
    for part in parts:
        rows = deriver.fold(decode.decode(part))
        for r in laps.fold(rows, _control(part)):
            values = [np.where(np.isnan(column), np.nan, column).view(np.int64) for column in r.values]
            found += np.stack([r.at, r.t, *values], axis=1).tolist()
    return [found, laps.small()]


def _control(part: Frames) -> list[tuple[object, ...]]:
    from pitwall.project.pipeline import _control_rows

    return list(_control_rows(part))


@settings(max_examples=5, deadline=None)
@given(edges=st.lists(st.integers(0, 60_000), max_size=10).map(sorted), odd=st.booleans(), at=st.integers(1, 59_000))
def test_any_cut_of_simulated_frames_gives_the_same_laps_and_a_line_set_by_hand_counts(
    edges: list[int], odd: bool, at: int
) -> None:
    whole = driven(60_000)
    fact = b'{"line": [[52.41837042, -0.62775437], [52.41824463, -0.62775828]], "name": "by hand"}'
    first, rest = cut(whole, 0, at), cut(whole, at, len(whole))
    row = control(Control.START_LINE, int(first.t[-1]), fact, start=at)
    frames = concat([first, row, moved(rest, at + 1)])
    parts = [cut(frames, a, b) for a, b in pairwise([0, *edges, len(frames)])]
    parts = [clustered(part) if (i % 2) == odd else part for i, part in enumerate(parts)]
    assert of_frames(parts) == of_frames([in_log_order(frames)])


def test_the_tracks_that_come_with_pitwall_load_and_the_car_s_roles_find_its_fixes() -> None:
    assert {"Larkholm (invented)", "OKC, Normal"} <= {track.name for track in shipped()}
    assert Laps(E46, Deriver(E46).tables).tables
    logger = load(CARS, "gps-logger")
    assert Laps(logger, Deriver(logger).tables).tables
