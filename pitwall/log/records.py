"""What was archived from a logs folder, where to and when: one small file a session, which stays when that is gone.

<logs>/.archived/<session>.json    {"at": URI, "manifest": …}
"""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pitwall.errors import UsageError
from pitwall.log import durable
from pitwall.log import manifest as manifests
from pitwall.log.disk import DISK, Disk
from pitwall.log.folder import LATEST
from pitwall.log.manifest import Manifest

FOLDER: Final = ".archived"


@dataclass(frozen=True, slots=True)
class Record:
    """An archived session.  at: the URI (or folder) that it was archived to.  here: whether it is in the log, too."""

    at: str
    manifest: Manifest
    here: bool

    @property
    def session(self) -> str:
        """Its id."""
        return self.manifest.session


def keep(logs: Path, at: str, manifest: Manifest, disk: Disk = DISK) -> None:
    """Record that a session lies in `at`, safe from a loss of power.  Raises OSError."""
    folder = logs / FOLDER
    durable.make_folder(folder, disk)
    about = {"at": at, "manifest": json.loads(manifests.encode(manifest))}
    durable.put(folder / f"{manifest.session}.json", json.dumps(about, indent=1).encode() + b"\n", disk)


def archived(logs: Path) -> list[Record]:
    """Every session that was archived from `logs`, oldest first.  A record that can't be read is left out."""
    found = [record for path in (logs / FOLDER).glob("*.json") if (record := _read(path)) is not None]
    return sorted(found, key=lambda record: (record.manifest.started_at_ns, record.session))


def find(logs: Path, name: str) -> Record:
    """The archived session `name`: its id, the beginning of one id only, or "latest": the newest that is not here.

    Raises UsageError, with what comes close.
    """
    known = archived(logs)
    if name in LATEST and (away := [one for one in known if not one.here]):
        return away[-1]
    fits = [one for one in known if one.session == name]
    fits = fits or [one for one in known if name and one.session.startswith(name)]
    if len(fits) == 1:
        return fits[0]
    if fits:
        ids = ", ".join(one.session for one in fits[:5]) + ", …" * (len(fits) > 5)
        raise UsageError(f"{name!r} is the beginning of {len(fits)} archived sessions", where=logs, hint=ids)
    close = difflib.get_close_matches(name, [one.session for one in known], 3, 0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else "`pitwall sessions --archived` lists them"
    raise UsageError(f"no session {name!r} was archived from here", where=logs, hint=hint)


def _read(path: Path) -> Record | None:
    try:
        about = json.loads(path.read_bytes())
        manifest = manifests.decode(json.dumps(about["manifest"]).encode())
        at = str(about["at"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    if manifest is None or manifest.session != path.stem:
        return None
    return Record(at, manifest, (path.parents[1] / manifest.session).is_dir())
