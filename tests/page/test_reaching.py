"""How the page is reached: offline, by seven tabs at once, with a token and without, from another address, by a server
that was killed; and what it says meanwhile."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
from pathlib import Path

import pytest

from tests.page.stage import (
    FIRST,
    LAPTOP,
    PHONE,
    ROOT,
    address,
    needs_chromium,
    needs_page,
    pitwall,
    serving,
    stop,
    until,
    violations,
)

sync_api = pytest.importorskip("playwright.sync_api", reason="the Python package playwright is not installed")
pytestmark = [needs_chromium, needs_page]

TOKEN = "a-token-for-the-tests-of-the-page"


def rate(page) -> float:
    """Frames a second, as the page says them."""
    return float(page.locator("#rate").inner_text().replace("–", "0"))


def test_it_opens_where_nothing_answers_and_says_so(drives, tmp_path, open_page):
    shutil.copytree(drives, tmp_path, dirs_exist_ok=True)
    with serving(tmp_path, "serve", "--port", "0") as server:
        page = open_page(server.url)
        sync_api.expect(page.locator("#session")).not_to_be_empty()
        until(lambda: page.evaluate("navigator.serviceWorker.controller !== null"), "the service worker")
    page.goto("about:blank")
    page.goto(f"{server.url}/#/signals")
    sync_api.expect(page.locator("#state")).to_have_text("server gone")
    sync_api.expect(page.locator("#gone")).to_contain_text("goes on by itself")
    assert violations(page) == []
    with serving(tmp_path, "serve", "--port", server.url.rpartition(":")[2]):
        sync_api.expect(page.locator("#gone")).to_be_hidden()
        sync_api.expect(page.locator("#state")).to_have_text("session ended")


def test_it_can_be_installed(recorded, open_page):
    page = open_page(recorded.url)
    devtools = page.context.new_cdp_session(page)
    told = devtools.send("Page.getAppManifest")
    assert told["errors"] == []
    assert '"standalone"' in told["data"]
    until(lambda: page.evaluate("navigator.serviceWorker.controller !== null"), "the service worker")
    wrong = devtools.send("Page.getInstallabilityErrors")["installabilityErrors"]
    assert [one for one in wrong if one["errorId"] != "in-incognito"] == []


def test_seven_tabs_have_one_stream_between_them(driving, open_page):
    first = open_page(f"{driving.url}/#/signals")
    tabs = [first, *(first.context.new_page() for _ in range(6))]
    for tab in tabs[1:]:
        tab.goto(f"{driving.url}/#/signals")
    for tab in tabs:
        tab.bring_to_front()
        sync_api.expect(tab.locator("#state")).to_have_text("recording")
        sync_api.expect(tab.locator(".signal").first).to_have_attribute("data-is", "now")
    assert driving.json("/health")["streams"]["open"] == 1


def test_who_has_no_token_is_asked_for_one_and_let_in_by_it(drives, tmp_path, open_page):
    shutil.copytree(drives, tmp_path, dirs_exist_ok=True)
    with serving(tmp_path, "serve", "--port", "0", "--host", "0.0.0.0", PITWALL_TOKEN=TOKEN) as server:
        page = open_page(server.url)
        sync_api.expect(page).to_have_url(re.compile("/login$"))
        assert violations(page) == []
        page.get_by_label("Token").fill("not the token, but as long as one")
        page.get_by_role("button", name="Enter").click()
        sync_api.expect(page.get_by_role("alert")).to_contain_text("no longer")
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Enter").click()
        sync_api.expect(page.locator("#state")).to_have_text("session ended")
        assert page.evaluate("document.cookie") == ""  # no script can read it


def test_a_link_lets_one_browser_in_once_and_a_spectator_s_reads(drives, tmp_path, open_page):
    shutil.copytree(drives, tmp_path, dirs_exist_ok=True)
    with serving(tmp_path, "serve", "--port", "0", "--host", "0.0.0.0", PITWALL_TOKEN=TOKEN) as server:
        asked = pitwall(tmp_path, "token", "link", "--tokens", str(tmp_path / "tokens.json"), "--read-only")
        said, _ = asked.communicate(timeout=60)
        code = re.search(r"/login#(\S+)", said)
        assert code, said
        page = open_page(f"{server.url}/login#{code[1]}")
        sync_api.expect(page.locator("#session")).not_to_be_empty()
        refused = page.evaluate(
            "fetch('/session/_live/notes', {method: 'POST', headers: {'Content-Type': 'application/json'}, "
            'body: \'{"text": "x"}\'}).then(answer => answer.status)'
        )
        assert refused == 403
        other = open_page(f"{server.url}/login#{code[1]}")
        sync_api.expect(other.get_by_role("alert")).to_contain_text("no longer")


def test_the_garage_shows_a_qr_code_that_opens_it_on_another_device(drives, tmp_path, open_page):
    shutil.copytree(drives, tmp_path, dirs_exist_ok=True)
    with serving(tmp_path, "serve", "--port", "0", "--host", "0.0.0.0", PITWALL_TOKEN=TOKEN) as server:
        page = open_page(f"{server.url}/login")
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Enter").click()
        sync_api.expect(page.locator("#session")).not_to_be_empty()
        page.goto(f"{server.url}/#/garage?show=machine")
        page.locator("#make-link").click()
        sync_api.expect(page.get_by_role("img", name="QR code of the link")).to_be_visible()
        url = page.locator("#link").inner_text()
        assert violations(page) == []
        other = open_page(f"{server.url}/login#{url.partition('#')[2]}", PHONE)
        sync_api.expect(other.locator("#session")).not_to_be_empty()
        assert other.evaluate("fetch('/token').then(answer => answer.json())")["read_only"] is True
        other.goto(f"{server.url}/#/garage?show=machine")
        other.locator("#make-link").click()
        sync_api.expect(other.locator(".elsewhere [role=alert]")).to_contain_text("Not allowed")
        assert page.said == []


def test_a_server_for_this_machine_alone_says_how_others_could_reach_it(recorded, open_page):
    page = open_page(f"{recorded.url}/#/garage?show=machine")
    page.locator("#make-link").click()
    told = page.locator(".elsewhere [role=alert]")
    sync_api.expect(told).to_contain_text("for this machine alone")
    sync_api.expect(told).to_contain_text("--host 0.0.0.0")


def own_address() -> str | None:
    """An address of this machine that is not its loopback; None: it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        try:
            line.connect(("192.0.2.1", 9))  # nothing is sent
        except OSError:
            return None
        found = str(line.getsockname()[0])
    return None if found.startswith("127.") else found


