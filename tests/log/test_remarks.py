"""What is read of a log by its control rows is what one finds by reading all of it, however it is cut and sealed."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.frames import Control, control, more_of
from pitwall.log import Writer
from pitwall.log import remarks as log_remarks
from pitwall.log.remarks import MAX_TAG, MAX_TAGS, NOTHING, Remarks, remarks
from tests.log.drives import START_NS, NoSealing, everything, traffic

TAG = st.one_of(st.sampled_from(["wet", "race", "café"]), st.text(max_size=MAX_TAG + 2), st.integers())
ROWS = st.one_of(
    st.integers(1, 60),
    st.tuples(st.just(Control.TAGS), st.fixed_dictionaries({"tags": st.one_of(st.lists(TAG, max_size=20), st.none())})),
    st.tuples(st.just(Control.NOTE), st.fixed_dictionaries({"text": st.text(max_size=20)})),
    st.tuples(st.just(Control.SOURCE), st.fixed_dictionaries({"tags": st.just(["no"])})),
)


def by_reading(path: Path) -> Remarks:
    """The same, the slow way."""
    rows = everything(path)
    tags, notes, words = (), 0, []
    for flags, kind, more in zip(rows.flags.tolist(), rows.id.tolist(), more_of(rows).to_pylist(), strict=True):
        if flags & 128 and kind == Control.TAGS:
            said = json.loads(more)["tags"] or []
            tags = tuple(dict.fromkeys(one for one in said if isinstance(one, str) and 1 <= len(one) <= MAX_TAG))
        elif flags & 128 and kind == Control.NOTE:
            notes += 1
            words.append(json.loads(more)["text"])
    return Remarks(tags[:MAX_TAGS], notes, "\n".join(words))


@settings(deadline=None, max_examples=60)
@given(given=st.lists(ROWS, max_size=10), segment_bytes=st.sampled_from([2_000, 1 << 20]), sealed=st.booleans())
def test_they_are_those_that_one_finds_by_reading_all(given, segment_bytes, sealed) -> None:
    with tempfile.TemporaryDirectory() as logs:
        disk = {} if sealed else {"disk": NoSealing()}
        writer = Writer.create(
            Path(logs), car="test", buses=["a", "b"], started_at_ns=START_NS, segment_bytes=segment_bytes, **disk
        )
        t = 0
        for one in given:
            if isinstance(one, int):
                rows = traffic(one, seed=one, start_ns=t)
                t = int(rows.t[-1])
                writer.append(rows)
            else:
                kind, fact = one
                writer.control(kind, t, fact)
        writer.end(t)
        expected = by_reading(writer.path)
        found = remarks(writer.path)
        assert (found.tags, found.notes) == (expected.tags, expected.notes)
        assert found.words.split() == expected.words.split()
        folded = NOTHING.and_of(everything(writer.path))
        assert folded == found


def test_what_somebody_else_wrote_there_breaks_nothing() -> None:
    said = NOTHING
    for fact in (b"by hand", b"[]", b'{"tags": "wet"}', b'{"tags": [{"a": 1}, "", 7]}', b"\xff"):
        said = said.and_of(control(Control.TAGS, 0, fact))
    assert said.tags == ()
    assert NOTHING.and_of(control(Control.NOTE, 0, b"by hand")).words == "by hand"
    assert NOTHING.and_of(control(Control.NOTE, 0, b'{"text": ["a"]}')).notes == 1


def test_the_words_that_are_kept_have_an_end() -> None:
    said = NOTHING
    for _ in range(10):
        said = said.and_of(control(Control.NOTE, 0, json.dumps({"text": "x" * 4000}).encode()))
    assert (said.notes, len(said.words)) == (10, log_remarks.MAX_NOTES_KEPT)
