"""Bytes in, encrypted bytes out, and back: AES-256-GCM, in chunks that nobody changes, moves or cuts off unseen.

    header | chunk 0 | chunk 1 | … | last chunk | header again

header, 56 bytes, little-endian: magic `PWCRYPT\\0`, version u8, log2 of the chunk size u8, 2 zero bytes, key id (8),
    salt (32), CRC-32 of these.  It stands at the end once more, so that no single damage makes a file unreadable.
chunk: 65,536 bytes (the last: 0 to 65,536) encrypted, and the tag (16).

The construction is STREAM (Hoang, Reyhanitabar, Rogaway, Vizár: Online Authenticated-Encryption and its Nonce-Reuse
Misuse-Resistance, CRYPTO 2015), with a key for each file: HKDF-SHA-256 (RFC 5869) of the key, the salt and a label.  A
chunk's nonce is its number (11 bytes, big-endian) and 1 where it is the last, else 0; the header is associated data of
every chunk.  Chunks are smaller than a batch of a sealed segment, so that damage costs little more than in the plain.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from pitwall.errors import LogError
from pitwall.log import keys
from pitwall.log.bytefile import ByteFile, InMemory, OnDisk
from pitwall.log.keys import Key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC: Final = b"PWCRYPT\0"
VERSION: Final = 1
CHUNK_BYTES: Final = 1 << 16
TAG_BYTES: Final = 16
SALT_BYTES: Final = 32
HEADER_BYTES: Final = 56

_HEADER: Final = struct.Struct(f"<8sBBH{keys.ID_BYTES}s{SALT_BYTES}s")
_CRC: Final = struct.Struct("<I")
_SEALED_BYTES: Final = CHUNK_BYTES + TAG_BYTES
_LABEL: Final = b"pitwall encryption at rest 1"


class DamagedError(LogError):
    """Encrypted bytes that are not what was encrypted."""


class Header(NamedTuple):
    """What an encrypted file says of itself."""

    key_id: bytes
    salt: bytes
    version: int = VERSION


def check(key: Key) -> None:
    """Raises LogError where nothing can encrypt with the key: the library is missing."""
    _cipher(key, Header(key.id, bytes(SALT_BYTES)))


def encrypt(parts: Iterable[bytes | bytearray], key: Key) -> Iterator[bytes]:
    """The encrypted form of the bytes `parts`, in pieces."""
    header = Header(key.id, os.urandom(SALT_BYTES))
    about = encode(header)
    cipher = _cipher(key, header)
    yield about
    held = bytearray()
    number = 0
    for part in parts:
        held += part
        full = max(0, len(held) - 1) // CHUNK_BYTES  # the last chunk is held back, full or not
        with memoryview(held) as whole:
            for i in range(full):
                plain = whole[i * CHUNK_BYTES : (i + 1) * CHUNK_BYTES]
                yield cipher.encrypt(_nonce(number, last=False), bytes(plain), about)
                plain.release()
                number += 1
        del held[: full * CHUNK_BYTES]
    yield cipher.encrypt(_nonce(number, last=True), bytes(held), about)
    yield about


def decrypt(data: bytes, path: Path) -> bytes:
    """All that was encrypted.  Raises DamagedError where a byte is not as it was, LogError for another key's."""
    file = Decrypting(InMemory(data), path)
    plain = file.pread(file.size, 0)
    if file.damaged or data[:HEADER_BYTES] != data[-HEADER_BYTES:]:
        raise DamagedError("the file is not what was encrypted", where=path, hint="it is damaged, or was tampered with")
    return plain


