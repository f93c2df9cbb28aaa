"""Pitwall's processes under one supervisor: a command line in, a process kept alive, nothing left behind.

Laws:

1. A child that dies is started again, alone, after a pause that grows while it keeps dying.
2. A child that gives up right at its first start with an exit code of its own (bad usage, a log that is locked) takes
   the whole run down with that code: trying again would change nothing.  Once frames are recorded nobody does.
3. No child outlives its supervisor, however that ends: each reads a line that only the supervisor holds open.
4. A child that has no turn any more, whatever keeps it (a driver that never gives the interpreter back), is killed and
   started again: on the same line it says each second that it is alive.
"""

from __future__ import annotations

import logging
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

logger = logging.getLogger(__name__)

FIRST_PAUSE_S: Final = 0.25
LONGEST_PAUSE_S: Final = 30.0
STEADY_S: Final = 30.0
"""A child that has lived this long is no longer one that keeps dying."""
LOOK_S: Final = 0.02
EARLY_S: Final = 10.0
"""A first start that fails sooner than this never worked."""
BEAT_S: Final = 0.5
AWAKE_S: Final = 1.0
"""A supervisor that itself had no turn for so long can't say of others that they had none."""


class Child:
    """`pitwall ARGUMENTS` in a process, and a process group, of its own.

    What it prints goes to our stderr.  patience_s: how long it may take to end once it was asked to.
    descriptors: of ours, that it gets under the same numbers.  nice: how much it leaves to others, 0 to 19.
    hang_s: how long it may say nothing of being alive, once it has; None: for ever.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        patience_s: float,
        descriptors: Sequence[int] = (),
        nice: int = 0,
        hang_s: float | None = None,
    ) -> None:
        self.name = name
        self._nice, self._hang_s = nice, hang_s
        self._line: socket.socket | None = None  # to the process
        self._alive_s = math.inf  # when it said so last
        self._looked_s = 0.0
        self.patience_s = patience_s
        self._descriptors = descriptors
        self._command = [sys.executable, "-m", "pitwall", *arguments]
        self._process: subprocess.Popen[bytes] | None = None
        self._begun = 0.0
        self._starts = 0
        self._pause_s = FIRST_PAUSE_S
        self._again_at = 0.0

    @property
    def pid(self) -> int | None:
        """Of the process, while it runs."""
        return self._process.pid if self._process is not None and self.running else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the process.  A Ctrl-C in the terminal is ours to hand on, so that the recorder ends last."""
        self._begun = time.monotonic()
        self._starts += 1
        self._line, theirs = socket.socketpair()
        self._line.setblocking(False)
        self._alive_s, self._looked_s = math.inf, self._begun
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  our own command line, no shell
                self._command,
                stdin=theirs.fileno(),
                stdout=sys.stderr.fileno(),
                start_new_session=True,
                pass_fds=self._descriptors,
            )
        if self._nice:
            with suppress(OSError):  # its threads, which it has yet to start, are so too
                os.setpriority(os.PRIO_PROCESS, self._process.pid, self._nice)

    def tend(self, *, may_give_up: bool = True) -> int | None:
        """See to it that the process runs.  Returns the exit code to end everything with, or None to go on."""
        now = time.monotonic()
        if self._process is None:
            if now >= self._again_at:
                try:
                    self.start()
                except OSError as error:  # no memory, or no process, to be had just now: no reason to end the others
                    logger.warning("%s can't be started: %s", self.name, error.strerror or error)
                    self._forget()
                    self._pause(now)
            return None
        if self._hangs(now):
            logger.error("%s has not had a turn for %g s: it is killed", self.name, self._hang_s)
            self._process.kill()
            self._process.wait()
        code = self._process.poll()
        if code is None:
            return None
        self._forget()
        if may_give_up and self._starts == 1 and code > 0 and now - self._begun < EARLY_S:
            return code
        if now - self._begun >= STEADY_S:
            self._pause_s = FIRST_PAUSE_S
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        logger.warning("%s %s; starting it again in %g s", self.name, how, self._pause_s)
        self._pause(now)
        return None

    def ask(self) -> None:
        """Ask the process to end."""
        if self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        """End it at once, wherever it is."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._forget()

    def wait(self, hurry: Callable[[], bool] = lambda: False) -> int:
        """The exit code of one that was asked to end, once it has (0 where it wasn't running).

        hurry: whether it is not waited for any more, but killed.
        """
        process = self._process
        if process is None:
            return 0
        over = time.monotonic() + self.patience_s
        while (code := process.poll()) is None:
            if hurry():
                self.kill()
                return 1
            if time.monotonic() > over:
                logger.warning("%s did not end within %g s and was killed", self.name, self.patience_s)
                process.kill()
                code = process.wait()
                break
            time.sleep(LOOK_S)
        self._forget()
        # killed by the very signal that asked it to end, before it could answer: that is an end too
        return 0 if code == -signal.SIGTERM else 1 if code < 0 else code

    def _hangs(self, now: float) -> bool:
        assert self._line is not None
        slept = now - self._looked_s > AWAKE_S
        self._looked_s = now
        with suppress(OSError):  # nothing there, or the other end is gone
            if self._line.recv(4096):
                self._alive_s = now
        if slept and self._alive_s < now:
            self._alive_s = now
        return self._hang_s is not None and now - self._alive_s > self._hang_s

    def _pause(self, now: float) -> None:
        self._again_at = now + self._pause_s
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)

    def _forget(self) -> None:
        if self._line is not None:
            self._line.close()
        self._line = self._process = None


def end_with_supervisor() -> None:
    """In a child: ask ourselves to end when the supervisor is gone, and tell it meanwhile that we are alive.

    Our stdin is the line to it.
    """

    def wait() -> None:
        with suppress(OSError):  # it may have ended with something unread
            while os.read(0, 64):
                pass
        os.kill(os.getpid(), signal.SIGHUP)  # not a second SIGTERM, where a first one came: that would be in a hurry

    def beat() -> None:
        with suppress(OSError):  # a line that takes nothing has nobody at its end who asks
            while os.write(0, b"."):
                time.sleep(BEAT_S)

    for what in (wait, beat):
        threading.Thread(target=what, name="supervisor", daemon=True).start()
