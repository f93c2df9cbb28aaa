"""Messages in, pieces of text and calls of tools out: chat completions as OpenAI-compatible servers stream them.

Each event is `data: {"choices": [{"delta": {"content": …, "tool_calls": […]}, "finish_reason": …}]}`, the last one
`data: [DONE]`; a server that does not stream answers with one JSON document, whose `message` is taken the same way.
Laws: what is received is bounded; anything that is not such an answer is a `ModelError`; no model is ever fetched.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pitwall.serve.model.exchange import MAX_LINE, ModelError, Response, exchange

if TYPE_CHECKING:
    from pitwall.serve.model.settings import Settings

MAX_CALLS: Final = 8
"""Of tools, in one turn."""
MAX_ARGUMENTS: Final = 4_000
"""Characters of one call's arguments: a question in SQL is a few hundred."""
MAX_NAME: Final = 200

Message = Mapping[str, Any]
"""As the protocol has it: role, content, tool_calls, tool_call_id."""


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of what it says."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A tool that it wants to have called.  arguments: JSON, as it wrote it."""

    id: str
    name: str
    arguments: str


async def probe(settings: Settings) -> None:
    """Returns if the server answers as one that is up.  ModelError: it does not."""
    for method in ("HEAD", "GET"):  # some know no HEAD
        async with exchange(settings, method, "/models") as response:
            if response.status < 300:
                return
            if response.status not in (404, 405, 501):
                break
    raise ModelError(f"answers /models with the status {response.status}")


async def first_model(settings: Settings) -> str:
    """The name of the first model that the server offers; "default" where it names none."""
    async with exchange(settings, "GET", "/models") as response:
        said = _json(await response.whole()) if response.status == 200 else {}
    offered = said.get("data") if isinstance(said, dict) else None
    first = offered[0] if isinstance(offered, list) and offered else None
    name = first.get("id") if isinstance(first, dict) else None
    return name if isinstance(name, str) and 0 < len(name) <= MAX_NAME else "default"


async def chat(
    settings: Settings, model: str, messages: Sequence[Message], *, tools: Sequence[Message], tokens: int
) -> AsyncGenerator[Text | Call, None]:
    """What it answers: texts as they come, then the calls it wants made.  tokens: at most so many."""
    body: dict[str, Any] = {
        "model": model,
        "messages": list(messages),
        "stream": True,
        "temperature": 0,
        "max_tokens": tokens,
    }
    if tools:
        body["tools"] = list(tools)
    async with exchange(settings, "POST", "/chat/completions", json.dumps(body).encode()) as response:
        if response.status != 200:
            raise ModelError(f"refuses, with the status {response.status}")
        calls = _Calls()
        kind = response.fields.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "application/json":
            choice = _choice(_json(await response.whole()))
            for text in _texts(choice.get("message"), calls):
                yield text
        elif kind == "text/event-stream":
            async for choice in _choices(response):
                for text in _texts(choice.get("delta"), calls):
                    yield text
        else:
            raise ModelError(f"answers with {kind[:60] or 'no type'}, and not with events")
        for call in calls.made():
            yield call


async def _choices(response: Response) -> AsyncIterator[dict[str, Any]]:
    """The first choice of every event, up to the last one.  ModelError: there is no last one."""
    finished = False
    async for line in response.lines():
        if not line.startswith(b"data:"):
            continue  # a comment, an event's name, the end of an event
        data = line[5:].strip()
        if data == b"[DONE]":
            return
        said = _json(data)
        if isinstance(said, dict) and said.get("choices") == []:
            continue  # what some servers tell of usage
        choice = _choice(said)
        finished = finished or bool(choice.get("finish_reason"))
        yield choice
    if not finished:
        raise ModelError("ended in the middle of an answer")


class _Calls:
    """Calls of tools, put together from their pieces."""

    def __init__(self) -> None:
        self._parts: dict[int, tuple[str, str, str]] = {}

    def add(self, pieces: object) -> None:
        for at, piece in enumerate(pieces if isinstance(pieces, list) else []):
            if not isinstance(piece, dict):
                raise ModelError("calls a tool in a way that nobody understands")
            index, function = piece.get("index", at), piece.get("function") or {}
            if not isinstance(index, int) or not 0 <= index < MAX_CALLS or not isinstance(function, dict):
                raise ModelError(f"calls tools in a way that nobody understands, or more than {MAX_CALLS}")
            id, name, arguments = self._parts.get(index, ("", "", ""))
            id = id or _text(piece.get("id"))[:MAX_NAME]
            name, arguments = name + _text(function.get("name")), arguments + _text(function.get("arguments"))
            if len(name) > MAX_NAME or len(arguments) > MAX_ARGUMENTS:
                raise ModelError("calls a tool with more than one can take")
            self._parts[index] = (id, name, arguments)

    def made(self) -> list[Call]:
        return [
            Call(id or f"call_{index}", name, arguments) for index, (id, name, arguments) in sorted(self._parts.items())
        ]


def _texts(message: object, calls: _Calls) -> list[Text]:
    if not isinstance(message, dict):
        raise ModelError("answers in a way that nobody understands")
    calls.add(message.get("tool_calls"))
    text = _text(message.get("content"))
    return [Text(text)] if text else []


def _choice(said: object) -> dict[str, Any]:
    choices = said.get("choices") if isinstance(said, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        raise ModelError("answers in a way that nobody understands")
    return choice


def _text(said: object) -> str:
    if said is None:
        return ""
    if not isinstance(said, str) or len(said) > MAX_LINE:
        raise ModelError("answers in a way that nobody understands")
    return said


def _json(data: bytes) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ModelError("sends what is no JSON") from error
