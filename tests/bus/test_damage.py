"""Damaged captures: what is whole comes out, what is not is told, and nothing that was never on the bus appears."""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.bus import blf
from pitwall.bus.capture import read_capture, write_capture
from pitwall.bus.losses import NAMED
from pitwall.errors import PitwallError, UsageError
from pitwall.frames import frames
from tests.bus.messages import FORMATS, STARTED_AT_S, SUFFIX, heard_by_python_can, heard_in, read_by_python_can

TEXTS = ("candump", "asc", "trc", "csv")
ROWS = 240
A_FRAME = rb"\(|\s*\d+\.\d+\s+1 |\s+\d+ +\d+\.\d+ DT|\d+\.\d+,"
"""How a line that holds a frame begins, in any of `TEXTS`."""


def some_frames(n=ROWS):
    """Frames with payloads that do not compress away, 1 ms apart."""
    random = np.random.default_rng(7)
    length = random.integers(0, 9, n)
    data = random.integers(1, 256, (n, 8)).astype(np.uint8)
    data[np.arange(8)[None, :] >= length[:, None]] = 0
    extended = random.integers(0, 2, n)
    return frames(
        0,
        t=np.arange(n) * 1_000_000,
        id=np.where(extended, random.integers(0, 0x1FFFFFFF, n), random.integers(0, 0x7FF, n)),
        len=length,
        flags=extended,
        data=data,
    )


class Originals(dict):
    """A capture in each format, and what is in it."""

    def __repr__(self):
        return "originals"


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("originals")
    made = Originals()
    for name in FORMATS:
        path = folder / f"drive{SUFFIX[name]}"
        write_capture(path, None, [some_frames()], started_at_ns=STARTED_AT_S * 10**9, buses=["can0"])
        made[name] = path, heard_in(read_capture(path).frames, ["can0"])
    return made


def what_is_left(path: Path):
    """The frames that are read, and the problems told."""
    try:
        capture = read_capture(path)
    except PitwallError as error:
        line = str(error)
    else:
        assert np.all(np.diff(capture.frames.t) >= 0)
        return heard_in(capture.frames, capture.buses), capture.problems
    assert "\n" not in line
    assert str(path) in line
    return [], [line]


def what_python_can_gives(path: Path, first_channel: int) -> list:
    try:
        return heard_by_python_can(read_by_python_can(path), first_channel=first_channel)
    except Exception:
        return []


@pytest.mark.parametrize("name", FORMATS)
def test_a_capture_cut_anywhere_gives_the_frames_before_the_cut(originals, tmp_path, name):
    original, whole = originals[name]
    content = original.read_bytes()
    path = tmp_path / original.name
    points = np.unique(np.linspace(1, len(content) - 1, 50 if name == "mf4" else 90).astype(int)).tolist()
    for point in [*points, *range(len(content) - 12, len(content))]:
        path.write_bytes(content[:point])
        left, problems = what_is_left(path)
        assert left == whole[: len(left)], f"only what was there, cut at {point}"
        at_a_line_end = name in TEXTS and not content[content.rfind(b"\n", 0, point) + 1 : point].strip()
        ends_in_a_frame = name in TEXTS and not content[point : content.find(b"\n", point)].strip()
        if name in TEXTS and not ends_in_a_frame:  # python-can takes a line without its end for whole
            path.write_bytes(content[: content.rfind(b"\n", 0, point) + 1])
        # of a database SQLite takes what is missing for zeros, so that python-can finds what was never there
        theirs = what_python_can_gives(path, 1 if name == "trc" else 0) if name != "db" else []
        true = next((i for i, one in enumerate(theirs) if i >= len(whole) or one != whole[i]), len(theirs))
        assert len(left) >= true, f"all that python-can finds, cut at {point}"
        in_the_end_mark = name == "asc" and b"End TriggerBlock" in content[point - 30 :]
        if len(left) < len(whole) and not (at_a_line_end or ends_in_a_frame or in_the_end_mark):
            assert problems, f"a cut at {point} is told"


