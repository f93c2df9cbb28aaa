"""Every script of deploy/ is one that shellcheck has nothing to say about, and says how it is used."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.stubs import ROOT

SCRIPTS = sorted(
    path
    for path in (ROOT / "deploy").rglob("*")
    if path.is_file() and path.read_bytes().startswith((b"#!", b"# shell"))
)
NAMES = [str(path.relative_to(ROOT)) for path in SCRIPTS]


def test_there_are_scripts_and_those_for_people_can_be_run() -> None:
    assert len(SCRIPTS) >= 13
    for name in ("install.sh", "uninstall.sh"):
        for folder in ("termux", "systemd"):
            assert os.access(ROOT / "deploy" / folder / name, os.X_OK), f"{folder}/{name}"


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="no shellcheck here")
@pytest.mark.parametrize("script", SCRIPTS, ids=NAMES)
def test_shellcheck_has_nothing_to_say(script: Path) -> None:
    done = subprocess.run(
        ["shellcheck", "-x", "-P", "SCRIPTDIR", str(script)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("script", [one for one in NAMES if one.endswith("install.sh")])
def test_wrong_use_is_one_line_and_help_is_there(script: str) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": "/nowhere", "TERMUX_VERSION": "0.1", "PREFIX": "/nowhere"}
    wrong = subprocess.run(
        ["bash", str(ROOT / script), "--nonsense"], env=environment, capture_output=True, text=True, check=False
    )
    assert wrong.returncode == 2
    assert len(wrong.stderr.splitlines()) == 1
    assert "--help tells more" in wrong.stderr
    told = subprocess.run(
        ["bash", str(ROOT / script), "--help"], env=environment, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0
    assert told.stdout.startswith("usage: ")
    assert max(map(len, told.stdout.splitlines())) <= 80
