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

REPLAYED: Final = f"#/replay?session={SECOND}"
"""What is live on the car's and the pit wall's screens is a drive that is played: the same at every run."""

SCREENS: Final = ("drive", "stall", "compare", "corners", "track", "coach", "signals", "garage", "replay")
PHONES: Final = {"drive": SIDEWAYS, "stall": PHONE, "compare": PHONE, "corners": PHONE}
SETTLED_MS: Final = 4_000
PLAYED_FROM_S: Final = 300
"""In the third lap: there is a best one to compare with."""


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
    """Screenshots of some screens in one theme, of a drive that is being played."""
    for screen, size in screens.items():
        context = browser.new_context(viewport=size, color_scheme=theme, reduced_motion="reduce")
        page = context.new_page()
        if screen in ("drive", "stall", "signals", "replay"):
            page.goto(f"{server.url}/{REPLAYED}&at={PLAYED_FROM_S}")
            page.wait_for_timeout(SETTLED_MS)
        if screen != "replay":
            page.goto(f"{server.url}/#/{screen}")
        page.wait_for_timeout(SETTLED_MS)
        page.screenshot(path=OUT / f"{screen}-{theme}{suffix}.png")
        context.close()
        print(f"{screen}-{theme}{suffix}.png", flush=True)


if __name__ == "__main__":
    main()
