"""`GET /coach/brief`, `GET /coach/debrief`, `POST /coach/ask`, `GET /coach/agents`: what the coach says.

Each answer has its `source`, "rules" or "model", the figures that it stands on and links to laps. The rules always have
one; a model may word it, in time. Asked to `stream`, it comes as server-sent events: `rules` at once, `words` (all of
them so far, checked) as the model writes, and `answer`, the last one, as it would have come without.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pitwall.coach.advice import Brief, Debrief, as_facts
from pitwall.coach.finding import Level, Link
from pitwall.errors import UsageError
from pitwall.serve.advising import figures_of, ground_of, told_of
from pitwall.serve.asking import answer_to
from pitwall.serve.broadcast import event
from pitwall.serve.coaching import ANSWER_S, Worded, worded
from pitwall.serve.limits import MAX_LINKS, MAX_QUESTION, MAX_QUESTION_BYTES
from pitwall.serve.model.ground import Ground
from pitwall.serve.model.writing import Task
from pitwall.serve.problem import Problem
from pitwall.serve.serving import LIVE, answer

if TYPE_CHECKING:
    from sanic.response import HTTPResponse

    from pitwall.serve.asking.reply import Reply
    from pitwall.serve.model.writing import Writing
    from pitwall.serve.reading import Told
    from pitwall.serve.serving import App, Request, Serving

PING_S: Final = 5.0
"""A stream whose model thinks still shows that it is there."""


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


def add(app: App) -> None:
    """Adds the routes."""

    @app.route("/coach/agents", methods=["GET", "HEAD"])
    async def agents(request: Request) -> HTTPResponse:
        _only(request.args, ())
        return answer({"agents": request.app.ctx.coaching.agents.report()})

    @app.route("/coach/brief", methods=["GET", "HEAD"])
    async def brief(request: Request) -> HTTPResponse | None:
        begun_s = _now_s()
        serving = request.app.ctx
        _only(request.args, ("session", "level", "stream"))
        level, stream = _level(request.args.get("level")), _truth(request.args.get("stream"))
        session = await serving.session(request.args.get("session") or LIVE)
        told = await serving.coaching.advising.brief(session, level)
        return await _answer(request, _of_advice(serving, told, "brief", session), begun_s, stream)

    @app.route("/coach/debrief", methods=["GET", "HEAD"])
    async def debrief(request: Request) -> HTTPResponse | None:
        begun_s = _now_s()
        serving = request.app.ctx
        _only(request.args, ("session", "level", "against", "stream"))
        level, stream = _level(request.args.get("level")), _truth(request.args.get("stream"))
        session = await serving.session(request.args.get("session") or LIVE)
        against = request.args.get("against") or ""
        against = await serving.session(against) if against else ""
        told = await serving.coaching.advising.debrief(session, level, against)
        return await _answer(request, _of_advice(serving, told, "debrief", session), begun_s, stream)

    @app.post("/coach/ask")
    async def ask(request: Request) -> HTTPResponse | None:
        begun_s = _now_s()
        serving = request.app.ctx
        body = _body(request.body)
        question, level, stream = _question(body), _level(body.get("level")), _truth(body.get("stream"))
        session = await serving.session(_text(body, "session") or LIVE)
        agent = _text(body, "agent") or "ask"
        if agent not in serving.coaching.agents.names():
            raise Problem(404, "unknown-agent", f"there is no agent {agent[:80]!r}", hint="see /coach/agents")
        told = await serving.readings.ask(session, answer_to(question, session, level, serving.coaching.advising))
        return await _answer(request, _of_reply(serving, told, agent, session, level, question), begun_s, stream)


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


def _body(body: bytes) -> dict[str, Any]:
    hint = '{"question": "Where do I lose the most?", "session": "_live", "level": "novice", "stream": false}'
    if len(body) > MAX_QUESTION_BYTES:
        raise Problem(413, "too-long", f"the body is longer than {MAX_QUESTION_BYTES:,} bytes", hint=hint)
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Problem(400, "bad-parameter", f"the body is no JSON: {error}", hint=hint) from error
    if not isinstance(said, dict):
        raise Problem(400, "bad-parameter", "the body is no JSON object", hint=hint)
    _only(said, ("question", "session", "level", "stream", "agent"))
    return said


def _question(body: Mapping[str, Any]) -> str:
    question = " ".join(_text(body, "question").split())
    if not question:
        raise Problem(400, "bad-parameter", "nothing is asked", hint='{"question": "Where do I lose the most?"}')
    if len(question) > MAX_QUESTION:
        hint = f"ask in {MAX_QUESTION} characters at most"
        raise Problem(413, "too-long", f"the question has {len(question):,} characters", hint=hint)
    return question


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Problem(400, "bad-parameter", f"{key} is no text", hint=f'{{"{key}": "…"}}')
    return value


def _level(said: object) -> Level:
    if said is None:
        return Level.INTERMEDIATE
    if said not in list(Level):
        raise Problem(400, "bad-parameter", f"{str(said)[:80]!r} is no level", hint=f"it is {', '.join(Level)}")
    return Level(str(said))


_TRUTHS: Final[Mapping[object, bool]] = {None: False, "true": True, "1": True, "false": False, "0": False}


def _truth(said: object) -> bool:
    if isinstance(said, bool):
        return said
    if not isinstance(said, str | None) or said not in _TRUTHS:
        raise Problem(400, "bad-parameter", f"stream={str(said)[:80]} makes no sense", hint="true or false")
    return _TRUTHS[said]


def _only(given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    unknown = sorted(set(given) - set(known))
    if unknown:
        hint = f"it takes {', '.join(known)}" if known else "it takes none"
        raise Problem(400, "bad-parameter", f"{unknown[0][:80]!r} is no parameter of it", hint=hint)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
