"""A search that somebody watches: the page follows it, and leaves alone what the reader is doing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, Request, expect

from tests.webapp.factories import make_baseline, make_search, make_trials
from webapp.models import Arm, ControllerReport, Search

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

FIRST_TRIALS = 60


@pytest.fixture
def search(transactional_db: None) -> Search:
    search = make_search(name="Watched", planned_trials=500)
    make_trials(search, [0.2 + 0.001 * index for index in range(FIRST_TRIALS)])
    make_baseline(search, "ease", 0.21)
    Arm.objects.create(search=search, name="controller", proposed=FIRST_TRIALS, told=FIRST_TRIALS)
    marginals = {"node_dim": [0.2, 0.3, 0.5], "edge_dim": [0.5, 0.5], "layers": [0.2, 0.3, 0.5]}
    marginals |= {f"{name}.{layer}": [0.25] * 4 for name in ("operator", "activation") for layer in (1, 2, 3)}
    marginals |= {"combination": [0.25] * 4, "dropout": [0.2, 0.3, 0.5], "l2": [0.2, 0.3, 0.5], "loss": [1.0]}
    marginals |= {"temperature": [0.2, 0.3, 0.5], "learning_rate": [0.2, 0.3, 0.5]}
    ControllerReport.objects.create(search=search, told=5, diagnostics={"entropy": 0.9, "kl": 0.01}, marginals=marginals)
    return search


@pytest.fixture
def page(browser: Browser, live_server: Any, signed_in: Client, settings: Any) -> Iterator[Page]:
    """A page of a phone's width, on which an error in the console fails the test."""
    # The server of tests knows static files by their own names alone.
    settings.STORAGES = settings.STORAGES | {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    complaints: list[str] = []
    context = browser.new_context(base_url=live_server.url, viewport={"width": 600, "height": 800})
    context.add_cookies([{"name": "sessionid", "value": signed_in.cookies["sessionid"].value, "url": live_server.url}])
    context.add_init_script("Object.defineProperty(document, 'hidden', { get: () => window.isHidden === true });")
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []


def ended(search: Search, count: int, *, start: int) -> None:
    """More trials end while the page is open."""
    make_trials(search, [0.1] * count, start=start)


def all_trials(page: Page, count: int) -> None:
    """Wait until the table has been fetched again."""
    expect(page.locator("#trials").get_by_role("link", name=re.compile(rf"^All {count}$"))).to_be_visible()


def test_a_refresh_keeps_ticks_focus_and_the_places_scrolled_to(page: Page, search: Search) -> None:
    page.goto(f"/searches/{search.pk}/?sort=number")
    box = page.get_by_label("Select trial 3", exact=True)
    box.check()
    box.focus()
    page.locator("#trials-scroll").evaluate("element => element.scrollTo(150, 0)")
    before = page.evaluate("[scrollY, document.querySelector('#trials-scroll').scrollLeft]")
    assert before[0] > 500 and before[1] == 150
    page.evaluate("document.querySelector('#trials-scroll').dataset.old = 'yes'")

    ended(search, 4, start=FIRST_TRIALS + 1)
    all_trials(page, FIRST_TRIALS + 4)
    assert page.locator("#trials-scroll").get_attribute("data-old") is None  # it is another element now
    expect(box).to_be_checked()
    expect(box).to_be_focused()
    after = page.evaluate("[scrollY, document.querySelector('#trials-scroll').scrollLeft]")
    assert after[1] == 150
    assert abs(after[0] - before[0]) < 150  # what is above may have grown by a line


def test_a_refresh_waits_for_a_selection_of_text(page: Page, search: Search) -> None:
    page.goto(f"/searches/{search.pk}/?sort=number")
    page.evaluate("getSelection().selectAllChildren(document.querySelector('#trials td.architecture'))")
    page.evaluate("window.chosen = String(getSelection())")
    assert len(page.evaluate("window.chosen")) > 10
    ended(search, 4, start=FIRST_TRIALS + 1)
    # Numbers follow at once; what is being read does not change under the reader.
    expect(page.locator("[data-live=done]")).to_have_text(str(FIRST_TRIALS + 4))
    page.wait_for_timeout(4000)
    assert page.evaluate("String(getSelection()) === window.chosen")
    expect(page.locator("#trials").get_by_role("link", name=f"All {FIRST_TRIALS}", exact=True)).to_be_visible()
    page.evaluate("getSelection().removeAllRanges()")
    all_trials(page, FIRST_TRIALS + 4)


def test_a_refresh_keeps_open_what_was_opened(page: Page, search: Search) -> None:
    page.goto(f"/searches/{search.pk}/")
    page.locator("#controller").scroll_into_view_if_needed()
    updates = page.locator("#controller-updates")
    updates.locator("summary").click()
    expect(updates.locator(".chart svg.main-svg").first).to_be_visible()
    page.locator("#controller-title").evaluate("element => { element.dataset.old = 'yes'; document.activeElement.blur(); }")
    ended(search, 4, start=FIRST_TRIALS + 1)
    expect(page.locator("#controller-title[data-old]")).to_have_count(0)
    expect(updates).to_have_attribute("open", "")
    expect(updates.locator(".chart svg.main-svg").first).to_be_visible()


def test_trials_on_different_pages_of_the_table_are_compared(page: Page, search: Search) -> None:
    page.goto(f"/searches/{search.pk}/?sort=number")
    compare = page.get_by_role("button", name="Compare")
    expect(compare).to_be_disabled()
    page.get_by_label("Select trial 2", exact=True).check()
    page.get_by_role("navigation", name="Pages of trials").get_by_role("link", name="3").click()
    page.get_by_label("Select trial 60", exact=True).check()
    expect(page.locator("[data-selected]")).to_have_text("2")
    page.reload()
    expect(page.get_by_label("Select trial 60", exact=True)).to_be_checked()
    compare.click()
    ids = [str(search.trials.get(number=number).pk) for number in (60, 2)]
    expect(page).to_have_url(re.compile(rf"/compare/\?trial={ids[0]}&trial={ids[1]}$"))


def test_filters_and_columns_go_to_the_url_and_stay_after_a_reload(page: Page, search: Search) -> None:
    page.goto(f"/searches/{search.pk}/")
    page.get_by_text("Filter", exact=True).click()
    page.locator("select[name='d.combination']").select_option("sum")
    page.get_by_text("Columns", exact=True).click()
    page.get_by_label("Recall@20", exact=True).check()
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("#trials").get_by_role("columnheader", name="Recall@20")).to_be_visible()
    expect(page).to_have_url(re.compile(r"d\.combination=sum"))
    shown = page.locator("#trials .panel-foot").last.inner_text()
    page.reload()
    expect(page.locator("#trials").get_by_role("columnheader", name="Recall@20")).to_be_visible()
    assert page.locator("#trials .panel-foot").last.inner_text() == shown
    page.get_by_role("link", name="Remove the filter Layer combination: sum").click()
    all_trials(page, FIRST_TRIALS)


