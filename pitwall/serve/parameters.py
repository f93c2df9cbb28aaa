"""A request's query or body in, a Struct of what an operation takes out; or the problem, in words of the parameter.

Laws: a parameter that there is none of is refused, with what comes close; one that is given twice is, too, unless it is
a list, whose parts may also be parted by commas; nothing is guessed.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from pitwall.serve.problem import Problem

if TYPE_CHECKING:
    from pitwall.serve.serving import Request

T = TypeVar("T", bound=Struct)

JSON: Final = "application/json"
SHOWN: Final = 80
"""Characters of what came that an error says again."""


class Nothing(Struct, frozen=True):
    """No parameters."""


class Tabled(Struct, frozen=True, kw_only=True):
    """Of what can be had as a table."""

    format: Annotated[
        Literal["json", "csv", "arrow", "parquet"] | None,
        Meta(description="How it is written: json, csv, arrow (an IPC stream) or parquet; else as `Accept` says"),
    ] = None


def reader(wanted: type[T], *, in_body: bool) -> Callable[[Request], T]:
    """What makes a `wanted` of a request.  It raises Problem `bad-parameter`."""
    about = _about(wanted)
    read = _of_body if in_body else _of_query

    def taken(request: Request) -> T:
        given, strict = read(request, about)
        unknown = sorted(set(given) - set(about))
        if unknown:
            near = difflib.get_close_matches(unknown[0], about, 1)
            there = f"it takes {', '.join(about)}" if about else "it takes none"
            hint = f"did you mean {near[0]}?" if near else there
            raise Problem("bad-parameter", f"{unknown[0][:SHOWN]!r} is no parameter of it", hint=hint)
        try:
            return msgspec.convert(given, wanted, strict=strict)
        except msgspec.ValidationError as error:
            raise _explained(error, given, about) from error

    return taken


def _about(wanted: type[Struct]) -> dict[str, tuple[str, bool]]:
    """By parameter: what it is, in words, and whether it is a list."""
    (_,), named = msgspec.json.schema_components([wanted])
    properties: dict[str, Any] = named[wanted.__name__]["properties"]
    return {name: (meaning(one), _is_list(one)) for name, one in properties.items()}


def meaning(schema: Mapping[str, Any]) -> str:
    """What is said of a parameter; empty: nothing."""
    said = (schema.get("description", ""), *(one.get("description", "") for one in schema.get("anyOf", ())))
    return next(filter(None, said), "")


def _is_list(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") == "array" or any(map(_is_list, schema.get("anyOf", ())))


def _of_query(request: Request, about: Mapping[str, tuple[str, bool]]) -> tuple[dict[str, Any], bool]:
    given: dict[str, Any] = {}
    for name, values in request.args.items():
        if about.get(name, ("", False))[1]:
            given[name] = [part for value in values for part in map(str.strip, value.split(",")) if part]
        elif len(values) > 1:
            raise Problem("bad-parameter", f"{name[:SHOWN]!r} is given {len(values)} times", hint="give it once")
        else:
            given[name] = values[0]
    return given, False


def _of_body(request: Request, about: Mapping[str, tuple[str, bool]]) -> tuple[dict[str, Any], bool]:
    if request.args:
        name = next(iter(request.args))
        raise Problem("bad-parameter", f"{name[:SHOWN]!r} stands in the query", hint="what it takes is its body, JSON")
    if not request.body:
        return {}, True
    kind = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if kind != JSON and not kind.endswith("+json"):  # and so no page's form can post it: a browser asks first
        raise Problem("not-json", f"the body is said to be {kind[:SHOWN]}", hint=f"Content-Type: {JSON}")
    hint = f"a JSON object of {', '.join(about)}" if about else "it takes no body"
    try:
        given = msgspec.json.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem("bad-parameter", f"the body is no JSON: {error}", hint=hint) from error
    if not isinstance(given, dict):
        raise Problem("bad-parameter", "the body is no JSON object", hint=hint)
    return given, True


_PLACE: Final = re.compile(r" - at `\$\.(\w+)[^`]*`$")
_MISSING: Final = re.compile(r"missing required field `(\w+)`")


def _explained(
    error: msgspec.ValidationError, given: Mapping[str, Any], about: Mapping[str, tuple[str, bool]]
) -> Problem:
    said = str(error)
    missing, place = _MISSING.search(said), _PLACE.search(said)
    if missing is not None and place is None:
        return Problem("bad-parameter", f"{missing[1]} is missing", hint=_meant(missing[1], about))
    if place is None:
        return Problem("bad-parameter", said, hint=f"it takes {', '.join(about)}")
    name = place[1]
    value = given.get(name)
    shown = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    what = _PLACE.sub("", said).replace("`", "")
    return Problem("bad-parameter", f"{name}={shown[:SHOWN]}: {what[:1].lower()}{what[1:]}", hint=_meant(name, about))


def _meant(name: str, about: Mapping[str, tuple[str, bool]]) -> str:
    text = about.get(name, ("", False))[0]
    return f"{name}: {text}" if text else f"it takes {', '.join(about)}"
