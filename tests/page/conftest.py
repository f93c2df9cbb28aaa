"""A browser, and servers for it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.page.stage import CHROMIUM, LAPTOP, LIMIT_S, Server, driven, serving


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium.  A module's: while Playwright runs, no other test of this thread can have an event loop."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="the Python package playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    # Chromium refuses its sandbox to root; a machine's small /dev/shm is not for it
    flags = ["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    sync_api.expect.set_options(timeout=LIMIT_S * 1000)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """`open_page(url, size=…, **context)`: a page in a context of its own; `page.said` is what its console said."""
    contexts = []

    def opened(url: str, size: dict[str, int] = LAPTOP, **options: Any) -> Any:
        context = browser.new_context(viewport=size, **options)
        contexts.append(context)
        context.set_default_timeout(LIMIT_S * 1000)
        page = context.new_page()
        page.said = []
        page.on("console", lambda message: page.said.append(message.text) if _is_ours(message) else None)
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("dialog", lambda dialog: (page.said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.goto(url)
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def drives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with logs and projections of `stage.DRIVES`; to be copied, not served."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return driven(shared / "drives")


@pytest.fixture(scope="module")
def recorded(drives: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`pitwall serve` over `stage.DRIVES`, a module's own copy of them."""
    folder = tmp_path_factory.mktemp("recorded")
    shutil.copytree(drives, folder, dirs_exist_ok=True)
    with serving(folder, "serve", "--port", "0") as server:
        yield server


@pytest.fixture(scope="module")
def driving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`pitwall run --simulate`: a car that drives now; its first laps end after two minutes."""
    with serving(tmp_path_factory.mktemp("driving"), "run", "--simulate", "--port", "0") as server:
        yield server


QUIRKS = ("Failed to load resource", "The Cross-Origin-Opener-Policy header has been ignored")
"""What Chromium itself tells: of every answer that is not a 200, and that plain http from elsewhere is not trusted."""


def _is_ours(message: Any) -> bool:
    """Whether it is an error of the page's."""
    return message.type == "error" and not message.text.startswith(QUIRKS)
