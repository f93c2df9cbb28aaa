"""An Arrow table in, what the client wants it as out: by `?format=`, or by `Accept`."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from sanic.response import HTTPResponse

from pitwall.errors import UsageError
from pitwall.serve.formats import WRITERS
from pitwall.serve.problem import Problem

if TYPE_CHECKING:
    import pyarrow as pa

    from pitwall.serve.serving import Request

MEDIA: Final = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
}
"""The media type of each format, the default first."""
TABLED: Final = tuple(MEDIA.values())


def chosen(request: Request, asked: str | None) -> str:
    """The format that is wanted: what the parameter says, or else `Accept`.  Problem `no-such-format`: none of ours."""
    if asked is not None:
        return asked
    accept = request.headers.get("accept")
    if not accept:
        return "json"
    match = request.accept.match(*(media.partition(";")[0] for media in TABLED))
    if not match:
        raise Problem(
            "no-such-format", f"it can't be had as {accept[:80]!r}", hint=f"?format={'|'.join(MEDIA)}, or {TABLED}"
        )
    return next(name for name, media in MEDIA.items() if media.startswith(str(match.mime)))


def tabled(table: pa.Table, form: str) -> HTTPResponse:
    """The table in one of the formats."""
    out = io.BytesIO()
    try:
        WRITERS[form](table.schema, table.to_batches(), out)
    except UsageError as error:
        raise Problem("no-such-format", error.what, hint=error.hint) from error
    return HTTPResponse(out.getvalue(), content_type=MEDIA[form])
