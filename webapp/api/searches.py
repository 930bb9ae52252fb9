"""Searches: start, watch, change, and what came of them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Annotated, Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Header, Query, Router, Status

from gnn.catalogue import preset_space
from gnn.plan import SearchPlan
from gnn.space import SearchSpace
from webapp.api.auth import authorised, owner_of
from webapp.api.errors import named
from webapp.api.paging import Page, page_of
from webapp.api.search_schemas import (
    ArmsOut,
    LeaderboardOut,
    LiveOut,
    LiveQuery,
    SearchChoices,
    SearchDetail,
    SearchExtend,
    SearchOut,
    SearchQuery,
    SearchStart,
    search_shown,
)
from webapp.models import Dataset, Search, Space, SpaceVersion
from webapp.selectors.arms import arms_at_work, rung_rows
from webapp.selectors.searches import (
    Progress,
    leaderboard,
    objective_of,
    progress,
    search_rows,
    searches_listed,
    validation_verdict,
)
from webapp.selectors.searches_live import in_flight, last_told, points_after
from webapp.services.searches import (
    search_extend,
    search_finish_now,
    search_pause,
    search_resume,
    search_start,
    search_stop,
)

router = Router(auth=authorised("read"), tags=["Searches"])
write = authorised("write")

Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)]

START_TOKENS = uuid.UUID("5b1f0d6e-6d2f-4a3f-9a4e-0f3f4a4a2c11")
"""The namespace in which a person's Idempotency-Key becomes the token of a start."""


def search_at(search_id: int) -> Search:
    return get_object_or_404(Search.objects.select_related("dataset", "owner"), pk=search_id)


def _detail(search: Search) -> dict[str, Any]:
    reached = progress(search)
    best = reached.best.score if reached.best else None
    shown = search_shown(search, objective=objective_of(search), done=reached.done, failed=reached.failed, best=best)
    names = ("message", "seed", "workers", "space", "protocol", "plan")
    return shown | {name: getattr(search, name) for name in names} | {"progress": reached}


@router.get("", response=Page[SearchOut], summary="List searches")
def search_list(request: HttpRequest, query: Query[SearchQuery]) -> Any:
    """Newest first."""
    searches, following = page_of(searches_listed(text=query.q, state=query.state or ""), query)
    rows = search_rows(searches)
    shown = [search_shown(row.search, objective=row.objective, done=row.done, failed=row.failed, best=row.best) for row in rows]
    return {"items": shown, "next": following}


@router.post("", response={201: SearchDetail}, auth=write, summary="Start a search")
def search_new(request: HttpRequest, body: SearchStart, idempotency_key: Key = None) -> Any:
    """Send an `Idempotency-Key` of your own making: the same request again, after a lost answer, gives the search it started."""
    dataset = named(Dataset.objects, "dataset", pk=body.dataset)
    space, version = _space(body)
    return _started(request, body, dataset, space, idempotency_key, version)


@router.post("/{int:search_id}/clone", response={201: SearchDetail}, auth=write, summary="Start a search like another")
def search_clone(request: HttpRequest, search_id: int, body: SearchChoices, idempotency_key: Key = None) -> Any:
    """On the same dataset and space; what the body leaves out is as it was."""
    search = search_at(search_id)
    names = ("name", "controller", "planned_trials", "workers", "seed", "protocol", "plan")
    before = {name: getattr(search, name) for name in names}
    choices = SearchChoices.model_validate(before | body.model_dump(mode="json", exclude_unset=True))
    return _started(request, choices, search.dataset, SearchSpace.from_json(search.space), idempotency_key, search.space_version)


@router.get("/{int:search_id}", response=SearchDetail, summary="Get a search")
def search_get(request: HttpRequest, search_id: int) -> Any:
    return _detail(search_at(search_id))


