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

import time
from dataclasses import dataclass
from pathlib import Path

from pitwall import __version__
from pitwall.errors import LogError, UsageError
from pitwall.log import copying, pins, records, recovery, removal
from pitwall.log import manifest as manifests
from pitwall.log.copying import Told, untold
from pitwall.log.destination import Destination
from pitwall.log.disk import DISK, Disk
from pitwall.log.folder import open_segments
from pitwall.log.manifest import Manifest
from pitwall.log.place import Damage
from pitwall.log.removal import Forget
from pitwall.log.session import Session, find, reached
from pitwall.log.verify import verify


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
    logs: Path,
    name: str,
    dest: str | Destination,
    *,
    forget: Forget,
    archived_at_ns: int | None = None,
    told: Told = untold,
    disk: Disk = DISK,
) -> Archived:
    """Archive the session `name` of `logs` to `dest` (a folder or a URI), and remove it here.

    A session that was interrupted is recovered first, one with open segments sealed.  A damaged one is archived as it
    is.  For one that is archived already, what was left to do is done.
    forget: see `Forget`; it is called once the copy is safe.
    Raises LogError where the session is being recorded, is pinned, or can't be copied (then it is here still),
    UsageError where there is no such session or `dest` can't be used, and what `told` and `forget` raise.
    """
    destination = dest if isinstance(dest, Destination) else Destination(dest, disk)
    try:
        with removal.alone(logs):
            removal.finish(logs, forget, disk)
            before = next((one for one in records.archived(logs) if one.session == name and not one.here), None)
            if before is not None:
                return Archived(name, before.at, before.manifest.rows, before.manifest.bytes, 0, ())
            session = _settled(logs, find(logs, name), disk)
            _check_apart(session, destination)
            report = verify(session)
            entries, sent = copying.copy(session, destination, report.damages, told, disk)
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
                files=entries,
            )
            copying.put(destination, f"{session.id}/{manifests.NAME}", manifests.encode(manifest))
            forget(session.id)  # before the record: on a full disk this makes room for it
            records.keep(logs, destination.uri, manifest, disk)
            removal.remove(session.path, manifest, forget, disk)
    except OSError as error:
        what = f"the session can't be archived: {(error.strerror or str(error)).lower()}"
        hint = "it is whole, here or there: run it again"
        raise LogError(what, where=error.filename or logs / name, hint=hint) from error
    return Archived(session.id, destination.uri, report.rows, manifest.bytes, sent, report.damages)


def _settled(logs: Path, session: Session, disk: Disk) -> Session:
    """The session once nobody writes it: ended and sealed."""
    if session.state == "recording":
        raise LogError("the session is being recorded", where=session.path, hint="archive it once it has ended")
    if pins.pinned(session.path):
        raise LogError("the session is pinned", where=session.path, hint=f"`pitwall unpin {session.id}` first")
    if session.state != "ended" or open_segments(session.path):
        recovery.recover(logs, disk)
        session = find(logs, session.id)
    if session.state != "ended":
        hint = "`pitwall verify` tells what is wrong with it"
        raise LogError("the session has no end, and could not be recovered", where=session.path, hint=hint)
    for segment in open_segments(session.path):
        last = reached([segment], session.id)
        if last is not None and last.stop > segment.first:  # sealed later, it would be another session to the archive
            raise LogError("the segment could not be sealed", where=segment.path, hint="nothing was done; run it again")
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
