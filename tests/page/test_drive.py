"""The car's own screen: read at a glance, grey where it is not now, and an alarm takes all of it."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from pitwall.coach.finding import Priority
from pitwall.serve.newest import Cast, LiveChannel, Picture, Still
from tests.page.stage import LAPTOP, PHONE, SIDEWAYS, needs_chromium, needs_page, sticks_out, violations
from tests.serve.stand import SID, STARTED_AT_NS, picture, standing
from tests.serve.test_speaking import cue

sync_api = pytest.importorskip("playwright.sync_api", reason="the Python package playwright is not installed")
pytestmark = [needs_chromium, needs_page]

NAMES = {
    "rpm": "rpm", "speed": "m/s", "gear": "", "oil_pressure": "bar", "lap": "", "delta": "s", "delta_age": "s",
    "predicted_lap": "s",
}  # fmt: skip
CHANNELS = tuple(LiveChannel(name, unit, "message", "test") for name, unit in NAMES.items())
CAST = Cast(SID, "bmw-e46-m3", STARTED_AT_NS, "f" * 64, CHANNELS, {"rpm": "rpm", "speed": "speed", "gear": "gear"})
USUAL = {"rpm": 5000.0, "speed": 40.0, "gear": 4.0, "oil_pressure": 4.0, "lap": 3.0, "predicted_lap": 101.27}


class Now(Still):
    """A picture whose values have just come, whenever it is looked at."""

    def __init__(self, **values: float) -> None:
        super().__init__(Picture(0, CAST))
        self.values = values
        self.ticks = 0
        self.cue = None

    def picture(self) -> Picture:
        self.ticks += 1
        made = picture(self.ticks, cast=CAST, t=10**9 + self.ticks * 10**6, **{**USUAL, **self.values})
        return replace(made, cue=self.cue, status=replace(made.status, heard_at_s=time.monotonic(), frames_per_s=344.0))


def visit(open_page, stand, size=LAPTOP, **options):
    return open_page(f"http://127.0.0.1:{stand.port}/#/drive", size, **options)


@pytest.mark.parametrize("size", [PHONE, SIDEWAYS, LAPTOP], ids=["phone", "sideways", "laptop"])
def test_five_things_and_nothing_sticks_out(open_page, size):
    with standing(Now(delta=-0.42)) as stand:
        page = visit(open_page, stand, size)
        sync_api.expect(page.locator(".delta .digits")).to_have_text("−0.42")
        sync_api.expect(page.locator(".delta")).to_have_attribute("data-sign", "gained")
        sync_api.expect(page.locator(".lap .digits")).to_have_text("1:41.3")
        sync_api.expect(page.locator(".gear .digits")).to_have_text("4")
        assert page.locator(".drive > *").count() == 5
        assert not sticks_out(page)
        drive = page.locator(".drive").bounding_box()
        assert drive["y"] + drive["height"] <= size["height"] + 0.5  # nothing to scroll
        for part in page.locator(".drive .digits").all():
            box = part.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= size["width"] + 0.5
        if size["height"] < size["width"]:
            # a digit is seven tenths as high as its line
            assert page.locator(".delta .digits").bounding_box()["height"] * 0.7 >= size["height"] / 4 - 1
        assert violations(page) == []
        assert page.said == []


def test_a_loss_is_said_by_sign_side_and_colour(open_page):
    with standing(Now(delta=0.31)) as stand:
        page = visit(open_page, stand)
        sync_api.expect(page.locator(".delta .digits")).to_have_text("+0.31")
        sync_api.expect(page.locator(".delta")).to_have_attribute("data-sign", "lost")
        assert page.locator(".delta .bar i").evaluate("bar => bar.style.transform") == "scaleX(-0.31)"


def test_a_delta_that_is_held_and_one_that_there_is_not_yet_say_so(open_page):
    live = Now(delta=0.31, delta_age=4.0)
    with standing(live) as stand:
        page = visit(open_page, stand)
        sync_api.expect(page.locator(".delta .small")).to_have_text("held for 4.0 s")
        live.values = {"delta": float("nan")}
        sync_api.expect(page.locator(".delta .digits")).to_have_text("–")
        sync_api.expect(page.locator(".delta .small")).to_have_text("no lap to compare with yet")


def test_data_that_is_old_is_grey_and_says_so(open_page):
    live = Still(picture(1, cast=CAST, **USUAL, delta=0.1))
    with standing(live) as stand:
        page = visit(open_page, stand)
        sync_api.expect(page.locator(".drive .note")).to_contain_text("NO DATA")
        assert "old" in page.locator(".drive").get_attribute("class")
        assert float(page.locator(".delta").evaluate("part => getComputedStyle(part).opacity")) < 0.5
    sync_api.expect(page.locator(".drive .note")).to_contain_text("SERVER GONE")


def test_shift_lights_go_by_the_car_s_own_limit(open_page):
    live = Now(rpm=7990.0)  # its definition says 8,000
    with standing(live) as stand:
        page = visit(open_page, stand)
        sync_api.expect(page.locator(".lights")).to_have_attribute("data-lit", "8")
        live.values = {"rpm": 6700.0}
        sync_api.expect(page.locator(".lights")).to_have_attribute("data-lit", "0")
        live.values = {"rpm": 7500.0}
        sync_api.expect(page.locator(".lights")).to_have_attribute("data-lit", "5")


def test_what_is_beyond_the_car_s_limits_takes_the_screen_and_gives_it_back(open_page):
    live = Now(oil_pressure=0.9)  # below 1.4 bar over 4,000 rpm for half a second
    with standing(live) as stand:
        page = visit(open_page, stand)
        sync_api.expect(page.get_by_role("alert")).to_contain_text("oil pressure 0.9 bar")
        assert page.locator(".digits").count() == 0
        live.values = {"oil_pressure": 0.9, "rpm": 1500.0}
        sync_api.expect(page.locator(".delta")).to_be_visible()


def test_a_cue_of_safety_takes_the_screen(open_page):
    live = Now(delta=0.0)
    with standing(live, {}) as stand:
        page = visit(open_page, stand)
        sync_api.expect(page.locator(".delta")).to_be_visible()
        live.cue = cue(1)
        sync_api.expect(page.locator(".drive > .cue")).not_to_be_empty()
        sync_api.expect(page.locator(".delta")).to_be_visible()
        live.cue = replace(cue(2), priority=Priority.SAFETY)
        sync_api.expect(page.locator(".drive.alarm")).to_be_visible()


def test_the_screen_is_kept_awake_while_one_drives(open_page):
    with standing(Now()) as stand:
        page = open_page("about:blank")
        page.add_init_script(
            "window.locks = [];"
            "const taken = () => { const lock = {released: false, release() { this.released = true; }};"
            " window.locks.push(lock); return Promise.resolve(lock); };"
            "Object.defineProperty(navigator, 'wakeLock', {value: {request: taken}});"
        )
        page.goto(f"http://127.0.0.1:{stand.port}/#/drive")
        sync_api.expect(page.locator(".delta")).to_be_visible()
        assert page.evaluate("window.locks.map(lock => lock.released)") == [False]
        page.goto(f"http://127.0.0.1:{stand.port}/#/signals")
        sync_api.expect(page.locator(".signals")).to_be_visible()
        assert page.evaluate("window.locks.map(lock => lock.released)") == [True]
