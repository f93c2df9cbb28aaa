"""What is shown from now on in, a control row of the session out: anyone can later tell what was shown when.

Only while a session is recorded, and only of what is shown of it: the recorder writes the row, on request.
"""

from __future__ import annotations

import contextlib
import json
import logging
import queue
from typing import TYPE_CHECKING, Any, Final

from pitwall.errors import LogError
from pitwall.frames import Control
from pitwall.log import lock, requests
from pitwall.serve.companion import Companion
from pitwall.serve.limits import EDITS

if TYPE_CHECKING:
    from pathlib import Path

    from pitwall.serve.definitions import Definition

logger = logging.getLogger("pitwall.live")

MAX_FACT_BYTES: Final = requests.MAX_BYTES - 1024
"""A text that does not fit into a request is left out: its digest is there."""

PATIENCE_S: Final = 5.0
"""Less than a server that stops is waited for."""


class Edits(Companion):
    """Has the recorder write them, from a thread of its own: a disk that is slow keeps nobody."""

    def __init__(self, logs: Path) -> None:
        super().__init__("pitwall-edits")
        self._logs = logs
        self._waiting: queue.Queue[tuple[str, dict[str, Any]] | None] = queue.Queue(EDITS)

    def shown(self, session: str, definition: Definition, *, fingerprint: str, before: str) -> None:
        """The session is shown by `definition` from now on.  fingerprint, before: of its pipeline, and of the last."""
        try:
            self._waiting.put_nowait((session, fact(definition, fingerprint=fingerprint, before=before)))
        except queue.Full:
            logger.warning("%s: that it is shown by %s is not written down", session, fingerprint)

    def ask(self) -> None:
        """Has it end soon; what waits still is not written."""
        super().ask()
        with contextlib.suppress(queue.Full):  # then there is something to wake up by
            self._waiting.put_nowait(None)

    def run(self) -> None:
        while (edit := self._waiting.get()) is not None:
            session, said = edit
            if self.stopping.is_set():
                return
            if lock.recording(self._logs) != session:
                continue
            try:
                requests.ask(
                    self._logs,
                    {"control": int(Control.CAR_EDITED), "fact": said, "session": session},
                    within_s=PATIENCE_S,
                )
            except LogError as error:
                logger.warning("that %s was edited is not in the log: %s", said["car"], error)


def fact(definition: Definition, *, fingerprint: str, before: str) -> dict[str, Any]:
    """What the row says; `text`, and then `dbcs`, are null where they are too long."""
    said: dict[str, Any] = {
        "car": definition.car.name,
        "fingerprint": fingerprint,
        "before": before,
        "definition": definition.car.fingerprint,
        "dbcs": dict(definition.dbcs),
        "text": definition.text,
    }
    for key in ("text", "dbcs"):
        if len(json.dumps(said)) > MAX_FACT_BYTES:
            said[key] = None
    return said
