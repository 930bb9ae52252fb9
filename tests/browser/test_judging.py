"""Judging what a search found: leaderboard, compare, a trial's page, one change of a choice."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from gnn.slices import Slice, Slices
from tests.browser.test_main_job import signed_in_page  # noqa: F401 (a fixture)
from tests.webapp.factories import make_baseline, make_curve, make_search, make_trials
from webapp.enums import SearchState
from webapp.models import Trial

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.slow]


def test_from_the_leaderboard_to_a_comparison_and_a_change(signed_in_page: Page) -> None:  # noqa: F811
    page = signed_in_page
    search = make_search(name="Shop", state=SearchState.PAUSED)
    first, second = make_trials(search, [0.31, 0.29])
    Trial.objects.filter(pk=second.pk).update(architecture=first.architecture | {"learning_rate": 0.03})
    parts = [Slice(1, 9, 40, {"ndcg@20": (0.2, 0.01)}), Slice(10, 80, 38, {"ndcg@20": (0.4, 0.02)})]
    Trial.objects.filter(pk=first.pk).update(slices=Slices({"ndcg@20": 0.01}, parts).to_json())
    for trial in (first, second):
        make_curve(trial, [0.1, 0.2, 0.3])
    make_baseline(search, "ease", 0.30)

    page.goto(f"/searches/{search.pk}/leaderboard/")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.nth(1)).to_contain_text("[0.2904, 0.3296]")
    page.get_by_label("Metric", exact=True).select_option("recall")  # sends the form by itself
    expect(page.get_by_role("heading", name="Ranked by Recall@20 on validation")).to_be_visible()
    for number in (1, 2):
        page.get_by_label(f"Compare trial {number}", exact=True).check()
    page.get_by_role("button", name="Compare the ticked").click()

    expect(page.get_by_role("heading", name="Compare 2 trials")).to_be_visible()
    expect(page.locator(".chart svg.main-svg").first).to_be_visible()
    expect(page.locator("tr.differs")).to_have_count(1)
    page.locator("table").first.get_by_role("link", name="Trial 1").click()

    for heading in ("Whom it serves", "Change one choice", "Recommendations"):  # read when they come into view
        page.mouse.wheel(0, 3000)
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
    expect(page.locator("[data-chart=activity-valid] svg.main-svg").first).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("Learning rate.*0.03.*-0.0200"))).to_be_visible()
    page.get_by_label("The change").select_option(index=0)
    page.get_by_role("button", name="Train it").click()
    expect(page.get_by_text("Trial 3 is queued: trial 1 with one choice changed.")).to_be_visible()
