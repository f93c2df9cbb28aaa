"""A session's name in, its open projection out: what `query`, `channels` and `export` have in common."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pitwall.commands.options import Places
from pitwall.commands.output import plural
from pitwall.commands.progress import Bar
from pitwall.commands.projecting import check_header
from pitwall.commands.reporting import tell
from pitwall.errors import LossError

if TYPE_CHECKING:
    import duckdb

    from pitwall.log.session import Session

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def asking(session: Session, places: Places) -> Iterator[duckdb.DuckDBPyConnection]:
    """The session's projection as of now, replayed first where it must be.

    Raises LossError when all is done, where that replay found damage in the log.
    """
    from pitwall.car import load
    from pitwall.project.generations import Generations
    from pitwall.project.private import kept
    from pitwall.project.query import open_projection

    check_header(session)
    car = load(places.cars, session.header.car)
    with (
        kept(places.projections, rows=session.rows) as folder,
        Bar(f"projecting {session.id}") as bar,
        open_projection(session, car, Generations(folder), bar) as projection,
    ):
        bar.close()
        if projection.rebuilt:
            logger.info("%s was replayed: %s", session.id, projection.rebuilt)
        yield projection.connection
    tell([str(damage) for damage in projection.damages])
    if projection.built.lost:
        what = f"{plural(projection.built.lost, 'row')} of its log are damaged, and not in this answer"
        raise LossError(what, where=session.id, hint="`pitwall verify` tells which")
