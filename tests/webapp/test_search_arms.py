from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from scipy.stats import entropy, ttest_ind

from gnn.catalogue import build_space
from gnn.plan import Rungs, SearchPlan
from gnn.protocol import Protocol
from gnn.space import SearchSpace
from tests.webapp.factories import make_search, make_trial, make_trials
from webapp.charts.controllers import beliefs_figure, critic_figure, diagnostics_figure, entropy_figure, importance_figure, openness
from webapp.charts.rungs import Rungs as LadderData
from webapp.charts.rungs import rungs_figure
from webapp.models import Arm, ControllerReport, Search, Trial, TrialRung
from webapp.selectors.arms import REPORTS_SHOWN, CriticEffect, RungCell, arms_at_work, controller_reports, critic_effect, rung_rows

pytestmark = pytest.mark.django_db

SPACE = build_space({"node_dim": (16, 32), "layers": (1, 2), "operator": ("gcn", "gat")})


def make_arms(search: Search) -> list[Arm]:
    return [
        Arm.objects.create(search=search, name="random", proposed=3, told=2, epochs=1800, seconds=75, best_reward=0.25),
        Arm.objects.create(search=search, name="controller", proposed=4, told=3, epochs=90, seconds=7.25, best_reward=0.3125),
        Arm.objects.create(search=search, name="manual"),
    ]


def make_reports(search: Search, count: int) -> None:
    """The operator of layer 1 goes from even to sure of GAT; nothing else moves."""
    ControllerReport.objects.bulk_create(
        ControllerReport(
            search=search,
            told=told,
            diagnostics={"entropy": 0.7 - 0.001 * told, "repeat_rate": 0.0, "loss": -0.1},
            marginals={"node_dim": [0.5, 0.5], "layers": [0.5, 0.5], "operator.1": [1 - share, share], "operator.2": [0.5, 0.5]},
        )
        for told, share in ((told, 0.5 + 0.4 * told / count) for told in range(1, count + 1))
    )


def reach(trial: Trial, *rewards: float) -> None:
    for rung, reward in enumerate(rewards):
        TrialRung.objects.create(trial=trial, search=trial.search, arm=trial.arm, rung=rung, epochs=4 * 3**rung, seconds=1, reward=reward)


def test_arms_come_in_order_and_that_by_hand_only_once_it_is_used() -> None:
    search = make_search()
    make_arms(search)
    assert [arm.name for arm in arms_at_work(search)] == ["controller", "random"]
    Arm.objects.filter(name="manual").update(proposed=1)
    assert [arm.name for arm in arms_at_work(search)] == ["controller", "random", "manual"]


def test_rungs_are_counted_for_each_arm() -> None:
    search = make_search(plan=SearchPlan(rungs=Rungs(first=4, factor=3, count=3)).to_json(), protocol=Protocol(max_epochs=60))
    make_arms(search)
    first, second, third = make_trials(search, [0.2, 0.3, 0.1])
    Trial.objects.filter(pk=third.pk).update(arm="random")
    third.arm = "random"
    reach(first, 0.15, 0.2)
    reach(second, 0.12)
    reach(third, 0.4)
    rows = rung_rows(search, arms_at_work(search))
    assert [(row.number, row.end) for row in rows] == [(1, "4 epochs"), (2, "12 epochs"), (3, "60 epochs")]
    assert [list(row.cells) for row in rows] == [
        [RungCell(2, 0.15, went_on=1), RungCell(1, 0.4, went_on=0)],
        [RungCell(1, 0.2, went_on=0), RungCell(0, None, went_on=0)],
        [RungCell(0, None), RungCell(0, None)],
    ]


def test_rungs_by_data_say_how_much_of_it() -> None:
    search = make_search(plan=SearchPlan(rungs=Rungs(by="data", factor=2, count=3)).to_json())
    assert [row.end for row in rung_rows(search, [])] == ["25 % of the data", "50 % of the data", "100 % of the data"]
    assert rung_rows(make_search(), []) == []


def test_the_page_shows_arms_and_rungs(signed_in: Client) -> None:
    search = make_search(plan=SearchPlan(rungs=Rungs()).to_json())
    make_arms(search)
    for name in ("search", "search_arms"):
        text = signed_in.get(reverse(name, args=[search.pk])).content.decode()
        for expected in ("Random search", "1,800", "0.3125", "7.2 s", "1 min 15 s", "9 epochs"):
            assert expected in text
        assert "By hand" not in text


@pytest.mark.parametrize("count", [2, 40])
def test_fragments_take_a_constant_number_of_queries(signed_in: Client, count: int, django_assert_num_queries: Any) -> None:
    search = make_search(plan=SearchPlan(rungs=Rungs()).to_json(), space=SPACE.to_json())
    make_arms(search)
    make_reports(search, count)
    for trial in make_trials(search, [0.2] * count):
        reach(trial, 0.1, 0.2)
    signed_in.get("/")
    with django_assert_num_queries(5):  # session, user, search, arms, rungs
        signed_in.get(reverse("search_arms", args=[search.pk]))
    with django_assert_num_queries(6):  # session, user, search, which reports, reports, what the critic chose
        signed_in.get(reverse("search_controller", args=[search.pk]))


