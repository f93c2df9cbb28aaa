"""What the coach's endpoints share: the rules' advice, and a model that may word it, within a time.

Laws: within ANSWER_S an answer is there, from the rules if the model has none by then; a model's answer is kept as a
control row by way of the recorder, where there is one; nothing of it outlives the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pitwall.errors import LogError
from pitwall.serve.advising import Advising, FindingsOf
from pitwall.serve.limits import KEEPING
from pitwall.serve.model.agents import Agents
from pitwall.serve.model.desk import Desk
from pitwall.serve.model.health import KEEP_S, Health
from pitwall.serve.model.rows import Rows, ToolError
from pitwall.serve.model.tools import TOOL_S, call
from pitwall.serve.problem import Problem

if TYPE_CHECKING:
    from pitwall.serve.model.desk import Toolbox
    from pitwall.serve.model.settings import Settings
    from pitwall.serve.model.writing import Task, Writing
    from pitwall.serve.newest import Live
    from pitwall.serve.reading import Readings

logger = logging.getLogger("pitwall.serve")

ANSWER_S: Final = 2.3
"""From a request to its answer; what is left of 2.5 s is for putting it on its way."""


@dataclass(frozen=True, slots=True)
class Worded:
    """What became of a model's answer.  words: empty: there is none.  why: not.  pending: it is still being written."""

    words: str = ""
    why: str = ""
    pending: bool = False
    rows: tuple[dict[str, Any], ...] = ()


class Coaching:
    """One server's.  kept, unkept: answers that stand in a log, and that do not."""

    def __init__(self, settings: Settings, readings: Readings, live: Live, findings_of: FindingsOf) -> None:
        self.health = Health(settings)
        self.desk = Desk(self.health, self._keep)
        self.agents = Agents(settings.agents)
        self.advising = Advising(readings, findings_of)
        self.kept = self.unkept = 0
        self._readings = readings
        self._live = live
        self._keeping: set[asyncio.Task[None]] = set()
        self._watching: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begins to look after the model."""
        self._watching = {asyncio.create_task(self.health.watch()), asyncio.create_task(self._tidy())}

    def stop(self) -> None:
        """Ends all of it, soon: who waits for a model's answer gets the rules'."""
        for task in self._watching:
            task.cancel()
        self.desk.stop()

    async def closed(self) -> None:
        """Returns when all has ended; raises what ended the watch, if anything did."""
        await self.desk.closed()
        results = await asyncio.gather(*self._watching, *self._keeping, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                logger.error("what looks after the language model failed", exc_info=result)

    async def begin(self, task: Task, until_s: float) -> Writing | Worded:
        """The writing of `task`; or why there is none.  until_s: of the loop's time; a probe takes no longer."""
        try:
            async with asyncio.timeout_at(until_s):
                writing = await self.desk.write(task, self._tools(task))
        except TimeoutError:
            return Worded(why="no time was left for the language model")
        return Worded(why=writing) if isinstance(writing, str) else writing

    async def word(self, task: Task, until_s: float) -> Worded:
        """What the model makes of `task` until then."""
        writing = await self.begin(task, until_s)
        if isinstance(writing, Worded):
            return writing
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until_s):
                await writing.over()
        return worded(writing)

    def report(self) -> dict[str, Any]:
        """As `/health` has it."""
        counts = {"kept": self.kept, "unkept": self.unkept}
        return self.health.report() | self.desk.report() | counts

    def _tools(self, task: Task) -> Toolbox:
        async def tools(name: str, arguments: str) -> Rows:
            allowed = task.agent.tools
            try:
                async with asyncio.timeout(TOOL_S):
                    told = await self._readings.ask(task.session, lambda cursor: call(cursor, name, arguments, allowed))
            except TimeoutError as error:
                raise ToolError(f"took longer than {TOOL_S:g} s; ask for less") from error
            except Problem as error:
                raise ToolError(error.detail) from error
            return told.answer

        return tools

    def _keep(self, session: str, fact: dict[str, Any]) -> None:
        if len(self._keeping) >= KEEPING:
            self.unkept += 1
            return
        task = asyncio.create_task(self._put(session, fact))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    async def _put(self, session: str, fact: dict[str, Any]) -> None:
        try:
            await asyncio.to_thread(self._live.keep_answer, session, fact)
        except LogError as error:
            self.unkept += 1
            logger.info("%s: a model's answer is not in the log: %s", session, error)
        else:
            self.kept += 1

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(KEEP_S)
            self.agents.let_go()


def worded(writing: Writing) -> Worded:
    """What a writing has come to by now."""
    if not writing.done:
        return Worded(why="the language model is still writing: ask again", pending=True)
    if writing.why:
        return Worded(why=writing.why)
    return Worded(writing.words, rows=tuple(writing.rows))
