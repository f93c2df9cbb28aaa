"""Capture files: what python-can reads, we read; what we write, everybody reads; and it is the same frames again."""

from __future__ import annotations

import itertools
import os
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.bus.capture import read_capture, read_captures, write_capture
from pitwall.bus.message import to_frames
from pitwall.errors import LossError, PitwallError, UsageError
from pitwall.frames import Control, Flag, control, cut, frames, same
from tests.bus.messages import (
    FORMATS,
    HOLDS,
    STARTED_AT_S,
    SUFFIX,
    heard_by_python_can,
    heard_in,
    messages,
    read_by_python_can,
    written_by_python_can,
)
from tests.captures import CAPTURES, needs_captures

BUSES = ("can0", "can1", "can7")
counter = itertools.count()


def frames_of(found, *, bus=None):
    """Messages as a session's frames, t from the first, and when that was."""
    first_us = round(found[0].timestamp * 1e6)
    t = [(round(message.timestamp * 1e6) - first_us) * 1000 for message in found]
    index = [0 if message.channel is None else BUSES.index(f"can{message.channel}") for message in found]
    return to_frames(found, t, index if bus is None else bus), first_us * 1000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("captures")


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_what_python_can_wrote_is_read_as_python_can_reads_it(folder, name, data):
    found = data.draw(messages(HOLDS[name]))
    path = written_by_python_can(folder / f"{next(counter)}{SUFFIX[name]}", found)
    capture = read_capture(path)
    theirs = heard_by_python_can(read_by_python_can(path), first_channel=1 if name == "trc" else 0)
    ours = heard_in(capture.frames, capture.buses)
    if name == "candump":  # its reader forgets the bus of an error frame
        theirs = [replace(one, bus=our.bus) if one.error else one for one, our in zip(theirs, ours, strict=True)]
    assert ours == theirs
    assert capture.problems == []
    assert capture.dated
    assert abs(capture.started_at_ns - found[0].timestamp * 1e9) < 1e9, "written in this zone, read in this zone"


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_what_is_exported_and_imported_again_is_the_same_frames(folder, name, data):
    found = data.draw(messages(HOLDS[name]))
    rows, started_at_ns = frames_of(found)
    path = folder / f"{next(counter)}{SUFFIX[name]}"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=3)))
    batches = [cut(rows, a, b) for a, b in itertools.pairwise([0, *cuts, len(rows)])]
    marker = control(Control.NOTE, 0, b"{}")
    assert write_capture(path, None, [marker, *batches], started_at_ns=started_at_ns, buses=BUSES) == len(rows)
    capture = read_capture(path)
    ours, theirs = heard_in(capture.frames, capture.buses), heard_in(rows, BUSES)
    if name == "mf4":  # it keeps data, remote and error frames apart: among equal times their order is lost
        ours, theirs = (sorted(heard, key=lambda one: (one.t_us, one.remote, one.error)) for heard in (ours, theirs))
    assert ours == theirs
    assert np.array_equal(capture.frames.t, rows.t), "to the microsecond or better"
    assert abs(capture.started_at_ns - started_at_ns) <= 1000
    assert capture.problems == []


@pytest.mark.parametrize("name", ["candump", "blf", "mf4"])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_formats_that_hold_everything_hold_what_an_error_frame_says(folder, name, data):
    error = st.tuples(
        st.integers(0, 0x1FFFFFFF), st.binary(max_size=8), st.booleans() if name != "blf" else st.just(False)
    )
    kinds = data.draw(st.lists(error, min_size=1, max_size=8))
    rows = frames(
        0,
        t=np.arange(len(kinds)) * 1000,
        id=[number for number, _, _ in kinds],
        flags=[int(Flag.ERROR | (Flag.TX if tx else 0)) for _, _, tx in kinds],
        len=[len(payload) for _, payload, _ in kinds],
        data=np.frombuffer(b"".join(payload.ljust(8, b"\0") for _, payload, _ in kinds), np.uint8),
    )
    path = folder / f"{next(counter)}{SUFFIX[name]}"
    write_capture(path, None, [rows], started_at_ns=STARTED_AT_S * 10**9, buses=["can0"])
    capture = read_capture(path)
    assert heard_in(capture.frames, capture.buses) == heard_in(rows, ["can0"])


@settings(max_examples=50, deadline=None)
@given(t=st.lists(st.integers(0, 10**13), min_size=1, max_size=20).map(sorted), started=st.integers(10**18, 4 * 10**18))
def test_blf_holds_times_to_the_nanosecond(folder, t, started):
    t = np.array(t) - t[0]
    rows = frames(0, t=t, id=np.full(len(t), 1), data=np.zeros((len(t), 8), np.uint8))
    path = folder / "ns.blf"
    write_capture(path, None, [rows], started_at_ns=started, buses=["can0"])
    capture = read_capture(path)
    # a millisecond of date and a day of time share a float64 in the writer
    assert np.abs(capture.frames.t - t).max() <= 1
    assert abs(capture.started_at_ns - started) <= 1


