"""Whatever happens to the bytes of a log, what is read is what was written, and what is missing is said."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from pitwall.errors import LossError
from pitwall.frames import SCHEMA
from pitwall.log import Tail, clustered, find, read, sessions, verify
from pitwall.log import tag as tags
from pitwall.log.segment import LOST_BEFORE
from pitwall.log.tag import Message
from pitwall.log.walk import FILE_MAGIC, Walk
from tests.log.drives import START_NS, NoSealing, lost, readable, record, rows_of, traffic

PARTS = [traffic(n, seed=n, start_ns=i * 10**12) for i, n in enumerate((3, 5, 4))]
OTHERS = [traffic(n, seed=9 + n, start_ns=(i + 1) * 10**12) for i, n in enumerate((5, 4))]


def messages(file: Path, session: str) -> list[tuple[int, int]]:
    """Where each message of a whole segment begins and ends."""
    found = []
    with Walk(file, sealed=file.suffix == ".arrow", seed=tags.seed(session, int(file.stem))) as walk:
        while isinstance(message := walk.next(), Message):
            found.append((message.position, message.end))
    return found


class Log:
    """A session with one segment whose bytes can be spoilt, and what it held."""

    def __init__(self, logs: Path, *, sealed: bool) -> None:
        self.sealed = sealed
        self.checks = 0
        self.path = record(logs, PARTS, end=sealed)
        (self.file,) = self.path.glob("*.arrow*")
        self.whole = self.file.read_bytes()
        self.rows, damages = readable(self.path)
        assert not damages
        self.count = len(self.rows)
        self.session = find(logs, self.path.name)
        self.messages = messages(self.file, self.path.name)

    def check(self, data: bytes) -> tuple[set[int], list]:
        """With these bytes for the segment: the rows missing, and the damage told.  What is read is right."""
        with self.file.open("r+b") as file:  # to replace it would wait for the disk, each time
            file.write(data)
            file.truncate()
        found, damages = readable(self.path)
        assert all(self.rows[offset] == row for offset, row in found.items())
        missing = set(self.rows) - set(found)
        self.checks += 1
        if damages and self.checks % 5:
            return missing, damages
        report = verify(self.session)
        assert list(report.damages) == damages
        return missing, damages or ([report.torn] if report.torn else [])


@pytest.fixture(params=[False, True], ids=["open", "sealed"])
def log(request, tmp_path):
    return Log(tmp_path, sealed=request.param)


def test_cut_at_any_byte_an_open_segment_keeps_exactly_its_complete_batches(tmp_path):
    log = Log(tmp_path, sealed=False)
    ends = [end for _, end in log.messages]
    counts = [0, 1, *(1 + np.cumsum([len(part) for part in PARTS])).tolist()]
    for size in range(len(log.whole)):
        missing, told = log.check(log.whole[:size])
        kept = counts[max(0, sum(end <= size for end in ends) - 1)]
        assert missing == set(range(kept, log.count))
        assert bool(told) == (size not in ends)  # a cut between two batches can't be seen in the file itself


def test_cut_at_any_byte_a_sealed_segment_is_damaged_and_says_what_is_lost(tmp_path):
    log = Log(tmp_path, sealed=True)
    for size in range(len(log.whole)):
        missing, told = log.check(log.whole[:size])
        assert missing == (set(log.rows) if size < log.messages[1][1] else set())
        assert told
        if size >= log.messages[0][1]:  # what the segment holds is said at its beginning
            assert lost(told) == missing


def test_any_bit_flipped_is_found_and_costs_its_batch_at_most(log):
    batches = log.messages
    batch_of = {(start, end): set() for start, end in batches}
    random = np.random.default_rng(7)
    positions = range(len(log.whole)) if not log.sealed else random.permutation(len(log.whole))[:1200]
    for position in positions:
        bit = int(random.integers(8))
        data = bytearray(log.whole)
        data[position] ^= 1 << bit
        missing, told = log.check(bytes(data))
        assert told, f"bit {bit} of byte {position} was not found"
        at = next((start, end) for start, end in batches if position < end)
        batch_of[at] |= missing
    assert sum(len(missing) for missing in batch_of.values()) == log.count
    sizes = sorted(len(missing) for missing in batch_of.values() if missing)
    assert sizes == ([log.count] if log.sealed else sorted([1, *map(len, PARTS)]))


def test_a_flip_names_the_rows_that_it_costs(tmp_path):
    log = Log(tmp_path, sealed=False)
    start, end = log.messages[3]
    data = bytearray(log.whole)
    data[(start + end) // 2] ^= 4
    missing, (damage,) = log.check(bytes(data))
    assert missing == lost([damage]) == set(range(4, 9))
    assert (damage.file, damage.position) == (log.file, start)
    assert str(damage).endswith("rows 4 to 8 are lost")
    with pytest.raises(LossError, match="rows 4 to 8 are lost"):
        list(read(log.path))


def pieces(log: Log) -> list[bytes]:
    """The segment, message by message."""
    return [log.whole[start:end] for start, end in log.messages]


def test_batches_dropped_repeated_and_swapped_are_found(tmp_path):
    log = Log(tmp_path, sealed=False)
    schema, start, *batches = pieces(log)
    offsets = np.cumsum([1, *map(len, PARTS)])
    for i in range(2):  # the last of them can be missed by the file alone
        kept = batches[:i] + batches[i + 1 :]
        missing, told = log.check(b"".join([schema, start, *kept]))
        assert missing == lost(told) == set(range(offsets[i], offsets[i + 1]))
    for i in range(3):
        missing, told = log.check(b"".join([schema, start, *batches[: i + 1], *batches[i:]]))
        assert told
        assert not missing
        for j in range(i):
            swapped = list(batches)
            swapped[i], swapped[j] = swapped[j], swapped[i]
            missing, told = log.check(b"".join([schema, start, *swapped]))
            assert told
            assert not missing
    missing, told = log.check(b"".join([start, *batches]))
    assert told
    assert not missing


def test_sealed_batches_dropped_repeated_and_swapped_are_found(tmp_path):
    parts = [traffic(70_000, seed=i, start_ns=i * 10**15, fd=False) for i in range(4)]
    path = record(tmp_path, parts, end=True)
    (file,) = path.glob("*.arrow")
    whole = file.read_bytes()
    head, *batches, footer = [whole[start:end] for start, end in messages(file, path.name)]
    total, each = 4 * 70_000 + 2, clustered.MAX_ROWS
    assert len(batches) == 5
    for spoilt, rows in (
        (batches[:1] + batches[2:], each),
        (batches[:-1], total - 4 * each),
        ([batches[0], batches[0], *batches[1:]], 0),
        ([batches[0], batches[3], batches[2], batches[1], *batches[4:]], 0),
    ):
        file.write_bytes(b"".join([FILE_MAGIC, head, *spoilt, footer]))
        report = verify(find(tmp_path, "latest"))
        assert report.damages
        assert report.lost == rows
        assert report.rows == total - rows


@pytest.mark.parametrize("size", [1, 8, 64, 512])
def test_bytes_zeroed_inserted_removed_and_overwritten_are_found(log, size):
    random = np.random.default_rng(size)
    for position in random.integers(0, len(log.whole) - size, 40):
        before, behind = log.whole[:position], log.whole[position + size :]
        touched = [i for i, (start, end) in enumerate(log.messages) if start < position + size and position < end]
        for data in (
            before + bytes(size) + behind,
            before + random.bytes(size) + behind,
            before + random.bytes(size) + log.whole[position:],
            before + behind,
            before + log.whole[:size] + behind,
        ):
            if data == log.whole:
                continue
            missing, told = log.check(data)
            assert told
            assert len(missing) <= sum(1 if i == 1 else len(PARTS[i - 2]) for i in touched if 0 < i < 5) or log.sealed


def test_a_zeroed_page_at_a_batch_boundary_is_not_the_end(tmp_path):
    log = Log(tmp_path, sealed=False)
    start, end = log.messages[2]
    missing, told = log.check(log.whole[:start] + bytes(end - start) + log.whole[end:])
    assert missing == lost(told) == {1, 2, 3}


def test_anything_behind_the_end_is_found(log):
    for junk in (b"\0", bytes(4096), log.whole, b"\xff\xff\xff\xff"):
        missing, told = log.check(log.whole + junk)
        assert not missing
        assert told


def test_a_segment_from_another_session_or_place_is_not_read(tmp_path):
    path = record(tmp_path / "one", PARTS, segment_bytes=1, disk=NoSealing())
    other = record(tmp_path / "two", [PARTS[0], *OTHERS], segment_bytes=1, disk=NoSealing(), session_id="other")
    files = sorted(path.glob("*.arrows"))
    good = files[2].read_bytes()
    want, _ = readable(path)
    for foreign in (sorted(other.glob("*.arrows"))[2], files[3]):
        files[2].write_bytes(foreign.read_bytes())
        found, damages = readable(path)
        assert lost(damages) == {4, 5, 6, 7, 8}
        assert found == {offset: row for offset, row in want.items() if offset not in lost(damages)}
        assert "the file is the segment" in str(damages[0])
    # its batches behind a good beginning do not verify either
    files[2].write_bytes(good[: good.index(b"PW1:") + 600] + sorted(other.glob("*.arrows"))[2].read_bytes())
    found, damages = readable(path)
    assert all(want[offset] == row for offset, row in found.items())
    assert damages


def test_a_missing_segment_is_named_and_the_others_are_read(tmp_path):
    path = record(tmp_path, PARTS, segment_bytes=1, end=True)
    want, _ = readable(path)
    files = sorted(path.glob("*.arrow"))
    files[2].unlink()
    found, damages = readable(path)
    assert lost(damages) == {4, 5, 6, 7, 8}
    assert len(found) == len(want) - 5
    files[0].unlink()
    found, damages = readable(path)
    assert lost(damages) == {0, 4, 5, 6, 7, 8}


def test_a_lost_tail_batch_is_named_once_a_segment_follows(tmp_path):
    path = record(tmp_path, PARTS, segment_bytes=2_500, disk=NoSealing())
    files = sorted(path.glob("*.arrows"))
    data = files[0].read_bytes()
    files[0].write_bytes(data[: data.rindex(b"\xff\xff\xff\xff", 0, data.rindex(b"PW1:"))])
    found, damages = readable(path)
    (damage,) = damages
    assert damage.file == files[0]
    assert damage.last == int(files[1].stem)
    assert len(found) + len(lost(damages)) == 1 + sum(map(len, PARTS))


def test_another_history_of_the_same_offsets_is_found(tmp_path):
    a = record(tmp_path / "a", [PARTS[0], PARTS[1]], segment_bytes=1, disk=NoSealing())
    b = record(tmp_path / "b", [PARTS[0], traffic(5, seed=50, start_ns=10**13)], segment_bytes=1, disk=NoSealing())
    assert a.name == b.name
    shutil.copy(sorted(b.glob("*.arrows"))[2], a)
    assert not readable(a)[1]
    changed = record(tmp_path / "c", [traffic(3, seed=77)], segment_bytes=1, disk=NoSealing())
    shutil.copy(sorted(changed.glob("*.arrows"))[1], a)
    found, damages = readable(a)
    assert [damage.what for damage in damages] == ["the segment does not continue the one before it"]
    assert len(found) == 9


def test_damage_in_an_open_segment_stays_known_once_it_is_sealed(tmp_path):
    log = Log(tmp_path, sealed=False)
    start, end = log.messages[3]
    data = bytearray(log.whole)
    data[(start + end) // 2] ^= 4
    log.check(bytes(data))
    record(tmp_path, [], session_id="next", end=True)  # recovers and seals what was left
    found, (damage,) = readable(log.path)
    assert damage.what == LOST_BEFORE
    assert lost([damage]) == {4, 5, 6, 7, 8}
    assert [found[offset] for offset in (0, 3, 9)] == [log.rows[offset] for offset in (0, 3, 9)]
    assert [file.name for file in log.path.glob("*.damaged")] == [log.file.name + ".damaged"]


def test_a_tail_skips_damage_and_keeps_a_note_of_it(tmp_path):
    log = Log(tmp_path, sealed=False)
    start, end = log.messages[3]
    log.file.write_bytes(log.whole[:start] + bytes(end - start) + log.whole[end:])
    tail = Tail(log.path)
    rows = [row for batch in tail.poll() for row in rows_of(batch)]
    tail.close()
    assert lost(tail.damages) == {4, 5, 6, 7, 8}
    assert rows == [row for offset, row in log.rows.items() if offset not in lost(tail.damages)]


def test_a_damaged_session_is_listed_still(log):
    log.file.write_bytes(bytes(len(log.whole)))
    (session,) = sessions(log.path.parent)
    assert (session.id, session.rows) == (log.path.name, 0)
    assert (session.header.car, session.header.started_at_ns) == ("test", START_NS // 10**9 * 10**9)


def test_no_damage_leads_arrow_to_bytes_that_were_not_verified(log, monkeypatch):
    import pyarrow as pa

    parsed: list[bytes] = []
    original = pa.ipc.read_record_batch
    monkeypatch.setattr(
        pa.ipc, "read_record_batch", lambda data, schema: parsed.append(bytes(data)) or original(data, schema)
    )
    pieces_written = set(pieces(log))
    random = np.random.default_rng(3)
    for _ in range(60):
        data = bytearray(log.whole)
        data[int(random.integers(len(data)))] ^= 1 << int(random.integers(8))
        log.check(bytes(data))
    assert parsed
    assert set(parsed) <= pieces_written
    assert len(SCHEMA) == 7


@pytest.mark.timeout(30)
def test_a_beginning_that_is_cut_before_a_stranger_is_told_and_not_waited_for(tmp_path):
    path = record(tmp_path, [traffic(3), traffic(3, start_ns=10**12)], segment_bytes=1, disk=NoSealing())
    _, second, third = sorted(path.iterdir())
    third.write_bytes(second.read_bytes())
    second.write_bytes(second.read_bytes()[:512])
    rows, damages = readable(path)
    assert list(rows) == [0]
    assert [damage.file for damage in damages] == [second, third]
    assert (damages[0].first, damages[0].last) == (1, 4)
