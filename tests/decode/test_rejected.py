"""What can't be taken as it is is counted and told of, and stops nothing; however the log is cut, it is the same."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.car.definition import Bus, Counter, Message, Signal
from pitwall.decode import Plan, Rejected
from pitwall.decode.reading import Reading
from pitwall.decode.rejected import KEPT, Step
from pitwall.frames import Frames, clustered, cut
from tests.strategies import batches, log

SPEED = Message("Speed", 0x100, False, 4, (Signal("front", 0, 16), Signal("rear", 16, 16)))
PLAIN = Message("Plain", 0x200, False, 1, (Signal("plain", 0, 8),))


def told(parts: list[Frames]) -> list[Rejected]:
    plan = Plan([Bus("can", (SPEED, PLAIN))])
    return [row for part in parts for row in plan.decode(part).rejected]


@pytest.fixture
def raises_on_13(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoding that fails where a payload begins with 13, as a mistake in it might."""
    whole = Reading.values

    def values(self: Reading, payloads: np.ndarray, lengths: np.ndarray, shortest: int) -> dict[str, np.ndarray]:
        if self.message is SPEED and (payloads[:, 0] == 13).any():
            raise ZeroDivisionError("13 is\nunlucky")
        return whole(self, payloads, lengths, shortest)

    monkeypatch.setattr(Reading, "values", values)


def test_a_short_frame_is_told_of_with_its_offset_and_counted_as_short() -> None:
    rows = log([(0, 0x100, 0, b"1234"), (0, 0x200, 0, b""), (0, 0x100, 0, b"12")], start=7)
    decoding = Plan([Bus("can", (SPEED, PLAIN))]).decode(clustered(rows))
    assert decoding.rejected == [
        Rejected(8, "too short for its message"),
        Rejected(9, "too short for its message"),
    ]
    assert {seen.id: (seen.short, seen.rejected) for seen in decoding.ids} == {0x100: (1, 1), 0x200: (1, 1)}


def test_a_multiplexed_frame_is_as_long_as_what_it_says_is_there() -> None:
    mux = Message(
        "Mux",
        0x300,
        False,
        8,
        (
            Signal("mode", 0, 8),
            Signal("little", 8, 8, multiplexer="mode", multiplexer_ids=((1, 1),)),
            Signal("much", 8, 56, multiplexer="mode", multiplexer_ids=((2, 2),)),
        ),
    )
    payloads = [b"\x01\x07", b"\x02\x07", b"\x03", b"\x01", b"", b"\x02\x07\0\0\0\0\0\0"]
    decoding = Plan([Bus("can", (mux,))]).decode(log([(0, 0x300, 0, payload) for payload in payloads]))
    assert [row.at for row in decoding.rejected] == [1, 3, 4]
    assert decoding.ids[0].short == 3


def test_the_first_100_of_one_id_and_reason_are_told_of_and_all_are_counted() -> None:
    rows = log([(0, 0x100, 0, b"1"), (0, 0x200, 0, b"1")] * 300 + [(0, 0x200, 0, b"")])
    decoding = Plan([Bus("can", (SPEED, PLAIN))]).decode(rows)
    assert [row.at for row in decoding.rejected] == [*range(0, 2 * KEPT, 2), 600]
    assert {seen.id: seen.rejected for seen in decoding.ids} == {0x100: 300, 0x200: 1}


@pytest.mark.usefixtures("raises_on_13")
def test_a_step_that_raises_costs_the_frames_that_it_raised_on_and_no_other() -> None:
    payloads = [bytes([first, 0, 5, 0]) for first in (1, 13, 2, 13, 3)]
    rows = log([(0, 0x100, 0, payload) for payload in payloads] + [(0, 0x200, 0, b"\x07")])
    decoding = Plan([Bus("can", (SPEED, PLAIN))]).decode(rows)
    values = {name: column for decoded in decoding.messages for name, column in decoded.values.items()}
    np.testing.assert_array_equal(values["front"], [1, np.nan, 2, np.nan, 3])
    np.testing.assert_array_equal(values["rear"], [5, np.nan, 5, np.nan, 5])
    assert values["plain"].tolist() == [7]
    reason = "decoding Speed raised ZeroDivisionError: 13 is unlucky"
    assert decoding.rejected == [Rejected(1, reason), Rejected(3, reason)]
    assert next(seen.rejected for seen in decoding.ids if seen.id == 0x100) == 2


