"""Bulk transfers of a gs_usb adapter (candleLight, CANnectivity, …) in, frames out; and what such an adapter is told
and given to send.

Laws: pure; however a stream of transfers is cut between them, the rows and the counts are the same; what no CAN bus can
have carried is counted and never guessed.  A transfer holds whole host frames, as many as it likes.  What we sent is
echoed once it is on the bus, and no frame that was heard: whoever sends it knows.

Facts from Linux' drivers/net/can/usb/gs_usb.c and candleLight's firmware.  All numbers are little-endian:

    host frame    echo_id u32, can_id u32, can_dlc u8, channel u8, flags u8, reserved u8, data 8 (CAN FD: 64), then,
                  where it was asked for, timestamp_us u32
    can_id        bits 31 extended, 30 remote, 29 error, as in linux/can.h; echo_id 0xffffffff: heard, else sent by us
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pitwall.bus.bittiming import Limits, Timing
from pitwall.errors import PitwallError, UsageError
from pitwall.frames import DATA_BYTES, Flag, Frames, Int64, UInt8, UInt32, empty, frames, payloads

HEADER_BYTES: Final = 12
FD_BYTES: Final = 64
STAMP_BYTES: Final = 4
HEARD: Final = 0xFFFFFFFF
"""The echo_id of a frame that was heard, and not sent by us."""
ECHO: Final = 0
"""The echo_id of all that we send: nobody waits for one of them, for an adapter that is full takes no more."""
ECHOES: Final = 10
"""Frames that a host may have under way: an echo_id is below it.  Linux' driver has as many."""

FD_LENGTH: Final = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64], np.uint8)
"""Payload bytes by dlc, of CAN FD (ISO 11898-1)."""


class Request(IntEnum):
    """A vendor request to the adapter's interface; `value` is the channel."""

    HOST_FORMAT = 0
    BITTIMING = 1
    MODE = 2
    BT_CONST = 4
    DEVICE_CONFIG = 5
    TIMESTAMP = 6
    DATA_BITTIMING = 10
    BT_CONST_EXT = 11


class Mode(IntFlag):
    """How a channel is started; the same bits say, in `Constants.features`, what the adapter can."""

    LISTEN_ONLY = 1 << 0
    HW_TIMESTAMP = 1 << 4
    FD = 1 << 8
    LONGER = 1 << 9  # a feature alone: its USB controller needs a byte more behind a frame that it is given
    BT_CONST_EXT = 1 << 10  # a feature alone: data bit timing has limits of its own


class _HostFlag(IntFlag):
    OVERFLOW = 1
    FD = 2
    BRS = 4
    ESI = 8


HOST_FORMAT: Final = struct.pack("<I", 0x0000BEEF)
"""What says that we are little-endian; candleLight is so whatever it is told."""
STOP: Final = struct.pack("<II", 0, 0)
CONSTANTS_BYTES: Final = 40
CONSTANTS_EXT_BYTES: Final = 72
CONFIG_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class Constants:
    """What a channel can.  data: of CAN FD's faster part; the same as `nominal` where the adapter doesn't say."""

    features: int
    nominal: Limits
    data: Limits


@dataclass(frozen=True, slots=True)
class Config:
    """The adapter about itself."""

    channels: int
    software: int
    hardware: int


def start(mode: Mode) -> bytes:
    """The payload of a MODE request that starts a channel."""
    return struct.pack("<II", 1, int(mode))


def bit_timing(timing: Timing) -> bytes:
    """The payload of BITTIMING or DATA_BITTIMING."""
    return struct.pack("<5I", timing.prop_seg, timing.phase_seg1, timing.phase_seg2, timing.sjw, timing.brp)


def constants(answer: bytes) -> Constants:
    """BT_CONST's answer, or BT_CONST_EXT's.  PitwallError where it is neither."""
    if len(answer) not in (CONSTANTS_BYTES, CONSTANTS_EXT_BYTES):
        raise PitwallError(f"{len(answer)} bytes are no bit timing constants", hint="is it a gs_usb adapter?")
    features, clock, *nominal = struct.unpack_from("<10I", answer)
    data = struct.unpack_from("<8I", answer, CONSTANTS_BYTES) if len(answer) == CONSTANTS_EXT_BYTES else nominal
    return Constants(features, Limits(clock, *nominal), Limits(clock, *data))


