"""The life of a search: start, pause, resume, stop, and what one round of the controller changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from gnn.catalogue import check_trainable
from gnn.errors import SpaceError
from gnn.protocol import Protocol
from gnn.space import SearchSpace
from webapp.enums import ACTIVE_SEARCH_STATES, ENDED_RUN_STATES, IN_FLIGHT_RUN_STATES, DatasetState, RunState, SearchState
from webapp.models import Baseline, ControllerState, Dataset, FinalistRun, Search, Trial
from webapp.queue import ADVANCE_SEARCH, RUN_BASELINE, RUN_TRIAL, enqueue_on_commit
from webapp.services.baselines import BASELINES
from webapp.services.errors import Conflict
from webapp.services.runs import RUN_TASKS, runs_enqueue

CONTROLLER_NAMES = {
    "ppo": "Learns which choices pay off, in small careful steps (proximal policy optimisation). The default.",
    "reinforce": "Learns after every trial by plain policy gradient; quick to move, sometimes too quick.",
    "random": "Draws every architecture at random. The reference that the other two should beat.",
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
) -> Search:
    """Freeze everything into a Search, queue its baselines, and wake the controller.

    Pressing Start twice with the same ``start_token`` gives the same search.

    Raises:
        SpaceError: the space cannot be trained, or a number is out of range; ``field`` names it.
        Conflict: the dataset is not READY, or another search was started with ``start_token``.
    """
    check_trainable(space)
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
    if dataset.state != DatasetState.READY:
        raise Conflict(f"Dataset '{dataset.name}' is {dataset.get_state_display().lower()}; a search needs a ready one.")
    frozen = {
        "name": name,
        "dataset": dataset,
        "space": space.to_json(),
        "protocol": protocol.to_json(),
        "controller": controller,
        "planned_trials": planned_trials,
        "workers": workers,
        "seed": seed,
    }
    try:
        with transaction.atomic():
            search = Search.objects.create(owner=owner, start_token=start_token, **frozen)
            for baseline_name in BASELINES:
                baseline = Baseline.objects.create(search=search, name=baseline_name)
                enqueue_on_commit(RUN_BASELINE, baseline.pk)
            enqueue_on_commit(ADVANCE_SEARCH, search.pk)
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
    return search


@transaction.atomic
def search_resume(*, search_id: int) -> Search:
    """Go on where a pause left off."""
    search = search_lock(search_id)
    if search.state != SearchState.PAUSED:
        raise Conflict(f"Search '{search.name}' is {search.get_state_display().lower()}, not paused.")
    testing = FinalistRun.objects.filter(search=search).exists()
    search.state = SearchState.FINISHING if testing else SearchState.RUNNING
    search.save(update_fields=["state"])
    runs_enqueue(search_id=search.pk)
    enqueue_on_commit(ADVANCE_SEARCH, search.pk)
    return search


@transaction.atomic
def search_stop(*, search_id: int) -> Search:
    """End the search now: what has been scored stays, nothing is tested."""
    search = search_lock(search_id)
    if search.state not in (SearchState.RUNNING, SearchState.FINISHING, SearchState.PAUSED):
        raise Conflict(f"Search '{search.name}' is already {search.get_state_display().lower()}.")
    _end(search, state=SearchState.STOPPED, message="Stopped by a person; finalists were not tested.")
    return search


@transaction.atomic
def search_finish_now(*, search_id: int) -> Search:
    """Propose nothing more: when the running trials end, the best are tested."""
    search = search_lock(search_id)
    if search.state != SearchState.RUNNING:
        raise Conflict(f"Search '{search.name}' is {search.get_state_display().lower()}; only a running search can finish early.")
    asked = Trial.objects.filter(search=search).count()
    if asked == 0:
        raise Conflict(f"Search '{search.name}' has no trial yet, so there is nothing to test. Stop it instead.")
    search.planned_trials = asked
    search.save(update_fields=["planned_trials"])
    enqueue_on_commit(ADVANCE_SEARCH, search.pk)
    return search


def search_fail(search: Search, *, message: str) -> None:
    _end(search, state=SearchState.FAILED, message=message)


@transaction.atomic
def search_break_off(*, search_id: int, message: str) -> None:
    """Fail a search whose round raised an unexpected error, which would come again at every round."""
    search = search_lock(search_id)
    if search.state in ACTIVE_SEARCH_STATES:
        search_fail(search, message=message)


def search_finish(search: Search, *, message: str) -> None:
    _end(search, state=SearchState.FINISHED, message=message)


def search_begin_finishing(search: Search, *, message: str) -> None:
    """The budget is spent and finalists are queued."""
    search.state = SearchState.FINISHING
    search.message = message
    search.save(update_fields=["state", "message"])


def _end(search: Search, *, state: SearchState, message: str) -> None:
    """Close the search and everything in flight; a worker in the middle of a run notices within an epoch."""
    for model in RUN_TASKS:
        model.objects.filter(search_id=search.pk, state__in=IN_FLIGHT_RUN_STATES).update(
            state=RunState.STOPPED, finished_at=Now(), lease_expires_at=None
        )
    search.state = state
    search.message = message
    search.save(update_fields=["state", "message"])
    Search.objects.filter(pk=search.pk).update(finished_at=Now())


@dataclass(frozen=True)
class NewTrial:
    """A proposal with its place in the search."""

    number: int
    architecture: dict[str, Any]
    key: str
    behaviour: dict[str, Any]
    seed: int


def search_record_round(
    search: Search,
    *,
    told: Sequence[tuple[Trial, float | None]],
    proposed: Sequence[NewTrial],
    controller_state: bytes,
) -> None:
    """Write what a round told the controller and what it proposed; call inside the transaction that locked ``search``."""
    last = (
        Trial.objects.filter(search=search, told_order__isnull=False).order_by("-told_order").values_list("told_order", flat=True).first()
    )
    for order, (trial, reward) in enumerate(told, start=(last or 0) + 1):
        trial.told_order = order
        trial.reward = reward
        trial.save(update_fields=["told_order", "reward"])
    trials = Trial.objects.bulk_create(
        [
            Trial(
                search=search,
                number=new.number,
                architecture=new.architecture,
                key=new.key,
                behaviour=new.behaviour,
                seed=new.seed,
            )
            for new in proposed
        ]
    )
    for trial in trials:
        enqueue_on_commit(RUN_TRIAL, trial.pk)
    if told or proposed:
        ControllerState.objects.update_or_create(search=search, defaults={"data": controller_state})
    Search.objects.filter(pk=search.pk).update(advanced_at=Now())


def runs_all_ended(search: Search) -> bool:
    """Whether every baseline and finalist run of the search is over."""
    return not any(
        model.objects.filter(search_id=search.pk).exclude(state__in=ENDED_RUN_STATES).exists() for model in (Baseline, FinalistRun)
    )
