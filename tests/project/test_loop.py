"""Invariant 3: the projection built live is the one built by replay, row for row, however the log is cut."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.errors import LogError
from pitwall.frames import Control, Flag, Frames, clustered, concat, control, cut, moved
from pitwall.log.reader import Tail, read
from pitwall.log.session import find
from pitwall.log.writer import Writer
from pitwall.project import content
from pitwall.project.build import build, stale
from pitwall.project.generations import Generations
from pitwall.project.loop import project, projecting, projecting_in_memory
from pitwall.project.pipeline import Pipeline
from tests.project.sessions import E46, HEADER, STARTED_NS, digests, driven, opened, written
from tests.strategies import batches, logs

IDS = [(0, message.id, 0) for bus in E46.buses for message in bus.messages]
IDS += [(0, 0x777, 0), (0, 0x422, int(Flag.TX)), (0, 0x422, int(Flag.EXTENDED)), (0, 5, int(Flag.ERROR)), (3, 0x422, 0)]


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_any_cut_of_any_log_gives_the_same_projection(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp()
    frames = data.draw(logs(IDS, max_size=80))
    cuts: list[Frames | None] = [*data.draw(batches(frames))]
    for place in data.draw(st.lists(st.integers(0, len(cuts)), max_size=3)):
        cuts.insert(place, None)  # live commits wherever it likes
    assert digests(folder, cuts) == digests(folder, [frames])


@settings(max_examples=6, deadline=None)
@given(edges=st.lists(st.integers(0, 20_000), max_size=10).map(sorted), clustering=st.integers(0, 1023))
def test_any_cut_of_a_simulated_drive_gives_the_same_projection(
    tmp_path_factory: pytest.TempPathFactory, edges: list[int], clustering: int
) -> None:
    folder = tmp_path_factory.getbasetemp()
    frames = driven()
    parts = [cut(frames, first, last) for first, last in zip([0, *edges], [*edges, len(frames)], strict=True)]
    cuts = [clustered(part) if clustering >> (i % 10) & 1 else part for i, part in enumerate(parts)]
    assert digests(folder, [step for part in cuts for step in (part, None)]) == digests(folder, [frames])


def test_following_the_writer_gives_what_replay_gives(tmp_path: Path) -> None:
    frames, live, replayed = driven(), Generations(tmp_path / "live"), Generations(tmp_path / "replayed")
    writer = Writer.create(
        tmp_path / "logs", car="bmw-e46-m3", buses=["dash"], started_at_ns=STARTED_NS, segment_bytes=200_000
    )
    with (
        projecting(Pipeline(E46, writer.header), live) as projector,
        contextlib.closing(Tail(writer.path)) as tail,
    ):
        rng = np.random.default_rng(7)
        at = 0
        while not tail.ended:
            size = int(rng.integers(1, 700))
            if at < len(frames):
                writer.append(cut(frames, at, at + size))
                at += size
                if rng.random() < 0.1:
                    writer.control(Control.NOTE, int(frames.t[min(at, len(frames)) - 1]), {"text": f"note at {at}"})
            elif writer is not None:
                writer.end(int(frames.t[-1]))
            project([*tail.poll(), None], projector)
        followed = projector.finish()
    session = find(tmp_path / "logs", "latest")
    built = build(session, E46, replayed).built
    assert built == followed
    assert built.offset == session.rows
    assert built.complete
    files = [generations.file(built.session, built.fingerprint) for generations in (live, replayed)]
    with opened(files[0]) as one, opened(files[1]) as other:
        assert content.digests(one) == content.digests(other)
        assert one.execute("SELECT count(*) FROM control WHERE kind = 'note'").fetchone() != (0,)


def test_two_rebuilds_are_the_same(tmp_path: Path) -> None:
    session = written(tmp_path / "logs", driven())
    found = []
    for folder in ("one", "two"):
        generations = Generations(tmp_path / folder)
        built = build(session, E46, generations).built
        with opened(generations.file(built.session, built.fingerprint)) as connection:
            found.append(content.digest(connection))
    assert found[0] == found[1]


def test_readers_see_a_commit_whole_or_not_at_all(tmp_path: Path) -> None:
    frames = driven(6_000)
    with projecting_in_memory(Pipeline(E46, HEADER), Generations(tmp_path)) as projector:
        cursor = projector.store.cursor()
        question = "SELECT (SELECT log_offset FROM built_from), (SELECT sum(frames) FROM ids)"
        assert cursor.execute(question).fetchall() == [(0, None)]
        projector.apply(cut(frames, 0, 4_000))
        projector.store.wait()
        assert cursor.execute(question).fetchall() == [(0, None)]
        projector.commit()
        projector.apply(cut(frames, 4_000, 6_000))
        projector.store.wait()
        assert cursor.execute(question).fetchall() == [(4_000, 4_000)]
        cursor.close()


def test_rows_that_the_log_lost_are_counted_and_come_not_twice(tmp_path: Path) -> None:
    frames = driven(3_000)
    with projecting_in_memory(Pipeline(E46, HEADER), Generations(tmp_path)) as projector:
        project([cut(frames, 0, 1_000), cut(frames, 1_500, 3_000)], projector)
        projector.store.wait()
        assert (projector.committed.offset, projector.committed.lost) == (3_000, 500)
        with pytest.raises(LogError):
            projector.apply(cut(frames, 2_000, 3_000))


def test_control_rows_stand_in_their_table_in_the_order_of_the_log(tmp_path: Path) -> None:
    note = control(Control.NOTE, 5, b'{"text": "box, box"}')
    unknown = Frames(0, *(getattr(note, name) for name in ("t", "bus")), note.id + 900, note.flags, note.len, note.data)
    log = concat([note, moved(unknown, 1), moved(control(Control.SESSION_END, 9, b"{}"), 2)])
    with projecting_in_memory(Pipeline(E46, HEADER), Generations(tmp_path)) as projector:
        project([clustered(log)], projector)
        projector.store.wait()
        assert projector.committed.complete
        with contextlib.closing(projector.store.cursor()) as cursor:
            assert cursor.execute("SELECT * FROM control").fetchall() == [
                (0, 5, "note", '{"text": "box, box"}'),
                (1, 5, "907", ""),
                (2, 9, "session_end", "{}"),
            ]
            assert cursor.execute("SELECT * FROM ids").fetchall() == []


def test_ids_of_every_kind_are_kept_apart_and_counted(tmp_path: Path) -> None:
    session = written(tmp_path / "logs", driven())
    generations = Generations(tmp_path)
    built = build(session, E46, generations).built
    seen: dict[int, list[int]] = {}
    for part in read(session.path):
        for id, flags, t in zip(part.id.tolist(), part.flags.tolist(), part.t.tolist(), strict=True):
            if not flags & Flag.CONTROL:
                seen.setdefault(id, []).append(t)
    with opened(generations.file(built.session, built.fingerprint)) as connection:
        found = connection.execute("SELECT id, frames, first_t, last_t, name IS NULL FROM ids").fetchall()
    named = {message.id for bus in E46.buses for message in bus.messages}
    assert sorted(found) == sorted((id, len(t), min(t), max(t), id not in named) for id, t in seen.items())
    assert any(unknown for *_, unknown in found)


@pytest.mark.parametrize("where", [0.1, 0.5, 0.97])
def test_what_is_damaged_in_the_log_is_left_out_counted_and_not_asked_for_again(tmp_path: Path, where: float) -> None:
    session = written(tmp_path / "logs", driven(), end=False)
    (segment,) = session.path.glob("*.arrow*")
    damaged = bytearray(segment.read_bytes())
    damaged[int(where * len(damaged))] ^= 1
    segment.write_bytes(damaged)
    session = find(tmp_path / "logs", "latest")
    generations = Generations(tmp_path)
    done = build(session, E46, generations)
    assert done.damages
    assert done.built.offset == session.rows
    assert not stale(session, E46, generations)
    with opened(generations.file(done.built.session, done.built.fingerprint)) as connection:
        found = connection.execute("SELECT sum(frames) + (SELECT count(*) FROM control) FROM ids").fetchone()
    assert found == (session.rows - done.built.lost,)
