"""A session's control rows in, what people said of it out: its notes, and its tags, which are those set last.

Law: what is folded as rows come is what is read of the log later.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from pitwall.frames import Control, Flag, Frames, take
from pitwall.log.folder import opening, segments
from pitwall.log.follow import follow
from pitwall.log.place import Damage, Place
from pitwall.log.reader import decode

MAX_TAGS: Final = 16
MAX_TAG: Final = 40
"""Characters of one."""
MAX_NOTES_KEPT: Final = 8_192
"""Characters of a session's notes that it can be found by: two long ones."""


@dataclass(frozen=True, slots=True)
class Remarks:
    """tags: those set last.  notes: how many.  words: of the notes, as far as they are kept."""

    tags: tuple[str, ...] = ()
    notes: int = 0
    words: str = ""

    def and_of(self, frames: Frames) -> Remarks:
        """With what the next rows of the log say."""
        said = self
        for kind, fact in _facts(frames):
            if kind == Control.TAGS:
                said = replace(said, tags=_tags(fact))
            else:
                words = f"{said.words}\n{fact.get('text', '')}".strip()[:MAX_NOTES_KEPT]
                said = replace(said, notes=said.notes + 1, words=words)
        return said


NOTHING: Final = Remarks()


def remarks(path: Path) -> Remarks:
    """What people said of the session in the folder `path`, as far as its log can be read.

    Of segments without control rows only the beginning is read.  LogError: the folder can't be read.
    """
    said, damages = NOTHING, list[Damage]()
    before = 0  # control rows so far
    for first, stop in _stretches(path):
        for found in follow(path, Place(first), damages.append):
            if found is None or (stop is not None and found.first >= stop):
                break
            tag = found.message.tag
            if tag.controls != before or found.first == first:
                said = said.and_of(decode(found, stop))
            before = tag.controls
    return said


def _stretches(path: Path) -> Iterator[tuple[int, int | None]]:
    """The offsets of segments in which there are control rows, or nobody can tell: first, and behind the last."""
    listed = segments(path)
    said = [opening(segment) for segment in listed]
    for i, segment in enumerate(listed):
        if i + 1 == len(listed):
            yield segment.first, None
            continue
        here, there = said[i], said[i + 1]
        if here is None or there is None or here.controls != there.controls:
            yield segment.first, listed[i + 1].first


def _facts(frames: Frames) -> Iterator[tuple[int, Mapping[str, Any]]]:
    control = frames.flags & np.uint8(Flag.CONTROL) != 0
    if frames.more is None or not control.any():
        return
    told = control & np.isin(frames.id, (Control.NOTE, Control.TAGS))
    at = np.flatnonzero(told)
    rows = take(frames, at if frames.order is None else at[np.argsort(frames.order[at])])
    assert rows.more is not None
    for kind, fact in zip(rows.id.tolist(), rows.more.to_pylist(), strict=True):
        try:
            said = json.loads(fact)
        except ValueError:
            said = None
        yield kind, said if isinstance(said, dict) else {"text": fact.decode(errors="replace")}


def _tags(fact: Mapping[str, Any]) -> tuple[str, ...]:
    """Whoever wrote the row: only what can be a tag is one."""
    said = fact.get("tags")
    given = said if isinstance(said, list) else []
    return tuple(dict.fromkeys(one for one in given if isinstance(one, str) and 0 < len(one) <= MAX_TAG))[:MAX_TAGS]
