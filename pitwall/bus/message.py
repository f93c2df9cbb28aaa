"""python-can messages in, frames out, and back: the one place where the two meet.

Laws: a message that no CAN bus could have carried never becomes a frame; a frame becomes the message that it came from.
What differs from python-can: more than 8 bytes make a CAN FD frame, and a CAN FD frame is never remote (the readers of
formats that can't tell get both wrong); an error frame's id is what the adapter says of the error, neither standard nor
extended, neither classic nor FD (each of its readers has a default of its own).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pitwall.bus.pythoncan import can
from pitwall.frames import DATA_BYTES, Flag, Frames, UInt8, frames, in_log_order, payloads

FD_BYTES = 64
"""The longest payload of a CAN FD frame (ISO 11898-1)."""


MAX_S = 9e9
"""Where time ends: int64 ns hold 292 years, from 1970 to 2262."""


def impossible(message: can.Message) -> str:
    """Why no CAN bus can have carried `message`; empty where one can."""
    if not all(isinstance(value, int) for value in (message.arbitration_id, message.dlc)):
        return "it has no id or no length"
    length = len(message.data)
    fd = message.is_fd or length > DATA_BYTES
    if not 0 <= message.arbitration_id <= (0x1FFFFFFF if message.is_extended_id or message.is_error_frame else 0x7FF):
        return f"no arbitration id: {message.arbitration_id:#x}"
    if length > FD_BYTES:
        return f"{length} bytes of payload"
    if not isinstance(message.timestamp, float | int) or not abs(message.timestamp) < MAX_S:
        return f"no time: {message.timestamp}"
    if message.is_error_frame or message.dlc == length:
        return ""
    if not 0 <= message.dlc <= FD_BYTES:
        return f"no dlc: {message.dlc}"
    if message.is_remote_frame:
        return "" if message.dlc <= 15 else f"no dlc: {message.dlc}"
    # A dlc of 9 to 15 means 8 bytes in a classic frame, and 12 to 64 in a CAN FD frame: some readers leave it as it is.
    if message.dlc > DATA_BYTES and length == (can.util.dlc2len(min(message.dlc, 15)) if fd else DATA_BYTES):
        return ""
    return f"{length} bytes where {message.dlc} are announced"


def to_frames(messages: Sequence[can.Message], t: npt.ArrayLike, bus: npt.ArrayLike) -> Frames:
    """The messages as frames, at the times `t` (n,) ns and on the buses `bus` (n,)."""
    n = len(messages)

    def flag(values: Iterable[Any], bit: Flag) -> UInt8:
        return np.fromiter(values, np.bool_, n).astype(np.uint8) * np.uint8(bit)

    payloads = [bytes(m.data) for m in messages]
    length = np.fromiter(map(len, payloads), np.uint8, n)
    flags = (
        flag((m.is_extended_id for m in messages), Flag.EXTENDED)
        | flag((m.is_remote_frame for m in messages), Flag.REMOTE)
        | flag((m.is_error_frame for m in messages), Flag.ERROR)
        | flag((m.is_fd for m in messages), Flag.FD)
        | flag((m.bitrate_switch for m in messages), Flag.BRS)
        | flag((m.error_state_indicator for m in messages), Flag.ESI)
        | flag((not m.is_rx for m in messages), Flag.TX)
    )
    flags |= (length > DATA_BYTES).astype(np.uint8) * np.uint8(Flag.FD)
    flags[flags & np.uint8(Flag.FD) != 0] &= ~np.uint8(Flag.REMOTE)
    flags[flags & np.uint8(Flag.ERROR) != 0] &= np.uint8(Flag.ERROR | Flag.TX)
    asked = np.fromiter((m.dlc if m.is_remote_frame else 0 for m in messages), np.uint8, n)
    data, more = payload_columns(payloads)
    return frames(
        0,
        t=t,
        bus=bus,
        id=np.fromiter((m.arbitration_id for m in messages), np.uint32, n),
        flags=flags,
        len=np.where(flags & np.uint8(Flag.REMOTE), asked, length),
        data=data,
        more=more,
    )


def to_messages(
    rows: Frames, seconds: npt.NDArray[np.float64], channels: Sequence[int | str | None]
) -> Iterator[can.Message]:
    """The frames among `rows` as python-can messages, in log order; control rows must have been left out.

    seconds: float64 (n,), each message's timestamp, in log order.  channels: python-can's channel of each bus.
    """
    rows = in_log_order(rows)
    extended, remote, error, fd, brs, esi, tx = (
        (rows.flags & np.uint8(bit) != 0)
        for bit in (Flag.EXTENDED, Flag.REMOTE, Flag.ERROR, Flag.FD, Flag.BRS, Flag.ESI, Flag.TX)
    )
    # python-can's arguments in the order of their definition: by name they take twice as long
    columns = (seconds, rows.id, extended | (rows.id > 0x7FF), remote, error, rows.bus, rows.len, fd, ~tx, brs, esi)
    for (at, number, wide, asks, errs, bus, length, *rest), payload in zip(
        zip(*(column.tolist() for column in columns), strict=True), payloads(rows), strict=True
    ):
        yield can.Message(at, number, wide, asks, errs, channels[bus], length, payload, *rest)


def payload_columns(payloads: Sequence[bytes]) -> tuple[UInt8, pa.BinaryArray | None]:
    """Payloads of any length as the columns `data` and `more`."""
    head = b"".join([payload[:DATA_BYTES].ljust(DATA_BYTES, b"\0") for payload in payloads])
    long = max(map(len, payloads), default=0) > DATA_BYTES
    more = pa.array([payload[DATA_BYTES:] for payload in payloads], pa.binary()) if long else None
    return np.frombuffer(head, np.uint8).reshape(-1, DATA_BYTES), more


def numbers(buses: Sequence[str]) -> list[int]:
    """A number for each bus, for formats that have no names: `can2` is 2, others take what is free."""
    found = [re.fullmatch(r"can(\d{1,3})", name) for name in buses]
    taken = {int(match[1]) for match in found if match}
    free = (n for n in range(256) if n not in taken)
    return [int(match[1]) if match else next(free) for match in found]


def unix_seconds(rows: Frames, started_at_ns: int) -> npt.NDArray[np.float64]:
    """float64 (n,): python-can's timestamps of rows in log order, of a session that started then."""
    return (rows.t + started_at_ns) / 1e9
