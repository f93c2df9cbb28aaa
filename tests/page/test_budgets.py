"""How small and how quick the page is: held to budgets, in a browser on a slow processor.

These are figures of work (bytes, a share of a processor's time), not of how long a busy machine takes; but for the
first paint, of which the quickest of several is judged.
"""

from __future__ import annotations

import gzip
import os
import time

import numpy as np
import pytest

from pitwall.serve.newest import Cast, LiveChannel, Picture, Status, Still
from tests.page.stage import LIMIT_S, PHONE, ROOT, SECOND, needs_chromium, needs_page, until
from tests.serve.stand import SID, STARTED_AT_NS, standing

sync_api = pytest.importorskip("playwright.sync_api", reason="the Python package playwright is not installed")
pytestmark = [needs_chromium, needs_page]

SIZE = 300_000
BUSY = 0.40
"""By twenty channels at 20 Hz."""
BUSIER = 0.60
"""By all channels of a car, some sixty, up to fifty times a second."""

OURS = {"timeDomain": "threadTicks"}
"""Times are the thread's own: what others take of the machine is not the page's."""

GROWTH = 3_000_000
"""Bytes of the heap, after a collection: what a history that fills up takes, and no more."""

WATCHED_S = 60.0
WATCHED_EACH_S = 10.0
SETTLED_S = 3.0

CHANNELS = 20
MOVING = {"stall": ".trends", "drive": ".drive", "track?with=1": "#apart"}

PAINT_MS = 1000
LOADED = 3
OVERLOADED = 2.0
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


class Streaming(Still):
    """Twenty channels that all have new values whenever they are looked at."""

    def __init__(self) -> None:
        channels = tuple(LiveChannel(f"channel_{i}", "bar", "message", "test") for i in range(CHANNELS))
        super().__init__(Picture(0, Cast(SID, "car", STARTED_AT_NS, "f" * 64, channels, {"speed": "channel_0"})))
        self.began = time.monotonic()

    def picture(self) -> Picture:
        tick = int((time.monotonic() - self.began) * 20)  # 20 Hz
        t = np.full(CHANNELS, tick * 50_000_000)
        v = 50 + 40 * np.sin(tick / 7 + np.arange(CHANNELS))
        status = Status("recording", frames_per_s=344.4, heard_at_s=time.monotonic())
        return Picture(tick, self.shown.cast, t, v, status)


def test_all_of_it_is_under_300_kilobytes_compressed():
    built = [file for file in (ROOT / "pitwall" / "web" / "built").rglob("*") if file.is_file()]
    assert sum(len(gzip.compress(file.read_bytes(), 9)) for file in built) < SIZE


def test_the_first_paint_needs_less_than_a_second_s_work(open_page):
    with standing(Streaming()) as stand:
        page = open_page("about:blank")
        devtools = watching(page)
        page.goto(f"http://127.0.0.1:{stand.port}/#/signals")
        sync_api.expect(page.locator(".signal").first).to_have_attribute("data-is", "now")
        # a busy machine paints later, by what others take: what the page itself takes up to its first values is sure
        assert metrics(devtools)["TaskDuration"] < 1.0


def test_the_first_paint_is_there_within_a_second(open_page):
    with standing(Streaming()) as stand:
        page = open_page("about:blank", service_workers="block")
        page.context.new_cdp_session(page).send("Network.setCacheDisabled", {"cacheDisabled": True})
        painted_ms: list[float] = []
        end = time.monotonic() + LIMIT_S
        # others' work makes it late, and nothing makes it early: the quickest is the page's own
        while time.monotonic() < end and (len(painted_ms) < LOADED or min(painted_ms) >= PAINT_MS):
            page.goto("about:blank")
            page.goto(f"http://127.0.0.1:{stand.port}/#/signals")
            sync_api.expect(page.locator(".signal")).to_have_count(CHANNELS)
            painted_ms.append(until(lambda: page.evaluate(PAINTED)))
    print("first contentful paint after", *(f"{ms:.0f}" for ms in painted_ms), "ms")
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    if min(painted_ms) >= PAINT_MS and load > OVERLOADED:
        pytest.skip(f"{load:.0f} others want each processor: there is no telling")
    assert min(painted_ms) < PAINT_MS


def test_a_minute_of_twenty_channels_leaves_a_slow_phone_s_processor_its_rest(open_page):
    with standing(Streaming()) as stand:
        page = open_page(f"http://127.0.0.1:{stand.port}/#/signals", PHONE)
        sync_api.expect(page.locator(".signal")).to_have_count(CHANNELS)
        is_smooth(page, watching(page), WATCHED_S)


def test_a_drive_leaves_it_on_every_screen_that_moves(recorded, open_page):
    page = open_page(f"{recorded.url}/#/replay", PHONE)  # all channels of a car, up to fifty times a second
    page.get_by_role("button", name=f"Play {SECOND}").click()
    page.locator("[data-lap='2']").click()
    devtools = watching(page)
    for screen, drawn in MOVING.items():
        page.goto(f"{recorded.url}/#/{screen}")
        sync_api.expect(page.locator(drawn).first).to_be_visible()
        if screen.startswith("track"):
            page.locator("#play").click()
        is_smooth(page, devtools, WATCHED_EACH_S, BUSIER)


def watching(page):
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable", OURS)
    return devtools


def is_smooth(page, devtools, seconds: float, most: float = BUSY) -> None:
    """Asserts that a processor four times as slow has time left while that is shown, and that no memory goes."""
    page.wait_for_timeout(SETTLED_S * 1000)
    devtools.send("HeapProfiler.collectGarbage")
    before, began = metrics(devtools), time.monotonic()
    devtools.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    page.wait_for_timeout(seconds * 1000)
    after, lasted = metrics(devtools), time.monotonic() - began
    devtools.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    lag = page.locator("#age").inner_text()
    devtools.send("HeapProfiler.collectGarbage")
    left = metrics(devtools)
    grown = left["JSHeapUsedSize"] - before["JSHeapUsedSize"]
    busy = (after["TaskDuration"] - before["TaskDuration"]) / lasted
    where = page.evaluate("location.hash")
    print(f"{where}: main thread {busy:.0%} busy, heap {grown / 1e6:+.1f} MB, newest data {lag} old")
    assert busy < most
    assert grown < GROWTH
    assert left["Nodes"] <= before["Nodes"] + 50
    assert float(lag.removesuffix(" s")) < 2.0


def metrics(devtools) -> dict[str, float]:
    return {one["name"]: one["value"] for one in devtools.send("Performance.getMetrics")["metrics"]}
