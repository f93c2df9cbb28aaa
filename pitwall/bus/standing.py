"""How a source is doing, and how long it is waited for: words and limits of those who read and watch sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from pitwall.bus.source import Cause


class State(StrEnum):
    """Of a source.  OPENING is the first; each of the others is told when it begins."""

    OPENING = "opening"  # nothing is known yet
    CONNECTED = "connected"  # open, and its reads come back
    SILENT = "silent"  # open, and no frame comes
    LOST = "lost"  # it can't be opened, failed, or hangs
    RECONNECTED = "reconnected"  # open again after it was lost, or was opened anew because it was silent
    ENDED = "ended"  # it said that nothing will ever come again


FINE: Final = frozenset({State.CONNECTED, State.RECONNECTED})
"""States of a source that gives frames."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a source is waited for, in seconds.

    silent_s: without a frame; the slowest message that a dash needs comes every second.  mute_s: silent, where it has
    spoken before: then it is opened anew, and again with the last of the pauses.  hang_s: for a call of it to come
    back; with the time between two looks less than five seconds, and longer than any driver takes that works.
    pauses_s: between one try to open it and the next; the last for ever.  read_s: a source is asked for so long at
    once: so soon it hears that recording stops.  tell_s: losses of a bus are told once in so long.
    """

    silent_s: float = 2.0
    mute_s: float = 5.0
    hang_s: float = 4.5
    pauses_s: tuple[float, ...] = (1.0, 2.0, 5.0, 10.0)
    read_s: float = 0.1
    tell_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Standing:
    """One source, as of now.

    bus: the bus's name.  since_ns: unix time at which the state began.  why: of a state that is not well.
    frames: heard since recording began.  age_s: of the newest; None: there was none.  lost: by cause, since then too.
    """

    bus: str
    source: str
    state: State = State.OPENING
    since_ns: int = 0
    why: str = ""
    frames: int = 0
    frames_per_s: float = 0.0
    age_s: float | None = None
    lost: Mapping[Cause, int] = field(default_factory=dict)
