"""The trials of a search: their list, one with its learning curve, and one by hand."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Status

from gnn.space import Architecture
from webapp.api.auth import authorised
from webapp.api.paging import Page, PageQuery, page_of
from webapp.api.search_schemas import ArchitectureIn, EpochOut, TrialOut, TrialQuery
from webapp.api.searches import search_at
from webapp.selectors.trials import epochs_listed, trials_listed
from webapp.services.searches import search_enqueue

router = Router(auth=authorised("read"), tags=["Trials"])


@router.get("/{int:search_id}/trials", response=Page[TrialOut], summary="List trials")
def trial_list(request: HttpRequest, search_id: int, query: Query[TrialQuery]) -> Any:
    trials = trials_listed(search_at(search_id), state=query.state or "", arm=query.arm or "")
    found, following = page_of(trials, query, key="-number" if query.newest_first else "number")
    return {"items": found, "next": following}


@router.post("/{int:search_id}/trials", response={201: TrialOut}, auth=authorised("write"), summary="Train an architecture of your own")
def trial_new(request: HttpRequest, search_id: int, body: ArchitectureIn) -> Any:
    """A choice for each decision that applies; it is trained before anything else the search proposes."""
    search = search_at(search_id)
    trial = search_enqueue(search_id=search.pk, architecture=Architecture.of(body.architecture))
    return Status(201, trials_listed(search).get(pk=trial.pk))


@router.get("/{int:search_id}/trials/{int:number}", response=TrialOut, summary="Get a trial")
def trial_get(request: HttpRequest, search_id: int, number: int) -> Any:
    return get_object_or_404(trials_listed(search_at(search_id)), number=number)


@router.get("/{int:search_id}/trials/{int:number}/epochs", response=Page[EpochOut], summary="Get the learning curve of a trial")
def trial_epochs(request: HttpRequest, search_id: int, number: int, query: Query[PageQuery]) -> Any:
    trial = get_object_or_404(trials_listed(search_at(search_id)), number=number)
    epochs, following = page_of(epochs_listed(trial), query, key="epoch")
    return {"items": epochs, "next": following}
