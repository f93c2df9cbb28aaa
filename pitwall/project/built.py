"""What a projection was built from.  It is stale exactly when one of these would differ now."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BuiltFrom:
    """What a generation knows of itself: the row of its table `built_from`.

    session: the session's id.  fingerprint: of the pipeline, 64 hex digits.  code: version of the code it ran.
    offset: of the log: the rows before it are in here.  lost: how many of those rows the log could not give (damage).
    complete: the session's end is among them.  place: where the car first knew to be, `lat,lon` in degrees; empty:
    nowhere yet.  tracks: a digest of the tracks near there, on which laps were looked for (`tracks.near`).
    """

    session: str
    fingerprint: str
    code: str
    offset: int = 0
    lost: int = 0
    complete: bool = False
    place: str = ""
    tracks: str = ""
