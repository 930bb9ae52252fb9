"""What a new search is told to take, and the form under what people do to it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from gnn.catalogue import build_space, preset_space
from gnn.cost import MEASURED, epoch_work
from gnn.plan import Budget, Rungs, SearchPlan
from gnn.protocol import Protocol
from gnn.settings import Settings
from gnn.space import Architecture
from tests.webapp.factories import make_dataset, make_search, make_space, make_trials, make_worker
from tests.webapp.test_searches_pages import form_data
from webapp.models import Search, Trial
from webapp.selectors.costs import TrainingSize, forecast, largest_costs, trained_pairs, training_size, worker_rates
from webapp.services.spaces import space_update

PROFILE = {"users": 900, "items": 1700, "pairs": 100_000}
SIZE = TrainingSize(900, 1700, 100_000, 80_000)


def trained(search: Search, n: int, *, slower: float = 1.0, worker: str = "") -> None:
    """Finished trials whose epochs took what the measured rates say, times ``slower``."""
    trials = make_trials(search, [0.2] * n, start=Trial.objects.filter(search=search).count() + 1)
    for trial in trials:
        work = epoch_work(Settings.of(Architecture.of(trial.architecture)), SIZE.users, SIZE.items, SIZE.trained)
        trial.train_seconds, trial.worker = trial.epochs * slower * MEASURED.epoch_seconds(work), worker
    Trial.objects.bulk_update(trials, ["train_seconds", "worker"])


@pytest.mark.django_db
def test_rates_are_the_measured_ones_until_trials_have_finished() -> None:
    assert worker_rates() is MEASURED
    search = make_search(dataset=make_dataset(profile=PROFILE))
    trained(search, 12, slower=3)
    rates = worker_rates()
    architecture = preset_space("demo").sample(np.random.default_rng(99))
    assert rates.trials == 12
    assert SIZE.epoch_seconds(architecture, rates) == pytest.approx(3 * SIZE.epoch_seconds(architecture, MEASURED), rel=0.01)


@pytest.mark.django_db
def test_rates_are_those_of_the_workers_that_are_alive() -> None:
    search = make_search(dataset=make_dataset(profile=PROFILE))
    trained(search, 8, slower=10, worker="trials@gone")
    trained(search, 8, slower=2, worker=make_worker().name)
    architecture = preset_space("demo").sample(np.random.default_rng(99))
    assert SIZE.epoch_seconds(architecture, worker_rates()) == pytest.approx(2 * SIZE.epoch_seconds(architecture, MEASURED), rel=0.01)


@pytest.mark.django_db
def test_epochs_on_a_share_of_the_data_tell_nothing() -> None:
    trained(make_search(dataset=make_dataset(profile=PROFILE), plan=SearchPlan(rungs=Rungs(by="data")).to_json()), 8)
    trained(make_search(dataset=make_dataset(profile={})), 8)
    assert worker_rates() is MEASURED


@pytest.mark.parametrize(
    ("protocol", "pairs"),
    [
        (Protocol(), 80_000),
        (Protocol(split="leave_one_out"), 98_200),
        (Protocol(split="k_fold", folds=4), 50_000),
        (Protocol(split="temporal", valid_fraction=0.2, test_fraction=0.2), 60_000),
    ],
)
def test_a_protocol_leaves_a_part_to_train_on(protocol: Protocol, pairs: int) -> None:
    assert trained_pairs(protocol, 900, 100_000) == pairs


@pytest.mark.django_db
def test_a_forecast_is_the_sum_of_its_parts() -> None:
    space = build_space({"node_dim": (64,), "layers": (2,), "operator": ("lightgcn",)})
    [epoch] = {SIZE.epoch_seconds(space.sample(np.random.default_rng(0)), MEASURED)}
    protocol = Protocol(max_epochs=50, finalists=1, finalist_seeds=2)
    plan = SearchPlan(random_arm=False)
    told = forecast(space, SIZE, MEASURED, protocol=protocol, plan=plan, planned_trials=40, workers=2)
    assert (told.trials, told.parallel) == (1, 2), "there is one architecture only"
    assert told.trial_seconds == pytest.approx(50 * epoch)
    assert told.total_seconds == pytest.approx(50 * epoch + 50 * epoch)
    space = build_space({"learning_rate": (0.01, 0.02, 0.03, 0.05), "node_dim": (64,), "layers": (2,), "operator": ("lightgcn",)})
    plan = SearchPlan(rungs=Rungs(first=5, factor=2, count=2))
    told = forecast(space, SIZE, MEASURED, protocol=protocol, plan=plan, planned_trials=3, workers=2)
    assert told.trials == 6
    assert told.trial_seconds == pytest.approx((5 + 45 / 2) * epoch)
    assert told.total_seconds == pytest.approx(3 * (5 + 45 / 2) * epoch + 50 * epoch)
    hurried = SearchPlan(budget=Budget(seconds=epoch))
    told = forecast(space, SIZE, MEASURED, protocol=protocol, plan=hurried, planned_trials=3, workers=2)
    assert told.limited_by_time and told.total_seconds == pytest.approx(epoch + 50 * epoch)


@pytest.mark.parametrize("name", ["demo", "full"])
def test_nothing_drawn_is_larger_than_the_largest(name: str) -> None:
    space = preset_space(name)
    costs = largest_costs(space, SIZE, MEASURED)
    generator = np.random.default_rng(5)
    drawn = [space.sample(generator) for _ in range(300)]
    assert costs.memory >= max(map(SIZE.memory, drawn))
    assert costs.epoch_seconds >= max(SIZE.epoch_seconds(found, MEASURED) for found in drawn)
    assert costs.memory == SIZE.memory(costs.memory_of) and costs.memory_of in space


def summary(client: Client, **changes: Any) -> str:
    return client.post(reverse("search_summary"), form_data(client) | changes).content.decode()


def test_the_summary_says_what_the_search_will_take(signed_in: Client) -> None:
    dataset = make_dataset(name="Movies", profile=PROFILE)
    text = summary(signed_in, dataset=dataset.pk)
    assert "searches for the best NDCG@20 on Movies" in text and "Memory of the largest" in text
    assert "Nothing was trained here yet" in text
    trained(make_search(dataset=dataset), 5)
    assert "told from the newest 5 finished trials" in summary(signed_in, dataset=dataset.pk)
    assert Search.objects.count() == 1
    assert "2 fields still need an answer" in summary(signed_in, k=0)
    assert training_size(dataset) == SIZE


def test_a_space_of_one_architecture_says_so_and_starts(signed_in: Client) -> None:
    dataset = make_dataset(profile=PROFILE)
    space = make_space(build_space({"node_dim": (32,), "layers": (1,), "operator": ("lightgcn",)}))
    assert "holds 1 architecture, so one trial is all there is to try" in summary(
        signed_in, dataset=dataset.pk, space_source=f"saved:{space.pk}:1"
    )
    signed_in.post(reverse("search_new"), form_data(signed_in, dataset=dataset.pk, space_source=f"saved:{space.pk}:1"))
    assert Search.objects.get().space_version == space.versions.get()


def test_a_dataset_deleted_under_an_open_page_is_an_error_at_its_field(signed_in: Client) -> None:
    dataset = make_dataset()
    make_dataset(name="Another")
    data = form_data(signed_in, dataset=dataset.pk, name="Thought about", planned_trials=11)
    dataset.delete()
    form = signed_in.post(reverse("search_new"), data).context["form"]
    assert form.errors["dataset"] == ["This dataset was deleted, archived or is not ready; choose another."]
    assert (form["name"].value(), form["planned_trials"].value()) == ("Thought about", "11")
    assert "1 field still needs" in signed_in.post(reverse("search_summary"), data).content.decode()


@pytest.mark.parametrize(
    "query",
    [
        {"dataset": "999"},
        {"dataset": "x"},
        {"dataset": "9" * 40},
        {"space_source": "saved:999"},
        {"space_source": "saved:1:2:3"},
        {"space_source": "<b>"},
    ],
)
def test_an_edited_address_opens_the_form_and_says_what_is_not_there(signed_in: Client, query: dict[str, str]) -> None:
    make_dataset()
    page = signed_in.get(reverse("search_new"), query)
    [message] = map(str, page.context["messages"])
    assert message.startswith("There is no dataset") or message.startswith("There is no space")
    assert b"<b>" not in page.content


def test_a_version_saved_meanwhile_is_not_searched_unseen(signed_in: Client) -> None:
    space = make_space(build_space({"node_dim": (16, 32)}))
    form = signed_in.get(reverse("search_new"), {"space_source": f"saved:{space.pk}", "dataset": make_dataset().pk}).context["form"]
    assert form["space_source"].value() == f"saved:{space.pk}:1"
    space_update(space_id=space.pk, name=space.name, space=build_space({"node_dim": (64,)}))
    signed_in.post(reverse("search_new"), {name: value for name in form.fields if (value := form[name].value()) is not None})
    search = Search.objects.get()
    assert search.space == build_space({"node_dim": (16, 32)}).to_json()
    assert search.space_version is not None and search.space_version.number == 1


@pytest.mark.django_db(transaction=True)
def test_start_pressed_at_the_same_moment_in_two_tabs_of_one_form_starts_one_search(signed_in: Client) -> None:
    data = form_data(signed_in, dataset=make_dataset().pk)
    cookie = signed_in.cookies["sessionid"].value

    def press(_: int) -> str:
        client = Client()
        client.cookies["sessionid"] = cookie
        try:
            return client.post(reverse("search_new"), data).headers["Location"]
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as tabs:
        places = set(tabs.map(press, range(4)))
    assert places == {reverse("search", args=[Search.objects.get().pk])}


def test_the_summary_tells_of_a_search_with_the_same_settings(signed_in: Client) -> None:
    data = form_data(signed_in, dataset=make_dataset(profile=PROFILE).pk)
    notice = "A search with these very settings is under way already"
    assert notice not in summary(signed_in, **data)
    signed_in.post(reverse("search_new"), data)
    assert notice in summary(signed_in, **data)
    assert notice not in summary(signed_in, **data | {"seed": 2})
    Search.objects.update(state="finished")
    assert notice not in summary(signed_in, **data)
