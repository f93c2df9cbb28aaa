"""Around every screen, and every channel: the numbers move, what is old looks old, and it comes back by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pitwall.coach.finding import Level
from pitwall.log.published import Recorder, SourceState, State
from pitwall.serve.newest import NEVER, Cast, LiveChannel, Picture, Status, Still
from tests.page.stage import SIZES, needs_chromium, needs_page, sticks_out, until, violations
from tests.serve.stand import CAST, SID, STARTED_AT_NS, Stand, picture, standing
from tests.serve.test_speaking import WORDS, cue

sync_api = pytest.importorskip("playwright.sync_api", reason="the Python package playwright is not installed")
pytestmark = [needs_chromium, needs_page]


class Driving(Still):
    """A live picture that is new whenever it is looked at: `quiet` channels stop, and the others go on."""

    def __init__(self, cast: Cast = CAST) -> None:
        super().__init__(Picture(0, cast))
        self.began = time.monotonic()
        self.quiet: set[str] = set()
        self.quiet_since_ns = 0

    def picture(self) -> Picture:
        cast = self.shown.cast
        now = int((time.monotonic() - self.began) * 1e9)
        t = [self.quiet_since_ns if channel.name in self.quiet else now for channel in cast.channels]
        v = 50 + 40 * np.sin(np.array(t) / 3e8 + np.arange(len(t)))
        status = Status("recording", frames_per_s=344.4, heard_at_s=time.monotonic())
        return Picture(now // 1_000_000, cast, np.array(t), v, status)


@pytest.fixture
def page(open_page):
    return open_page("about:blank")


def visit(page, stand: Stand):
    page.goto(f"http://127.0.0.1:{stand.port}/#/signals")
    return page


def row(page, name: str):
    return page.locator(".signal").filter(has=page.locator(".name", has_text=name)).first


def changes(read: Callable[[], str], times: int = 3) -> list[str]:
    """What `read` gives, until it has given that many different things."""
    seen = [read()]
    while len(seen) < times:
        value = read()
        if value != seen[-1]:
            seen.append(value)
    return seen


def test_the_values_move(page):
    with standing(Driving()) as stand:
        visit(page, stand)
        sync_api.expect(page.locator("#state")).to_have_text("recording")
        sync_api.expect(page.locator("#session")).to_have_text(SID)
        sync_api.expect(page.locator("#rate")).to_have_text("344")
        changes(lambda: row(page, "throttle").locator(".number").inner_text())
        assert row(page, "throttle").locator(".unit").inner_text() == "%"
        assert page.locator(".signal").count() == len(CAST.channels)
        drawn = "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean)"
        while not row(page, "throttle").locator("canvas").evaluate(drawn):
            pass
        assert page.said == []


def test_a_channel_that_falls_silent_turns_pale_and_its_age_grows(page):
    live = Driving()
    with standing(live) as stand:
        visit(page, stand)
        sync_api.expect(row(page, "throttle")).not_to_have_attribute("data-is", "never")
        live.quiet_since_ns = int((time.monotonic() - live.began) * 1e9)
        live.quiet = {"throttle"}
        sync_api.expect(row(page, "throttle")).to_have_attribute("data-is", "stale")
        sync_api.expect(row(page, "rpm")).to_have_attribute("data-is", "now")
        live.quiet = set()
        sync_api.expect(row(page, "throttle")).to_have_attribute("data-is", "now")


def test_a_channel_is_stale_when_the_car_says_so(page):
    held = [replace(channel, hold_s=3600.0 if channel.name == "throttle" else None) for channel in CAST.channels]
    live = Driving(replace(CAST, channels=tuple(held)))
    with standing(live) as stand:
        visit(page, stand)
        sync_api.expect(row(page, "throttle")).to_have_attribute("data-is", "now")
        live.quiet_since_ns = int((time.monotonic() - live.began) * 1e9)
        live.quiet = {"throttle", "rpm"}
        sync_api.expect(row(page, "rpm")).to_have_attribute("data-is", "stale")
        sync_api.expect(row(page, "throttle")).to_have_attribute("data-is", "now")


def test_a_channel_without_a_value_shows_none(page):
    with standing(Still(picture(1, rpm=900.0))) as stand:
        visit(page, stand)
        sync_api.expect(row(page, "rpm").locator(".number")).to_have_text("900")
        assert row(page, "throttle").locator(".number").inner_text() == "–"


def test_with_no_session_yet_it_says_what_to_do_and_takes_up_the_first(page):
    live = Still()
    with standing(live) as stand:
        visit(page, stand)
        sync_api.expect(page.locator(".empty")).to_be_visible()
        sync_api.expect(page.locator("#state")).to_have_text("waiting for a session")
        live.shown = picture(1, rpm=900.0)
        sync_api.expect(row(page, "rpm").locator(".number")).to_have_text("900")
        sync_api.expect(page.locator(".empty")).to_be_hidden()
        live.shown = picture(2, cast=replace(CAST, session="20261123T150000Z-bmw-e46-m3"), state="ended")
        sync_api.expect(page.locator("#session")).to_have_text("20261123T150000Z-bmw-e46-m3")
        sync_api.expect(page.locator("#state")).to_have_text("session ended")


def test_it_says_when_the_server_is_gone_and_comes_back_by_itself(page):
    with standing(Driving()) as stand:
        visit(page, stand)
        sync_api.expect(page.locator("#state")).to_have_text("recording")
    sync_api.expect(page.locator("#state")).to_have_text("server gone")
    sync_api.expect(page.locator("#gone")).to_contain_text("does not answer")
    sync_api.expect(row(page, "rpm")).to_have_attribute("data-is", "stale")
    with standing(Driving(), port=stand.port):
        sync_api.expect(page.locator("#state")).to_have_text("recording", timeout=15_000)
        sync_api.expect(page.locator("#gone")).to_be_hidden()
        changes(lambda: row(page, "throttle").locator(".number").inner_text())


def test_hostile_names_are_words(page):
    bad = "<img src=x onerror=alert(1)>"
    channels = (LiveChannel(bad, bad, "<b>m</b>", bad), LiveChannel("__proto__", "V", "constructor", "x"))
    cast = Cast(SID, bad, STARTED_AT_NS, "f", channels, {"speed": bad, "rpm": "__proto__", "__proto__": "x"})
    with standing(
        Still(Picture(1, cast, np.array([10**9, NEVER]), np.array([1.0, np.nan]), Status("recording")))
    ) as stand:
        page.on("dialog", lambda dialog: page.said.append("dialog"))
        visit(page, stand)
        sync_api.expect(page.locator(".signal .name").first).to_have_text(bad)
        assert page.locator("img").count() == 0
        assert page.said == []


def test_the_list_can_be_searched(page):
    with standing(Driving()) as stand:
        visit(page, stand)
        sync_api.expect(page.locator(".signal")).to_have_count(len(CAST.channels))
        page.locator("#find").fill("smartycam01 rp")
        sync_api.expect(page.locator(".signal:visible")).to_have_count(1)
        sync_api.expect(page.locator("#count")).to_have_text(f"1 of {len(CAST.channels)}")


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_nothing_sticks_out_at_any_size_and_axe_finds_nothing(open_page, scheme, size):
    names = [f"a_rather_long_name_of_a_channel_{i}" for i in range(30)]
    channels = tuple(LiveChannel(name, "m/s", f"dash_Message{i // 4}", "test") for i, name in enumerate(names))
    with standing(Driving(Cast(SID, "wide", STARTED_AT_NS, "668cfec1c140", channels, {}))) as stand:
        page = visit(open_page("about:blank", size, color_scheme=scheme), stand)
        changes(lambda: page.locator(".signal .number").first.inner_text())
        assert not sticks_out(page)
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == ("rgb(12, 15, 19)" if scheme == "dark" else "rgb(243, 245, 247)")
        assert violations(page) == []
        assert page.said == []


def test_it_says_which_pipeline_it_shows_and_what_is_wrong_with_a_car_as_it_was_saved(page):
    live = Driving()
    with standing(live) as stand:
        visit(page, stand)
        sync_api.expect(page.locator("#pipeline")).to_have_text("f" * 12)
        sync_api.expect(page.locator("#wrong")).to_be_hidden()
        live.shown_problems = {"e46": ("cars/e46/car.yaml:7: there is no signal 'sped' (did you mean 'speed'?)",)}
        sync_api.expect(page.locator("#wrong li")).to_have_text(live.shown_problems["e46"][0])
        live.shown_problems = {}
        sync_api.expect(page.locator("#wrong")).to_be_hidden()
        channels = tuple(replace(one, unit="km/h") if one.name == "speed" else one for one in CAST.channels)
        live.shown = Picture(0, replace(CAST, fingerprint="a" * 64, channels=channels))
        sync_api.expect(page.locator("#pipeline")).to_have_text("a" * 12)
        sync_api.expect(row(page, "speed").locator(".unit")).to_have_text("km/h")
        assert page.said == []


def test_it_says_how_each_bus_is_and_forgets_what_a_returned_one_had_said(page):
    live = Still(picture(1, rpm=900.0, speed=50.0))
    with standing(live) as stand:
        visit(page, stand)
        sync_api.expect(page.locator("#sources")).to_be_hidden()
        sync_api.expect(row(page, "rpm").locator(".number")).to_have_text("900")
        told = (SourceState("dash", "slcan", "lost", why="<b>gone</b>"), SourceState("obd", "can0", "connected"))
        live.shown_recorder = Recorder(1, State(sources=told))
        sync_api.expect(page.locator("#sources li")).to_have_text(["dash lost", "obd connected"])
        assert page.locator("#sources li").first.get_attribute("title") == "slcan: <b>gone</b>"
        live.shown = picture(2, speed=50.0)
        sync_api.expect(row(page, "rpm").locator(".number")).to_have_text("–")
        sync_api.expect(row(page, "rpm")).to_have_attribute("data-is", "never")
        live.shown = picture(3, t=2 * 10**9, rpm=1200.0, speed=50.0)
        sync_api.expect(row(page, "rpm").locator(".number")).to_have_text("1200")
        assert page.said == []


def test_a_cue_is_shown_in_the_chosen_words_and_spoken_where_that_was_asked_for(page):
    page.add_init_script(
        "window.spoken = [];"
        "const speech = {cancel() {}, speak(words) { window.spoken.push(words.text); }};"
        "Object.defineProperty(window, 'speechSynthesis', {value: speech});"
        "window.SpeechSynthesisUtterance = class { constructor(text) { this.text = text; } };"
    )
    live = Still(picture(1, rpm=900.0))
    with standing(live, {}) as stand:
        page.goto(f"http://127.0.0.1:{stand.port}/#/drive")
        sync_api.expect(page.locator("#state")).to_have_text("recording")
        page.get_by_label("Settings").click()
        page.locator("#level").select_option("novice")
        below = page.locator(".gear").bounding_box()
        live.shown = replace(picture(2, rpm=900.0), cue=cue(1))
        sync_api.expect(page.locator(".cue")).to_have_text(WORDS[Level.NOVICE])
        assert page.locator(".gear").bounding_box() == below  # its place was kept
        assert page.evaluate("window.spoken") == []
        page.locator("#speak").check()
        page.locator("#level").select_option("advanced")
        live.shown = replace(picture(3, rpm=900.0), cue=cue(2))
        sync_api.expect(page.locator(".cue")).to_have_text(WORDS[Level.ADVANCED])
        until(lambda: page.evaluate("window.spoken") == ["ready", WORDS[Level.ADVANCED]], "the spoken cue")
        page.reload()
        page.get_by_label("Settings").click()
        sync_api.expect(page.locator("#level")).to_have_value("advanced")
        sync_api.expect(page.locator("#speak")).to_be_checked()
    assert page.said == []
