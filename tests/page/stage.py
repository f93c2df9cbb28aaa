"""What the page is tried on: pitwall's own processes over a recorded drive, or over a car that drives now."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError

import orjson
import pytest

ROOT: Final = Path(__file__).parents[2]
CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PHONE: Final = {"width": 390, "height": 844}
SIDEWAYS: Final = {"width": 844, "height": 390}
LAPTOP: Final = {"width": 1280, "height": 800}
SIZES: Final = {"phone": PHONE, "sideways": SIDEWAYS, "laptop": LAPTOP}

LIMIT_S: Final = 60.0
"""For anything that is waited for: machines are busy."""

DRIVES: Final = {
    "20261107T091500Z-bmw-e46-m3": ("--laps", "4", "--seed", "3", "--mistake", "brake-early@T3:2"),
    "20261108T140000Z-bmw-e46-m3": ("--laps", "3", "--seed", "4", "--mistake", "late-throttle@T10:2"),
}
"""What was driven before, by the session's id."""

FIRST, SECOND = DRIVES


@dataclass(frozen=True)
class Server:
    """pitwall, serving: its address, its folder, and the process."""

    url: str
    folder: Path
    process: subprocess.Popen[str]

    def json(self, path: str) -> Any:
        """What the API answers."""
        with urllib.request.urlopen(self.url + path, timeout=LIMIT_S) as answer:
            return orjson.loads(answer.read())


def pitwall(folder: Path, *arguments: str, cars: Path = ROOT / "cars", **environment: str) -> subprocess.Popen[str]:
    """`pitwall …` in a folder, at the head of a group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "pitwall", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "PITWALL_CARS": str(cars), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@contextlib.contextmanager
def serving(folder: Path, *arguments: str, **environment: str) -> Iterator[Server]:
    """`pitwall serve` or `pitwall run`, until the end of the block; its address is known by then."""
    process = pitwall(folder, *arguments, "--tokens", str(folder / "tokens.json"), **environment)
    try:
        yield Server(address(process), folder, process)
    finally:
        stop(process)


def stop(process: subprocess.Popen[str]) -> None:
    """Asks it to end; kills it and what it started where it does not."""
    process.terminate()
    try:
        process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise


def address(process: subprocess.Popen[str]) -> str:
    """What it says that the page is at."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        found = re.search(r"(http://\S+?)/? ", line + " ")
        if found:
            return found[1]
    raise AssertionError(f"no address: {''.join(said)}")


def driven(at: Path) -> Path:
    """A folder with DRIVES, projected; made by whoever of the tests' processes comes first, for all of them."""
    try:
        at.mkdir(parents=True)
    except FileExistsError:
        until((at / "made").exists)
        return at
    for session, arguments in DRIVES.items():
        process = pitwall(at, "simulate", "--session", session, *arguments)
        said, _ = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 0, said
    (at / "made").touch()
    return at


def until(true: Callable[[], object], what: str = "it") -> Any:
    """What `true` gives, once that is something."""
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        found = true()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come to be in {LIMIT_S:g} s")


def has_driven(server: Server, seconds: float) -> bool:
    """Whether so much of what is recorded there can be asked for."""
    try:
        return bool(server.json("/session/_live/signals?channels=speed&points=2")["t_to"] > seconds * 1e9)
    except HTTPError:  # 404: nothing is there yet; 504: a machine that is busy
        return False


def is_drawn(canvas: Any) -> bool:
    """Whether a canvas (a locator) has more than one colour on it."""
    return bool(
        canvas.evaluate(
            """canvas => {
                const {width, height} = canvas;
                if (!width || !height) return false;
                const words = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, width, height).data.buffer);
                return words.some(word => word !== words[0]);
            }"""
        )
    )


def sticks_out(page: Any) -> bool:
    """Whether the page can be scrolled sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def violations(page: Any) -> list[str]:
    """What axe finds wrong with what is shown, a line each."""
    axe = (ROOT / "pitwall" / "web" / "node_modules" / "axe-core" / "axe.min.js").read_text()
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {one['help']}: {node['html'][:200]}" for one in found["violations"] for node in one["nodes"][:4]
    ]


needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: apt-get install chromium")
needs_page = pytest.mark.skipif(
    not (ROOT / "pitwall" / "web" / "built" / "index.html").exists(), reason="the page is not built: make page"
)
