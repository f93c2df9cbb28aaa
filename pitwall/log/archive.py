"""A session of the log in, a verified copy of it elsewhere out; only then is the local one removed.

    <dest>/<session>/<every file of its folder>     with `.enc` behind the name where the archive encrypted it
    <dest>/<session>/session.json                   the manifest, written last

Laws, at any instant, however often it is killed:

1. A session is whole here, or whole there with its manifest and a local record of where it is, or both.
2. Each stored byte was read back and compared with what is here, and each sealed segment checked as a segment.
3. Run again, it goes on from where it was; what is stored already is read back, not sent again.
4. An archived session is never overwritten by another one.
"""

from __future__ import annotations

import hashlib
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

from pitwall import __version__
from pitwall.errors import LogError, UsageError
from pitwall.log import keys, pins, records, recovery, removal
from pitwall.log import manifest as manifests
from pitwall.log.bytefile import ENCRYPTED_SUFFIX, InMemory, decrypting, is_encrypted
from pitwall.log.destination import Destination
from pitwall.log.folder import TEMPORARY_SUFFIX, open_segments, segments
from pitwall.log.manifest import Entry, Manifest
from pitwall.log.place import Damage, Place
from pitwall.log.removal import Forget, Step, onward
from pitwall.log.segment import SegmentReader
from pitwall.log.session import Session, find
from pitwall.log.verify import verify
from pitwall.log.walk import Walk


@dataclass(frozen=True, slots=True)
class Archived:
    """A session that is in the archive, and here no more.  at: where.  bytes: what it took here.

    sent: files that were written there; the others were there already.  damages: what was wrong with it before.
    """

    session: str
    at: str
    rows: int
    bytes: int
    sent: int
    damages: tuple[Damage, ...]


def archive(
    logs: Path, name: str, dest: str, *, forget: Forget, archived_at_ns: int | None = None, step: Step = onward
) -> Archived:
    """Archive the session `name` of `logs` to `dest` (a folder or a URI), and remove it here.

    A session that was interrupted is recovered first, one with open segments sealed.  A damaged one is archived as it
    is.  For one that is archived already, what was left to do is done.
    forget: see `Forget`; it is called once the copy is safe.
    Raises LogError where the session is being recorded, is pinned, or can't be copied (then it is here still),
    UsageError where there is no such session or `dest` can't be used.
    """
    destination = Destination(dest)
    with removal.alone(logs):
        removal.finish(logs, forget, step)
        before = next((one for one in records.archived(logs) if one.session == name and not one.here), None)
        if before is not None:
            return Archived(name, before.at, before.manifest.rows, before.manifest.bytes, 0, ())
        session = _settled(logs, find(logs, name))
        _check_apart(session, destination)
        report = verify(session)
        step("verified")
        known = _known(session, destination)
        entries = []
        sent = 0
        for path in files(session.path):
            name_there = f"{session.id}/{path.name}"
            entry, new = _store(path, destination, name_there, known.get(path.name), report.damages)
            entries.append(entry)
            sent += new
            step(f"stored {path.name}")
        manifest = Manifest(
            session=session.id,
            car=session.header.car,
            started_at_ns=session.header.started_at_ns,
            buses=session.header.buses,
            rows=report.rows,
            frames=session.frames,
            duration_s=session.duration_s,
            damages=len(report.damages),
            archived_at_ns=time.time_ns() if archived_at_ns is None else archived_at_ns,
            pitwall=__version__,
            files=tuple(entries),
        )
        _put(destination, f"{session.id}/{manifests.NAME}", manifests.encode(manifest))
        step("manifest")
        try:
            records.keep(logs, destination.uri, manifest)
            step("recorded")
            removal.remove(session.path, forget, step)
        except OSError as error:
            what = f"the archived session can't be removed here: {error.strerror}"
            raise LogError(what, where=error.filename or session.path, hint="run it again") from error
    return Archived(session.id, destination.uri, report.rows, manifest.bytes, sent, report.damages)


def files(folder: Path) -> list[Path]:
    """The files that make up the session in `folder`, in the order of their names.

    Raises LogError where it holds what no session does.
    """
    found = sorted(path for path in folder.iterdir() if path.name != pins.NAME and path.suffix != TEMPORARY_SUFFIX)
    for path in found:
        if not path.is_file() or path.is_symlink() or path.name.startswith(".") or path.name == manifests.NAME:
            raise LogError("this is no part of a session", where=path, hint="move it elsewhere, then try again")
    return found


def _settled(logs: Path, session: Session) -> Session:
    """The session once nobody writes it: ended and sealed."""
    if session.state == "recording":
        raise LogError("the session is being recorded", where=session.path, hint="archive it once it has ended")
    if pins.pinned(session.path):
        raise LogError("the session is pinned", where=session.path, hint=f"`pitwall unpin {session.id}` first")
    if session.state != "ended" or open_segments(session.path):
        recovery.recover(logs)
        session = find(logs, session.id)
    if session.state != "ended":
        hint = "`pitwall verify` tells what is wrong with it"
        raise LogError("the session has no end, and could not be recovered", where=session.path, hint=hint)
    return session


def _check_apart(session: Session, destination: Destination) -> None:
    """UsageError where the archive would be the log itself."""
    if destination.folder is None:
        return
    folder, logs = destination.folder.resolve(), session.path.parent.resolve()
    inside = folder == logs or logs in folder.parents
    there = destination.folder / session.id
    if inside or (there.exists() and there.samefile(session.path)):
        raise UsageError("the archive can't lie in the log itself", where=folder, hint="give another folder")


def _known(session: Session, destination: Destination) -> dict[str, Entry]:
    """What the archive's manifest says is stored of this session already.  UsageError where it is another one's."""
    data = destination.get(f"{session.id}/{manifests.NAME}")
    manifest = manifests.decode(data) if data is not None else None
    if manifest is None:
        return {}
    for entry in manifest.files:
        path = session.path / entry.name
        if not path.is_file() or entry.same != _same(entry.name, path.read_bytes()):
            raise UsageError(
                f"another session of this name is archived there: {entry.name} is not the same",
                where=destination.where(session.id),
                hint="archive to another place",
            )
    return {entry.name: entry for entry in manifest.files}


def _store(
    path: Path, destination: Destination, name: str, known: Entry | None, damages: tuple[Damage, ...]
) -> tuple[Entry, bool]:
    """Have one file of a session in the archive, read back and compared; what it is there, and if it was sent."""
    data = path.read_bytes()
    encrypted = known.encrypted if known else keys.in_use() and path.suffix != ENCRYPTED_SUFFIX
    if encrypted:
        name += ENCRYPTED_SUFFIX
    stored = destination.get(name)
    sent = stored is None or not _holds(stored, data, encrypted=encrypted, name=name)
    if stored is None or sent:
        stored = _encrypted(data, path) if encrypted else data
        _put(destination, name, stored)
    _check_segment(path, data, damages)
    entry = Entry(path.name, len(data), zlib.crc32(data), encrypted, len(stored), hashlib.sha256(stored).hexdigest())
    return entry, sent


def _check_segment(path: Path, data: bytes, damages: tuple[Damage, ...]) -> None:
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


def _put(destination: Destination, name: str, data: bytes) -> None:
    """Write, read back, compare.  Raises LogError."""
    destination.put(name, data)
    if destination.get(name) != data:
        what = "what was written does not read back as it was"
        raise LogError(
            what, where=destination.where(name), hint="nothing was removed; check that place, then try again"
        )


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
