"""A gzipped file in, its bytes out into another, up to where it is cut short or damaged.

Python's own reader gives nothing of the last block of a file that ends too soon.
"""

from __future__ import annotations

import zlib
from pathlib import Path

from pitwall.bus.losses import Losses

CHUNK_BYTES = 1 << 16
GZIP = 16 + zlib.MAX_WBITS  # zlib's way of saying: with a gzip header and its checksum


def inflate(path: Path, to: Path, losses: Losses) -> None:
    """Write to `to` what can be had of `path`; what can't is a loss."""
    with path.open("rb") as packed, to.open("wb") as plain:
        member = zlib.decompressobj(GZIP)
        fresh = True  # at the beginning of a member: the file may end here
        while chunk := packed.read(CHUNK_BYTES):
            while chunk:
                before = member.copy()
                try:
                    plain.write(member.decompress(chunk))
                except zlib.error as error:
                    plain.write(_until_damage(before, chunk))
                    losses.add(f"damaged gzip ({error}): what follows is lost, values before it may be wrong")
                    return
                fresh = False
                chunk = member.unused_data
                if member.eof:
                    member, fresh = zlib.decompressobj(GZIP), True
                    chunk = chunk.lstrip(b"\0")  # padding of tapes
        if not fresh:
            losses.add("cut short: the gzip file ends too soon")


def _until_damage(member: zlib._Decompress, chunk: bytes) -> bytes:
    """What comes out of a chunk, byte by byte, before the one that can't be."""
    out = b""
    for byte in range(len(chunk)):
        try:
            out += member.decompress(chunk[byte : byte + 1])
        except zlib.error:
            break
    return out
