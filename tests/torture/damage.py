"""Damaged logs in, what the reader makes of them out: found every time, named, and no batch lost that was not touched.

The reader works in processes of its own with little memory, so that a crash of it counts: a case that kills one is
named, and the next process goes on behind it.  Laws that every case is held to (`_Bench.wrong_with`):

1. What is read is what was written, at its offset, once.
2. What is missing is told, by a damage with its file, its position in it and the offsets lost, and nothing else is.
3. Only rows are missing whose bytes were touched.
4. `verify` tells what `read` tells; a tail gives what `read` gives; recovery loses nothing that could be read.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pickle
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from unittest import mock

import numpy as np

from pitwall.frames import Control, Flag, Frames, cut, from_arrow, in_log_order, to_arrow
from pitwall.log import Damage, Tail, find, read, recover, sessions, verify
from pitwall.log import tag as tags
from pitwall.log.tag import Flaw, Message
from tests.torture import damage_cases as cases
from tests.torture.damage_cases import Case
from tests.torture.damage_subjects import Subject, encrypting, full_size, large, several, tiny

ROOT: Final = Path(__file__).parents[2]
MEMORY_BYTES: Final = 192 << 20
"""What a reader may take, beyond what it has once it has read the whole log: sealed batches, not what damage says."""
PATIENCE_S: Final = 60
"""A case that takes longer hangs."""
MAX_WRONG: Final = 20
PROCESSES: Final = 2


@dataclass(frozen=True)
class Job:
    """Cases of one kind to be gone through.  numbers: which of them.  fault: what the reader does wrong, on purpose."""

    subject: Subject
    kind: str
    numbers: Sequence[int]
    seed: int = 0
    fault: str = ""


@dataclass
class Result:
    """What came of a job.  cases: gone through.  lost: the most rows that one cost.  wrong: every law broken."""

    cases: int = 0
    lost: int = 0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)


def jobs(folder: Path, scale: float, seed: int) -> Iterator[Job]:
    """All that is done to logs; at scale 1: every bit, every cut, 10,000 random edits, every sector, every file."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)

    def some(count: int) -> list[int]:
        kept = min(count, max(1, round(count * scale)))
        return list(range(count)) if kept == count else sorted(random.choice(count, kept, replace=False).tolist())

    for subject in tiny(folder):
        yield Job(subject, "cut", some(len(cases.cut_sizes(subject))), seed)
        yield Job(subject, "flip", some(cases.bits(subject)), seed)
    for subject, edits in zip([*large(folder), full_size(folder)], (4500, 3000, 2000, 500), strict=True):
        yield Job(subject, "cut", [cases.cut_sizes(subject)[i] for i in some(len(cases.cut_sizes(subject)))], seed)
        yield Job(subject, "edit", range(round(edits * scale) or 1), seed)
        yield Job(subject, "sector", some(cases.sectors(subject)), seed)
    for subject in several(folder):
        yield Job(subject, "file", range(len(cases.file_cases(subject))), seed)


KINDS: Final[dict[str, Callable[[Job, int], Case]]] = {
    "cut": lambda job, number: cases.cut(job.subject, number),
    "flip": lambda job, number: cases.flip(job.subject, number),
    "edit": lambda job, number: cases.edit(job.subject, number, job.seed),
    "sector": lambda job, number: cases.unreadable(job.subject, number),
    "file": lambda job, number: cases.file_cases(job.subject)[number],
}


def spoil(job: Job, folder: Path) -> Result:
    """Go through the cases of a job, in as many processes as it takes, one after the other."""
    begun = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    saved, progress, told = folder / "job", folder / "at", folder / "told"
    saved.write_bytes(pickle.dumps(job))
    result, first = Result(), 0
    while first < len(job.numbers) and len(result.wrong) < MAX_WRONG:
        progress.write_bytes(b"")
        told.write_bytes(b"")
        killed = _one_process([str(saved), str(progress), str(told), str(first)], progress)
        for line in told.read_text().splitlines():
            entry = json.loads(line)
            result.cases, result.lost = result.cases + entry["cases"], max(result.lost, entry["lost"])
            result.wrong += entry["wrong"]
        if not killed:
            break
        number = job.numbers[_at(progress)]
        result.wrong.append(f"{job.subject.name}, {job.kind} {number}: {killed}")
        first = _at(progress) + 1
    result.seconds = time.monotonic() - begun
    return result


def verified(subject: Subject, some: Sequence[Case], folder: Path) -> list[str]:
    """What `pitwall verify` has wrong, in a process of its own each: exit code 0 or 3, and the damages as JSON."""
    wrong = []
    with encrypting(folder, on=subject.encrypted):
        bench = _Bench(Job(subject, "file", ()), folder / "verified")
        for case in some:
            bench.become(case)
            wrong += [f"{subject.name}: {case.what}: {one}" for one in bench.wrong_with_the_command()]
    return wrong


