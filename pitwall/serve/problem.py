"""An error as a record (RFC 9457): type, title, detail, hint in; `application/problem+json` out.

Every error that the API answers with has this one shape, and its type is a name that stays: `urn:pitwall:problem:…`.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from sanic.response import HTTPResponse

from pitwall.serve.encoding import dumps

CONTENT_TYPE: Final = "application/problem+json"


class Problem(Exception):  # noqa: N818 — RFC 9457 calls it a problem
    """What was wrong with a request, and what to do about it.

    name: the stable end of its type.  detail: what was wrong with this request.  hint: what to ask instead.
    facts: further members of the document (near names, limits).
    """

    def __init__(
        self,
        status: int,
        name: str,
        detail: str,
        *,
        hint: str = "",
        headers: dict[str, str] | None = None,
        **facts: object,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.name = name
        self.detail = detail
        self.hint = hint
        self.headers = headers or {}
        self.facts = facts

    def response(self) -> HTTPResponse:
        """The problem as a response."""
        document = {
            "type": f"urn:pitwall:problem:{self.name}",
            "title": TITLES.get(self.name) or HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "hint": self.hint,
            **self.facts,
        }
        return HTTPResponse(dumps(document), self.status, self.headers, CONTENT_TYPE)


TITLES: Final = {
    "bad-parameter": "A parameter makes no sense",
    "foreign-page": "Only pages of this server may change anything",
    "foreign-host": "This server answers to this machine's own names only",
    "internal": "Pitwall failed",
    "bad-question": "The question can't be answered",
    "no-live-session": "No session has been recorded yet",
    "no-projection": "The session can't be projected",
    "no-token": "A token is missing, or is not good",
    "not-recording": "The session is not being recorded",
    "query-timeout": "The query took too long",
    "read-only": "This token may only read",
    "too-busy": "Too much is asked at once",
    "too-large": "More than is taken",
    "too-long": "More than is taken",
    "too-many-points": "More points than one answer may hold",
    "too-many-rows": "More than one answer may hold",
    "too-often": "Asked too often",
    "too-slow": "The request came too slowly",
    "unknown-agent": "No such agent",
    "unknown-channel": "No such channel",
    "unknown-lap": "No such lap",
    "unknown-session": "No such session",
}