def test_many_reports_are_thinned_and_keep_both_ends() -> None:
    search = make_search()
    make_reports(search, 2 * REPORTS_SHOWN + 1)
    told = [report.told for report in controller_reports(search)]
    assert (len(told), told[0], told[-1]) == (REPORTS_SHOWN, 1, 2 * REPORTS_SHOWN + 1)
    assert {later - earlier for earlier, later in zip(told, told[1:], strict=False)} <= {2, 3}


def test_beliefs_are_a_row_for_each_choice_over_the_outcomes_told() -> None:
    search = make_search()
    make_reports(search, 2)
    decisions = [decision for decision in SPACE.decisions if decision.name.startswith("operator")]
    (heat,) = beliefs_figure(controller_reports(search), decisions)["data"]
    assert heat["x"] == [1, 2]
    assert heat["y"] == ["Layer 1: GCN", "Layer 1: GAT", "Layer 2: GCN", "Layer 2: GAT"]
    assert heat["z"][1] == pytest.approx([0.7, 0.9])
    assert (heat["zmin"], heat["zmax"]) == (0, 1)


def test_diagnostics_that_are_reported_have_a_plot_of_their_own() -> None:
    search = make_search()
    make_reports(search, 3)
    figure = diagnostics_figure(controller_reports(search))
    traces = {trace["meta"]: trace for trace in figure["data"]}
    assert list(traces) == ["entropy", "repeat_rate"]
    assert (traces["entropy"]["x"], traces["entropy"]["y"]) == ([1, 2, 3], pytest.approx([0.699, 0.698, 0.697]))
    assert traces["entropy"]["yaxis"] != traces["repeat_rate"]["yaxis"]
    assert diagnostics_figure([])["data"] == []


def test_the_decision_that_moved_most_is_shown_first_and_another_can_be_chosen(signed_in: Client) -> None:
    search = make_search(space=SPACE.to_json())
    url = reverse("search_controller", args=[search.pk])
    assert "once it has been told" in signed_in.get(url).content.decode()
    make_reports(search, 5)
    assert signed_in.get(url).context["chosen"] == "operator"
    response = signed_in.get(url, {"decision": "node_dim"})
    assert response.context["beliefs_figure"]["data"][0]["y"] == ["16", "32"]
    assert '<option value="node_dim" selected>Node embedding size</option>' in response.content.decode()
    assert signed_in.get(url, {"decision": "<script>"}).context["chosen"] == "operator"


def test_the_default_space_of_a_search_has_a_label_for_every_choice() -> None:
    search = make_search()
    space = SearchSpace.from_json(search.space)
    report = ControllerReport(
        told=1, diagnostics={}, marginals={one.name: [1 / len(one.choices)] * len(one.choices) for one in space.decisions}
    )
    (heat,) = beliefs_figure([report], space.decisions)["data"]
    assert len(heat["y"]) == sum(len(decision.choices) for decision in space.decisions)


def test_comparisons_and_importance_are_shown_when_there_are_some(signed_in: Client) -> None:
    search = make_search(state="finished")
    url = reverse("search_arms", args=[search.pk])
    empty = signed_in.get(url).content.decode()
    assert "The winner against" not in empty and "importance-figure" not in empty
    numbers = {"difference": 0.0123, "low": -0.002, "high": 0.0266, "p": 0.0412}
    search.comparisons = [
        {"kind": "baseline", "first": "trial 3", "second": "EASE"} | numbers,
        {"kind": "random_arm", "first": "trial 3", "second": "trial 9"} | numbers | {"p": 1e-9},
    ]
    search.importance = {"fanova": {"operator.1": 0.75, "node_dim": 0.25}, "ped_anova": {}}
    search.save()
    text = signed_in.get(url).content.decode()
    for expected in ("Trial 3", "EASE", "Random search", "+0.0123", "-0.0020 to +0.0266", "0.041", "&lt; 0.001", "importance-figure"):
        assert expected in text


def test_importance_is_drawn_largest_first_for_each_method() -> None:
    figure = importance_figure({"ped_anova": {"operator.1": 0.9, "node_dim": 0.1}, "fanova": {"node_dim": 0.4, "layers": 0.6}})
    fanova, ped_anova = figure["data"]
    assert figure["layout"]["yaxis"]["categoryarray"] == ["Network structure, layer 1", "Number of layers", "Node embedding size"]
    assert (fanova["y"], fanova["x"]) == (["Number of layers", "Node embedding size"], [0.6, 0.4])
    assert (ped_anova["y"], ped_anova["x"]) == (["Network structure, layer 1", "Node embedding size"], [0.9, 0.1])


