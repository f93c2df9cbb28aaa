"""Past sessions are asked again and again, whatever becomes of them meanwhile: let go of, removed, replaced."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from pitwall.serve.definitions import Definitions
from pitwall.serve.garage import Shelf
from tests.project.sessions import CARS, driven, written


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    with contextlib.closing(Shelf(tmp_path / "logs", tmp_path / "projections", Definitions(CARS))) as made:
        yield made


def rows(shelf: Shelf, id: str) -> int:
    with contextlib.closing(shelf.cursor(id)) as cursor:
        ((offset,),) = cursor.execute("SELECT log_offset FROM built_from").fetchall()
    return int(offset)


def test_one_that_is_let_go_of_in_the_instant_that_it_is_asked_is_opened_again(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = written(tmp_path / "logs", driven(500), "one")
    assert rows(shelf, "one") == one.rows
    real = Shelf._is_current

    def is_current(self: Shelf, *about: object) -> bool:
        current = real(self, *about)
        self.tidy(idle_s=0.0)  # another thread, which finds it idle, or opens one too many
        return current

    monkeypatch.setattr(Shelf, "_is_current", is_current)
    assert rows(shelf, "one") == one.rows
    monkeypatch.undo()
    assert rows(shelf, "one") == one.rows
