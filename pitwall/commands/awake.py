"""The CPU of a phone kept awake while something records: the lock taken at the start, given back whatever happens.

Law: neither waits for the phone longer than `ANSWER_S`, and recording waits for none: it is asked beside it.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from pitwall.commands.options import option
from pitwall.errors import PitwallError

logger = logging.getLogger(__name__)

TAKE: Final = "termux-wake-lock"
RELEASE: Final = "termux-wake-unlock"
ANSWER_S: Final = 5.0
"""Commands of Termux hang while Android has frozen the app that answers them."""


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
    taking = threading.Thread(target=_ask, args=(TAKE, "this phone may fall asleep"), name="wake lock", daemon=True)
    taking.start()
    try:
        yield
    finally:
        taking.join()  # else the lock might be taken after it was given back
        _ask(RELEASE, "the phone stays awake until Termux is told otherwise")


def _ask(command: str, cost: str) -> None:
    """Run it, and say what it costs where it fails."""
    if why := answered(command):
        logger.warning("%s %s: %s", command, why, cost)


def answered(*command: str, within_s: float = ANSWER_S) -> str:
    """Why a command of the phone's did not do what it was asked; "" where it did."""
    try:
        # in a group of its own, which Ctrl-C does not reach: the release must get through
        done = subprocess.run(  # noqa: S603  our own words, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=within_s,
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"did not answer within {within_s:g} s"
    except OSError as error:
        return f"could not be started: {(error.strerror or str(error)).lower()}"
    return f"failed with exit code {done.returncode}" if done.returncode else ""
