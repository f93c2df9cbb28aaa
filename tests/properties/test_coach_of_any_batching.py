"""Replay equals live for the coach: however a drive comes in pieces, its tables are the same to the bit."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.bus.simulator import parse_mistake, simulate
from pitwall.decode import plan
from pitwall.derive import Deriver
from pitwall.frames import Control, Frames, clustered, concat, control, cut, in_log_order, moved
from pitwall.project.coach import Coach
from pitwall.project.laps import Laps
from tests.project.sessions import E46

MISTAKES = ("brake-early@T3:1", "coast@T6:2")


@cache
def whole() -> Frames:
    """A drive of three flying laps with two mistakes; with every car behind the pits' lane at its end."""
    drive = simulate(seed=1, laps=3, mistakes=[parse_mistake(text) for text in MISTAKES])
    return in_log_order(concat(list(drive.frames())))


def told(parts: list[Frames]) -> dict[str, str]:
    """Every row of the coach's tables, with the bits of every value."""
    from pitwall.project.pipeline import _control_rows

    decode, deriver = plan(E46, ["dash"]), Deriver(E46)
    laps = Laps(E46, deriver.tables)
    coach = Coach(E46, deriver.tables, laps.tables)
    for part in parts:
        if not len(part):
            continue
        rows = deriver.fold(decode.decode(part))
        rows += laps.fold(rows, _control_rows(part))
        coach.fold(rows, laps.closed, laps.course, int(part.t.max()))
    return {name: repr(rows) for name, rows in coach.small().items()}


@cache
def at_once() -> dict[str, str]:
    return told([whole()])


def test_a_drive_has_corners_findings_and_cues() -> None:
    found = at_once()
    assert found["corners"].count("'T3'") == 3
    assert "brakes-early" in found["findings"]
    assert "coasts" in found["cues"] or "brakes-early" in found["cues"]


def test_a_thousand_pieces_and_one_give_the_same() -> None:
    edges = range(0, len(whole()), len(whole()) // 1000)
    assert told([cut(whole(), a, b) for a, b in pairwise([*edges, len(whole())])]) == at_once()


@settings(max_examples=4, deadline=None)
@given(edges=st.lists(st.integers(0, 150_000), max_size=8).map(sorted), odd=st.booleans())
def test_any_cut_gives_the_same(edges: list[int], odd: bool) -> None:
    parts = [cut(whole(), a, b) for a, b in pairwise([0, *edges, len(whole())])]
    assert told([clustered(part) if (i % 2) == odd else part for i, part in enumerate(parts)]) == at_once()


@settings(max_examples=3, deadline=None)
@given(edges=st.lists(st.integers(0, 150_000), max_size=6).map(sorted), at=st.integers(60_000, 140_000))
def test_so_it_does_when_a_start_line_is_set_by_hand_on_the_way(edges: list[int], at: int) -> None:
    fact = b'{"line": [[52.41837042, -0.62775437], [52.41824463, -0.62775828]], "name": "by hand"}'
    first, rest = cut(whole(), 0, at), cut(whole(), at, len(whole()))
    frames = concat([first, control(Control.START_LINE, int(first.t[-1]), fact, start=at), moved(rest, at + 1)])
    parts = [cut(frames, a, b) for a, b in pairwise([0, *edges, len(frames)])]
    assert told(parts) == told([frames])