def test_the_page_follows_within_two_seconds_and_asks_rarely_while_hidden(page: Page, search: Search) -> None:
    asked: list[str] = []

    def note(request: Request) -> None:
        if "/live/" in request.url:
            asked.append(request.url)

    page.goto(f"/searches/{search.pk}/")
    page.on("request", note)
    page.wait_for_timeout(5000)
    assert len(asked) >= 2  # every 1.5 s, and the time that answers take
    page.evaluate("window.isHidden = true")
    page.wait_for_timeout(2000)  # what was planned before
    asked.clear()
    page.wait_for_timeout(6000)
    assert asked == []
    page.evaluate("() => { window.isHidden = false; document.dispatchEvent(new Event('visibilitychange')); }")
    page.wait_for_timeout(1000)
    assert asked


@pytest.mark.parametrize("name", ["parallel", "slice", "contour", "pareto", "distribution"])
def test_figures_are_drawn_and_drawn_again(page: Page, search: Search, name: str) -> None:
    page.goto(f"/searches/{search.pk}/analysis/{name}/")
    expect(page.locator(".chart svg.main-svg").first).to_be_visible()
    page.get_by_label("Arm", exact=True).select_option("controller")
    page.get_by_role("button", name="Draw").click()
    expect(page).to_have_url(re.compile(r"arm=controller"))
    expect(page.locator(".chart svg.main-svg").first).to_be_visible()
