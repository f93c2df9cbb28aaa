"""The bytes of a segment: docs/log-format.md, checked by readers that know nothing of pitwall and by hand."""

from __future__ import annotations

import json
import re
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings

from pitwall.errors import LogError
from pitwall.frames import SCHEMA, Control, concat, control, moved, to_arrow
from pitwall.log import find, read, rows, sessions, verify
from pitwall.log import opening as openings
from pitwall.log import tag as tags
from pitwall.log.clustered import SCHEMA as CLUSTERED
from pitwall.log.opening import Header, Opening
from pitwall.log.tag import Kind, Tag
from tests.log.drives import START_NS, NoSealing, batches, everything, record, rows_of, traffic

OPENING = Opening(Header(1, "s", "c", 0, ("a",), "w"), 0, None)


@settings(deadline=None, max_examples=60)
@given(parts=batches(most=3))
def test_a_batch_is_byte_for_byte_what_arrow_itself_writes(parts):
    part = concat(parts)
    message, tag = rows.encode(part, Tag(Kind.SCHEMA, 5, crc=0xABC), 7)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, SCHEMA) as writer:
        writer.write_batch(to_arrow(part), custom_metadata={tags.KEY: tags.encode(tag)})
    theirs = sink.getvalue().to_pybytes()[len(SCHEMA.serialize()) :]
    assert theirs.startswith(bytes(message))
    assert tag.length == len(message)


def test_plain_arrow_reads_an_open_segment(tmp_path):
    path = record(tmp_path, [traffic(20), traffic(30, start_ns=10**10)])
    with pa.ipc.open_stream((path / f"{0:020d}.arrows").read_bytes()) as reader:
        table = reader.read_all()
        about = json.loads(reader.schema.metadata[b"pitwall.segment"])
    assert table.schema.equals(SCHEMA)
    assert [tuple(row.values()) for row in table.to_pylist()] == list(rows_of(everything(path)))
    assert about["car"] == "test"
    assert about["buses"] == ["a", "b"]
    assert about["started_at_ns"] == START_NS
    assert (about["version"], about["first"], about["previous"]) == (1, 0, None)


def test_plain_arrow_reads_a_sealed_segment(tmp_path):
    path = record(tmp_path, [traffic(20), traffic(30, start_ns=10**12)], end=True)
    with pa.ipc.open_file((path / f"{0:020d}.arrow").read_bytes()) as reader:
        batch = reader.get_batch(0)
        assert reader.num_record_batches == 1
        assert reader.schema.equals(CLUSTERED)
    sent = everything(path)
    place = np.cumsum(batch["order"].to_numpy(), dtype=np.uint16)
    gap = batch["gap"].to_numpy().astype(np.int64) + (batch["gap_high"].to_numpy().astype(np.int64) << 32)
    assert np.array_equal(np.cumsum(gap)[place], sent.t[place])
    assert np.array_equal(batch["id"].to_numpy(), sent.id[place])
    assert np.array_equal(batch["b3"].to_numpy(), sent.data[place, 3])
    assert batch["more"].to_pylist() == sent.more.take(pa.array(place)).to_pylist()


def test_the_checksum_can_be_computed_by_hand(tmp_path):
    path = record(tmp_path, [traffic(20)])
    data = (path / f"{0:020d}.arrows").read_bytes()
    first = data.index(b"PW1:")
    length = int(data[first + 22 : first + 30], 16)
    batch = data[length:]
    at = batch.index(b"PW1:")
    crc, prev, size = (batch[at + i : at + i + 8] for i in (4, 13, 22))
    batch = batch[: int(size, 16)]
    seed = zlib.crc32(f"{path.name}/{0:020d}".encode())
    assert int(crc, 16) == zlib.crc32(batch.replace(crc, b"00000000", 1), seed)
    assert prev == data[first + 4 : first + 12]


def test_a_tag_is_text_of_fixed_width_and_reads_back():
    tag = Tag(Kind.ROWS, 2**60, 2**31, 5, True, 0, 2**63 - 1, 0xDEADBEEF, 1, 2**31, 1)
    text = tags.encode(tag)
    assert len(text) == tags.TAG_BYTES
    assert tags.decode(text) == tag
    assert tags.decode(text[:-1] + b"x") is None
    assert tags.decode(text[:-1]) is None
    assert tags.decode(text.replace(b":R:", b":Q:")) is None


def test_the_page_of_the_format_says_where_the_fields_of_a_tag_are():
    page = (Path(__file__).parents[2] / "docs" / "log-format.md").read_text()
    (example,) = re.findall(r"^PW1:.*$", page, re.MULTILINE)
    assert f"{len(example)}\nASCII characters" in page
    table = re.findall(r"^\| (\w+) \| (\d+) \| (\d+) \|", page, re.MULTILINE)
    said = {name: example[int(at) : int(at) + int(digits)] for name, at, digits in table}
    tag = tags.decode(example.encode())
    assert said.pop("kind") == tag.kind.value
    assert {name: int(text, 16) for name, text in said.items()} == {name: getattr(tag, name) for name in said}
    assert {*said, "kind"} == set(Tag._fields)
    for field in [*SCHEMA, *CLUSTERED]:
        assert f"`{field.name}`" in page or field.name in ("b1", "b2", "b3", "b4", "b5", "b6")


def test_a_segment_names_where_the_one_before_it_ended(tmp_path):
    path = record(tmp_path, [traffic(20), traffic(30, start_ns=10**12)], segment_bytes=1, disk=NoSealing())
    files = sorted(path.glob("*.arrows"))
    ends = []
    for file in files:
        about = json.loads(pa.ipc.open_stream(file.read_bytes()).schema.metadata[b"pitwall.segment"])
        data = file.read_bytes()
        last = tags.decode(data[data.rindex(b"PW1:") :][: tags.TAG_BYTES])
        assert about["previous"] == (ends[-1] if ends else None)
        ends.append({"offset": last.stop, "crc": last.crc})
    assert len(files) == 3


def test_a_log_of_a_newer_pitwall_is_refused_by_name_and_left_alone(tmp_path):
    path = record(tmp_path, [traffic(20)])
    file = path / f"{0:020d}.arrows"
    message = bytearray(openings.encode(OPENING, SCHEMA)[0])
    tags.stamp(message, message.index(b"PW1:"), OPENING.tag._replace(version=2), 0)
    file.write_bytes(message + b"what only a newer pitwall can read")
    before = file.read_bytes()
    for work in (lambda: list(read(path)), lambda: verify(find(tmp_path, "latest"))):
        with pytest.raises(LogError, match=r"\.arrows: the log is of format 2.*upgrade pitwall"):
            work()
    assert [session.id for session in sessions(tmp_path)] == [path.name]
    assert record(tmp_path, [traffic(3)]) != path  # it does not stop anybody from recording
    assert file.read_bytes() == before


def test_the_sealed_form_remembers_what_the_tag_of_each_batch_said(tmp_path):
    note = control(Control.NOTE, 10**9, b"{}")
    path = record(tmp_path, [traffic(20), moved(note, 0)], end=True)
    data = (path / f"{0:020d}.arrow").read_bytes()
    footer = tags.decode(data[data.rindex(b"PW1:") :][: tags.TAG_BYTES])
    assert (footer.kind, footer.offset, footer.rows, footer.controls, footer.ends) == (Kind.FOOTER, 23, 23, 3, True)
    assert (footer.first_t, footer.last_t) == (0, 10**9)
