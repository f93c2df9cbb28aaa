"""Operations in, an OpenAPI 3.1 document out, and the same as a page that needs nothing but itself."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, Final

import msgspec
from msgspec import Struct

from pitwall import __version__
from pitwall.serve.access import COOKIE
from pitwall.serve.answers import OfSession
from pitwall.serve.operations import EVENTS, JSON, Operation, Socket
from pitwall.serve.parameters import Nothing, meaning
from pitwall.serve.problem import CONTENT_TYPE, PROBLEMS, TYPES
from pitwall.serve.tables import TABLED

_NAME: Final = re.compile(r"<(\w+)>")
_REF: Final = "#/components/schemas/{name}"

NAMES: Final = {
    "sid": ("a session's id, or `_live`: the one being recorded, or else the newest", "_live"),
    "lap": ("a timed lap's number, or `best`", "best"),
    "replay": ("a replay's id, as the first event of its stream says it", "0123456789abcdef"),
    "job": ("a job's id, as `/jobs` and `/import` say it", "import-0123456789abcdef"),
    "car": ("a car's name", "bmw-e46-m3"),
}
"""What stands in paths: what it is, and an example."""

FILE: Final = "application/octet-stream"
"""What a file is sent as; nobody looks at what it says."""

SECURITY: Final = {
    "token": {"type": "apiKey", "in": "header", "name": "X-Pitwall-Token"},
    "bearer": {"type": "http", "scheme": "bearer"},
    "browser": {"type": "apiKey", "in": "cookie", "name": COOKIE},
}
"""Where a server has tokens; docs/security.md tells how one is come by."""

TITLE: Final = "Pitwall"
ABOUT: Final = (
    "Channels, laps and coaching of a race car. Paths, names and the types of problems are stable within a version of "
    "this document; docs/api.md tells what that means."
)


class ProblemDocument(Struct):
    """What went wrong (RFC 9457), and what to do about it; some have further members."""

    type: str
    title: str
    status: int
    detail: str
    hint: str


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    """The whole document."""
    operations = tuple(operations)
    heard = (each.socket.hears for each in operations if each.socket is not None)
    types = [*(of for each in operations for of in (each.answers, each.takes)), *filter(None, heard)]
    schemas, named = msgspec.json.schema_components([*types, ProblemDocument], ref_template=_REF)
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for each, answers, takes in zip(operations, schemas[::2], schemas[1::2], strict=False):
        said = _operation(each, answers, takes, named)
        paths[_NAME.sub(r"{\1}", each.path)][each.method.lower()] = said
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": __version__, "description": ABOUT},
        "paths": dict(paths),
        "components": {"schemas": named, "securitySchemes": SECURITY},
        "security": [{}, *({name: []} for name in SECURITY)],
    }


def _operation(
    one: Operation, answers: Mapping[str, Any], takes: Mapping[str, Any], named: Mapping[str, Any]
) -> dict[str, Any]:
    summary, more = one.about
    said: dict[str, Any] = {"operationId": one.name, "summary": summary}
    if more:
        said["description"] = more
    parameters = [_of_path(name) for name in _NAME.findall(one.path)]
    if one.in_body and one.takes is not Nothing:
        said["requestBody"] = {"required": True, "content": {JSON: {"schema": takes}}}
    elif one.takes is not Nothing:
        parameters += _of_query(named[takes["$ref"].rpartition("/")[2]])
    if one.upload:
        said["requestBody"] = {"required": True, "content": {FILE: {"schema": {"type": "string", "format": "binary"}}}}
    if parameters:
        said["parameters"] = parameters
    answer = _upgrade(one.socket) if one.socket else {"description": "The answer.", "content": _content(one, answers)}
    unchanged = {"304": {"description": "As it was when its tag was given (`If-None-Match`)."}} if _tagged(one) else {}
    pieces = {"206": {**answer, "description": "The piece that `Range` asks for."}} if one.media == TABLED else {}
    if one.socket is not None:
        said["x-websocket"] = _spoken(one.socket)
    said["responses"] = {str(one.status): answer, **pieces, **unchanged, **_problems(one)}
    return said


def _upgrade(socket: Socket) -> dict[str, Any]:
    known = f"; the sub-protocol is one of {', '.join(socket.protocols)}" if socket.protocols else ""
    return {"description": f"The connection is a WebSocket from here on{known}."}


def _spoken(socket: Socket) -> dict[str, Any]:
    """What goes to and fro on a WebSocket, for which OpenAPI has no words of its own."""
    hears = {"schema": {"$ref": _REF.format(name=socket.hears.__name__)}} if socket.hears is not None else {}
    closes = {str(code): why for code, why in sorted(socket.closes.items())}
    told = {"description": socket.tells}
    return {"subprotocols": list(socket.protocols), "client": hears, "server": told, "closes": closes}


def _tagged(one: Operation) -> bool:
    """Whether an answer may have a tag: those from one session's projection."""
    return isinstance(one.answers, type) and issubclass(one.answers, OfSession)


