"""A file is what was sealed, to the last byte, or it is not trusted; looking never raises, hangs or follows a link."""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.project import seal
from pitwall.project.built import BuiltFrom

BUILT = BuiltFrom("a-session", "f" * 64, "code", 10, 1, True)
CONTENT = bytes(range(256)) * 20


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A sealed file."""
    file = tmp_path / "a-session.0123456789ab.duckdb"
    file.write_bytes(CONTENT)
    seal.seal_of(file).write_bytes(seal.encode(file, BUILT))
    return file


def test_what_was_sealed_is_trusted_and_says_what_it_was_built_from(file: Path) -> None:
    assert seal.trusted(file) == BUILT


@settings(max_examples=60)
@given(at=st.integers(0, len(CONTENT) * 8 - 1))
def test_one_bit_of_the_file_is_enough(tmp_path_factory: pytest.TempPathFactory, at: int) -> None:
    file = tmp_path_factory.mktemp("seal") / "a.0123456789ab.duckdb"
    file.write_bytes(CONTENT)
    seal.seal_of(file).write_bytes(seal.encode(file, BUILT))
    flipped = bytearray(CONTENT)
    flipped[at // 8] ^= 1 << at % 8
    file.write_bytes(flipped)
    assert seal.trusted(file) is None


def test_every_bit_of_the_seal_is_looked_at_and_every_cut_of_it_found(file: Path) -> None:
    whole = seal.seal_of(file).read_bytes()
    for at in range(len(whole) * 8):
        flipped = bytearray(whole)
        flipped[at // 8] ^= 1 << at % 8
        seal.seal_of(file).write_bytes(flipped)
        assert seal.trusted(file) in (None, BUILT)
    for cut in range(len(whole)):
        seal.seal_of(file).write_bytes(whole[:cut])
        assert seal.trusted(file) is None


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", '"text"', "7", "[" * 60_000, '{"seal_crc32": 0}', "{" + '"a":{' * 10_000],
)
def test_whatever_stands_in_the_seal_it_is_only_not_trusted(file: Path, text: str) -> None:
    seal.seal_of(file).write_text(text)
    assert seal.trusted(file) is None


@pytest.mark.parametrize(
    "about",
    [{}, {"built_from": None}, {"built_from": {"session": 1}}, {"built_from": {}, "bytes": "x", "crc32": None}],
)
def test_a_seal_that_fits_itself_and_says_nonsense_is_not_trusted(file: Path, about: dict) -> None:
    crc = zlib.crc32(json.dumps(about).encode())
    seal.seal_of(file).write_text(json.dumps(about | {"seal_crc32": crc}))
    assert seal.trusted(file) is None


def test_a_write_ahead_log_beside_it_is_enough_even_one_that_leads_nowhere(file: Path) -> None:
    seal.wal_of(file).symlink_to("nowhere")
    assert seal.trusted(file) is None


@pytest.mark.parametrize("of", [lambda file: file, seal.seal_of], ids=["the file", "its seal"])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to(f"{path}.aside")])
def test_what_is_no_plain_file_is_not_trusted(file: Path, make, of) -> None:
    place = of(file)
    place.rename(f"{place}.aside")
    make(place)
    assert seal.trusted(file) is None
