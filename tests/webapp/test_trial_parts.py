from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from gnn.catalogue import build_space
from gnn.slices import Slice, Slices
from gnn.space import SearchSpace
from tests.webapp.factories import make_baseline, make_finalist, make_search, make_trial, make_trials
from webapp.charts.slices import slice_bars
from webapp.enums import ArmName, ModelState, RunState, SearchState
from webapp.models import Baseline, FinalistRun, Model, ModelVersion, Search, Trial
from webapp.scoring import Answer, ScoringDown
from webapp.selectors.ablation import ablations, alternatives, only_difference, varied
from webapp.selectors.slices import averaged

pytestmark = pytest.mark.django_db

SPACE = build_space({"node_dim": (8, 16, 32), "layers": (1, 2), "operator": ("lightgcn", "gcn"), "learning_rate": (0.01, 0.02)})
BASE = {"node_dim": 8, "layers": 1, "operator.1": "lightgcn", "learning_rate": 0.01}


def part(client: Client, name: str, trial: Trial) -> str:
    answer = client.get(reverse(name, args=[trial.search_id, trial.number]))
    assert answer.status_code == 200
    return answer.content.decode()


def slices(*means: float, metric: str = "ndcg@20") -> dict[str, Any]:
    parts = [Slice(10 * index + 1, 10 * index + 10, 5, {metric: (mean, 0.01)}) for index, mean in enumerate(means)]
    shares = [Slice(part.low, part.high, part.size, {"recall@20": pair}) for part in parts for pair in part.values.values()]
    return Slices({metric: 0.01}, parts, shares).to_json()


def test_seeds_are_averaged_slice_by_slice() -> None:
    both = averaged([one for one in map(Slices.from_json, (slices(0.1, 0.3), slices(0.3, 0.5))) if one])
    assert both is not None
    assert [part.values["ndcg@20"] for part in both.activity] == [pytest.approx((0.2, 0.01)), pytest.approx((0.4, 0.01))]
    assert [part.values["recall@20"][0] for part in both.popularity] == pytest.approx([0.2, 0.4])
    assert averaged([]) is None


def test_bars_carry_half_of_a_95_percent_interval() -> None:
    found = Slices.from_json(slices(0.1, 0.3))
    assert found is not None
    (bars,) = slice_bars([("Trial 1", found.activity), ("Nobody", [])], "ndcg@20")
    assert (bars.x, bars.y) == (["1–10", "11–20"], [0.1, 0.3])
    assert bars.half == pytest.approx([0.0196, 0.0196], abs=1e-5)


def test_slices_of_a_finalist_stand_beside_the_best_baseline_once_the_search_is_over(signed_in: Client) -> None:
    search = make_search(state=SearchState.FINISHING)
    (trial,) = make_trials(search, [0.3])
    Trial.objects.update(slices=slices(0.11, 0.22))
    make_finalist(trial, [0.3, 0.3])
    FinalistRun.objects.update(test_slices=slices(0.33, 0.44))
    for name, test in (("popularity", 0.1), ("ease", 0.5)):
        make_baseline(search, name, 0.2, test=test)
    Baseline.objects.update(test_slices=slices(0.55, 0.66))
    text = part(signed_in, "trial_slices", trial)
    assert "0.1100 ± 0.0196" in text and "0.3300" not in text
    Search.objects.update(state=SearchState.FINISHED)
    text = part(signed_in, "trial_slices", trial)
    found = re.search(r'<script id="activity-test" type="application/json">(.*?)</script>', text, re.S)
    assert found is not None
    assert [(bars["name"], bars["y"]) for bars in json.loads(found[1])["data"]] == [("Trial 1", [0.33, 0.44]), ("EASE", [0.55, 0.66])]
    assert "By popularity of items, on test" in text


