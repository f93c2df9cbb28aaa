"""A disk that notes all that is done to it; what is noted in, every state in which a loss of power may leave it out.

What POSIX promises, and nothing beyond it:

1. Of a file, the bytes that it had when a `sync` that has returned was called stand.  What was appended since may be
   there up to any sector or end of a write; of the sectors that reach beyond the synced bytes each is as it was
   written, zero, or (where it holds no synced byte) whatever stood on the disk before.
2. Of a folder, the names that a `sync_folder` that has returned found stand.  Of what was done to its names since,
   any part may have happened: created and not renamed, renamed and never created, unlinked before it was renamed.  A
   name that a rename takes over is the old file or the new one; the old name may stay beside it.
3. Files and folders are independent of each other: to sync a file says nothing of its name, nor the other way round.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import os
import pickle
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pitwall.log.disk import Disk

SECTOR = 512
SEAL_THREAD = "pitwall-log-keep"
KILLED = 9


class Created(NamedTuple):
    """An empty file of that number, under a path relative to the logs folder."""

    file: int
    path: str


class Wrote(NamedTuple):
    """Bytes appended to a file."""

    file: int
    data: bytes


class Synced(NamedTuple):
    """The first `size` bytes of a file are durable."""

    file: int
    size: int


class SyncedFile(NamedTuple):
    """All bytes of the file of that name are durable."""

    path: str


class Renamed(NamedTuple):
    """A file or folder has another name, in the same folder."""

    path: str
    to: str


class Unlinked(NamedTuple):
    """A name is gone."""

    path: str


class MadeFolder(NamedTuple):
    """A new folder."""

    path: str


class SyncedFolder(NamedTuple):
    """What was done to the names in a folder before the `seen`-th event is durable."""

    path: str
    seen: int


class Appending(NamedTuple):
    """A writer is given `traffic` to append."""

    session: str
    rows: int
    seed: int
    start_ns: int


class Promised(NamedTuple):
    """The log says how many rows of the session are written, and how many of them durable."""

    session: str
    written: int
    durable: int


class Gone(NamedTuple):
    """The process is gone; the power is on."""


Event = (
    Created | Wrote | Synced | SyncedFile | Renamed | Unlinked | MadeFolder | SyncedFolder | Appending | Promised | Gone
)


class Trace:
    """What was done, in order, kept in a file: whoever does it may be killed at any instant."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.count = len(self.events())

    def note(self, event: Event) -> None:
        os.write(self._fd, pickle.dumps(event))
        self.count += 1

    def events(self) -> list[Event]:
        found = []
        with self._path.open("rb") as file:
            while True:
                try:
                    found.append(pickle.load(file))
                except EOFError:
                    return found

    def close(self) -> None:
        os.close(self._fd)


class Memory:
    """A trace of one's own."""

    def __init__(self) -> None:
        self.noted: list[Event] = []

    @property
    def count(self) -> int:
        return len(self.noted)

    def note(self, event: Event) -> None:
        self.noted.append(event)


