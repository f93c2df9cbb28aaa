"""Past sessions are asked again and again, whatever becomes of them meanwhile: let go of, removed, replaced."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pitwall.log.session import Session, find
from pitwall.log.writer import Writer
from pitwall.project import catalog as catalogs
from pitwall.project.pipeline import origin
from pitwall.serve.definitions import Definitions
from pitwall.serve.garage import Shelf
from tests.project.sessions import CARS, E46, STARTED_NS, driven, written


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

    def is_current(self: Shelf, opened: Any, session: Session) -> bool:
        current = real(self, opened, session)
        self.tidy(idle_s=0.0)  # another thread, which finds it idle, or opens one too many
        return current

    monkeypatch.setattr(Shelf, "_is_current", is_current)
    assert rows(shelf, "one") == one.rows
    monkeypatch.undo()
    assert rows(shelf, "one") == one.rows


def test_a_session_that_takes_the_name_of_one_that_was_removed_is_known_by_its_own_beginning(
    shelf: Shelf, tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    written(logs, driven(500), "one")
    before = shelf.fingerprint("one")
    assert before == origin(E46, find(logs, "one").header).fingerprint
    shutil.rmtree(logs / "one")
    assert shelf.fingerprint("one") == ""
    writer = Writer.create(logs, car="bmw-e46-m3", buses=["dash"], started_at_ns=STARTED_NS + 10**9, session_id="one")
    writer.append(driven(500))
    writer.end(int(driven(500).t[-1]))
    assert shelf.fingerprint("one") == origin(E46, find(logs, "one").header).fingerprint != before


def test_what_is_best_of_one_car_is_not_forgotten_when_another_s_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for car in ("this", "that"):
        shutil.copytree(CARS / "bmw-e46-m3", tmp_path / "cars" / car)
        writer = Writer.create(
            tmp_path / "logs", car=car, buses=["dash"], started_at_ns=STARTED_NS, session_id=f"of-{car}"
        )
        writer.append(driven(500))
        writer.end(int(driven(500).t[-1]))
    looked: list[str] = []
    real = catalogs._looked_up

    def looked_up(session: Session, *about: Any) -> catalogs.Of | None:
        looked.append(session.id)
        return real(session, *about)

    monkeypatch.setattr(catalogs, "_looked_up", looked_up)
    definitions = Definitions(tmp_path / "cars")
    with contextlib.closing(Shelf(tmp_path / "logs", tmp_path / "projections", definitions)) as shelf:
        for id in ("of-this", "of-that"):
            assert rows(shelf, id) == 502
        for id in ("of-this", "of-that", "of-this"):
            car, found = shelf.catalog(id)
            assert {one.car for one in found.sessions} == {"this", "that"}
            assert car == id.removeprefix("of-")
    assert sorted(looked) == ["of-that", "of-this"]
