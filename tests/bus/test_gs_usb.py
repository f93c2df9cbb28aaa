"""gs_usb's transfers, judged by the gs_usb package's own frames and requests, and by a slow reading of each frame."""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import NamedTuple

import gs_usb.constants as their_constants
import gs_usb.gs_usb_structures as their_structures
import pytest
from gs_usb.gs_usb_frame import GsUsbFrame
from hypothesis import given
from hypothesis import strategies as st

from pitwall.bus import gs_usb
from pitwall.bus.bittiming import Limits, Timing
from pitwall.bus.gs_usb import HEARD, Decoder, Mode
from pitwall.errors import PitwallError, UsageError
from pitwall.frames import Flag, concat, payloads, same
from tests.strategies import log

FD_LENGTHS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64)


class Host(NamedTuple):
    """A host frame as it lies in a transfer."""

    echo_id: int
    can_id: int
    dlc: int
    channel: int
    flags: int
    data: bytes
    stamp: int

    def packed(self, stamped: bool) -> bytes:
        data = self.data[:64] if self.flags & 2 else self.data[:8]
        head = struct.pack("<IIBBBB", *self[:5], 0) + data
        return head + struct.pack("<I", self.stamp) if stamped else head

    def read(self, *, fd: bool, echoes: int):
        """What a slow and obvious reader makes of it: its row, or None where no bus can have carried it; what we sent
        ourselves is no row, but what is right with it."""
        id, is_fd = self.can_id & 0x1FFFFFFF, bool(self.flags & 2)
        extended, remote, error = (bool(self.can_id >> bit & 1) for bit in (31, 30, 29))
        if self.echo_id != HEARD and self.echo_id >= echoes:
            return None
        if self.channel != 0 or self.dlc > 15 or (is_fd and (remote or error)) or (is_fd and not fd):
            return None
        if not extended and not error and id > 0x7FF:
            return None
        length = FD_LENGTHS[self.dlc] if is_fd else min(self.dlc, 8)
        kind = Flag(0)
        if error:
            kind |= Flag.ERROR
        else:
            kind |= (Flag.EXTENDED if extended else 0) | (Flag.REMOTE if remote else 0)
        if is_fd:
            kind |= Flag.FD | (Flag.BRS if self.flags & 4 else 0) | (Flag.ESI if self.flags & 8 else 0)
        data = b"" if remote and not error else self.data[:length]
        return (id, int(kind), length, data, self.stamp) if self.echo_id == HEARD else ()


HOSTS = st.builds(
    Host,
    st.one_of(st.just(HEARD), st.integers(0, 12), st.integers(0, HEARD)),
    st.one_of(st.integers(0, 0x7FF), st.integers(0, 0xFFFFFFFF), st.integers(0, 0x1FFFFFFF).map(lambda i: i | 1 << 31)),
    st.one_of(st.integers(0, 8), st.integers(0, 255)),
    st.sampled_from([0, 0, 0, 0, 1]),
    st.sampled_from([0, 0, 1, 2, 6, 14, 12, 3]),
    st.binary(min_size=64, max_size=64),
    st.integers(0, 0xFFFFFFFF),
)
TRANSFERS = st.lists(st.lists(HOSTS, max_size=4), max_size=8)

SENDABLE = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 0x7FF), st.sampled_from([Flag(0), Flag.REMOTE]), st.binary(max_size=8)),
        st.tuples(st.integers(0, 0x1FFFFFFF), st.just(Flag.EXTENDED), st.binary(max_size=8)),
    ),
    max_size=5,
)
"""Id, flags and payload of frames that a classic bus can carry."""


def rows_of(decoded):
    rows = decoded.rows
    stamps = [0] * len(rows) if decoded.stamp_us is None else decoded.stamp_us.tolist()
    return list(zip(rows.id.tolist(), rows.flags.tolist(), rows.len.tolist(), payloads(rows), stamps, strict=True))


