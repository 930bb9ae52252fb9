"""Arms, rungs, budgets and what people change while a search runs, by the tasks called in this process on the real database."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from gnn.catalogue import build_space, standard_architecture
from gnn.catalogue.canonical import canonical
from gnn.plan import Budget, Rungs, SearchPlan
from searchworker import tasks, training
from tests.searchworker.searching import PROTOCOL, SPACE, run_everything, start
from tests.toy_dataset import toy_dataset
from webapp.blobs import bytes_file
from webapp.enums import ArmName, Ending, Failure, RunState, SearchState
from webapp.models import Arm, Search, Trial, TrialEpoch, TrialRung
from webapp.services import runs, searches
from webapp.services.errors import Conflict

pytestmark = pytest.mark.django_db

RUNGS = Rungs(first=1, factor=2, count=3)
WIDE = build_space({"node_dim": (4, 8, 12, 16), "layers": (1, 2), "operator": ("lightgcn", "gcn"), "learning_rate": (0.02, 0.05)})


def rung_rewards(search: Search, arm: str, rung: int) -> list[float]:
    rows = TrialRung.objects.filter(search=search, arm=arm, rung=rung)
    return sorted(rows.values_list("reward", flat=True), reverse=True)


def test_rungs_promote_the_best_and_go_on_from_their_checkpoints() -> None:
    protocol = PROTOCOL.model_copy(update={"max_epochs": 4, "patience": 4})
    search = run_everything(start(space=WIDE, protocol=protocol, planned_trials=8, plan=SearchPlan(rungs=RUNGS, random_arm=False)))
    assert search.state == SearchState.FINISHED
    assert Trial.objects.filter(search=search).count() == 8
    assert [len(rung_rewards(search, "controller", rung)) for rung in range(3)] == [8, 4, 2]
    assert sorted(search.trials.values_list("epochs", flat=True)) == [1, 1, 1, 1, 2, 2, 4, 4]
    for trial in search.trials.all():
        assert list(trial.curve.order_by("epoch").values_list("epoch", flat=True)) == list(range(1, trial.epochs + 1))
        assert (trial.state, trial.checkpoint_blob) == (RunState.COMPLETED, "")
        assert trial.ending == (Ending.EPOCHS if trial.epochs == 4 else Ending.RUNG)
    assert Arm.objects.get(search=search, name=ArmName.CONTROLLER).epochs == 8 * 1 + 4 * 1 + 2 * 2
    # A promoted trial ends where one trained in a single run ends.
    promoted = search.trials.filter(epochs=4).first()
    alone = run_everything(start(space=WIDE, protocol=protocol, planned_trials=8)).trials.get(key=promoted.key)
    assert (promoted.scores, promoted.best_epoch) == (alone.scores, alone.best_epoch)


def test_a_search_may_begin_with_the_standard_architecture() -> None:
    search = run_everything(start(space=WIDE, planned_trials=3, workers=2, plan=SearchPlan(random_arm=True, standard_first=True)))
    own = search.trials.filter(arm=ArmName.CONTROLLER).order_by("number")
    assert own.count() == 3
    assert own[0].architecture == standard_architecture(WIDE).to_json()
    assert Arm.objects.get(search=search, name=ArmName.CONTROLLER).told == 3


def test_rungs_by_data_train_on_growing_shares_from_the_start() -> None:
    plan = SearchPlan(rungs=Rungs(by="data", factor=2, count=2), random_arm=False)
    search = run_everything(start(space=WIDE, planned_trials=4, plan=plan))
    assert search.state == SearchState.FINISHED
    assert [len(rung_rewards(search, "controller", rung)) for rung in range(2)] == [4, 2]
    tested = search.finalist_runs.values_list("trial__rung", flat=True).distinct()
    assert set(tested) == {1}
    assert search.arms.get(name="controller").epochs == 6 * 3, "each time from the start"


def test_a_rung_of_more_data_does_not_go_on_from_a_checkpoint_of_less(monkeypatch: pytest.MonkeyPatch) -> None:
    search = start(plan=SearchPlan(rungs=Rungs(by="data", factor=2, count=2), random_arm=False))
    tasks.advance_search(search.pk)
    trial = search.trials.get()
    with monkeypatch.context() as patch:
        patch.setattr(training, "CHECKPOINT_EVERY_SECONDS", -1)
        tasks.run_trial(trial.pk)
    trial.refresh_from_db()
    assert (trial.state, trial.checkpoint_blob) == (RunState.WAITING, "")


def test_the_random_arm_spends_as_much_and_its_best_is_tested() -> None:
    search = run_everything(start(space=WIDE, planned_trials=5, plan=SearchPlan()))
    counts = {arm.name: (arm.proposed, arm.told) for arm in Arm.objects.filter(search=search)}
    assert counts == {"controller": (5, 5), "random": (5, 5), "manual": (0, 0)}
    assert [trial.number for trial in search.trials.order_by("number")] == list(range(1, 11))
    tested = set(search.finalist_runs.values_list("trial__arm", flat=True))
    assert tested == {"controller", "random"}
    assert search.finalist_runs.filter(trial__arm="random").values("trial").distinct().count() == 1


def test_what_one_arm_trained_is_not_trained_again_by_the_other() -> None:
    space = build_space({"node_dim": (8, 16), "layers": (1,), "operator": ("lightgcn", "gcn")})
    search = run_everything(start(space=space, planned_trials=4, plan=SearchPlan()))
    assert search.trials.count() == 8
    repeats = search.trials.exclude(same_as=None)
    assert repeats.count() == 4
    for repeat in repeats:
        assert (repeat.key, repeat.scores, repeat.reward) == (repeat.same_as.key, repeat.same_as.scores, repeat.same_as.reward)
        assert repeat.curve.count() == 0


def test_a_search_by_random_needs_no_second_arm() -> None:
    search = start(controller="random", plan=SearchPlan())
    assert set(search.arms.values_list("name", flat=True)) == {"controller", "manual"}


@pytest.mark.parametrize(
    ("budget", "trials", "words"),
    [
        (Budget(epochs=4), 2, "the budget of 4 epochs is spent"),
        (Budget(target=0.0), 1, "the target of 0 is reached"),
        (Budget(worker_seconds=1e-6), 1, "the budget of 0 worker seconds is spent"),
        (Budget(seconds=1e-6), 0, "the budget of 0 seconds is spent"),
    ],
)
def test_a_budget_ends_the_search(budget: Budget, trials: int, words: str) -> None:
    search = start(planned_trials=9, plan=SearchPlan(random_arm=False, budget=budget))
    if trials == 0:
        search = run_everything(search)
        assert search.state == SearchState.FAILED
        assert "before any trial ended" in search.message
    else:
        search = run_everything(search)
        assert search.state == SearchState.FINISHED
    assert search.trials.count() == trials
    assert search.spent == words


def test_a_running_trial_ends_with_what_it_has_when_the_budget_is_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    search = start(protocol=PROTOCOL.model_copy(update={"max_epochs": 50, "patience": 50}))
    tasks.advance_search(search.pk)
    report = training.trials.trial_report_epoch

    def spend_then_report(trial: Trial, **point: Any) -> Any:
        if point["epoch"] == 2:
            searches.search_finish_now(search_id=search.pk)
        return report(trial, **point)

    monkeypatch.setattr(training.trials, "trial_report_epoch", spend_then_report)
    tasks.run_trial(search.trials.get().pk)
    trial = search.trials.get()
    assert (trial.state, trial.ending, trial.epochs) == (RunState.COMPLETED, Ending.BUDGET, 2)
    assert trial.scores["ndcg@20"] == max(trial.curve.values_list("best", flat=True))


def test_a_trial_below_the_median_of_the_others_is_stopped() -> None:
    search = start(planned_trials=9, plan=SearchPlan(random_arm=False, median_stop=True))
    for number in range(2, 8):
        other = Trial.objects.create(
            search=search, number=number, architecture={}, key=str(number), seed=1, state=RunState.COMPLETED, told_order=number
        )
        TrialEpoch.objects.create(trial=other, epoch=2, loss=1.0, scores={}, best=1.0, seconds=1.0)
    trial = Trial.objects.create(search=search, number=1, architecture=WIDE.sample(np.random.default_rng(0)).to_json(), key="1", seed=1)
    tasks.run_trial(trial.pk)
    trial.refresh_from_db()
    assert (trial.state, trial.ending, trial.epochs) == (RunState.COMPLETED, Ending.MEDIAN, 2)


@pytest.mark.parametrize(("rung", "ending"), [(0, Ending.MEDIAN), (1, "")])
def test_the_median_is_of_those_with_as_much_data(rung: int, ending: str) -> None:
    search = start(plan=SearchPlan(random_arm=False, median_stop=True, rungs=Rungs(by="data", factor=2, count=2)))
    for number in range(2, 8):
        other = Trial.objects.create(
            search=search, number=number, architecture={}, key=str(number), seed=1, rung=rung, state=RunState.WAITING, told_order=number
        )
        TrialEpoch.objects.create(trial=other, epoch=2, loss=1.0, scores={}, best=1.0, seconds=1.0)
    trial = Trial.objects.create(search=search, number=1, architecture=WIDE.sample(np.random.default_rng(0)).to_json(), key="1", seed=1)
    tasks.run_trial(trial.pk)
    trial.refresh_from_db()
    assert trial.ending == ending


def test_a_trial_starts_from_the_embeddings_of_the_best_of_its_size() -> None:
    space = build_space({"node_dim": (8,), "layers": (1, 2), "operator": ("lightgcn", "gcn"), "learning_rate": (0.02, 0.05)})
    search = run_everything(start(space=space, planned_trials=4, plan=SearchPlan(random_arm=True, inherit=True)))
    own = list(search.trials.filter(arm="controller").order_by("number"))
    assert own[0].inherited_from is None
    best = own[0]
    for trial in own[1:]:
        assert trial.inherited_from == best
        best = trial if trial.scores["ndcg@20"] > best.scores["ndcg@20"] else best
    assert not search.trials.exclude(embeddings_blob="").exists(), "nothing starts from them any more"
    assert not search.trials.filter(arm="random").exclude(inherited_from=None).exists()


def test_an_architecture_by_hand_is_trained_observed_and_may_be_a_finalist() -> None:
    search = start(planned_trials=2)
    chosen = SPACE.sample(np.random.default_rng(3))
    trial = searches.search_enqueue(search_id=search.pk, architecture=chosen)
    with pytest.raises(Conflict, match="Trial 1 has this architecture already"):
        searches.search_enqueue(search_id=search.pk, architecture=chosen)
    search = run_everything(search)
    trial.refresh_from_db()
    assert (trial.arm, trial.state) == ("manual", RunState.COMPLETED)
    assert trial.reward == trial.scores["ndcg@20"]
    assert search.trials.filter(key=trial.key).count() == 1
    assert search.trials.count() == 3


def test_the_controller_waits_for_what_a_person_has_in_training_instead_of_training_it_too() -> None:
    space = build_space({"node_dim": (8,), "layers": (1,), "operator": ("lightgcn",)})
    search = start(space=space, planned_trials=1, workers=2)
    by_hand = searches.search_enqueue(search_id=search.pk, architecture=space.sample(np.random.default_rng(0)))
    tasks.advance_search(search.pk)
    assert search.trials.get() == by_hand
    tasks.run_trial(by_hand.pk)
    tasks.advance_search(search.pk)
    search.refresh_from_db()
    assert search.state == SearchState.FINISHING, search.message


def test_nothing_is_enqueued_where_trials_end_at_their_next_epoch() -> None:
    search = start()
    tasks.advance_search(search.pk)
    searches.search_finish_now(search_id=search.pk)
    drawn = [SPACE.sample(np.random.default_rng(seed)) for seed in range(20)]
    other = next(architecture for architecture in drawn if canonical(architecture).key != search.trials.get().key)
    with pytest.raises(Conflict, match="a person asked to finish now. Extend it first"):
        searches.search_enqueue(search_id=search.pk, architecture=other)
    searches.search_extend(search_id=search.pk, trials=1)
    searches.search_enqueue(search_id=search.pk, architecture=other)


def test_a_search_is_extended_while_it_runs() -> None:
    search = start(planned_trials=1)
    tasks.advance_search(search.pk)
    searches.search_extend(search_id=search.pk, trials=2)
    search = run_everything(search)
    assert search.trials.count() == 3
    with pytest.raises(Conflict, match="clone it"):
        searches.search_extend(search_id=search.pk, trials=2)


def test_the_controller_says_what_it_believes_as_the_search_goes_on() -> None:
    search = run_everything(start(space=WIDE, planned_trials=3))
    reports = list(search.controller_reports.all())
    assert [report.told for report in reports] == [1, 2, 3]
    for decision in WIDE.decisions:
        assert len(reports[0].marginals[decision.name]) == len(decision.choices)


def test_a_round_writes_the_parts_of_the_state_that_it_changed() -> None:
    search = start(controller="ppo", planned_trials=3)
    tasks.advance_search(search.pk)
    parts = search.arms.get(name=ArmName.CONTROLLER).parts

    def contents() -> dict[str, bytes]:
        return {part.name: bytes(part.content) for part in parts.all()}

    before = contents()
    assert {"best", "latest", "policy", "table.0"} <= set(before)
    tasks.run_trial(search.trials.get().pk)
    with CaptureQueriesContext(connection) as queries:
        tasks.advance_search(search.pk)
    (written,) = [query["sql"] for query in queries if 'INSERT INTO "webapp_armpart"' in query["sql"]]
    after = contents()
    assert {name for name, content in after.items() if before.get(name) != content} == {"best", "critic", "latest", "table.0"}
    assert "'policy'" not in written, "it is updated after several outcomes"


def test_a_k_fold_reward_is_the_mean_over_the_folds_that_do_not_test() -> None:
    protocol = PROTOCOL.model_copy(update={"split": "k_fold", "folds": 3})
    search = run_everything(start(protocol=protocol, planned_trials=1, plan=SearchPlan(random_arm=False, reward="k_fold")))
    assert search.state == SearchState.FINISHED
    trial = search.trials.get()
    assert trial.epochs == trial.curve.count() == 2 * 3
    alone = [run_everything(start(protocol=part, planned_trials=1)).trials.get().scores["ndcg@20"] for part in protocol.each_valid_fold()]
    assert len(set(alone)) == 2
    assert trial.reward == pytest.approx(sum(alone) / 2)


def test_an_ended_search_keeps_no_checkpoints_and_embeddings() -> None:
    search = start(plan=SearchPlan(random_arm=False, rungs=Rungs(first=1, factor=2, count=2), inherit=True))
    tasks.advance_search(search.pk)
    tasks.run_trial(search.trials.get().pk)
    trial = search.trials.get()
    assert trial.state == RunState.WAITING
    kept = (trial.checkpoint_blob, trial.embeddings_blob)
    assert all(default_storage.exists(blob) for blob in kept)
    searches.search_stop(search_id=search.pk)
    trial.refresh_from_db()
    assert (trial.checkpoint_blob, trial.embeddings_blob) == ("", "")
    assert not any(default_storage.exists(blob) for blob in kept)
    assert default_storage.exists(search.dataset.data_blob)


def test_a_failed_trial_keeps_no_checkpoint_and_frees_none_that_another_has() -> None:
    search = start(workers=2)
    tasks.advance_search(search.pk)
    shared = default_storage.save("checkpoint", bytes_file(b"the same bytes"))
    search.trials.update(checkpoint_blob=shared)
    first, second = search.trials.order_by("number")
    for trial, left in ((first, True), (second, False)):
        claimed = runs.run_claim(Trial, run_id=trial.pk, worker="here/1")
        assert claimed is not None
        assert runs.run_fail(claimed, failure=Failure.OUT_OF_MEMORY, message="Too large.")
        trial.refresh_from_db()
        assert trial.checkpoint_blob == ""
        assert default_storage.exists(shared) is left


def test_a_paused_finalist_goes_on_from_its_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    search = start(planned_trials=1, protocol=PROTOCOL.model_copy(update={"finalists": 1, "finalist_seeds": 1}))
    while search.state == SearchState.RUNNING:
        tasks.advance_search(search.pk)
        for trial in search.trials.filter(state=RunState.QUEUED):
            tasks.run_trial(trial.pk)
        search.refresh_from_db()
    run = search.finalist_runs.get()
    trained: list[int] = []
    train = tasks.train_architecture

    def watched(*arguments: Any, on_epoch: Any, **named: Any) -> Any:
        def pausing(report: Any) -> Any:
            trained.append(report.epoch)
            if len(trained) == 2:
                searches.search_pause(search_id=search.pk)
            return on_epoch(report)

        return train(*arguments, on_epoch=pausing, **named)

    monkeypatch.setattr(tasks, "train_architecture", watched)
    tasks.run_finalist(run.pk)
    run.refresh_from_db()
    assert run.state == RunState.QUEUED
    assert run.checkpoint_blob
    searches.search_resume(search_id=search.pk)
    tasks.run_finalist(run.pk)
    run.refresh_from_db()
    assert (run.state, run.epochs, run.checkpoint_blob) == (RunState.COMPLETED, 3, "")
    assert trained == [1, 2, 3]


def test_a_trial_that_is_interrupted_at_the_end_of_its_rung_does_not_train_past_it(monkeypatch: pytest.MonkeyPatch) -> None:
    search = start(plan=SearchPlan(random_arm=False, rungs=Rungs(first=1, factor=2, count=2)))
    tasks.advance_search(search.pk)
    trial = search.trials.get()

    def killed(*_: Any, **__: Any) -> None:
        raise OperationalError("the worker dies before it writes the result")

    with monkeypatch.context() as patch:
        patch.setattr(training.trials, "trial_wait", killed)
        tasks.run_trial(trial.pk)
    search.trials.update(state=RunState.QUEUED)
    monkeypatch.setattr(training.draining, "is_set", lambda: True)
    tasks.run_trial(trial.pk)
    trial.refresh_from_db()
    assert (trial.state, trial.epochs) == (RunState.WAITING, 1)


def test_a_search_begins_from_what_was_good_on_similar_datasets() -> None:
    dataset = toy_dataset()
    earlier = run_everything(start(dataset=dataset, space=WIDE, planned_trials=4))
    search = start(dataset=dataset, space=WIDE, controller="evolution", planned_trials=2, plan=SearchPlan(random_arm=False, prior=True))
    tasks.advance_search(search.pk)
    search.refresh_from_db()
    assert search.learned_from == [earlier.pk]
    best = earlier.trials.order_by("-reward").first()
    assert best is not None
    assert search.trials.get().key == best.key
    plain = start(dataset=dataset, space=WIDE, controller="evolution", planned_trials=2)
    tasks.advance_search(plain.pk)
    plain.refresh_from_db()
    assert plain.learned_from == []


def test_a_controller_that_learns_again_begins_from_similar_datasets_again() -> None:
    dataset = toy_dataset()
    earlier = run_everything(start(dataset=dataset, space=WIDE, planned_trials=4))
    search = start(dataset=dataset, space=WIDE, controller="evolution", planned_trials=2, plan=SearchPlan(random_arm=False, prior=True))
    tasks.advance_search(search.pk)
    tasks.run_trial(search.trials.get().pk)
    Arm.objects.filter(search=search, name=ArmName.CONTROLLER).update(state=b"of another version")
    tasks.advance_search(search.pk)
    search.refresh_from_db()
    assert "learned again from its" in search.message
    assert search.learned_from == [earlier.pk]
    best_two = earlier.trials.order_by("-reward").values_list("key", flat=True)[:2]
    assert list(search.trials.order_by("number").values_list("key", flat=True)) == list(best_two)


def test_what_a_person_enqueued_trains_to_its_end_whatever_its_rank() -> None:
    protocol = PROTOCOL.model_copy(update={"max_epochs": 4, "patience": 4})
    search = start(space=WIDE, protocol=protocol, planned_trials=2, plan=SearchPlan(rungs=RUNGS, random_arm=False))
    trial = searches.search_enqueue(search_id=search.pk, architecture=WIDE.sample(np.random.default_rng(3)))
    run_everything(search)
    trial.refresh_from_db()
    assert (trial.epochs, trial.ending) == (4, Ending.EPOCHS)
