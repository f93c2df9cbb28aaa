"""The coach on the page: what it says is the API's, who says it is said, and each claim leads to its plot."""

from __future__ import annotations

import re

import orjson
import pytest

from tests.page.stage import FIRST, LAPTOP, PHONE, SIDEWAYS, needs_chromium, needs_page, sticks_out, violations
from tests.serve.model_server import model_server
from tests.serve.stand import SID
from tests.serve.test_coach import GOOD, coached

sync_api = pytest.importorskip("playwright.sync_api", reason="the Python package playwright is not installed")
pytestmark = [needs_chromium, needs_page]

HOSTILE = "<img src=x onerror=alert(1)>"
LOSING = "Where do I lose the most?"


def test_the_debrief_is_the_api_s_and_each_claim_leads_to_its_plot(recorded, open_page):
    page = open_page(f"{recorded.url}/#/coach?session={FIRST}")
    told = recorded.json(f"/coach/debrief?session={FIRST}")
    assert told["points"]
    sync_api.expect(page.locator(".talk .words")).to_have_text(told["words"])
    sync_api.expect(page.locator(".talk .who")).to_contain_text("By the rules")
    sync_api.expect(page.locator(".point")).to_have_count(len(told["points"]))
    point, first = told["points"][0], page.locator(".point").first
    sync_api.expect(first.locator(".worth")).to_have_text(f"{point['worth_s']:.2f} s a lap")
    link = next(one for one in point["links"] if one["lap"] != told["best_lap"])
    shown = first.get_by_role("link", name=re.compile(f"Lap {link['lap']} beside the best"))
    href = shown.get_attribute("href")
    assert href == (
        f"#/compare?laps={FIRST}%3Abest%2C{FIRST}%3A{link['lap']}"
        f"&from={round(max(0, link['distance_m'] - 150))}&to={round(link['distance_m'] + 250)}"
    )
    shown.click()
    sync_api.expect(page).to_have_url(f"{recorded.url}/{href}")
    assert page.said == []


def test_the_brief_is_in_the_words_for_the_chosen_driver(recorded, open_page):
    page = open_page(f"{recorded.url}/#/coach?session={FIRST}&talk=brief")
    for level in ("novice", "advanced"):
        page.get_by_label("For a driver who is").select_option(level)
        told = recorded.json(f"/coach/brief?session={FIRST}&level={level}")
        sync_api.expect(page.locator(".talk .words")).to_have_text(told["words"])
    assert page.said == []


def test_what_is_asked_is_answered_from_the_data_and_stays_for_the_visit(recorded, open_page):
    page = open_page(f"{recorded.url}/#/coach?session={FIRST}")
    page.get_by_role("button", name=LOSING).click()
    newest = page.locator(".question").first
    sync_api.expect(newest.locator("h3")).to_have_text(LOSING)
    sync_api.expect(newest.locator(".words")).to_contain_text("You lose the most at")
    sync_api.expect(newest.locator(".who")).to_contain_text("By the rules")
    sync_api.expect(newest.locator(".figures a").first).to_have_attribute("href", re.compile(f"#/compare.laps={FIRST}"))
    field = page.get_by_label("A question about this session")
    field.fill(HOSTILE)
    field.press("Enter")
    sync_api.expect(page.locator(".question")).to_have_count(2)
    sync_api.expect(newest.locator("h3")).to_have_text(HOSTILE)
    sync_api.expect(newest.locator(".words")).to_contain_text("can't be answered")
    sync_api.expect(field).to_have_value("")
    page.evaluate("location.hash = '#/signals'")
    sync_api.expect(page.locator(".signals")).to_be_visible()
    page.evaluate("location.hash = '#/coach'")
    sync_api.expect(page.locator(".question")).to_have_count(2)
    assert page.locator("img").count() == 0
    assert page.said == []


