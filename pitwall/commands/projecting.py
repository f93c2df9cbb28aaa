"""A session in, its projection up to date: what `replay`, `import` and `simulate` have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pitwall.commands.options import Places
from pitwall.commands.output import duration, number
from pitwall.commands.progress import Bar
from pitwall.errors import LogError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pitwall.log.session import Session
    from pitwall.replay import ReplayReport


def project(
    session: Session,
    places: Places,
    *,
    force: bool = False,
    strict: bool = False,
    progress: Callable[[float, float | None], None] | None = None,
) -> ReplayReport | None:
    """Rebuild the session's projection if it is stale, or forced; strictly, in any case.

    progress: None: a bar.  None comes: another process is at it, as a server is.
    """
    from pitwall.project.turn import BusyError
    from pitwall.replay import replay

    check_header(session)
    try:
        with Bar(f"projecting {session.id}") as bar:
            return replay(
                session, places.projections, places.cars, force=force, strict=strict, progress=progress or bar
            )
    except BusyError:
        return None


def project_all(
    sessions: Sequence[Session], places: Places, *, force: bool = False, strict: bool = False
) -> tuple[list[ReplayReport], list[str], list[str]]:
    """The same for several, a process each, on all cores, the newest first.

    What was done, in the order of `sessions`; those that another process builds; and why others failed.
    """
    from pitwall.project.private import kept
    from pitwall.replay import ReplayReport
    from pitwall.workers import Order, together

    reports, busy, failures = {}, [], {}
    with (
        kept(places.projections, rows=sum(session.rows for session in sessions)) as folder,
        Bar(f"projecting {len(sessions)} sessions") as bar,
    ):
        orders = []
        for session in reversed(sessions):
            try:
                check_header(session)
                orders.append(Order(session.id, places.logs, folder, places.cars, force=force, strict=strict))
            except LogError as error:
                failures[session.id] = str(error)
        for session_id, outcome in together(orders, bar):
            if "report" in outcome:
                reports[session_id] = ReplayReport(**outcome["report"])
            elif "busy" in outcome:
                busy.append(session_id)
            else:
                failures[session_id] = outcome["error"]
    order = [session.id for session in sessions]
    return (
        [reports[name] for name in order if name in reports],
        sorted(busy, key=order.index),
        [failures[name] for name in order if name in failures],
    )


def check_header(session: Session) -> None:
    """LogError where nothing tells which car the session is of: it is damaged, or from a newer pitwall."""
    if not session.header.car:
        from pitwall.log.folder import header

        header(session.path)  # raises, with what is wrong
        hint = "`pitwall verify` tells what is wrong"
        raise LogError("no segment of it tells which car it is of", where=session.path, hint=hint)


def facts(report: ReplayReport) -> dict[str, Any]:
    """What was done, as `--json` has it."""
    return {
        "session": report.session,
        "rebuilt": bool(report.reason),
        "reason": report.reason,
        "rows": report.rows,
        "frames": report.frames,
        "seconds": round(report.seconds, 6),
        "frames_per_s": round(report.frames_per_s),
        "damages": list(report.damages),
    }


def speed(report: ReplayReport) -> str:
    """`82,558 frames in 0.1 s (0.83 M/s)`."""
    rate = report.frames_per_s / 1e6
    return f"{number(report.frames)} frames in {duration(report.seconds)} ({rate:.2f} M/s)"
