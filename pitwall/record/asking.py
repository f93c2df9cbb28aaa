"""What a recorder is asked, as requests in its logs folder, in; done once it is in the log, or refused with the reason.

Law: each request is done once, even where the disk does not take its file away.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pitwall.frames import Control
from pitwall.log import requests
from pitwall.log.outbox import Outbox
from pitwall.log.recovery import session_folders
from pitwall.log.requests import Request

_ASKED: Final = frozenset(
    map(int, (Control.NOTE, Control.TAGS, Control.CAR_EDITED, Control.START_LINE, Control.ANSWER))
)
"""The control rows that anybody may ask for."""


class Asking:
    """The requests to whoever writes `log`."""

    def __init__(self, log: Outbox) -> None:
        self._log = log
        self._promised: dict[Path, Request] = {}  # answered once all is written that waits now
        self._handed: set[Path] = set()  # those that the keeper of the log sees to
        self._taken: set[Path] = set()  # those and all others that are still there: none is done twice

    def look(self) -> None:
        """Take what was asked since the last look; nothing new while the log is stuck."""
        asked = requests.asked(self._log.hold.logs, self._log.hold.disk)
        self._taken &= {request.path for request in asked}
        for request in asked:
            if request.path not in self._taken:
                if not self._log.stuck:
                    self._taken.add(request.path)
                    self._do(request)
            elif request.path not in self._promised and request.path not in self._handed:
                request.done()  # it is, and the disk did not take it away

    def written(self) -> None:
        """All is written that was put into the log before: what was promised is done."""
        for request in self._promised.values():
            request.done()
        self._promised.clear()

    def _do(self, request: Request) -> None:
        """Do what was asked; it is answered once that is in the log."""
        fact, session = request.fact, self._log.session
        if "end" in fact:
            if not session or fact["end"] not in (True, session):
                request.refuse(f"{fact['end']} is not being recorded" if session else "no session is being recorded")
                return
            self._log.end("asked")
        elif isinstance(fact.get("control"), int) and fact["control"] in _ASKED and isinstance(fact.get("fact"), dict):
            wanted = fact.get("session", session)
            if wanted != session or not session:
                self._hand_on(request, wanted)
                return
            self._log.put_control(Control(fact["control"]), fact["fact"])
        else:
            request.refuse("that can't be asked of a recorder")
            return
        self._promised[request.path] = request

    def _hand_on(self, request: Request, session: str) -> None:
        """Have a control row put behind a session that is not being recorded."""
        if not session or session not in (path.name for path in session_folders(self._log.hold.logs)):
            request.refuse(f"there is no session {session!r}")
            return
        self._handed.add(request.path)

        def answer(why_not: str) -> None:
            if why_not:
                request.refuse(why_not)
            else:
                request.done()
            self._handed.discard(request.path)

        self._log.hold.add(session, Control(request.fact["control"]), request.fact["fact"], answer)
