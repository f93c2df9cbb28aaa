"""Where logs and projections go: may they be written, who records there, for how many hours is there room, how fast
does the disk sync, is it encrypted.

Writes a file of its own, `.doctor-<pid>`, into a folder that is there, and takes it away again; makes no folder.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pitwall.doctor.check import Finding, failed, ok, skipped, warning
from pitwall.doctor.machine import Machine
from pitwall.log import lock
from pitwall.log.disk import DISK, Disk

if TYPE_CHECKING:
    from pitwall.log.session import Session

SYNCS: Final = 100
SYNC_BYTES: Final = 4096
SYNC_LIMIT_S: Final = 3.0
"""So many small writes are synced, as the recorder does, for no longer than this."""
SLOW_S: Final = 0.1
"""The recorder syncs every so often; a disk that needs longer holds what a loss of power takes."""
TOO_SLOW_S: Final = 2.0

BYTES_A_FRAME: Final = 9.0
"""What a frame takes in a sealed log, at most: measured on real captures, 4 to 9."""
BITS_A_FRAME: Final = 125
"""A classic frame of 8 bytes on the wire, with its stuff bits: so many fill a bus."""
OPEN_BYTES: Final = 64 << 20
"""The open segment, before it is sealed."""
FEW_HOURS: Final = 4.0
TOO_FEW_HOURS: Final = 0.5


def writable(folder: Path, what: str) -> Finding:
    """Whether the folder, or the one that it is to be made in, can be written.  what: `logs`, `projections`."""
    there = _nearest(folder)
    if not there.is_dir():
        return failed(f"{there} is no folder", f"give another: --{what}")
    if there != folder:
        if os.access(there, os.W_OK | os.X_OK):
            return ok(f"{folder} is not there yet, and will be made")
        return failed(f"{folder} can't be made: {there} is not yours to write", f"give another: --{what}")
    try:
        with _probe(folder, DISK) as fd:
            os.write(fd, b"\0")
    except OSError as error:
        said = (error.strerror or str(error)).lower()
        return failed(
            f"{folder} can't be written: {said}", f"whose is it, and is there room? Or give another: --{what}"
        )
    return ok(f"{folder} can be written")


def recorder(logs: Path) -> Finding:
    """Who records there, and how that goes."""
    found = lock.recorder(logs)
    if found is None:
        return ok("nobody records there now")
    state, who = found.state, f"process {found.pid or 'unknown'}"
    if state.problem:
        return failed(
            f"{who} can't write: {state.problem}; {state.waiting:,} frames wait", "make room, or mend the disk"
        )
    what = f"records {state.session}: {state.frames:,} frames" if state.session else "waits for a first frame"
    if state.lost:
        return warning(f"{who} {what}, {state.lost:,} LOST", "`pitwall sessions` and the control rows say where")
    if gone := [f"{one.bus} is {one.state}: {one.why}" for one in state.sources if one.state in ("lost", "silent")]:
        return warning(f"{who} {what}; {'; '.join(gone)}".rstrip(": "), "it is tried again while the recorder runs")
    if state.low_space:
        return warning(f"{who} {what}; the disk is nearly full", "make room: pitwall archive, pitwall retain")
    return ok(f"{who} {what}, none lost")


def room(
    logs: Path, car: str | None, bitrates: Sequence[int], sessions: Sequence[Session], disk: Disk = DISK
) -> Finding:
    """For how many hours there is room, at the rate of the car's own sessions, or of full buses where it has none."""
    free = max(0, disk.space(_nearest(logs)).free - OPEN_BYTES)
    measured = _bytes_per_s(car, sessions)
    if measured is not None:
        per_s, how = measured, f"as {car or 'what'} was recorded before" if car else "as recorded before"
    elif bitrates:
        per_s, how = sum(bitrates) / BITS_A_FRAME * BYTES_A_FRAME, "with its buses full"
    else:
        per_s, how = 1e6 / BITS_A_FRAME * BYTES_A_FRAME, "of a full bus at 1 Mbit/s"
    hours = free / per_s / 3600
    said = f"{free / 1e9:.1f} GB free: {_hours(hours)} {how}"
    advice = "make room: pitwall archive SESSION --to ELSEWHERE, or record with --keep-free"
    if hours < TOO_FEW_HOURS:
        return failed(said, advice)
    return warning(said, advice) if hours < FEW_HOURS else ok(said)


