"""`GET /doctor`: what would keep this machine from recording, as `pitwall doctor` says it, looked at off the loop.

What was found is good for GOOD_S, and looked for once at a time, however many ask.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from msgspec import Struct

from pitwall.serve.answers import Iso
from pitwall.serve.operations import operation
from pitwall.serve.parameters import Nothing
from pitwall.serve.serving import answer
from pitwall.serve.sessions import iso

if TYPE_CHECKING:
    from sanic.response import HTTPResponse

    from pitwall.serve.serving import Request

GOOD_S: Final = 15.0
"""A page that is open shows what was mended within so long, and costs a look four times a minute."""

Examine = Callable[[], Mapping[str, Any]]
"""`ok` and `checks`, as `pitwall doctor --json` has them."""


class OneCheck(Struct):
    """name: what was looked at.  said: the fact.  advice: what to do about it, "" for nothing."""

    name: str
    verdict: Literal["ok", "warning", "failed", "skipped"]
    said: str
    advice: str


class Diagnosis(Struct):
    """ok: nothing failed.  looked_at: when."""

    ok: bool
    looked_at: Iso
    checks: list[OneCheck]


class Doctor:
    """What was found last."""

    def __init__(self, examine: Examine = lambda: {"ok": True, "checks": []}) -> None:
        self._examine = examine
        self._looking = asyncio.Lock()
        self._found: tuple[float, dict[str, Any]] | None = None

    async def report(self) -> dict[str, Any]:
        """As of GOOD_S ago at most."""
        async with self._looking:
            if self._found is None or time.monotonic() - self._found[0] > GOOD_S:
                found = await asyncio.to_thread(self._examine)
                self._found = time.monotonic(), {**found, "looked_at": iso(time.time_ns())}
            return self._found[1]


@operation("GET", "/doctor", answers=Diagnosis)
async def doctor(request: Request, _: Nothing) -> HTTPResponse:
    """What would keep this machine from recording, and what to do about it, as `pitwall doctor` says."""
    return answer(await request.app.ctx.doctor.report())


OPERATIONS: Final = (doctor,)