@pytest.mark.parametrize("name", ["search_arms", "search_controller"])
def test_a_search_that_does_not_exist_is_not_found(signed_in: Client, name: str) -> None:
    assert signed_in.get(reverse(name, args=[12345])).status_code == 404


def test_how_open_a_decision_is_lies_between_settled_and_even() -> None:
    assert openness([0.25] * 4) == 1
    assert openness([0, 1, 0]) == 0
    assert openness([0.9, 0.1]) == pytest.approx(entropy([0.9, 0.1], base=2), abs=1e-4)
    assert openness([0, 0]) is None  # ruled out
    search = make_search()
    make_reports(search, 2)
    (heat,) = entropy_figure(controller_reports(search), SPACE.decisions)["data"]
    assert heat["y"][2] == "Network structure, layer 1"
    assert heat["z"][2] == pytest.approx([entropy([0.3, 0.7], base=2), entropy([0.1, 0.9], base=2)], abs=1e-4)
    assert heat["z"][0] == [1, 1]


def critic_chose(search: Search, number: int, reward: float, by_critic: bool | None) -> None:
    trial = make_trial(search, number, state="completed", behaviour={} if by_critic is None else {"by_critic": by_critic})
    TrialRung.objects.create(trial=trial, search=search, arm="controller", rung=0, epochs=1, seconds=1, reward=reward)


def test_what_the_critic_adds_is_the_difference_of_means_since_its_first_choice() -> None:
    search = make_search()
    generator = np.random.default_rng(0)
    chosen, drawn = generator.normal(0.3, 0.02, 30), generator.normal(0.25, 0.03, 30)
    critic_chose(search, 1, 0.01, None)  # of before it was written down
    critic_chose(search, 2, 0.0, False)  # before the critic knew anything
    for index in range(30):
        critic_chose(search, 10 + 2 * index, float(chosen[index]), True)
        critic_chose(search, 11 + 2 * index, float(drawn[index]), False)
    effect = critic_effect(search)
    assert len(effect.drawn) == 31
    gain, low, high = effect.difference() or (0, 0, 0)
    welch = ttest_ind(chosen, drawn, equal_var=False)
    interval = welch.confidence_interval(0.95)
    assert gain == pytest.approx(chosen.mean() - drawn.mean())
    # 1.96 in place of t's quantile at some 50 degrees of freedom.
    assert (low, high) == (pytest.approx(interval.low, abs=5e-4), pytest.approx(interval.high, abs=5e-4))
    figure = critic_figure(effect, label="NDCG@20")
    assert figure["data"][1]["y"][-1] == pytest.approx(chosen[-10:].mean())
    assert CriticEffect([(1, 0.2)], [(2, 0.1)]).difference() is None


def test_the_cockpit_explains_what_it_shows(signed_in: Client) -> None:
    search = make_search(space=SPACE.to_json())
    make_reports(search, 3)
    text = signed_in.get(reverse("search_controller", args=[search.pk])).content.decode()
    assert "The probability of a choice under the policy" in text
    assert "How undecided the policy is, on average." in text and "How far the policy has moved" not in text
    assert "mostly draws architectures that it knows already" not in text
    ControllerReport.objects.filter(told=3).update(diagnostics={"entropy": 0.1, "repeat_rate": 0.7})
    assert (
        "mostly draws architectures that it knows already" in signed_in.get(reverse("search_controller", args=[search.pk])).content.decode()
    )


@pytest.mark.parametrize(("controller", "meaning"), [("evolution", "population"), ("tpe", "best tenth"), ("random", "believes nothing")])
def test_controllers_without_a_policy_show_what_they_have(signed_in: Client, controller: str, meaning: str) -> None:
    search = make_search(space=SPACE.to_json(), controller=controller)
    make_reports(search, 3)
    ControllerReport.objects.update(diagnostics={})
    response = signed_in.get(reverse("search_controller", args=[search.pk]))
    text = response.content.decode()
    assert meaning in text and "How open each decision still is" in text
    assert "Health of the updates" not in text and "What the critic adds" not in text


def test_rungs_are_drawn_with_their_share_of_the_first() -> None:
    search = make_search(plan=SearchPlan(rungs=Rungs(first=4, factor=3, count=2)).to_json(), protocol=Protocol(max_epochs=60))
    arms = make_arms(search)[1:2]
    first, second = make_trials(search, [0.2, 0.3])
    reach(first, 0.15, 0.2)
    reach(second, 0.12)
    data = LadderData([arm.name for arm in arms], rung_rows(search, arms))
    (bars,) = rungs_figure(data)["data"]
    assert (bars["y"], bars["customdata"]) == ([2, 1], [[1, 0.15], [0.5, 0.2]])
    assert list(data.rows())[1] == [1, "4 epochs", "controller", 2, 1, 0.15]