def config(answer: bytes) -> Config:
    """DEVICE_CONFIG's answer.  PitwallError where it is none."""
    if len(answer) != CONFIG_BYTES:
        raise PitwallError(f"{len(answer)} bytes are no device configuration", hint="is it a gs_usb adapter?")
    highest, software, hardware = struct.unpack("<3xBII", answer)
    return Config(highest + 1, software, hardware)


def encode(rows: Frames, *, channel: int = 0, fd: bool = False, longer: bool = False) -> list[bytes]:
    """The frames among `rows` as transfers to the adapter, one each; control rows and error frames are none.

    fd: whether the channel was started so: all frames have the room of a CAN FD frame then.  longer: as `Mode.LONGER`.
    Raises UsageError for a frame that such a channel can't send.
    """
    room = (FD_BYTES if fd else DATA_BYTES) + longer
    transfers = []
    columns = rows.id.tolist(), rows.flags.tolist(), rows.len.tolist(), payloads(rows)
    for id, bits, length, payload in zip(*columns, strict=True):
        if bits & (Flag.CONTROL | Flag.ERROR):
            continue
        dlc = int(np.searchsorted(FD_LENGTH, length))
        if bits & Flag.FD and not fd:
            raise UsageError("a CAN FD frame can't go on a classic bus", where=f"frame {id:#x}", hint="fd: true")
        if dlc > (15 if bits & Flag.FD else DATA_BYTES) or FD_LENGTH[dlc] != length:
            raise UsageError(f"no CAN frame has {length} bytes", where=f"frame {id:#x}")
        kind = (bits & Flag.EXTENDED != 0 or id > 0x7FF) << 31 | (bits & Flag.REMOTE != 0) << 30
        flags = _HostFlag(0)
        if bits & Flag.FD:
            flags = _HostFlag.FD | (_HostFlag.BRS if bits & Flag.BRS else 0) | (_HostFlag.ESI if bits & Flag.ESI else 0)
        transfers.append(struct.pack("<IIBBBB", ECHO, id | kind, dlc, channel, flags, 0) + payload.ljust(room, b"\0"))
    return transfers


@dataclass(frozen=True, slots=True)
class Decoded:
    """Frames, in the order of their arrival.

    rows: `Frames` with t 0.  transfer: int64 (n,), the transfer that each came in.
    stamp_us: uint32 (n,), the adapter's clock when it heard each; None where it was not asked to tell.
    """

    rows: Frames
    transfer: Int64
    stamp_us: UInt32 | None


