"""candump's log format (`candump -L`): lines in, frames out, and back.

    (1631416514.717133) can0 0D2#0000FFFF10000000        standard id; 8 digits are an extended one
    (1631416514.717134) can0 18FF0A1B##1001122 T         CAN FD, flags 1 (BRS); T: sent by us
    (1631416514.717135) can1 123#R8                      remote
    (1631416514.717136) can0 20000004#000C000000000000   error frame: bit 29 of the id (linux/can/error.h)

Our own, where every other format is python-can's: its reader takes most error frames for data frames, loses their bus,
and passes a line that was cut in its payload; its writer loses what an error frame says and what a remote one asks for.
Everything else agrees with python-can frame by frame (tests/bus/test_candump.py).
Source: can-utils' `lib.c` (sprint_long_canframe) for what is written, linux/can.h for the id's bits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pitwall.bus.lines import Lines
from pitwall.bus.message import payload_columns
from pitwall.bus.reading import BATCH_FRAMES, Reading
from pitwall.frames import Flag, Frames, frames, in_log_order, payloads

LINE = re.compile(
    r"\s*\((?P<seconds>\d{1,10})(?:\.(?P<fraction>\d{1,9}))?\)\s+(?P<bus>\S+)\s+(?P<id>[0-9A-Fa-f]{1,8})#"
    r"(?:#(?P<fd>[0-9A-Fa-f])(?P<long>(?:[0-9A-Fa-f]{2}){0,64})"
    r"|[Rr](?P<remote>\d{0,2})"
    r"|(?P<data>(?:[0-9A-Fa-f]{2}){0,8}))"
    r"(?:_[9A-Fa-f])?(?:\s+(?P<direction>[RTrt]))?\s*"
)
ERROR_ID = 0x20000000  # CAN_ERR_FLAG
PLAIN_ERROR = ERROR_ID | 0x80  # what python-can writes for any error frame, without payload and direction
FD_BRS, FD_ESI = 0x1, 0x2  # CANFD_BRS, CANFD_ESI
EXTENDED, REMOTE, ERROR, FD, BRS, ESI, TX = (  # as plain numbers: a frame's flags are put together one by one here
    int(flag) for flag in (Flag.EXTENDED, Flag.REMOTE, Flag.ERROR, Flag.FD, Flag.BRS, Flag.ESI, Flag.TX)
)


def read(reading: Reading) -> Iterator[Frames]:
    """The frames of a candump log; a line that is none is a loss."""
    directed = False  # this file writes R or T behind each frame, so that a last line without it was cut

    def whole(line: str) -> bool:
        match = LINE.fullmatch(line)
        if match is None:
            return False
        return bool(match["direction"]) or (not directed and match["data"] is not None and len(match["data"]) == 16)

    lines = Lines(reading.path, reading.losses, silent=_is_silent, whole=whole)
    rows: list[tuple[int, int, int, int, int, bytes]] = []
    for line in lines:
        match = LINE.fullmatch(line)
        if match is None or (row := _row(match, reading)) is None:
            continue
        lines.answered()
        directed = directed or match["direction"] is not None
        rows.append(row)
        if len(rows) == BATCH_FRAMES:
            yield _frames(rows)
            rows = []
            reading.progress(lines.tell())
    lines.close()
    if rows:
        yield _frames(rows)


def write(path: Path, batches: Iterable[Frames], started_at_ns: int, buses: Sequence[str]) -> None:
    """The frames as a candump log, in microseconds, each with its direction."""
    names = ["_".join(name.split()) or "can0" for name in buses]
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for batch in batches:
            file.writelines(_lines(in_log_order(batch), started_at_ns, names))


def _is_silent(line: str) -> bool:
    return not line.strip() or line.startswith("#")


def _row(match: re.Match[str], reading: Reading) -> tuple[int, int, int, int, int, bytes] | None:
    """t (ns), bus, id, flags, len and payload of a line; None where it can't be a frame."""
    seconds, fraction, bus, digits, fd, long, remote, data, direction = match.groups()
    number = int(digits, 16)
    flags = TX if direction in ("T", "t") else 0
    payload = bytes.fromhex(long or data or "")
    length = len(payload)
    if number & ERROR_ID and number < 2 * ERROR_ID and fd is None and remote is None:
        flags |= ERROR
        number = 0 if number == PLAIN_ERROR and not payload and not direction else number - ERROR_ID
    elif number >= ERROR_ID or (len(digits) <= 3 and number > 0x7FF):
        return None
    elif len(digits) > 3:
        flags |= EXTENDED
    if fd is not None:
        flags |= FD
        bits = int(fd, 16)
        flags |= (BRS if bits & FD_BRS else 0) | (ESI if bits & FD_ESI else 0)
    elif remote is not None:
        flags |= REMOTE
        length = int(remote or 0)
    t = int(seconds) * 1_000_000_000 + (int(fraction.ljust(9, "0")) if fraction else 0)
    if t >= 2**63:
        return None
    return t, reading.buses[bus], number, flags, length, payload


def _frames(rows: list[tuple[int, int, int, int, int, bytes]]) -> Frames:
    t, bus, number, flags, length, payload = zip(*rows, strict=True)
    data, more = payload_columns(payload)
    return frames(0, t=t, bus=bus, id=number, flags=flags, len=length, data=data, more=more)


def _lines(rows: Frames, started_at_ns: int, names: Sequence[str]) -> Iterator[str]:
    microseconds = ((rows.t + started_at_ns + 500) // 1000).tolist()
    columns = zip(
        microseconds, rows.bus.tolist(), rows.id.tolist(), rows.flags.tolist(), rows.len.tolist(), payloads(rows),
        strict=True,
    )  # fmt: skip
    for at, bus, number, flags, length, payload in columns:
        when = f"({at // 1_000_000}.{at % 1_000_000:06d}) {names[bus]}"
        direction = "T" if flags & TX else "R"
        if flags & ERROR:
            yield _error_line(when, number, payload, direction)
            continue
        digits = f"{number:08X}" if flags & EXTENDED else f"{number:03X}"
        if flags & FD:
            bits = (FD_BRS if flags & BRS else 0) | (FD_ESI if flags & ESI else 0)
            what = f"#{bits:X}{payload.hex().upper()}"
        elif flags & REMOTE:
            what = f"R{length}" if length else "R"
        else:
            what = payload.hex().upper()
        yield f"{when} {digits}#{what} {direction}\n"


def _error_line(when: str, number: int, payload: bytes, direction: str) -> str:
    if not number and not payload and direction == "R":
        return f"{when} {PLAIN_ERROR:08X}#\n"
    return f"{when} {ERROR_ID | number:08X}#{payload.hex().upper()} {direction}\n"