@router.get("/{int:search_id}/live", response=LiveOut, summary="Follow a search")
def search_live(request: HttpRequest, search_id: int, query: Query[LiveQuery]) -> Any:
    """What happened after an outcome, and what runs now."""
    search = search_at(search_id)
    points, _ = points_after(search, cursor=query.after)
    cursor = max(query.after, last_told(points))
    reached: Progress = progress(search)
    return {"state": search.state, "cursor": cursor, "points": points, "in_flight": in_flight(search), "progress": reached}


@router.post("/{int:search_id}/extend", response=SearchDetail, auth=write, summary="Plan more trials or another budget")
def search_more(request: HttpRequest, search_id: int, body: SearchExtend) -> Any:
    search_at(search_id)
    search_extend(search_id=search_id, trials=body.trials, budget=body.budget, seen=body.seen)
    return _detail(search_at(search_id))


@router.post("/{int:search_id}/pause", response=SearchDetail, auth=write, summary="Pause a search")
def search_pause_post(request: HttpRequest, search_id: int) -> Any:
    """Running trials save where they are and go on after `resume`."""
    return _acted(search_id, search_pause)


@router.post("/{int:search_id}/resume", response=SearchDetail, auth=write, summary="Resume a paused search")
def search_resume_post(request: HttpRequest, search_id: int) -> Any:
    """It goes on where it was paused."""
    return _acted(search_id, search_resume)


@router.post("/{int:search_id}/stop", response=SearchDetail, auth=write, summary="Stop a search")
def search_stop_post(request: HttpRequest, search_id: int) -> Any:
    """What was scored stays; nothing is tested."""
    return _acted(search_id, search_stop)


@router.post("/{int:search_id}/finish", response=SearchDetail, auth=write, summary="Finish a search early")
def search_finish_post(request: HttpRequest, search_id: int) -> Any:
    """Nothing more is proposed; running trials end at their next epoch, then the best are tested."""
    return _acted(search_id, search_finish_now)


@router.get("/{int:search_id}/leaderboard", response=LeaderboardOut, summary="Get the leaderboard")
def search_leaderboard(request: HttpRequest, search_id: int) -> Any:
    """The best architectures and every baseline, by validation."""
    search = search_at(search_id)
    rows, objective = leaderboard(search), objective_of(search)
    return {"objective": objective, "verdict": validation_verdict(rows, objective), "rows": rows}


@router.get("/{int:search_id}/arms", response=ArmsOut, summary="Get what each arm spent and reached")
def search_arms(request: HttpRequest, search_id: int) -> Any:
    """Also rungs, comparisons on test, and which decisions mattered."""
    search = search_at(search_id)
    arms = arms_at_work(search)
    return {"arms": arms, "rungs": rung_rows(search, arms), "comparisons": search.comparisons, "importance": search.importance}


def _acted(search_id: int, act: Callable[..., Search]) -> dict[str, Any]:
    act(search_id=search_at(search_id).pk)
    return _detail(search_at(search_id))


def _space(body: SearchStart) -> tuple[SearchSpace, SpaceVersion | None]:
    """The space, and the version of the saved one that it is."""
    if body.preset is not None:
        return preset_space(body.preset), None
    if body.space is not None:
        version = named(Space.objects, "space", pk=body.space).versions.latest("number")
        return SearchSpace.from_json(version.document), version
    return SearchSpace.from_json(body.document), None


def _started(
    request: HttpRequest, choices: SearchChoices, dataset: Dataset, space: SearchSpace, key: str | None, version: SpaceVersion | None
) -> Status[Any]:
    owner = owner_of(request)
    search = search_start(
        owner=owner,
        name=choices.name or f"{dataset.name}, {choices.controller}, {choices.planned_trials} trials"[:200],
        dataset=dataset,
        space=space,
        protocol=choices.protocol,
        controller=choices.controller,
        planned_trials=choices.planned_trials,
        workers=choices.workers,
        seed=choices.seed,
        start_token=uuid.uuid4() if key is None else uuid.uuid5(START_TOKENS, f"{owner.pk}:{key}"),
        plan=choices.plan or SearchPlan.usual(choices.protocol.max_epochs),
        space_version=version,
    )
    return Status(201, _detail(search_at(search.pk)))