@pytest.mark.usefixtures("raises_on_13")
def test_a_step_that_keeps_raising_is_given_up_at_the_same_frame_however_the_log_is_cut() -> None:
    rows = log([(0, 0x100, 0, bytes([13 if i % 3 else 1, 0, 0, 0])) for i in range(400)])
    whole = Plan([Bus("can", (SPEED,))])
    decoding = whole.decode(rows)
    assert len(decoding.rejected) == KEPT
    assert decoding.rejected[-1].reason.endswith("it is not tried any more")
    last = decoding.rejected[-1].at
    front = decoding.messages[0].values["front"]
    assert np.isnan(front[last:]).all()
    assert not np.isnan(front[:last:3]).any()
    assert decoding.ids[0].rejected == int(np.isnan(front).sum())
    pieces = Plan([Bus("can", (SPEED,))])
    ones = [pieces.decode(cut(rows, i, i + 1)) for i in range(400)]
    assert [row for one in ones for row in one.rejected] == decoding.rejected
    np.testing.assert_array_equal(np.concatenate([one.messages[0].values["front"] for one in ones]), front)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_cut_tells_of_the_same_frames(data: st.DataObject) -> None:
    row = st.tuples(st.just(0), st.sampled_from([0x100, 0x200]), st.just(0), st.binary(max_size=8))
    frames = log(data.draw(st.lists(row, max_size=60)))
    assert told(data.draw(batches(frames))) == told([frames])


@settings(max_examples=60, deadline=None)
@given(bad=st.sets(st.integers(0, 59)), edges=st.lists(st.integers(0, 60), max_size=6).map(sorted))
def test_a_step_tells_of_the_rows_that_it_raises_on_whatever_is_given_together(bad: set[int], edges: list[int]) -> None:
    def work(rows: np.ndarray) -> np.ndarray:
        if bad & set(rows.tolist()):
            raise ValueError("a bad one")
        return rows

    step, done = Step("working"), []
    for first, last in zip([0, *edges], [*edges, 60], strict=True):
        rows = np.arange(first, last)
        done += [value for _, found in step.run(lambda part, rows=rows: work(rows[part]), rows) for value in found]
    assert done == sorted(set(range(60)) - bad)
    assert [row.at for row in step.taken()] == sorted(bad)


def test_a_counter_goes_on_behind_a_frame_that_a_step_raised_on(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = dataclasses.replace(PLAIN, counter=Counter("plain", 256))
    whole = Reading.short

    def short(self: Reading, payloads: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        if (payloads[:, 0] == 13).any():
            raise ValueError("unlucky")
        return whole(self, payloads, lengths)

    monkeypatch.setattr(Reading, "short", short)
    rows = log([(0, 0x200, 0, bytes([value])) for value in (11, 12, 13, 14, 14, 15)])
    decoding = Plan([Bus("can", (counted,))]).decode(rows)
    assert [(row.at, row.reason) for row in decoding.rejected] == [
        (2, "decoding Plain raised ValueError: unlucky"),
        (4, "counter repeated"),
    ]
    np.testing.assert_array_equal(decoding.messages[0].values["plain"], [11, 12, np.nan, 14, np.nan, 15])
    assert decoding.ids[0].missed == 1


def test_running_out_of_memory_is_no_fault_of_a_frame() -> None:
    def work(part: slice) -> None:
        raise MemoryError

    with pytest.raises(MemoryError):
        Step("working").run(work, np.arange(3))


def test_a_definition_of_many_messages_tells_them_apart() -> None:
    other = dataclasses.replace(SPEED, name="Other", id=0x101)
    rows = log([(0, 0x101, 0, b"1"), (0, 0x100, 0, b"1")])
    assert [row.at for row in Plan([Bus("can", (SPEED, other))]).decode(rows).rejected] == [0, 1]
