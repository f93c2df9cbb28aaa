"""A task in, checked words out: has the model write, calls its tools, and takes nothing whose numbers are not given.

Laws: at most WRITINGS at once, each at most WRITE_S, FIRST_S to its first word and GAP_S between two; at most KEPT done
ones are remembered; what is handed out has been checked, whole sentences at a time; what a model answered is handed to
`keep`, once.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Final

from pitwall.serve.model import client, sense
from pitwall.serve.model.exchange import ModelError
from pitwall.serve.model.ground import judge, whole_sentences
from pitwall.serve.model.health import Health
from pitwall.serve.model.rows import Rows, ToolError
from pitwall.serve.model.sense import MAX_CHARS
from pitwall.serve.model.settings import DEFAULT_URL
from pitwall.serve.model.tools import TOOLS
from pitwall.serve.model.writing import Task, Writing

logger = logging.getLogger("pitwall.serve")

WRITINGS: Final = 2
"""A machine beside the car writes one thing at a time; the second waits in the model's server."""
WRITE_S: Final = 60.0
"""A phone writes five words a second: 300 in a minute."""
FIRST_S: Final = 25.0
"""It reads what it is told first: some 100 words a second."""
GAP_S: Final = 8.0
KEPT: Final = 64
"""Answers remembered: some 4 kB each."""
LOOKED_UP_S: Final = 30.0
"""For so long an answer that was looked up is good: a session that is being recorded goes on."""
REFUSED_S: Final = 60.0
"""For so long an answer that was refused is not asked for again: the same question gives the same answer."""
MAX_FACTS: Final = 24_000
"""Characters of figures that a model is given, with what its tools found: 8,000 tokens."""

RULES: Final = (
    "You are the coach of a racing driver. You are given figures, as JSON, that were measured and computed. "
    "Write in English, in plain sentences, without headings, lists or markup. "
    "Write every number in digits, exactly as it is given or rounded, with its unit; never compute, estimate or "
    "invent one, and name no lap and no corner that is not given. "
    "Write lap times as they are given. Where the figures don't tell, say so."
)
"""What every agent is told first."""

Toolbox = Callable[[str, str], Awaitable[Rows]]
"""Calls a tool: name and arguments in, rows out.  ToolError: it can't be called so."""


class RefusedError(Exception):
    """What the model wrote is not taken: `str` says why.  words: what it was."""

    def __init__(self, why: str, words: str) -> None:
        super().__init__(why)
        self.words = words or "(nothing)"