@pytest.mark.skipif(own_address() is None, reason="this machine has its loopback alone")
def test_over_plain_http_from_another_address_it_is_a_plain_page(drives, tmp_path, open_page):
    shutil.copytree(drives, tmp_path, dirs_exist_ok=True)
    with serving(tmp_path, "serve", "--port", "0", "--host", "0.0.0.0", PITWALL_TOKEN=TOKEN) as server:
        port = server.url.rpartition(":")[2]
        page = open_page(f"http://{own_address()}:{port}", PHONE)
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Enter").click()
        sync_api.expect(page.locator("#state")).to_have_text("session ended")
        assert page.evaluate("window.isSecureContext") is False
        assert page.said == []


def test_a_server_that_is_killed_comes_back_and_the_page_goes_on(driving, open_page):
    page = open_page(f"{driving.url}/#/signals", LAPTOP)
    sync_api.expect(page.locator(".signal").first).to_have_attribute("data-is", "now")
    session = page.locator("#session").inner_text()
    pid = driving.json("/health")["processes"]["server"]["pid"]
    os.kill(pid, signal.SIGKILL)
    sync_api.expect(page.locator("#state")).to_have_text("server gone")
    # its supervisor starts it again
    sync_api.expect(page.locator("#state")).to_have_text("recording")
    sync_api.expect(page.locator("#gone")).to_be_hidden()
    sync_api.expect(page.locator(".signal").first).to_have_attribute("data-is", "now")
    assert page.locator("#session").inner_text() == session
    assert driving.json("/health")["processes"]["server"]["pid"] != pid


def test_a_hot_edit_is_seen_without_a_reload(tmp_path, open_page):
    cars = tmp_path / "mine"
    shutil.copytree(ROOT / "cars", cars)
    definition = cars / "bmw-e46-m3" / "car.yaml"
    process = pitwall(tmp_path, "run", "--simulate", "--port", "0", "--tokens", str(tmp_path / "t.json"), cars=cars)
    try:
        page = open_page(f"{address(process)}/#/signals")
        sync_api.expect(page.locator(".signal").first).to_have_attribute("data-is", "now")
        page.evaluate("window.stays = true")
        text = definition.read_text()
        definition.write_text(text.replace("combo_g:", "sum_of_g:", 1))
        sync_api.expect(page.locator(".signal .name", has_text="sum_of_g")).to_be_visible()
        assert page.evaluate("window.stays") is True
        definition.write_text(text.replace("combo_g:", "combo_g: [", 1))
        sync_api.expect(page.locator("#wrong")).to_contain_text("car.yaml:")
        sync_api.expect(page.locator(".signal .name", has_text="sum_of_g")).to_be_visible()  # what was valid goes on
        definition.write_text(text)
        sync_api.expect(page.locator("#wrong")).to_be_hidden()
        sync_api.expect(page.locator(".signal .name", has_text="combo_g")).to_be_visible()
    finally:
        stop(process)


def test_a_session_of_the_past_is_shown_as_it_ended(recorded, open_page):
    page = open_page(f"{recorded.url}/#/signals", PHONE)
    sync_api.expect(page.locator("#state")).to_have_text("session ended")
    assert page.evaluate("document.getElementById('session').textContent") > FIRST
    assert page.said == []


def test_what_was_built_holds_no_address_of_another_host():
    built = Path(ROOT / "pitwall" / "web" / "built")
    for file in built.rglob("*"):
        if file.suffix in {".js", ".css", ".html"}:
            found = set(re.findall(r"https?://[\w.-]+", file.read_text()))
            assert found <= {"http://www.w3.org"}, file
