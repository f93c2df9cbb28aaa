"""Writers' lives in, a trace of all that they did to the disk out: what is recorded, ended, killed and recovered.

Each life is a process of its own (a fork), so that one that is killed is really gone, with its locks and threads; the
next life finds the disk as it was left, bytes that were never synced included.
"""

from __future__ import annotations

import math
import os
import random
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path

from pitwall.frames import Frames
from pitwall.log import Writer, recover, sessions
from tests.log.drives import START_NS, traffic
from tests.torture.crash_states_disk import KILLED, Appending, Event, Gone, Promised, Recorder, Trace

NEVER_S = 3600.0  # no sync but those that a script asks for
GAP_NS = 10**9


@dataclass(frozen=True)
class Life:
    """One process: what it does, in words, and the call to its disk at which it is killed.

    append N · sync · seal N (calls of the seal thread) · seal (all of them) · end · close · recover (nothing else then)
    """

    does: tuple[str, ...]
    segment_bytes: int = 1 << 20
    kill_at: int | None = None
    part: float = 0.0


def live(logs: Path, trace_path: Path, lives: list[Life], lies: frozenset[str] = frozenset()) -> list[Event]:
    """Live them one after the other in the folder `logs`; all that was noted."""
    for number, life in enumerate(lives):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a fork beside Arrow's idle threads
            pid = os.fork()
        if pid == 0:
            code = 1
            try:
                _live(logs, trace_path, life, number, lies)
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        assert code in (0, KILLED), f"the life {number} of {lives} ended with {code}"
        trace = Trace(trace_path)
        trace.note(Gone())
        trace.close()
    return trace.events()


def _live(logs: Path, trace_path: Path, life: Life, number: int, lies: frozenset[str]) -> None:
    trace = Trace(trace_path)
    disk = Recorder(logs, trace, kill_at=life.kill_at, part=life.part, lies=lies)
    if life.does == ("recover",):
        recover(logs, disk)
        _promise_ended(logs, trace)
        return
    writer = Writer.create(
        logs,
        car="test",
        buses=["a", "b"],
        started_at_ns=START_NS + number * GAP_NS,
        session_id=f"s{number}",
        sync_interval_s=NEVER_S,
        segment_bytes=life.segment_bytes,
        disk=disk,
    )
    _promise_ended(logs, trace, but=writer.session)
    open_ended = True
    for turn, step in enumerate(life.does):
        what, _, size = step.partition(" ")
        if what == "append":
            about = Appending(writer.session, int(size), number * 1000 + turn, (turn + 1) * GAP_NS)
            trace.note(about)
            writer.append(given(about))
        elif what == "sync":
            writer.sync()
            disk.settled(writer.path)
        elif what == "seal":
            disk.let(int(size) if size else math.inf)
        elif what == "end":
            disk.let(math.inf)
            disk.open_gate()
            writer.end(0)
            open_ended = False
        else:
            assert what == "close", what
            disk.let(math.inf)
            disk.open_gate()
            writer.close()
            open_ended = False
        trace.note(Promised(writer.session, writer.written, writer.durable))
    if open_ended:
        os._exit(KILLED)


def given(about: Appending) -> Frames:
    """The rows that were appended."""
    return traffic(about.rows, seed=about.seed, start_ns=about.start_ns)


def _promise_ended(logs: Path, trace: Trace, but: str = "") -> None:
    """A session that nobody writes is durable, all of it."""
    for session in sessions(logs):
        if session.id != but:
            trace.note(Promised(session.id, session.rows, session.rows))


def some_lives(random: random.Random) -> list[Life]:
    """Lives of any kind: long or short, killed or ended, recovered by one that does nothing else or by the next."""
    lives = []
    for _ in range(random.choice((1, 1, 2, 2, 3, 4))):
        steps = []
        for _ in range(random.randrange(1, 12)):
            what = random.choices(("append", "sync", "seal", "seal all"), (6, 4, 2, 1))[0]
            if what == "append":
                size = random.choices((1, random.randrange(2, 12), random.randrange(12, 60), 300), (3, 6, 3, 0.4))[0]
                steps.append(f"append {size}")
            elif what == "sync":
                steps.append("sync")
            else:
                steps.append("seal" if what == "seal all" else f"seal {random.randrange(1, 9)}")
        steps += random.choices((["end"], ["close"], []), (4, 2, 3))[0]
        kill_at = random.randrange(3, 50) if random.random() < 0.4 else None
        size = random.choice((1, 1, 2_500, 6_000, 1 << 20))
        lives.append(Life(tuple(steps), size, kill_at, random.choice((0.0, 0.1, 0.5, 0.9))))
        if random.random() < 0.4:
            kill_at = random.randrange(0, 30) if random.random() < 0.5 else None
            lives.append(Life(("recover",), kill_at=kill_at, part=random.random()))
    return lives


def small_lives() -> list[list[Life]]:
    """Every life of three steps at most, ended, closed or killed, with one segment or one a batch, recovered or not."""
    steps = ("append 3", "sync", "seal")
    bodies: list[tuple[str, ...]] = [()]
    for _ in range(3):
        bodies += [(*body, step) for body in bodies for step in steps if (*body, step) not in bodies]
    bodies = [body for body in dict.fromkeys(bodies) if _tells(body)]
    found = []
    for body in bodies:
        for end in ((), ("end",), ("close",)):
            for segment_bytes in (1, 1 << 20):
                for behind in ([], [Life(("recover",))]):
                    if body or end:
                        found.append([Life((*body, *end), segment_bytes), *behind])
    return found


def _tells(body: tuple[str, ...]) -> bool:
    """Whether no step does nothing: a seal needs a sync before it, a sync something to sync."""
    for before, step in zip(("append 3", *body), body, strict=False):
        if step == before and step != "append 3":
            return False
    return "seal" not in body or "sync" in body[: body.index("seal")]
