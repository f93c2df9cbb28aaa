"""Corners, as somebody uses it who looks for time."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.page.stage import (
    FIRST,
    PHONE,
    SECOND,
    SIZES,
    Server,
    needs_chromium,
    needs_page,
    sticks_out,
    until,
    violations,
)

pytestmark = [needs_chromium, needs_page]

Open = Callable[..., Any]


def test_it_says_where_the_time_is_and_opens_its_traces(recorded: Server, open_page: Open) -> None:
    from playwright.sync_api import expect

    page = open_page(f"{recorded.url}/#/corners?session={FIRST}&lap=2&ref=3")
    rows = {(row["lap"], row["corner"]): row for row in recorded.json(f"/session/{FIRST}/corners")["corners"]}
    earlier = rows[2, "T3"]["brake_m"] - rows[3, "T3"]["brake_m"]
    first = page.locator(".to-find li").first
    expect(first).to_contain_text(f"you brake {earlier:.0f} m earlier than in lap 3")
    assert earlier > 15, "as it was driven"
    worth = float(_found(r"worth ([\d.]+) s", first.inner_text()))
    assert worth == pytest.approx(rows[2, "T3"]["time_s"] - rows[3, "T3"]["time_s"], abs=0.02)

    words = page.locator(".to-find li").all_inner_texts()
    worths = [float(_found(r"worth ([\d.]+) s", text)) for text in words]
    assert worths == sorted(worths, reverse=True)
    title = page.locator(".to-find h2").inner_text()
    said = re.fullmatch(r"(One place|Two places|Three places) to find ([\d.]+) s", title)
    assert said is not None
    assert ["One place", "Two places", "Three places"].index(said[1]) == len(worths) - 1
    assert float(said[2]) == pytest.approx(sum(worths), abs=0.07)

    expect(first.get_by_role("link")).to_have_attribute("href", re.compile("from="))  # where the corner is, is known
    first.get_by_role("link").click()
    page.locator("#numbers").wait_for()
    query = parse_qs(page.evaluate("location.hash").partition("?")[2])
    assert query["laps"] == [f"{FIRST}:3,{FIRST}:2"]
    cost = page.locator(".costs button", has_text="T3")
    assert float(cost.inner_text().split()[1]) == pytest.approx(worth, abs=0.03)
    expect(page.locator("#all")).to_be_visible()  # it is zoomed to the corner
    at = float(page.locator("#at").inner_text().split()[0])
    assert float(query["from"][0]) < at < float(query["to"][0])
    assert page.said == []


def test_the_table_is_the_apis_and_sorted_by_what_was_lost(recorded: Server, open_page: Open) -> None:
    page = open_page(f"{recorded.url}/#/corners?session={FIRST}&lap=4&ref=1")
    page.locator("#corners tbody tr").first.wait_for()
    rows = recorded.json(f"/session/{FIRST}/corners")["corners"]
    mine = {row["corner"]: row for row in rows if row["lap"] == 4}
    theirs = {row["corner"]: row for row in rows if row["lap"] == 1}
    told = [text.split("\t") for text in page.locator("#corners tbody tr").all_inner_texts()]
    assert {cells[0].strip() for cells in told} == set(mine)
    lost = [_number(cells[1]) for cells in told]
    assert lost == sorted(lost, reverse=True)
    for cells in told:
        corner = cells[0].strip()
        a, b = mine[corner], theirs[corner]
        assert _number(cells[1]) == pytest.approx(a["time_s"] - b["time_s"], abs=0.03)
        assert sum(map(_number, cells[2:5])) == pytest.approx(_number(cells[1]), abs=0.02)
        for cell, name, factor in ((5, "brake_m", 1.0), (7, "min_mps", 3.6), (10, "exit_mps", 3.6)):
            if a[name] is None:
                assert cells[cell].strip() == "–"
            else:
                assert _number(cells[cell]) == pytest.approx(a[name] * factor, abs=0.51)
                assert _number(cells[cell].split()[1]) == pytest.approx((a[name] - b[name]) * factor, abs=0.51)


def test_what_is_in_it_is_the_apis(recorded: Server, open_page: Open) -> None:
    from playwright.sync_api import expect

    page = open_page(f"{recorded.url}/#/corners?session={FIRST}")
    bests = recorded.json(f"/session/{FIRST}/laps")["bests"]
    for name, seconds in (
        ("best-lap", bests["time_s"]),
        ("achievable", bests["rolling_s"]),
        ("theoretical-sectors", bests["theoretical_s"]),
    ):
        expect(page.locator(f"#{name} dd").first).to_have_text(_lap_time(seconds))
    rows = recorded.json(f"/session/{FIRST}/corners")["corners"]
    times: dict[str, list[float]] = {}
    for row in rows:
        times.setdefault(row["corner"], []).append(row["time_s"])
    own = sum(row["time_s"] for row in rows if row["lap"] == bests["lap"])
    joined = bests["time_s"] - own + sum(map(min, times.values()))
    assert joined < bests["time_s"]
    expect(page.locator("#theoretical dd").first).to_have_text(_lap_time(joined))
    expect(page.locator("#consistency")).to_contain_text("over 4 laps")
    # the best lap is what the newest is held against, unless somebody says otherwise
    expect(page.locator("#lap-against")).to_have_value(str(bests["lap"]))


def test_the_address_keeps_the_choice_over_a_reload(recorded: Server, open_page: Open) -> None:
    from playwright.sync_api import expect

    page = open_page(f"{recorded.url}/#/corners")
    expect(page.locator("#session-shown")).to_have_value(SECOND)
    page.locator("#session-shown").select_option(FIRST)
    expect(page.locator("#lap-against option")).to_have_count(4)
    page.locator("#lap-against").select_option("1")
    page.locator("#lap-shown").select_option("3")
    page.reload()
    expect(page.locator("#corners tbody tr").first).to_be_visible()
    for name, value in (("session-shown", FIRST), ("lap-against", "1"), ("lap-shown", "3")):
        expect(page.locator(f"#{name}")).to_have_value(value)
    assert page.said == []


def test_a_lap_is_held_against_one_of_another_session(recorded: Server, open_page: Open) -> None:
    from playwright.sync_api import expect

    page = open_page(f"{recorded.url}/#/corners?session={SECOND}&lap=2")
    page.locator("#session-against").select_option(FIRST)
    best = recorded.json(f"/session/{FIRST}/laps")["bests"]["lap"]
    expect(page.locator("#lap-against")).to_have_value(str(best))
    page.locator("#lap-against").select_option("3")
    page.reload()
    expect(page.locator("#session-against")).to_have_value(FIRST)
    expect(page.locator("#lap-against")).to_have_value("3")
    expect(page.locator(".table h2")).to_contain_text("Lap 2 against lap 3 of ")
    mine, theirs = (
        {row["corner"]: row for row in recorded.json(f"/session/{session}/corners")["corners"] if row["lap"] == lap}
        for session, lap in ((SECOND, 2), (FIRST, 3))
    )
    lost = {name: mine[name]["time_s"] - theirs[name]["time_s"] for name in mine}
    # in all, what `/compare` says: by its own way, on places of one path
    compared = recorded.json(f"/session/{SECOND}/compare?lap=2&reference={FIRST}:3")
    assert sum(lost.values()) == pytest.approx(compared["delta_s"], abs=0.05)
    for cells in (text.split("\t") for text in page.locator("#corners tbody tr").all_inner_texts()):
        assert _number(cells[1]) == pytest.approx(lost[cells[0].strip()], abs=0.0051)
    worst = max(lost, key=lambda name: lost[name])
    first = page.locator(".to-find li").first
    expect(first).to_contain_text(worst)
    expect(first).to_contain_text("than in lap 3 of ")
    expect(first.get_by_role("link")).to_have_attribute("href", re.compile("from="))  # where the corner is, is known
    first.get_by_role("link").click()
    page.locator("#numbers").wait_for()
    assert f"laps={FIRST}%3A3%2C{SECOND}%3A2" in page.evaluate("location.hash")
    assert page.said == []


def test_a_lap_is_held_against_the_best_that_there_ever_was(recorded: Server, open_page: Open) -> None:
    from playwright.sync_api import expect

    page = open_page(f"{recorded.url}/#/corners?session={SECOND}&lap=2&ref=ever")
    ever = recorded.json(f"/session/{SECOND}/compare?lap=2&reference=ever")["reference"]
    assert ever["session"] == FIRST
    expect(page.locator("#session-against")).to_have_value("ever")
    expect(page.locator(".table h2")).to_contain_text(f"Lap 2 against lap {ever['number']} of ")
    page.locator("#session-against").select_option("")
    expect(page.locator(".table h2")).to_contain_text(re.compile(r"Lap 2 against lap \d+, corner"))


def test_a_session_that_is_not_there_is_told_and_harms_nothing(recorded: Server, open_page: Open) -> None:
    from playwright.sync_api import expect

    page = open_page(f"{recorded.url}/#/corners?session=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E")
    expect(page.get_by_role("alert").filter(has_text="can't be a session's name")).to_be_visible()
    assert page.locator("main img").count() == 0
    assert page.said == []


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_it_fits_and_axe_finds_nothing(recorded: Server, open_page: Open, scheme: str) -> None:
    page = open_page(f"{recorded.url}/#/corners?session={FIRST}&lap=2&ref=3", color_scheme=scheme)
    page.locator("#corners tbody tr").first.wait_for()
    for size in (*SIZES.values(), {"width": 360, "height": 640}):
        page.set_viewport_size(size)
        assert not sticks_out(page), size
    assert violations(page) == []
    page.set_viewport_size(PHONE)
    box = page.get_by_role("region", name="Every corner's figures")
    assert box.evaluate("box => box.scrollWidth > box.clientWidth"), "wide as it is, it is moved in its own box"
    box.focus()
    page.keyboard.press("ArrowRight")
    until(lambda: box.evaluate("box => box.scrollLeft > 0"), "moved by the keys")


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    assert found is not None, text
    return found[1]


def _number(text: str) -> float:
    return float(text.split()[0].replace("−", "-").strip("±+"))


def _lap_time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    return f"{minutes}:{rest / 1000:06.3f}"
