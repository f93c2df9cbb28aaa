"""A session is played for all screens: paused, sought, sped up, taken up again where it was, and left for live."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import urllib.request

import pytest

from pitwall.serve.limits import MAX_REPLAYS
from tests.page.stage import (
    FIRST,
    LIMIT_S,
    SECOND,
    SIZES,
    is_drawn,
    needs_chromium,
    needs_page,
    serving,
    sticks_out,
    stop,
    until,
    violations,
)

sync_api = pytest.importorskip("playwright.sync_api", reason="the Python package playwright is not installed")
pytestmark = [needs_chromium, needs_page]


def play(page, session: str = FIRST) -> None:
    page.get_by_role("button", name=f"Play {session}").click()
    sync_api.expect(page.locator("#state")).to_have_text("replay")
    sync_api.expect(page.locator("#session")).to_have_text(session)


def place(page) -> float:
    """s since the session began, as the bar says."""
    found = re.match(r"(?:(\d+):)?([\d.]+) of", page.locator("#replay-at").inner_text())
    return 60 * int(found[1] or 0) + float(found[2]) if found else -1.0


def number(page, channel: str) -> str:
    return (
        page.locator(".signal")
        .filter(has=page.locator(".name", has_text=re.compile(f"^{channel}$")))
        .locator(".number")
        .inner_text()
    )


def test_every_screen_shows_it_until_one_goes_back(recorded, open_page):
    page = open_page(f"{recorded.url}/#/replay")
    play(page)
    laps = recorded.json(f"/session/{FIRST}/laps")["laps"]
    minutes, seconds = divmod(round(float(page.locator("#replay-seek").get_attribute("max"))), 60)
    sync_api.expect(page.locator(".replay-bar")).to_contain_text(re.compile(rf"of {minutes}:{seconds:02d}\b"))
    page.locator(".now button[data-lap='2']").click()
    until(lambda: laps[2]["t_start"] / 1e9 - 1 < place(page) < laps[2]["t_end"] / 1e9, "lap 2")
    page.locator("nav a", has_text="Stall").click()
    sync_api.expect(page.locator("#under-way th")).to_contain_text("2")
    numbers = page.locator("tr[data-lap] th").all_inner_texts()
    assert [re.match(r"\d+", one)[0] for one in numbers] == ["2", "1", "0"], "no lap that was not driven by then"
    sync_api.expect(page.locator("#replay-play")).to_be_visible()
    page.locator("#replay-stop").click()
    sync_api.expect(page.locator("#session")).to_have_text(SECOND)
    sync_api.expect(page.locator("#state")).to_have_text("session ended")
    sync_api.expect(page.locator("#replay-play")).to_have_count(0)
    assert page.said == []


def test_after_a_seek_in_a_pause_the_values_are_those_of_that_time(recorded, open_page):
    page = open_page(f"{recorded.url}/#/replay")
    play(page)
    page.locator("#replay-play").click()
    sync_api.expect(page.locator("#state")).to_have_text("replay, paused")
    page.locator("nav a", has_text="Signals").click()
    for seek_s in (300.0, 200.0):
        page.locator("#replay-seek").fill(str(seek_s))
        until(lambda seek_s=seek_s: abs(place(page) - seek_s) < 0.2, "that place")
        at = int(seek_s * 1e9)
        for channel in ("throttle", "tyre_pressure_fl"):  # a quick one and a slow one
            told = recorded.json(
                f"/session/{FIRST}/signals?channels={channel}&t_from={at - 5_000_000_000}&t_to={at - 1}"
            )
            value = told["channels"][channel]["v"][-1]
            until(
                lambda channel=channel, value=value: abs(float(number(page, channel)) - value) < 0.06,
                f"{channel} of then",
            )
    stood = place(page)
    page.locator("main").focus()
    page.keyboard.press("ArrowRight")
    until(lambda: abs(place(page) - stood - 5) < 0.3, "5 s further")
    page.keyboard.press("Space")
    sync_api.expect(page.locator("#state")).to_have_text("replay")
    page.locator("#replay-speed").select_option("32")
    moved = place(page)
    until(lambda: place(page) > moved + 20, "it is quick")


def test_before_its_first_crossing_the_car_is_on_its_out_lap(recorded, open_page):
    page = open_page(f"{recorded.url}/#/replay")
    play(page)
    page.locator("#replay-play").click()
    page.locator("#replay-seek").fill("6")
    until(lambda: abs(place(page) - 6) < 0.2, "that place")
    page.locator("nav a", has_text="Stall").click()
    row = page.locator("#under-way")
    sync_api.expect(row.locator("th")).to_have_text("0out, now")
    sync_api.expect(row.locator("td").first).to_have_text(re.compile(r"^(5\.[89]|6\.[01])$"))
    assert page.locator("tr[data-lap]").count() == 1


def test_what_was_traced_before_does_not_stand_in_its_way(recorded, open_page):
    page = open_page(f"{recorded.url}/#/stall")  # where the session ended
    sync_api.expect(page.locator("#state")).to_have_text("session ended")
    until(lambda: is_drawn(page.locator(".strip canvas").first), "its last minute")
    page.locator("nav a", has_text="Replay").click()
    play(page, SECOND)
    page.locator("#replay-seek").fill("200")
    until(lambda: 200 <= place(page) < 230, "that place")
    page.locator("#replay-speed").select_option("8")
    page.locator("nav a", has_text="Signals").click()
    spark = page.locator(".signal", has=page.locator(".name", has_text=re.compile("^rpm$"))).locator(".spark")
    until(lambda: columns(spark) > 20, "its last half minute")
    page.locator("nav a", has_text="Stall").click()
    strip = page.locator(".strip canvas").nth(2)  # steering: its own line alone
    until(lambda: columns(strip) > 100, "its last minute")


def columns(canvas) -> int:
    """In how many columns of pixels there is something in the upper two thirds that is no line across all of it."""
    return canvas.evaluate(
        """canvas => {
            const {width, height} = canvas;
            const {data} = canvas.getContext("2d").getImageData(0, 0, width, height);
            const found = new Set();
            for (let y = 0; y < height * 2 / 3; y++) {
                const row = [];
                for (let x = 0; x < width; x++) if (data[4 * (y * width + x) + 3] > 60) row.push(x);
                if (row.length < width * 0.9) row.forEach(x => found.add(x));
            }
            return found.size;
        }"""
    )


def test_at_its_end_it_stays_and_can_be_played_again(recorded, open_page):
    page = open_page(f"{recorded.url}/#/replay")
    play(page)
    lasts = float(page.locator("#replay-seek").get_attribute("max"))
    page.locator("#replay-seek").fill(str(lasts - 0.5))
    sync_api.expect(page.locator("#state")).to_have_text("replay, at its end")
    page.locator("#replay-play").click()
    sync_api.expect(page.locator("#state")).to_have_text("replay")
    until(lambda: place(page) < 60, "from its beginning")


def test_a_server_that_was_away_takes_it_up_where_it_was(drives, tmp_path, open_page):
    folder = tmp_path / "drives"
    shutil.copytree(drives, folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    with serving(folder, "serve", "--port", port) as server:
        page = open_page(f"{server.url}/#/replay")
        play(page)
        page.locator("#replay-seek").fill("250")
        until(lambda: 250 <= place(page) < 280, "that place")
        page.locator("#replay-play").click()
        sync_api.expect(page.locator("#state")).to_have_text("replay, paused")
        stop(server.process)
        sync_api.expect(page.locator(".replay-bar .said")).to_contain_text("ended")
        sync_api.expect(page.locator("#gone")).to_be_visible()
        assert 250 <= place(page) < 290
    with serving(folder, "serve", "--port", port):
        sync_api.expect(page.locator("#state")).to_have_text("replay, paused")
        sync_api.expect(page.locator("#gone")).to_have_count(0)
        assert 250 <= place(page) < 300
        sync_api.expect(page.locator("#session")).to_have_text(FIRST)


def test_a_session_that_is_no_longer_there_is_refused_in_the_server_s_words(recorded, open_page):
    page = open_page("about:blank")
    sessions = recorded.json("/sessions")
    gone = "20250101T000000Z-bmw-e46-m3"
    sessions["sessions"].append({**sessions["sessions"][0], "id": gone})
    page.route("**/sessions", lambda route: route.fulfill(json=sessions))
    page.goto(f"{recorded.url}/#/replay")
    page.get_by_role("button", name=f"Play {gone}").click()
    refused = page.locator("#refused")
    sync_api.expect(refused).to_contain_text(f"{gone} can't be played: ")
    sync_api.expect(refused).to_contain_text("there is no session")
    sync_api.expect(page.locator("#state")).to_have_text("refused")
    assert page.locator("#gone").count() == 0
    assert violations(page) == []
    page.locator("#replay-stop").click()
    sync_api.expect(refused).to_have_count(0)
    sync_api.expect(page.locator("#state")).to_have_text("session ended")


def test_where_too_many_are_played_it_says_so_and_begins_once_there_is_room(recorded, open_page):
    page = open_page(f"{recorded.url}/#/replay")
    with contextlib.ExitStack() as others:
        for _ in range(MAX_REPLAYS):
            others.enter_context(urllib.request.urlopen(f"{recorded.url}/replay?session={FIRST}", timeout=LIMIT_S))
        page.get_by_role("button", name=f"Play {FIRST}").click()
        refused = page.locator("#refused")
        sync_api.expect(refused).to_contain_text(f"of at most {MAX_REPLAYS}")
        sync_api.expect(refused).to_contain_text("close some")
        assert page.locator("#gone").count() == 0
    sync_api.expect(page.locator("#state")).to_have_text("replay")
    sync_api.expect(refused).to_have_count(0)


@pytest.mark.parametrize("size", SIZES)
def test_it_fits_and_axe_finds_nothing(size, recorded, open_page):
    page = open_page(f"{recorded.url}/#/replay", SIZES[size])
    play(page)
    sync_api.expect(page.locator(".now button[data-lap='1']")).to_be_visible()
    assert not sticks_out(page)
    assert violations(page) == []
