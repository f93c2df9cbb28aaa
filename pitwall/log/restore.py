"""An archived session in, the session in the log out: all of it, byte for byte as it was, or nothing.

It is brought to `<logs>/.restoring-<session>/<session>`, checked there file by file and as a log, and only then renamed
into its place.  Run again after an interruption, it goes on; a session that is in the log already is not touched.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pitwall.errors import LogError, LossError, UsageError
from pitwall.log import durable, records, removal
from pitwall.log import manifest as manifests
from pitwall.log.copying import Told, untold
from pitwall.log.destination import Destination, Moved
from pitwall.log.disk import DISK, Disk
from pitwall.log.manifest import Entry, Manifest
from pitwall.log.removal import Forget
from pitwall.log.session import sessions
from pitwall.log.verify import verify

RESTORING: Final = ".restoring-"
"""Put before the name of a session whose files are on their way back."""

SPARE_BYTES: Final = 64 << 20
"""Room that a restored session leaves on the disk: whoever records there needs it more."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class ArchiveDamagedError(LossError):
    """Files of an archived session are missing, or not what was put there.  problems: each of them."""

    def __init__(self, problems: list[str], *, where: str) -> None:
        what = f"the archived session is damaged: {problems[0]}"
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        super().__init__(
            what + more, where=where, hint="nothing was restored; its files are segments, to be read as they are"
        )
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Restored:
    """A session that is in the log.  at: where it came from.  here: it was in the log before, and nothing was done.

    problems: what was wrong with the archive, and made up for by the local record.
    """

    session: str
    at: str
    rows: int
    bytes: int
    here: bool
    problems: tuple[str, ...] = ()


def restore(
    logs: Path,
    name: str,
    source: str | Destination | None = None,
    *,
    forget: Forget,
    told: Told = untold,
    disk: Disk = DISK,
) -> Restored:
    """Bring the archived session `name` back into `logs`, from where the local record says, or from `source`.

    source: what the session was archived to (a folder or a URI); `name` is its whole id then.
    Raises ArchiveDamagedError where anything there is not as it was put there, LogError where it can't be read or
    written, or there is no room, UsageError where nothing of that name was archived; and what `told` raises.
    """
    record = None
    if source is None:
        record = records.find(logs, name)
        name, source = record.session, record.at
    if not _NAME.fullmatch(name):
        raise UsageError("no session can be called so", where=repr(name[:80]))
    destination = source if isinstance(source, Destination) else Destination(source, disk)
    try:
        durable.make_folder(logs, disk)
        with removal.alone(logs):
            removal.finish(logs, forget, disk)
            return _restore(logs, name, destination, record.manifest if record else None, told, disk)
    except OSError as error:
        what = f"the session can't be restored: {(error.strerror or str(error)).lower()}"
        raise LogError(what, where=error.filename or logs, hint="make room, then run it again") from error


def _restore(
    logs: Path, name: str, destination: Destination, recorded: Manifest | None, told: Told, disk: Disk
) -> Restored:
    place, around = logs / name, logs / f"{RESTORING}{name}"
    if place.exists():
        _clear(around, disk)
        known = next((one for one in sessions(logs) if one.id == name), None)
        return Restored(name, destination.uri, known.rows if known else 0, known.bytes if known else 0, here=True)
    manifest, problems = _manifest(name, destination, recorded)
    _check_room(manifest, around / name, disk)
    damages = _bring(manifest, around / name, destination, told, disk) or _check(around, manifest)
    if damages:
        _clear(around, disk)
        raise ArchiveDamagedError(damages, where=destination.where(name))
    disk.rename(around / name, place)
    disk.sync_folder(logs)
    _clear(around, disk)
    if recorded is None:
        records.keep(logs, destination.uri, manifest, disk)
    return Restored(name, destination.uri, manifest.rows, manifest.bytes, here=False, problems=tuple(problems))


