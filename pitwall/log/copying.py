"""The files of a session in, proven copies of them in the archive out, and the entries of its manifest.

Each file is read once, checked as a segment, sent where it isn't there yet, read back and compared.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pitwall.errors import LogError, UsageError
from pitwall.log import keys, pins, removal
from pitwall.log import manifest as manifests
from pitwall.log.bytefile import ENCRYPTED_SUFFIX, InMemory, decrypting, is_encrypted
from pitwall.log.destination import Destination, DestinationError, Moved, unseen
from pitwall.log.disk import Disk
from pitwall.log.folder import segments
from pitwall.log.manifest import Entry
from pitwall.log.place import Damage, Place
from pitwall.log.segment import SegmentReader
from pitwall.log.session import Session
from pitwall.log.walk import Walk

Told = Callable[[int, int], None]
"""Told how many bytes of how many went there and came back.  May raise: to break off is safe at any instant."""


def untold(_done: int, _total: int) -> None:
    """The `Told` of whoever doesn't ask."""


def copy(
    session: Session, destination: Destination, damages: tuple[Damage, ...], told: Told, disk: Disk
) -> tuple[tuple[Entry, ...], int]:
    """Have every file of the session in the archive, proven; what each is there, and how many were sent.

    damages: what is wrong with the session, and known.  Raises LogError, OSError; UsageError where another session of
    this name is archived there; and what `told` raises.
    """
    known = _known(session, destination, disk)
    paths = files(session.path)
    way = _Way(2 * sum(path.stat().st_size for path in paths), told)
    entries = []
    sent = 0
    for path in paths:
        data = disk.read(path)
        _check(path, data, damages)
        entry, new = _store(path, data, destination, session.id, known.get(path.name), way)
        entries.append(entry)
        sent += new
        way.behind(2 * sum(one.bytes for one in entries))
    return tuple(entries), sent


def files(folder: Path) -> list[Path]:
    """The files that make up the session in `folder`, in the order of their names.

    Raises LogError where it holds what no session does.
    """
    found = sorted(path for path in folder.iterdir() if path.name != pins.NAME and not removal.is_leftover(path))
    for path in found:
        if not path.is_file() or path.is_symlink() or path.name.startswith(".") or path.name == manifests.NAME:
            raise LogError("this is no part of a session", where=path, hint="move it elsewhere, then try again")
    return found


def put(destination: Destination, name: str, data: bytes, moved: Moved = unseen) -> None:
    """Write, read back, compare.  Raises DestinationError."""
    destination.put(name, data, moved)
    if destination.get(name, moved) != data:
        what = "what was written does not read back as it was"
        hint = "nothing was removed; check that place, then try again"
        raise DestinationError(what, where=destination.where(name), hint=hint)


@dataclass
class _Way:
    """How far the copying is: what went there and what came back count alike."""

    total: int
    told: Told
    done: int = 0

    def __call__(self, count: int) -> None:
        self.behind(min(self.done + count, self.total))

    def behind(self, done: int) -> None:
        self.done = done
        self.told(done, self.total)


def _known(session: Session, destination: Destination, disk: Disk) -> dict[str, Entry]:
    """What the archive's manifest says is stored of this session already.  UsageError where it is another one's."""
    data = destination.get(f"{session.id}/{manifests.NAME}")
    manifest = manifests.decode(data) if data is not None else None
    if manifest is None:
        return {}
    for entry in manifest.files:
        path = session.path / entry.name
        if not path.is_file() or entry.same != _same(entry.name, disk.read(path)):
            raise UsageError(
                f"another session of this name is archived there: {entry.name} is not the same",
                where=destination.where(session.id),
                hint="archive to another place",
            )
    return {entry.name: entry for entry in manifest.files}


def _check(path: Path, data: bytes, damages: tuple[Damage, ...]) -> None:
    """LogError where a sealed segment, as it was read for the archive, is damaged in other ways than it was before."""
    segment = next((one for one in segments(path.parent) if one.path == path and one.sealed), None)
    if segment is None:
        return
    found: list[Damage] = []
    file = InMemory(data)
    with Walk(path, sealed=True, seed=0, file=decrypting(file, path) if is_encrypted(path) else file) as walk:
        for batch in SegmentReader(segment, walk, Place(segment.first), found.append).batches():
            if batch is None:
                break
    before = {(damage.position, damage.what) for damage in damages if damage.file == path}
    new = [damage for damage in found if (damage.position, damage.what) not in before]
    if new:
        raise LogError(f"the segment was read damaged: {new[0]}", where=path, hint="check the disk, then try again")


def _store(
    path: Path, data: bytes, destination: Destination, session: str, known: Entry | None, moved: Moved
) -> tuple[Entry, bool]:
    """Have one file of a session in the archive, read back and compared; what it is there, and if it was sent."""
    name = f"{session}/{path.name}"
    encrypted = known.encrypted if known else keys.in_use() and path.suffix != ENCRYPTED_SUFFIX
    if encrypted:
        name += ENCRYPTED_SUFFIX
    stored = destination.get(name, moved)
    sent = stored is None or not _holds(stored, data, encrypted=encrypted, name=name)
    if stored is None or sent:
        stored = _encrypted(data, path) if encrypted else data
        put(destination, name, stored, moved)
    entry = Entry(path.name, len(data), zlib.crc32(data), encrypted, len(stored), hashlib.sha256(stored).hexdigest())
    return entry, sent


def _holds(stored: bytes, data: bytes, *, encrypted: bool, name: str) -> bool:
    if not encrypted:
        return stored == data
    from pitwall.log.encryption import DamagedError, decrypt

    try:
        return decrypt(stored, Path(name)) == data
    except DamagedError:
        return False


def _encrypted(data: bytes, path: Path) -> bytes:
    from pitwall.log.encryption import encrypt

    key = keys.current()
    if key is None:
        raise LogError("it is encrypted in the archive, and there is no key", where=path, hint=f"set {keys.VARIABLE}")
    return b"".join(encrypt([data], key))


def _same(name: str, data: bytes) -> tuple[str, int, int]:
    return name, len(data), zlib.crc32(data)