def _one_process(arguments: list[str], progress: Path) -> str:
    """Run the worker; "" where it came to its end, else what became of it."""
    command = [sys.executable, "-m", "tests.torture.damage", *arguments]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=said)
        try:
            before, since = -1, time.monotonic()
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(1)
                    break
                if _at(progress) != before:
                    before, since = _at(progress), time.monotonic()
                elif time.monotonic() - since > PATIENCE_S:
                    return f"the reader hangs for {PATIENCE_S} s"
        finally:
            process.kill()
            process.wait()
        if process.returncode == 0:
            return ""
        said.seek(0)
        words = said.read().decode(errors="replace")[-1500:]
    code = process.returncode
    return f"the reader died of {signal.Signals(-code).name if code < 0 else f'exit code {code}'}: {words}"


def _at(progress: Path) -> int:
    return int(progress.read_bytes() or b"0")


def work(saved: Path, progress: Path, told: Path, first: int) -> None:
    """A process's part: cases from the index `first` on.  The index of each is in `progress` before it begins."""
    job: Job = pickle.loads(saved.read_bytes())
    with encrypting(saved.parent, on=job.subject.encrypted), told.open("a") as out:
        bench = _Bench(job, saved.parent / "spoilt")
        _break(job.fault)
        limit = _memory() + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        at = os.open(progress, os.O_WRONLY)
        failed = 0
        for index in range(first, len(job.numbers)):
            os.pwrite(at, b"%012d" % index, 0)
            number = job.numbers[index]
            case = KINDS[job.kind](job, number)
            wrong, lost = bench.wrong_with(case, thorough=index % 16 == 0)
            wrong = [f"{job.subject.name}, {job.kind} {number} (seed {job.seed}): {case.what}: {one}" for one in wrong]
            out.write(json.dumps({"cases": 1, "lost": lost, "wrong": wrong}) + "\n")
            out.flush()
            failed += len(wrong)
            if failed >= MAX_WRONG:
                break
        os.close(at)