def _check_room(manifest: Manifest, folder: Path, disk: Disk) -> None:
    """LogError where the disk has no room for what is still to come, and some to record on."""
    here = sum(path.stat().st_size for entry in manifest.files if (path := folder / entry.name).is_file())
    needed, free = manifest.bytes - here + SPARE_BYTES, disk.space(folder.parents[1]).free
    if free < needed:
        what = f"there is no room: it takes {needed / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB are free"
        raise LogError(what, where=folder.parents[1], hint="archive or remove other sessions first")


def _bring(manifest: Manifest, folder: Path, destination: Destination, told: Told, disk: Disk) -> list[str]:
    """Have the session's files in `folder`; what is wrong with those that can't be had."""
    durable.make_folder(folder, disk)
    damages = []
    total = sum(entry.stored_bytes for entry in manifest.files)
    done = 0
    for entry in manifest.files:
        before = done

        def moved(count: int, before: int = before, most: int = entry.stored_bytes) -> None:
            nonlocal done
            done = min(done + count, before + most)
            told(done, total)

        damage = _fetch(entry, folder, destination, moved, disk)
        if damage:
            damages.append(damage)
        done = before + entry.stored_bytes
        told(done, total)
    return damages


def _clear(around: Path, disk: Disk) -> None:
    """Have no trace of a session on its way back."""
    for folder in (*around.glob("*/"), around):
        if folder.is_dir():
            for path in sorted(folder.iterdir()):
                disk.unlink(path)
            disk.remove_folder(folder)


def _manifest(name: str, destination: Destination, recorded: Manifest | None) -> tuple[Manifest, list[str]]:
    """What the archived session is made of, by its manifest there or else by the local record; what is wrong there."""
    place = f"{name}/{manifests.NAME}"
    data = destination.get(place)
    manifest = manifests.decode(data) if data is not None else None
    if manifest is not None and manifest.session == name and all(_NAME.fullmatch(one.name) for one in manifest.files):
        return manifest, []
    if recorded is not None:
        what = "missing" if data is None else "damaged"
        return recorded, [f"{destination.where(place)}: {what}; the record of it here was used"]
    if data is None:
        hint = "is that what it was archived to, and the whole of its name?"
        raise UsageError(f"no session {name!r} is archived there", where=destination.where(name), hint=hint)
    raise ArchiveDamagedError([f"{manifests.NAME} is not as it was written"], where=destination.where(name))


def _fetch(entry: Entry, folder: Path, destination: Destination, moved: Moved, disk: Disk) -> str | None:
    """Bring one file back; what is wrong with it, if anything is."""
    path = folder / entry.name
    if path.is_file() and _fits(entry, disk.read(path)):
        return None  # from a restore that was interrupted
    stored = destination.get(f"{folder.name}/{entry.stored}", moved)
    if stored is None:
        return f"{entry.stored} is missing"
    if len(stored) != entry.stored_bytes or hashlib.sha256(stored).hexdigest() != entry.sha256:
        return f"{entry.stored} is not as it was written"
    if entry.encrypted:
        from pitwall.log.encryption import decrypt

        stored = decrypt(stored, Path(entry.stored))
    if not _fits(entry, stored):
        return f"{entry.stored} is not what was archived"
    durable.put(path, stored, disk)
    return None


def _fits(entry: Entry, data: bytes) -> bool:
    return len(data) == entry.bytes and zlib.crc32(data) == entry.crc32


def _check(around: Path, manifest: Manifest) -> list[str]:
    """What is wrong with the session that was brought back, beyond what was wrong when it was archived."""
    found = next(iter(sessions(around)), None)
    if found is None:
        return ["no session came back"]
    report = verify(found)
    if report.rows != manifest.rows or len(report.damages) != manifest.damages:
        what = f"{report.rows} of {manifest.rows} rows came back"
        return [what, *(str(damage) for damage in report.damages)]
    return []
