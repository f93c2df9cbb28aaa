"""Lines of SLCAN, whole and hurt, and a reader of them that is slow and obvious."""

from __future__ import annotations

import re

from hypothesis import strategies as st

from pitwall.bus.slcan import NO_STAMP
from tests.bus.messages import FD_LENGTHS

KINDS = "tTrRdDbB"
BYTES_OF = dict(enumerate(FD_LENGTHS))


@st.composite
def lines(draw, kinds=KINDS, digits=0):
    """One frame as an adapter writes it."""
    kind = draw(st.sampled_from(kinds))
    extended, fd = kind.isupper(), kind in "dDbB"
    id = draw(st.sampled_from([0, 1, 0x123, 0x7FF]) if not extended else st.integers(0, 0x1FFFFFFF))
    dlc = draw(st.integers(0, 15 if fd else 8))
    size = 0 if kind in "rR" else BYTES_OF[dlc]
    payload = draw(st.binary(min_size=size, max_size=size)).hex().upper()
    stamp = f"{draw(st.integers(0, 16**digits - 1)):0{digits}X}" if digits else ""
    return f"{kind}{id:0{8 if extended else 3}X}{dlc:X}{payload}{stamp}\r".encode()


NOISE = st.one_of(
    st.binary(min_size=1, max_size=6),
    st.text("tTrRdDbB0123456789AFaf\r\a", min_size=1, max_size=12).map(str.encode),
    st.sampled_from([b"\r", b"\a", b"z\r", b"Z\r", b"F08\r", b"V1013\r", b"NA123\r", b"\n", b"\0" * 300, b"9" * 200]),
)


@st.composite
def streams(draw, digits=0):
    """Lines, whole or hurt, and noise between them."""
    parts = []
    for _ in range(draw(st.integers(0, 8))):
        line = draw(lines(digits=digits))
        hurt = draw(st.sampled_from(["", "", "", "cut", "behead", "flip", "gap", "noise"]))
        at = draw(st.integers(0, len(line) - 1))
        if hurt == "cut":
            line = line[:at]
        elif hurt == "behead":
            line = line[at:]
        elif hurt == "flip":
            line = line[:at] + draw(st.binary(min_size=1, max_size=1)) + line[at + 1 :]
        elif hurt == "gap":
            line = line[:at] + line[at + draw(st.integers(1, 4)) :]
        elif hurt == "noise":
            line = line[:at] + draw(NOISE) + line[at:]
        parts.append(line)
    return b"".join(parts)


def slowly(stream: bytes, digits: int, fd: bool):
    """Every line by itself: (frames as tuples, answers, lines that are neither)."""
    pieces, piece = [], b""
    for byte in stream:
        one = bytes([byte])
        if one in (b"t", b"T", b"r", b"R") or (fd and one in (b"d", b"b")):
            pieces.append(piece)
            piece = b""
        piece += one
        if one in (b"\r", b"\a"):
            pieces.append(piece)
            piece = b""
    found, answers, malformed = [], [], 0
    for piece in filter(None, pieces):
        match = re.fullmatch(
            rb"(?:([trdb])([0-7][0-9A-Fa-f]{2})|([TRDB])([01][0-9A-Fa-f]{7}))([0-9A-Fa-f])([0-9A-Fa-f]*)\r", piece
        )
        kind = (match[1] or match[3]).decode() if match else ""
        code = int(match[5], 16) if match else 0
        size = 0 if kind in ("r", "R") else BYTES_OF[code]
        if match and (kind in "dDbB" or code <= 8) and len(match[6]) == 2 * size + digits:
            payload = bytes.fromhex(match[6][: 2 * size].decode())
            stamp = int(match[6][2 * size :], 16) if digits else NO_STAMP
            stamp = NO_STAMP if digits and stamp == 16**digits - 1 else stamp
            found.append((kind, int(match[2] or match[4], 16), code, payload, stamp))
        elif re.fullmatch(rb"\r|\a|[zZ]\r|F[0-9A-Fa-f]{2}\r|V[0-9A-Fa-f]{4}\r|N[0-9A-Za-z]{4}\r", piece):
            answers.append(piece.removesuffix(b"\r"))
        else:
            malformed += 1
    return found, answers, malformed
