"""The reserve: made where there is room, given up where there is none, made again."""

from __future__ import annotations

import errno
import os
from contextlib import closing

import pytest

from pitwall.errors import LogError
from pitwall.log import Writer, lock, read
from pitwall.log.disk import Disk, Space
from pitwall.log.hold import Hold
from pitwall.log.reserve import NAME, Relieved, Reserve
from tests.log.drives import START_NS, joined, traffic

SIZE = 1 << 20


class Volume(Disk):
    """A disk with so much free, on which a reserve takes its part; `full`: a write fails for want of room."""

    def __init__(self, folder, *, free=100 * SIZE, size=1 << 36, error=errno.ENOSPC):
        self.reserve = folder / NAME
        self.free, self.size, self.error = free, size, error
        self.full = False

    def space(self, _folder):
        return Space(self.free - (SIZE if self.reserve.exists() else 0), self.size)

    def write(self, fd, data):
        if self.full and self.reserve.exists():
            raise OSError(self.error, os.strerror(self.error))
        return super().write(fd, data)


def test_it_takes_up_the_room_that_it_keeps(tmp_path):
    reserve = Reserve(tmp_path, Volume(tmp_path), SIZE)
    reserve.keep()
    found = (tmp_path / NAME).stat()
    assert (found.st_size, reserve.low) == (SIZE, False)
    assert found.st_blocks * 512 >= SIZE


@pytest.mark.parametrize(("free", "size"), [(15 * SIZE, 1 << 36), (100 * SIZE, 1 << 20)])
def test_there_is_none_on_a_disk_that_is_nearly_full_or_small(tmp_path, free, size):
    reserve = Reserve(tmp_path, Volume(tmp_path, free=free, size=size), SIZE)
    reserve.keep()
    assert not (tmp_path / NAME).exists()
    assert reserve.low == (free < 16 * SIZE)


def test_it_is_given_up_once_and_made_again_when_there_is_room(tmp_path):
    disk = Volume(tmp_path)
    reserve = Reserve(tmp_path, disk, SIZE)
    assert not reserve.give()
    reserve.keep()
    assert reserve.give()
    assert reserve.low
    assert reserve.give(), "whoever found the disk full just before may try again as well"
    disk.free = 10 * SIZE
    reserve.keep()
    assert (reserve.low, (tmp_path / NAME).exists()) == (True, False)
    disk.free = 100 * SIZE
    reserve.keep()
    assert (reserve.low, (tmp_path / NAME).exists()) == (False, True)


def test_a_part_of_it_does_not_stay(tmp_path):
    class Short(Volume):
        def allocate(self, path, size):
            super().allocate(path, size // 2)
            raise OSError(errno.ENOSPC, "No space left on device")

    Reserve(tmp_path, Short(tmp_path), SIZE).keep()
    assert not (tmp_path / NAME).exists()


def test_no_reserve_is_kept_and_none_given_where_none_is_wanted(tmp_path):
    reserve = Reserve(tmp_path, Volume(tmp_path), 0)
    reserve.keep()
    assert not (tmp_path / NAME).exists()
    assert not reserve.give()


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT])
def test_rows_that_find_no_room_find_the_reserves(tmp_path, error):
    disk = Volume(tmp_path, error=error)
    with closing(Hold(tmp_path, disk=disk, reserve_bytes=SIZE)) as hold:
        writer = Writer.begin(hold, car="t", buses=["a", "b"], started_at_ns=START_NS, session_id="s")
        hold._reserve.keep()
        disk.full = True
        writer.append(traffic(10))
        assert not disk.reserve.exists()
        hold.tell()
        assert lock.recorder(tmp_path).state.low_space
        writer.end(0)
    assert len(joined(read(tmp_path / "s"))) == 12


def test_an_error_of_another_kind_does_not_cost_the_reserve(tmp_path):
    disk = Volume(tmp_path, error=errno.EIO)
    reserve = Reserve(tmp_path, disk, SIZE)
    reserve.keep()
    disk.full = True
    fd = disk.create(tmp_path / "file")
    with pytest.raises(OSError, match="Input/output error"):
        Relieved(disk, reserve).write(fd, memoryview(b"row"))
    os.close(fd)
    assert disk.reserve.exists()


def test_a_disk_that_is_full_without_a_reserve_is_a_clear_error(tmp_path):
    disk = Volume(tmp_path)
    with closing(Hold(tmp_path, disk=disk)) as hold:
        disk.reserve.write_bytes(b"")  # somebody else's
        disk.full = True
        with pytest.raises(LogError, match="No space left"):
            Writer.begin(hold, car="t", buses=["a"], started_at_ns=START_NS)
