"""`make screenshots`: every screen in both themes, and what a phone shows, into docs/screenshots."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import sync_playwright

from tests.page.stage import CHROMIUM, LAPTOP, PHONE, ROOT, SECOND, SIDEWAYS, Server, driven, serving

OUT: Final = ROOT / "docs" / "screenshots"

SCREENS: Final = ("drive", "stall", "compare", "corners", "track", "coach", "signals", "garage", "replay")
PHONES: Final = {"drive": SIDEWAYS, "stall": PHONE, "compare": PHONE, "corners": PHONE}
PLAYING: Final = ("drive", "stall", "signals", "replay")
PLAYED_MS: Final = 15_000
"""Some corners are behind it."""

SETTLED_MS: Final = 4_000
PLAYED: Final = 3
"""The lap that is under way: there is a best one to compare with."""


def main() -> None:
    """Takes them all."""
    if CHROMIUM is None:
        sys.exit("no chromium on this machine: apt-get install chromium")
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as made:
        folder = driven(Path(made) / "drives")
        with serving(folder, "serve", "--port", "0") as server, sync_playwright() as playwright:
            flags = ["--no-sandbox"] if os.geteuid() == 0 else []
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
            for theme in ("dark", "light"):
                taken(browser, server, theme, dict.fromkeys(SCREENS, LAPTOP), "")
            taken(browser, server, "dark", PHONES, "-phone")
            browser.close()


def taken(browser: Any, server: Server, theme: str, screens: dict[str, dict[str, int]], suffix: str) -> None:
    """Screenshots of some screens in one theme: first those that show a drive being played, then the others."""
    context = browser.new_context(viewport=LAPTOP, color_scheme=theme, reduced_motion="reduce")
    page = context.new_page()
    page.goto(f"{server.url}/#/replay")
    # what the car's and the pit wall's screens show is a drive that is played: the same at every run
    page.get_by_role("button", name=f"Play {SECOND}").click()
    page.locator(f"[data-lap='{PLAYED}']").click()
    page.wait_for_timeout(PLAYED_MS)
    for screen, size in sorted(screens.items(), key=lambda one: one[0] not in PLAYING):
        if screen not in PLAYING:
            page.goto("about:blank")
        page.set_viewport_size(size)
        page.goto(f"{server.url}/#/{screen}")
        page.wait_for_timeout(SETTLED_MS)
        page.screenshot(path=OUT / f"{screen}-{theme}{suffix}.png")
        print(f"{screen}-{theme}{suffix}.png", flush=True)
    context.close()


if __name__ == "__main__":
    main()
