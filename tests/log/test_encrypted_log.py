"""A log that is recorded with a key: all that holds of a plain one, and no frame of it in the plain once sealed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pitwall.errors import LogError
from pitwall.log import Tail, find, keys, recover, sessions, verify
from pitwall.log.encryption import CHUNK_BYTES, HEADER_BYTES, TAG_BYTES
from tests.log.drives import NoSealing, everything, joined, lost, readable, record, rows_of, traffic

pytest.importorskip("cryptography")


@pytest.fixture(autouse=True)
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> keys.Key:
    made = keys.new(tmp_path / "key")
    monkeypatch.setenv(keys.VARIABLE, str(made.file))
    return made


def parts(n: int = 4, rows: int = 500):
    return [traffic(rows, seed=i, start_ns=i * 10**10) for i in range(n)]


def test_sealed_segments_are_encrypted_and_read_as_if_they_were_not(tmp_path: Path, monkeypatch) -> None:
    path = record(tmp_path / "logs", parts(), end=True, segment_bytes=1)
    assert {file.name[20:] for file in path.iterdir()} == {".arrow.enc"}
    assert not any(b"ARROW1" in file.read_bytes() for file in path.iterdir())
    monkeypatch.delenv(keys.VARIABLE)
    plain = record(tmp_path / "plain", parts(), end=True, segment_bytes=1)
    expected = rows_of(everything(plain))
    monkeypatch.setenv(keys.VARIABLE, str(tmp_path / "key"))
    rows = rows_of(everything(path))
    assert rows[1:-1] == expected[1:-1], "but for the start and the end, which name the session"
    found = find(tmp_path / "logs", path.name)
    assert (found.state, found.rows) == ("ended", 2002)
    report = verify(found)
    assert (report.rows, report.damages) == (2002, ())
    tail = Tail(path)
    assert rows_of(joined(tail.poll())) == rows
    assert tail.ended


def test_what_was_interrupted_is_recovered_and_then_encrypted(tmp_path: Path) -> None:
    path = record(tmp_path / "logs", parts(), disk=NoSealing(), segment_bytes=1)
    assert [one.rows for one in recover(tmp_path / "logs")] == [2001]
    assert recover(tmp_path / "logs") == []
    assert {file.name[20:] for file in path.iterdir()} == {".arrow.enc"}
    assert verify(sessions(tmp_path / "logs")[0]).rows == 2003


def test_a_log_may_be_plain_before_the_key_and_encrypted_after(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv(keys.VARIABLE)
    path = record(tmp_path / "logs", parts(2), end=False, segment_bytes=1)
    assert ".arrow" in {file.name[20:] for file in path.iterdir()} | {".arrow"}
    monkeypatch.setenv(keys.VARIABLE, str(tmp_path / "key"))
    recover(tmp_path / "logs")
    assert verify(sessions(tmp_path / "logs")[0]).damages == ()
    assert len(everything(path)) == 1003


def test_without_its_key_it_is_listed_and_refused_with_a_clear_line(tmp_path: Path, monkeypatch) -> None:
    path = record(tmp_path / "logs", parts(), end=True)
    before = {file.name: file.read_bytes() for file in path.iterdir()}
    for other, line in (("", "there is no key"), (str(keys.new(tmp_path / "other").file), "is encrypted with the key")):
        monkeypatch.setenv(keys.VARIABLE, other)
        assert [one.id for one in sessions(tmp_path / "logs")] == [path.name]
        with pytest.raises(LogError, match=line):
            everything(path)
        recover(tmp_path / "logs")
        assert {file.name: file.read_bytes() for file in path.iterdir()} == before


@pytest.mark.parametrize("where", [0.0, 0.3, 0.6, 0.999])
def test_damage_costs_the_batches_it_touches_and_no_more(tmp_path: Path, where: float) -> None:
    path = record(
        tmp_path / "logs", [traffic(65_536, seed=i, start_ns=i * 10**12, fd=False) for i in range(4)], end=True
    )
    whole, none = readable(path)
    assert not none
    file = next(file for file in path.iterdir() if file.stat().st_size > 100_000)
    data = bytearray(file.read_bytes())
    data[int(where * (len(data) - 1))] ^= 1
    file.write_bytes(data)
    rows, damages = readable(path)
    assert all(whole[offset] == row for offset, row in rows.items())
    assert set(whole) - set(rows) == lost(damages)
    assert len(lost(damages)) <= 2 * 65_536
    assert verify(find(tmp_path / "logs", path.name)).damages, "a header that stands whole elsewhere is damage, too"


def test_a_segment_cut_at_every_chunk_is_found_and_read_up_to_there(tmp_path: Path) -> None:
    path = record(
        tmp_path / "logs", [traffic(65_536, seed=i, start_ns=i * 10**12, fd=False) for i in range(3)], end=True
    )
    whole, _ = readable(path)
    file = max(path.iterdir(), key=lambda file: file.stat().st_size)
    data = file.read_bytes()
    for cut in range(HEADER_BYTES, len(data), CHUNK_BYTES + TAG_BYTES):
        file.write_bytes(data[:cut])
        rows, damages = readable(path)
        assert damages
        assert all(whole[offset] == row for offset, row in rows.items())
        assert set(whole) - set(rows) == lost(damages) or any(one.last is None for one in damages)