def test_a_model_s_words_are_said_to_be_a_model_s(open_page):
    with model_server("well", GOOD) as model, coached(model.settings()) as stand:
        page = open_page(f"http://127.0.0.1:{stand.port}/#/coach?session={SID}")
        sync_api.expect(page.locator(".talk .words")).to_have_text(GOOD)
        sync_api.expect(page.locator(".talk .who")).to_contain_text("Worded by the model, every number checked")
        assert page.said == []


def test_words_are_shown_as_they_come_and_a_pending_answer_is_asked_for_again(recorded, open_page):
    page = open_page(f"{recorded.url}/#/signals")
    rules = recorded.json(f"/coach/debrief?session={FIRST}")
    worded = {**rules, "source": "model", "why": None, "words": "In a model's words."}
    answers = [{**rules, "pending": True, "why": "it is still writing"}, worded]
    asked = []

    def answer(route) -> None:
        asked.append(route.request.url)
        last = answers[min(len(asked), len(answers)) - 1]
        events = [("rules", {**rules, "pending": True}), ("words", {"words": "In a"}), ("answer", last)]
        body = ": ping\n\n" + "".join(
            f"id: -\nevent: {kind}\ndata: {orjson.dumps(said).decode()}\n\n" for kind, said in events
        )
        route.fulfill(body=body, content_type="text/event-stream")

    page.route("**/coach/debrief*", answer)
    page.evaluate(f"location.hash = '#/coach?session={FIRST}'")
    sync_api.expect(page.locator(".talk .words")).to_have_text("In a model's words.")
    assert len(asked) == 2
    assert page.said == []


def test_a_model_that_fails_a_server_that_is_gone_and_too_many_questions_are_told(open_page):
    with model_server("is broken") as model, coached(model.settings()) as stand:
        page = open_page(f"http://127.0.0.1:{stand.port}/#/coach?session={SID}")
        who = page.locator(".talk .who")
        sync_api.expect(who).to_contain_text(re.compile(r"By the rules \(.*model"))
        problem = {
            "type": "urn:pitwall:problem:too-often",
            "status": 429,
            "detail": "the coach was asked 20 times",
            "hint": "wait 2 s",
        }
        page.route(
            "**/coach/ask",
            lambda route: route.fulfill(
                status=429, body=orjson.dumps(problem), content_type="application/problem+json"
            ),
        )
        page.get_by_role("button", name=LOSING).click()
        newest = page.locator(".question").first
        sync_api.expect(newest.get_by_role("alert")).to_contain_text(
            "Asked too often. the coach was asked 20 times wait 2 s"
        )
        page.unroute("**/coach/ask")
        page.route(
            "**/coach/ask", lambda route: route.fulfill(body="event: rules\ndata: ", content_type="text/event-stream")
        )
        page.get_by_role("button", name=LOSING).click()
        sync_api.expect(newest.get_by_role("alert")).to_contain_text("broke off")
        page.unroute("**/coach/ask")
        page.route("**/coach/ask", lambda route: route.abort())
        newest.get_by_role("button", name="Ask again").click()
        sync_api.expect(newest.get_by_role("alert")).to_contain_text("does not answer")
        page.unroute("**/coach/ask")
        newest.get_by_role("button", name="Ask again").click()
        sync_api.expect(newest.locator(".words")).to_contain_text("You lose the most at T5")
        assert page.said == []


@pytest.mark.parametrize(("size", "scheme"), [(LAPTOP, "light"), (PHONE, "dark"), (SIDEWAYS, "light")])
def test_nothing_sticks_out_and_axe_finds_nothing(recorded, open_page, size, scheme):
    page = open_page(f"{recorded.url}/#/coach?session={FIRST}", size, color_scheme=scheme)
    page.get_by_role("button", name=LOSING).click()
    sync_api.expect(page.locator(".question .figures").first).to_be_visible()
    sync_api.expect(page.locator(".point").first).to_be_visible()
    assert not sticks_out(page)
    assert violations(page) == []
    assert page.said == []
