"""What is to be worded, and an answer on its way: it goes on whoever waits for it.

Who asks again finds it, under way or done; who follows it sees each sentence once it has been checked.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pitwall.coach.finding import Level
from pitwall.serve.model.agents import Agent
from pitwall.serve.model.ground import Ground


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be worded.  figures: as JSON.  ground: what they hold.  question: empty where none was asked.

    must_name: of which the answer must name one at least: a corner of the advice; empty: whatever it stands on will do.
    """

    agent: Agent
    level: Level
    session: str
    figures: Mapping[str, Any]
    ground: Ground
    question: str = ""
    must_name: frozenset[str] = frozenset()

    @property
    def key(self) -> str:
        """The same for tasks that would be answered alike."""
        told = [self.agent.name, self.agent.system, self.level, self.session, self.figures, self.question]
        return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


@dataclass(slots=True, eq=False)
class Writing:
    """One answer on its way.  words: checked so far.  done: it is over, since `done_s`.  why: then, why there is none.

    refused: what it was that was not taken.  ground: what it may stand on, with what was looked up (`rows`).
    """

    task: Task
    words: str = ""
    why: str = ""
    done: bool = False
    done_s: float = 0.0
    refused: str = ""
    ground: Ground = field(default_factory=Ground)
    rows: list[dict[str, Any]] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def over(self) -> None:
        """Returns once it is done."""
        while not self.done:
            await self._changed.wait()

    async def changed_from(self, words: str) -> None:
        """Returns once it is over, or its words are others."""
        while not self.done and self.words == words:
            await self._changed.wait()

    def told(self, words: str) -> None:
        """The words as they are now."""
        self.words = words
        self._wake()

    def end(self, why: str = "") -> None:
        """It is over."""
        self.done, self.why = True, why
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
