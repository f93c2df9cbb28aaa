"""`GET /openapi.json` and `GET /docs`: what can be asked, for programs and for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sanic.response import HTTPResponse

from pitwall.serve.encoding import dumps
from pitwall.serve.openapi import document, page
from pitwall.serve.operations import Operation, operation
from pitwall.serve.parameters import Nothing

if TYPE_CHECKING:
    from pitwall.serve.serving import Request

HTML = "text/html; charset=utf-8"


def of(operations: Iterable[Operation]) -> tuple[Operation, ...]:
    """The operations that tell of these and of themselves; the texts are made when they are asked for first."""
    made: dict[str, bytes] = {}

    @operation("GET", "/openapi.json", answers=dict[str, Any])
    async def openapi(request: Request, _: Nothing) -> HTTPResponse:
        """This document."""
        if "json" not in made:
            made["json"] = dumps(document(known))
        return HTTPResponse(made["json"], content_type="application/json")

    @operation("GET", "/docs", answers=str, media=(HTML,))
    async def docs(request: Request, _: Nothing) -> HTTPResponse:
        """This document, for people."""
        if "html" not in made:
            made["html"] = page(document(known)).encode()
        return HTTPResponse(made["html"], content_type=HTML)

    known = (*operations, openapi, docs)
    return openapi, docs
