"""The newest value of every channel: what the projector's thread leaves behind, and what `/live` and `/health` read.

A `Picture` is one moment, whole and frozen; the thread replaces it, the server's loop looks at it. Neither waits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pitwall.errors import LogError
from pitwall.frames import Int64
from pitwall.project.room import Space

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import duckdb
    import numpy.typing as npt

    from pitwall.coach.cues import Cue
    from pitwall.decode.traffic import Heard
    from pitwall.log.published import Recorder
    from pitwall.log.remarks import Remarks
    from pitwall.project.recent import Held

NEVER = -1
"""The `t` of a channel that has had no value yet."""


@dataclass(frozen=True, slots=True)
class LiveChannel:
    """A channel as the page needs it: its name, its unit, and the table (a message or itself) it stands in.

    hold_s: seconds after which a value is stale, where the car says so.
    """

    name: str
    unit: str
    table: str
    source: str
    hold_s: float | None = None


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays in a session: what stays the same while pictures of it follow each other."""

    session: str
    car: str
    started_at_ns: int
    fingerprint: str
    channels: tuple[LiveChannel, ...]
    roles: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Status:
    """How the projector is doing.

    state: "waiting" for a first session, "catching up", "recording", "ended", "interrupted" (its recorder died), or
        "failing" (`error` says why; it is tried again).
    frames_per_s: over the last two seconds of the session.  heard_at_s: time.monotonic() of the newest batch.
    written: offset behind the newest row of the log that was seen.  projected: offset behind the newest row applied.
    committed: offset behind the newest row that queries see.  damages: places of the log that could not be read.
    problems: what of laps or coach failed, and gives nothing.
    """

    state: str = "waiting"
    frames_per_s: float = 0.0
    heard_at_s: float | None = None
    written: int = 0
    projected: int = 0
    committed: int = 0
    damages: int = 0
    error: str = ""
    failures: int = 0
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One moment.  `t` int64 (c,) ns and `v` float64 (c,) are in the order of `cast.channels`; `t` is NEVER at first.

    number: grows with every picture.  cue: what was said to the driver last, if that was just now.
    laps: those that are over, as `lap_answers.lap_facts` has them; the same object until they may differ.
    """

    number: int = 0
    cast: Cast | None = None
    t: Int64 = field(default_factory=lambda: np.empty(0, np.int64))
    v: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty(0, np.float64))
    status: Status = Status()
    cue: Cue | None = None
    laps: Sequence[Mapping[str, Any]] = ()


class Live(Protocol):
    """What the server needs of whoever follows the newest session."""

    def picture(self) -> Picture:
        """The newest picture."""

    def watch(self, told: Callable[[], None]) -> None:
        """From now on `told`, in whatever thread, of every picture that is newer."""

    def cursor(self, session: str) -> duckdb.DuckDBPyConnection | None:
        """A cursor of its own on the projection being built, if `session` is the one it follows."""

    def traffic(self, session: str) -> Heard | None:
        """The newest frame of each id, if `session` is the one it follows, and has caught up with.  For any thread."""

    def remarks(self, session: str) -> Remarks | None:
        """What people said of `session` so far, if it is the one it follows, and has caught up with."""

    def held(self, session: str) -> Held | None:
        """The newest rows of the projection being built, if `session` is the one it follows."""

    def space(self) -> Space:
        """Whether there is room for projections."""

    def problems(self) -> Mapping[str, tuple[str, ...]]:
        """What is wrong with the cars as they are saved, by car: each `file:line: what (hint)`."""

    def successor(self) -> dict[str, Any] | None:
        """What is built beside what is shown, to take its place, and how far it is; None: nothing."""

    def recorder(self) -> Recorder | None:
        """What the process that records says of itself; None: nobody records."""

    def end(self, session: str) -> None:
        """Have the session that is being recorded end.  May take seconds; raises LogError where it can't be."""

    def set_line(self, session: str, fact: Mapping[str, Any]) -> None:
        """Have a start line put into the session's log.  May take seconds; raises LogError where it can't be."""

    def note(self, session: str, fact: Mapping[str, Any]) -> None:
        """Have a person's words put into the session's log.  May take seconds; raises LogError where it can't be."""

    def tag(self, session: str, fact: Mapping[str, Any]) -> None:
        """Have the session's tags put into its log.  May take seconds; raises LogError where they can't be."""

    def keep_answer(self, session: str, fact: Mapping[str, Any]) -> None:
        """Have what a model answered put into the session's log.  May take seconds; raises LogError: it can't be."""


class Still:
    """A `Live` that shows one picture until it is given another: for tests, and for a server with nothing to follow."""

    def __init__(self, picture: Picture | None = None) -> None:
        self._shown = picture or Picture()
        self._told: Callable[[], None] = lambda: None
        self.shown_space = Space()
        self.shown_held: dict[str, Held] = {}
        self.shown_recorder: Recorder | None = None
        self.shown_problems: dict[str, tuple[str, ...]] = {}
        self.ended: list[str] = []
        self.answers: list[tuple[str, Mapping[str, Any]]] = []
        self.lines: list[tuple[str, Mapping[str, Any]]] = []
        self.notes: list[tuple[str, Mapping[str, Any]]] = []
        self.tags: list[tuple[str, Mapping[str, Any]]] = []

    @property
    def shown(self) -> Picture:
        """The picture; whoever watches is told of another."""
        return self._shown

    @shown.setter
    def shown(self, picture: Picture) -> None:
        self._shown = picture
        self._told()

    def picture(self) -> Picture:
        return self._shown

    def watch(self, told: Callable[[], None]) -> None:
        self._told = told

    def cursor(self, session: str) -> duckdb.DuckDBPyConnection | None:
        return None

    def traffic(self, session: str) -> Heard | None:
        return None

    def remarks(self, session: str) -> Remarks | None:
        return None

    def held(self, session: str) -> Held | None:
        return self.shown_held.get(session)

    def space(self) -> Space:
        return self.shown_space

    def problems(self) -> Mapping[str, tuple[str, ...]]:
        return self.shown_problems

    def successor(self) -> dict[str, Any] | None:
        return None

    def recorder(self) -> Recorder | None:
        return self.shown_recorder

    def end(self, session: str) -> None:
        if self.shown_recorder is None:
            raise LogError("nobody records here")
        self.ended.append(session)

    def set_line(self, session: str, fact: Mapping[str, Any]) -> None:
        if self.shown_recorder is None:
            raise LogError("nobody records here")
        self.lines.append((session, fact))

    def note(self, session: str, fact: Mapping[str, Any]) -> None:
        if self.shown_recorder is None:
            raise LogError("nobody records here")
        self.notes.append((session, fact))

    def tag(self, session: str, fact: Mapping[str, Any]) -> None:
        if self.shown_recorder is None:
            raise LogError("nobody records here")
        self.tags.append((session, fact))

    def keep_answer(self, session: str, fact: Mapping[str, Any]) -> None:
        if self.shown_recorder is None:
            raise LogError("nobody records here")
        self.answers.append((session, fact))
