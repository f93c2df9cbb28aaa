"""`GET /coach/brief`, `GET /coach/debrief`, `POST /coach/ask`, `GET /coach/agents`: what the coach says.

Each answer has its `source`, "rules" or "model", the figures that it stands on and links to laps. The rules always have
one; a model may word it, in time. Asked to `stream`, it comes as server-sent events: `rules` at once, `words` (all of
them so far, checked) as the model writes, and `answer`, the last one, as it would have come without.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

from msgspec import UNSET, Meta, Struct, UnsetType

from pitwall.coach.advice import Brief, Debrief, as_facts
from pitwall.coach.finding import Level, Link
from pitwall.errors import UsageError
from pitwall.serve.advising import figures_of, ground_of, told_of
from pitwall.serve.answers import Row
from pitwall.serve.asking import answer_to
from pitwall.serve.broadcast import event
from pitwall.serve.coaching import ANSWER_S, Worded, worded
from pitwall.serve.limits import MAX_LINKS, MAX_QUESTION, MAX_QUESTION_BYTES
from pitwall.serve.model.ground import Ground
from pitwall.serve.model.writing import Task
from pitwall.serve.operations import EVENTS, JSON, OF_A_SESSION, operation
from pitwall.serve.parameters import Nothing
from pitwall.serve.problem import Problem
from pitwall.serve.serving import LIVE, answer

if TYPE_CHECKING:
    from sanic.response import HTTPResponse

    from pitwall.serve.asking.reply import Reply
    from pitwall.serve.model.writing import Writing
    from pitwall.serve.reading import Told
    from pitwall.serve.serving import Request, Serving

PING_S: Final = 5.0
"""A stream whose model thinks still shows that it is there."""
PROBLEMS: Final = (*OF_A_SESSION, "too-often")


@dataclass(frozen=True, slots=True)
class Said:
    """What the rules say: `facts`, as the API has it, and what a model may word of it; None: it may not, for `why`."""

    facts: Mapping[str, Any]
    task: Task | None
    why: str = ""

    def with_words(self, from_model: Worded) -> dict[str, Any]:
        """The whole answer."""
        why = self.why or from_model.why
        if not from_model.words:
            return {**self.facts, "source": "rules", "why": why or None, "pending": from_model.pending}
        looked_up = list(from_model.rows)
        return {
            **self.facts,
            "source": "model",
            "why": None,
            "pending": False,
            "words": from_model.words,
            "looked_up": looked_up,
        }


Session = Annotated[str, Meta(description="a session's id; the live one, or else the newest, unless said")]


class OfBrief(Struct, frozen=True, forbid_unknown_fields=True):
    """Before driving."""

    session: Session = LIVE
    level: Level = Level.INTERMEDIATE
    stream: Annotated[bool, Meta(description="as server-sent events: rules, words, answer")] = False


class OfDebrief(Struct, frozen=True, forbid_unknown_fields=True):
    """After driving."""

    session: Session = LIVE
    level: Level = Level.INTERMEDIATE
    against: Annotated[str, Meta(description="another session; else the beginning of this one")] = ""
    stream: Annotated[bool, Meta(description="as server-sent events: rules, words, answer")] = False


class Question(Struct, frozen=True, forbid_unknown_fields=True):
    """A question."""

    question: Annotated[str, Meta(description="in words", examples=["Where do I lose the most?"])]
    session: Session = LIVE
    level: Level = Level.INTERMEDIATE
    agent: Annotated[str, Meta(description="who answers; /coach/agents lists them")] = "ask"
    stream: Annotated[bool, Meta(description="as server-sent events: rules, words, answer")] = False


class Advice(Struct):
    """What the coach says: `words`, and the figures and laps that they stand on.

    source: `rules`, or `model` where a language model worded it; why: it did not.  pending: it is still at it.
    points: three things to work on at most; sessions: that a brief looked back on; changes: against what a debrief is
    held, worth what.
    """

    kind: str
    session: str
    level: Level
    words: str
    source: str
    why: str | None
    pending: bool
    figures: Any
    links: list[Row]
    fingerprint: str
    stale: bool
    complete: bool
    points: list[Row] | UnsetType = UNSET
    sessions: list[str] | UnsetType = UNSET
    best_lap: int | UnsetType | None = UNSET
    best_s: float | UnsetType | None = UNSET
    laps: int | UnsetType = UNSET
    changes: list[Row] | UnsetType = UNSET
    against: str | UnsetType = UNSET
    question: str | UnsetType = UNSET
    understood: str | UnsetType | None = UNSET
    looked_up: list[Row] | UnsetType = UNSET


class Agents(Struct):
    """Who can be asked."""

    agents: list[Row]


@operation("GET", "/coach/agents", answers=Agents, problems=("too-often",))
async def agents(request: Request, _: Nothing) -> HTTPResponse:
    """Who words the coach's answers, and whether each is loaded."""
    return answer({"agents": request.app.ctx.coaching.agents.report()})


@operation("GET", "/coach/brief", takes=OfBrief, answers=Advice, problems=PROBLEMS, media=(JSON, EVENTS))
async def brief(request: Request, wanted: OfBrief) -> HTTPResponse | None:
    """Three things to work on, from history."""
    begun_s = _now_s()
    serving = request.app.ctx
    session = await serving.session(wanted.session)
    told = await serving.coaching.advising.brief(session, wanted.level)
    return await _answer(request, _of_advice(serving, told, "brief", session), begun_s, wanted.stream)


