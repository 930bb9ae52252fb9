"""A session that ends in the middle of a form takes nothing of what was typed with it."""

from __future__ import annotations

from html import unescape
from re import search as find
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tests.webapp.factories import make_dataset, make_space
from tests.webapp.test_searches_pages import form_data
from webapp.models import Search, SpaceVersion

PASSWORD = "correct horse battery staple"


@pytest.fixture
def typed(signed_in: Client, user: User) -> dict[str, Any]:
    """What somebody has typed into the form of a new search when the session ends."""
    user.set_password(PASSWORD)
    user.save()
    signed_in.force_login(user)
    data = form_data(
        signed_in, dataset=make_dataset().pk, name="Long thought about", planned_trials=17, objectives="ndcg@20 1\nrecall@20 2"
    )
    signed_in.logout()
    return data


def sign_in(client: Client, page: Any, **changes: str) -> Any:
    """Fill in the login page that came instead."""
    text = page.content.decode().partition("<h1")[2]  # below the bar, whose form of the language has an address too
    hidden = {name: unescape(find(f'name="{name}" value="([^"]*)"', text).group(1)) for name in ("next", "kept")}  # type: ignore[union-attr]
    return client.post(reverse("login"), hidden | {"username": "ada", "password": PASSWORD} | changes)


def test_what_was_typed_comes_back_after_the_login_and_starts_nothing_by_itself(client: Client, typed: dict[str, Any]) -> None:
    page = client.post(reverse("search_new"), typed)
    assert "what you typed is kept" in page.content.decode()
    assert not client.session.keys(), "nothing is stored for a stranger"
    answer = sign_in(client, page)
    assert answer.headers["Location"] == reverse("search_new")
    form = client.get(reverse("search_new")).context["form"]
    assert (form["name"].value(), form["planned_trials"].value()) == ("Long thought about", "17")
    assert form["objectives"].value() == "ndcg@20 1\nrecall@20 2"
    assert not Search.objects.exists()
    client.post(reverse("search_new"), {name: form[name].value() or "" for name in form.fields})
    assert Search.objects.get().name == "Long thought about"
    assert not client.get(reverse("search_new")).context["form"].is_bound, "it comes back once"


def test_a_wrong_password_in_between_loses_nothing(client: Client, typed: dict[str, Any]) -> None:
    page = sign_in(client, client.post(reverse("search_new"), typed), password="wrong")
    assert page.status_code == 200
    sign_in(client, page)
    assert client.get(reverse("search_new")).context["form"]["name"].value() == "Long thought about"


def test_the_form_of_a_space_outlives_the_session_too(client: Client, typed: dict[str, Any]) -> None:
    space = make_space(name="Mine")
    url = reverse("space", args=[space.pk])
    sign_in(client, client.post(url, {"name": "Ours", "source": "ticks", "seen": "1", "node_dim": ["16", "48"]}))
    form = client.get(url).context["form"]
    assert (form["name"].value(), form["node_dim"].value()) == ("Ours", ["16", "48"])
    assert SpaceVersion.objects.count() == 1


def test_what_was_kept_is_for_its_own_page_alone(client: Client, typed: dict[str, Any]) -> None:
    sign_in(client, client.post(reverse("search_new"), typed))
    assert not client.get(reverse("space_new")).context["form"].is_bound
    assert not client.get(reverse("search_new"), {"split": "temporal"}).context["form"].is_bound


def test_a_form_open_while_somebody_signs_in_elsewhere_comes_back_filled_in(user: User, static_files: None, typed: dict[str, Any]) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user)
    page = strict.post(reverse("search_new"), typed | {"csrfmiddlewaretoken": "x" * 64}, follow=True)
    assert page.redirect_chain == [(reverse("search_new"), 302)]
    assert page.context["form"]["name"].value() == "Long thought about"
    assert not Search.objects.exists()
    assert strict.post(reverse("dataset_delete", args=[1])).status_code == 403


def test_parts_of_a_form_are_not_replaced_by_the_login_page(client: Client, db: None) -> None:
    for name in ("space_size", "space_preview", "search_summary"):
        answer = client.post(reverse(name), headers={"HX-Request": "true"})
        assert (answer.status_code, answer.content) == (401, b"")


def test_a_content_too_long_to_keep_is_dropped_and_the_login_still_works(client: Client, typed: dict[str, Any]) -> None:
    page = client.post(reverse("search_new"), typed | {"name": "x" * 400_000})
    assert 'name="kept"' not in page.content.decode()
    answer = client.post(reverse("login"), {"username": "ada", "password": PASSWORD, "kept": "x" * 400_000})
    assert answer.status_code == 302 and "kept_form" not in client.session
