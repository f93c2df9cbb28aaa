"""What pitwall raises on purpose: an error is a record with advice, and its class decides the exit code.

    PitwallError              1  the work could not be done
    ├── UsageError            2  what was asked for makes no sense: a name, a flag, a file that isn't one
    │   └── CarError          2  a car definition or DBC is wrong (every problem of the file at once)
    ├── LogError              1  the log can't be written or read at all (locked, full, read-only, from a newer pitwall)
    ├── RejectedError         1  a frame can't be taken as it is, and it was asked to stop there
    └── LossError             3  the work is done, but something was lost or damaged on the way

Raised where the fact is known, turned into one line on stderr in `cli.py` alone.
"""

from __future__ import annotations

from typing import ClassVar


class PitwallError(Exception):
    """`where: what (hint)`, on one line.

    what: the fact, in the user's words.  where: the file (with its line or offset) or the name it is about.
    hint: what to do next.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, where: object = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = str(where)
        self.hint = hint

    def __str__(self) -> str:
        line = f"{self.where}: {self.what}" if self.where else self.what
        return " ".join((f"{line} ({self.hint})" if self.hint else line).split())


class UsageError(PitwallError):
    """What was asked for makes no sense: an unknown car, a file that is no capture, a bad flag."""

    exit_code = 2


class CarError(UsageError):
    """A car definition is wrong.  `problems` holds all of them, each `file:line:column: what (hint)`."""

    def __init__(self, problems: list[str], *, where: object = "", hint: str = "") -> None:
        super().__init__("; ".join(problems), where=where, hint=hint)
        self.problems = problems


class LogError(PitwallError):
    """The log can't be opened, written or read at all."""


class RejectedError(PitwallError):
    """A frame can't be decoded, or a step raised on it, and nothing less than all frames was asked for."""


class LossError(PitwallError):
    """The work is done, and what was readable is kept, but something was lost or damaged."""

    exit_code = 3
