"""The CPU of a phone kept awake while something records: the lock taken at the start, given back however it ends.

Law: a guardian, a shell that waits for our end of a pipe to close, gives it back: after `kill -9` as well.  Recording
waits neither for it nor for the phone, whose commands have a time limit.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, Final

from pitwall.commands.options import option
from pitwall.errors import PitwallError

logger = logging.getLogger(__name__)

TAKE: Final = "termux-wake-lock"
ANSWER_S: Final = 5.0
"""Commands of Termux hang while Android has frozen the app that answers them."""

GUARDIAN: Final = f"""
timeout -k 1 {ANSWER_S:g} {TAKE} >/dev/null 2>&1 </dev/null \\
  || echo "{TAKE} failed, or did not answer: this phone may fall asleep"
read -r _
timeout -k 1 {ANSWER_S:g} termux-wake-unlock >/dev/null 2>&1 </dev/null \\
  || echo "termux-wake-unlock failed, or did not answer: the phone stays awake until Termux is told otherwise"
"""


def wake_lock_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--wake-lock`, as the parameter `wake_lock`: None where nothing was said."""
    return option(
        "--wake-lock/--no-wake-lock",
        default=None,
        help="Keep a phone awake meanwhile: by itself in Termux.",
    )(function)


@contextmanager
def awake(wanted: bool | None) -> Iterator[None]:
    """Keep this phone awake while the `with` lasts.  wanted: None: where there is a wake lock to take.

    Raises PitwallError where it is wanted and there is none.
    """
    there = shutil.which(TAKE) is not None
    if wanted and not there:
        raise PitwallError(
            "there is no wake lock here", where=TAKE, hint="pkg install termux-tools; only Termux has one"
        )
    if wanted is False or not there:
        yield
        return
    # in a session of its own, which neither Ctrl-C nor a closed terminal reaches
    guardian = subprocess.Popen(  # noqa: S603  our own words
        ["sh", "-c", GUARDIAN],  # noqa: S607  Termux's own, wherever that is
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert guardian.stdin is not None
    assert guardian.stdout is not None
    hearing = threading.Thread(target=_hear, args=(guardian.stdout,), name="wake lock", daemon=True)
    hearing.start()
    try:
        yield
    finally:
        guardian.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):  # then it goes on by itself
            guardian.wait(3 * ANSWER_S)
            hearing.join()


def _hear(said: IO[bytes]) -> None:
    with said:
        for line in said:
            logger.warning("%s", line.decode(errors="replace").strip())
