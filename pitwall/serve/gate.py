"""Connections in, which may stay out: at most so many in all and of one client; those that ask nothing make room."""

from __future__ import annotations

from collections import Counter
from typing import Final, Protocol

from pitwall.serve.limits import MAX_CONNECTIONS, MAX_OF_CLIENT

CROWD: Final = "crowd"
HEAD: Final = "slow-head"
BODY: Final = "slow-body"
FULL: Final = "full"
"""Why a connection was closed: room was needed and it asked nothing, it was too slow, or there was no room for it."""


class Guest(Protocol):
    """A connection, as the gate knows it."""

    client: str

    def leave(self) -> None:
        """Ends at once."""


class Gate:
    """Who is in.  under_way: requests that are being answered.  closed: connections that we ended, by why."""

    def __init__(self, most: int = MAX_CONNECTIONS, most_of_client: int = MAX_OF_CLIENT) -> None:
        self.under_way = 0
        self.closed: Counter[str] = Counter()
        self._most, self._most_of_client = most, most_of_client
        self._of_client: Counter[str] = Counter()
        self._in: set[Guest] = set()
        self._waiting: dict[Guest, None] = {}  # that ask nothing; first who has done so for longest

    @property
    def open(self) -> int:
        """Connections."""
        return len(self._in)

    def enter(self, guest: Guest) -> bool:
        """Whether there is room for it, or was made: who asks nothing leaves, of the same client where it has most."""
        crowded = self._of_client[guest.client] >= self._most_of_client
        if crowded or len(self._in) >= self._most:
            idle = next((one for one in self._waiting if not crowded or one.client == guest.client), None)
            if idle is None:
                self.closed[FULL] += 1
                return False
            self.closed[CROWD] += 1
            self.exit(idle)
            idle.leave()
        self._in.add(guest)
        self._of_client[guest.client] += 1
        self._waiting[guest] = None
        return True

    def exit(self, guest: Guest) -> None:
        """It is gone."""
        if guest not in self._in:
            return
        self._in.discard(guest)
        self._waiting.pop(guest, None)
        self._of_client[guest.client] -= 1
        if not self._of_client[guest.client]:
            del self._of_client[guest.client]

    def asks(self, guest: Guest) -> None:
        """It has asked for something."""
        self._waiting.pop(guest, None)
        self.under_way += 1

    def answered(self, guest: Guest) -> None:
        """It has been answered."""
        self.under_way -= 1
        if guest in self._in:
            self._waiting[guest] = None
