"""Two versions of a model side by side."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from tests.webapp.test_model_services import bundle_file
from webapp.models import ModelVersion
from webapp.services.models import model_import, model_promote

pytestmark = pytest.mark.django_db


@pytest.fixture
def pair() -> tuple[ModelVersion, ModelVersion]:
    """The second has another operator in its second layer and other scores."""
    first, second = (model_import(owner=None, file=bundle_file(seed)) for seed in (0, 1))
    second.document["architecture"] |= {"operator.2": "gat", "heads.2": 2}
    second.document["metrics"]["scores"]["test"]["ndcg@20"] = {"mean": 0.35, "sd": 0.02}
    second.document["metrics"]["interval"] = None
    second.save()
    return first, second


def lines(client: Client, **query: object) -> dict[str, tuple[str, str, bool]]:
    """Label -> what the first and the second version have, and whether that is said to differ."""
    body = client.get(reverse("model_compare", args=["films"]), query).content.decode()
    found = {}
    for row in re.findall(r"<tr>\s*<th scope=\"row\".*?</tr>", body, flags=re.DOTALL):
        cells = [" ".join(re.sub(r"<[^>]+>", "", cell).split()) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)]
        label, first, second = cells
        found[label.removesuffix(" differs")] = (first, second, label.endswith(" differs"))
    return found


def test_what_two_versions_have_and_where_they_differ(signed_in: Client, pair: tuple[ModelVersion, ModelVersion]) -> None:
    found = lines(signed_in, first=1, second=2)
    assert found["Test NDCG@20"] == ("0.3100 ± 0.0100", "0.3500 ± 0.0200", True)
    assert found["Validation NDCG@20"] == ("0.3100 ± 0.0100", "0.3100 ± 0.0100", False)
    assert found["Interval of the test score"] == ("0.2900 – 0.3300", "–", True)
    assert found["Network structure, layer 1"] == ("GCN", "GCN", False)
    assert found["Network structure, layer 2"] == ("LightGCN", "GAT", True), "what is left out is at its default"
    assert found["Attention heads, layer 2"] == ("–", "2", True), "LightGCN has none"
    assert found["SHA-256 of the interactions"] == ("ab" * 32, "ab" * 32, False)
    assert found["torch"] == ("2.13.0", "2.13.0", False)
    assert lines(signed_in, first=2, second=1)["Network structure, layer 2"] == ("GAT", "LightGCN", True)


def test_without_a_choice_the_served_version_is_compared_with_the_newest(
    signed_in: Client, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    for seed in (2, 3):
        model_import(owner=None, file=bundle_file(seed))
    model_promote(owner=None, version_id=pair[1].pk)
    body = signed_in.get(reverse("model_compare", args=["films"]), {"first": "x", "second": "99"}).content.decode()
    assert re.findall(r'<option value="(\d)" selected>', body) == ["2", "4"]


def test_scores_of_different_data_are_said_not_to_compare(signed_in: Client, pair: tuple[ModelVersion, ModelVersion]) -> None:
    url = reverse("model_compare", args=["films"])
    assert "do not compare" not in signed_in.get(url).content.decode()
    pair[1].document["data"]["sha256"] = "cd" * 32
    pair[1].save()
    assert "do not compare" in signed_in.get(url).content.decode()


def test_one_version_has_nothing_beside_it(signed_in: Client) -> None:
    model_import(owner=None, file=bundle_file())
    assert "no two built versions" in signed_in.get(reverse("model_compare", args=["films"])).content.decode()
    assert "/compare/" not in signed_in.get(reverse("model", args=["films"])).content.decode()
    assert signed_in.get("/models/nothing/compare/").status_code == 404


def test_a_comparison_takes_few_queries(
    signed_in: Client, pair: tuple[ModelVersion, ModelVersion], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(6):
        signed_in.get(reverse("model_compare", args=["films"]))
    assert reverse("model_compare", args=["films"]) in signed_in.get(reverse("model", args=["films"])).content.decode()
