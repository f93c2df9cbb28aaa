"""What is encrypted comes back as it was, or is known to be damaged."""

from __future__ import annotations

import base64
import os
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.errors import LogError, UsageError
from pitwall.log import keys
from pitwall.log.bytefile import InMemory, decrypting
from pitwall.log.encryption import CHUNK_BYTES, HEADER_BYTES, TAG_BYTES, DamagedError, decrypt, encrypt

pytest.importorskip("cryptography")

WHERE = Path("a.arrow.enc")
SEALED = CHUNK_BYTES + TAG_BYTES
SIZES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 3 * CHUNK_BYTES + 17]


@pytest.fixture(scope="module", autouse=True)
def key(tmp_path_factory: pytest.TempPathFactory):
    file = tmp_path_factory.mktemp("keys") / "key"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(keys.VARIABLE, str(file))
        yield keys.new(file)


def sealed(plain: bytes, key: keys.Key) -> bytes:
    return b"".join(encrypt([plain], key))


@settings(deadline=None, max_examples=60)
@given(
    size=st.sampled_from(SIZES) | st.integers(0, 3 * CHUNK_BYTES),
    cuts=st.lists(st.integers(0, 3 * CHUNK_BYTES), max_size=4),
    reads=st.lists(st.tuples(st.integers(0, 2 * CHUNK_BYTES), st.integers(0, 4 * CHUNK_BYTES)), max_size=6),
    seed=st.integers(0, 255),
)
def test_whatever_is_encrypted_comes_back_from_any_position(key, size, cuts, reads, seed) -> None:
    plain = bytes([seed]) * (size // 2) + os.urandom(size - size // 2)
    edges = [0, *sorted(min(cut, size) for cut in cuts), size]
    stored = b"".join(encrypt((plain[a:b] for a, b in pairwise(edges)), key))
    assert decrypt(stored, WHERE) == plain
    file = decrypting(InMemory(stored), WHERE)
    assert file.size == size
    for length, position in reads:
        assert file.pread(length, position) == plain[position : position + length]


def test_the_same_bytes_are_never_encrypted_the_same_way_twice(key) -> None:
    assert sealed(b"frames", key)[HEADER_BYTES:] != sealed(b"frames", key)[HEADER_BYTES:]


@pytest.mark.parametrize("size", [0, 40])
def test_every_flipped_bit_is_found(key, size) -> None:
    stored = sealed(os.urandom(size), key)
    for position in range(len(stored)):
        for bit in range(8):
            damaged = bytearray(stored)
            damaged[position] ^= 1 << bit
            with pytest.raises(DamagedError):
                decrypt(bytes(damaged), WHERE)


def test_every_flipped_byte_around_every_edge_of_a_long_file_is_found(key) -> None:
    stored = sealed(os.urandom(2 * CHUNK_BYTES + 100), key)
    edges = [HEADER_BYTES + i * SEALED for i in range(3)] + [len(stored) - HEADER_BYTES, len(stored)]
    near = {at for edge in edges for at in range(max(0, edge - 20), min(len(stored), edge + 20))}
    for position in sorted(near | set(range(0, len(stored), 4_001))):
        damaged = bytearray(stored)
        damaged[position] ^= 0x80
        with pytest.raises(DamagedError):
            decrypt(bytes(damaged), WHERE)


@pytest.mark.parametrize("size", SIZES)
def test_a_file_cut_at_any_edge_or_beside_it_is_found(key, size) -> None:
    stored = sealed(os.urandom(size), key)
    edges = [HEADER_BYTES + i * SEALED for i in range(size // CHUNK_BYTES + 2)] + [len(stored) - HEADER_BYTES]
    cuts = {edge + off for edge in edges for off in (-HEADER_BYTES, -TAG_BYTES, -1, 0, 1, TAG_BYTES, HEADER_BYTES)}
    for cut in sorted(at for at in cuts | {0, 1, len(stored) - 1} if 0 <= at < len(stored)):
        for rest in (b"", stored[-HEADER_BYTES:]):  # the second header was put back by whoever cut it
            if stored[:cut] + rest != stored:
                with pytest.raises(DamagedError):
                    decrypt(stored[:cut] + rest, WHERE)


def test_chunks_that_are_swapped_repeated_left_out_or_from_another_file_are_found(key) -> None:
    stored, other = (sealed(os.urandom(4 * CHUNK_BYTES), key) for _ in range(2))
    head, tail = stored[:HEADER_BYTES], stored[-HEADER_BYTES:]
    chunks = [stored[HEADER_BYTES + i * SEALED :][:SEALED] for i in range(4)]
    foreign = other[HEADER_BYTES:][:SEALED]
    a, b, c, d = chunks
    for wrong in (
        [b, a, c, d],
        [a, a, c, d],
        [a, c, d],
        [a, b, c],
        [a, b, c, d, d],
        [foreign, b, c, d],
        [a, b, d, c],
        [],
    ):
        with pytest.raises(DamagedError):
            decrypt(head + b"".join(wrong) + tail, WHERE)


def test_damage_costs_the_chunk_it_is_in(key) -> None:
    plain = os.urandom(4 * CHUNK_BYTES)
    damaged = bytearray(sealed(plain, key))
    damaged[:8] = bytes(8)  # the first header, too
    damaged[HEADER_BYTES + SEALED + 5] ^= 1
    file = decrypting(InMemory(bytes(damaged)), WHERE)
    expected = plain[:CHUNK_BYTES] + bytes(CHUNK_BYTES) + plain[2 * CHUNK_BYTES :]
    assert file.pread(len(plain), 0) == expected


@pytest.mark.parametrize(
    "form", [lambda k: k, lambda k: k.hex().encode(), lambda k: k.hex().upper().encode() + b"\n", base64.b64encode]
)
def test_a_key_may_be_raw_hexadecimal_or_base64(form, tmp_path) -> None:
    secret = bytes(range(200, 232))
    (tmp_path / "key").write_bytes(form(secret))
    assert keys.load(tmp_path / "key").secret == secret


@pytest.mark.parametrize(
    "text", [b"", b"\n", b"0" * 32, b"x" * 64, b"00" * 31, b"00" * 33, bytes(range(200, 231)), b"correct horse"]
)
def test_what_is_no_key_is_refused_by_name(text, tmp_path) -> None:
    (tmp_path / "key").write_bytes(text)
    with pytest.raises(LogError, match="holds no key") as raised:
        keys.load(tmp_path / "key")
    assert raised.value.where == str(tmp_path / "key")


def test_a_new_key_is_its_owners_alone_and_replaces_nothing(tmp_path) -> None:
    made = keys.new(tmp_path / "key")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert keys.load(tmp_path / "key") == made
    assert made.secret.hex() not in repr(made)
    before = (tmp_path / "key").read_bytes()
    with pytest.raises(UsageError, match="already"):
        keys.new(tmp_path / "key")
    assert (tmp_path / "key").read_bytes() == before


def test_a_missing_or_another_key_is_a_clear_line(key, tmp_path, monkeypatch) -> None:
    stored = sealed(b"frames", key)
    other = keys.new(tmp_path / "other")
    monkeypatch.setenv(keys.VARIABLE, str(other.file))
    with pytest.raises(LogError, match=f"the key {key.id.hex()}, not with {other.id.hex()}"):
        decrypt(stored, WHERE)
    monkeypatch.setenv(keys.VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(LogError, match="nowhere: the key can't be read"):
        decrypt(stored, WHERE)
    monkeypatch.delenv(keys.VARIABLE)
    with pytest.raises(LogError, match=r"a\.arrow\.enc: the file is encrypted, and there is no key"):
        decrypt(stored, WHERE)
