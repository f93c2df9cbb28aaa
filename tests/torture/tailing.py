"""Readers of a log that is written, rotated, sealed, archived and removed under them: each sees a prefix of the truth.

One process writes session after session in tiny segments at speed, one archives each that ended and so removes it,
and readers follow, read and verify meanwhile, with pauses at random.  What a row must hold follows from its offset
alone, so each reader judges for itself.  Laws:

1. A tail gives every row once, in order, as it was written, up to the session's end, and no damage.
2. A tail whose session is taken away says so, once, by a LogError that names the row it came to; it never hangs.
3. `read` gives a prefix of the session that reaches at least to what was called written before it was asked.
4. `sessions` and `verify` never fail or find damage.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from pitwall.errors import LogError
from pitwall.frames import Control, Flag, Frames, frames, in_log_order
from pitwall.log import Tail, Writer, find, read, sessions, verify
from pitwall.log.archive import archive

ROOT: Final = Path(__file__).parents[2]
PATIENCE_S: Final = 60
START_NS: Final = 1_763_000_000_000_000_000
NAME: Final = re.compile(r"s\d+")


def rows_at(offset: int, count: int) -> Frames:
    """The rows that stand at these offsets."""
    at = np.arange(offset, offset + count, dtype=np.uint64)
    data = at * np.uint64(0x9E3779B97F4A7C15)
    return frames(
        offset,
        t=at.astype(np.int64) * 1000,
        id=at * np.uint64(7919) % np.uint64(2048),
        data=data.view(np.uint8).reshape(-1, 8),
        bus=at % np.uint64(2),
    )


def hold(fact: bool, error: LogError) -> None:
    """Raises AssertionError where an error is not one that had to come."""
    assert fact, error


def check(batch: Frames, expected: int) -> None:
    """Raises AssertionError where these rows, which are to begin at `expected`, are not what was written."""
    assert batch.start == expected, f"row {batch.start} came, {expected} was next"
    rows = in_log_order(batch)
    want = rows_at(rows.start, len(rows))
    same = (rows.t == want.t) & (rows.bus == want.bus) & (rows.id == want.id) & (rows.data == want.data).all(axis=1)
    control = rows.flags >= Flag.CONTROL
    first = rows.id[control] == Control.SESSION_START
    assert (rows.offsets[control][first] == 0).all()
    assert (rows.id[control][~first] == Control.SESSION_END).all()
    assert (same | control).all(), f"row {rows.start + int(np.argmin(same | control))} is not what was written"


def write(logs: Path, seed: int, count: int) -> Counter[str]:
    """Session after session: `count` of them."""
    random = np.random.default_rng(seed)
    done: Counter[str] = Counter()
    for number in range(count):
        size = int(random.choice([2_000, 8_000, 40_000]))
        writer = Writer.create(
            logs,
            car="test",
            buses=["a", "b"],
            started_at_ns=START_NS + number * 10**9,
            session_id=f"s{number:06d}",
            sync_interval_s=0.01,
            segment_bytes=size,
        )
        stop = int(random.integers(500, 20_000))
        while writer.written < stop:
            writer.append(rows_at(writer.written, int(random.integers(1, 400))))
            _say(logs, writer.session, writer.written)
            if random.random() < 0.05:
                time.sleep(random.random() * 0.01)
        writer.end(0)
        done += Counter(sessions=1, rows=writer.written, segments=len(list(writer.path.glob("*.arrow"))))
    return done


def take_away(logs: Path, seed: int) -> Counter[str]:
    """Archive, and so remove, each session that has ended."""
    random = np.random.default_rng(seed)
    done: Counter[str] = Counter()
    while not _over(logs):
        for name in _names(logs):
            time.sleep(random.random() * 0.1)
            try:
                if find(logs, name).state == "ended":
                    archive(logs, name, str(logs.parent / "archive"), forget=lambda _session: None)
                    done["archived"] += 1
            except LogError as error:
                hold("recorded" in str(error) or "is recording here" in str(error), error)
    return done


def follow(logs: Path, seed: int) -> Counter[str]:
    """Follow sessions from some row on, to their end or until they are gone."""
    random = np.random.default_rng(seed)
    done: Counter[str] = Counter()
    while not _over(logs):
        names = _names(logs)
        if names:
            done += _follow(logs / names[-1 if random.random() < 0.7 else 0], random)
        time.sleep(random.random() * 0.01)
    return done


def _follow(path: Path, random: np.random.Generator) -> Counter[str]:
    start = int(random.choice([0, 1, int(random.integers(500))]))  # every session has more rows
    tail = Tail(path, start)
    expected, heard = start, time.monotonic()
    done: Counter[str] = Counter(followed=1)
    try:
        while not tail.ended:
            given = tail.poll()
            done["polls"] += 1
            for batch in given:
                check(batch, expected)
                expected = batch.stop
                done["rows"] += len(batch)
            assert tail.offset == expected
            if given:
                heard = time.monotonic()
            assert time.monotonic() - heard < PATIENCE_S, f"the tail of {path.name} hangs at row {expected}"
            if random.random() < 0.02:
                time.sleep(random.random() * 0.3)
        assert tail.poll() == []
    except LogError as error:
        hold(not path.exists(), error)
        # before its first row, the session is one that can't be read; later it says how far it came
        hold(expected == start or f"what follows row {expected - 1} was not" in str(error), error)
        hold(tail.poll() == [], error)
        done["taken away"] += 1
    finally:
        tail.close()
    assert tail.damages == []
    return done


def look(logs: Path, seed: int) -> Counter[str]:
    """Read sessions at any instant: a prefix, up to what was written when it was asked for at least."""
    random = np.random.default_rng(seed)
    done: Counter[str] = Counter()
    while not _over(logs):
        said, written = _said(logs)
        name = str(random.choice([said, *_names(logs)]))
        if not name:
            continue
        expected = start = int(random.choice([0, int(random.integers(5000))]))
        try:
            for batch in read(logs / name, start):
                check(batch, expected)
                expected = batch.stop
                done["rows"] += len(batch)
        except LogError as error:
            hold(not (logs / name).exists(), error)
            done["taken away"] += 1
        else:
            assert name != said or start > written or expected >= written, f"{expected} rows of {name}, not {written}"
            done["read"] += 1
    return done


def survey(logs: Path, seed: int) -> Counter[str]:
    """List and verify all sessions, again and again."""
    random = np.random.default_rng(seed)
    done: Counter[str] = Counter()
    while not _over(logs):
        for session in sessions(logs):
            time.sleep(random.random() * 0.02)
            try:
                report = verify(session)
            except LogError as error:
                hold(not session.path.exists(), error)
                done["taken away"] += 1
                continue
            assert not report.damages, report.damages
            assert report.torn is None or session.state == "recording", report.torn
            assert report.rows >= session.rows
            done["verified"] += 1
    return done


READERS: Final = {"follow": follow, "look": look, "survey": survey, "take away": take_away}


def tail_under(count: int, seed: int, folder: Path, *, readers: dict[str, int]) -> dict[str, Counter[str]]:
    """Have `count` sessions written under so many readers of each kind; what all of a kind did.

    Raises AssertionError where one of them fails.
    """
    logs = folder / "logs"
    logs.mkdir(parents=True)
    _say(logs, "", 0)
    roles = ["write", "take away", *(role for role, many in readers.items() for _ in range(many))]
    running = [
        (role, subprocess.Popen(_command(role, logs, seed + i, count), stdout=-1, stderr=-1, text=True, cwd=ROOT))
        for i, role in enumerate(roles)
    ]
    done: dict[str, Counter[str]] = {role: Counter() for role in roles}
    wrong = []
    try:
        for role, process in running:
            out, words = process.communicate(timeout=PATIENCE_S + 5 * count)
            if role == "write":
                (folder / "over").touch()
            if process.returncode:
                wrong.append(f"{role} (seed {seed}): {words[-1500:]}")
            else:
                done[role] += Counter(json.loads(out))
    finally:
        (folder / "over").touch()
        for _, process in running:
            process.kill()
            process.communicate()
    assert not wrong, "\n".join(wrong)
    return done


def torture(scale: float, seed: int) -> Iterator[str]:
    """500 sessions written and archived under seven readers."""
    with tempfile.TemporaryDirectory() as name:
        many = {"follow": 4, "look": 2, "survey": 1}
        done = tail_under(round(500 * scale) or 1, seed, Path(name), readers=many)
    for role, counts in done.items():
        yield f"{role}: " + ", ".join(f"{number:,} {what}" for what, number in counts.items())
    yield f"tailing: no row missing, wrong or twice, nothing hung (seed {seed})"


def _command(role: str, logs: Path, seed: int, count: int) -> list[str]:
    return [sys.executable, "-m", "tests.torture.tailing", role, str(logs), str(seed), str(count)]


def _say(logs: Path, session: str, written: int) -> None:
    """Tell the readers how much is written; at any instant one of these lines is whole, or nothing is said."""
    said = logs.parent / "said"
    fd = os.open(said, os.O_WRONLY | os.O_CREAT, 0o644)
    os.pwrite(fd, f"{session:>10}{written:20d}{session:>10}".encode(), 0)
    os.close(fd)


def _said(logs: Path) -> tuple[str, int]:
    text = (logs.parent / "said").read_text()
    return (text[:10].strip(), int(text[10:30])) if text[:10] == text[30:] else ("", 0)


def _over(logs: Path) -> bool:
    return (logs.parent / "over").exists()


def _names(logs: Path) -> list[str]:
    return sorted(path.name for path in logs.iterdir() if NAME.fullmatch(path.name))


def work(role: str, logs: Path, seed: int, count: int) -> None:
    """One process's part; what it did, on stdout."""
    done = write(logs, seed, count) if role == "write" else READERS[role](logs, seed)
    print(json.dumps(done))


if __name__ == "__main__":
    try:
        work(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    except BaseException:
        traceback.print_exc()
        sys.exit(1)