class Decrypting:
    """An encrypted file, read as what was encrypted.

    A chunk that is not what was encrypted reads as zeros, and is counted in `damaged`: the reader of a segment, which
    believes nothing without its checksum, then loses the batches in it and no more.
    Raises LogError where there is no key, or another one.
    """

    def __init__(self, file: ByteFile, path: Path) -> None:
        self._file = file
        header = _header(file, path)
        key = keys.current()
        if key is None:
            raise LogError("the file is encrypted, and there is no key", where=path, hint=f"set {keys.VARIABLE}")
        if key.id != header.key_id:
            what = f"the file is encrypted with the key {header.key_id.hex()}, not with {key.id.hex()} of {key.file}"
            raise LogError(what, where=path, hint=f"set {keys.VARIABLE} to the file of that key")
        self._about = encode(header)
        self._cipher = _cipher(key, header)
        self._held: dict[int, bytes] = {}  # what was decrypted last, by number
        self.damaged: set[int] = set()
        body = max(0, file.size - 2 * HEADER_BYTES)
        self._chunks = max(1, -(-body // _SEALED_BYTES))
        last = body - (self._chunks - 1) * _SEALED_BYTES - TAG_BYTES
        self._size = (self._chunks - 1) * CHUNK_BYTES + max(0, last)
        if last < 0 or (last == 0 and self._chunks > 1):
            self.damaged.add(self._chunks - 1)  # no file ends so: it was cut

    @property
    def size(self) -> int:
        return self._size

    @property
    def inode(self) -> int:
        return self._file.inode

    def pread(self, size: int, position: int) -> bytes:
        stop = min(self._size, position + size)
        first, behind = position // CHUNK_BYTES, -(-stop // CHUNK_BYTES)
        if stop <= position and not (self._size == 0 and position == 0):
            return b""
        behind = max(behind, first + 1)
        self._hold(first, behind)
        low = position - first * CHUNK_BYTES
        return b"".join([self._held[number] for number in range(first, behind)])[low : low + stop - position]

    def close(self) -> None:
        self._file.close()

    def _hold(self, first: int, behind: int) -> None:
        """Have these chunks, and no others, decrypted: a segment's reader reads most of a block twice."""
        held = {number: self._held[number] for number in range(first, behind) if number in self._held}
        missing = [number for number in range(first, behind) if number not in held]
        if missing:
            begin, count = missing[0], missing[-1] - missing[0] + 1
            data = self._file.pread(count * _SEALED_BYTES, HEADER_BYTES + begin * _SEALED_BYTES)
            for number in missing:
                at = (number - begin) * _SEALED_BYTES
                held[number] = self._chunk(number, data[at : at + _SEALED_BYTES])
        self._held = held

    def _chunk(self, number: int, data: bytes) -> bytes:
        last = number == self._chunks - 1
        size = self._size - number * CHUNK_BYTES if last else CHUNK_BYTES
        plain = self._open(number, data[: size + TAG_BYTES], last=last)
        if plain is not None:
            return plain
        self.damaged.add(number)
        # where the file was cut behind a chunk, that one is whole, and was not the last
        cut = self._open(number, data, last=False) if last else None
        return (cut or b"")[:size].ljust(size, b"\0")

    def _open(self, number: int, data: bytes, *, last: bool) -> bytes | None:
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher.decrypt(_nonce(number, last=last), data, self._about)
        except InvalidTag:
            return None


def encode(header: Header) -> bytes:
    """The header's bytes."""
    size = CHUNK_BYTES.bit_length() - 1
    about = _HEADER.pack(MAGIC, header.version, size, 0, header.key_id, header.salt)
    return about + _CRC.pack(zlib.crc32(about))


def decode(data: bytes) -> Header | None:
    """The header that these bytes are; None where they are none, or not whole."""
    if len(data) != HEADER_BYTES or _CRC.unpack(data[_HEADER.size :])[0] != zlib.crc32(data[: _HEADER.size]):
        return None
    magic, version, _, _, key_id, salt = _HEADER.unpack(data[: _HEADER.size])
    return Header(key_id, salt, version) if magic == MAGIC else None


def damaged_header(path: Path) -> int | None:
    """Where the file's damaged header stands, if one of the two is; None: they are as they were.  Raises OSError."""
    file = OnDisk(path)
    try:
        end = max(0, file.size - HEADER_BYTES)
        first, second = file.pread(HEADER_BYTES, 0), file.pread(HEADER_BYTES, end)
    finally:
        file.close()
    if decode(first) is None:
        return 0
    return end if second != first else None


def _header(file: ByteFile, path: Path) -> Header:
    """The file's header, the second one where the first is damaged.  Raises DamagedError, LogError."""
    header = decode(file.pread(HEADER_BYTES, 0)) or decode(file.pread(HEADER_BYTES, max(0, file.size - HEADER_BYTES)))
    if header is None:
        raise DamagedError("the beginning and the end of the encrypted file are both damaged", where=path)
    if header.version != VERSION:
        what = f"the encryption is of version {header.version}, this pitwall reads {VERSION}"
        raise LogError(what, where=path, hint="upgrade pitwall")
    return header


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


def _cipher(key: Key, header: Header) -> AESGCM:
    """The cipher of one file.  Raises LogError where the library is missing."""
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF
    except ImportError as error:
        what = "encryption needs the package `cryptography`, which is not installed"
        raise LogError(what, where=key.file, hint="pip install 'pitwall[crypto]'") from error
    return AESGCM(HKDF(SHA256(), 32, header.salt, _LABEL).derive(key.secret))
