"""What a recorder says of itself: one block, whole or not there, read while it is being written."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pitwall.log import lock
from pitwall.log.hold import Hold
from pitwall.log.published import BLOCK_BYTES, Recorder, SourceState, State, decode, encode

offsets = st.integers(0, 2**63 - 1)
words = st.text(max_size=12)
sources = st.builds(
    SourceState,
    bus=words, source=words, state=words, why=words, since_ns=offsets, frames=offsets,
    frames_per_s=st.floats(0, 1e6), age_s=st.none() | st.floats(0, 1e9),
    lost=st.dictionaries(words, offsets, max_size=3),
)  # fmt: skip
states = st.builds(
    State,
    session=st.text("abcXYZ019._-", max_size=128),
    written=offsets, durable=offsets, frames=offsets, lost=offsets, waiting=offsets,
    problem=st.text(max_size=300), problem_since_ns=st.none() | offsets, low_space=st.booleans(), at_ns=offsets,
    sources=st.lists(sources, max_size=4).map(tuple),
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


def test_thirty_two_sources_find_room_and_of_more_the_first():
    lost = dict.fromkeys(("adapter", "kernel", "queue", "malformed", "late"), 2**40)
    about = {
        "since_ns": 2**61,
        "why": "reading it has not come back for 4.5 s",
        "frames": 2**40,
        "frames_per_s": 8123.4,
    }
    told = tuple(
        SourceState(f"bus {i}", f"slcan /dev/ttyACM{i}", "reconnected", **about, age_s=12.3, lost=lost)
        for i in range(200)
    )
    problem = "No space left on device [ENOSPC]" * 9
    found = decode(encode(2**22, State(session="s" * 128, problem=problem, written=2**62, sources=told)))
    assert found is not None
    assert len(found.state.sources) >= 32
    assert found.state.sources == told[: len(found.state.sources)]
    wordy = tuple(SourceState("\U0001f3ce" * 500, "\n" * 500, "lost", why="\0" * 500) for _ in range(300))
    found = decode(encode(1, State(problem="\U0001f3ce" * 1_000, sources=wordy)))
    assert found is not None
    assert found.state.sources


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
