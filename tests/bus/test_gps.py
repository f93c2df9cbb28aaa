from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pitwall.bus.gps import IDS, OTHER, UNITS, id_of, made_id, named_frames, value_frames
from pitwall.frames import Flag, same

DBC = Path(__file__).parents[2] / "cars" / "gps-logger" / "gps-logger.dbc"


def test_the_ids_are_those_of_the_shipped_dbc() -> None:
    text = DBC.read_text()
    assert dict(re.findall(r"BO_ (\d+) \w+: 8 Logger\n SG_ (\w+) : 0\|64@1- \(1,0\)", text)) == {
        str(id): name for name, id in IDS.items()
    }
    assert dict(re.findall(r' SG_ (\w+) : .* "(.*?)" ', text)) == UNITS
    assert {int(id) for id in re.findall(r"SIG_VALTYPE_ (\d+) \w+ : 2;", text)} == set(IDS.values())


@given(st.lists(st.tuples(st.integers(0, 2**62), st.lists(st.floats(), min_size=3, max_size=3)), max_size=20))
def test_a_frame_holds_the_very_float_and_a_missing_value_gives_none(rows: list[tuple[int, list[float]]]) -> None:
    ids = [id_of("lat"), id_of("speed"), id_of("boost")]
    found = value_frames([t for t, _ in rows], ids, np.array([cells for _, cells in rows]).reshape(-1, 3))
    wanted = [(t, id, value) for t, cells in rows for id, value in zip(ids, cells, strict=True) if value == value]
    values = found.data.view("<f8").ravel().tolist()
    assert list(zip(found.t.tolist(), found.id.tolist(), values, strict=True)) == wanted
    assert [math.copysign(1, value) for value in values] == [math.copysign(1, value) for _, _, value in wanted]
    assert ((found.flags & Flag.EXTENDED != 0) == (found.id >= OTHER)).all()
    assert (found.len == 8).all()


def test_a_live_source_gives_the_same_frames_as_a_file() -> None:
    rows = [(5, {"lat": 1.5, "boost": -0.0}), (7, {"lat": 1.25})]
    table = value_frames([5, 7], [id_of("lat"), id_of("boost")], [[1.5, -0.0], [1.25, math.nan]])
    assert same(named_frames(rows), table)
    assert len(named_frames([])) == 0


def test_an_id_of_a_column_is_made_of_its_name_alone_until_two_names_have_the_same() -> None:
    first = id_of("boost")
    assert first == id_of("boost") >= OTHER
    assert first < 1 << 29
    assert made_id("boost", [first]) == first + 1
