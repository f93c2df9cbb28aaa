"""Tracks' files: those that ship are whole, and whatever is wrong with one is said with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from pitwall.bus.simulator.truth import of_track
from pitwall.errors import UsageError
from pitwall.track.definition import Track, said
from pitwall.track.load import load, load_all, shipped

GOOD = """track: Test
source: made up
start: {line: [[50.0, 10.0], [50.0, 10.0002]], heading: 10}
sectors:
  - {line: [[50.001, 10.0], [50.001, 10.0002]]}
corners:
  - {name: T1, apex: [50.002, 10.001]}
"""


def test_the_simulator_s_track_is_what_the_simulator_says_it_is() -> None:
    (track,) = (track for track in shipped() if track.name.startswith("Larkholm"))
    facts = of_track()
    assert [list(map(list, (line.a, line.b))) for line in (track.start, *track.sectors)] == [
        list(map(list, line)) for line in (facts["start_line"], *facts["sector_lines"])
    ]
    assert [(corner.name, list(corner.apex)) for corner in track.corners] == [
        (corner["name"], corner["apex"]) for corner in facts["corners"]
    ]


def test_every_track_says_its_source_and_has_a_fingerprint_of_its_own() -> None:
    assert all(track.source for track in shipped())
    assert len({track.fingerprint for track in shipped()}) == len(shipped())


def test_a_whole_file_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    track = load(tmp_path / "a.yaml")
    assert (track.name, track.start.heading_deg, len(track.sectors), track.corners[0].name) == ("Test", 10.0, 1, "T1")
    assert load_all(tmp_path) == (track,)


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("source: made up\n", "", "a.yaml:1:1: source: is missing"),
        ("track:", "trak:", "a.yaml:1:1: unknown key 'trak' (did you mean 'track'?)"),
        ("[50.0, 10.0002]], heading", "[50.0, 10.2]], heading", "a.yaml:3:9: start.line: the line is 14339"),
        ("heading: 10", "heading: north", "a.yaml:3:48: start.heading: a number is expected here, not 'north'"),
        ("[[50.001, 10.0], [50.001", "[[95.001, 10.0], [50.001", "a.yaml:5:6: sectors[1].line: 95.001, 10 is no"),
        ("[50.001, 10.0], ", "", "a.yaml:5:6: sectors[1].line: two points are expected here, not 1"),
        ("apex: [50.002, 10.001]", "apex: [50.002]", "a.yaml:7:16: corners[1].apex: a point is [latitude, longitude]"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, before: str, after: str, problem: str) -> None:
    assert before in GOOD
    (tmp_path / "a.yaml").write_text(GOOD.replace(before, after))
    with pytest.raises(UsageError) as error:
        load(tmp_path / "a.yaml")
    assert problem in str(error.value)


@pytest.mark.parametrize(
    "fact",
    [
        {},
        [],
        {"line": 3},
        {"line": [[1, 2]]},
        {"line": [[1, 2], [1, 3]]},
        {"line": [[1, 2], ["x", 3]]},
        {"line": [[float("nan"), 2], [1, 3]]},
        {"line": [[50, 10], [50, 10.0002]], "sectors": 4},
        {"line": [[50, 10], [50, 10.0002]], "sectors": [[[50, 10], [50, 10]]]},
    ],
)
def test_a_start_line_that_makes_no_sense_is_none(fact: object) -> None:
    assert isinstance(said(fact), str)


def test_a_start_line_may_bring_sectors_and_a_name() -> None:
    line = [[50, 10], [50, 10.0002]]
    track = said({"line": line, "sectors": [line], "name": "home"})
    assert isinstance(track, Track)
    assert (track.name, len(track.sectors)) == ("home", 1)
