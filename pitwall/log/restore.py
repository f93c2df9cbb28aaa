"""An archived session in, the session in the log out: all of it, byte for byte as it was, or nothing.

It is brought to `<logs>/.restoring-<session>/<session>`, checked there file by file and as a log, and only then renamed
into its place.  Run again after an interruption, it goes on; a session that is in the log already is not touched.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pitwall.errors import LogError, LossError, UsageError
from pitwall.log import durable, records, removal
from pitwall.log import manifest as manifests
from pitwall.log.destination import Destination
from pitwall.log.disk import DISK
from pitwall.log.manifest import Entry, Manifest
from pitwall.log.removal import Forget, Step, onward
from pitwall.log.session import sessions
from pitwall.log.verify import verify

RESTORING: Final = ".restoring-"
"""Put before the name of a session whose files are on their way back."""

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


def restore(logs: Path, name: str, source: str | None = None, *, forget: Forget, step: Step = onward) -> Restored:
    """Bring the archived session `name` back into `logs`, from where the local record says, or from `source`.

    source: what the session was archived to (a folder or a URI); `name` is its whole id then.
    Raises ArchiveDamagedError where anything there is not as it was put there, LogError where it can't be read or
    written, UsageError where nothing of that name was archived.
    """
    record = None
    if source is None:
        record = records.find(logs, name)
        name, source = record.session, record.at
    if not _NAME.fullmatch(name):
        raise UsageError("no session can be called so", where=repr(name[:80]))
    destination = Destination(source)
    try:
        logs.mkdir(parents=True, exist_ok=True)
        with removal.alone(logs):
            removal.finish(logs, forget, step)
            return _restore(logs, name, destination, record.manifest if record else None, step)
    except OSError as error:
        what = f"the session can't be restored: {(error.strerror or str(error)).lower()}"
        raise LogError(what, where=error.filename or logs, hint="make room, then run it again") from error


def _restore(logs: Path, name: str, destination: Destination, recorded: Manifest | None, step: Step) -> Restored:
    place, around = logs / name, logs / f"{RESTORING}{name}"
    if place.exists():
        shutil.rmtree(around, ignore_errors=True)
        known = next((one for one in sessions(logs) if one.id == name), None)
        return Restored(name, destination.uri, known.rows if known else 0, known.bytes if known else 0, here=True)
    manifest, problems = _manifest(name, destination, recorded)
    durable.make_folder(around / name)
    step("begun")
    damages = []
    for entry in manifest.files:
        damage = _fetch(entry, around / name, destination, name)
        if damage:
            damages.append(damage)
        step(f"fetched {entry.name}")
    damages = damages or _check(around, manifest)
    if damages:
        shutil.rmtree(around)
        raise ArchiveDamagedError(damages, where=destination.where(name))
    step("checked")
    DISK.rename(around / name, place)
    DISK.sync_folder(logs)
    step("renamed")
    around.rmdir()
    if recorded is None:
        records.keep(logs, destination.uri, manifest)
    step("done")
    return Restored(name, destination.uri, manifest.rows, manifest.bytes, here=False, problems=tuple(problems))


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
        hint = "is that what it was archived to?"
        raise UsageError(f"no session {name!r} is archived there", where=destination.where(name), hint=hint)
    raise ArchiveDamagedError([f"{manifests.NAME} is not as it was written"], where=destination.where(name))


def _fetch(entry: Entry, folder: Path, destination: Destination, name: str) -> str | None:
    """Bring one file back; what is wrong with it, if anything is."""
    path = folder / entry.name
    if path.is_file() and _fits(entry, path.read_bytes()):
        return None  # from a restore that was interrupted
    stored = destination.get(f"{name}/{entry.stored}")
    if stored is None:
        return f"{entry.stored} is missing"
    if len(stored) != entry.stored_bytes or hashlib.sha256(stored).hexdigest() != entry.sha256:
        return f"{entry.stored} is not as it was written"
    if entry.encrypted:
        from pitwall.log.encryption import decrypt

        stored = decrypt(stored, Path(entry.stored))
    if not _fits(entry, stored):
        return f"{entry.stored} is not what was archived"
    durable.put(path, stored)
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
