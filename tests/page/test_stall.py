"""At the pit wall: the tower says what the API says, the last minute is whole, the car moves on the map."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from http.client import HTTPException

import numpy as np
import pytest

from tests.page.stage import (
    PHONE,
    SECOND,
    SIZES,
    has_driven,
    is_drawn,
    needs_chromium,
    needs_page,
    sticks_out,
    until,
    violations,
)

sync_api = pytest.importorskip("playwright.sync_api", reason="the Python package playwright is not installed")
pytestmark = [needs_chromium, needs_page]


def lap_time(seconds: float) -> str:
    """As a driver writes it."""
    ticks = round(seconds * 1000)
    minutes, rest = divmod(ticks, 60_000)
    return f"{minutes}:{rest / 1000:06.3f}" if minutes else f"{rest / 1000:.3f}"


def ink(canvas, seconds_ago: float) -> int:
    """How high what is drawn reaches in a strip that many seconds ago; there are 60 s in it.  px."""
    return canvas.evaluate(
        """(canvas, ago) => {
            const x = Math.round(canvas.width * (1 - ago / 60));
            const {data} = canvas.getContext("2d").getImageData(x - 1, 0, 3, canvas.height);
            let rows = 0;
            for (let i = 3; i < data.length; i += 4) rows += data[i] > 0;
            return rows;
        }""",
        seconds_ago,
    )


def test_the_tower_says_what_the_api_says(recorded, open_page):
    told = recorded.json("/session/_live/laps")
    page = open_page(f"{recorded.url}/#/stall")
    sync_api.expect(page.locator("tr[data-lap]")).to_have_count(len(told["laps"]))
    best = told["bests"]
    sync_api.expect(page.locator("#best")).to_contain_text(f"{lap_time(best['time_s'])} lap {best['lap']}")
    sync_api.expect(page.locator("#theoretical")).to_have_text(lap_time(best["theoretical_s"]))
    sync_api.expect(page.locator("#rolling")).to_have_text(lap_time(best["rolling_s"]))
    assert [int(n) for n in page.locator("tr[data-lap] th").all_inner_texts() for n in re.findall(r"\d+", n)] == [
        lap["number"] for lap in reversed(told["laps"])
    ]
    for lap in told["laps"]:
        cells = page.locator(f"tr[data-lap='{lap['number']}'] td").all_inner_texts()
        if lap["time_s"] is None:
            assert cells[0].startswith("–")
        else:
            assert cells[0].startswith(lap_time(lap["time_s"]))
            for cell, time_s in zip(cells[2:5], lap["sectors_s"], strict=True):
                assert cell.startswith(lap_time(time_s))
            behind = lap["time_s"] - best["time_s"]
            assert cells[1] == ("best" if lap["number"] == best["lap"] else f"+{behind:.3f}")
        assert cells[5] == f"{lap['top_speed_mps'] * 3.6:.0f}"
        assert lap["why"] is None or lap["why"] in cells[6]
    words = page.locator(f"tr[data-lap='{best['lap']}'] td").first.inner_text()
    assert "★" in words, "a mark, not a colour alone"
    assert "best" in words
    assert page.said == []


def test_an_opened_page_has_the_last_minute_and_the_track(recorded, open_page):
    page = open_page(f"{recorded.url}/#/stall")
    strips = page.locator(".strip canvas")
    sync_api.expect(strips).to_have_count(4)
    for at in range(4):
        until(
            lambda at=at: ink(strips.nth(at), 55) > 3 and ink(strips.nth(at), 12) > 3, "the minute before it was opened"
        )
    until(lambda: is_drawn(page.locator(".map canvas")), "the map")
    speed = recorded.json("/session/_live/signals?channels=speed&points=2400")["channels"]["speed"]["v"]
    newest = page.locator(".strip .named", has_text="Speed").locator(".number")
    sync_api.expect(newest).to_have_text(f"{speed[-1] * 3.6:.0f}")
    sync_api.expect(page.locator(".tile[data-channel='water_temp'] .age")).to_contain_text(
        "old"
    )  # it is over, and says so


@pytest.mark.parametrize("size", SIZES)
def test_it_fits_and_axe_finds_nothing(size, recorded, open_page):
    page = open_page(f"{recorded.url}/#/stall", SIZES[size])
    sync_api.expect(page.locator("tr[data-lap]").first).to_be_visible()
    sync_api.expect(page.locator(".trends")).to_be_visible()
    assert not sticks_out(page)
    assert violations(page) == []


def test_on_a_phone_laps_come_first_then_the_map_the_minute_and_what_is_hot(recorded, open_page):
    page = open_page(f"{recorded.url}/#/stall", {**PHONE, "width": 360})
    sync_api.expect(page.locator(".trends")).to_be_visible()
    tops = [page.locator(one).bounding_box()["y"] for one in (".tower", ".where", ".minute", ".trends")]
    assert tops == sorted(tops)
    assert not sticks_out(page)


def test_a_driving_car_runs_and_its_first_seconds_are_there_for_who_comes_later(driving, open_page):
    until(lambda: has_driven(driving, 22), "22 s of driving")
    page = open_page(f"{driving.url}/#/stall")
    sync_api.expect(page.locator("#state")).to_have_text("recording")
    strip = page.locator(".strip canvas").first
    for ago in (12, 8, 5, 2):
        until(lambda ago=ago: ink(strip, ago) > 3, f"{ago} s ago")
    until(lambda: is_drawn(page.locator(".map canvas")), "the map")
    water = page.locator(".tile[data-channel='water_temp'] .trend")
    sync_api.expect(water).to_have_text(re.compile("rising|falling|steady|varying"))
    assert page.said == []


KILLED = 3
AWAY_NS = 2_500_000_000
"""A line bridges a second."""

SPEED = "/session/_live/signals?channels=speed"
NEAR_MPS = 1.5
"""A line is two pixels wide, and one stands for half a metre a second."""

SPAN_S = 60.0
LEAST_MOST_MPS = 30.0


def server_of(driving) -> int | None:
    """The process that answers; None: none does."""
    with contextlib.suppress(OSError, HTTPException):
        return driving.json("/health")["processes"]["server"]["pid"]
    return None


def drawn_speed(canvas, most_mps: float):
    """What the speed's line shows in each column of pixels, m/s; NaN: it is not there.  Float64 (columns,)."""
    rows, height = canvas.evaluate(
        """canvas => {
            const ink = document.createElement("i");
            ink.style.color = "var(--lap-2)";
            document.body.append(ink);
            const [r, g, b] = getComputedStyle(ink).color.match(/\\d+/g).map(Number);
            ink.remove();
            const {width, height} = canvas;
            const {data} = canvas.getContext("2d").getImageData(0, 0, width, height);
            const rows = Array(width).fill(null);
            for (let x = 0; x < width; x++) {
                let [sum, of] = [0, 0];
                for (let y = 0; y < height; y++) {
                    const at = 4 * (y * width + x);
                    const far = Math.abs(data[at] - r) + Math.abs(data[at + 1] - g) + Math.abs(data[at + 2] - b);
                    if (data[at + 3] > 40 && far < 60) { sum += (y + .5) * data[at + 3]; of += data[at + 3]; }
                }
                if (of) rows[x] = sum / of;
            }
            return [rows, height];
        }"""
    )
    y = np.array([np.nan if row is None else row for row in rows])
    return (height - 3 - 2 - y) / (height - 3 - 3 - 4) * most_mps


