"""The garage: sessions found, tagged, noted, archived and brought back; captures; cars as saved; the machine."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest

from tests.page.stage import (
    FIRST,
    LAPTOP,
    PHONE,
    ROOT,
    SECOND,
    SIDEWAYS,
    Server,
    address,
    needs_chromium,
    needs_page,
    pitwall,
    serving,
    sticks_out,
    stop,
    until,
    violations,
)

sync_api = pytest.importorskip("playwright.sync_api", reason="the Python package playwright is not installed")
pytestmark = [needs_chromium, needs_page]

HOSTILE = "<img src=x onerror=alert(1)>"
TOKEN = "a-token-for-the-tests-of-the-page"
CAPTURE = "".join(f"({1795529111 + i / 10:.6f}) can0 420#6b030000000037{i % 256:02x}\n" for i in range(200))


@pytest.fixture(scope="module")
def garage(drives, tmp_path_factory) -> Iterator[Server]:
    """Two recorded drives, a car that drives now, cars that may be edited, and a place to archive to."""
    folder = tmp_path_factory.mktemp("garage")
    shutil.copytree(drives, folder, dirs_exist_ok=True)
    shutil.copytree(ROOT / "cars", folder / "mine")
    keeping = ("--keep", "3650d", "--archive-to", str(folder / "archive"), "--tokens", str(folder / "tokens.json"))
    process = pitwall(folder, "run", "--simulate", "--port", "0", *keeping, cars=folder / "mine")
    try:
        server = Server(address(process), folder, process)
        until(lambda: server.json("/health")["live"]["session"], "the session that is recorded")
        yield server
    finally:
        stop(process)


def row(page, session: str):
    return page.locator(f'.one[data-session="{session}"]')


def opened(page, session: str):
    sync_api.expect(row(page, session)).to_be_visible()
    row(page, session).locator(".head").click()
    return row(page, session)


def test_a_session_is_found_tagged_and_noted_and_words_are_only_words(garage, open_page):
    page = open_page(f"{garage.url}/#/garage")
    sync_api.expect(page.locator(".one[data-session]").last).to_have_attribute("data-session", FIRST)
    sync_api.expect(page.locator("#found")).to_have_text(str(len(garage.json("/sessions")["sessions"])))
    shown = opened(page, FIRST)
    best = garage.json(f"/session/{FIRST}/laps")["bests"]
    minutes, seconds = divmod(best["time_s"], 60)
    sync_api.expect(shown).to_contain_text(f"{minutes:.0f}:{seconds:06.3f} (lap {best['lap']})")
    for name, path in {"Replay": f"#/replay?session={FIRST}", "Compare": "#/compare?laps="}.items():
        assert (shown.get_by_role("link", name=name, exact=True).get_attribute("href") or "").startswith(path)
    with page.expect_download() as download:
        shown.get_by_role("link", name="CSV").click()
    assert download.value.suggested_filename == f"{FIRST}.csv"

    shown.get_by_label("Another tag").fill(f"wet, {HOSTILE}")
    shown.get_by_role("button", name="Tag it").click()
    sync_api.expect(shown.locator(".head .chip")).to_have_text(["wet", HOSTILE])
    shown.get_by_label("A note").fill(f"new tyres {HOSTILE}")
    shown.get_by_role("button", name="Write it down").click()
    sync_api.expect(shown.locator(".notes li")).to_contain_text(f"new tyres {HOSTILE}")
    assert garage.json(f"/session/{FIRST}")["tags"] == ["wet", HOSTILE]
    page.locator("#tag").select_option("wet")
    sync_api.expect(page.locator(".one[data-session]")).to_have_count(1)
    shown.get_by_role("button", name=f"Take the tag {HOSTILE} away").click()
    sync_api.expect(shown.locator(".head .chip")).to_have_text(["wet"])
    page.locator("#tag").select_option("")
    page.locator("#find").fill("tyres")
    sync_api.expect(page.locator("#found")).to_contain_text("1 of")
    sync_api.expect(page).to_have_url(re.compile("find=tyres"))
    assert page.locator("img").count() == 0
    assert page.said == []


def test_a_session_goes_to_the_archive_and_comes_back(garage, open_page):
    page = open_page(f"{garage.url}/#/garage")
    shown = opened(page, SECOND)
    shown.get_by_role("button", name="Archive …").click()
    sync_api.expect(shown).to_contain_text(str(garage.folder / "archive"))
    shown.get_by_role("button", name="Archive it").click()
    sync_api.expect(page.locator(".jobs")).to_contain_text(f"Archived {SECOND}")
    away = page.locator(f'.archived [data-session="{SECOND}"]')
    sync_api.expect(away).to_be_visible()
    assert SECOND not in [one["id"] for one in garage.json("/sessions")["sessions"]]
    away.get_by_role("button", name="Bring it back").click()
    sync_api.expect(page.locator(".jobs")).to_contain_text(f"Restored {SECOND}")
    sync_api.expect(away).to_be_hidden()
    sync_api.expect(row(page, SECOND)).to_be_visible()
    assert page.said == []


def test_captures_that_are_dropped_or_picked_become_sessions_or_say_why_not(garage, open_page):
    page = open_page(f"{garage.url}/#/garage")
    sync_api.expect(page.locator(".one[data-session]").last).to_be_visible()
    before = len(garage.json("/sessions")["sessions"])
    page.get_by_text("Bring captures in").click()
    page.locator("#bring-car").select_option("bmw-e46-m3")
    page.locator("#recorded").evaluate(
        """(target, [name, text]) => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([text], name));
            target.dispatchEvent(new DragEvent("drop", {dataTransfer, bubbles: true, cancelable: true}));
        }""",
        [f"{HOSTILE}.log", CAPTURE],
    )
    imported = page.locator(".jobs li", has_text="Imported")
    sync_api.expect(imported).to_be_visible()
    sync_api.expect(page.locator("#found")).to_have_text(str(before + 1))
    imported.get_by_role("link", name="Show the session").click()
    sync_api.expect(page.locator(".opened")).to_contain_text("200 frames on can0")
    page.locator("#bring-files").set_input_files(
        {"name": f"{HOSTILE}.exe", "mimeType": "x/y", "buffer": b"MZ is no capture"}
    )
    wrong = page.locator('.jobs li:is([data-state="failed"])')
    sync_api.expect(wrong.locator(".bad").last).to_be_visible()
    assert ".exe" in wrong.inner_text()
    assert page.locator("img").count() == 0
    assert page.said == []


def test_a_car_says_what_is_wrong_with_it_as_it_is_saved(garage, open_page):
    definition = garage.folder / "mine" / "bmw-e46-m3" / "car.yaml"
    text = definition.read_text()
    page = open_page(f"{garage.url}/#/garage?show=cars")
    car = page.locator('[data-car="bmw-e46-m3"]')
    sync_api.expect(car.locator(".how")).to_have_text("✓ right")
    sync_api.expect(car).to_contain_text("driving")
    sync_api.expect(page.locator("[data-car]")).to_have_count(len(garage.json("/cars")["cars"]))
    try:
        definition.write_text(text + f"\nchannels:\n  x: {{from: '{HOSTILE}'}}\n")
        sync_api.expect(car.locator(".how")).to_have_text("✗ wrong")
        sync_api.expect(car.locator(".banner li").first).to_contain_text("car.yaml:")
    finally:
        definition.write_text(text)
    sync_api.expect(car.locator(".how")).to_have_text("✓ right")
    car.locator(".head").click()
    sync_api.expect(car.locator("tbody tr")).to_have_count(len(garage.json("/car/bmw-e46-m3")["channels"]))
    car.get_by_label("Find a channel").fill("oil_temp_f")
    sync_api.expect(car.locator("tbody th").first).to_have_text("oil_temp")
    assert page.locator("img").count() == 0
    assert page.said == []


def test_the_machine_is_as_health_and_the_doctor_say(garage, open_page):
    page = open_page(f"{garage.url}/#/garage?show=machine")
    health = garage.json("/health")
    sync_api.expect(page.locator("#verdict")).to_contain_text("Frames come in")
    source = page.locator(".from tbody tr")
    sync_api.expect(source).to_have_count(1)
    sync_api.expect(source).to_contain_text("simulator")
    sync_api.expect(source).to_contain_text("connected")
    for said in (health["version"], health["recorder"]["session"], str(health["processes"]["recorder"]["pid"])):
        sync_api.expect(page.locator(".facts-of")).to_contain_text(said)
    sync_api.expect(page.locator(".facts-of")).to_contain_text("pitwall token link")
    sync_api.expect(page.locator(".doctor li")).to_have_count(len(garage.json("/doctor")["checks"]))
    assert page.said == []


@pytest.mark.parametrize(("size", "scheme"), [(LAPTOP, "dark"), (PHONE, "light"), (SIDEWAYS, "dark")])
def test_nothing_sticks_out_and_axe_finds_nothing(garage, open_page, size, scheme):
    page = open_page(f"{garage.url}/#/garage?session={FIRST}", size, color_scheme=scheme)
    for there in (".opened .notes", "[data-car] tbody", ".doctor li"):
        sync_api.expect(page.locator(there).first).to_be_visible()
        assert not sticks_out(page)
        assert violations(page) == []
        show = "cars&car=bmw-e46-m3" if "notes" in there else "machine"
        page.evaluate(f"location.hash = '#/garage?show={show}'")
    assert page.said == []


def test_who_may_only_read_is_told_so(drives, tmp_path, open_page):
    shutil.copytree(drives, tmp_path, dirs_exist_ok=True)
    with serving(tmp_path, "serve", "--port", "0", PITWALL_TOKEN=TOKEN) as server:
        asked = pitwall(tmp_path, "token", "link", "--tokens", str(tmp_path / "tokens.json"), "--read-only")
        said, _ = asked.communicate(timeout=60)
        code = re.search(r"/login#(\S+)", said)
        assert code, said
        page = open_page(f"{server.url}/login#{code[1]}")
        sync_api.expect(page.locator("#session")).not_to_be_empty()
        page.evaluate("location.hash = '#/garage'")
        sync_api.expect(page.locator(".garage")).to_contain_text("your token is read-only")
        shown = opened(page, FIRST)
        shown.get_by_label("Another tag").fill("mine")
        shown.get_by_role("button", name="Tag it").click()
        sync_api.expect(shown.get_by_role("alert")).to_contain_text("Not allowed")
        page.get_by_text("Bring captures in").click()
        page.locator("#bring-files").set_input_files(
            {"name": "a.log", "mimeType": "text/plain", "buffer": CAPTURE.encode()}
        )
        sync_api.expect(page.locator(".jobs")).to_contain_text("Not taken")


def test_the_session_that_is_recorded_can_be_ended_by_who_says_so_twice(garage, open_page):
    page = open_page(f"{garage.url}/#/garage")
    ending = garage.json("/health")["recorder"]["session"]
    shown = opened(page, ending)
    shown.get_by_role("button", name="End this session").click()
    shown.get_by_role("button", name="End it").click()
    sync_api.expect(shown.locator(".how")).to_contain_text("ended")
    until(lambda: garage.json("/health")["recorder"]["session"] not in (None, ending), "another session")
    assert page.said == []