class Recorder(Disk):
    """The real disk under `logs`, with each call noted in `trace`.

    kill_at: the call at which the process dies (by `os._exit`), before it is done; of a write, `part` of it is done.
    lies: names of calls that say they did it, and did not (`sync`, `sync_folder`): a disk to prove the tests by.
    Calls of the thread that seals wait until they are let through (`let`), so that a seed gives the same trace.
    """

    def __init__(
        self,
        logs: Path,
        trace: Trace | Memory,
        *,
        kill_at: int | None = None,
        part: float = 0.0,
        lies: frozenset[str] = frozenset(),
    ) -> None:
        self._logs = logs
        self._trace = trace
        self._left = kill_at
        self._part = part
        self._lies = lies
        self._files: dict[int, tuple[int, int]] = {}  # fd: number of the file, bytes in it
        self._mutex = threading.RLock()
        self._gate = threading.Condition(self._mutex)
        self._granted: float = 0
        self._owed: set[str] = set()  # open segments that are to be sealed, as far as was looked

    # --- the seal thread

    def settled(self, folder: Path) -> None:
        """The session in `folder` was just synced: its open segments but the newest are to be sealed."""
        with self._mutex:
            named = sorted(path.name for path in folder.glob("*.arrows"))
            self._owed |= {f"{folder.name}/{name}" for name in named[:-1]}

    def let(self, calls: float) -> None:
        """Let the seal thread make so many calls, and wait until it has made them, or has nothing to do."""
        with self._gate:
            self._granted = calls
            self._gate.notify_all()
            while self._granted >= 1 and self._owed and self._gate.wait(20):
                pass
            assert self._granted < 1 or not self._owed, f"the seal thread is stuck: {self._owed}"
            self._granted = 0

    def still(self) -> AbstractContextManager[object]:
        """Nobody does anything to the disk meanwhile."""
        return self._mutex

    def open_gate(self) -> None:
        """Let the seal thread do as it likes."""
        with self._gate:
            self._granted = math.inf
            self._gate.notify_all()

    # --- the calls

    def create(self, path: Path) -> int:
        with self._call():
            fd = super().create(path)
            number = self._trace.count
            self._files[fd] = (number, 0)
            self._trace.note(Created(number, self._relative(path)))
            return fd

    def write(self, fd: int, data: memoryview) -> int:
        with self._call(lambda: self._write(fd, data[: int(len(data) * self._part)])):
            return self._write(fd, data)

    def sync(self, fd: int) -> None:
        with self._call():
            number, size = self._files[fd]
            if "sync" not in self._lies:
                self._trace.note(Synced(number, size))

    def sync_file(self, path: Path) -> None:
        with self._call():
            if "sync" not in self._lies:
                self._trace.note(SyncedFile(self._relative(path)))

    def rename(self, path: Path, to: Path) -> None:
        with self._call():
            super().rename(path, to)
            self._trace.note(Renamed(self._relative(path), self._relative(to)))
            self._paid(path)

    def unlink(self, path: Path) -> None:
        with self._call():
            super().unlink(path)
            self._trace.note(Unlinked(self._relative(path)))
            self._paid(path)

    def make_folder(self, path: Path) -> None:
        with self._call():
            super().make_folder(path)
            self._trace.note(MadeFolder(self._relative(path)))

    def remove_folder(self, path: Path) -> None:
        with self._call():
            super().remove_folder(path)
            self._trace.note(Unlinked(self._relative(path)))

    def sync_folder(self, path: Path) -> None:
        with self._call():
            if "sync_folder" not in self._lies:
                self._trace.note(SyncedFolder(self._relative(path), self._trace.count))

    def _write(self, fd: int, data: memoryview) -> int:
        taken = super().write(fd, data)
        if fd in self._files:
            number, size = self._files[fd]
            self._files[fd] = (number, size + taken)
            self._trace.note(Wrote(number, bytes(data[:taken])))
        return taken

    @contextmanager
    def _call(self, last: Callable[[], object] | None = None) -> Iterator[None]:
        """Around one call, while it is done.  last: what of it is done where the process dies of it."""
        with self._gate:
            sealing = threading.current_thread().name == SEAL_THREAD
            while sealing and self._granted < 1:
                self._gate.wait()
            if self._left is not None:
                self._left -= 1
                if self._left < 0:
                    if last:
                        last()
                    os._exit(KILLED)
            try:
                yield
            finally:
                if sealing:
                    self._granted -= 1
                    self._gate.notify_all()

    def _paid(self, path: Path) -> None:
        self._owed.discard(self._relative(path))

    def _relative(self, path: Path) -> str:
        return str(path.relative_to(self._logs))


# --- what may be left


@dataclass(eq=False)
class File:
    """A file's bytes, how many of them stand for sure, and where its writes ended."""

    data: bytearray = field(default_factory=bytearray)
    sure: int = 0
    ends: list[int] = field(default_factory=list)


@dataclass(eq=False)
class Change:
    """Something done to the names of a folder: `name` is now `node` (None: gone), and `source` is gone."""

    event: int
    name: str
    node: Node | None
    source: str | None = None

    @property
    def outcomes(self) -> int:
        """How many ways there are for it to have happened: not, whole, and with both names."""
        return 3 if self.source else 2

    def apply(self, names: dict[str, Node], outcome: int) -> None:
        if outcome == 0:
            return
        if self.node is None:
            names.pop(self.name, None)
            return
        names[self.name] = self.node
        if self.source and outcome == 1:
            names.pop(self.source, None)


@dataclass(eq=False)
class Folder:
    """A folder's names as they are, as they stand for sure, and what was done between."""

    names: dict[str, Node] = field(default_factory=dict)
    sure: dict[str, Node] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)


Node = File | Folder