@pytest.mark.parametrize("name", FORMATS)
def test_gzipped_files_are_read_and_written(tmp_path, name):
    rows = frames(0, t=np.arange(50) * 1_000_000, id=np.arange(50), data=np.ones((50, 8), np.uint8))
    path = tmp_path / f"drive{SUFFIX[name]}.gz"
    write_capture(path, None, [rows], started_at_ns=STARTED_AT_S * 10**9, buses=["can0"])
    assert path.read_bytes()[:2] == b"\x1f\x8b"
    assert same(read_capture(path).frames, rows)
    assert [path] == list(tmp_path.iterdir()), "nothing is left lying about"


def test_the_same_id_on_two_buses_stays_apart(tmp_path):
    rows = frames(0, t=[0, 0, 1000], id=[5, 5, 5], bus=[0, 1, 0], data=np.arange(24).reshape(3, 8).astype(np.uint8))
    for name in ("candump", "asc", "blf", "mf4", "trc"):
        path = tmp_path / f"x{SUFFIX[name]}"
        write_capture(path, None, [rows], started_at_ns=STARTED_AT_S * 10**9, buses=["can0", "can1"])
        capture = read_capture(path)
        assert (capture.buses, capture.frames.bus.tolist()) == (("can0", "can1"), [0, 1, 0])


def test_an_echo_stays_apart_from_what_was_heard(tmp_path):
    path = tmp_path / "echo.log"
    path.write_text("(1.0) can0 123#01 T\n(1.0) can0 123#01 R\n")
    assert read_capture(path).frames.flags.tolist() == [Flag.TX, 0]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("trc", "3 remote, error or CAN FD"),
        ("csv", "which of 2 buses"),
        ("db", "marks 2 frames"),
        ("asc", "1 error frames say"),
    ],
)
def test_what_a_format_can_not_hold_is_told(tmp_path, name, said):
    flags = [Flag.REMOTE, Flag.ERROR, Flag.FD | Flag.BRS, Flag.TX]
    rows = frames(0, t=[0, 1, 2, 3], id=[1, 2, 3, 4], bus=[0, 0, 0, 1], flags=flags, data=np.zeros((4, 8), np.uint8))
    path = tmp_path / f"x{SUFFIX[name]}"
    with pytest.raises(LossError, match=said):
        write_capture(path, None, [rows], started_at_ns=STARTED_AT_S * 10**9, buses=["can0", "can1"])
    assert len(read_capture(path).frames) == (1 if name == "trc" else 4), "and what it can hold is there"


def test_buses_with_names_keep_them_where_the_format_has_names(tmp_path):
    rows = frames(0, t=[0, 1], id=[1, 1], bus=[1, 0], data=np.zeros((2, 8), np.uint8))
    write_capture(tmp_path / "x.log", None, [rows], started_at_ns=STARTED_AT_S * 10**9, buses=["dash", "body bus"])
    capture = read_capture(tmp_path / "x.log")
    assert [capture.buses[bus] for bus in capture.frames.bus] == ["body_bus", "dash"]
    write_capture(tmp_path / "x.asc", None, [rows], started_at_ns=STARTED_AT_S * 10**9, buses=["dash", "can0"])
    capture = read_capture(tmp_path / "x.asc")
    assert [capture.buses[bus] for bus in capture.frames.bus] == ["can0", "can1"], "numbers, as Vector has them"


def test_frames_out_of_order_are_sorted_and_equal_times_keep_theirs(tmp_path):
    path = tmp_path / "x.log"
    path.write_text("(9.5) can0 003#\n(9.0) can0 001#\n(9.5) can0 002#\n(9.0) can0 004#\n")
    capture = read_capture(path)
    assert capture.frames.id.tolist() == [1, 4, 3, 2]
    assert capture.frames.t.tolist() == [0, 0, 500_000_000, 500_000_000]
    assert "not in the order" in capture.notes[0]


def test_a_file_without_a_date_ended_when_it_was_written(tmp_path):
    path = tmp_path / "x.log"
    path.write_text("(100.0) can0 001#\n(103.0) can0 001#\n")
    os.utime(path, ns=(0, 1_700_000_000 * 10**9))
    capture = read_capture(path)
    assert not capture.dated
    assert capture.started_at_ns == 1_699_999_997 * 10**9
    assert "no date" in capture.notes[0]


