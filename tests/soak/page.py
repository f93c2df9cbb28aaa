"""`make soak-page`: screens left open for an hour beside a car that drives; a line a minute of what the browser keeps.

    python -m tests.soak.page [--minutes M] [--folder DIR]

Exit code 1 where a screen grew, lagged, or its console said something.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np

from tests.page.stage import CHROMIUM, LAPTOP, LIMIT_S, PHONE, Server, serving

SCREENS: Final = {"drive": PHONE, "stall": LAPTOP, "signals": LAPTOP, "track": PHONE}
SETTLED: Final = 0.5
"""The share of the time in which the last minute, pictures and laps fill up."""

GROWTH_BYTES_A_MINUTE: Final = 50_000
NODES_A_MINUTE: Final = 40
"""The simulated car's lap takes 100 s, and each has a row of some 45 nodes in a table of laps: 3 MB in an hour."""

LAG_S: Final = 2.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.page", description="Screens left open for long.")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--folder", type=Path, help="a folder to keep what was made in; else it is removed")
    said = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = said.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        with serving(folder, "run", "--simulate", "--port", "0") as server:
            return watch(server, said.minutes)


def watch(server: Server, minutes: float) -> int:
    """Opens every screen, looks at it once a minute, and tells what it found."""
    from playwright.sync_api import sync_playwright

    heard: list[str] = []
    kept: dict[str, list[tuple[float, float, float]]] = {name: [] for name in SCREENS}
    print(f"{minutes:g} min; MB of the heap after a collection, and nodes")
    print(f"{'min':>6}" + "".join(f"{name:>16}" for name in SCREENS), flush=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--disable-dev-shm-usage", "--no-sandbox"])
        pages = {name: _opened(browser, f"{server.url}/#/{name}", size, heard) for name, size in SCREENS.items()}
        began = time.monotonic()
        for minute in range(1, round(minutes) + 1):
            while (left := began + minute * 60 - time.monotonic()) > 0:
                pages["drive"].wait_for_timeout(min(left, 1.0) * 1000)
            for name, page in pages.items():
                kept[name].append((minute, *_kept(page)))
            print(
                f"{minute:6}" + "".join(f"{rows[-1][1] / 1e6:9.2f} {rows[-1][2]:6.0f}" for rows in kept.values()),
                flush=True,
            )
        lag = pages["stall"].evaluate("document.querySelector('#age')?.textContent ?? ''")
        browser.close()
    return _judge(kept, lag, heard)


def _opened(browser: Any, url: str, size: dict[str, int], heard: list[str]) -> Any:
    """A page in a context of its own, as on a device of its own: each streams."""
    context = browser.new_context(viewport=size)
    context.set_default_timeout(LIMIT_S * 1000)
    page = context.new_page()
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.goto(url)
    page.devtools = context.new_cdp_session(page)
    page.devtools.send("Performance.enable")
    return page


def _kept(page: Any) -> tuple[float, float]:
    """Bytes of the heap once what is not needed was collected, and nodes of the document."""
    page.devtools.send("HeapProfiler.collectGarbage")
    said = {one["name"]: one["value"] for one in page.devtools.send("Performance.getMetrics")["metrics"]}
    return said["JSHeapUsedSize"], said["Nodes"]


def _judge(kept: dict[str, list[tuple[float, float, float]]], lag: str, heard: list[str]) -> int:
    failed = []
    for name, rows in kept.items():
        late = np.array([row for row in rows if row[0] >= rows[-1][0] * SETTLED])
        bytes_, nodes = np.polyfit(late[:, 0], late[:, 1:], 1)[0] if len(late) > 2 else (0.0, 0.0)
        print(f"{name}: {bytes_ / 1e6:+.3f} MB and {nodes:+.0f} nodes a minute once settled")
        if bytes_ > GROWTH_BYTES_A_MINUTE or nodes > NODES_A_MINUTE:
            failed.append(f"{name} grew")
    print(f"newest data {lag or '?'} old")
    if heard:
        failed.append(f"the console said {heard[:5]}")
    for line in failed:
        print(f"FAILED: {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