class State:
    """A logs folder after a loss of power: what each path holds; None: a folder."""

    __slots__ = ("digest", "files")

    def __init__(self, files: dict[str, bytes | None]) -> None:
        self.files = files
        total = hashlib.blake2b(digest_size=16)
        for path in sorted(files):
            data = files[path]
            total.update(path.encode() + (b"/" if data is None else b"\0%d\0" % len(data)))
            if data:
                total.update(data)
        self.digest = total.digest()


class Volume:
    """What a disk holds after the events that were applied: for sure, and perhaps."""

    def __init__(self, state: State | None = None) -> None:
        self.root = Folder()
        self._files: dict[int, File] = {}
        self._count = 0
        for path, data in sorted(state.files.items()) if state else ():
            node: Node = Folder() if data is None else File(bytearray(data), len(data))
            folder, name = self._place(path)
            folder.names[name] = folder.sure[name] = node

    def apply(self, event: Event) -> bool:
        """Whether other states are possible now than were before."""
        self._count += 1
        match event:
            case Created(number, path):
                self._files[number] = File()
                folder, name = self._place(path)
                self._change(folder, Change(self._count - 1, name, self._files[number]))
            case Wrote(number, data):
                file = self._files[number]
                file.data += data
                file.ends.append(len(file.data))
            case Synced(number, size):
                file = self._files[number]
                file.sure = max(file.sure, size)
            case SyncedFile(path):
                folder, name = self._place(path)
                node = folder.names[name]
                assert isinstance(node, File)
                node.sure = len(node.data)
            case Renamed(path, to):
                (folder, name), (other, new) = self._place(path), self._place(to)
                if folder is other:
                    self._change(folder, Change(self._count - 1, new, folder.names[name], name))
                else:  # each folder's names are its own
                    self._change(other, Change(self._count - 1, new, folder.names[name]))
                    self._change(folder, Change(self._count - 1, name, None))
            case Unlinked(path):
                folder, name = self._place(path)
                self._change(folder, Change(self._count - 1, name, None))
            case MadeFolder(path):
                folder, name = self._place(path)
                self._change(folder, Change(self._count - 1, name, Folder()))
            case SyncedFolder(path, seen):
                folder = self._folder(path)
                for change in [one for one in folder.changes if one.event < seen]:
                    change.apply(folder.sure, 1)
                    folder.changes.remove(change)
            case Appending() | Promised() | Gone():
                return False
        return True

    def whole(self) -> State:
        """What is there as long as there is power."""
        files: dict[str, bytes | None] = {}

        def put(folder: Folder, prefix: str) -> None:
            for name, node in folder.names.items():
                if isinstance(node, Folder):
                    files[prefix + name] = None
                    put(node, f"{prefix}{name}/")
                else:
                    files[prefix + name] = bytes(node.data)

        put(self.root, "")
        return State(files)

    def states(self) -> int:
        """How many ways there are to choose what is left, some of them alike, without stale sectors."""
        folders, files = self._undecided()
        return math.prod(change.outcomes for folder in folders for change in folder.changes) * math.prod(
            len(list(_contents(file))) for file in files
        )

    def every(self) -> Iterator[State]:
        """Each of those states."""
        folders, files = self._undecided()
        changes = [range(change.outcomes) for folder in folders for change in folder.changes]
        contents = [list(_contents(file)) for file in files]
        for outcomes in itertools.product(*changes):
            for data in itertools.product(*contents):
                yield self._state(folders, outcomes, dict(zip(map(id, files), data, strict=True)))

    def least(self) -> State:
        """Nothing of all that need not be left."""
        folders, files = self._undecided()
        outcomes = tuple(0 for folder in folders for _ in folder.changes)
        return self._state(folders, outcomes, {id(file): bytes(file.data[: file.sure]) for file in files})

    def some(self, random: random.Random) -> State:
        """One of all that are possible."""
        folders, files = self._undecided()
        likely = random.choice((0.0, 0.1, 0.5, 0.5, 0.9, 1.0))
        outcomes = tuple(
            (random.randrange(1, change.outcomes) if change.outcomes > 2 and random.random() < 0.2 else 1)
            if random.random() < likely
            else 0
            for folder in folders
            for change in folder.changes
        )
        stale = [bytes(file.data) for file in self._files.values() if len(file.data) > SECTOR]
        return self._state(folders, outcomes, {id(file): _content(file, random, stale) for file in files})

    def _state(self, folders: list[Folder], outcomes: tuple[int, ...], contents: dict[int, bytes]) -> State:
        left = iter(outcomes)
        names: dict[int, dict[str, Node]] = {}
        for folder in folders:
            names[id(folder)] = kept = dict(folder.sure)
            for change in folder.changes:
                change.apply(kept, next(left))
        files: dict[str, bytes | None] = {}

        def put(folder: Folder, prefix: str) -> None:
            for name, node in names[id(folder)].items():
                if isinstance(node, Folder):
                    files[prefix + name] = None
                    put(node, f"{prefix}{name}/")
                else:
                    content = contents.get(id(node))
                    files[prefix + name] = bytes(node.data) if content is None else content

        put(self.root, "")
        return State(files)

    def _undecided(self) -> tuple[list[Folder], list[File]]:
        """Every folder that may be there, and every file of which not all stands for sure."""
        folders: list[Folder] = []
        files: list[File] = []
        seen: set[int] = set()

        def visit(node: Node) -> None:
            if id(node) in seen:
                return
            seen.add(id(node))
            if isinstance(node, File):
                if node.sure < len(node.data):
                    files.append(node)
                return
            folders.append(node)
            for other in (*node.sure.values(), *(one.node for one in node.changes if one.node)):
                visit(other)

        visit(self.root)
        return folders, files

    def _change(self, folder: Folder, change: Change) -> None:
        change.apply(folder.names, 1)
        folder.changes.append(change)

    def _place(self, path: str) -> tuple[Folder, str]:
        folder, _, name = path.rpartition("/")
        return self._folder(folder or "."), name

    def _folder(self, path: str) -> Folder:
        folder = self.root
        for name in path.split("/") if path != "." else ():
            node = folder.names[name]
            assert isinstance(node, Folder)
            folder = node
        return folder


