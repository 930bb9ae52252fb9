"""The space builder in a real browser: values, order, files, and where JSON is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.webapp.factories import make_dataset
from webapp.models import Search, Space

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


@pytest.fixture
def builder(settings: Any, live_server: LiveServer, browser: Browser, signed_in: Client) -> Iterator[Page]:
    """A signed-in page of the web process alone; no worker is needed."""
    settings.STORAGES = settings.STORAGES | {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    context = browser.new_context(base_url=live_server.url, viewport={"width": 1400, "height": 1000})
    context.add_cookies([{"name": "sessionid", "value": signed_in.cookies["sessionid"].value, "url": live_server.url}])
    yield context.new_page()
    context.close()
    with connection.cursor() as cursor:  # the server's threads keep theirs, so that the test database could not be dropped
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_choices_are_added_removed_and_put_in_order(builder: Page) -> None:
    page = builder
    page.goto("/spaces/new/?preset=lightgcn-family")
    card = page.locator("[data-card]", has=page.locator("legend", has_text=re.compile("^Node embedding size$")))
    card.locator("[data-more]").fill("48, 24")
    card.locator("[data-more]").press("Enter")
    expect(card.locator("input:checked + label")).to_have_text(["24", "32", "48", "64", "128", "256"])
    expect(card.get_by_text("6 choices, each drawn with 16.7 %.")).to_be_visible()
    for gone in ("128", "256", "64", "32"):
        card.locator("label", has_text=re.compile(f"^{gone}$")).click()
    card.get_by_role("button", name="Order").click()
    card.get_by_role("button", name="Move 48 earlier").click()
    expect(card.locator("input:checked + label")).to_have_text(["48", "24"])
    page.get_by_label("Name", exact=True).fill("Mine")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Space 'Mine' is saved.")).to_be_visible()
    decisions = Space.objects.get().versions.get().document["decisions"]
    assert next(decision["choices"] for decision in decisions if decision["name"] == "node_dim") == [48, 24]


def test_a_file_is_imported_and_the_line_that_is_wrong_is_shown(builder: Page, tmp_path: Path) -> None:
    page = builder
    page.goto("/spaces/new/")
    file = tmp_path / "space.json"
    file.write_text('{"schema": 1, "decisions": [\n  {"name": "node_dim", "choices": [16, 32]},\n  {"name": "head", "choices": [1]}\n]}')
    page.locator("label", has_text="JSON").first.click()
    page.locator("[data-import]").set_input_files(file)
    expect(page.locator("#errors-document")).to_contain_text("Line 3: Unknown decision 'head'")
    page.get_by_role("button", name="Go to line 3").click()
    selected = "() => { const a = document.activeElement; return a.value.slice(a.selectionStart, a.selectionEnd); }"
    assert page.evaluate(selected) == '  {"name": "head", "choices": [1]}'
    file.write_text(file.read_text().replace("head", "dropout").replace("[1]", "[0.1, 0.2]"))
    page.locator("[data-import]").set_input_files(file)
    expect(page.locator("#space-size")).to_have_text(re.compile(r"4\s+architectures"))
    with page.expect_download() as download:
        page.get_by_role("button", name="Export as a file").click()
    assert json.loads(Path(download.value.path()).read_text()) == json.loads(file.read_text())


def test_another_architecture_is_drawn_on_demand(builder: Page) -> None:
    page = builder
    page.goto("/spaces/new/")
    words = page.locator(".architecture-words")
    expect(page.locator("#preview svg").first).to_be_visible()
    first = words.inner_text()
    page.get_by_role("button", name="Draw another").click()
    expect(words).not_to_have_text(first)


def test_a_double_click_starts_one_search_and_back_tells_of_it(builder: Page) -> None:
    page = builder
    make_dataset(name="Movies", profile={"users": 900, "items": 1700, "pairs": 100_000})
    page.goto("/searches/new/")
    page.locator("#id_dataset").select_option(label="Movies")
    expect(page.locator("#summary")).to_contain_text("The whole search, at most about")
    page.get_by_role("button", name="Start search").dblclick()
    expect(page).to_have_url(re.compile(r"/searches/\d+/$"))
    assert Search.objects.count() == 1
    page.go_back()
    expect(page.get_by_role("heading", name="New search")).to_be_visible()
    page.locator("#id_dataset").select_option(label="Movies")
    expect(page.locator("#summary")).to_contain_text("A search with these very settings is under way already")
