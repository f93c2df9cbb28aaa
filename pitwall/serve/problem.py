"""An error as a record (RFC 9457): type, title, detail, hint in; `application/problem+json` out.

Every error that the API answers with has this one shape, and its type is a name that stays: `urn:pitwall:problem:…`.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from sanic.response import HTTPResponse

from pitwall.serve.encoding import dumps

CONTENT_TYPE: Final = "application/problem+json"
TYPES: Final = "urn:pitwall:problem:"


class Problem(Exception):  # noqa: N818 — RFC 9457 calls it a problem
    """What was wrong with a request, and what to do about it.

    name: the stable end of its type, one of PROBLEMS or `http-` and a status.  detail: what was wrong with it.
    hint: what to ask instead.  facts: further members of the document (near names, limits).
    """

    def __init__(
        self,
        name: str,
        detail: str,
        *,
        hint: str = "",
        headers: Mapping[str, str] | None = None,
        **facts: object,
    ) -> None:
        super().__init__(detail)
        self.name = name
        self.status, self.title = PROBLEMS.get(name) or _of_http(name)
        self.detail = detail
        self.hint = hint
        self.headers = dict(headers or {})
        self.facts = facts

    def document(self) -> dict[str, object]:
        """The problem as RFC 9457 has it."""
        return {
            "type": f"{TYPES}{self.name}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "hint": self.hint,
            **self.facts,
        }

    def response(self) -> HTTPResponse:
        """The problem as a response."""
        return HTTPResponse(dumps(self.document()), self.status, self.headers, CONTENT_TYPE)


def _of_http(name: str) -> tuple[int, str]:
    status = HTTPStatus(int(name.removeprefix("http-")))
    return status.value, status.phrase


PROBLEMS: Final = {
    "bad-parameter": (400, "A parameter makes no sense"),
    "bad-question": (400, "The question can't be answered"),
    "no-token": (401, "A token is missing, or is not good"),
    "read-only": (403, "This token may only read"),
    "foreign-page": (403, "Only pages of this server may change anything"),
    "no-live-session": (404, "No session has been recorded yet"),
    "unknown-path": (404, "Nothing is there"),
    "wrong-method": (405, "It can't be asked so"),
    "not-json": (415, "Its body is JSON"),
    "unknown-agent": (404, "No such agent"),
    "unknown-car": (404, "No such car"),
    "unknown-job": (404, "No such job"),
    "unknown-channel": (404, "No such channel"),
    "unknown-lap": (404, "No such lap"),
    "unknown-replay": (404, "No such replay"),
    "unknown-session": (404, "No such session"),
    "no-such-format": (406, "It can't be had so"),
    "too-slow": (408, "The request came too slowly"),
    "recording": (409, "The session is being recorded"),
    "no-archive": (409, "There is no archive"),
    "not-reachable": (409, "No other device reaches this server"),
    "not-recording": (409, "The session is not being recorded"),
    "too-large": (413, "More than is taken"),
    "too-long": (413, "More than is taken"),
    "too-many-rows": (413, "More than one answer may hold"),
    "too-many-points": (413, "More points than one answer may hold"),
    "foreign-host": (421, "This server answers to this machine's names only"),
    "not-a-websocket": (426, "It is a WebSocket"),
    "too-often": (429, "Asked too often"),
    "internal": (500, "Pitwall failed"),
    "no-projection": (503, "The session can't be projected"),
    "too-busy": (503, "Too much is asked at once"),
    "no-room": (507, "There is no room for it"),
    "query-timeout": (504, "The query took too long"),
}
"""Every kind of problem: its status and its title.  The names are stable: scripts go by them."""
