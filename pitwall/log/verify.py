"""A session in, a report out: every byte of every segment read and checked, nothing decoded, nothing changed."""

from __future__ import annotations

from dataclasses import dataclass

from pitwall.log.bytefile import is_encrypted
from pitwall.log.folder import Segment, segments
from pitwall.log.follow import follow
from pitwall.log.place import Damage, Place, Torn
from pitwall.log.segment import stranger
from pitwall.log.session import Session


@dataclass(frozen=True, slots=True)
class Report:
    """What `verify` found.

    segments, batches, rows, bytes: read and verified.  damages: what is wrong.
    torn: bytes that stand unverified at the end of the newest segment: a write under way, or cut off by a crash.
    """

    session: str
    segments: int
    batches: int
    rows: int
    bytes: int
    damages: tuple[Damage, ...]
    torn: Torn | None

    @property
    def lost(self) -> int | None:
        """How many rows are lost; None where nothing tells how many."""
        total = 0
        for damage in self.damages:
            if damage.first is not None:
                if damage.last is None:
                    return None
                total += damage.last - damage.first
        return total


def verify(session: Session) -> Report:
    """Read all of `session` and check it.  Raises LogError where it can't be read or is from a newer pitwall."""
    damages: list[Damage] = []
    batches = rows = size = 0
    place = Place(0)
    for found in follow(session.path, place, damages.append):
        if found is None:
            break
        batches += 1
        rows += found.stop - found.first
        size += found.message.tag.length
    torn = place.torn
    if torn is not None and not torn.cut:
        damages.append(Damage(torn.file, torn.position, torn.what, place.at))
    listed = segments(session.path)
    damages += [damage for segment in listed if (damage := _half_headed(segment))]
    told = {damage.file for damage in damages}
    missing = None if session.state == "ended" else place.at  # what such a file held may be what came next
    damages += [
        Damage(segment.path, 0, what, missing)
        for segment in listed
        if segment.path not in told and (what := stranger(segment, place.session or session.id))
    ]
    if session.state == "interrupted" and listed and listed[-1].sealed:
        # a segment is sealed once there is another, or the session has its end
        last = listed[-1].path
        damages.append(Damage(last, last.stat().st_size, "what followed this segment is missing", place.at))
    return Report(
        session=session.id,
        segments=len(listed),
        batches=batches,
        rows=rows,
        bytes=size,
        damages=tuple(damages),
        torn=torn,
    )


def _half_headed(segment: Segment) -> Damage | None:
    """The damage to an encrypted segment of which one header is not whole: it is read by the other."""
    if not is_encrypted(segment.path):
        return None
    from pitwall.log.encryption import damaged_header  # late: who has no key does without its library

    position = damaged_header(segment.path)
    return None if position is None else Damage(segment.path, position, "one of the file's two headers is damaged")
