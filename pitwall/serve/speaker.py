"""Cues in, speech out: for a phone in the car, or a laptop, without a page.

Laws: one thing is said at a time, and what is old by the time it could be said is not; the speaking program, started
once and given a line a cue, may die, hang or be missing: that is told once, and costs nothing else.

Android's own is `termux-tts-speak`: it starts a speech engine with each call, which may take seconds, and then speaks
the lines of its standard input one by one.
"""

from __future__ import annotations

import logging
import os
import select
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pitwall.errors import UsageError
from pitwall.serve.companion import Companion

if TYPE_CHECKING:
    from pitwall.coach.cues import Cue
    from pitwall.coach.finding import Level
    from pitwall.serve.newest import Picture

logger = logging.getLogger(__name__)

LOOK_S: Final = 0.02
AGAIN_S: Final = 10.0
"""A program that died is started again after so long."""
TAKES_S: Final = 1.0
"""One that does not take a line within this hangs."""
PROGRAMS: Final = (("termux-tts-speak", "-s", "MUSIC"), ("espeak-ng",), ("espeak",))
"""Those that speak a line as it comes, in the order they are looked for."""


def program(wanted: str) -> Sequence[str]:
    """The command line of the speaking program: `wanted`, or for `auto` the first that is there.

    Raises UsageError where there is none.
    """
    if wanted != "auto":
        given = shlex.split(wanted)
        if not given or shutil.which(given[0]) is None:
            raise UsageError(f"there is no program {wanted!r} to speak with", hint="it reads a line a cue from stdin")
        return given
    for words in PROGRAMS:
        if shutil.which(words[0]) is not None:
            return words
    names = ", ".join(words[0] for words in PROGRAMS)
    raise UsageError("nothing here can speak", hint=f"install one of {names}, or name a program")


@dataclass(frozen=True, slots=True)
class Speaking:
    """level: whose words.  command: the speaking program's."""

    level: Level
    command: Sequence[str]


class Speaker(Companion):
    """Speaks the cues of what is shown, in the words of one level."""

    def __init__(self, picture: Callable[[], Picture], level: Level, command: Sequence[str]) -> None:
        super().__init__("pitwall-speaker")
        self._picture, self._level, self._command = picture, level, command
        self._process: subprocess.Popen[bytes] | None = None
        self._again_s = 0.0
        self._failed = False

    def run(self) -> None:
        said: Cue | None = None
        self._process = self._started()  # it takes its time to begin: before there is anything to say
        try:
            while not self.stopping.wait(LOOK_S):
                cue = self._picture().cue
                if cue is not None and cue is not said:
                    said = cue
                    self._say(cue.words[self._level])
        finally:
            self._end()

    def _say(self, words: str) -> None:
        if self._process is None or self._process.poll() is not None:
            self._end()
            if time.monotonic() < self._again_s:
                return  # by the time that it could, it would be too late
            self._process = self._started()
        process = self._process
        if process is None:
            return
        assert process.stdin is not None
        line = " ".join(words.split()).encode() + b"\n"
        try:
            if not select.select([], [process.stdin], [], TAKES_S)[1]:
                raise TimeoutError("it takes no words")
            os.write(process.stdin.fileno(), line)
            self._failed = False
        except OSError as error:
            self._tell(error)
            self._end()

    def _started(self) -> subprocess.Popen[bytes] | None:
        self._again_s = time.monotonic() + AGAIN_S
        try:
            return subprocess.Popen(  # noqa: S603  the user's own choice, without a shell
                list(self._command),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            self._tell(error)
            return None

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        with suppress(OSError):  # it has ended already
            process.stdin.close()
        process.terminate()
        try:
            process.wait(TAKES_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _tell(self, error: OSError) -> None:
        if not self._failed:
            logger.warning("%s does not speak: %s; cues are on the page all the same", self._command[0], error)
        self._failed = True
