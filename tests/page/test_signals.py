"""Raw frames with their moving bits, ids that no DBC has, and why a channel is what it is."""

from __future__ import annotations

import pytest

from tests.page.stage import LAPTOP, PHONE, SIDEWAYS, needs_chromium, needs_page, sticks_out, until, violations

sync_api = pytest.importorskip("playwright.sync_api", reason="the Python package playwright is not installed")
pytestmark = [needs_chromium, needs_page]


def frame(page, id_hex: str):
    return page.locator(f'.frame[data-frame="dash-{id_hex}"]')


def test_the_raw_frames_are_the_api_s_with_each_bit_that_moved(recorded, open_page):
    page = open_page(f"{recorded.url}/#/signals?show=frames")
    told = recorded.json("/session/_live/frames")["frames"]
    unknown = [one for one in told if one["message"] is None]
    assert told
    assert unknown
    sync_api.expect(page.locator(".frame")).to_have_count(len(told))
    moving = next(one for one in told if one["message"] and int(one["changed"] or "0", 16))
    shown = frame(page, moving["id_hex"])
    sync_api.expect(shown).to_contain_text(moving["message"])
    bytes_shown = [text.strip() for text in shown.locator(".payload .byte").all_inner_texts()]
    assert "".join(bytes_shown) == moving["data"]
    shown.locator(".head").click()
    sync_api.expect(shown.locator("td.now")).to_have_count(int(moving["changed"], 16).bit_count())
    bits = shown.locator(".bits tbody tr").first.locator("td").all_inner_texts()[:8]
    assert "".join(bits) == f"{int(moving['data'][:2], 16):08b}"
    page.get_by_label("only unknown ones").check()
    sync_api.expect(page.locator(".frame")).to_have_count(len(unknown))
    page.locator("#find").fill(f"0x{unknown[0]['id_hex']}")
    sync_api.expect(page.locator(".frame")).to_have_count(1)
    sync_api.expect(page.locator(".frame .message")).to_contain_text("unknown")
    assert page.said == []


def test_the_raw_frames_of_a_car_that_drives_move(driving, open_page):
    page = open_page(f"{driving.url}/#/signals?show=frames")
    payload = page.locator(".frame .payload").first
    sync_api.expect(payload).to_be_visible()
    seen = {payload.inner_text()}
    until(lambda: seen.add(payload.inner_text()) or len(seen) > 2, "other bytes")
    assert page.said == []


def test_why_tells_from_the_frame_to_the_value_and_is_left_by_the_keyboard(recorded, open_page):
    page = open_page(f"{recorded.url}/#/signals")
    name = page.get_by_role("button", name="Why oil_temp", exact=True)
    name.focus()
    page.keyboard.press("Enter")
    told = recorded.json("/session/_live/why?channel=oil_temp")["channels"][0]
    panel = page.locator(".why")
    sync_api.expect(panel.locator(".result")).to_contain_text(f"{told['value']:.2f} °C")
    sync_api.expect(panel.locator("h2")).to_be_focused()
    sync_api.expect(panel).to_contain_text(f"raw {told['signal']['raw']} × 0.1")
    sync_api.expect(panel).to_contain_text(told["signal"]["dbc"]["text"])
    sync_api.expect(panel).to_contain_text(told["yaml"]["text"])
    panel.get_by_text("Bit by bit").click()
    sync_api.expect(panel.locator("td.now")).to_have_count(int(told["frame"]["mask"], 16).bit_count())
    page.keyboard.press("Escape")
    sync_api.expect(panel).to_be_hidden()
    sync_api.expect(name).to_be_focused()
    assert page.said == []


def test_why_of_a_computed_channel_leads_to_what_it_is_computed_from(recorded, open_page):
    page = open_page(f"{recorded.url}/#/signals?why=combo_g")
    panel = page.locator(".why")
    sync_api.expect(panel).to_contain_text("hypot(g_lat, g_long)")
    panel.get_by_role("button", name="g_lat").click()
    sync_api.expect(panel.locator("h2")).to_have_text("Why g_lat")
    sync_api.expect(panel).to_contain_text("lateral_accel_g")
    page.evaluate("location.hash = '#/signals?why=no_such_channel'")
    sync_api.expect(panel.get_by_role("alert")).to_contain_text("no_such_channel")
    panel.get_by_role("button", name="Close").click()
    sync_api.expect(panel).to_be_hidden()
    assert page.said == []


@pytest.mark.parametrize(("size", "scheme"), [(LAPTOP, "light"), (PHONE, "dark"), (SIDEWAYS, "light")])
def test_nothing_sticks_out_and_axe_finds_nothing(recorded, open_page, size, scheme):
    page = open_page(f"{recorded.url}/#/signals?show=frames&why=oil_temp", size, color_scheme=scheme)
    sync_api.expect(page.locator(".why .result")).to_be_visible()
    page.locator(".frame .head").first.evaluate("head => head.click()")  # on a phone the panel lies over it
    sync_api.expect(page.locator(".frame .bits")).to_be_visible()
    assert not sticks_out(page)
    assert violations(page) == []
    assert page.said == []
