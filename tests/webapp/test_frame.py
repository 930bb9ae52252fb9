"""What every page has: the login, the policy, the frame, the error pages."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.template.loader import render_to_string
from django.test import Client
from django.urls import get_resolver, reverse
from django.urls.resolvers import URLPattern

from tests.webapp.factories import make_search, make_space, make_trials, make_worker
from webapp.enums import DatasetState, RunState, SearchState
from webapp.templatetags.display import STATE_LOOKS, duration, mean_sd, score, thousands

ROOT = Path(__file__).parents[2]
OWN_WORDS = {
    "worker_action": {"action": "drain"},
    "annotation_archive": {"action": "archive", "kind": "search"},
    "annotation_note": {"kind": "search"},
    "annotation_tags": {"kind": "search"},
}
"""Parts of addresses that are words of their page alone."""
OPEN_TO_ALL = {"login", "logout", "welcome", "healthz", "set_language", "script_texts"}


def test_home_without_anything_teaches_the_first_steps(signed_in: Client) -> None:
    text = signed_in.get("/").content.decode()
    assert "Start here" in text
    assert text.index("Upload a dataset") < text.index("Choose what to search") < text.index("Start a search")
    assert "No worker is running" in text


def test_home_with_searches_shows_them_and_no_lesson(signed_in: Client) -> None:
    make_worker()
    make_trials(make_search(name="Evening run"), [0.25, None])
    text = signed_in.get("/").content.decode()
    assert "Evening run" in text and "0.2500" in text and "2/10" in text and "(1 failed)" in text
    assert "Start here" not in text and "No worker is running" not in text


@pytest.mark.parametrize(
    ("name", "above"), [("activity", "home"), ("api:docs", "home"), ("compare", "searches"), ("find", "home"), ("space_changes", "spaces")]
)
def test_a_page_below_another_leads_back_to_it(signed_in: Client, name: str, above: str) -> None:
    crumbs = signed_in.get(reverse(name)).content.decode().partition('<ol class="breadcrumb">')[2].partition("</ol>")[0]
    assert f'<a href="{reverse(above)}">' in crumbs and 'aria-current="page"' in crumbs


def test_every_page_but_the_doors_asks_for_a_login(client: Client, db: None) -> None:
    trial = make_trials(make_search(), [0.2])[0]
    space = make_space(name="S")
    known = {
        "worker_id": 1,
        "subject_id": 1,
        "kind": "csv",
        "search_id": trial.search_id,
        "number": trial.number,
        "name": "films",
        "space_id": space.pk,
        "dataset_id": trial.search.dataset_id,
        "action": "pause",
        "batch_id": 1,
        "experiment_id": 1,
        "file_id": 1,
        "token_id": 1,
        "upload_id": uuid.uuid4(),
    }
    checked = 0
    for pattern in get_resolver().url_patterns:
        if not isinstance(pattern, URLPattern) or pattern.name is None or pattern.name in OPEN_TO_ALL:
            continue
        wanted = pattern.pattern.regex.groupindex
        own = OWN_WORDS.get(pattern.name, {})
        url = reverse(pattern.name, kwargs={name: (known | own)[name] for name in wanted})
        response = client.get(url)
        assert (response.status_code, response.headers.get("Location")) == (302, f"{reverse('login')}?next={url}"), pattern.name
        checked += 1
    assert checked >= 15


def test_healthz_is_open_and_says_ok(client: Client, db: None) -> None:
    response = client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_every_page_carries_a_strict_policy(signed_in: Client) -> None:
    policy = signed_in.get("/").headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy


def test_templates_have_no_inline_script_and_no_other_host() -> None:
    for path in (ROOT / "templates").rglob("*.html"):
        text = path.read_text()
        for script in re.findall(r"<script[^>]*>", text):
            assert "src=" in script or "application/json" in script, f"{path}: {script}"
        assert not re.search(r"\son[a-z]+=|hx-on|javascript:", text), path
        assert not re.search(r"(src|href|action)=\"(https?:)?//", text), path


def test_own_scripts_and_styles_ask_no_other_host() -> None:
    for folder in ("js", "css"):
        for path in (ROOT / "static" / folder).iterdir():
            assert not re.search(r"https?://|\beval\(|new Function|\.innerHTML", path.read_text()), path


def test_every_vendored_library_has_its_licence() -> None:
    folders = [folder for folder in (ROOT / "static" / "vendor").iterdir() if folder.is_dir()]
    assert len(folders) >= 4
    for folder in folders:
        assert re.search(r"-\d+\.\d+", folder.name), folder
        assert (folder / "LICENSE").read_text().strip(), folder


def test_every_icon_in_use_is_in_the_sprite() -> None:
    sprite = (ROOT / "static/vendor/bootstrap-icons-1.13.2/icons.svg").read_text()
    known = set(re.findall(r'<symbol id="([^"]+)"', sprite))
    used = set()
    for path in (ROOT / "templates").rglob("*.html"):
        used |= set(re.findall(r'{% icon "([^"]+)"', path.read_text())) | set(re.findall(r'symbol="([^"]+)"', path.read_text()))
    used |= set(re.findall(r'\("[a-z]+", "([^"]+)"\)', (ROOT / "webapp/templatetags/display.py").read_text()))
    assert len(used) > 10
    assert used <= known


def test_every_state_has_a_look() -> None:
    states = {*DatasetState.values, *SearchState.values, *RunState.values}
    assert states - set(STATE_LOOKS) == set()


def test_a_wrong_address_gets_our_page(signed_in: Client) -> None:
    response = signed_in.get("/searches/987654321/")
    assert response.status_code == 404
    assert "There is nothing at this address" in response.content.decode()


def test_a_form_without_its_token_changes_nothing(user: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    search = make_search()
    response = client.post(reverse("search_action", args=[search.pk, "stop"]))
    assert response.status_code == 403
    assert "This form has expired" in response.content.decode()
    search.refresh_from_db()
    assert search.state == "running"


def test_the_error_page_needs_neither_database_nor_request() -> None:
    assert "Something went wrong on the server" in render_to_string("500.html")


def test_navigation_marks_where_the_reader_is(signed_in: Client) -> None:
    text = signed_in.get(reverse("spaces")).content.decode()
    assert re.findall(r'<a class="nav-link active" href="([^"]+)" aria-current="page">', text) == [reverse("spaces")]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0.04, "0.0 s"),
        (9.96, "10.0 s"),
        (42, "42 s"),
        (200, "3 min 20 s"),
        (3599.6, "1 h 00 min"),
        (7500, "2 h 05 min"),
        (273_600, "3 d 4 h"),
    ],
)
def test_durations_in_words(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_numbers_in_words() -> None:
    assert (score(0.28), score(None), thousands(1234567), thousands(None)) == ("0.2800", "–", "1,234,567", "–")
    assert (mean_sd((0.3, 0.01), 3), mean_sd((0.3, 0.0), 1), mean_sd(None)) == ("0.3000 ± 0.0100", "0.3000", "–")
