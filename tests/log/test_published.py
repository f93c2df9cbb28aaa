"""What a recorder says of itself: one block, whole or not there, read while it is being written."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pitwall.log import lock
from pitwall.log.hold import Hold
from pitwall.log.published import BLOCK_BYTES, Recorder, State, decode, encode

offsets = st.integers(0, 2**63 - 1)
states = st.builds(
    State,
    session=st.text("abcXYZ019._-", max_size=128),
    written=offsets, durable=offsets, frames=offsets, lost=offsets, waiting=offsets,
    problem=st.text(max_size=300), problem_since_ns=st.none() | offsets, low_space=st.booleans(), at_ns=offsets,
)  # fmt: skip


@given(st.integers(0, 2**22), states)
def test_what_is_said_is_what_is_read_in_a_block_of_one_size(pid, state):
    block = encode(pid, state)
    assert len(block) == BLOCK_BYTES
    assert decode(block) == Recorder(pid, state)


@given(states, states, st.integers(0, BLOCK_BYTES))
def test_a_block_of_which_a_part_was_written_says_one_or_the_other_or_nothing(before, after, cut):
    torn = encode(1, after)[:cut] + encode(1, before)[cut:]
    assert decode(torn) in (None, Recorder(1, before), Recorder(1, after))


def test_a_problem_of_any_length_finds_room():
    block = encode(2**22, State(session="s" * 128, problem="\U0001f3ce" * 1_000, written=2**62))
    found = decode(block)
    assert len(block) == BLOCK_BYTES
    assert found is not None
    assert found.state.problem == "\U0001f3ce" * 300


def test_what_a_newer_pitwall_says_besides_is_left_out():
    lines = encode(1, State(written=7)).split(b"\n")
    assert decode(b"") is None
    assert decode(b"\n".join(lines[:3])) is None
    assert decode(b" " * BLOCK_BYTES) is None


def test_it_is_whole_whenever_it_is_read(tmp_path):
    with closing(Hold(tmp_path)) as hold:
        stop = threading.Event()

        def tell():
            n = 0
            while not stop.is_set():
                n += 1
                hold.tell(written=n, durable=n, frames=n, problem="x" * (n % 300))

        telling = threading.Thread(target=tell)
        telling.start()
        seen = [lock.recorder(tmp_path) for _ in range(2_000)]
        stop.set()
        telling.join()
    told = [found.state for found in seen if found is not None and found.pid]
    assert len(told) > 1_000
    for state in told:
        assert state == replace(state, durable=state.written, frames=state.written)
        assert len(state.problem) == state.written % 300
    assert [state.written for state in told] == sorted(state.written for state in told)
    assert lock.recorder(tmp_path) is None
