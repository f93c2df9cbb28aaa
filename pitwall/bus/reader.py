"""One bus, heard for as long as it is recorded: a plug in; into the inbox its frames, and what becomes of its source.

Laws:

1. Whatever the source's library does - raise, end a thread, hang, spin, go mute - the source is lost, or silent, and
   opened again, for ever: after growing pauses, and at once when its device's node comes back.
2. A thread has its turn, and whoever does not come back loses it: the source is another thread's then, and what the
   late one still brings is counted and never written.  So frames of a bus are in the inbox once, in order.
3. Each change of state is one line of logging and one control row between the frames that it stands between; a source
   that stays as it is is opened again and again without a word.
4. Nothing is lost in silence: what a source counts is told at most once a second, by cause.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from pitwall.bus.account import Account
from pitwall.bus.inbox import Inbox
from pitwall.bus.source import Cause, Plug, Source
from pitwall.bus.standing import FINE, Patience, Standing, State
from pitwall.bus.turn import Turn, close, identity
from pitwall.errors import PitwallError, UsageError
from pitwall.frames import Frames

NODE_S: Final = 0.2
"""How often the node of a device that is away is looked for: a `stat`, of some microseconds."""
SPIN_READS: Final = 1000
"""So many reads that give nothing, one behind the other ..."""
SPIN_S: Final = 0.5
"""... within so long are no waiting: a source that waits comes back ten times a second."""
WAITS: Final = 3
"""A source that heard nothing is there once so many of its reads took their time: one may have met a busy machine."""
MAX_GIVEN_UP: Final = 4
"""Threads of a source that may hang at once: each holds a stack and perhaps the device, and one that spins holds the
processor.  There is no more try until one of them comes back."""

_OPENING: Final = "opening"


class Reader:
    """Of one bus.  ended: its source has.  answered: the first try to open it came back, or was given up.

    refused: why it can never be opened, as its first try said.
    """

    def __init__(
        self,
        bus: int,
        name: str,
        plug: Plug,
        inbox: Inbox,
        now: Callable[[], int],
        patience: Patience,
        halt: threading.Event,
    ) -> None:
        """bus, name: its number and what it is called.  now: ns, as the sources' `t`.  halt: set when all is to end."""
        self.ended = False
        self.answered = threading.Event()
        self.refused: UsageError | None = None
        self._plug, self._patience, self._halt = plug, patience, halt
        self._silent_s = patience.silent_s
        self._mutex = threading.Lock()  # guards what follows; never held while the source is called
        self._turn: Turn | None = None
        self._given_up: list[Turn] = []
        self._account = Account(bus, name, plug.name, inbox, now)
        self._tries = 0  # since it gave a frame
        self._tried: tuple[int, ...] | None = None  # the node that was tried last
        self._reopened = False  # since it fell silent

    def start(self) -> None:
        """Begins to listen."""
        with self._mutex:
            self._begin()

    def standing(self) -> Standing:
        """How it is doing."""
        with self._mutex:
            return self._account.standing()

    def look(self, awake: float) -> None:
        """Whether its thread hangs, or its source has fallen silent; what was lost is told.

        Called often.  awake: s, since when this process has been running without a gap: until then nobody was late.
        """
        now = time.monotonic()
        with self._mutex:
            self._account.tell_losses(self._patience.tell_s)
            self._account.measure()
            turn = self._turn
            if self.ended or self.refused is not None or self._halt.is_set():
                return
            if turn is None:
                if self._hanging() < MAX_GIVEN_UP:
                    self._begin()
            elif turn.doing and now - max(turn.since, awake) > self._patience.hang_s:
                self._give_up(turn)
            elif turn.source is not None:
                self._look_for_silence(turn, now - max(self._account.heard_s, turn.opened, awake))

    def stop(self, patience_s: float) -> None:
        """Returns when the source is closed, or has not let itself be within `patience_s`; `halt` is set already."""
        turn = self._turn
        if turn is not None and turn.thread is not None:
            if turn.doing != _OPENING:  # which may take as long as it likes: it closes what it gets by itself
                turn.thread.join(patience_s)
            with self._mutex:
                if turn.thread.is_alive() and not turn.over:
                    self._abandon(turn)
        with self._mutex:
            self._account.tell_losses(0)

    # what follows is of the thread whose turn it is

    def _run(self, turn: Turn) -> None:
        while True:
            if self._tries:
                self._pause()
            if not self._goes_on(turn):
                return
            try:
                if self._open(turn):
                    self._listen(turn)
            except BaseException as error:  # noqa: BLE001  a driver may even try to end the thread
                self._fail(turn, error)
            finally:
                self._close(turn)
                turn.at("")
                self.answered.set()
            if self.ended or self.refused is not None:
                return

    def _goes_on(self, turn: Turn) -> bool:
        return not turn.over and not self._halt.is_set()

    def _open(self, turn: Turn) -> bool:
        """Whether there is a source now."""
        first, self._tried = not self.answered.is_set(), identity(self._plug.node)
        turn.at(_OPENING)
        try:
            source = self._plug.open()
        except UsageError as error:
            if first and not turn.over:
                self.refused = error
                return False
            raise
        finally:
            turn.at("")
        self.answered.set()
        with self._mutex:
            if not turn.over:
                turn.source, turn.counted, turn.again = source, {}, False
                turn.opened = time.monotonic()
                return True
        close(source)  # it came too late
        return False

    def _listen(self, turn: Turn) -> None:
        """From the source into the inbox, until either has had enough."""
        source = turn.source
        assert source is not None
        counted = began = time.monotonic()
        nothing = waited = 0
        while self._goes_on(turn) and not turn.again:
            turn.at("reading")
            rows = source.read(self._patience.read_s)
            took, now = time.monotonic() - turn.since, time.monotonic()
            turn.at("")
            if rows is None:
                self._end(turn)
                return
            if len(rows):
                self._heard(turn, rows)
                nothing = 0
            else:
                waited += took >= self._patience.read_s / 2
                if waited == WAITS:
                    self._came_back(turn)
                began = began if nothing else now
                nothing += 1
                if nothing >= SPIN_READS:
                    if now - began < SPIN_S and not self._count(turn, source):
                        raise PitwallError("gives nothing, at once, over and over", where=self._plug.name)
                    nothing = 0
            if now - counted >= self._patience.tell_s:
                counted = now
                self._count(turn, source)

    def _close(self, turn: Turn) -> None:
        with self._mutex:
            source, turn.source = turn.source, None
        if source is not None:
            with suppress(Exception):  # it may be past counting
                self._count(turn, source)
            turn.at("closing")
            close(source)
            turn.at("")

    def _pause(self) -> None:
        """Until it is time to try again, or the node is there, and another than the one that was tried."""
        end = time.monotonic() + self._patience.pauses_s[min(self._tries, len(self._patience.pauses_s)) - 1]
        while (left := end - time.monotonic()) > 0 and not self._halt.wait(min(left, NODE_S)):
            if identity(self._plug.node) not in (None, self._tried):
                return

    def _heard(self, turn: Turn, rows: Frames) -> None:
        with self._mutex:
            if turn.over:
                self._account.lose(Cause.LATE, len(rows))
                return
            state, back = self._account.state, None
            if state is State.SILENT:
                back = State.RECONNECTED if self._reopened else State.CONNECTED
                if not self._reopened and self._account.heard_s:
                    # it speaks seldom, and is given twice as long from now on
                    self._silent_s = max(self._silent_s, 2 * (time.monotonic() - self._account.heard_s))
            elif state not in FINE:
                back = self._account.returned
            self._tries, self._reopened = 0, False
            self._account.hear(rows, back)

    def _came_back(self, turn: Turn) -> None:
        with self._mutex:
            if not turn.over and self._account.state in (State.OPENING, State.LOST):
                self._account.change(self._account.returned)

    def _fail(self, turn: Turn, error: BaseException) -> None:
        turn.at("")
        if turn.source is not None:
            with suppress(Exception):
                self._count(turn, turn.source)
        with self._mutex:
            if turn.over or self._halt.is_set():
                return
            self._tries += 1
            expected = isinstance(error, PitwallError)
            why = error.what if isinstance(error, PitwallError) else f"{type(error).__name__}: {error}"
            self._account.change(
                State.LOST, " ".join(why.split()).removeprefix("is lost: "), trace=None if expected else error
            )

    def _end(self, turn: Turn) -> None:
        with self._mutex:
            if self._goes_on(turn):
                self._account.change(State.ENDED)
                self.ended = True

    def _count(self, turn: Turn, source: Source) -> bool:
        """What the source has lost or refused since it was asked last; whether there is any."""
        turn.at("counting")
        counted = dict(source.counted())
        turn.at("")
        with self._mutex:
            grown = {cause: n - turn.counted.get(cause, 0) for cause, n in counted.items()}
            turn.counted = counted
            for cause, n in grown.items():
                self._account.lose(cause, n)
        return any(n > 0 for n in grown.values())

    # what follows is called with the mutex held

    def _begin(self) -> None:
        self._turn = turn = Turn()
        turn.thread = threading.Thread(target=self._run, args=(turn,), name=f"read {self._plug.name}", daemon=True)
        try:
            turn.thread.start()
        except RuntimeError as error:  # the system has no room for one just now; the next look tries again
            self._turn = None
            self._account.change(State.LOST, str(error))

    def _hanging(self) -> int:
        self._given_up = [turn for turn in self._given_up if turn.thread is not None and turn.thread.is_alive()]
        return len(self._given_up)

    def _give_up(self, turn: Turn) -> None:
        why = f"{turn.doing} it has not come back for {self._patience.hang_s:g} s"
        self._abandon(turn)
        self._turn = None
        self._tries += 1
        self.answered.set()
        if self._hanging() >= MAX_GIVEN_UP:
            why += f"; {MAX_GIVEN_UP} tries hang, and there is no other until one of them comes back"
        else:
            self._begin()
        self._account.change(State.LOST, why)

    def _abandon(self, turn: Turn) -> None:
        turn.over = True
        self._given_up.append(turn)
        source, turn.source = turn.source, None
        if source is not None:  # it holds the device; and closing may be what brings the thread back
            closing = threading.Thread(target=close, args=(source,), name=f"close {self._plug.name}", daemon=True)
            with suppress(RuntimeError):  # no room for one: it stays open, and the next try says so
                closing.start()

    def _look_for_silence(self, turn: Turn, quiet_s: float) -> None:
        mute_s, pause_s = self._patience.mute_s, self._patience.pauses_s[-1]
        state, silent_s = self._account.state, min(self._silent_s, mute_s)
        if state in FINE and quiet_s > silent_s:
            self._reopened = False
            self._account.change(State.SILENT, f"no frame for {silent_s:.3g} s")
        elif state is State.SILENT and self._account.heard_s and quiet_s > (pause_s if self._reopened else mute_s):
            # a car that is switched off looks the same: an adapter that is opened again now and then does it no harm
            turn.again = self._reopened = True