@given(transfers=TRANSFERS, stamped=st.booleans(), sends=st.booleans(), rests=st.lists(st.integers(1, 19), max_size=3))
def test_every_host_frame_is_read_as_a_slow_reader_reads_it_and_the_others_are_counted(
    transfers, stamped, sends, rests
):
    decoder = Decoder(fd=True, stamped=stamped, sends=sends)
    sent = [b"".join(host.packed(stamped) for host in hosts) for hosts in transfers]
    for i, rest in enumerate(rests[: len(sent)]):
        sent[i] += bytes(rest)  # what is left of a frame that was cut
    decoded = decoder.decode(sent)
    wanted, owners, malformed, overruns = [], [], min(len(rests), len(sent)), 0
    for i, hosts in enumerate(transfers):
        for host in hosts:
            row = host.read(fd=True, echoes=gs_usb.ECHOES if sends else 0)
            if row is None:
                malformed += 1
                continue
            overruns += host.flags & 1
            if row:
                wanted.append(row if stamped else (*row[:4], 0))
                owners.append(i)
    assert rows_of(decoded) == wanted
    assert decoded.transfer.tolist() == owners
    assert (decoder.malformed, decoder.overruns) == (malformed, overruns)
    held = decoded.rows.len * (decoded.rows.flags & Flag.REMOTE == 0)
    for data, length in zip(decoded.rows.data.tolist(), held.tolist(), strict=True):
        assert not any(data[length:])  # zero-padded, whatever the adapter left there


@given(
    transfers=st.lists(st.one_of(st.binary(max_size=200), HOSTS.map(lambda h: h.packed(True))), max_size=12),
    cuts=st.lists(st.integers(0, 12), max_size=4),
    fd=st.booleans(),
)
def test_any_cut_between_transfers_gives_the_same_rows_and_counts(transfers, cuts, fd):
    whole, cut = Decoder(fd=fd), Decoder(fd=fd)
    at_once = whole.decode(transfers)
    edges = [0, *sorted(min(cut, len(transfers)) for cut in cuts), len(transfers)]
    parts = [cut.decode(transfers[a:b]) for a, b in pairwise(edges)]
    assert same(concat([part.rows for part in parts]), at_once.rows)
    assert [us for part in parts for us in part.stamp_us.tolist()] == at_once.stamp_us.tolist()
    assert [
        first + i for part, first in zip(parts, edges, strict=False) for i in part.transfer.tolist()
    ] == at_once.transfer.tolist()
    assert (whole.malformed, whole.overruns) == (cut.malformed, cut.overruns)


@given(
    id=st.integers(0, 0x1FFFFFFF),
    data=st.binary(max_size=8),
    remote=st.booleans(),
    stamp=st.integers(0, 2**32 - 1),
    stamped=st.booleans(),
)
def test_what_the_gs_usb_package_packs_is_what_it_says(id, data, remote, stamp, stamped):
    theirs = GsUsbFrame(id | their_constants.CAN_EFF_FLAG | (their_constants.CAN_RTR_FLAG if remote else 0), data)
    theirs.echo_id, theirs.timestamp_us = 0xFFFFFFFF, stamp
    (row,) = rows_of(Decoder(stamped=stamped).decode([theirs.pack(stamped)]))
    assert row[0] == theirs.arbitration_id
    assert bool(row[1] & Flag.EXTENDED) is theirs.is_extended_id
    assert bool(row[1] & Flag.REMOTE) is theirs.is_remote_frame
    assert row[2:] == (theirs.can_dlc, b"" if remote else data, stamp if stamped else 0)


@given(hosts=st.lists(HOSTS, min_size=1, max_size=6), stamped=st.booleans())
def test_the_gs_usb_package_reads_classic_frames_alike(hosts, stamped):
    packed = [host._replace(echo_id=HEARD, flags=0, channel=0).packed(stamped) for host in hosts]
    ours = rows_of(Decoder(stamped=stamped).decode(packed))
    theirs = []
    for transfer in packed:
        frame = GsUsbFrame()
        GsUsbFrame.unpack_into(frame, transfer, stamped)
        standard = not frame.is_extended_id and not frame.is_error_frame
        if frame.can_dlc > 15 or (standard and frame.arbitration_id > 0x7FF):
            continue  # they take what no bus can carry
        theirs.append((frame.arbitration_id, frame.timestamp_us if stamped else 0))
    assert [(id, stamp) for id, _, _, _, stamp in ours] == theirs


@given(rows=SENDABLE, channel=st.integers(0, 2))
def test_what_is_sent_is_what_the_gs_usb_package_would_send(rows, channel):
    wanted = []
    for id, flags, data in rows:
        theirs = GsUsbFrame(
            id
            | (their_constants.CAN_EFF_FLAG if flags & Flag.EXTENDED else 0)
            | (their_constants.CAN_RTR_FLAG if flags & Flag.REMOTE else 0),
            data,
        )
        theirs.channel = channel
        if flags & Flag.REMOTE:
            theirs.data = [0] * 8
        wanted.append(theirs.pack(False))
    frames = log([(0, id, int(flags), data) for id, flags, data in rows])
    assert gs_usb.encode(frames, channel=channel) == wanted
    roomy = gs_usb.encode(frames, channel=channel, fd=True, longer=True)
    assert [one[:20] for one in roomy] == wanted
    assert {len(one) for one in roomy} <= {12 + 64 + 1}