class _Bench:
    """A session's folder that is spoilt and made whole again, case by case."""

    def __init__(self, job: Job, folder: Path) -> None:
        self.subject = job.subject
        self.path = folder / job.subject.session
        shutil.rmtree(folder, ignore_errors=True)
        self.path.mkdir(parents=True)
        self._written = from_arrow(job.subject.rows, 0)
        self._now: dict[str, bytes | None] = {}
        self._become(dict(job.subject.files))
        report = verify(find(folder, self.path.name))
        assert not report.damages, "it is whole before"
        assert sum(map(len, read(self.path))) == job.subject.rows.num_rows
        Tail(self.path).close()

    def become(self, case: Case) -> dict[str, bytes | None]:
        """Have the case's files, and of the others those that are whole."""
        files: dict[str, bytes | None] = {**self.subject.files, **case.files}
        self._become(files)
        return files

    def wrong_with_the_command(self) -> list[str]:
        """What `pitwall verify` says of the log otherwise than `verify`."""
        command = [sys.executable, "-m", "pitwall", "verify", "--logs", str(self.path.parent), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=PATIENCE_S)
        reports = [verify(one) for one in sessions(self.path.parent)]
        damages = [str(one) for report in reports for one in report.damages]
        if "Traceback" in done.stderr:
            return [f"it shows a traceback: {done.stderr[-500:]}"]
        if done.returncode != (3 if damages else 0):
            return [f"exit code {done.returncode}, with the damages {damages}: {done.stderr[-500:]}"]
        if not reports:
            return []
        (told,) = json.loads(done.stdout)
        as_told = [
            str(Damage(Path(one["file"]), one["position"], one["what"], one["first"], one["last"]))
            for one in told["damages"]
        ]
        said = [line for line in done.stderr.splitlines() if any(damage in line for damage in damages)]
        wrong = [] if as_told == damages else [f"it tells {as_told}, not {damages}"]
        wrong += [] if len(said) == len(damages) else [f"a person is told {done.stderr}, not {damages}"]
        return wrong + ([] if (told["torn"] is None) == (reports[0].torn is None) else ["a torn end is not told"])

    def wrong_with(self, case: Case, *, thorough: bool) -> tuple[list[str], int]:
        """Which laws the reader broke, and how many rows the case cost.  thorough: a tail and recovery, too."""
        files = self.become(case)
        try:
            with self._unreadable(case):
                return self._judge(case, files, thorough=thorough)
        except MemoryError:
            return ["it takes more memory than there is"], 0
        except Exception:
            return [f"it raised {traceback.format_exc()[-1500:]}"], 0

    @contextlib.contextmanager
    def _unreadable(self, case: Case) -> Iterator[None]:
        """A disk that stops before the bytes that it can't read, and fails at them, as Linux does."""
        if case.unreadable is None:
            yield
            return
        name, start, end = case.unreadable
        inode, pread = (self.path / name).stat().st_ino, os.pread

        def failing(fd: int, size: int, position: int) -> bytes:
            if position < end and position + size > start and os.fstat(fd).st_ino == inode:
                if position >= start:
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
                size = start - position
            return pread(fd, size, position)

        with mock.patch.object(os, "pread", failing):
            yield

    def _judge(self, case: Case, files: dict[str, bytes | None], *, thorough: bool) -> tuple[list[str], int]:
        wrong: list[str] = []
        damages: list[Damage] = []
        seen = self._seen(read(self.path, damaged=damages.append), wrong)
        wrong += [f"{one} is no place" for one in damages if not _is_place(one, files)]
        lost, said = _lost(damages, len(seen)), bool(damages)
        missing = ~seen
        may_cost = np.zeros(len(seen), bool)
        for start, stop in case.may_cost:
            may_cost[start:stop] = True
        if (missing & ~may_cost).any():
            wrong.append(f"rows are lost that were not touched: {_spans(missing & ~may_cost)} ({_few(damages)})")
        if (lost & seen).any():
            wrong.append(f"rows are called lost that are there: {_spans(lost & seen)} ({_few(damages)})")
        if (missing & ~lost).any() or not said or thorough:
            also, torn = self._verified(damages, seen, wrong)
            lost, said = lost | _lost(also, len(seen)), said or bool(also) or torn
            # how many rows stood at the torn end of an open segment, nobody knows
            behind = np.arange(len(seen)) > np.flatnonzero(seen).max(initial=-1)
            unsaid = missing & ~lost & ~(behind & (torn or case.silent))
            if unsaid.any():
                wrong.append(f"rows are missing, and nothing says so: {_spans(unsaid)} ({_few(damages)})")
        if not said and not case.silent:
            wrong.append("nothing is told")
        if thorough:
            wrong += self._others(seen)
        return wrong, int(np.count_nonzero(missing))

    def _verified(self, damages: list[Damage], seen: np.ndarray, wrong: list[str]) -> tuple[list[Damage], bool]:
        """What `verify` tells beyond `damages`, and whether of a torn end; what it says otherwise goes into `wrong`."""
        if not any(one.id == self.path.name for one in sessions(self.path.parent)):
            wrong += ["the session is not listed"] if any(self.path.iterdir()) else []
            return [], False
        report = verify(find(self.path.parent, self.path.name))
        if report.rows != np.count_nonzero(seen):
            wrong.append(f"verify counts {report.rows} rows, {np.count_nonzero(seen)} are read")
        if any(one not in report.damages for one in damages):
            wrong.append(f"read tells {_few(damages)}, verify {_few(report.damages)}")
        return [one for one in report.damages if one not in damages], report.torn is not None

    def _seen(self, batches: Iterator, wrong: list[str]) -> np.ndarray:
        """Which rows are among these batches; what is wrong with them goes into `wrong`."""
        rows = self.subject.rows
        seen = np.zeros(rows.num_rows, bool)
        at = 0
        for batch in batches:
            if batch.start < at:
                wrong.append(f"rows from {batch.start} on are given after row {at - 1}")
            at = batch.stop
            if not to_arrow(batch).equals(rows.slice(batch.start, len(batch))):
                wrong.append(f"rows {batch.start} to {batch.stop - 1} are not what was written")
            seen[batch.start : batch.stop] = True
        return seen

    def _others(self, seen: np.ndarray) -> list[str]:
        """What a tail, and a reader after recovery, have against what was read."""
        wrong: list[str] = []
        tail = Tail(self.path)
        followed = self._seen(_polled(tail), wrong)
        tail.close()
        if (followed != seen).any():
            wrong.append(f"a tail and a read differ in the rows {_spans(followed != seen)}")
        logs = self.path.parent.with_name("recovered")
        shutil.rmtree(logs, ignore_errors=True)
        shutil.copytree(self.path.parent, logs)
        recover(logs)
        path = logs / self.path.name
        kept = np.zeros(len(seen), bool)
        for batch in read(path, damaged=[].append):
            rows = in_log_order(batch)
            inside = cut(rows, 0, max(0, len(seen) - rows.start))
            same = _same_rows(inside, cut(self._written, rows.start, rows.start + len(inside)))
            news = (inside.flags >= Flag.CONTROL) & np.isin(inside.id, [Control.RECOVERED, Control.SESSION_END])
            if (~same & ~news).any():
                wrong.append(f"after recovery, rows from {rows.start} on are not what was written")
            kept[rows.start : rows.start + len(inside)] = same
        if (seen & ~kept).any():
            wrong.append(f"recovery lost the rows {_spans(seen & ~kept)}")
        once = _contents(path)
        recover(logs)
        if _contents(path) != once:
            wrong.append("to recover twice is not to recover once")
        return wrong

    def _become(self, files: dict[str, bytes | None]) -> None:
        """Have these files in the folder, and no others; only what differs is written."""
        for name in {*self._now, *files}:
            data = files.get(name)
            if data is self._now.get(name):
                continue
            path = self.path / name
            if data is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(data)
        self._now = {name: data for name, data in files.items() if data is not None}


