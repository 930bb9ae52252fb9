"""The main job as a person does it: upload, columns, space, search, watch, pause, results, trial."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from tests.toy_dataset import toy_csv

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.slow]

PASSWORD = "correct horse battery staple"
SEARCH_TIMEOUT = 180_000
PRESS_TWICE = """() => {
  const form = document.querySelector("form[data-once]");
  const press = () => form.dispatchEvent(new SubmitEvent("submit", { bubbles: true, cancelable: true }));
  return [press(), press()];
}"""
"""Whether the first and the second press would send the form; neither does."""


@pytest.fixture
def signed_in_page(page: Page) -> Page:
    User.objects.create_user("ada", password=PASSWORD)
    page.goto("/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile(r"/$"))
    return page


def test_from_a_csv_to_a_leaderboard(signed_in_page: Page, tmp_path: Path) -> None:
    page = signed_in_page
    csv = tmp_path / "clicks.csv"
    csv.write_bytes(toy_csv())

    page.goto("/datasets/upload/")
    page.locator("input[type=file]").set_input_files(csv)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("heading", name="What is in clicks.csv?")).to_be_visible()
    page.get_by_role("button", name="Read the dataset").click()
    start = page.get_by_role("link", name="Start a search")
    expect(start).to_be_visible()
    expect(page.locator(".chart svg.main-svg").first).to_be_visible()

    page.goto("/spaces/new/")
    page.get_by_role("link", name="demo", exact=True).click()
    size = page.locator("#space-size")
    before = size.inner_text()
    page.locator("label", has_text=re.compile(r"^GAT$")).click()
    expect(size).not_to_have_text(before)
    page.get_by_label("Name", exact=True).fill("without attention")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("without attention").first).to_be_visible()

    page.goto("/datasets/")
    page.get_by_role("link", name="clicks").click()
    start.click()
    expect(page.get_by_role("heading", name="New search")).to_be_visible()
    assert page.evaluate(PRESS_TWICE) == [True, False]
    page.reload()
    page.get_by_label("Search space").select_option(label="without attention, version 1")
    page.get_by_label("Name").fill("first search")
    page.get_by_label(re.compile("Trials")).fill("4")
    page.get_by_label(re.compile("Parallel trials")).fill("2")
    page.get_by_text("Advanced: how quality is judged").click()
    page.get_by_label(re.compile("epochs", re.IGNORECASE)).fill("40")
    page.get_by_label(re.compile("Patience")).fill("40")
    page.get_by_label(re.compile("Seeds")).fill("2")
    page.get_by_role("button", name="Start search").dblclick()
    expect(page).to_have_url(re.compile(r"/searches/\d+/$"))
    expect(page.get_by_role("heading", name=re.compile("first search"))).to_be_visible()
    expect(page.locator("[data-live-chart] svg.main-svg").first).to_be_visible()

    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()

    # Nothing is reloaded from here: the page follows the search by itself.
    expect(page.locator("h1 .badge")).to_have_text("Finished", timeout=SEARCH_TIMEOUT)
    expect(page.get_by_role("status").filter(has_text=re.compile(r"'s best, trial \d+, scores 0\.\d+ NDCG@20 on test"))).to_be_visible()
    leaderboard = page.locator("section", has=page.get_by_role("heading", name="Leaderboard"))
    for baseline in ("Popularity", "ItemKNN", "GF-CF", "EASE", "iALS"):
        expect(leaderboard.get_by_role("row", name=re.compile(baseline))).to_be_visible()
    expect(leaderboard.get_by_role("row", name=re.compile(r"Trial \d"))).to_have_count(8)  # four of each arm
    expect(leaderboard.get_by_role("columnheader", name="Test NDCG@20")).to_be_visible()

    leaderboard.get_by_role("link", name=re.compile(r"Trial \d")).first.click()
    expect(page.get_by_role("heading", name=re.compile(r"Trial \d"))).to_be_visible()
    expect(page.locator(".chart svg.main-svg").first).to_be_visible()
    for metric in ("Precision", "Recall", "F1", "NDCG"):
        expect(page.get_by_role("row", name=re.compile(metric)).first).to_be_visible()

    page.goto("/searches/")
    expect(page.get_by_role("link", name="first search")).to_have_count(1)


BAD_FILES = {
    "empty.csv": (b"", "empty"),
    "picture.csv": (b"\x89PNG\r\n\x1a\n" + bytes(200), "not text|binary|picture|PNG"),
    "one_row.csv": (b"user,item\nann,book\n", "at least"),
    "one_column.csv": (b"user\nann\nbob\ncid\n", "column"),
}
"""File name -> (content, what the message must speak of)."""


def test_a_file_that_cannot_be_a_dataset_is_explained(signed_in_page: Page, tmp_path: Path) -> None:
    page = signed_in_page
    for name, (content, message) in BAD_FILES.items():
        file = tmp_path / name
        file.write_bytes(content)
        page.goto("/datasets/upload/")
        page.locator("input[type=file]").set_input_files(file)
        page.get_by_role("button", name="Upload").click()
        read = page.get_by_role("button", name="Read the dataset")
        alert = page.locator(".alert-danger:visible, .invalid-feedback:visible, .errorlist:visible")
        expect(read.or_(alert).first).to_be_visible()
        if read.is_visible() and not alert.count():
            read.click()
        expect(alert.first).to_have_text(re.compile(message, re.IGNORECASE))
        expect(page.get_by_role("link", name="Start a search")).to_have_count(0)