@given(
    id=st.integers(0, 0x7FF),
    length=st.sampled_from(FD_LENGTHS),
    flags=st.sampled_from([Flag.FD, Flag.FD | Flag.BRS, Flag.FD | Flag.BRS | Flag.ESI]),
    data=st.binary(min_size=64, max_size=64),
)
def test_a_can_fd_frame_that_is_sent_is_heard_as_it_was(id, length, flags, data):
    sent = log([(0, id, int(flags), data[:length])])
    (transfer,) = gs_usb.encode(sent, fd=True)
    heard = Decoder(fd=True, stamped=False).decode([struct.pack("<I", HEARD) + transfer[4:]])
    assert rows_of(heard) == [(id, int(flags), length, data[:length], 0)]


def test_what_no_bus_can_carry_is_not_sent():
    with pytest.raises(UsageError, match="0x7: a CAN FD frame can't go on a classic bus"):
        gs_usb.encode(log([(0, 7, int(Flag.FD), bytes(12))]))
    with pytest.raises(UsageError, match="no CAN frame has 9 bytes"):
        gs_usb.encode(log([(0, 7, int(Flag.FD), bytes(9))]), fd=True)
    silent = log([(0, 7, int(Flag.ERROR), bytes(8))])
    assert gs_usb.encode(silent) == []


def test_an_adapter_that_lost_frames_says_so_and_each_time_is_counted():
    frame = Host(HEARD, 0x123, 2, 0, 1, b"\1\2".ljust(64, b"\xee"), 7).packed(True)
    decoder = Decoder()
    assert rows_of(decoder.decode([frame, frame])) == [(0x123, 0, 2, b"\1\2", 7)] * 2
    assert (decoder.malformed, decoder.overruns) == (0, 2)


def test_an_error_frame_keeps_what_the_adapter_says_of_the_error():
    frame = Host(HEARD, 0x20000004, 8, 0, 0, bytes([0, 4, 0, 0, 0, 0, 96, 0]).ljust(64), 7).packed(True)
    assert rows_of(Decoder().decode([frame])) == [(4, int(Flag.ERROR), 8, bytes([0, 4, 0, 0, 0, 0, 96, 0]), 7)]


def test_the_requests_are_those_of_the_gs_usb_package():
    assert gs_usb.start(Mode.LISTEN_ONLY | Mode.HW_TIMESTAMP) == their_structures.DeviceMode(1, 1 | 16).pack()
    assert their_structures.DeviceMode(0, 0).pack() == gs_usb.STOP
    assert gs_usb.bit_timing(Timing(6, 7, 2, 1, 6)) == their_structures.DeviceBitTiming(6, 7, 2, 1, 6).pack()
    info = struct.pack("<4B2I", 0, 0, 0, 1, 20, 10)
    told, theirs = gs_usb.config(info), their_structures.DeviceInfo.unpack(info)
    assert (told.channels - 1, told.software, told.hardware) == (theirs.icount, theirs.fw_version, theirs.hw_version)
    answer = struct.pack("<10I", 0x113, 48_000_000, 1, 16, 1, 8, 4, 1, 1024, 1)
    can, theirs = gs_usb.constants(answer), their_structures.DeviceCapability.unpack(answer)
    assert can.features == theirs.feature
    assert can.nominal == can.data == Limits(
        theirs.fclk_can, theirs.tseg1_min, theirs.tseg1_max, theirs.tseg2_min, theirs.tseg2_max, theirs.sjw_max,
        theirs.brp_min, theirs.brp_max, theirs.brp_inc,
    )  # fmt: skip
    longer = gs_usb.constants(answer + struct.pack("<8I", 1, 32, 1, 16, 8, 1, 32, 1))
    assert longer.nominal == can.nominal
    assert longer.data == Limits(48_000_000, 1, 32, 1, 16, 8, 1, 32, 1)


def test_an_answer_of_another_length_is_no_gs_usb_adapters():
    with pytest.raises(PitwallError, match="11 bytes are no bit timing constants"):
        gs_usb.constants(bytes(11))
    with pytest.raises(PitwallError, match="0 bytes are no device configuration"):
        gs_usb.config(b"")
