"""A/B tests between two versions of a model."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema, Status
from pydantic import Field

from gnn.proportions import Proportion
from webapp.api.auth import authorised, owner_of
from webapp.api.errors import named
from webapp.api.paging import Page, PageQuery, page_of
from webapp.enums import FeedbackKind
from webapp.models import Experiment, Model
from webapp.selectors.experiments import ArmResult, experiment_result, experiments_of
from webapp.services.experiments import experiment_start, experiment_stop

router = Router(auth=authorised("read"), tags=["experiments"])
write = authorised("write")


class StartIn(Schema):
    version: int = Field(description="The treatment; the promoted version is the control.")
    percent: int = Field(50, ge=1, le=99, description="Of the users, those who get the treatment.")


class StopIn(Schema):
    promote: int | None = Field(None, description="The version to promote: the control's or the treatment's number.")


class ExperimentOut(Schema):
    id: int
    control: int
    treatment: int
    percent: int
    started_at: datetime
    ended_at: datetime | None


class ShareOut(Schema):
    hits: int
    users: int
    share: float | None
    low: float = Field(description="Limits of the 95 % interval (Wilson).")
    high: float


class ArmOut(Schema):
    version: int
    impressions: int
    clicks: int
    purchases: int
    users: int = Field(description="Who saw at least one item.")


class RateOut(Schema):
    kind: FeedbackKind
    control: ShareOut
    treatment: ShareOut
    difference: float | None = Field(description="Treatment minus control.")
    low: float | None = Field(description="Limits of the 95 % interval (Newcombe, method 10).")
    high: float | None
    separable: bool = Field(description="Whether the interval leaves out 0.")


class ExperimentDetail(ExperimentOut):
    arms: list[ArmOut] = Field(description="Control, treatment.")
    rates: list[RateOut] = Field(description="Shares of the users who saw an item.")
    uneven: bool = Field(description="Whether users were not divided as planned, so that the rates do not compare.")


def _row(experiment: Experiment) -> dict[str, Any]:
    return {
        "id": experiment.pk,
        "control": experiment.control.number,
        "treatment": experiment.treatment.number,
        "percent": experiment.percent,
        "started_at": experiment.started_at,
        "ended_at": experiment.ended_at,
    }


def _detail(experiment: Experiment) -> dict[str, Any]:
    result = experiment_result(experiment)
    rates = []
    for rate in result.rates:
        difference = rate.difference
        found: dict[str, Any] = {"difference": None, "low": None, "high": None, "separable": False}
        if difference is not None:
            found = {
                "difference": difference.value,
                "low": difference.low,
                "high": difference.high,
                "separable": difference.separable and not result.uneven,
            }
        rates.append({"kind": rate.kind, "control": _share(rate.control), "treatment": _share(rate.treatment)} | found)
    return _row(experiment) | {"arms": [_arm(result.control), _arm(result.treatment)], "rates": rates, "uneven": result.uneven}


def _share(share: Proportion) -> dict[str, Any]:
    low, high = share.interval
    return {"hits": share.hits, "users": share.n, "share": share.value, "low": low, "high": high}


def _arm(arm: ArmResult) -> dict[str, Any]:
    counts = {name: getattr(arm, name) for name in ("impressions", "clicks", "purchases", "users")}
    return {"version": arm.version.number} | counts


def _experiment(name: str, number: int) -> Experiment:
    model = get_object_or_404(Model, name=name)
    return get_object_or_404(experiments_of(model), pk=number)


@router.get("/{slug:name}/experiments", response=Page[ExperimentOut], summary="List the experiments of a model")
def experiment_list(request: HttpRequest, name: str, query: Query[PageQuery]) -> Any:
    """Newest first."""
    rows, following = page_of(experiments_of(get_object_or_404(Model, name=name)), query)
    return {"items": [_row(row) for row in rows], "next": following}


@router.post("/{slug:name}/experiments", response={201: ExperimentDetail}, auth=write, summary="Start an experiment")
def experiment_new(request: HttpRequest, name: str, body: StartIn) -> Any:
    """Each user keeps getting the same version. It ends when it is stopped, or any version is promoted."""
    model = get_object_or_404(Model, name=name)
    named(model.versions, "version", number=body.version)
    started = experiment_start(owner=owner_of(request), model_id=model.pk, number=body.version, percent=body.percent)
    return Status(201, _detail(_experiment(name, started.pk)))


@router.get("/{slug:name}/experiments/{int:number}", response=ExperimentDetail, summary="Get the result of an experiment")
def experiment_get(request: HttpRequest, name: str, number: int) -> Any:
    return _detail(_experiment(name, number))


@router.post("/{slug:name}/experiments/{int:number}/stop", response=ExperimentDetail, auth=write, summary="Stop an experiment")
def experiment_end(request: HttpRequest, name: str, number: int, body: StopIn) -> Any:
    """One that has ended stays as it is; a version may still be promoted."""
    experiment_stop(owner=owner_of(request), experiment_id=_experiment(name, number).pk, promote=body.promote)
    return _detail(_experiment(name, number))
