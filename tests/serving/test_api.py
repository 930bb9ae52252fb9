"""Recommendations over the API, from a real scoring process."""

from __future__ import annotations

from collections.abc import Callable
from subprocess import Popen
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from gnn import bundle
from tests.serving.conftest import question
from tests.waiting import wait_for
from tests.webapp.test_model_services import bundle_file
from webapp.embedded import home_folder
from webapp.enums import Scope
from webapp.services.models import model_import, model_promote

Headers = Callable[..., dict[str, str]]
BASE = "/api/v1/models/films"


@pytest.fixture
def model(scoring: Popen[bytes]) -> bundle.recommend.Model:
    """The model that is served, as its bundle says: users a to d, items i0 to i5; a has i0 and i1."""
    version = model_import(owner=None, file=bundle_file())
    model_promote(owner=None, version_id=version.pk)
    wait_for(lambda: question("films").status == 200, what="the model to be served")
    return bundle.load(home_folder() / "models" / version.digest).model


@pytest.mark.slow
def test_every_operation(client: Client, headers: Headers, model: bundle.recommend.Model) -> None:
    token = headers()

    def get(place: str, query: dict[str, Any]) -> Any:
        response = client.get(f"{BASE}/{place}", query, headers=token)
        assert response.status_code == 200, response.content
        return response.json()

    def post(place: str, body: dict[str, Any]) -> Any:
        response = client.post(f"{BASE}/{place}", body, content_type="application/json", headers=token)
        assert response.status_code == 200, response.content
        return response.json()

    def pairs(found: Any) -> list[tuple[str, float]]:
        return [(item["item"], item["score"]) for item in found["items"]]

    found = get("recommend", {"user": "a", "k": 3})
    assert found["items"] and pairs(found) == model.recommend("a", 3)
    assert found == post("recommend", {"user": "a", "k": 3})
    assert pairs(get("recommend", {"user": "a", "allow": ["i2", "i3"], "deny": ["i3", "i4"]})) == [
        pair for pair in model.recommend("a", 6) if pair[0] == "i2"
    ]
    assert get("recommend", {"user": "a", "exclude_seen": False, "explain": True, "mmr_lambda": 1})["items"][0]["because"] is not None
    assert [found["user"] for found in post("recommend/users", {"users": ["a", "b"]})["lists"]] == ["a", "b"]
    assert pairs(post("recommend/new", {"items": ["i1", "i2"]})) == model.recommend_new(["i1", "i2"], 20)
    assert [item for item, _ in pairs(get("similar", {"item": "i1"}))] == [item for item, _ in model.similar("i1", 20)]
    score = post("scores", {"pairs": [["a", "i5"]]})["pairs"][0]["score"]
    assert score == pytest.approx(float(model.scores("a")[5]), abs=1e-6)
    assert get("recommend", {"user": "nobody"})["source"] == "popularity"

    for place, query, status in (
        ("recommend", {"user": "a", "k": 0}, 422),
        ("recommend", {"user": "a", "k": 1_000_000}, 422),
        ("recommend", {"user": "a", "k": "many"}, 422),
        ("recommend", {}, 422),
        ("recommend", {"user": ""}, 422),
        ("recommend", {"user": "a", "mmr_lambda": 2}, 422),
        ("recommend", {"user": "a", "mmr_lambda": "nan"}, 422),
        ("recommend", {"user": "a", "where": "genre=drama"}, 422),
        ("recommend", {"user": "nobody", "fallback": "none"}, 404),
        ("similar", {"item": "zzz"}, 404),
    ):
        refused = client.get(f"{BASE}/{place}", query, headers=token)
        assert refused.status_code == status, (query, refused.content)
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert refused.json()["detail"]
    for place, body in (
        ("recommend/users", {"users": []}),
        ("recommend/new", {"items": []}),
        ("scores", {"pairs": [["a"]]}),
        ("recommend", [1]),
    ):
        assert client.post(f"{BASE}/{place}", body, content_type="application/json", headers=token).status_code == 422
    assert client.get("/api/v1/models/other/recommend", {"user": "a"}, headers=token).status_code == 404
    odd = client.get(f"{BASE}/recommend", {"user": "\x00\N{CLAPPER BOARD} 'a\";"}, headers=token)
    assert (odd.status_code, odd.json()["source"]) == (200, "popularity")
    half = client.post(f"{BASE}/recommend", b'{"user": "\\ud83c"}', content_type="application/json", headers=token)
    assert half.status_code in (400, 422)


@pytest.mark.slow
def test_an_unchanged_answer_is_not_sent_again(
    client: Client, headers: Headers, model: bundle.recommend.Model, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    token = headers()
    first = client.get(f"{BASE}/recommend", {"user": "a"}, headers=token)
    with django_assert_num_queries(0):  # who asks is known for a second
        again = client.get(f"{BASE}/recommend", {"user": "a"}, headers=token | {"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    other = client.get(f"{BASE}/recommend", {"user": "b"}, headers=token | {"If-None-Match": first.headers["ETag"]})
    assert other.status_code == 200
    model_promote(owner=None, version_id=model_import(owner=None, file=bundle_file(1)).pk)
    wait_for(lambda: question("films", known=[question("films").etag]).status == 304)

    def changed() -> bool:
        answer = client.get(f"{BASE}/recommend", {"user": "a"}, headers=token | {"If-None-Match": first.headers["ETag"]})
        return answer.status_code == 200 and answer.json()["version"] == 2

    wait_for(changed, what="the promoted version to answer")


def test_who_may_ask(client: Client, headers: Headers, transactional_db: None) -> None:
    assert client.get(f"{BASE}/recommend", {"user": "a"}).status_code == 401
    assert client.get(f"{BASE}/recommend", {"user": "a"}, headers=headers(Scope.READ)).status_code == 403


def test_without_a_scoring_process_it_says_when_to_ask_again(client: Client, headers: Headers, transactional_db: None) -> None:
    response = client.get(f"{BASE}/recommend", {"user": "a"}, headers=headers())
    assert (response.status_code, response.headers["Retry-After"]) == (503, "2")
    assert "scoring process" in response.json()["detail"]


def test_a_token_is_held_to_its_rate(client: Client, headers: Headers, transactional_db: None, settings: Any) -> None:
    settings.RECSMITH_RATE_LIMIT = 3
    token, other = headers(), headers()
    answers = [client.get(f"{BASE}/recommend", {"user": "a"}, headers=token) for _ in range(20)]
    limited = [answer for answer in answers if answer.status_code == 429]
    assert limited
    assert {answer.status_code for answer in answers} == {503, 429}
    assert limited[0].headers["Retry-After"] == "1"
    assert client.get(f"{BASE}/recommend", {"user": "a"}, headers=other).status_code == 503
