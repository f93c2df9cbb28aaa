"""Cars that are edited while they are used: what is valid is taken whole, what is not changes nothing and is told."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pitwall.errors import CarError, UsageError
from pitwall.serve import definitions
from pitwall.serve.definitions import Definitions
from tests.car.folders import A_DBC, car

YAML = "car: {make: Test}\nbuses: {can0: {dbc: a.dbc}}\nchannels: {speed: {from: speed_mph, offset: %d}}\n"


@pytest.fixture
def cars(tmp_path: Path) -> Path:
    return car(tmp_path / "cars", YAML % 0)


@pytest.fixture
def watched(cars: Path) -> Iterator[Definitions]:
    definitions = Definitions(cars)
    definitions.get("test")
    definitions.start()
    yield definitions
    definitions.stop()


def until(there: Callable[[], bool]) -> None:
    while not there():
        threading.Event().wait(0.01)


def offset(definitions: Definitions) -> float:
    return float(definitions.get("test").text.rpartition("offset: ")[2].rstrip("}\n"))


def test_a_saved_edit_takes_the_place_of_the_one_before(cars: Path, watched: Definitions) -> None:
    before = watched.get("test")
    car(cars, YAML % 7)
    until(lambda: watched.get("test") is not before)
    assert offset(watched) == 7
    assert watched.get("test").text == YAML % 7
    assert list(watched.get("test").dbcs) == ["a.dbc"]
    assert watched.problems == {}


def test_an_edit_that_is_saved_while_an_unfinished_one_is_read_is_not_missed(
    cars: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An editor empties a file before it fills it."""
    watched = Definitions(cars)
    read = definitions._read

    def read_empty(folder: Path, name: str) -> object:
        (folder / name / "car.yaml").write_text("")
        try:
            return read(folder, name)
        finally:
            monkeypatch.undo()
            car(folder, YAML % 7)

    watched.get("test")
    car(cars, YAML % 3)
    monkeypatch.setattr(definitions, "_read", read_empty)
    watched.look()
    assert "holds no car" in watched.problems["test"][0]
    watched.look()
    assert watched.problems == {}
    assert offset(watched) == 7


def test_an_edit_that_is_wrong_changes_nothing_and_is_told_of_until_it_is_mended(
    cars: Path, watched: Definitions, caplog: pytest.LogCaptureFixture
) -> None:
    before = watched.get("test")
    with caplog.at_level(logging.INFO):
        car(cars, (YAML % 7).replace("speed_mph", "sped_mph"))
        # not the first problem there is: who looks while it is being written finds an empty file
        until(lambda: any("sped_mph" in line for line in watched.problems.get("test", ())))
        (line,) = watched.problems["test"]
        assert line.startswith(f"{cars / 'test' / 'car.yaml'}:3:")
        assert watched.get("test") is before
        car(cars, YAML % 7)
        until(lambda: not watched.problems)
    assert offset(watched) == 7
    assert line in caplog.messages
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("wrong", ["", "{", "[" * 5000, "car: &a [*a]", "a: b: c", "\0", "car: 5\n" * 100])
def test_whatever_is_saved_is_told_of_in_lines(cars: Path, wrong: str, caplog: pytest.LogCaptureFixture) -> None:
    definitions = Definitions(cars)
    before = definitions.get("test")
    (cars / "test" / "car.yaml").write_text(wrong)
    definitions.look()
    assert definitions.problems["test"]
    assert all("\n" not in line and "car.yaml" in line for line in definitions.problems["test"])
    assert definitions.get("test") is before
    assert not [record for record in caplog.records if record.exc_info]


def test_a_comment_is_no_edit(cars: Path) -> None:
    definitions = Definitions(cars)
    before, version = definitions.get("test"), definitions.version
    car(cars, "# better\n" + YAML % 0)
    definitions.look()
    assert definitions.get("test") is before
    assert definitions.version == version


def halves(file: Path, text: str) -> None:
    with file.open("w") as half:
        for part in (text[:40], text[40:]):
            half.write(part)
            half.flush()
            time.sleep(0.02)


def renamed(file: Path, text: str) -> None:
    temporary = file.with_name(".car.yaml.tmp")
    temporary.write_text(text)
    temporary.rename(file)


def moved_away_first(file: Path, text: str) -> None:
    file.rename(file.with_name("car.yaml~"))
    time.sleep(0.02)
    file.write_text(text)


def again_and_again(file: Path, text: str) -> None:
    for k in range(5):
        file.write_text(YAML % (100 + k))
        time.sleep(0.01)
    file.write_text(text)


@pytest.mark.parametrize("save", [halves, renamed, moved_away_first, again_and_again])
def test_a_save_is_one_edit_however_it_is_made(
    cars: Path, watched: Definitions, save: Callable[[Path, str], None], caplog: pytest.LogCaptureFixture
) -> None:
    time.sleep(0.3)  # the watch has begun, and has seen what there was
    version = watched.version
    save(cars / "test" / "car.yaml", YAML % 9)
    until(lambda: offset(watched) == 9)
    assert watched.version == version + 1
    assert watched.problems == {}
    assert [record.message for record in caplog.records if record.levelno > logging.INFO] == []


def test_a_dbc_saved_before_the_yaml_that_needs_it_waits_for_it(cars: Path) -> None:
    definitions = Definitions(cars)
    before = definitions.get("test")
    (cars / "test" / "a.dbc").write_text(A_DBC.replace("speed_mph", "v"))
    definitions.look()
    assert "speed_mph" in definitions.problems["test"][0]
    assert definitions.get("test") is before
    car(cars, (YAML % 0).replace("speed_mph", "v"), a=A_DBC.replace("speed_mph", "v"))
    definitions.look()
    assert definitions.problems == {}
    assert definitions.get("test") is not before
    assert definitions.get("test").dbcs != before.dbcs


def test_a_car_that_is_gone_is_used_on_and_that_is_told(cars: Path) -> None:
    definitions = Definitions(cars)
    before = definitions.get("test")
    (cars / "test").rename(cars / "other")
    definitions.look()
    assert definitions.get("test") is before
    assert "is gone" in definitions.problems["test"][0]
    (cars / "other").rename(cars / "test")  # which nobody had asked for
    definitions.look()
    assert definitions.problems == {}


def test_one_that_never_was_valid_can_not_be_had(tmp_path: Path) -> None:
    definitions = Definitions(car(tmp_path / "cars", "car:\n"))
    with pytest.raises(CarError):
        definitions.get("test")
    with pytest.raises(UsageError):
        definitions.get("another")
    car(tmp_path / "cars", YAML % 0)
    assert definitions.get("test").car.name == "test"


def test_a_folder_that_comes_later_is_watched_then(tmp_path: Path) -> None:
    definitions = Definitions(tmp_path / "cars")
    definitions.start()
    try:
        car(tmp_path / "cars", "car:\n")
        until(lambda: "test" in definitions.problems)
    finally:
        definitions.stop()