@pytest.mark.parametrize("name", FORMATS)
def test_a_gzipped_capture_cut_anywhere_gives_the_frames_before_the_cut(originals, tmp_path, name):
    original, whole = originals[name]
    packed = gzip.compress(original.read_bytes())
    path = tmp_path / f"{original.name}.gz"
    for point in np.linspace(1, len(packed) - 1, 25).astype(int).tolist():
        path.write_bytes(packed[:point])
        left, problems = what_is_left(path)
        assert left == whole[: len(left)]
        assert problems
        if name in TEXTS and point > len(packed) // 2:
            assert len(left) > len(whole) // 4, "the last block of the file too"


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_bytes_changed_anywhere_are_at_worst_one_clear_error(originals, tmp_path_factory, name, data):
    original, whole = originals[name]
    content = bytearray(original.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / f"changed{SUFFIX[name]}"
    path.write_bytes(content)
    left, _ = what_is_left(path)
    if name in ("blf", "mf4"):  # their blocks have checksums
        known = {(one.id, one.data) for one in whole}
        assert all((one.id, one.data) in known for one in left)


@pytest.mark.parametrize("name", TEXTS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_garbage_between_the_lines_costs_no_frame(originals, tmp_path_factory, name, data):
    original, whole = originals[name]
    lines = original.read_bytes().splitlines(keepends=True)
    header = next(i for i, line in enumerate(lines) if re.match(A_FRAME, line))
    garbage = st.one_of(
        st.binary(min_size=1, max_size=40), st.text(min_size=1, max_size=40).map(lambda text: text.encode())
    )
    for _ in range(data.draw(st.integers(1, 4))):
        junk = b"?" + data.draw(garbage).replace(b"\n", b"").replace(b"\r", b"") + b"\n"
        lines.insert(data.draw(st.integers(header, len(lines))), junk)
    path = tmp_path_factory.getbasetemp() / f"garbage{SUFFIX[name]}"
    path.write_bytes(b"".join(lines))
    left, problems = what_is_left(path)
    assert left == whole
    assert problems
    assert all(re.match(rf"{re.escape(str(path))}:\d+: ", problem) for problem in problems)


@pytest.mark.parametrize("name", TEXTS)
def test_a_line_that_ends_too_soon_and_runs_into_the_next_costs_these_two(originals, tmp_path, name):
    original, whole = originals[name]
    lines = original.read_bytes().splitlines(keepends=True)
    where = 100 + next(i for i, line in enumerate(lines) if re.match(A_FRAME, line))
    path = tmp_path / original.name
    for keep in range(1, len(lines[where].rstrip())):
        merged = lines[where][:keep] + lines[where + 1]
        path.write_bytes(b"".join([*lines[:where], merged, *lines[where + 2 :]]))
        left, problems = what_is_left(path)
        assert [one for one in left if one not in whole] == [], f"nothing that was not there: {merged!r}"
        if merged.split() == lines[where + 1].split():  # nothing but white space was left
            assert len(left) == len(whole) - 1
            continue
        assert len(left) == len(whole) - 2
        assert len(problems) == 1, merged
        assert f":{where + 1}: " in problems[0]


@pytest.mark.parametrize("name", TEXTS)
def test_a_file_of_nothing_but_garbage_is_told_in_few_words(originals, tmp_path, name):
    path = tmp_path / f"x{SUFFIX[name]}"
    head = originals[name][0].read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(head[:-1]) + b"(nonsense\n" * 5000)
    capture = read_capture(path)
    assert len(capture.problems) == NAMED + 1
    assert "4,980 more" in capture.problems[-1]


def big_blf(path: Path, n: int) -> bytes:
    write_capture(path, None, [some_frames(n)], started_at_ns=STARTED_AT_S * 10**9, buses=["can0"])
    return path.read_bytes()


def containers_of(content: bytes) -> list[tuple[int, int]]:
    """Where each container begins and ends, by its header."""
    found = []
    at = 144
    while at < len(content):
        size = blf.OBJECT.unpack_from(content, at)[3]
        found.append((at, at + size))
        at += size + size % 4
    return found


def test_damage_in_one_container_of_a_blf_costs_the_frames_in_it(tmp_path):
    path = tmp_path / "x.blf"
    content = big_blf(path, 8000)
    known = set(read_capture(path).frames.id.tolist())
    parts = containers_of(content)
    assert len(parts) == 3
    for number, (begin, end) in enumerate(parts):
        for at in (begin, begin + 8, begin + 12, begin + 16, (begin + end) // 2, end - 2):
            broken = bytearray(content)
            broken[at : at + 2] = bytes(byte ^ 0xFF for byte in broken[at : at + 2])
            path.write_bytes(broken)
            capture = read_capture(path)
            missing = 8000 - len(capture.frames)
            assert capture.problems or not missing, f"container {number}, byte {at - begin}"
            assert missing <= 128 * 1024 // 48 + 2, f"container {number}, byte {at - begin}"
            assert known.issuperset(capture.frames.id.tolist())


def test_garbage_between_the_containers_of_a_blf_costs_no_frame_but_those_across_it(tmp_path):
    path = tmp_path / "x.blf"
    content = big_blf(path, 8000)
    parts = containers_of(content)
    where = parts[1][0]
    path.write_bytes(content[:where] + b"LOBJ, or so it seems" * 50 + content[where:])
    left, problems = what_is_left(path)
    assert len(left) >= 8000 - 1
    assert problems


def test_a_blf_whose_writer_was_killed_is_read_to_its_last_container(tmp_path):
    path = tmp_path / "x.blf"
    content = bytearray(big_blf(path, 6000))
    content[16:24] = (144).to_bytes(8, "little")  # the size is written last
    path.write_bytes(content)
    left, problems = what_is_left(path)
    assert (len(left), problems) == (6000, [])


def test_damage_in_what_is_not_compressed_costs_the_frames_that_it_hits(tmp_path):
    path = tmp_path / "x.blf"
    content = big_blf(path, 1000)
    ((begin, end),) = containers_of(content)
    inner = bytearray(zlib.decompress(content[begin + 32 : end]))
    assert inner[48 * 500 : 48 * 500 + 4] == b"LOBJ"
    inner[48 * 500 : 48 * 500 + 4] = b"JUNK"
    path.write_bytes(content[:144] + b"".join(blf._wrapped(iter([bytes(inner)]))))
    left, problems = what_is_left(path)
    assert len(left) == 999
    assert problems


def test_a_damaged_gzip_says_so(originals, tmp_path):
    packed = bytearray(gzip.compress(originals["candump"][0].read_bytes()))
    packed[-6] ^= 0xFF  # its checksum
    path = tmp_path / "x.log.gz"
    path.write_bytes(packed)
    left, problems = what_is_left(path)
    assert left == originals["candump"][1]
    assert "gzip" in problems[0]
    path.write_bytes(b"no gzip at all" * 10)
    with pytest.raises(UsageError):
        read_capture(path)


def test_a_vector_log_with_a_date_in_another_tongue_is_read_all_the_same(tmp_path):
    path = tmp_path / "x.asc"
    lines = (
        "date Mit Kas 26 11:32:18.5 2014\nbase dec  timestamps absolute\ninternal events logged\n// version 8.2.1\n"
        "Begin Triggerblock Mit Kas 26 11:32:18.5 2014\n   0.000000 Start of measurement\n"
        "   0.015991 CAN 1 Status:chip status error active\n   0.016000 1  Statistic: D 0 R 0 XD 0 XR 0 E 0 B 0.00%\n"
        "   0.017700 1  100             Rx   d 2 17 255\n   0.020000 1  ErrorFrame\nEnd TriggerBlock\n"
    )
    path.write_text(lines)
    capture = read_capture(path)
    assert [(one.id, one.data, one.error, one.t_us) for one in heard_in(capture.frames, capture.buses)] == [
        (100, bytes([17, 255]), False, 0),
        (0, b"", True, 2300),
    ]
    assert capture.problems == []
    assert not capture.dated


def test_times_that_count_from_the_event_before_are_refused(tmp_path):
    path = tmp_path / "x.asc"
    path.write_text("base hex  timestamps relative\ninternal events logged\n   0.1 1  100 Rx   d 1 00\n")
    with pytest.raises(UsageError, match="absolute"):
        read_capture(path)


def test_a_database_of_something_else_is_no_capture(tmp_path):
    import sqlite3

    path = tmp_path / "x.db"
    with sqlite3.connect(path) as file:
        file.execute("CREATE TABLE bookmarks (url TEXT)")
    file.close()
    with pytest.raises(UsageError, match="messages"):
        read_capture(path)
