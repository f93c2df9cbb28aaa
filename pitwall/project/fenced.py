"""Rows of channels and control rows in, what is made of them beside out: laps and the coach; and what went wrong there.

Laws:

1. An error in either stops no signal.  It is a row of `problems`, the same however the log is cut into batches: what a
   failed part has said before is taken back, since how much that was depends on where a batch ended.
2. The coach stands on the laps: where those fail, it says nothing either.
3. Rows that can't be told as of now are missing until they can; that alone ends no part.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import pitwall
from pitwall.car import Car
from pitwall.coach.cues import Cue
from pitwall.derive import Rows, Table
from pitwall.project.coach import Coach
from pitwall.project.laps import Laps, Small

logger = logging.getLogger(__name__)

OF_LAPS: Final = ("track", "laps", "sectors", "crossings")
OF_COACH: Final = ("corners", "findings", "incidents", "cues")

PACKAGE: Final = Path(pitwall.__file__).parent


class Fenced:
    """The laps and the coach of one session."""

    def __init__(self, car: Car, tables: Sequence[Table]) -> None:
        """tables: of the car's channels."""
        self._lapping = Laps(car, tables)
        self._coach = Coach(car, tables, self._lapping.tables)
        self.tables = self._lapping.tables
        self._failed: dict[str, str] = {}  # by part, `laps` or `coach`: what ended it
        self._passing: dict[str, str] = {}  # what can't be told as of now, and why
        self._none: dict[str, Small] = {
            "laps": dict.fromkeys((*OF_LAPS, *(table.name for table in self.tables)), ()),
            "coach": dict.fromkeys(OF_COACH, ()),
        }

    def fold(self, rows: Sequence[Rows], control: Sequence[tuple[object, ...]], now_ns: int | None) -> list[Rows]:
        """The rows of `laptime`.  control: rows of the table `control`.  now_ns: of the newest row, if any."""
        found: list[Rows] = []
        if "laps" not in self._failed:
            try:
                found = self._lapping.fold(rows, control)
            except Exception as error:  # noqa: BLE001  # the rim: whatever it is, signals go on
                self._fail("laps", error)
                self._failed.setdefault("coach", "it stands on the laps, and those failed")
        if "coach" not in self._failed and now_ns is not None:
            try:
                self._coach.fold([*rows, *found], self._lapping.closed, self._lapping.course, now_ns)
            except Exception as error:  # noqa: BLE001  # the rim
                self._fail("coach", error)
        return found

    def laps(self) -> Small:
        """The rows of the tables of laps, as of now; the same object until they may differ."""
        if "laps" in self._failed:
            return self._none["laps"]
        return self._now("laps", self._lapping.small, OF_LAPS)

    def coached(self) -> Small:
        """The rows of the coach's tables, as of now; the same object until they may differ."""
        if "coach" in self._failed:
            return self._none["coach"]
        return self._now("coach", self._coach.small, OF_COACH)

    def problems(self) -> list[tuple[object, ...]]:
        """The rows of the table `problems`, as of now."""
        return sorted((self._passing | self._failed).items())

    @property
    def place(self) -> str:
        """Where the first fix was, which says what tracks are near; empty: nowhere yet."""
        return self._lapping.place

    @property
    def cue(self) -> Cue | None:
        """What was said to the driver last."""
        return None if "coach" in self._failed else self._coach.cue

    def behind(self) -> str:
        """What the newest row of `laptime` stands on, in words."""
        return "the laps failed" if "laps" in self._failed else self._lapping.behind()

    def _now(self, part: str, small: Callable[[], Small], tables: Sequence[str]) -> Small:
        try:
            found = small()
        except Exception as error:  # the rim
            if part not in self._passing:
                logger.exception("%s can't be told: a bug in pitwall", part)
            self._passing[part] = reason(error)
            return dict.fromkeys(tables, ())
        self._passing.pop(part, None)
        return found

    def _fail(self, part: str, error: Exception) -> None:
        logger.error("%s failed, and ends for this session: a bug in pitwall", part, exc_info=error)
        self._failed[part] = reason(error)


def reason(error: Exception) -> str:
    """What was raised and where in pitwall: nothing that depends on how many rows came together."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [frame for frame in frames if Path(frame.filename).is_relative_to(PACKAGE)]
    at = f" in {Path(places[-1].filename).relative_to(PACKAGE).as_posix()}, {places[-1].name}" if places else ""
    return f"{type(error).__name__}{at}"