@operation("GET", "/coach/debrief", takes=OfDebrief, answers=Advice, problems=PROBLEMS, media=(JSON, EVENTS))
async def debrief(request: Request, wanted: OfDebrief) -> HTTPResponse | None:
    """What changed, what it was worth, what next."""
    begun_s = _now_s()
    serving = request.app.ctx
    session = await serving.session(wanted.session)
    against = await serving.session(wanted.against) if wanted.against else ""
    told = await serving.coaching.advising.debrief(session, wanted.level, against)
    return await _answer(request, _of_advice(serving, told, "debrief", session), begun_s, wanted.stream)


@operation(
    "POST",
    "/coach/ask",
    takes=Question,
    answers=Advice,
    problems=(*PROBLEMS, "unknown-agent", "too-long"),
    media=(JSON, EVENTS),
    most_bytes=MAX_QUESTION_BYTES,
)
async def ask(request: Request, wanted: Question) -> HTTPResponse | None:
    """A question, answered from the data."""
    begun_s = _now_s()
    serving = request.app.ctx
    question = _question(wanted.question)
    session = await serving.session(wanted.session or LIVE)
    agent = wanted.agent or "ask"
    if agent not in serving.coaching.agents.names():
        raise Problem("unknown-agent", f"there is no agent {agent[:80]!r}", hint="see /coach/agents")
    told = await serving.readings.ask(session, answer_to(question, session, wanted.level, serving.coaching.advising))
    return await _answer(
        request, _of_reply(serving, told, agent, session, wanted.level, question), begun_s, wanted.stream
    )


OPERATIONS: Final = (agents, brief, debrief, ask)


async def _answer(request: Request, said: Said, begun_s: float, stream: bool) -> HTTPResponse | None:
    coaching = request.app.ctx.coaching
    until_s = begun_s + ANSWER_S
    if stream:
        await _stream(request, said, until_s)
        return None
    return answer(said.with_words(await coaching.word(said.task, until_s) if said.task else Worded()))


async def _stream(request: Request, said: Said, until_s: float) -> None:
    response = await request.respond(content_type="text/event-stream", headers={"X-Accel-Buffering": "no"})

    async def send(kind: str, body: object) -> None:
        await response.send(event("-", kind, body))

    await send("rules", said.with_words(Worded(pending=said.task is not None)))
    writing: Writing | Worded = Worded()
    if said.task is not None:
        writing = await request.app.ctx.coaching.begin(said.task, until_s)
    if not isinstance(writing, Worded):
        told = ""
        while not writing.done:
            try:
                async with asyncio.timeout(PING_S):
                    await writing.changed_from(told)
            except TimeoutError:
                await response.send(b": ping\n\n")
            if writing.words != told:
                told = writing.words
                await send("words", {"words": told})
        writing = worded(writing)
    await send("answer", said.with_words(writing))
    await response.eof()


def _of_advice(serving: Serving, told: Told[Any], kind: str, session: str) -> Said:
    advice: Brief | Debrief = told.answer
    links = [_link(point.session, link) for point in advice.points for link in point.links][:MAX_LINKS]
    facts = {
        "kind": kind,
        **as_facts(advice),
        "session": session,
        **told.pipeline(),
        "figures": figures_of(advice),
        "links": links,
    }
    corners = frozenset(point.where for point in advice.points if point.where)
    if not advice.points:
        return Said(facts, None, "there is nothing to word")
    ground = ground_of(advice) | Ground(names=frozenset({session}))
    return _with_agent(serving, facts, kind, advice.level, session, told_of(advice), ground, must_name=corners)


def _of_reply(serving: Serving, told: Told[Reply], agent: str, session: str, level: Level, question: str) -> Said:
    reply = told.answer
    facts = {
        "kind": "ask",
        "session": session,
        "level": level,
        "question": question,
        "understood": reply.kind or None,
        **told.pipeline(),
        "words": reply.words,
        "figures": list(reply.figures),
        "links": [_link(session, link) for link in reply.links][:MAX_LINKS],
    }
    figures = {"answer of the rules": reply.words if reply.kind else None, "figures": list(reply.figures)}
    ground = reply.ground | Ground(names=frozenset({session}))
    return _with_agent(serving, facts, agent, level, session, figures, ground, question=question)


def _with_agent(
    serving: Serving,
    facts: Mapping[str, Any],
    agent: str,
    level: Level,
    session: str,
    figures: Mapping[str, Any],
    ground: Ground,
    *,
    question: str = "",
    must_name: frozenset[str] = frozenset(),
) -> Said:
    """What the rules say, and who may word it; an agent that is wrong costs its words alone."""
    if not serving.coaching.health.settings.url:
        return Said(facts, None, "no language model is set up")
    try:
        found = serving.coaching.agents.get(agent)
    except UsageError as error:
        return Said(facts, None, str(error))
    return Said(facts, Task(found, level, session, figures, ground, question, must_name))


def _link(session: str, link: Link) -> dict[str, Any]:
    return {"session": session, "lap": link.lap, "corner": link.corner or None, "distance_m": link.distance_m}


def _question(said: str) -> str:
    question = " ".join(said.split())
    if not question:
        raise Problem("bad-parameter", "nothing is asked", hint='{"question": "Where do I lose the most?"}')
    if len(question) > MAX_QUESTION:
        hint = f"ask in {MAX_QUESTION} characters at most"
        raise Problem("too-long", f"the question has {len(question):,} characters", hint=hint)
    return question


def _now_s() -> float:
    return asyncio.get_running_loop().time()
