"""Bytes of a u-blox receiver in, the fixes that its UBX-NAV-PVT messages say out: position, motion, their accuracies.

    B5 62 | 01 07 | 5C 00 | 92 bytes | two bytes of checksum        class and id, length, payload, little-endian

Laws: any cut of the bytes gives the same.  A message counts only with its checksum, whole or not at all; one that is
damaged is counted, and costs no other: the next begins wherever its first two bytes stand.  What stands between
messages (NMEA sentences, say), and messages of other kinds, are passed over.  Pure: no clock, no files.

Source: u-blox M8 receiver description, "UBX protocol" (the checksum is RFC 1145's, of class to payload), "UBX-NAV-PVT".
"""

from __future__ import annotations

import calendar
import struct
from dataclasses import dataclass
from typing import Final

from pitwall.bus.nmea import DAY_NS, Fix

SYNC: Final = b"\xb5\x62"
NAV_PVT: Final = b"\x01\x07"
HEAD_BYTES: Final = 6
TAIL_BYTES: Final = 2
LONGEST: Final = 2048
"""No message that a receiver sends while it drives is longer; a length that is says that these bytes begin none."""

_PVT: Final = struct.Struct("<4xH5BB4xiBBxB4i2I3iiiIIH")
"""year, month, day, hour, minute, second, valid, nano, fixType, flags, numSV, lon, lat, height, hMSL, hAcc, vAcc,
velN, velE, velD, gSpeed, headMot, sAcc, headAcc, pDOP; u-blox 7 sends no more than this and a gap, later ones do."""
_DIMENSIONS: Final = {0: 1.0, 2: 2.0, 3: 3.0, 4: 3.0, 5: 1.0}
"""fixType -> `fix_type` as NMEA's GSA says it; dead reckoning alone (1) is none of these."""


@dataclass
class Ubx:
    """Folds a receiver's bytes.  malformed: messages that were damaged."""

    malformed: int = 0
    _rest: bytes = b""

    def feed(self, data: bytes) -> list[Fix]:
        """The next bytes, cut anywhere; the fixes whose messages they complete."""
        data, fixes, done = self._rest + data, [], 0
        while (at := data.find(SYNC, done)) >= 0:
            length = int.from_bytes(data[at + 4 : at + HEAD_BYTES], "little")
            end = at + HEAD_BYTES + length + TAIL_BYTES
            if len(data) < at + HEAD_BYTES or (length <= LONGEST and len(data) < end):
                break
            body = data[at + 2 : end - TAIL_BYTES]
            if length > LONGEST or checksum(body) != data[end - TAIL_BYTES : end]:
                self.malformed += 1
                done = at + len(SYNC)
                continue
            done = end
            if body[:2] == NAV_PVT and (fix := self._fix(body[4:])) is not None:
                fixes.append(fix)
        # what may be a message's beginning waits: all of it, or half of its first two bytes
        self._rest = data[at:] if at >= 0 else data[done:][-1:] if data[done:].endswith(SYNC[:1]) else b""
        return fixes

    def _fix(self, payload: bytes) -> Fix | None:
        if len(payload) < _PVT.size:
            self.malformed += 1
            return None
        *date, second, valid, nano, kind, flags, satellites, lon, lat, height, above_sea = _PVT.unpack_from(payload)[
            :15
        ]
        h_acc, v_acc, _n, _e, down, speed, heading, s_acc, head_acc, pdop = _PVT.unpack_from(payload)[15:]
        if valid & 3 != 3:  # neither date nor time is known: there is no fix yet
            return None
        try:
            unix_ns = calendar.timegm((*date, second, 0, 0, 0)) * 1_000_000_000 + nano
        except (ValueError, OverflowError):
            self.malformed += 1
            return None
        values = {"satellites": float(satellites)}
        if kind in _DIMENSIONS:
            values["fix_type"] = _DIMENSIONS[kind]
        if flags & 1 and kind in (2, 3, 4):
            values |= {"lat": lat / 1e7, "lon": lon / 1e7, "position_accuracy": h_acc / 1e3, "pdop": pdop / 100}
            values |= {"speed": speed / 1e3, "speed_accuracy": s_acc / 1e3}
            values |= {"heading": heading / 1e5, "heading_accuracy": head_acc / 1e5, "vertical_speed": -down / 1e3}
            if kind != 2:
                values |= {"altitude": above_sea / 1e3, "ellipsoid_altitude": height / 1e3}
                values |= {"altitude_accuracy": v_acc / 1e3}
        return Fix(unix_ns % DAY_NS, unix_ns, values)


def checksum(body: bytes) -> bytes:
    """Two bytes over class, id, length and payload."""
    a = b = 0
    for byte in body:
        a = a + byte & 0xFF
        b = b + a & 0xFF
    return bytes((a, b))
