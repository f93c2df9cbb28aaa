"""What answers have in common, as types: where they are from, and how times are said."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

Ns = Annotated[int, Meta(description="ns since the session began")]
UnixNs = Annotated[int, Meta(description="ns since 1970, UTC")]
Iso = Annotated[str, Meta(description="ISO 8601, UTC", examples=["2026-11-24T14:05:11.000Z"])]
Row = dict[str, Any]
"""A row of one of a projection's tables, which docs/projections.md tells the columns of."""


class OfSession(Struct, kw_only=True):
    """An answer from one session's projection.

    fingerprint: of the pipeline that it was built with; the same one means the same answer.
    stale: the car's definition was edited since; it is being built anew.  complete: the session's end is in it.
    """

    session: str
    fingerprint: str
    stale: bool
    complete: bool
