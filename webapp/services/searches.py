"""The life of a search: start, pause, resume, stop, extend, finish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now

from gnn.catalogue import check_trainable
from gnn.catalogue.canonical import canonical
from gnn.catalogue.inputs import feature_sizes, space_on
from gnn.catalogue.rules import check_constraints, check_within
from gnn.errors import SpaceError
from gnn.plan import Budget, Constraints, SearchPlan
from gnn.protocol import Protocol
from gnn.seeds import derived_seed
from gnn.space import Architecture, SearchSpace
from webapp.enums import (
    ACTIVE_SEARCH_STATES,
    ENDED_RUN_STATES,
    IN_FLIGHT_RUN_STATES,
    ArmName,
    AuditVerb,
    DatasetState,
    RunState,
    SearchState,
)
from webapp.models import Arm, Baseline, Dataset, FinalistRun, Search, SpaceVersion, Trial
from webapp.queue import ADVANCE_SEARCH, RUN_BASELINE, RUN_TRIAL, enqueue_on_commit
from webapp.selectors.dataset_attributes import dataset_described
from webapp.selectors.rounds import last_number, plan_of
from webapp.services.audit import event_record
from webapp.services.baselines import BASELINES
from webapp.services.blob_release import blobs_let_go_all
from webapp.services.errors import Conflict
from webapp.services.runs import RUN_TASKS, runs_enqueue
from webapp.services.search_rounds import trials_keep_rungs_of_stopped
from webapp.services.trials import trials_complete_waiting, trials_release_waiting

CONTROLLER_NAMES = {
    "ppo": "Learns which choices pay off, in small careful steps (proximal policy optimisation). The default.",
    "reinforce": "Learns after every trial by plain policy gradient; quick to move, sometimes too quick.",
    "evolution": "Changes one choice of a good recent architecture, and lets old ones go (regularised evolution). Learns no policy.",
    "tpe": "Compares what good and bad architectures have in common, to guess the next (tree-structured Parzen estimator, by Optuna).",
    "random": "Draws every architecture at random. The reference that the others should beat.",
}
"""What a person may choose, with a line of help; ``searchworker.controllers`` has one class for each."""

MAX_TRIALS = 100_000
MAX_WORKERS = 256


def search_start(
    *,
    owner: User | None,
    name: str,
    dataset: Dataset,
    space: SearchSpace,
    protocol: Protocol,
    controller: str,
    planned_trials: int,
    workers: int,
    seed: int,
    start_token: UUID,
    plan: SearchPlan | None = None,
    space_version: SpaceVersion | None = None,
) -> Search:
    """Freeze everything into a Search, queue its baselines, and wake the controller.

    Every arm may propose ``planned_trials``; without a ``plan`` it is ``SearchPlan()``. ``space_version`` notes where ``space`` was saved.

    Pressing Start twice with the same ``start_token`` gives the same search.

    Raises:
        SpaceError: the space cannot be trained, or not on this dataset, or a number is out of range; ``field`` names it.
        Conflict: the dataset is not READY, or another search was started with ``start_token``.
    """
    if dataset.state != DatasetState.READY:
        raise Conflict(f"Dataset '{dataset.name}' is {dataset.get_state_display().lower()}; a search needs a ready one.")
    check_trainable(space)
    plan = plan or SearchPlan()
    if controller == "random":
        plan = plan.model_copy(update={"random_arm": False})  # it is that arm already
    plan.check(protocol)
    described = dataset_described(dataset)
    space = space_on(space, described, plan)
    if plan.constraints != Constraints():
        users, items, pairs = (dataset.profile[name] for name in ("users", "items", "pairs"))
        check_constraints(space, plan.constraints, users, items, pairs, **feature_sizes(described, plan))
    if controller not in CONTROLLER_NAMES:
        raise SpaceError(f"There is no controller '{controller}'; choose from {', '.join(CONTROLLER_NAMES)}.", field="controller")
    for field, value, low, high in (
        ("planned_trials", planned_trials, 1, MAX_TRIALS),
        ("workers", workers, 1, MAX_WORKERS),
        ("seed", seed, 0, 2**31 - 1),
    ):
        if not low <= value <= high:
            raise SpaceError(f"{field} must be from {low} to {high}, but is {value}.", field=field)
    if protocol.split == "temporal" and dataset.profile.get("timeline", ...) is None:
        raise SpaceError(f"Dataset '{dataset.name}' has no times, so it cannot be split by time.", field="split")
    if protocol.split == "predefined" and dataset.profile.get("parts", ...) is None:
        raise SpaceError(f"Dataset '{dataset.name}' did not come divided into parts, so there is no given split.", field="split")
    frozen = {
        "name": name,
        "dataset": dataset,
        "space": space.to_json(),
        "protocol": protocol.to_json(),
        "controller": controller,
        "planned_trials": planned_trials,
        "workers": workers,
        "seed": seed,
        "plan": plan.to_json(),
    }
    try:
        with transaction.atomic():
            search = Search.objects.create(owner=owner, start_token=start_token, space_version=space_version, **frozen)
            names = [ArmName.CONTROLLER, ArmName.MANUAL, *([ArmName.RANDOM] if plan.random_arm else [])]
            Arm.objects.bulk_create([Arm(search=search, name=arm) for arm in names])
            for baseline_name in BASELINES:
                baseline = Baseline.objects.create(search=search, name=baseline_name)
                enqueue_on_commit(RUN_BASELINE, baseline.pk)
            enqueue_on_commit(ADVANCE_SEARCH, search.pk)
            event_record(AuditVerb.START, search)
    except IntegrityError:
        search = Search.objects.select_related("dataset").get(start_token=start_token)
        if any(getattr(search, field) != value for field, value in frozen.items()):
            # The form was taken back from the browser's history and changed.
            raise Conflict(f"This form has started search {search.pk} already, with other settings.") from None
    return search


def search_lock(search_id: int) -> Search:
    """The search with its row locked until the transaction ends: rounds of one search never overlap."""
    return Search.objects.select_for_update(of=("self",)).select_related("dataset").get(pk=search_id)


@transaction.atomic
def search_pause(*, search_id: int) -> Search:
    """Stop handing out work; running trials save a checkpoint and go back to the queue within an epoch."""
    search = search_lock(search_id)
    if search.state not in (SearchState.RUNNING, SearchState.FINISHING):
        raise Conflict(f"Search '{search.name}' is {search.get_state_display().lower()}, so it cannot be paused.")
    search.state = SearchState.PAUSED
    search.save(update_fields=["state"])
    event_record(AuditVerb.PAUSE, search)
    return search


@transaction.atomic
def search_resume(*, search_id: int) -> Search:
    """Go on where a pause left off."""
    search = search_lock(search_id)
    if search.state != SearchState.PAUSED:
        raise Conflict(f"Search '{search.name}' is {search.get_state_display().lower()}, not paused.")
    if search.dataset.state != DatasetState.READY:  # it was imported, and its data was not
        raise Conflict(search.dataset.message)
    testing = FinalistRun.objects.filter(search=search).exists()
    search.state = SearchState.FINISHING if testing else SearchState.RUNNING
    search.save(update_fields=["state"])
    runs_enqueue(search_id=search.pk)
    enqueue_on_commit(ADVANCE_SEARCH, search.pk)
    event_record(AuditVerb.RESUME, search)
    return search


@transaction.atomic
def search_stop(*, search_id: int) -> Search:
    """End the search now: what has been scored stays, nothing is tested."""
    search = search_lock(search_id)
    if search.state not in (SearchState.RUNNING, SearchState.FINISHING, SearchState.PAUSED):
        raise Conflict(f"Search '{search.name}' is already {search.get_state_display().lower()}.")
    _end(search, state=SearchState.STOPPED, message="Stopped by a person; finalists were not tested.")
    event_record(AuditVerb.STOP, search)
    return search


@transaction.atomic
def search_finish_now(*, search_id: int) -> Search:
    """Propose nothing more; running trials end at their next epoch, and then the best are tested."""
    search = search_lock(search_id)
    if search.state != SearchState.RUNNING:
        raise Conflict(f"Search '{search.name}' is {search.get_state_display().lower()}; only a running search can finish early.")
    if last_number(search) == 0:
        raise Conflict(f"Search '{search.name}' has no trial yet, so there is nothing to test. Stop it instead.")
    search_spend(search, reason="a person asked to finish now")
    event_record(AuditVerb.FINISH, search)
    enqueue_on_commit(ADVANCE_SEARCH, search.pk)
    return search


@transaction.atomic
def search_extend(*, search_id: int, trials: int = 0, budget: Budget | None = None, seen: int | None = None) -> Search:
    """Let a running or paused search propose ``trials`` more in each arm, or give it another budget.

    ``seen`` is how many trials were planned when the person decided, so that a second press adds nothing.

    Raises:
        Conflict: the search is already testing its finalists, or over, or no longer plans the ``seen`` trials.
        SpaceError: more trials than a search may have; ``field`` names it.
    """
    search = search_lock(search_id)
    if search.state not in (SearchState.RUNNING, SearchState.PAUSED):
        raise Conflict(f"Search '{search.name}' is {search.get_state_display().lower()}; clone it to search on.")
    if seen is not None and seen != search.planned_trials:
        raise Conflict(f"Search '{search.name}' was extended already: {search.planned_trials} trials are planned now, no longer {seen}.")
    planned = search.planned_trials + trials
    if trials < 0 or planned > MAX_TRIALS:
        raise SpaceError(
            f"A search may have up to {MAX_TRIALS} trials, and be extended by 0 or more; this would give {planned}.", field="trials"
        )
    plan = plan_of(search)
    if budget is not None:
        plan = plan.model_copy(update={"budget": budget})
    search.planned_trials, search.plan, search.spent = planned, plan.to_json(), ""
    search.save(update_fields=["planned_trials", "plan", "spent"])
    event_record(AuditVerb.EXTEND, search, trials=trials, planned=planned)
    enqueue_on_commit(ADVANCE_SEARCH, search.pk)
    return search


@transaction.atomic
def search_enqueue(*, search_id: int, architecture: Architecture) -> Trial:
    """Train an architecture that a person chose, before anything else the search proposes.

    Raises:
        Conflict: the search is not running or paused, or has spent its budget, or a trial has this architecture.
        SpaceError: the architecture is not of the search's space, or exceeds its limits on size.
    """
    search = search_lock(search_id)
    if search.state not in (SearchState.RUNNING, SearchState.PAUSED):
        raise Conflict(f"Search '{search.name}' is {search.get_state_display().lower()}, so nothing more can be trained in it.")
    if search.spent:
        raise Conflict(f"Search '{search.name}' is about to test its finalists, because {search.spent}. Extend it first.")
    chosen = SearchSpace.from_json(search.space).architecture(architecture.to_json())
    plan = plan_of(search)
    if plan.constraints != Constraints():
        users, items, pairs = (search.dataset.profile[name] for name in ("users", "items", "pairs"))
        check_within(chosen, plan.constraints, users, items, pairs, **feature_sizes(dataset_described(search.dataset), plan))
    key = canonical(chosen).key
    twin = Trial.objects.filter(search=search, key=key).order_by("number").first()
    if twin is not None:
        raise Conflict(f"Trial {twin.number} has this architecture already.")
    number = last_number(search) + 1
    seed = derived_seed(search.seed, int(key, 16))  # as the arms' own trials have it
    trial = Trial.objects.create(search=search, number=number, arm=ArmName.MANUAL, architecture=chosen.to_json(), key=key, seed=seed)
    Arm.objects.filter(search=search, name=ArmName.MANUAL).update(proposed=F("proposed") + 1)
    enqueue_on_commit(RUN_TRIAL, trial.pk)
    event_record(AuditVerb.ENQUEUE, search, trial=number)
    return trial


def search_fail(search: Search, *, message: str) -> None:
    _end(search, state=SearchState.FAILED, message=message)


@transaction.atomic
def search_break_off(*, search_id: int, message: str) -> None:
    """Fail a search whose round raised an unexpected error, which would come again at every round."""
    search = search_lock(search_id)
    if search.state in ACTIVE_SEARCH_STATES:
        search_fail(search, message=message)


@transaction.atomic
def search_finish(
    *,
    search_id: int,
    message: str,
    comparisons: Sequence[Mapping[str, Any]] = (),
) -> None:
    """End a search that tests its finalists with its verdict and what that rests on.

    Does nothing where it was paused, stopped or ended meanwhile.
    """
    search = search_lock(search_id)
    if search.state != SearchState.FINISHING:
        return
    search.comparisons = list(comparisons)
    search.save(update_fields=["comparisons"])
    _end(search, state=SearchState.FINISHED, message=message)


def search_spend(search: Search, *, reason: str) -> None:
    """Propose nothing more: running trials end at their next epoch."""
    search.spent = reason
    search.save(update_fields=["spent"])


def search_note_prior(search: Search, *, learned_from: Sequence[int]) -> None:
    """Note the searches whose architectures the controller begins from."""
    search.learned_from = list(learned_from)
    search.save(update_fields=["learned_from"])


def search_note_restart(search: Search, *, arm: str, outcomes: int, reason: str) -> None:
    """Note that the controller of an arm began anew with what had been told, because its state could not be read."""
    search.message = f"The {ArmName(arm).label.lower()} arm learned again from its {outcomes} outcomes, because of an upgrade: {reason}"
    search.save(update_fields=["message"])


def search_begin_finishing(search: Search, *, message: str) -> None:
    """The budget is spent and finalists are queued."""
    trials_release_waiting(search)
    search.state = SearchState.FINISHING
    search.message = message
    search.save(update_fields=["state", "message"])


def _end(search: Search, *, state: SearchState, message: str) -> None:
    """Close the search and everything in flight; a worker in the middle of a run notices within an epoch."""
    for model in RUN_TASKS:
        model.objects.filter(search_id=search.pk, state__in=IN_FLIGHT_RUN_STATES).update(
            state=RunState.STOPPED, finished_at=Now(), lease_expires_at=None
        )
    trials_keep_rungs_of_stopped(search)
    trials_complete_waiting(search)  # after those in flight: no other can come to the end of its rung now
    held = ((search.trials, "checkpoint_blob"), (search.trials, "embeddings_blob"), (search.finalist_runs, "checkpoint_blob"))
    blobs_let_go_all([(rows.all(), field) for rows, field in held])
    search.state = state
    search.message = message
    search.save(update_fields=["state", "message"])
    Search.objects.filter(pk=search.pk).update(finished_at=Now())


def runs_all_ended(search: Search) -> bool:
    """Whether every baseline and finalist run of the search is over."""
    return not any(
        model.objects.filter(search_id=search.pk).exclude(state__in=ENDED_RUN_STATES).exists() for model in (Baseline, FinalistRun)
    )