def _polled(tail: Tail) -> Iterator[Frames]:
    while given := tail.poll():
        yield from given


def _few(damages: Sequence[Damage]) -> str:
    return "; ".join(map(str, damages[:3])) + (" …" if len(damages) > 3 else "")


def _lost(damages: list[Damage], rows: int) -> np.ndarray:
    """Which rows are called lost."""
    lost = np.zeros(rows, bool)
    for one in damages:
        if one.first is not None:
            lost[one.first : one.last] = True
    return lost


def _is_place(damage: Damage, files: dict[str, bytes | None]) -> bool:
    data = files.get(damage.file.name)
    return data is not None and 0 <= damage.position <= len(data)


def _same_rows(one: Frames, other: Frames) -> np.ndarray:
    same = (one.t == other.t) & (one.bus == other.bus) & (one.id == other.id) & (one.flags == other.flags)
    return same & (one.len == other.len) & (one.data == other.data).all(axis=1)


def _spans(rows: np.ndarray) -> str:
    at = np.flatnonzero(rows)
    return f"{at[0]} to {at[-1]}, {len(at)} of them"


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _memory() -> int:
    """Bytes of address space that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _believe(flaw: Flaw, data: bytes, at: int, position: int) -> Message | Flaw:
    """Take a message whose checksum is wrong."""
    tag_at = data.find(tags.MAGIC, at)
    tag = tags.decode(data, tag_at) if "checksum" in flaw.what else None
    return flaw if tag is None else Message(position, memoryview(data)[at : at + tag.length], tag)


def _die(flaw: Flaw, data: bytes, at: int, position: int) -> Message | Flaw:
    os.kill(os.getpid(), signal.SIGSEGV)
    return flaw


def _hoard(flaw: Flaw, data: bytes, at: int, position: int) -> Message | Flaw:
    assert bytearray(1 << 30)
    return flaw


FAULTS: Final = {"believes": _believe, "dies": _die, "hoards": _hoard}
"""What a reader does wrong at a flaw: a test that can't find this finds nothing."""


def _break(fault: str) -> None:
    """Spoil the reader itself, on purpose."""
    if not fault:
        return
    check = tags.check

    def spoilt(data: bytes, at: int, seed: int, position: int, *, sealed: bool) -> Message | Flaw | int:
        found = check(data, at, seed, position, sealed=sealed)
        return FAULTS[fault](found, data, at, position) if isinstance(found, Flaw) else found

    tags.check = spoilt


def torture(scale: float, seed: int) -> Iterator[str]:
    """The long form: figures as they come; AssertionError where a law was broken."""
    total = Result()
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(PROCESSES) as pool:
        folder = Path(name)
        todo = list(jobs(folder / "subjects", scale, seed))
        done = pool.map(lambda item: spoil(item[1], folder / str(item[0])), enumerate(todo))
        for job, result in zip(todo, done, strict=True):
            total = Result(total.cases + result.cases, max(total.lost, result.lost), 0.0, total.wrong + result.wrong)
            wrong = f", {len(result.wrong)} WRONG" if result.wrong else ""
            rate = result.cases / max(result.seconds, 1e-9)
            yield f"{job.subject.name}, {job.kind}: {result.cases:,} cases, {rate:,.0f}/s{wrong}"
        commands = 0
        for job in todo:
            if job.kind in ("cut", "edit", "file"):
                numbers = list(job.numbers)[:: max(1, len(job.numbers) // max(1, round(10 * scale)))]
                total.wrong += verified(job.subject, [KINDS[job.kind](job, one) for one in numbers], folder)
                commands += len(numbers)
        yield f"pitwall verify: {commands} damaged logs"
    yield f"damage: {total.cases:,} cases, {len(total.wrong)} wrong (seed {seed})"
    assert not total.wrong, "\n".join(total.wrong[:MAX_WRONG])


if __name__ == "__main__":
    work(*map(Path, sys.argv[1:4]), int(sys.argv[4]))
