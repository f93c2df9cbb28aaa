"""How long sessions stay on this machine: the options that say it, and one round that sees to it.

Not in the recorder: in a process of its own (`pitwall retain --watch`), which rests while frames come in.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pitwall import logger
from pitwall.commands.amounts import amount, span
from pitwall.commands.options import Places, option
from pitwall.commands.output import size
from pitwall.errors import PitwallError, UsageError

if TYPE_CHECKING:
    from pitwall.log.removal import Forget
    from pitwall.log.retention import Held


@dataclass(frozen=True, slots=True)
class Keeping:
    """What the options say.  keep_s: seconds.  keep_free: bytes.  archive_to: folder or URI; None: removed for good."""

    keep_s: float | None = None
    keep_free: int | None = None
    archive_to: str | None = None

    def __bool__(self) -> bool:
        return self.keep_s is not None or self.keep_free is not None

    def arguments(self) -> list[str]:
        """The options again, for another process."""
        said = []
        if self.keep_s is not None:
            said += ["--keep", f"{self.keep_s:f}s"]
        if self.keep_free is not None:
            said += ["--keep-free", f"{self.keep_free}B"]
        return [*said, "--archive-to", self.archive_to] if self.archive_to else said

    def __str__(self) -> str:
        when = []
        if self.keep_s is not None:
            when.append(f"once they are older than {self.keep_s / 86_400:g} days")
        if self.keep_free is not None:
            when.append(f"the oldest first, while less than {size(self.keep_free)} are free")
        what = f"archived to {self.archive_to}" if self.archive_to else "REMOVED FOR GOOD, frames and all"
        hint = "" if self.archive_to else " (--archive-to keeps a copy elsewhere)"
        return f"ended sessions are {what}, {' and '.join(when)}{hint}"


@dataclass(frozen=True, slots=True)
class Gone:
    """A session that was let go.  why: it was due.  at: where its copy is; None: it is removed for good."""

    session: str
    why: str
    at: str | None

    def __str__(self) -> str:
        what = "removed for good" if self.at is None else f"archived to {self.at}, and no longer here"
        return f"{self.session} is {what}: {self.why}"


def keep_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--keep`, `--keep-free` and `--archive-to`, as the parameter `keeping`."""

    @wraps(function)
    def call(keep: float | None, keep_free: int | None, archive_to: str | None, **parameters: Any) -> Any:
        keeping = Keeping(keep, keep_free, archive_to)
        if archive_to and not keeping:
            raise UsageError(
                "nothing says when to archive", where="--archive-to", hint="give --keep or --keep-free, too"
            )
        return function(keeping=keeping, **parameters)

    decorated = option(
        "--archive-to",
        metavar="DEST",
        help="Archive what is due to this folder or URI. WITHOUT IT, ITS FRAMES ARE GONE.",
    )(call)
    decorated = option("--keep-free", type=amount, metavar="SIZE", help="Let the oldest go while less is free: 5GB.")(
        decorated
    )
    return option("--keep", type=span, metavar="TIME", help="Let sessions go once they are older: 30d, 12h.")(decorated)


@contextmanager
def kept(places: Places, keeping: Keeping) -> Iterator[None]:
    """Sees to it, in a process of its own, until the `with` ends."""
    if not keeping:
        yield
        return
    from pitwall.commands.children import Child

    logger.notice(str(keeping))
    child = Child("the keeper", keeper(places, keeping), patience_s=10)
    child.start()
    try:
        yield
    finally:
        child.ask()
        child.wait()


def keeper(places: Places, keeping: Keeping) -> list[str]:
    """The command line of the process that sees to it."""
    where = ["--logs", str(places.logs), "--projections", str(places.projections)]
    return [*places.said.arguments(), "retain", *where, *keeping.arguments(), "--watch", "--supervised"]


def forgetting(projections: Path) -> Forget:
    """Removes a session's projections from the folder."""

    def forget(session: str) -> None:
        if projections.is_dir():
            from pitwall.project.generations import Generations

            Generations(projections).forget(session)

    return forget


def held(places: Places) -> list[Held]:
    """Every session of the log, as retention sees it, oldest first."""
    from pitwall.log.pins import pinned
    from pitwall.log.retention import Held
    from pitwall.log.session import sessions

    return [
        Held(one.id, one.state, pinned(one.path), _rested_at_ns(one.path), one.bytes + _built(places, one.id))
        for one in sessions(places.logs)
    ]


def keep_round(
    places: Places,
    keeping: Keeping,
    *,
    tell: Callable[[Gone], None],
    go_on: Callable[[], bool] = lambda: True,
) -> list[str]:
    """Let go of what is due, as long as `go_on`, and `tell` of each; what could not be done, and why."""
    from pitwall.log.archive import archive
    from pitwall.log.removal import discard
    from pitwall.log.retention import Policy, due

    if not places.logs.is_dir():
        return []
    problems = []
    free = shutil.disk_usage(places.logs).free
    policy = Policy(keeping.keep_s, keeping.keep_free)
    forget = forgetting(places.projections)
    for one in due(held(places), policy, free=free, now_ns=time.time_ns()):
        if not go_on():
            break
        try:
            at = None
            if keeping.archive_to:
                at = archive(places.logs, one.session, keeping.archive_to, forget=forget).at
            else:
                discard(places.logs, one.session, forget=forget)
            tell(Gone(one.session, one.why, at))
        except PitwallError as error:
            problems.append(str(error))
    return problems


def _rested_at_ns(folder: Path) -> int:
    """When the newest of the session's segments was written here: recorded, imported or restored."""
    return max((path.stat().st_mtime_ns for path in folder.glob("*.arrow*")), default=0)


def _built(places: Places, session: str) -> int:
    return sum(path.stat().st_size for path in places.projections.glob(f"{session}.*.duckdb"))
