"""SLCAN against python-can's reader on lines as they should be, and against a slow, obvious one on all others."""

from __future__ import annotations

from queue import SimpleQueue

import numpy as np
import pyarrow as pa
import pytest
from can.interfaces.slcan import slcanBus
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pitwall.bus.slcan import Decoder, encode
from pitwall.errors import UsageError
from pitwall.frames import Flag, concat, frames, same
from tests.bus.messages import heard_by_python_can, heard_in
from tests.bus.slcan_lines import BYTES_OF, lines, slowly, streams


@st.composite
def cut_anyhow(draw, stream):
    at = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    return [stream[a:b] for a, b in zip([0, *at], [*at, len(stream)], strict=True)]


FLAGS = {
    "t": 0,
    "T": Flag.EXTENDED,
    "r": Flag.REMOTE,
    "R": Flag.REMOTE | Flag.EXTENDED,
    "d": Flag.FD,
    "D": Flag.FD | Flag.EXTENDED,
    "b": Flag.FD | Flag.BRS,
    "B": Flag.FD | Flag.BRS | Flag.EXTENDED,
}


@settings(max_examples=300, deadline=None)
@given(st.data(), st.sampled_from([0, 4, 8]), st.booleans())
def test_any_bytes_give_what_reading_them_one_by_one_gives(data, digits, fd):
    stream = data.draw(streams(digits))
    found, answers, malformed = slowly(stream, digits, fd)
    decoder = Decoder(digits, fd=fd)
    heard = decoder.feed(stream)
    rows = heard.rows
    mine = [
        (
            int(rows.flags[i]),
            int(rows.id[i]),
            int(rows.len[i]),
            (rows.data[i].tobytes() + (rows.more[i].as_py() if rows.more is not None else b""))[: max(8, rows.len[i])],
            int(heard.stamps[i]),
        )
        for i in range(len(rows))
    ]
    assert mine == [
        (int(FLAGS[kind]), id, code if kind in "rR" else BYTES_OF[code], payload.ljust(8, b"\0"), stamp)
        for kind, id, code, payload, stamp in found
    ]
    assert heard.answers == answers
    assert decoder.malformed == malformed
    assert all(stream[end] == 13 for end in heard.ends.tolist())


@settings(max_examples=200, deadline=None)
@given(st.data(), st.sampled_from([0, 4]), st.booleans())
def test_any_cut_of_the_bytes_gives_the_same(data, digits, fd):
    stream = data.draw(streams(digits))
    at_once, by_pieces = Decoder(digits, fd=fd), Decoder(digits, fd=fd)
    whole = at_once.feed(stream)
    parts, ends, passed = [], [], 0
    for piece in data.draw(cut_anyhow(stream)):
        parts.append(by_pieces.feed(piece))
        ends += (parts[-1].ends + passed).tolist()
        passed += len(piece)
    assert same(concat([part.rows for part in parts]), whole.rows)
    assert np.concatenate([part.stamps for part in parts]).tolist() == whole.stamps.tolist()
    assert [answer for part in parts for answer in part.answers] == whole.answers
    assert by_pieces.malformed == at_once.malformed
    assert ends == whole.ends.tolist()


@settings(max_examples=100, deadline=None)
@given(st.lists(lines(), max_size=20))
def test_well_formed_lines_mean_what_python_can_takes_them_for(written):
    rows = Decoder(fd=True).feed(b"".join(written)).rows
    peer = object.__new__(slcanBus)  # without a serial port, which is all that its __init__ is about
    peer._queue = SimpleQueue()
    theirs = []
    for line in written:
        peer._queue.put(line.decode().removesuffix("\r"))
        message, _ = peer._recv_internal(0)
        message.timestamp = 0.0
        theirs.append(message)
    assert heard_in(rows, ["can0"]) == heard_by_python_can(theirs)
    assert encode(rows) == b"".join(written)


@settings(max_examples=100, deadline=None)
@given(st.lists(lines(), min_size=3, max_size=6), st.data())
def test_a_line_that_is_cut_off_takes_no_neighbour_with_it(written, data):
    hurt = data.draw(st.integers(0, len(written) - 2))
    kept = data.draw(st.integers(1, len(written[hurt]) - 1))
    following = written[hurt + 1][:1]
    if following in (b"D", b"B"):  # they are hex digits: nobody can tell
        return
    decoder = Decoder(fd=True)
    heard = decoder.feed(b"".join([*written[:hurt], written[hurt][:kept], *written[hurt + 1 :]]))
    others = Decoder(fd=True).feed(b"".join([*written[:hurt], *written[hurt + 1 :]]))
    assert same(heard.rows, others.rows)
    assert decoder.malformed == 1


@pytest.mark.parametrize(
    "line",
    [
        b"t10080102\r",  # 8 bytes announced, 2 given
        b"t1239AABB\r",  # a dlc of 9
        b"t1239" + b"AA" * 12 + b"\r",  # and as many bytes as CAN FD means by it
        b"r1239\r",
        b"t1002AABBCC1234\r",  # more than announced
        b"t1002AAB\r",
        b"t1002AABG\r",
        b"t8000\r",
        b"T200000000\r",
        b"r12311\r",
        b"r123 \r",
        b"t100\r",
        b"t\r",
        b"t1000\a",
        b"\xfft1000\xff\r",
        b"hello\r",
        b"F8\r",
    ],
)
def test_what_no_adapter_can_have_meant_is_counted_and_never_guessed(line):
    decoder = Decoder()
    heard = decoder.feed(b"t1110\r" + line + b"t2220\r")
    assert heard.rows.id.tolist() == [0x111, 0x222]
    assert decoder.malformed == (2 if line[:1] == b"\xff" else 1)


def test_a_flood_without_an_end_takes_no_memory_and_is_one_line():
    decoder = Decoder()
    for _ in range(100):
        decoder.feed(b"0" * 65_536)
    assert len(decoder._rest) < 1000
    assert decoder.feed(b"\rt1230\r").rows.id.tolist() == [0x123]
    assert decoder.malformed == 1


@settings(max_examples=50, deadline=None)
@example([b"BAAA1\r", b"t1230\r"])
@given(st.lists(lines(kinds="tTrR"), min_size=2, max_size=5))
def test_what_is_left_of_a_line_that_began_before_we_listened_is_no_frame_and_no_loss(written):
    for cut in range(1, len(written[0]) + 1):
        decoder = Decoder(amid=True)
        heard = decoder.feed(written[0][cut:] + b"".join(written[1:]))
        assert same(heard.rows, Decoder().feed(b"".join(written[1:])).rows)
        assert decoder.malformed == 0


def test_what_can_not_be_sent_as_it_is_is_refused():
    row = {"t": [0], "id": [0x123], "data": np.zeros((1, 8), np.uint8)}
    assert encode(frames(0, **row, flags=int(Flag.ERROR))) == b""
    assert encode(frames(0, **row, flags=int(Flag.CONTROL), len=0)) == b""
    long = frames(0, **row, len=11, flags=int(Flag.FD), more=pa.array([bytes(3)], pa.binary()))
    with pytest.raises(UsageError, match="11 bytes"):
        encode(long)
    with pytest.raises(UsageError, match="12 bytes"):
        encode(frames(0, **row, len=12))
    wide = frames(0, t=[0], id=[0x12345], data=np.zeros((1, 8), np.uint8), len=0, flags=int(Flag.TX))
    assert encode(wide) == b"T000123450\r"