def test_a_trial_without_slices_says_so(signed_in: Client) -> None:
    search = make_search()
    scored = make_trials(search, [0.3])[0]
    assert "The values of single users were not kept for this trial" in part(signed_in, "trial_slices", scored)
    assert "Shown when the trial has a score." in part(signed_in, "trial_slices", make_trial(search, 2))


def test_one_difference_is_one_choice_and_what_follows_from_it() -> None:
    ours = np.array([0, 1, 2, -1])
    assert only_difference(ours, np.array([[1, 1, 2, -1], [1, 0, 2, -1], [0, 0, 2, 1], [0, 1, 2, -1]])).tolist() == [0, -1, 1, -1]


def searched(state: str = SearchState.RUNNING) -> tuple[Search, Trial]:
    """Trial 1 has 0.30; trial 2 is one choice away with 0.35, trial 3 two choices, trial 4 failed one choice away, trial 5 lies deeper."""
    search = make_search(space=SPACE.to_json(), state=state)
    trials = make_trials(search, [0.30, 0.35, 0.9, None, 0.10])
    others = ({}, {"node_dim": 16}, {"node_dim": 16, "learning_rate": 0.02}, {"learning_rate": 0.02}, {"layers": 2, "operator.2": "gcn"})
    for trial, change in zip(trials, others, strict=True):
        Trial.objects.filter(pk=trial.pk).update(architecture=BASE | change)
    return search, Trial.objects.select_related("search").get(pk=trials[0].pk)


def test_ablations_are_the_trials_one_choice_away_with_their_differences() -> None:
    _, trial = searched()
    rows = [
        (row.number, row.decision, row.choice, None if row.difference is None else round(row.difference, 6)) for row in ablations(trial)
    ]
    assert rows == [(5, "layers", 2, -0.2), (2, "node_dim", 16, 0.05), (4, "learning_rate", 0.02, None)]
    assert ablations(trial)[0].others == ("operator.2",)


def test_alternatives_are_the_other_choices_of_active_decisions() -> None:
    space = SearchSpace.from_json(SPACE.to_json())
    assert alternatives(space, BASE) == [("node_dim", [16, 32]), ("layers", [2]), ("operator.1", ["gcn"]), ("learning_rate", [0.02])]
    deeper = varied(space, BASE, "layers", 0)
    assert deeper is not None and deeper.to_json() == BASE | {"layers": 2, "operator.2": "lightgcn"}
    assert varied(space, BASE, "layers", 1) is None and varied(space, BASE, "operator.2", 0) is None


def test_a_change_is_trained_next_and_a_known_one_is_not(signed_in: Client) -> None:
    search, trial = searched()
    text = part(signed_in, "trial_ablations", trial)
    assert 'value="node_dim:1">Node embedding size: 32</option>' in text
    assert re.search(r"\+0\.0500</td>", text) and "and what follows from it" in text
    url = reverse("trial_vary", args=[search.pk, trial.number])
    answer = signed_in.post(url, {"change": "node_dim:1"})
    made = Trial.objects.get(search=search, number=6)
    assert answer["Location"] == reverse("trial", args=[search.pk, 6])
    assert (made.arm, made.state, made.architecture) == (ArmName.MANUAL, RunState.QUEUED, BASE | {"node_dim": 32})
    # Pressed twice, or something that is not offered: a message, and nothing more is queued.
    for change in ("node_dim:1", "node_dim:7", "nothing:0", "node_dim", "", "node_dim:²"):
        answer = signed_in.post(url, {"change": change}, follow=True)
        assert answer.redirect_chain == [(reverse("trial", args=[search.pk, trial.number]), 302)]
        assert ("has this architecture already" if change == "node_dim:1" else "Choose one of the changes") in answer.content.decode()
    assert Trial.objects.filter(search=search).count() == 6


def test_a_search_that_is_over_offers_a_clone_instead(signed_in: Client) -> None:
    search, trial = searched(SearchState.FINISHED)
    text = part(signed_in, "trial_ablations", trial)
    assert f"?clone={search.pk}" in text and "<select" not in text
    answer = signed_in.post(reverse("trial_vary", args=[search.pk, 1]), {"change": "node_dim:1"}, follow=True)
    assert "nothing more can be trained in it" in answer.content.decode()


