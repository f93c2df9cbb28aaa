"""The tracks that pitwall ships and a user's own in, all that laps are looked for on out; one more written.

The folder is the environment's (`PITWALL_TRACKS`, `--tracks`, or `./tracks` where there is one), so that every process
that builds or reads a projection has the same.  Law: a process reads it once; who saves a track there makes the
projections stale of the sessions that begin near it, and no others.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from pitwall.errors import UsageError
from pitwall.log import durable
from pitwall.track import lapping
from pitwall.track.definition import Line, Track
from pitwall.track.load import load_all, shipped
from pitwall.track.plane import LatLon

VARIABLE: Final = "PITWALL_TRACKS"

MOST: Final = 500
"""Files of the folder: each costs every pipeline a look at where it lies."""


def folder() -> Path:
    """Where a user's own tracks lie, whether there are any or not."""
    return Path(os.environ.get(VARIABLE) or "tracks").absolute()


def own() -> tuple[Track, ...]:
    """The user's own tracks, in the order of their files' names.  UsageError: what is wrong with them, all of it."""
    return _of(folder())


def known() -> tuple[Track, ...]:
    """The user's own tracks and the shipped ones; of two of one name the user's."""
    mine = own()
    names = {track.name for track in mine}
    return (*mine, *(track for track in shipped() if track.name not in names))


def near(place: str) -> str:
    """A digest, 12 hex digits, of the tracks that laps of a session that begins there are looked for on.

    place: as `BuiltFrom` has it; where that is empty no track matters, and it is empty.
    """
    if not place:
        return ""
    lat, lon = map(float, place.split(","))
    prints = [track.fingerprint for track in lapping.near(known(), (lat, lon))]
    return hashlib.sha256(repr(prints).encode()).hexdigest()[:12]


def facts(track: Track, *, mine: bool) -> dict[str, Any]:
    """A track as programs are told of it."""
    return {
        "name": track.name,
        "own": mine,
        "kind": "circuit" if track.finish is None else "point to point",
        "start": [list(track.start.a), list(track.start.b)],
        "sectors": len(track.sectors) + 1 if track.sectors else 0,
        "corners": len(track.corners),
        "source": track.source,
    }


def save(track: Track) -> Path:
    """Writes the track into the user's folder; where.  UsageError: it can't be called so, or there is one already."""
    stem = re.sub(r"[^a-z0-9]+", "-", track.name.lower()).strip("-")
    if not stem:
        raise UsageError("a track's name has letters or digits", where=repr(track.name))
    place = folder()
    file = place / f"{stem[:64]}.yaml"
    if file.exists():
        raise UsageError("there is a track of this name", where=file, hint="remove it, or choose another")
    durable.make_folder(place)
    durable.put(file, written(track).encode())
    _of.cache_clear()
    return file


def written(track: Track) -> str:
    """The track as its file has it."""
    lines = [f"track: {json.dumps(track.name, ensure_ascii=False)}", f"source: {json.dumps(track.source)}"]
    lines.append(f"start: {_line(track.start)}")
    lines += [f"finish: {_line(track.finish)}"] if track.finish is not None else []
    lines += _listed("sectors", [_line(line) for line in track.sectors])
    named = [(json.dumps(corner.name, ensure_ascii=False), corner.apex) for corner in track.corners]
    lines += _listed("corners", [f"{{name: {name}, apex: {_point(apex)}}}" for name, apex in named])
    return "\n".join(lines) + "\n"


@cache
def _of(place: Path) -> tuple[Track, ...]:
    if not place.is_dir():
        if os.environ.get(VARIABLE):
            raise UsageError("there is no such folder", where=place, hint="--tracks names the folder of your tracks")
        return ()
    count = sum(1 for _ in place.glob("*.yaml"))
    if count > MOST:
        raise UsageError(f"{count} tracks; at most {MOST} make sense", where=place, hint="move some elsewhere")
    return load_all(place)


def _listed(key: str, rows: Sequence[str]) -> list[str]:
    return [f"{key}:", *(f"  - {row}" for row in rows)] if rows else []


def _line(line: Line) -> str:
    heading = "" if line.heading_deg is None else f", heading: {line.heading_deg:.1f}"
    return f"{{line: [{_point(line.a)}, {_point(line.b)}]{heading}}}"


def _point(at: LatLon) -> str:
    return f"[{at[0]:.8f}, {at[1]:.8f}]"
