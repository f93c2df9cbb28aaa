"""A recorder whose disk says that it has synced, and has not: what tries the power cuts themselves."""

from __future__ import annotations

from pathlib import Path

from pitwall.log import disk
from tests.torture import recorder


def _nothing(self: disk.Disk, what: int | Path) -> None:
    return


if __name__ == "__main__":
    for name in ("sync", "sync_file", "sync_folder"):
        setattr(disk.Disk, name, _nothing)
    recorder.main()