def test_a_server_that_was_killed_leaves_no_gap_in_the_last_minute(driving, open_page):
    until(lambda: has_driven(driving, 30), "30 s of driving")
    page = open_page(f"{driving.url}/#/stall")
    sync_api.expect(page.locator("#state")).to_have_text("recording")
    canvas = page.locator(".strip canvas").first
    until(lambda: ink(canvas, 5) > 3, "the minute")
    left = driving.json("/session/_live/signals?channels=speed&points=2")["t_to"]
    pids = set()
    for _ in range(KILLED):  # each time its supervisor waits longer
        pid = until(lambda: {server_of(driving)} - pids - {None}, "a server").pop()
        pids.add(pid)
        os.kill(pid, signal.SIGKILL)
    sync_api.expect(page.locator("#state")).to_have_text("server gone")
    sync_api.expect(page.locator("#state")).to_have_text("recording")
    back = until(lambda: has_driven(driving, left / 1e9 + 1) and driving.json(SPEED)["t_to"], "what it recorded on")
    assert back > left + AWAY_NS

    def is_whole() -> bool:
        told = driving.json(f"{SPEED}&points=4000")["channels"]["speed"]
        t, v = np.array(told["t"]) / 1e9, np.array(told["v"], float)
        shown = drawn_speed(canvas, max(LEAST_MOST_MPS, v[t > t[-1] - SPAN_S].max()))
        before_now = (1 - (np.arange(len(shown)) + 0.5) / len(shown)) * SPAN_S
        # when that was drawn: at which its line lies on what was recorded, best
        nows = np.arange(t[-1] - 10, t[-1] + 2, 0.02)
        now = min(nows, key=lambda now: np.nanmedian(np.abs(shown - np.interp(now - before_now, t, v))))
        at = now - before_now
        away = (at > left / 1e9) & (at < back / 1e9)
        wide = 2 * SPAN_S / len(shown)
        near = np.abs(at[away, None] + np.linspace(-wide, wide, 9)[None, :])
        off = np.abs(shown[away, None] - np.interp(near, t, v)).min(axis=1)
        return bool(away.sum() > 3 and np.isfinite(shown[away]).all() and off.max() < NEAR_MPS)

    until(is_whole, "all of the time that it was away")


def test_what_people_named_is_text(recorded, open_page):
    hostile = "<img src=x onerror=\"alert('x')\">"
    track = recorded.json(f"/session/{SECOND}/track")
    track["track"]["name"] = hostile
    page = open_page("about:blank")
    page.route("**/track", lambda route: route.fulfill(json=track))
    page.goto(f"{recorded.url}/#/stall")
    sync_api.expect(page.locator("#where-title")).to_have_text(hostile)
    assert page.locator("main img").count() == 0
    assert page.said == []
