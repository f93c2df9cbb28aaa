"""What clients, an engineer and an archive cost a server: streams, queries, an edit now and then, rebuilds behind it.

In threads of the soak's own process; what it meets is counted, and any answer that is no answer is told.
"""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

STREAMS: Final = 4
QUERIES_PER_S: Final = 5.0
CHANNELS: Final = 10
EDIT_EVERY_S: Final = 20.0
BUSY: Final = (429, 503)
"""A server that says that it is busy has answered."""

Where = tuple[str, int]


@dataclass
class Met:
    """events: of all streams.  answers, busy: of queries.  edits: of the car's definition."""

    events: int = 0
    answers: int = 0
    busy: int = 0
    edits: int = 0
    problems: list[str] = field(default_factory=list)


def ask(where: Where, path: str, timeout_s: float = 60) -> tuple[int, Any]:
    """Status and JSON of one answer."""
    connection = http.client.HTTPConnection(*where, timeout=timeout_s)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


class Load:
    """From `start` to `stop`.  definition: the car's file.  edited: its text after the edit `k`."""

    def __init__(self, where: Where, definition: Path, edited: Callable[[int], str]) -> None:
        self.met = Met()
        self._where, self._definition, self._edited = where, definition, edited
        self._over = threading.Event()
        jobs: list[Callable[[], None]] = [*[self._listen] * STREAMS, self._query, self._edit]
        self._threads = [threading.Thread(target=self._watched, args=(job,), daemon=True) for job in jobs]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            if thread.ident is not None:  # else it was never started: an idle drive
                thread.join(60)

    def _watched(self, job: Callable[[], None]) -> None:
        try:
            job()
        except Exception as error:
            if not self._over.is_set():
                self.met.problems.append(f"{job.__name__}: {type(error).__name__}: {error}")

    def _listen(self) -> None:
        with socket.create_connection(self._where, timeout=60) as connection:
            connection.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
            stream = connection.makefile("rb")
            while not self._over.is_set():
                line = stream.readline()
                assert line, "the stream ended"
                self.met.events += line.startswith(b"data:")

    def _query(self) -> None:
        said = ask(self._where, "/session/_live/channels")[1]
        names = ",".join(channel["name"] for channel in said["channels"][:CHANNELS])
        while not self._over.wait(1 / QUERIES_PER_S):
            status, said = ask(self._where, f"/session/_live/signals?points=1000&channels={names}")
            if status in BUSY:
                self.met.busy += 1
            else:
                assert status == 200, f"{status} {said}"
                self.met.answers += 1

    def _edit(self) -> None:
        while not self._over.wait(EDIT_EVERY_S):
            self.met.edits += 1
            beside = self._definition.with_suffix(".new")
            beside.write_text(self._edited(self.met.edits))
            beside.replace(self._definition)


def until(true: Callable[[], Any], what: str, within_s: float = 60) -> Any:
    """What `true` says once it says something.  Raises AssertionError where it has not by then."""
    end = time.monotonic() + within_s
    while not (found := true()):
        assert time.monotonic() < end, f"not within {within_s:g} s: {what}"
        time.sleep(0.1)
    return found