def _sizes(file: File) -> list[int]:
    """How long it may be: up to the synced bytes, any sector's end, any write's."""
    first, last = file.sure, len(file.data)
    edges = {first, last, *(end for end in file.ends if end > first)}
    edges |= set(range(first + SECTOR - first % SECTOR, last, SECTOR))
    return sorted(edges)


def _sectors(file: File, size: int) -> list[tuple[int, int]]:
    """The sectors of its first `size` bytes that hold bytes that are not sure, each from its first such byte on."""
    start = file.sure
    found = []
    while start < size:
        stop = min(size, start + SECTOR - start % SECTOR)
        found.append((start, stop))
        start = stop
    return found


def _contents(file: File) -> Iterator[bytes]:
    """What may be left of it: each length, each sector written or zero; beyond four sectors, runs of zeros only."""
    seen: set[bytes] = set()
    for size in _sizes(file):
        sectors = _sectors(file, size)
        if len(sectors) <= 4:
            lost = [
                [one for one, gone in zip(sectors, picks, strict=True) if gone]
                for picks in itertools.product((False, True), repeat=len(sectors))
            ]
        else:
            lost = [sectors[i:j] for i in range(len(sectors) + 1) for j in range(i, len(sectors) + 1)]
        for run in lost:
            data = bytearray(file.data[:size])
            for start, stop in run:
                data[start:stop] = bytes(stop - start)
            made = bytes(data)
            if made not in seen:
                seen.add(made)
                yield made


def _content(file: File, random: random.Random, stale: list[bytes]) -> bytes:
    """One of all that may be left of it."""
    kind = random.randrange(6)
    if kind == 0:
        return bytes(file.data[: file.sure])
    if kind == 1:
        return bytes(file.data)
    size = random.choice(_sizes(file))
    data = bytearray(file.data[:size])
    if kind == 2:
        return bytes(data)
    likely = random.choice((0.05, 0.3, 0.7, 1.0))
    for start, stop in _sectors(file, size):
        if random.random() >= likely:
            continue
        if kind == 3 or start % SECTOR:
            data[start:stop] = bytes(stop - start)
        elif kind == 4:
            data[start:stop] = random.randbytes(stop - start)
        else:  # what another file, long gone, had there
            old = random.choice(stale) if stale else b""
            place = start if random.random() < 0.7 else SECTOR * random.randrange(1 + len(old) // SECTOR)
            piece = old[place : place + stop - start]
            data[start:stop] = piece + bytes(stop - start - len(piece))
    return bytes(data)