def test_the_architecture_is_a_file_and_stands_on_the_page(signed_in: Client) -> None:
    _, trial = searched()
    answer = signed_in.get(reverse("trial_architecture", args=[trial.search_id, 1]))
    assert json.loads(answer.content) == BASE
    assert "attachment" in answer["Content-Disposition"]
    text = signed_in.get(reverse("trial", args=[trial.search_id, 1])).content.decode()
    assert "&quot;operator.1&quot;: &quot;lightgcn&quot;" in text
    assert "<title id=" in text and "<desc id=" in text


def test_the_failing_line_stands_by_itself(signed_in: Client) -> None:
    trial = make_trial(
        make_search(), 1, state=RunState.FAILED, failure="error", message="KeyError: 'oops'\ngnn/model.py, line 3, in build: x['oops']"
    )
    text = signed_in.get(reverse("trial", args=[trial.search_id, 1])).content.decode()
    assert re.search(r"Unexpected error\.</strong> KeyError: &#x27;oops&#x27;<pre[^>]*>gnn/model\.py, line 3, in build: ", text)


def version_of(trial: Trial, state: str) -> ModelVersion:
    model = Model.objects.create(name="toy")
    return ModelVersion.objects.create(model=model, number=1, search=trial.search, trial_number=trial.number, state=state, bundle_blob="x")


def test_recommendations_come_from_the_served_model(signed_in: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    search = make_search(state=SearchState.FINISHED)
    trial, other = make_trials(search, [0.3, 0.2])
    assert "The weights of a trial are not kept." in part(signed_in, "trial_samples", other)
    make_finalist(trial, [0.3])
    assert "Register this finalist as a model" in part(signed_in, "trial_samples", trial)
    version = version_of(trial, ModelState.READY)
    assert "is registered, but not promoted" in part(signed_in, "trial_samples", trial)
    ModelVersion.objects.update(state=ModelState.PROMOTED)

    def answered(question: dict[str, Any]) -> Answer:
        if question["kind"] == "history":
            return Answer(200, "", "", json.dumps({"sample": ["u1", "u2", "u3", "u4"]}).encode())
        lists = [{"user": user, "items": [{"item": f"best of {user}", "score": 0.5}], "empty": ""} for user in question["users"]]
        return Answer(200, "", "", json.dumps({"version": version.number, "lists": lists}).encode())

    monkeypatch.setattr("webapp.views.trial_parts.ask", answered)
    text = part(signed_in, "trial_samples", trial)
    assert "best of u1" in text and "best of u3" in text and "best of u4" not in text
    assert reverse("model_try", args=["toy"]) in text

    def down(question: dict[str, Any]) -> Answer:
        raise ScoringDown

    monkeypatch.setattr("webapp.views.trial_parts.ask", down)
    text = part(signed_in, "trial_samples", trial)
    assert "The scoring process does not answer." in text and reverse("model_try", args=["toy"]) in text


@pytest.mark.parametrize("name", ["trial_slices", "trial_samples", "trial_ablations", "trial_architecture"])
def test_wrong_numbers_are_not_found(signed_in: Client, name: str) -> None:
    search = make_search()
    assert signed_in.get(reverse(name, args=[search.pk, 7])).status_code == 404


def test_parts_take_a_constant_number_of_queries(signed_in: Client, django_assert_max_num_queries: Any) -> None:
    _, trial = searched()
    more = make_trials(trial.search, [0.1] * 40, start=10)
    Trial.objects.filter(pk__in=[row.pk for row in more]).update(architecture=BASE | {"node_dim": 32})
    for name in ("trial_slices", "trial_samples", "trial_ablations"):
        with django_assert_max_num_queries(6):
            part(signed_in, name, trial)
