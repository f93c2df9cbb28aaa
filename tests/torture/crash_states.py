"""The loss of power, simulated: what lives of writers did to a disk in, every folder it may have left examined.

Each workload is lived for real (`crash_states_lives`) on a disk that notes each call; at each instant of it, states
that POSIX allows are laid down in a folder, read, recovered and read again (`crash_states_disk`,
`crash_states_examine`).
Small workloads go through all of their states, long random ones through some, with the power lost again while what was
left is being recovered.  Everything comes from the seed; a workload is named by its seed and number.
"""

from __future__ import annotations

import multiprocessing
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from pitwall.frames import Flag, to_arrow
from pitwall.log import Damage, read
from tests.torture.crash_states_disk import Appending, Event, Gone, Promised, State, Volume
from tests.torture.crash_states_examine import BrokenError, Examiner, again
from tests.torture.crash_states_lives import Life, given, live, small_lives, some_lives

MEMORY = Path("/dev/shm")
PROCESSES = 2
MOST_EACH = 4_000
"""States at one instant of a small workload; where there are more, so many of them are drawn."""


@dataclass
class Figures:
    """workloads: lived.  drawn: states, equal ones included.  distinct: examined.  instants: crash points."""

    workloads: int = 0
    instants: int = 0
    drawn: int = 0
    distinct: int = 0
    whole: int = 0
    writers: int = 0

    def add(self, other: Figures) -> None:
        for name in vars(self):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def __str__(self) -> str:
        return (
            f"{self.distinct:,} distinct crash states of {self.drawn:,} drawn, at {self.instants:,} instants of"
            f" {self.workloads:,} workloads; at {self.whole:,} instants all that are possible;"
            f" a new session recorded on {self.writers:,}"
        )


class Workload(NamedTuple):
    """Lives, and how they are examined.  name: tells which, in a report.  states: about how many; 0: all, or `most` at
    one instant where there are more.
    """

    name: str
    seed: int
    lives: list[Life]
    states: int
    lies: frozenset[str] = frozenset()
    most: int = MOST_EACH


def examine(workload: Workload) -> Figures:
    """Live the workload and examine what a loss of power may leave.  Raises BrokenError, with the workload's name."""
    pa.set_cpu_count(1)  # each process has a core: threads beside it only wait for one another
    place = Path(tempfile.mkdtemp(prefix="pitwall-", dir=MEMORY if MEMORY.is_dir() else None))
    try:
        return _examine(workload, place)
    except BrokenError as broken:
        raise AssertionError(f"{workload}: {broken}") from broken
    finally:
        shutil.rmtree(place)