class Decoder:
    """One channel's transfers into frames, and the counts of what was no frame.

    fd, stamped: whether the channel was started so.  sends: whether an echo can be true.
    """

    def __init__(self, *, channel: int = 0, fd: bool = False, stamped: bool = True, sends: bool = False) -> None:
        self.malformed = 0
        self.overruns = 0
        self._channel, self._fd, self._stamped = channel, fd, stamped
        self._echoes = ECHOES if sends else 0
        self._bytes = HEADER_BYTES + DATA_BYTES + STAMP_BYTES * stamped
        self._fd_bytes = HEADER_BYTES + FD_BYTES + STAMP_BYTES * stamped

    def decode(self, transfers: Sequence[bytes]) -> Decoded:
        """The frames that the transfers hold."""
        # behind them as many zeros as a header may reach beyond its transfer
        raw = np.frombuffer(b"".join([*transfers, bytes(HEADER_BYTES + FD_BYTES)]), np.uint8)
        at, transfer = self._found(raw, np.fromiter(map(len, transfers), np.int64, len(transfers)))
        head = raw[at[:, None] + np.arange(HEADER_BYTES)]
        number = head[:, :8].copy().view("<u4")
        echo, can_id = number[:, 0], number[:, 1]
        dlc, flags = head[:, 8], head[:, 10]
        extended, remote, error = (can_id & np.uint32(1 << bit) != 0 for bit in (31, 30, 29))
        fd = flags & np.uint8(_HostFlag.FD) != 0
        id = can_id & np.uint32(0x1FFFFFFF)
        heard = echo == HEARD
        good = (
            (heard | (echo < self._echoes))
            & (head[:, 9] == self._channel)
            & (dlc <= 15)
            & (extended | error | (id <= 0x7FF))
            & ~(fd & (remote | error))
        )
        self.malformed += int(np.count_nonzero(~good))
        self.overruns += int(np.count_nonzero(good & (flags & np.uint8(_HostFlag.OVERFLOW) != 0)))
        good &= heard
        if not good.any():
            return Decoded(empty(), np.empty(0, np.int64), np.empty(0, np.uint32) if self._stamped else None)
        at, transfer, id, fd, flags = at[good], transfer[good], id[good], fd[good], flags[good]
        extended, remote, error = extended[good], remote[good], error[good]
        # a dlc of 9 to 15 means 8 bytes in a classic frame
        length = np.where(fd, FD_LENGTH[dlc[good]], np.minimum(dlc[good], DATA_BYTES)).astype(np.uint8)
        kind = (
            _bit(error, Flag.ERROR)
            | _bit(extended & ~error, Flag.EXTENDED)
            | _bit(remote & ~error, Flag.REMOTE)
            | _bit(fd, Flag.FD)
            | _bit(fd & (flags & np.uint8(_HostFlag.BRS) != 0), Flag.BRS)
            | _bit(fd & (flags & np.uint8(_HostFlag.ESI) != 0), Flag.ESI)
        )
        held = np.where(remote & ~error, 0, length)
        data = raw[at[:, None] + np.arange(HEADER_BYTES, HEADER_BYTES + DATA_BYTES)]
        data = np.where(np.arange(DATA_BYTES) < held[:, None], data, np.uint8(0))
        rows = frames(
            0, t=np.zeros(len(at), np.int64), id=id, flags=kind, len=length, data=data, more=_more(raw, at, held)
        )
        return Decoded(rows, transfer, self._stamps(raw, at, fd))

    def _found(self, raw: UInt8, lengths: Int64) -> tuple[Int64, Int64]:
        """Where host frames begin, and in which transfer; a transfer's rest that is not one whole frame is counted."""
        ends = np.cumsum(lengths)
        at = ends - lengths
        open = np.flatnonzero(lengths)
        found, owners = [at[:0]], [at[:0]]
        while len(open):  # a round for the first frame of each, one for the second, …: usually one
            here, left = at[open], ends[open] - at[open]
            fd = raw[here + 10] & np.uint8(_HostFlag.FD) != 0
            size = np.where(fd, self._fd_bytes, self._bytes)
            whole = (left >= size) & (self._fd | ~fd)
            self.malformed += int(np.count_nonzero(~whole))
            found.append(here[whole])
            owners.append(open[whole])
            at[open] += size
            open = open[whole & (left > size)]
        starts, transfer = np.concatenate(found), np.concatenate(owners)
        order = np.argsort(starts)
        return starts[order], transfer[order]

    def _stamps(self, raw: UInt8, at: Int64, fd: npt.NDArray[np.bool_]) -> UInt32 | None:
        if not self._stamped:
            return None
        behind = at + np.where(fd, self._fd_bytes, self._bytes) - STAMP_BYTES
        stamps: UInt32 = raw[behind[:, None] + np.arange(STAMP_BYTES)].view("<u4")[:, 0]
        return stamps


def _bit(rows: npt.NDArray[np.bool_], flag: Flag) -> UInt8:
    return rows.astype(np.uint8) * np.uint8(flag)


def _more(raw: UInt8, at: Int64, held: UInt8) -> pa.BinaryArray | None:
    """What frames hold beyond 8 bytes, as the column `more`."""
    beyond = np.maximum(held, DATA_BYTES).astype(np.int32) - DATA_BYTES
    if not beyond.any():
        return None
    columns = np.arange(FD_BYTES - DATA_BYTES)
    held_there = columns < beyond[:, None]
    values = (at[:, None] + (HEADER_BYTES + DATA_BYTES) + columns)[held_there]
    offsets = np.concatenate([np.zeros(1, np.int32), np.cumsum(beyond, dtype=np.int32)])
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(raw[values])]
    return pa.Array.from_buffers(pa.binary(), len(at), buffers)
