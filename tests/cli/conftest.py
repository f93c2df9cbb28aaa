"""The command line as people use it: words in; exit code, stdout and stderr out."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def line(self) -> str:
        """The one line of stderr, which is no traceback, beside what went on meanwhile."""
        lines = [line for line in self.err.splitlines() if not re.match(r"\d{4}-\S+Z WARNING ", line)]
        assert len(lines) == 1, self.err
        assert lines[0].startswith("pitwall: ")
        assert "bug in pitwall" not in lines[0]
        return lines[0]


Pitwall = Callable[..., Answer]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the machine's own environment says about pitwall is none of a test's."""
    for name in list(os.environ):
        if name.startswith("PITWALL_") and name != "PITWALL_CAPTURES":
            monkeypatch.delenv(name)


@pytest.fixture
def pitwall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Pitwall:
    """Runs a command line in this process, in a folder of its own."""
    from pitwall.cli import run

    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Answer:
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        return Answer(code, *capfd.readouterr())

    return call


@pytest.fixture
def process(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts a command line in a process of its own; it is gone when the test is."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: object, **options: Any) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "pitwall", *(str(argument) for argument in arguments)]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        child = subprocess.Popen(command, cwd=tmp_path, text=True, **{**pipes, **options})
        started.append(child)
        return child

    yield start  # type: ignore[misc]
    for child in started:
        child.kill()
        child.communicate()


@pytest.fixture(scope="session")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `logs` and `projections` of one simulated session, `drive`; to be copied, not changed."""
    folder = tmp_path_factory.mktemp("drive")
    command = [sys.executable, "-m", "pitwall", "simulate", "--hours", "0.01", "--session", "drive"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def driven(drive: Path, tmp_path: Path) -> Path:
    """The test's own folder, with a copy of the simulated session."""
    for name in ("logs", "projections"):
        shutil.copytree(drive / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def car(tmp_path: Path) -> Callable[[str, str], Path]:
    """Makes a car `mine` of a `car.yaml` and a `my.dbc`; returns the folder of cars."""

    def make(yaml: str, dbc: str) -> Path:
        folder = tmp_path / "cars" / "mine"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "car.yaml").write_text(yaml)
        (folder / "my.dbc").write_text(dbc)
        return tmp_path / "cars"

    return make