def _examine(workload: Workload, place: Path) -> Figures:
    logs = place / "lived"
    logs.mkdir()
    events = live(logs, place / "trace", workload.lives, workload.lies)
    history = _history(logs, events)
    draw = random.Random(workload.seed)
    examiner = Examiner(place, history)
    volume = Volume()
    durable: dict[str, int] = {}
    figures = Figures(workloads=1)
    each = -(-workload.states // (len(events) + 1))
    for event in [None, *events]:
        if event is not None:
            volume.apply(event)
        if isinstance(event, Promised):
            durable[event.session] = max(event.durable, durable.get(event.session, 0))
        every = not workload.states and volume.states() <= workload.most
        figures.instants += 1
        figures.whole += every
        for state in volume.every() if every else (volume.some(draw) for _ in range(each or workload.most)):
            figures.drawn += 1
            outcome = examiner.examine(state, durable, workload.lies)
            if outcome is not None and draw.random() < 0.1:
                again(examiner, state, outcome, durable, draw, tries=2, lies=workload.lies)
    left = volume.whole()
    assert left.files == _on_disk(logs).files, "what was noted is not what was done"
    examiner.check_pool()
    figures.distinct, figures.writers = examiner.examined, examiner.writers
    return figures


def _history(logs: Path, events: list[Event]) -> dict[str, pa.RecordBatch]:
    """Every row of each session as it stands with the power on: those that were given to be appended, in their order.

    Only what was under way when a writer was killed may be missing.
    """
    found = {}
    for folder in sorted(path for path in logs.iterdir() if path.is_dir() and not path.name.startswith(".")):
        damages: list[Damage] = []
        parts = [to_arrow(batch) for batch in read(folder, damaged=damages.append)]
        assert not damages, damages
        if not parts:
            continue
        rows = pa.Table.from_batches(parts).combine_chunks().to_batches()[0]
        found[folder.name] = rows
        written = max([e.written for e in events if isinstance(e, Promised) and e.session == folder.name], default=0)
        assert rows.num_rows >= written, f"{folder.name}: {written} rows were written, {rows.num_rows} are there"
        frames = rows.filter(pa.array((rows.column(3).to_numpy() & int(Flag.CONTROL)) == 0))
        at = 0
        mine = [
            event
            for event in events
            if isinstance(event, Gone) or (isinstance(event, Appending | Promised) and event.session == folder.name)
        ]
        for event, behind in zip(mine, [*mine[1:], None], strict=True):
            if isinstance(event, Appending):
                sent = to_arrow(given(event))
                kept = frames.slice(at, sent.num_rows).equals(sent)
                assert kept or not isinstance(behind, Promised), f"{folder.name}: {event} is not there"
                at += sent.num_rows if kept else 0
        assert at == frames.num_rows, f"{folder.name}: {frames.num_rows - at} frames that nobody appended"
    return found


def _on_disk(logs: Path) -> State:
    files: dict[str, bytes | None] = {}
    for path in sorted(logs.rglob("*")):
        name = str(path.relative_to(logs))
        if not name.startswith("."):
            files[name] = None if path.is_dir() else path.read_bytes()
    return State(files)


def random_workload(seed: int, number: int, states: int, lies: frozenset[str] = frozenset()) -> Workload:
    """The `number`-th of a seed."""
    mixed = seed * 1_000_003 + number
    lives = some_lives(random.Random(mixed))
    return Workload(f"random {seed}/{number}", mixed, lives, states, lies)


def small_workloads(lies: frozenset[str] = frozenset(), most: int = MOST_EACH) -> list[Workload]:
    """Each small workload, all of its states."""
    return [Workload(f"small {i}", i, lives, 0, lies, most) for i, lives in enumerate(small_lives())]


def run(workloads: list[Workload]) -> Iterator[Figures]:
    """Examine them, on two processes; the figures of each, as they come."""
    with multiprocessing.get_context("forkserver").Pool(PROCESSES) as pool:
        yield from pool.imap_unordered(examine, workloads)


def torture(scale: float, seed: int) -> Iterator[str]:
    """A million distinct states at scale 1: a third of them all those of small workloads, the rest of random ones."""
    wanted = int(1_000_000 * scale)
    started = time.monotonic()
    yield f"crash_states: seed {seed}"
    small = small_workloads(most=max(50, min(MOST_EACH, round(2 * MOST_EACH * scale))))
    random.Random(seed).shuffle(small)
    total = Figures()
    for kind, until, source in (
        ("small", wanted // 3, iter(small)),
        (
            "random",
            wanted,
            map(partial(random_workload, seed, states=max(200, min(2_000, round(40_000 * scale)))), range(10**9)),
        ),
    ):
        before = total.distinct
        with multiprocessing.get_context("forkserver").Pool(PROCESSES) as pool:
            waiting = [pool.apply_async(examine, (one,)) for one, _ in zip(source, range(2 * PROCESSES), strict=False)]
            while waiting and total.distinct < until:
                total.add(waiting.pop(0).get())
                following = next(source, None)
                if following:
                    waiting.append(pool.apply_async(examine, (following,)))
        yield f"crash_states: {kind} workloads: {total.distinct - before:,} states"
    took = time.monotonic() - started
    yield f"crash_states: {total}; {total.distinct / took:,.0f} states/s on {PROCESSES} processes, {took:,.0f} s"
