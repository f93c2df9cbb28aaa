"""The recorder's published state in, a notification on the phone out: what the driver sees without opening anything.

Law: a thread of its own that only reads what the recorder says of itself; a phone that doesn't answer costs it a rest,
and the recorder nothing.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pitwall.log.published import Recorder

SHOW: Final = "termux-notification"
REMOVE: Final = "termux-notification-remove"
ID: Final = "pitwall"
EVERY_S: Final = 10.0
"""Each notification is a process on the phone: no more of them than an eye wants."""
SHOWN_S: Final = 3.0
"""Within this it is shown, or Android has frozen the app; so long may it hold up an end, once all is safe."""
REST_S: Final = 60.0
"""After one that did not come through: Android has frozen the app that shows them."""


def told(recorder: Recorder | None) -> tuple[str, str, str]:
    """A notification's title, text and priority."""
    if recorder is None:
        return "pitwall: not recording", "no recorder runs", "high"
    state = recorder.state
    if state.problem:
        return "pitwall: NOTHING IS KEPT", f"{state.problem}; {state.waiting:,} frames wait", "high"
    if gone := [one for one in state.sources if one.state == "lost"]:
        return f"pitwall: {', '.join(one.bus for one in gone)} LOST", "; ".join(one.why for one in gone), "high"
    if not state.session:
        return "pitwall: waiting", "no frame has come yet", "low"
    if state.lost:
        return "pitwall: frames LOST", f"{state.lost:,} lost of {state.frames + state.lost:,}: {state.session}", "high"
    if quiet := [one.bus for one in state.sources if one.state == "silent"]:
        return "pitwall: silence", f"no frame comes on {', '.join(quiet)}: {state.session}", "low"
    low = "; the disk is nearly full" if state.low_space else ""
    return "pitwall: recording", f"{state.frames:,} frames, none lost{low}: {state.session}", "low"


@contextmanager
def notice(logs: Path, wanted: bool | None) -> Iterator[None]:
    """Show how the recorder of `logs` is doing while the `with` lasts, where there is anything to show it with."""
    if wanted is False or shutil.which(SHOW) is None:
        yield
        return
    ended, shown = threading.Event(), threading.Event()
    showing = threading.Thread(target=_show, args=(logs, ended, shown), name="notice", daemon=True)
    showing.start()
    try:
        yield
    finally:
        ended.set()
        showing.join()
        if shown.is_set():
            answered(REMOVE, ID)


def _show(logs: Path, ended: threading.Event, shown: threading.Event) -> None:
    """shown: whether the last one came through."""
    from pitwall.log.lock import recorder

    before: tuple[str, str, str] | None = None
    pause_s = 1.0  # the recorder has just begun
    while not ended.wait(pause_s):
        now, pause_s = told(recorder(logs)), EVERY_S
        if now == before:
            continue
        title, text, priority = now
        words = ("--id", ID, "--ongoing", "--alert-once", "--priority", priority, "--title", title, "--content", text)
        if answered(SHOW, *words):
            pause_s = REST_S
            shown.clear()
        else:
            before = now
            shown.set()


def answered(*command: str, within_s: float = SHOWN_S) -> str:
    """Why a command of the phone's did not do what it was asked; "" where it did."""
    try:
        process = subprocess.Popen(  # noqa: S603  our own words, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        return f"could not be started: {(error.strerror or str(error)).lower()}"
    try:
        code = process.wait(within_s)
    except subprocess.TimeoutExpired:
        # with what it started itself, which waits for the frozen app: where 32 such processes gather, Android kills us
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return f"did not answer within {within_s:g} s"
    return f"failed with exit code {code}" if code else ""
