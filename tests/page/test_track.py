"""The track: a lap's path in the colours of what the car did, two laps against each other, and where laps begin."""

from __future__ import annotations

import contextlib
import re
from urllib.error import HTTPError

import pytest

from tests.page.stage import (
    FIRST,
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


def colours(page) -> int:
    """How many colours the map has."""
    return page.locator(".map canvas").evaluate(
        """canvas => {
            const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            return new Set(new Uint32Array(data.buffer)).size;
        }"""
    )


def picture(page) -> str:
    return page.locator(".map canvas").evaluate("canvas => canvas.toDataURL()")


def test_the_legend_says_the_least_and_the_most_of_the_best_lap(recorded, open_page):
    page = open_page(f"{recorded.url}/#/track?session={FIRST}")
    speed = recorded.json(f"/session/{FIRST}/signals?channels=speed&lap=best")["channels"]["speed"]["v"]
    least, most = (page.locator(f".legend .{end}") for end in ("low", "high"))
    sync_api.expect(page.locator(".legend")).to_contain_text("km/h")
    # at the fixes between the samples
    assert abs(int(least.inner_text()) - min(speed) * 3.6) < 1.5
    assert abs(int(most.inner_text()) - max(speed) * 3.6) < 1.5
    until(lambda: colours(page) > 40, "a path in many colours")
    track = recorded.json(f"/session/{FIRST}/track")["track"]
    sync_api.expect(page.locator("main h1")).to_have_text(track["name"])
    assert page.said == []


def test_what_it_is_coloured_by_and_which_laps_stand_in_the_address(recorded, open_page):
    page = open_page(f"{recorded.url}/#/track?session={FIRST}&lap=2&by=delta")
    compared = recorded.json(f"/session/{FIRST}/compare?lap=2")
    most = max(abs(row["delta_s"]) for row in compared["by_distance"])
    high = page.locator(".legend .high")
    sync_api.expect(page.locator(".legend")).to_contain_text("gained")
    assert float(high.inner_text()) >= most - 0.02, "every 200 m of it are among its places"
    before = picture(page)
    page.get_by_role("button", name="Gear", exact=True).click()
    sync_api.expect(page).to_have_url(re.compile("by=gear"))
    sync_api.expect(page.locator(".legend")).to_contain_text("Gear")
    until(lambda: picture(page) != before, "other colours")
    page.locator("#lap").select_option("1")
    sync_api.expect(page).to_have_url(re.compile("lap=1"))
    page.reload()
    sync_api.expect(page.locator("#lap")).to_have_value("1")
    sync_api.expect(page.get_by_role("button", name="Gear", exact=True)).to_have_attribute("aria-pressed", "true")


def test_two_laps_run_from_one_moment_and_it_says_who_is_ahead(recorded, open_page):
    page = open_page(f"{recorded.url}/#/track?session={FIRST}&lap=1&with=3")
    laps = {lap["number"]: lap for lap in recorded.json(f"/session/{FIRST}/laps")["laps"]}
    at = page.locator("#at")
    sync_api.expect(at).to_be_visible()
    until(lambda: is_drawn(page.locator(".map canvas")), "the map")
    at.fill(str(round(min(laps[1]["time_s"], laps[3]["time_s"]) - 1)))
    ahead = 1 if laps[1]["time_s"] < laps[3]["time_s"] else 3
    sync_api.expect(page.locator("#apart")).to_contain_text(
        re.compile(rf"Lap {ahead} is \d+ m ahead of lap {4 - ahead}")
    )
    lead = float(re.search(r"([\d.]+) s at", page.locator("#apart").inner_text())[1])
    assert abs(lead - abs(laps[1]["time_s"] - laps[3]["time_s"])) < 0.2, "as at the end of the lap, nearly"
    at.fill("10")
    before = picture(page)
    page.locator("#play").click()
    until(lambda: page.locator("#elapsed").inner_text() not in ("10.0", "10.1"), "it runs")
    until(lambda: picture(page) != before, "the dots move")
    page.locator("#play").click()
    sync_api.expect(page.locator("#play")).to_have_text("Play")


def test_a_tap_on_the_path_and_a_second_word_set_the_start_line(driving, open_page):
    until(lambda: has_driven(driving, 18), "18 s of driving")
    page = open_page(f"{driving.url}/#/track?lap=all")
    page.locator("#set-line").click()
    sync_api.expect(page.locator("#confirm-line")).to_be_disabled()
    until(lambda: is_drawn(page.locator(".map canvas")), "the map")
    page.locator(".map canvas").click(position={"x": 200, "y": 150})
    sync_api.expect(page.locator("#confirm-line")).to_be_enabled()
    told = page.locator(".start").inner_text()
    lat, lon = (float(one) for one in re.search(r"([-\d.]+), ([-\d.]+);", told.replace("−", "-")).groups())
    page.locator("#confirm-line").click()
    sync_api.expect(page.locator(".start .banner.good")).to_be_visible()

    def there() -> bool:
        with contextlib.suppress(HTTPError):  # 504: a machine that is busy
            return at_the_line(driving.json("/session/_live/track")["track"])
        return False

    def at_the_line(track) -> bool:
        if not track:
            return False
        middle = [(a + b) / 2 for a, b in zip(track["start"]["a"], track["start"]["b"], strict=True)]
        return abs(middle[0] - lat) < 2e-6 and abs(middle[1] - lon) < 2e-6

    until(there, "laps begin there")
    assert page.said == []


def test_who_may_not_set_the_line_is_told_so(recorded, open_page):
    page = open_page(f"{recorded.url}/#/track?session={SECOND}")
    page.locator("#set-line").click()
    page.locator("#place").fill("100")  # by keys, without a tap
    page.locator("#confirm-line").click()
    sync_api.expect(page.locator(".start .banner.bad")).to_contain_text("record")  # nobody records here
    page.route("**/token", lambda route: route.fulfill(json={"name": "guest", "read_only": True}))
    page.reload()
    sync_api.expect(page.locator("#read-only")).to_contain_text("may only read")
    sync_api.expect(page.locator("#set-line")).to_be_disabled()


@pytest.mark.parametrize("size", SIZES)
def test_it_fits_and_axe_finds_nothing(size, recorded, open_page):
    page = open_page(
        f"{recorded.url}/#/track?with=1",
        {**SIZES[size], "width": min(360, SIZES[size]["width"])} if size == "phone" else SIZES[size],
    )
    sync_api.expect(page.locator(".legend")).to_be_visible()
    sync_api.expect(page.locator("#apart")).to_be_visible()
    assert not sticks_out(page)
    assert violations(page) == []