class Desk:
    """Where answers are written.  answered, rejected, failed: how many were taken, refused, and came to nothing."""

    def __init__(
        self, health: Health, keep: Callable[[str, dict[str, Any]], None] = lambda session, fact: None
    ) -> None:
        """keep: has a fact put into a session's log; returns at once."""
        self.health = health
        self.answered = self.rejected = self.failed = 0
        self._keep = keep
        self._model = health.settings.model
        self._writings: OrderedDict[str, Writing] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def write(self, task: Task, tools: Toolbox) -> Writing | str:
        """The writing of `task`, begun if it must be; or why there is none.  Asks the model's server if it is up."""
        key = task.key
        known = self._writings.get(key)
        if known is not None and not self._is_stale(known):
            self._writings.move_to_end(key)
            return known
        health = self.health
        if not health.settings.url:
            return "no language model is set up"
        if self._stopping:
            return "the server stops"
        if health.breaker.state(health.clock()) == "open":
            return f"the language model is left alone for a while: it {health.last_error or 'failed'}"
        if not await health.is_up():
            if health.settings.url == DEFAULT_URL and not health.met:
                return "no language model is set up"  # where one is looked for by itself
            return f"the language model is down: it {health.last_error}"
        known = self._writings.get(key)
        if known is not None and not self._is_stale(known):
            return known  # begun by somebody else while the probe was under way
        if len(self._tasks) >= WRITINGS:
            return "the language model is busy"
        if not health.breaker.may_call(health.clock()):
            return "the language model is being tried"
        writing = Writing(task, ground=task.ground)
        self._writings[key] = writing
        self._writings.move_to_end(key)
        running = asyncio.create_task(self._run(writing, tools))
        self._tasks.add(running)
        running.add_done_callback(self._tasks.discard)
        while len(self._writings) > KEPT:
            self._writings.popitem(last=False)
        return writing

    def stop(self) -> None:
        """Ends what is under way, soon; nothing begins any more."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()

    async def closed(self) -> None:
        """Returns when nothing is."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def report(self) -> dict[str, Any]:
        """As `/health` has it."""
        return {
            "answered": self.answered,
            "rejected": self.rejected,
            "failed": self.failed,
            "writing": len(self._tasks),
        }

    def _is_stale(self, writing: Writing) -> bool:
        """Whether it came to nothing, or may be another by now, and is to be written anew."""
        if not writing.done:
            return False
        age_s = self.health.clock() - writing.done_s
        if writing.why:
            return not writing.refused or age_s > REFUSED_S
        return bool(writing.task.agent.tools) and age_s > LOOKED_UP_S

    async def _run(self, writing: Writing, tools: Toolbox) -> None:
        health = self.health
        try:
            async with asyncio.timeout(WRITE_S):
                words = await self._written(writing, tools)
        except RefusedError as error:
            health.breaker.succeeded()  # a server that lies is up
            self.rejected += 1
            writing.refused = error.words
            self._end(writing, f"what the model wrote was refused: {error}")
            logger.info("%s: the model's %s was refused: %s", writing.task.session, writing.task.agent.name, error)
        except (ModelError, TimeoutError) as error:
            self.failed += 1
            what = str(error) or f"took longer than {WRITE_S:g} s"
            health.call_failed(what)
            self._model = health.settings.model  # it may be another one that comes back
            self._end(writing, f"the language model {what}")
        except asyncio.CancelledError:
            health.breaker.gave_up()
            self._end(writing, "the server stops")
            raise
        except Exception as error:
            self.failed += 1
            health.breaker.gave_up()
            logger.exception("the model's answer could not be had")
            self._end(writing, f"{type(error).__name__} while it was asked")
        else:
            health.breaker.succeeded()
            self.answered += 1
            writing.told(words)
            self._end(writing)
        if not writing.why or writing.refused:
            self._keep(writing.task.session, self._fact(writing))

    def _end(self, writing: Writing, why: str = "") -> None:
        writing.done_s = self.health.clock()
        writing.end(why)

    async def _written(self, writing: Writing, tools: Toolbox) -> str:
        """What the model answers, checked.  RefusedError, ModelError, TimeoutError."""
        task = writing.task
        limits = task.agent.limits
        if not self._model:
            try:
                async with asyncio.timeout(GAP_S):
                    self._model = await client.first_model(self.health.settings)
            except TimeoutError:
                raise ModelError("does not say which models it has") from None
        messages: list[dict[str, Any]] = [
            {"role": "system", "content": f"{RULES} {task.agent.system} {task.agent.levels[task.level]}"},
            {"role": "user", "content": _told(task)},
        ]
        given, words = len(messages[1]["content"]), ""
        for turn in range(limits.rounds + 1):
            offered = task.agent.tools if turn < limits.rounds and given < MAX_FACTS else ()
            words, calls = await self._turn(writing, messages, offered)
            if not calls:
                return self._checked(writing, words)
            if not offered:
                raise RefusedError("it calls tools instead of answering", words)
            writing.told("")  # what it said before it looked is not its answer
            messages.append(
                {"role": "assistant", "content": words or None, "tool_calls": [_call(call) for call in calls]}
            )
            for call in calls:
                found = (await self._called(writing, call, tools))[: max(0, MAX_FACTS - given)]
                given += len(found)
                messages.append({"role": "tool", "tool_call_id": call.id, "content": found})
        raise RefusedError("it calls tools instead of answering", words)

    async def _turn(
        self, writing: Writing, messages: list[dict[str, Any]], offered: tuple[str, ...]
    ) -> tuple[str, list[client.Call]]:
        """One turn: its words, and the calls that it wants made.  Words are handed on as they have been checked."""
        limits = writing.task.agent.limits
        descriptions = [TOOLS[name].described(name) for name in offered]
        thought, words, calls = "", "", list[client.Call]()
        chat = client.chat(self.health.settings, self._model, messages, tools=descriptions, tokens=limits.tokens)
        try:
            wait_s = FIRST_S
            while True:
                try:
                    async with asyncio.timeout(wait_s):
                        piece = await anext(chat)
                except StopAsyncIteration:
                    return words.strip(), calls
                except TimeoutError:
                    raise ModelError(f"said nothing for {wait_s:g} s") from None
                wait_s = GAP_S
                if isinstance(piece, client.Call):
                    calls.append(piece)
                    continue
                thought += piece.text
                words = _without_thoughts(thought)
                if len(words) > limits.chars:
                    raise RefusedError(f"it is longer than {limits.chars:,} characters", words)
                self._hand_on(writing, words)
        finally:
            await chat.aclose()

    def _hand_on(self, writing: Writing, words: str) -> None:
        """The sentences that are whole, once each number of them is given."""
        whole = whole_sentences(words)
        if whole <= len(writing.words):
            return
        wrong = judge(words[:whole], writing.ground).wrong
        if wrong:
            raise RefusedError(_wrong(wrong), words)
        writing.told(words[:whole])

    def _checked(self, writing: Writing, words: str) -> str:
        task = writing.task
        against = sense.against(words)
        if against:
            raise RefusedError(against, words)
        verdict = judge(words, writing.ground)
        if verdict.wrong:
            raise RefusedError(_wrong(verdict.wrong), words)
        if not verdict.stands_on:
            raise RefusedError("it stands on no figure", words)
        if task.must_name and not any(name.lower() in words.lower() for name in task.must_name):
            raise RefusedError("it speaks of none of the corners that matter", words)
        return words

    async def _called(self, writing: Writing, call: client.Call, tools: Toolbox) -> str:
        try:
            rows = await tools(call.name, call.arguments)
        except ToolError as error:
            return json.dumps({"error": str(error)})
        writing.ground |= rows.ground()
        facts = rows.facts()
        writing.rows.append({"tool": call.name, "arguments": call.arguments, **facts})
        return json.dumps(facts, default=str)

    def _fact(self, writing: Writing) -> dict[str, Any]:
        """What the control row says: it is not repeatable, and stands there as it was."""
        task = writing.task
        return {
            "agent": task.agent.name,
            "level": str(task.level),
            "question": task.question or None,
            "model": self._model,
            "words": writing.words if not writing.why else None,
            "refused": writing.why or None,
            "said": writing.refused[:MAX_CHARS] or None,
            "figures": task.key,
        }


def _without_thoughts(text: str) -> str:
    """What is meant to be heard: some models think aloud first, between <think> and </think>."""
    if not text.lstrip().startswith("<think>"):
        return "" if "<think>".startswith(text.strip()) else text
    return text.partition("</think>")[2].lstrip()


def _told(task: Task) -> str:
    """What the driver's side of the talk says: the figures, and the question."""
    figures = json.dumps(task.figures, default=str)[:MAX_FACTS]
    return f"Figures: {figures}" + (f"\nQuestion: {task.question}" if task.question else "")


def _call(call: client.Call) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _wrong(wrong: tuple[str, ...]) -> str:
    shown = ", ".join(repr(each[:40]) for each in wrong[:5])
    return f"{shown} {'is' if len(wrong) == 1 else 'are'} not among the figures"