def sync_speed(logs: Path, disk: Disk = DISK, clock: Callable[[], float] = time.perf_counter) -> Finding:
    """How long the disk takes to make a small write durable: what a loss of power can take."""
    there = _nearest(logs)
    took: list[float] = []
    try:
        with _probe(there, disk) as fd:
            end = clock() + SYNC_LIMIT_S
            while len(took) < SYNCS and clock() < end:
                os.write(fd, b"\0" * SYNC_BYTES)
                begun = clock()
                disk.sync(fd)
                took.append(clock() - begun)
    except OSError as error:
        return failed(f"can't be measured in {there}: {(error.strerror or str(error)).lower()}", "see `logs` above")
    p99 = sorted(took)[math.ceil(0.99 * len(took)) - 1]
    said = f"a synced write takes {p99 * 1e3:.1f} ms (99th of 100, {len(took)} made)"
    if p99 > TOO_SLOW_S:
        return failed(said, "this disk is dying, or a network's: record to another, --logs")
    advice = "frames wait in memory meanwhile; a loss of power costs that much more. Not an SD card, if you can"
    return warning(said, advice) if p99 > SLOW_S else ok(said)


def encryption(logs: Path, machine: Machine, device: str | None = None) -> Finding:
    """Whether who finds the device can read it.  device: `major:minor` of the disk; None: the one `logs` is on."""
    if machine.is_android:
        if machine.run("getprop", "ro.crypto.state") == "encrypted":
            kind = machine.run("getprop", "ro.crypto.type") or "some"
            return ok(f"this phone encrypts its storage ({kind}-based); a card or /sdcard it may not")
        return skipped("can't tell whether this phone encrypts its storage", "Settings, Security: Encryption")
    number = _nearest(logs).stat().st_dev
    device = device or f"{os.major(number)}:{os.minor(number)}"
    chain = _layers(machine, Path("/sys/dev/block") / device)
    if any(uuid.startswith("CRYPT-") for _, uuid in chain):
        return ok("the disk is encrypted (dm-crypt)")
    if not chain:
        return skipped("can't tell whether the disk is encrypted", "docs/security.md says what protects a log")
    advice = "LUKS for the disk, or PITWALL_KEY_FILE for sealed segments (docs/security.md)"
    return warning(f"{chain[0][0]} is not encrypted by dm-crypt: whoever has the disk can read it", advice)


def _layers(machine: Machine, folder: Path, depth: int = 0) -> list[tuple[str, str]]:
    """A block device and those below it, as (name, device mapper's uuid or ""); none where there is no such device."""
    said = machine.read(str(folder / "uevent"))
    if said is None or depth > 8:
        return []
    named = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    found = [(named.get("DEVNAME", folder.name), machine.read(str(folder / "dm" / "uuid")) or "")]
    for below in machine.entries(str(folder / "slaves")):
        found += _layers(machine, folder / "slaves" / below, depth + 1)
    return found


def _bytes_per_s(car: str | None, sessions: Sequence[Session]) -> float | None:
    """What the car's ended sessions took on disk, a second of driving."""
    own = [one for one in sessions if one.state == "ended" and one.duration_s > 60 and car in (None, one.header.car)]
    seconds = sum(one.duration_s for one in own)
    return sum(one.bytes for one in own) / seconds if seconds else None


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    whole = folder.absolute()
    return next((one for one in (whole, *whole.parents) if one.exists()), Path("/")) if not folder.exists() else folder


def _hours(hours: float) -> str:
    return "weeks" if hours > 1000 else f"{hours:.0f} hours" if hours >= 10 else f"{hours:.1f} hours"


@contextmanager
def _probe(folder: Path, disk: Disk) -> Iterator[int]:
    path = folder / f".doctor-{os.getpid()}"
    fd = disk.create(path)
    try:
        yield fd
    finally:
        os.close(fd)
        disk.unlink(path)
