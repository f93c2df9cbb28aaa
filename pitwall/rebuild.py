"""`python -m pitwall.rebuild ORDER`: one session replayed, in a process of its own, for `workers.py`, which listens.

Thin: `replay` has the work.  It ends when its stdin does, and rests while it is told to.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from typing import Final

from pitwall.errors import PitwallError
from pitwall.log.session import find
from pitwall.project.room import Room
from pitwall.project.turn import BusyError
from pitwall.replay import rebuilt
from pitwall.workers import Order

TELL_S: Final = 0.2
"""How often it says how far it is."""


def main() -> int:
    order = Order.decoded(sys.argv[1])
    if order.nice:
        with contextlib.suppress(OSError):
            os.nice(order.nice)
    going = threading.Event()
    going.set()
    threading.Thread(target=_obey, args=(going,), name="orders", daemon=True).start()
    told_s = 0.0

    def progress(done: int, rows: int) -> None:
        nonlocal told_s
        going.wait()
        if time.monotonic() - told_s >= TELL_S:
            told_s = time.monotonic()
            _say({"done": done, "rows": rows})

    try:
        room = Room(order.projections, floor=order.leave_free)
        report = rebuilt(
            find(order.logs, order.session),
            order.projections,
            order.cars,
            room=room,
            force=order.force,
            strict=order.strict,
            progress=progress,
        )
    except BusyError as busy:
        _say({"busy": str(busy)})
    except PitwallError as error:
        _say({"error": str(error)})
        return error.exit_code
    else:
        _say({"report": report.facts()})
    return 0


def _obey(going: threading.Event) -> None:
    for line in sys.stdin:
        if line == "pause\n":
            going.clear()
        else:
            going.set()
    os.kill(os.getpid(), signal.SIGTERM)  # who started it is gone


def _say(what: dict[str, object]) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    sys.exit(main())
