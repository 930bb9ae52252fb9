"""Answers of the scoring process, against the bundle's own script and against sums by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gnn.bundle.recommend import Model
from serving.attributes import ItemAttributes
from serving.selection import mmr
from serving.served import Served, Split
from tests.serving.worlds import ITEMS, asked, make_served, pairs, told
from webapp.selectors.experiments import in_treatment

FEW = ["i3", "i5", "i8"]


@pytest.fixture(params=[False, True], ids=["no bias", "bias"])
def served(request: pytest.FixtureRequest) -> Served:
    return make_served(item_bias=request.param)


@pytest.mark.parametrize("k", [1, 10, 299, 1000])
@pytest.mark.parametrize("exclude_seen", [True, False])
def test_lists_are_those_of_the_script_in_the_bundle(served: Served, k: int, exclude_seen: bool) -> None:
    model: Model = served.model
    for user in model.user_ids:
        found = told(served, "user", user=user, k=k, exclude_seen=exclude_seen)
        assert pairs(found) == model.recommend(user, k, exclude_seen=exclude_seen)
        assert (found["source"], found["user"], found["version"]) == ("model", user, 1)
    new = told(served, "new", items=FEW, k=k, exclude_seen=exclude_seen)
    assert (pairs(new), new["source"]) == (model.recommend_new(FEW, k, exclude_seen=exclude_seen), "fold_in")
    similar = told(served, "similar", item="i7", k=k)
    assert [item for item, _ in pairs(similar)] == [item for item, _ in model.similar("i7", k)]
    np.testing.assert_allclose([score for _, score in pairs(similar)], [score for _, score in model.similar("i7", k)], atol=1e-6)


def test_a_list_of_users_gives_the_list_of_each(served: Served) -> None:
    users = ["u2", "nobody", "u0", "u2"] * 40  # more than are multiplied at once
    found = told(served, "users", users=users, explain=True)
    assert [each["user"] for each in found["lists"]] == users
    for each in found["lists"][:3] + found["lists"][-3:]:
        alone = told(served, "user", user=each["user"], explain=True)
        assert (each["source"], each["empty"]) == (alone["source"], alone["empty"])
        assert [item["item"] for item in each["items"]] == [item["item"] for item in alone["items"]]
        assert [item["because"] for item in each["items"]] == [item["because"] for item in alone["items"]]
        # Numbers are added in another order.
        assert [item["score"] for item in each["items"]] == pytest.approx([item["score"] for item in alone["items"]], abs=1e-5)
    assert asked(served, "users", users=["u0", "nobody"], fallback="none").status == 404
    assert [each["source"] for each in told(served, "users", users=["nobody", "no"])["lists"]] == ["popularity"] * 2


def test_scores_are_dot_products_and_say_what_is_unknown(served: Served) -> None:
    found = told(served, "scores", pairs=[["u1", "i4"], ["u1", "zzz"], ["nobody", "zzz"], ["u0", "i1"]])["pairs"]
    assert [pair["unknown"] for pair in found] == [[], ["item"], ["user", "item"], []]
    assert [pair["score"] is None for pair in found] == [False, True, True, False]
    assert found[0]["score"] == pytest.approx(float(served.users[1] @ served.items[4]), abs=1e-6)
    assert found[3]["score"] == pytest.approx(float(served.users[0] @ served.items[1]), abs=1e-6)


def test_the_fallback_is_the_most_popular_and_says_so(served: Served) -> None:
    found = told(served, "user", user="nobody", k=5)
    counts = np.bincount(served.model.tensors["seen_items"], minlength=ITEMS)
    by_hand = sorted(range(ITEMS), key=lambda code: (-counts[code], code))[:5]
    assert found["source"] == "popularity"
    assert pairs(found) == [(f"i{code}", float(counts[code])) for code in by_hand]
    assert told(served, "new", items=["zzz"])["source"] == "popularity"
    refused = asked(served, "user", user="nobody", fallback="none")
    assert (refused.status, refused.body) == (404, b"")
    assert "'nobody'" in refused.message
    assert asked(served, "new", items=["zzz"], fallback="none").status == 404


def test_what_the_model_does_not_know_is_named(served: Served) -> None:
    assert asked(served, "similar", item="zzz").status == 404
    found = asked(served, "user", user="u0")
    assert found.status == 200
    other = {"kind": "user", "model": "other", "user": "u0"}
    assert asked(served, **other).status == 404  # type: ignore[arg-type]
    assert told(served, "new", items=[*FEW, "zzz"], deny=["yyy"])["ignored"] == ["zzz", "yyy"]


def test_allowed_and_denied_items(served: Served) -> None:
    allowed = [f"i{code}" for code in range(20, 60)]
    found = told(served, "user", user="u1", allow=[*allowed, "zzz"], deny=["i21"], k=50, exclude_seen=False)
    everything = served.model.recommend("u1", ITEMS, exclude_seen=False)
    assert pairs(found) == [pair for pair in everything if pair[0] in allowed and pair[0] != "i21"]
    assert found["ignored"] == ["zzz"]


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ({"user": "u6"}, "The user has every item"),
        ({"user": "u1", "allow": []}, "The filters leave no item"),
        ({"user": "u1", "allow": ["i2"], "deny": ["i2"]}, "The filters leave no item"),
        ({"user": "nobody", "allow": ["zzz"]}, "The filters leave no item"),
    ],
)
def test_an_empty_list_says_why(served: Served, question: dict[str, Any], reason: str) -> None:
    for more in ({}, {"mmr_lambda": 0.5}, {"explain": True}):
        found = told(served, "user", **question, **more)
        assert found["items"] == []
        assert found["empty"].startswith(reason)


def test_items_are_filtered_by_attributes() -> None:
    values = {
        "genre": {"comedy": np.arange(0, ITEMS, 2), "drama": np.arange(0, ITEMS, 3)},
        "decade": {"1990": np.arange(0, ITEMS, 5)},
    }
    titles = [f"Film {code}" if code % 2 == 0 else None for code in range(ITEMS)]
    served = make_served(attributes=ItemAttributes(titles, values))
    found = told(served, "user", user="u0", k=ITEMS, where=["genre=comedy", "genre=drama", "decade=1990"], exclude_seen=False)
    codes = {int(item[1:]) for item, _ in pairs(found)}
    assert codes == {code for code in range(ITEMS) if (code % 2 == 0 or code % 3 == 0) and code % 5 == 0}
    assert all(item.get("title") == (f"Film {item['item'][1:]}" if int(item["item"][1:]) % 2 == 0 else None) for item in found["items"])
    assert told(served, "user", user="u0", where=["genre=western"])["empty"].startswith("The filters")
    for where in (["length=90"], ["genre"]):
        assert asked(served, "user", user="u0", where=where).status == 422
    assert "has decade, genre" in asked(served, "user", user="u0", where=["length=90"]).message
    assert "has none" in asked(make_served(), "user", user="u0", where=["length=90"]).message


def test_mmr_by_hand() -> None:
    scores = np.array([1.0, 0.9, 0.5, 0.0])
    similarity = np.array([[1, 1, 0, 0.5], [1, 1, 0, 0.5], [0, 0, 1, 0], [0.5, 0.5, 0, 1]])
    # With 0.5: after the first, values are (0.45 - 0.5, 0.25 - 0, 0 - 0.25), then (-0.05, -0.25): the second is the first's twin.
    assert mmr(scores, similarity, 3, 0.5).tolist() == [0, 2, 1]
    assert mmr(scores, similarity, 4, 1.0).tolist() == [0, 1, 2, 3]
    assert mmr(scores, similarity, 3, 0.0).tolist() == [0, 2, 3]


def test_diversity_takes_twins_apart() -> None:
    served = make_served()
    alone = told(served, "user", user="u0", k=20, mmr_lambda=1.0, exclude_seen=False)
    assert pairs(alone) == served.model.recommend("u0", 20, exclude_seen=False)

    def likeness(found: dict[str, Any]) -> float:
        some = served.model.directions[[int(item[1:]) for item, _ in pairs(found)]]
        return float((some @ some.T)[np.triu_indices(len(some), 1)].mean())

    spread = [likeness(told(served, "user", user="u0", k=20, mmr_lambda=weight, exclude_seen=False)) for weight in (1.0, 0.5, 0.1)]
    assert spread[0] > spread[1] > spread[2]
    # Two items that are the same: one of them is enough.
    twins = told(
        served, "new", items=["i0"], allow=["i0", "i1", *(f"i{code}" for code in range(50, 150))], k=5, exclude_seen=False, mmr_lambda=0.3
    )
    assert not {"i0", "i1"} <= {item for item, _ in pairs(twins)}


def test_reasons_are_the_most_similar_of_the_users_items(served: Served) -> None:
    found = told(served, "user", user="u3", k=4, explain=True)
    has = served.model.seen(3)
    vectors = served.items[:, :-1] if served.model.item_bias else served.items
    for item in found["items"]:
        vector = vectors[int(item["item"][1:])].astype(float)
        cosines = {f"i{code}": vector @ vectors[code] / np.linalg.norm(vector) / np.linalg.norm(vectors[code]) for code in has}
        alike = {name: cosine for name, cosine in cosines.items() if cosine > 0}
        expected = sorted(alike, key=lambda name: -alike[name])[:3]
        assert [reason["item"] for reason in item["because"]] == expected
        for reason in item["because"]:
            assert reason["similarity"] == pytest.approx(alike[reason["item"]], abs=1e-5)
            assert reason["share"] == pytest.approx(alike[reason["item"]] / sum(alike.values()), abs=1e-5)
    assert all(item["because"] == [] for item in told(served, "user", user="nobody", explain=True)["items"])


def test_the_etag_is_of_version_and_question() -> None:
    first = asked(make_served(), "user", user="u0")
    assert first.etag == asked(make_served(), "user", user="u0").etag
    others = {
        asked(make_served(), "user", user="u1").etag,
        asked(make_served(), "user", user="u0", k=11).etag,
        asked(make_served(1), "user", user="u0").etag,
        asked(make_served(number=2), "user", user="u0").etag,
    }
    assert len(others - {first.etag}) == 4
    unchanged = asked(make_served(), "user", user="u0", known=["x", first.etag])
    assert (unchanged.status, unchanged.body) == (304, b"")


def test_history_offers_users_to_try(served: Served) -> None:
    found = told(served, "history", user="u2", k=3)
    assert [item["item"] for item in found["items"]] == [f"i{code}" for code in served.model.seen(2)[:3]]
    assert (found["known"], found["total"], found["sample"]) == (True, 5, served.model.user_ids)
    assert told(served, "history", user="")["user"] == "u0"
    assert not told(served, "history", user="nobody")["known"]


def test_in_an_experiment_each_user_gets_the_same_version_however_asked() -> None:
    served, treatment = make_served(), make_served(1, number=2)
    served.split = Split(1, "salt", 50, treatment)
    users = served.model.user_ids + [f"new {number}" for number in range(20)]
    expected = {user: 2 if in_treatment("salt", 50, user) else 1 for user in users}
    assert set(expected.values()) == {1, 2}
    together = told(served, "users", users=[*users, *users], k=5)
    assert [each["user"] for each in together["lists"]] == [*users, *users]
    for each in together["lists"]:
        alone = told(served, "user", user=each["user"], k=5)
        assert each["version"] == alone["version"] == expected[each["user"]]
        assert [item["item"] for item in each["items"]] == [item["item"] for item in alone["items"]]
    in_second = next(user for user in served.model.user_ids if expected[user] == 2)
    assert asked(served, "user", user=in_second, k=5) == asked(treatment, "user", user=in_second, k=5)
    assert told(served, "user", user=in_second, split=False)["version"] == 1
    for kind, question in (("new", {"items": FEW}), ("similar", {"item": "i1"}), ("scores", {"pairs": [[in_second, "i1"]]})):
        assert told(served, kind, **question)["version"] == 1


def test_who_is_known(served: Served) -> None:
    found = told(served, "known", users=["u1", "nobody", "u1"], items=["i1", "x"])
    assert (found["users"], found["items"]) == ([True, False, True], [True, False])
