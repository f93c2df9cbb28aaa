"""`make diff` tells exactly the rows that a change of meaning changed, and nothing of a refactoring."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import duckdb
import pytest

from tests.goldens.diff import CannotReplayError, diff
from tests.goldens.differences import Difference, differences
from tests.goldens.record import FIXTURES, ROOT


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of its own, with this code committed."""
    tree = tmp_path_factory.mktemp("tree")
    for name in ("pitwall", "cars"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    git(tree, "init", "-q")
    git(tree, "add", "-A")
    git(tree, "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-q", "-m", "as it is")
    return tree


@pytest.fixture(scope="module")
def fixtures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fixtures")
    shutil.copytree(FIXTURES / "two-laps", folder / "two-laps")
    return folder


def git(tree: Path, *arguments: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    subprocess.run(["git", "-C", tree, *arguments], check=True, env=environment)


def test_a_refactoring_changes_no_row(tree: Path, fixtures: Path) -> None:
    code = tree / "pitwall" / "derive" / "deriver.py"
    code.write_text(code.read_text() + "\n# said in other words\n")
    assert list(diff("HEAD", fixtures, tree)) == [("two-laps", [])]


def test_another_sign_changes_the_rows_of_that_channel_alone(tree: Path, fixtures: Path) -> None:
    car = tree / "cars" / "bmw-e46-m3" / "car.yaml"
    before = car.read_text()
    changed = before.replace("{from: battery_volt}", "{from: battery_volt, offset: 0.5}", 1)
    assert changed != before
    car.write_text(changed)
    try:
        ((name, found),) = diff("HEAD", fixtures, tree)
    finally:
        car.write_text(before)
    assert name == "two-laps"
    assert [(one.table, one.column, one.gone, one.come) for one in found] == [("dash_SmartyCam05", "battery", 0, 0)]
    assert found[0].changed > 1_000
    assert all(new == pytest.approx(old + 0.5) for _, old, new in found[0].examples)


def test_code_that_does_not_run_is_said(tree: Path, fixtures: Path) -> None:
    with pytest.raises(CannotReplayError, match="nonsense"):
        list(diff("nonsense", fixtures, tree))


def rows(*statements: str) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    for statement in statements:
        connection.execute(statement)
    return connection


def test_differences_are_told_by_table_column_and_row() -> None:
    with (
        rows(
            "CREATE TABLE m AS SELECT * FROM (VALUES (1, 1.0, 5), (2, 2.0, 5), (2, 3.0, 6), (4, NULL, 6)) r(t, a, b)",
            "CREATE TABLE gone AS SELECT 1 AS t",
        ) as old,
        rows(
            "CREATE TABLE m AS SELECT * FROM (VALUES (1, 1.0), (2, 2.5), (2, 3.0), (3, 9.0), (4, NULL)) r(t, a)",
            "CREATE TABLE come AS SELECT 1 AS t",
        ) as new,
    ):
        assert list(differences(old, old)) == []
        assert list(differences(old, new)) == [
            Difference("come", "", come=1),
            Difference("gone", "", gone=1),
            Difference("m", "", come=1, examples=((3, None, "there"),)),
            Difference("m", "a", changed=1, examples=((2, 2.0, 2.5),)),
            Difference("m", "b", gone=4),
        ]
