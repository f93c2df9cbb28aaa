"""Compare, as somebody uses it who looks for where one lap loses time to another."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from tests.page.stage import (
    FIRST,
    PHONE,
    SECOND,
    SIZES,
    Server,
    is_drawn,
    needs_chromium,
    needs_page,
    sticks_out,
    until,
    violations,
)

pytestmark = [needs_chromium, needs_page]

Open = Callable[..., Any]


def test_the_numbers_at_the_cursor_are_the_apis(recorded: Server, open_page: Open) -> None:
    from playwright.sync_api import expect

    asked: list[str] = []
    page = open_page("about:blank")
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{recorded.url}/#/compare?laps={FIRST}:2,{FIRST}:3&from=1000&to=1200")
    places = recorded.json(f"/session/{FIRST}/compare?lap=2&reference={FIRST}:3")["by_distance"]
    _are_laid(page)
    cursor = page.get_by_role("slider", name="Cursor")
    for key, metres in (("Home", 1000.0), ("End", 1200.0)):
        here = next(place for place in places if place["distance_m"] == metres)
        cursor.press(key)
        expect(page.locator("#at")).to_have_text(f"{metres:.0f} m")
        expect(cursor).to_have_attribute("aria-valuetext", f"{metres:.0f} m")
        lost = -here["delta_s"]  # of lap 3 to lap 2, which is the reference
        expect(_cells(page, "lost").nth(1)).to_have_text(_signed(lost, 3))
        expect(_cells(page, "time").nth(0)).to_have_text(f"{here['time_s']:.3f}")
        expect(_cells(page, "time").nth(1)).to_have_text(f"{here['time_s'] + lost:.3f}")
        for at, (lap, seconds) in enumerate(((2, here["time_s"]), (3, here["time_s"] + lost))):
            speed = _value(recorded, FIRST, lap, "speed", seconds) * 3.6
            expect(_cells(page, "speed").nth(at)).to_have_text(re.compile(rf"^{speed:.0f}(\D.*|[+−]?\d+)?$"))
            gear = _value(recorded, FIRST, lap, "gear", seconds, held=True)
            expect(_cells(page, "gear").nth(at)).to_have_text(re.compile(rf"^{gear:.0f}"))
    signals = [parse_qs(urlsplit(url).query) for url in asked if "/signals?" in url]
    assert len(signals) == 6, "two of each lap as a whole, and one of what is zoomed"
    assert all(int(one["points"][0]) <= 2000 for one in signals)
    assert page.said == []


def test_what_the_corners_cost_adds_up_to_what_the_lap_lost(recorded: Server, open_page: Open) -> None:
    page = open_page(f"{recorded.url}/#/compare?laps={FIRST}:3,{FIRST}:2")
    _are_laid(page)
    costs = page.locator(".costs button")
    told = {text.split()[0]: float(text.split()[1].replace("−", "-").strip("±")) for text in costs.all_inner_texts()}
    compared = recorded.json(f"/session/{FIRST}/compare?lap=2&reference=3")
    rows = recorded.json(f"/session/{FIRST}/corners")["corners"]
    time_s = {(row["lap"], row["corner"]): row["time_s"] for row in rows}
    assert sum(told.values()) == pytest.approx(compared["delta_s"], abs=0.005 * len(told))
    assert told == {corner: pytest.approx(time_s[2, corner] - time_s[3, corner], abs=0.03) for corner in told}
    assert max(told, key=lambda corner: told[corner]) == "T3", "where the driver braked early on lap 2"

    page.locator(".costs button", has_text="T3").click()
    zoomed = until(lambda: _range(page), "the zoom")
    assert 100 < zoomed[1] - zoomed[0] < 1000
    assert zoomed[0] < float(page.locator("#at").inner_text().split()[0]) < zoomed[1]


def test_the_address_keeps_the_choice_over_a_reload(recorded: Server, open_page: Open) -> None:
    from playwright.sync_api import expect

    page = open_page(f"{recorded.url}/#/compare")
    chosen = page.locator(".picker li")
    expect(chosen).to_have_count(2)  # the newest session's best, and the next best
    good = [lap for lap in recorded.json(f"/session/{SECOND}/laps")["laps"] if lap["flying"] and lap["valid"]]
    usual = [lap["number"] for lap in sorted(good, key=lambda lap: lap["time_s"])[:2]]
    for at, number in enumerate(usual):
        expect(chosen.nth(at)).to_contain_text(f"Lap {number}")

    page.locator("#of-session").select_option(FIRST)
    expect(page.locator("#lap-to-add option")).to_have_count(4)
    page.locator("#lap-to-add").select_option("2")
    page.locator("#add-lap").click()
    expect(chosen).to_have_count(3)
    expect(page.locator("#numbers thead th")).to_have_count(4)
    page.get_by_role("button", name="By time").click()
    page.get_by_role("button", name="Hold all against Lap 2 B").click()
    expect(chosen.first).to_contain_text("Lap 2 A")
    before = chosen.all_inner_texts()

    page.reload()
    expect(page.locator("#numbers thead th")).to_have_count(4)
    expect(chosen).to_have_text([re.compile(re.escape(text.split("\n")[0])) for text in before])
    expect(page.get_by_role("button", name="By time")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name=re.compile("^Take Lap 2 A away")).click()
    expect(chosen).to_have_count(2)
    assert page.said == []


def test_a_drag_zooms_all_strips_and_a_double_click_shows_all_again(recorded: Server, open_page: Open) -> None:
    from playwright.sync_api import expect

    page = open_page(f"{recorded.url}/#/compare?laps={FIRST}:2,{FIRST}:3")
    _are_laid(page)
    assert _range(page) is None
    length_m = recorded.json(f"/session/{FIRST}/laps/2")["length_m"]
    box = page.locator(".u-over").nth(1).bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.25, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, y, steps=5)
    page.mouse.up()
    expect(page.locator("#all")).to_be_visible()
    first = until(lambda: _range(page), "the zoom")
    assert first == pytest.approx((length_m * 0.25, length_m * 0.5), abs=length_m * 0.01)
    page.reload()
    expect(page.locator("#all")).to_be_visible()
    assert _range(page) == first
    page.locator(".u-over").nth(2).dblclick()
    expect(page.locator("#all")).to_have_count(0)
    until(lambda: _range(page) is None, "all of it")
    assert page.said == []


def test_fingers_move_the_cursor_and_zoom(recorded: Server, open_page: Open) -> None:
    from playwright.sync_api import expect

    page = open_page(f"{recorded.url}/#/compare?laps={FIRST}:2,{FIRST}:3", PHONE, has_touch=True)
    _are_laid(page)
    length_m = recorded.json(f"/session/{FIRST}/laps/2")["length_m"]
    _fingers(page, [[("down", 1, 0.3)], [("move", 1, 0.4)], [("up", 1, 0.4)]])
    assert float(page.locator("#at").inner_text().split()[0]) == pytest.approx(length_m * 0.4, abs=length_m * 0.01)
    _fingers(
        page,
        [[("down", 1, 0.4), ("down", 2, 0.6)], [("move", 1, 0.3), ("move", 2, 0.7)], [("up", 1, 0.3), ("up", 2, 0.7)]],
    )
    zoomed = until(lambda: _range(page), "the pinch")
    assert zoomed == pytest.approx((length_m * 0.25, length_m * 0.75), abs=length_m * 0.02)
    _fingers(page, [[("down", 1, 0.5), ("up", 1, 0.5)], [("down", 1, 0.5), ("up", 1, 0.5)]])
    expect(page.locator("#all")).to_have_count(0)


def test_laps_of_two_sessions_lie_on_one_path(recorded: Server, open_page: Open) -> None:
    from playwright.sync_api import expect

    page = open_page(f"{recorded.url}/#/compare?laps={FIRST}:best,{SECOND}:best&from=2000&to=2400")
    _are_laid(page)
    compared = recorded.json(f"/session/{FIRST}/compare?lap=best&reference={SECOND}:best")
    for key, metres in (("Home", 2000.0), ("End", 2400.0)):
        page.get_by_role("slider", name="Cursor").press(key)
        here = next(place for place in compared["by_distance"] if place["distance_m"] == metres)
        expect(_cells(page, "lost").nth(1)).to_have_text(_signed(-here["delta_s"], 3))
    page.get_by_role("button", name="Show the whole lap").click()
    page.get_by_role("slider", name="Cursor").press("End")
    expect(_cells(page, "lost").nth(1)).to_have_text(_signed(-compared["delta_s"], 3))
    canvases = page.locator("main canvas")
    assert canvases.count() == 8  # what was lost, five traces, the map, the friction circle
    for at in range(canvases.count()):
        until(lambda at=at: is_drawn(canvases.nth(at)), f"canvas {at}")
    assert page.locator(".banner").count() == 0
    assert page.said == []


def test_a_lap_that_is_not_there_is_told_and_harms_nothing(recorded: Server, open_page: Open) -> None:
    from playwright.sync_api import expect

    hostile = "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E"
    page = open_page(f"{recorded.url}/#/compare?laps={FIRST}:2,{hostile}:1,{FIRST}:77")
    expect(page.locator("#numbers thead th")).to_have_count(2)
    expect(page.get_by_role("alert").filter(has_text="onerror=alert(1)")).to_be_visible()
    expect(page.get_by_role("alert").filter(has_text="no timed lap 77")).to_be_visible()
    assert page.locator("main img").count() == 0
    page.get_by_role("button", name="Take it away").first.click()
    expect(page.get_by_role("alert")).to_have_count(1)
    assert page.said == []


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_it_fits_and_axe_finds_nothing(recorded: Server, open_page: Open, scheme: str) -> None:
    page = open_page(f"{recorded.url}/#/compare?laps={FIRST}:2,{FIRST}:3,{SECOND}:2", color_scheme=scheme)
    _are_laid(page)
    for size in (*SIZES.values(), {"width": 360, "height": 640}):
        page.set_viewport_size(size)
        until(lambda: not sticks_out(page), f"its place in {size}")  # plots follow the window a moment later
    assert violations(page) == []


def _are_laid(page: Any) -> None:
    """Waits for both laps: with the second one plots are made anew, and a key that is pressed meanwhile is lost."""
    page.locator(".costs button").first.wait_for()


def _cells(page: Any, channel: str) -> Any:
    return page.locator(f"#numbers tr[data-channel={channel}] td")


def _signed(seconds: float, places: int) -> str:
    text = f"{abs(seconds):.{places}f}"
    return f"±{text}" if float(text) == 0 else f"{'+' if seconds > 0 else '−'}{text}"


def _value(server: Server, session: str, lap: int, channel: str, seconds: float, *, held: bool = False) -> float:
    """A channel so many seconds into a lap, by every sample that there is."""
    begin = next(one for one in server.json(f"/session/{session}/laps")["laps"] if one["number"] == lap)["t_start"]
    at = begin + round(seconds * 1e9)
    window = f"t_from={at - 1_000_000_000}&t_to={at + 1_000_000_000}"
    found = server.json(f"/session/{session}/signals?channels={channel}&{window}")["channels"][channel]
    if held:
        return float(found["v"][int(np.searchsorted(found["t"], at, side="right")) - 1])
    return float(np.interp(at, found["t"], found["v"]))


def _range(page: Any) -> tuple[float, float] | None:
    """What is zoomed, by the address."""
    query = parse_qs(page.evaluate("location.hash").partition("?")[2])
    return (float(query["from"][0]), float(query["to"][0])) if "from" in query else None


def _fingers(page: Any, steps: list[list[tuple[str, int, float]]]) -> None:
    """Fingers on the second strip: what, which one, at which share of its width."""
    page.locator(".u-over").nth(1).evaluate(
        """(over, steps) => {
            const {left, top, width, height} = over.getBoundingClientRect();
            const finger = ([what, pointerId, share]) => over.dispatchEvent(new PointerEvent(`pointer${what}`, {
                bubbles: true, pointerType: "touch", pointerId,
                clientX: left + share * width, clientY: top + height / 2,
            }));
            steps.flat().forEach(finger);
        }""",
        steps,
    )