def test_several_files_share_a_time_line_by_their_dates(tmp_path):
    (tmp_path / "b.log").write_text(f"({STARTED_AT_S + 2}.5) can1 002#\n({STARTED_AT_S + 4}.0) can1 002#\n")
    (tmp_path / "a.log").write_text(f"({STARTED_AT_S}.0) can0 001#\n({STARTED_AT_S + 3}.0) can0 001#\n")
    line = read_captures([tmp_path / "b.log", tmp_path / "a.log"])
    assert line.frames.t.tolist() == [0, 2_500_000_000, 3_000_000_000, 4_000_000_000]
    assert line.frames.bus.tolist() == [0, 1, 0, 1]
    assert line.buses == ("can0", "can1")
    assert line.begins == (0, 2_500_000_000)
    assert line.started_at_ns == STARTED_AT_S * 10**9


def test_several_files_of_which_one_has_no_date_follow_one_another(tmp_path):
    (tmp_path / "a.log").write_text(f"({STARTED_AT_S}.0) can0 001#\n({STARTED_AT_S + 3}.0) can0 001#\n")
    (tmp_path / "b.log").write_text("(7.0) can0 002#\n(8.0) can0 002#\n")
    line = read_captures([tmp_path / "a.log", tmp_path / "b.log"])
    assert line.frames.t.tolist() == [0, 3_000_000_000, 3_000_000_000, 4_000_000_000]
    assert line.frames.id.tolist() == [1, 1, 2, 2]
    assert any("follow one another" in note for note in line.notes)


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_that_is_no_capture_is_named_with_the_formats_there_are(tmp_path, name):
    for content in (
        b"",
        b"\0",
        b"Dear diary,\nno CAN today.\n",
        bytes(range(256)) * 40,
        b"%PDF-1.7\n" + b"\xff" * 5000,
    ):
        path = tmp_path / f"x{SUFFIX[name]}"
        path.write_bytes(content)
        with pytest.raises(UsageError) as caught:
            read_capture(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    for wrong in (tmp_path / "missing.log", tmp_path / "x.dbc", tmp_path):
        with pytest.raises(UsageError, match=wrong.name):
            read_capture(wrong)
    (tmp_path / "x.docx").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"\.mf4"):
        read_capture(tmp_path / "x.docx")


def test_an_export_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "x.log"
    path.write_text("precious")

    def breaks():
        yield frames(0, t=[0], id=[1], data=np.zeros((1, 8), np.uint8))
        raise OSError(28, "No space left on device")

    with pytest.raises(PitwallError, match="No space"):
        write_capture(path, None, breaks(), started_at_ns=0, buses=["can0"])
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


def test_mf4_without_asammdf_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "x.mf4").write_bytes(b"MDF     4.10")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'pitwall\[mf4\]'"):
        read_capture(tmp_path / "x.mf4")


@needs_captures
def test_the_wrx_log_is_read_whole_at_its_times():
    capture = read_capture(CAPTURES / "wrx/wrx.log")
    assert len(capture.frames) == 82_558
    assert len(np.unique(capture.frames.id)) == 35
    assert capture.problems == []
    assert capture.buses == ("can0",)
    speeds = capture.frames.t[capture.frames.id == 0xD4]
    assert (speeds[0], speeds[-1], len(speeds)) == (1000, 90_278_789_000, 4515)


@needs_captures
@pytest.mark.parametrize(("file", "count"), [("drive-1.mf4", 5477), ("drive-2.mf4", 45_096)])
def test_the_canmod_drives_are_read_whole_as_python_can_reads_them(file, count):
    capture = read_capture(CAPTURES / "canmod" / file)
    assert len(capture.frames) == count
    theirs = heard_by_python_can(read_by_python_can(CAPTURES / "canmod" / file))
    assert heard_in(capture.frames, capture.buses) == theirs


@needs_captures
@pytest.mark.parametrize("name", [name for name in FORMATS if name != "mf4"])
def test_the_wrx_log_comes_back_from_every_format(tmp_path, name):
    whole = read_capture(CAPTURES / "wrx/wrx.log")
    rows = cut(whole.frames, 0, 5000)
    path = tmp_path / f"x{SUFFIX[name]}"
    write_capture(path, name, [rows], started_at_ns=whole.started_at_ns, buses=whole.buses)
    capture = read_capture(path)
    assert same(capture.frames, rows)
    assert abs(capture.started_at_ns - whole.started_at_ns) <= 1000
    assert heard_by_python_can(read_by_python_can(path), first_channel=1 if name == "trc" else 0) == heard_in(
        rows, whole.buses
    )
