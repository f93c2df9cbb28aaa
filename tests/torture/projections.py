"""A session's projection harmed in every way: it is put aside and built again, or answered from memory, and the same.

Who opens it does so in a process of its own, so that a crash of DuckDB counts.  Laws: each opening succeeds, its
content equals the reference by its hash, and a file that can be trusted is there then, but while somebody builds it.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import duckdb

from pitwall.project import content, seal
from pitwall.project.build import stale
from pitwall.project.database import connect
from pitwall.project.generations import Generations
from pitwall.project.pipeline import origin
from pitwall.project.query import open_projection
from tests.project.sessions import E46, driven, written
from tests.torture.killer import PATIENCE_S

_FORK: Final = multiprocessing.get_context("forkserver")
_FORK.set_forkserver_preload(["pitwall.project.query", "tests.project.sessions"])

VERSION_AT: Final = 12
"""Where a DuckDB file has its storage version: behind a checksum and `DUCK`."""

Harm = Callable[[Path, random.Random], object]
"""What is done to a finished generation."""


def _deleted(file: Path, chance: random.Random) -> None:
    chance.choice([file, seal.seal_of(file)]).unlink()


def _truncated(file: Path, chance: random.Random) -> None:
    os.truncate(file, chance.randrange(file.stat().st_size))


def _grown(file: Path, chance: random.Random) -> None:
    with file.open("ab") as target:
        target.write(bytes(chance.randrange(1, 10_000)))


def _random(file: Path, chance: random.Random) -> None:
    file.write_bytes(chance.randbytes(chance.choice([1, 100, file.stat().st_size])))


def _overwritten(file: Path, chance: random.Random) -> None:
    with file.open("r+b") as target:
        target.seek(chance.randrange(file.stat().st_size))
        target.write(chance.randbytes(chance.choice([1, 512, 4096])) + b"\x01")


def _bits(file: Path, chance: random.Random) -> None:
    data = bytearray(file.read_bytes())
    for _ in range(chance.choice([1, 1, 20])):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    file.write_bytes(data)


def _sealed_anyway(file: Path, chance: random.Random) -> None:
    """The file is changed in its first pages, and its seal fits: DuckDB itself has to find out."""
    data = bytearray(file.read_bytes())
    if chance.random() < 0.3:
        data[VERSION_AT : VERSION_AT + 8] = chance.choice([1, 63, 999, 2**40]).to_bytes(8, "little")
    else:
        at = chance.randrange(3 * 4096)
        data[at : at + 64] = chance.randbytes(64)
    file.write_bytes(data)
    about = json.loads(seal.seal_of(file).read_text())
    del about["seal_crc32"]
    about["crc32"] = zlib.crc32(data)
    about["seal_crc32"] = zlib.crc32(json.dumps(about).encode())
    seal.seal_of(file).write_text(json.dumps(about))


def _seal_harmed(file: Path, chance: random.Random) -> None:
    place = seal.seal_of(file)
    text = place.read_bytes()
    at = chance.randrange(len(text))
    place.write_bytes(chance.choice([b"", text[:at], text[:at] + b"\xff" + text[at + 1 :], b"[" * 60_000, b"null"]))


def _wal(file: Path, chance: random.Random) -> None:
    zeros = bytes(chance.choice([0, 1, 4096]))
    seal.wal_of(file).write_bytes(chance.choice([zeros, chance.randbytes(3_000), file.read_bytes()[:5_000]]))


def _wal_of_its_own(file: Path, chance: random.Random) -> None:
    """What somebody wrote into it and did not check in; with a tail of zeros, as a loss of power leaves."""
    other = file.with_name("other")
    shutil.copy(file, other)
    process = _FORK.Process(target=_write_and_die, args=(other,))
    process.start()
    process.join()
    left = other.with_name("other.wal").read_bytes()
    shutil.move(other, file) if chance.random() < 0.5 else other.unlink()
    other.with_name("other.wal").unlink()
    seal.wal_of(file).write_bytes(left + bytes(chance.choice([0, 100, 8192])))


def _write_and_die(file: Path) -> None:
    connection = duckdb.connect(str(file), config={"wal_autocheckpoint": "1TB"})
    connection.execute("CREATE TABLE foreign_one AS SELECT range AS i FROM range(10_000)")
    os._exit(0)


def _half_written(file: Path, chance: random.Random) -> None:
    building = file.with_name(f"a-session.{chance.choice([1, os.getpid(), 99_999_999])}.building")
    building.write_bytes(file.read_bytes()[: chance.randrange(file.stat().st_size)])
    building.with_name(f"{building.name}.wal").write_bytes(bytes(100))
    file.unlink()


def _folder(file: Path, chance: random.Random) -> None:
    place = chance.choice([file, seal.seal_of(file), seal.wal_of(file)])
    place.unlink(missing_ok=True)
    place.mkdir()
    if chance.random() < 0.5:
        (place / "mine").write_text("somebody's own")


def _fifo(file: Path, chance: random.Random) -> None:
    place = chance.choice([file, seal.seal_of(file), seal.wal_of(file)])
    place.unlink(missing_ok=True)
    os.mkfifo(place)


def _link(file: Path, chance: random.Random) -> None:
    place = chance.choice([file, seal.seal_of(file), seal.wal_of(file)])
    aside = file.with_name("elsewhere")
    if place.exists():
        place.rename(aside)
    place.symlink_to(chance.choice([aside, place, Path("/dev/zero"), Path("/dev/full"), file.parent]))


def _lock_harmed(file: Path, chance: random.Random) -> None:
    lock = file.with_name(".a-session.lock")
    make = chance.choice([os.mkfifo, lambda path: path.symlink_to("/dev/null"), lambda path: path.write_text("1\n")])
    make(lock)
    file.unlink()


HARMS: Final[tuple[Harm, ...]] = (
    _deleted,
    _truncated,
    _grown,
    _random,
    _overwritten,
    _bits,
    _sealed_anyway,
    _seal_harmed,
    _wal,
    _wal_of_its_own,
    _half_written,
    _folder,
    _fifo,
    _link,
    _lock_harmed,
)


def opened(logs: Path, projections: Path) -> tuple[str, str]:
    """Why the projection had to be built, if it had, and its hash; opened by a process of its own.

    Raises AssertionError where that process fails, crashes or hangs.
    """
    here, there = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=_open, args=(logs, projections, there))
    process.start()
    there.close()
    try:
        assert here.poll(PATIENCE_S), "it hangs"
        why, digest = here.recv()
    except EOFError:
        process.join()
        raise AssertionError(f"the process that opened it ended with {process.exitcode}") from None
    finally:
        process.kill()
        process.join()
    return why, digest


def _open(logs: Path, projections: Path, answer: Any) -> None:
    from pitwall.log.session import find

    with open_projection(find(logs, "a-session"), E46, Generations(projections)) as projection:
        answer.send((projection.rebuilt, content.digest(projection.connection)))


def _hold_file(file: Path, ready: Any) -> None:
    connection = connect(file, file.with_suffix(".spill"))
    ready.set()
    time.sleep(PATIENCE_S)
    connection.close()


def _hold_turn(projections: Path, ready: Any) -> None:
    with Generations(projections).building("a-session"):
        ready.set()
        time.sleep(PATIENCE_S)


def harm(folder: Path, times: int, seed: int, harms: tuple[Harm, ...] = HARMS) -> Counter[str]:
    """Harm the projection `times` times each way; how often it was built anew.  Raises AssertionError."""
    session = written(folder / "logs", driven(3_000))
    generations = Generations(folder / "projections")
    file = generations.file(session.id, origin(E46, session.header).fingerprint)
    reference = opened(session.path.parent, generations.folder)[1]
    chance, done = random.Random(seed), Counter[str]()
    for number in range(times):
        for way in harms:
            way(file, chance)
            why, digest = opened(session.path.parent, generations.folder)
            assert digest == reference, f"{way.__name__}, number {number}: it holds something else"
            assert not stale(session, E46, generations), f"{way.__name__}, number {number}: it stays untrusted"
            done[way.__name__] += bool(why)
            for left in ("elsewhere", "other"):
                (generations.folder / left).unlink(missing_ok=True)
    return done


def held(folder: Path) -> list[str]:
    """Somebody else has the file open to write, or builds it while it is missing; why it was built, for each."""
    session = written(folder / "logs", driven(3_000))
    generations = Generations(folder / "projections")
    file = generations.file(session.id, origin(E46, session.header).fingerprint)
    reference = opened(session.path.parent, generations.folder)[1]
    found = []
    for holder, what in ((_hold_file, file), (_hold_turn, generations.folder)):
        ready = _FORK.Event()
        process = _FORK.Process(target=holder, args=(what, ready))
        process.start()
        try:
            assert ready.wait(PATIENCE_S)
            if holder is _hold_turn:
                file.unlink()
            why, digest = opened(session.path.parent, generations.folder)
            assert digest == reference
            found.append(why)
        finally:
            process.kill()
            process.join()
        opened(session.path.parent, generations.folder)
        assert not stale(session, E46, generations)
    return found


def torture(scale: float, seed: int) -> Iterator[str]:
    """Each way 200 times."""
    times = max(1, round(200 * scale))
    with tempfile.TemporaryDirectory() as folder:
        done = harm(Path(folder), times, seed)
    yield f"{len(HARMS)} ways, {times:,} times each: {sum(done.values()):,} built anew, all equal to the reference"
    with tempfile.TemporaryDirectory() as folder:
        why = held(Path(folder))
    yield f"held by another process: {'; '.join(why)}"
