"""Experiments: users keep their version, and results are those computed by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from gnn.proportions import Proportion
from tests.webapp.calling import Program, refused
from tests.webapp.test_feedback import event, send
from tests.webapp.test_model_services import bundle_file
from webapp.charts.experiments import rate_series
from webapp.enums import FeedbackKind, ModelState
from webapp.models import Experiment, FeedbackEvent, Model, ModelVersion, Promotion
from webapp.selectors.experiments import Rate, Serving, experiment_result, experiments_running, in_treatment
from webapp.selectors.models import promoted_version
from webapp.services.errors import Conflict
from webapp.services.experiments import experiment_start, experiment_stop
from webapp.services.models import model_archive, model_import, model_promote, model_roll_back

pytestmark = pytest.mark.django_db


@pytest.fixture
def program(user: User, client: Any) -> Program:
    return Program(user)


@pytest.fixture
def versions() -> list[ModelVersion]:
    """Three versions of a model, the first of them promoted."""
    made = [model_import(owner=None, file=bundle_file(seed)) for seed in range(3)]
    model_promote(owner=None, version_id=made[0].pk)
    return made


@pytest.fixture
def model(versions: list[ModelVersion]) -> Model:
    return versions[0].model


def start(model: Model, number: int = 2, percent: int = 50) -> Experiment:
    return experiment_start(owner=None, model_id=model.pk, number=number, percent=percent)


def test_users_are_divided_as_planned_and_always_alike() -> None:
    users = [f"user {number}" for number in range(20_000)]
    for percent in (1, 30, 50):
        first = [in_treatment("salt", percent, user) for user in users]
        assert first == [in_treatment("salt", percent, user) for user in users]
        # Within four standard deviations of a binomial.
        assert abs(sum(first) - 200 * percent) < 4 * (200 * percent * (1 - percent / 100)) ** 0.5
        other = [in_treatment("another", percent, user) for user in users]
        both = sum(one and two for one, two in zip(first, other, strict=True))
        assert abs(both - 2 * percent**2) < 4 * (2 * percent**2) ** 0.5 + 1, "experiments divide independently"
    wider = [user for user in users if in_treatment("salt", 30, user)]
    assert all(in_treatment("salt", 50, user) for user in wider), "with a larger share nobody goes back"


def test_one_runs_at_a_time_and_what_cannot_be_compared_is_refused(model: Model, versions: list[ModelVersion]) -> None:
    for number, percent, reason in ((1, 50, "is the promoted one"), (2, 0, "From 1 to 99"), (2, 100, "From 1 to 99")):
        with pytest.raises(Conflict, match=reason):
            start(model, number, percent)
    with pytest.raises(ModelVersion.DoesNotExist):
        start(model, 9)
    experiment = start(model)
    assert (experiment.control, experiment.treatment) == (versions[0], versions[1])
    assert [each.pk for each in experiments_running()] == [experiment.pk]
    with pytest.raises(Conflict, match="runs already"):
        start(model, 3)
    with pytest.raises(IntegrityError), transaction.atomic():
        Experiment.objects.create(model=model, control=versions[0], treatment=versions[2], percent=5, salt="x")
    model.versions.filter(number=3).update(bundle_blob="")
    experiment_stop(owner=None, experiment_id=experiment.pk)
    with pytest.raises(Conflict, match="not built"):
        start(model, 3)


def test_stopping_leaves_the_promoted_version_or_promotes_either(model: Model) -> None:
    first = experiment_stop(owner=None, experiment_id=start(model).pk)
    assert first.ended_at is not None
    assert experiment_stop(owner=None, experiment_id=first.pk).ended_at == first.ended_at, "what has ended stays as it is"
    assert promoted_version("films").number == 1  # type: ignore[union-attr]
    second = start(model)
    with pytest.raises(Conflict, match="versions 1 and 2, and not 3"):
        experiment_stop(owner=None, experiment_id=second.pk, promote=3)
    assert experiments_running(), "a refusal stops nothing"
    experiment_stop(owner=None, experiment_id=second.pk, promote=2)
    assert promoted_version("films").number == 2  # type: ignore[union-attr]
    assert experiments_running() == []


def test_any_promotion_ends_it(model: Model, versions: list[ModelVersion]) -> None:
    first = start(model)
    model_promote(owner=None, version_id=versions[2].pk)
    first.refresh_from_db()
    assert first.ended_at is not None
    second = start(model)
    model_roll_back(model_id=model.pk)
    second.refresh_from_db()
    assert second.ended_at is not None


def test_events_belong_to_the_version_that_the_user_got_when_it_happened(program: Program, model: Model) -> None:
    experiment = start(model)
    Experiment.objects.update(started_at=timezone.now() - timedelta(hours=2))
    experiment.refresh_from_db()
    users = [f"u{number}" for number in range(40)]
    treated = {user: in_treatment(experiment.salt, 50, user) for user in users}
    assert 0 < sum(treated.values()) < 40
    found = send(program, *(event(user, user=user, minutes=-60) for user in users)).json()["events"]
    assert [each["version"] for each in found] == [2 if treated[user] else 1 for user in users]
    Experiment.objects.update(ended_at=timezone.now() - timedelta(hours=1, minutes=-30))
    late = send(program, *(event(f"late {user}", user=user, minutes=-60) for user in users)).json()["events"]
    assert [each["version"] for each in late] == [each["version"] for each in found], "told after the end, but of before"
    after = send(program, *(event(f"after {user}", user=user) for user in users)).json()["events"]
    before = send(program, *(event(f"before {user}", user=user, minutes=-180) for user in users)).json()["events"]
    assert {each["version"] for each in after + before} == {1}
    assert Serving(model, timezone.now()).version_id("u0", timezone.now()) == experiment.control_id


def test_events_of_earlier_days_are_of_the_version_that_was_promoted_then(model: Model, versions: list[ModelVersion]) -> None:
    model_promote(owner=None, version_id=versions[1].pk)
    model_promote(owner=None, version_id=versions[2].pk)
    model_roll_back(model_id=model.pk)
    now = timezone.now()
    for version, hours in zip(versions, (9, 6, 3), strict=True):
        Promotion.objects.filter(version=version).update(created_at=now - timedelta(hours=hours))
    Promotion.objects.filter(version=versions[2]).update(undone_at=now - timedelta(hours=1))
    serving = Serving(model, now - timedelta(hours=10))
    found = [serving.version_id("u", now - timedelta(hours=hours)) for hours in (10, 8, 5, 2, 0)]
    assert found == [versions[number].pk for number in (0, 0, 1, 2, 1)]


def test_a_version_that_some_users_get_is_not_put_away(model: Model, versions: list[ModelVersion]) -> None:
    experiment = start(model)
    with pytest.raises(Conflict, match="served to some users"):
        model_archive(version_id=versions[1].pk)
    experiment_stop(owner=None, experiment_id=experiment.pk)
    assert model_archive(version_id=versions[1].pk).state == ModelState.ARCHIVED


def told(experiment: Experiment, version: ModelVersion, user: str, *kinds: str, minutes: float = 0) -> None:
    at = experiment.started_at + timedelta(minutes=minutes)
    for number, kind in enumerate(kinds):
        key = f"{user} {version.pk} {minutes} {number}"
        FeedbackEvent.objects.create(model=experiment.model, version=version, key=key, kind=kind, user=user, item="i", at=at)


def test_results_by_hand(program: Program, model: Model, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    experiment = start(model)
    control, treatment = experiment.control, experiment.treatment
    for number in range(10):  # of ten users three click, one of them twice, and one buys
        told(experiment, control, f"c{number}", "impression", "impression", *(["click"] if number < 3 else []))
    told(experiment, control, "c0", "click", "purchase", minutes=1)
    for number in range(10):  # of ten users nine click, two buy
        told(experiment, treatment, f"t{number}", "impression", *(["click"] if number < 9 else []), *(["purchase"] if number > 7 else []))
    told(experiment, treatment, "never shown anything", "click", "purchase")
    told(experiment, treatment, "too early", "impression", minutes=-1)
    FeedbackEvent.objects.create(model=model, key="no version", kind="click", user="t0", item="i", at=timezone.now())
    experiment = Experiment.objects.select_related("control", "treatment").get()
    with django_assert_num_queries(4):
        result = experiment_result(experiment)
    arms = [(arm.users, arm.impressions, arm.clicks, arm.purchases) for arm in (result.control, result.treatment)]
    assert arms == [(10, 20, 4, 1), (10, 10, 10, 3)]
    assert (result.control.clicks_per_impression, result.treatment.clicks_per_impression) == (0.2, 1.0)
    clicked, purchased = result.rates
    assert [(rate.kind, rate.control.hits, rate.treatment.hits) for rate in result.rates] == [
        (FeedbackKind.CLICK, 3, 9), (FeedbackKind.PURCHASE, 1, 2),
    ]  # fmt: skip
    assert clicked.difference is not None and purchased.difference is not None
    # Newcombe (1998), table II, method 10: 9 of 10 against 3 of 10.
    assert (clicked.difference.low, clicked.difference.high) == pytest.approx((0.1705, 0.8090), abs=5e-5)
    assert (clicked.difference.separable, purchased.difference.separable, result.uneven) == (True, False, False)
    shown = program.get(f"/models/films/experiments/{experiment.pk}").json()
    assert [arm["users"] for arm in shown["arms"]] == [10, 10]
    assert [rate["separable"] for rate in shown["rates"]] == [True, False]
    assert shown["rates"][0]["difference"] == pytest.approx(0.6)
    assert shown["rates"][0]["control"]["share"] == 0.3


def test_users_that_are_divided_unevenly_make_nothing_separable(program: Program, model: Model) -> None:
    experiment = start(model)
    for number in range(100):
        told(experiment, experiment.control, f"c{number}", "impression")
    for number in range(40):
        told(experiment, experiment.treatment, f"t{number}", "impression", "click")
    shown = program.get(f"/models/films/experiments/{experiment.pk}").json()
    assert shown["uneven"]
    assert [rate["separable"] for rate in shown["rates"]] == [False, False]


def test_over_the_api(program: Program, model: Model) -> None:
    refused(program.post("/models/films/experiments", {"version": 7}), 422)
    refused(program.post("/models/films/experiments", {"version": 2, "percent": 100}), 422)
    refused(program.post("/models/films/experiments", {"version": 1}), 409)
    begun = program.post("/models/films/experiments", {"version": 2, "percent": 20})
    assert begun.status_code == 201, begun.content
    number = begun.json()["id"]
    assert (begun.json()["control"], begun.json()["treatment"], begun.json()["percent"]) == (1, 2, 20)
    assert (begun.json()["rates"][0]["difference"], begun.json()["rates"][0]["control"]["share"]) == (None, None)
    refused(program.post(f"/models/films/experiments/{number}/stop", {"promote": 3}), 409)
    stopped = program.post(f"/models/films/experiments/{number}/stop", {"promote": 2}).json()
    assert stopped["ended_at"] is not None
    assert promoted_version("films").number == 2  # type: ignore[union-attr]
    assert [row["id"] for row in program.get("/models/films/experiments").json()["items"]] == [number]
    refused(program.get("/models/films/experiments/999"), 404)


def test_the_figure_shows_percents_and_how_far_intervals_reach() -> None:
    rates = [
        Rate(FeedbackKind.CLICK, Proportion(3, 10), Proportion(9, 10)),
        Rate(FeedbackKind.PURCHASE, Proportion(0, 10), Proportion(0, 0)),
    ]
    series = rate_series(rates, "control")
    assert series["x"] == [30, 0]
    low, high = Proportion(3, 10).interval
    assert (series["below"][0], series["above"][0]) == pytest.approx((100 * (0.3 - low), 100 * (high - 0.3)))
    assert series["below"][1] == 0
    assert rate_series(rates, "treatment")["x"] == [90], "nobody was asked, so there is no mark"