def _of_path(name: str) -> dict[str, Any]:
    about, example = NAMES[name]
    schema = {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "description": about, "schema": schema, "example": example}


def _of_query(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    required = schema.get("required", ())
    found = []
    for name, one in schema["properties"].items():
        plain = {key: value for key, value in one.items() if key not in ("description", "default")}
        kinds = [kind for kind in plain.get("anyOf", ()) if kind != {"type": "null"}]
        plain = {key: value for key, value in (kinds[0] if len(kinds) == 1 else plain).items() if key != "description"}
        enum = plain.get("enum")
        if enum is not None:
            plain = {**plain, "enum": [value for value in enum if value is not None]}
        parameter = {"name": name, "in": "query", "required": name in required, "schema": plain}
        if description := meaning(one):
            parameter["description"] = description
        if plain.get("type") == "array":
            parameter |= {"style": "form", "explode": False}
        found.append(parameter)
    return found


def _content(one: Operation, answers: Mapping[str, Any]) -> dict[str, Any]:
    binary = {"schema": {"type": "string", "format": "binary"}}
    told = {JSON: {"schema": answers}, EVENTS: {}}  # events are of several kinds; docs/api.md tells them
    text = {"schema": {"type": "string"}}
    return {
        media.partition(";")[0]: told.get(media, text if media.startswith("text/") else binary) for media in one.media
    }


def _problems(one: Operation) -> dict[str, Any]:
    by_status: dict[int, list[str]] = defaultdict(list)
    for name in dict.fromkeys(one.problems):
        by_status[PROBLEMS[name][0]].append(name)
    content = {CONTENT_TYPE: {"schema": {"$ref": _REF.format(name=ProblemDocument.__name__)}}}
    return {
        str(status): {
            "description": "; ".join(f"{PROBLEMS[name][1]} (`{TYPES}{name}`)" for name in names),
            "content": content,
        }
        for status, names in sorted(by_status.items())
    }


def page(said: Mapping[str, Any]) -> str:
    """The document for people: HTML without a script."""
    rows = []
    for path, methods in said["paths"].items():
        for method, one in methods.items():
            rows.append(_section(path, method, one))
    contents = "".join(
        f'<li><a href="#{one["operationId"]}"><b>{method.upper()}</b> <code>{escape(path)}</code></a> '
        f"<span>{_marked(one['summary'])}</span></li>"
        for path, methods in said["paths"].items()
        for method, one in methods.items()
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Pitwall: the API</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="/docs.css">'
        f"</head><body><main><h1>{escape(said['info']['title'])} <small>{escape(said['info']['version'])}</small></h1>"
        f"<p>{_marked(said['info']['description'])} The same for programs: "
        f'<a href="/openapi.json">openapi.json</a>.</p><nav><ul>{contents}</ul></nav>'
        f"{''.join(rows)}</main></body></html>"
    )


def _section(path: str, method: str, one: Mapping[str, Any]) -> str:
    parameters = "".join(
        f"<tr><td><code>{escape(each['name'])}</code></td>"
        f"<td>{each['in']}{', required' if each['required'] else ''}</td>"
        f"<td>{_marked(each.get('description', ''))}</td></tr>"
        for each in one.get("parameters", ())
    )
    body = one.get("requestBody")
    if body:
        ((media, content),) = body["content"].items()
        name = content["schema"].get("$ref", "").rpartition("/")[2]
        kind, what = ("JSON", f"<code>{escape(name)}</code>") if media == JSON else (escape(media), "the file")
        parameters += f"<tr><td>body</td><td>{kind}</td><td>{what}</td></tr>"
    answers = "".join(
        f"<tr><td>{status}</td>"
        f"<td>{', '.join(f'<code>{escape(media)}</code>' for media in each.get('content', ()))}</td>"
        f"<td>{_marked(each['description'])}</td></tr>"
        for status, each in one["responses"].items()
    )
    table = f"<table><tbody>{parameters}</tbody></table>" if parameters else ""
    return (
        f'<section id="{one["operationId"]}"><h2><b>{method.upper()}</b> <code>{escape(path)}</code></h2>'
        f"<p>{_marked(one['summary'])} {_marked(one.get('description', ''))}</p>{table}"
        f"<table><tbody>{answers}</tbody></table></section>"
    )


def _marked(text: str) -> str:
    """Text as HTML; what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
