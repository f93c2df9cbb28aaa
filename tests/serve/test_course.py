"""A session on its way by one definition: what can't be written is shown all the same."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from pitwall.frames import Frames, cut, in_log_order
from pitwall.project.generations import Generations
from pitwall.project.store import Store
from pitwall.serve.course import Course
from pitwall.serve.definitions import Definitions
from tests.project.sessions import CARS, driven, written


def test_the_batch_that_the_disk_refuses_is_shown_as_those_before_and_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = written(tmp_path / "logs", driven(600), "one")
    definition = Definitions(CARS).get(session.header.car)

    def shown(refused: bool) -> tuple[int, list[int], list[float]]:
        """Frames that were heard, and the last values; refused: the second of three batches can't be written."""
        generations = Generations(tmp_path / f"projections-{refused}")
        with (
            generations.building("one") as right,
            contextlib.closing(Course(session, definition, generations, right)) as course,
        ):

            def batches() -> Iterator[Frames]:
                for whole in course.tail.poll():
                    rows = in_log_order(whole)
                    for first in range(0, len(rows), 201):
                        if refused and first:
                            monkeypatch.setattr(Store, "append", refuse)
                        yield cut(rows, first, min(first + 201, len(rows)))

            course.run(batches())
            monkeypatch.undo()
            assert course.projector.keeping is not refused
            picture = course.following.picture(1)
            return int(course.following.traffic().count.sum()), picture.t.tolist(), picture.v.tolist()

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    assert repr(shown(True)) == repr(shown(False))
