"""candump's format is our own reader and writer: python-can's reader is the judge, and linux/can the law."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.bus.capture import read_capture
from pitwall.bus.pythoncan import can
from pitwall.frames import Flag
from tests.bus.messages import STARTED_AT_S, heard_by_python_can, heard_in, read_by_python_can

HEX = "0123456789abcdefABCDEF"


@st.composite
def lines(draw: st.DrawFn) -> str:
    """Lines as candump, canplayer, python-can and people write them."""
    seconds = draw(st.integers(STARTED_AT_S, STARTED_AT_S + 1_000_000))
    bus = draw(st.sampled_from(["can0", "vcan12", "slcan0", "any"]))
    digits = draw(st.sampled_from([3, 8]))
    number = draw(st.integers(0, 0x7FF if digits == 3 else 0x1FFFFFFF))
    kind = draw(st.sampled_from(["classic", "fd", "remote"]))
    if kind == "remote":
        what = "R" + draw(st.sampled_from(["", "0", "8"]))
    else:
        length = draw(st.integers(0, 8) if kind == "classic" else st.sampled_from([0, 8, 12, 64]))
        flags = draw(st.integers(0, 7)) if kind == "fd" else ""
        data = "".join(draw(st.lists(st.sampled_from(HEX), min_size=2 * length, max_size=2 * length)))
        what = f"#{flags}{data}" if kind == "fd" else data
    fraction = draw(st.integers(0, 999_999))
    return f"({seconds}.{fraction:06}) {bus} {number:0{digits}X}#{what}{draw(st.sampled_from(['', ' R', ' T', ' r']))}"


@settings(max_examples=60, deadline=None)
@given(written=st.lists(lines(), min_size=1, max_size=20))
def test_every_line_that_python_can_reads_right_is_read_alike(tmp_path_factory, written):
    path = tmp_path_factory.getbasetemp() / "x.log"
    path.write_text("\n".join(written) + "\n")
    capture = read_capture(path)
    assert heard_in(capture.frames, capture.buses) == heard_by_python_can(read_by_python_can(path))
    assert capture.problems == []


def read(path: Path, text: str):
    path.write_text(text)
    capture = read_capture(path)
    return heard_in(capture.frames, capture.buses), capture


def test_an_error_frame_is_none_of_the_data_frames_that_python_can_takes_it_for(tmp_path):
    text = "(1.0) can1 20000004#000C000000000000\n(1.1) can0 20000080#\n(1.2) can0 200000AC#0008191900000000 R\n"
    heard, _ = read(tmp_path / "x.log", text)
    assert [(one.error, one.bus, one.id, one.data[:2]) for one in heard] == [
        (True, "can1", 0x004, b"\0\x0c"),
        (True, "can0", 0, b""),
        (True, "can0", 0x0AC, b"\0\x08"),
    ]
    theirs = list(can.LogReader(str(tmp_path / "x.log")))
    assert not theirs[0].is_error_frame, "python-can got better: our own reader may go"


def test_nanoseconds_of_newer_candumps_are_kept(tmp_path):
    text = "(1631416514.717133001) can0 001#\n(1631416514.717133999) can0 001#\n"
    _, capture = read(tmp_path / "x.log", text)
    assert capture.frames.t.tolist() == [0, 998]
    assert capture.started_at_ns == 1_631_416_514_717_133_001


@pytest.mark.parametrize(
    "line",
    [
        "(1.0) can0 FFFFFFFF#00",  # no id has all its bits
        "(1.0) can0 800#00",  # a standard id of 12 bits
        "(1.0) can0 123#0",  # half a byte
        "(1.0) can0 123#001122334455667788",  # nine bytes
        "(1.0) can0 123#0011223344556677 8",
        "(99999999999.0) can0 123#00",
        "(9999999999.0) can0 123#00",  # beyond what int64 holds in ns
        "(nan) can0 123#00",
        "can0 123 [2] 00 11",
        "(1.0) can0 123##0" + "00" * 65,
    ],
)
def test_what_is_no_frame_is_a_loss_with_its_line(tmp_path, line):
    heard, capture = read(tmp_path / "x.log", f"(1.0) can0 001#\n{line}\n(2.0) can0 002#\n")
    assert [one.id for one in heard] == [1, 2]
    assert len(capture.problems) == 1
    assert capture.problems[0].startswith(f"{tmp_path}/x.log:2: not understood: '{line[:50]}")


def test_comments_blank_lines_windows_ends_and_a_mark_in_front_are_no_loss(tmp_path):
    path = tmp_path / "x.log"
    path.write_bytes(b"\xef\xbb\xbf(1.0) can0 001#\r\n\r\n# lap 2\r\n(2.0) can0 002#\r\n")
    capture = read_capture(path)
    assert (len(capture.frames), capture.problems) == (2, [])


def test_a_last_line_is_taken_only_if_it_can_not_have_been_longer(tmp_path):
    path = tmp_path / "x.log"
    assert len(read(path, "(1.0) can0 001#\n(2.0) can0 002#0011223344556677")[0]) == 2
    assert len(read(path, "(1.0) can0 001# R\n(2.0) can0 002#00 T")[0]) == 2
    for cut in ("(2.0) can0 002#00", "(2.0) can0 002#R", "(2.0) can0 002##0001122334455667788", "(2.0) can0 00"):
        heard, capture = read(path, f"(1.0) can0 001#\n{cut}")
        assert len(heard) == 1
        assert "x.log:2: cut short" in capture.problems[0]
    heard, capture = read(path, "(1.0) can0 001# R\n(2.0) can0 002#0011223344556677")
    assert (len(heard), len(capture.problems)) == (1, 1), "sent or heard? its direction is cut off"


def test_an_echo_is_marked_as_sent(tmp_path):
    _, capture = read(tmp_path / "x.log", "(1.0) can0 001#00 T\n")
    assert capture.frames.flags.tolist() == [Flag.TX]
