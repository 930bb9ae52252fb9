"""Models: register finalists as versions, decide which is served, download bundles."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema, Status
from pydantic import Field

from webapp.api.auth import authorised, owner_of
from webapp.api.errors import named
from webapp.api.fields import Document, Text
from webapp.api.paging import Page, PageQuery, page_of
from webapp.enums import ModelState, TrainedOn
from webapp.models import Model, ModelVersion, Trial
from webapp.selectors.models import VersionRow, model_rows, models_listed, version_of, version_row, versions_listed
from webapp.services.models import model_archive, model_promote, model_register, model_roll_back

router = Router(auth=authorised("read"), tags=["Models"])
write = authorised("write")

ZIP: dict[str, Any] = {
    "responses": {200: {"description": "OK", "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}}
}


class ModelQuery(PageQuery):
    q: Text = Field(default="", description="Part of the name.")


class RegisterIn(Schema):
    search: int
    trial: int = Field(description="The number of a finalist of that search.")
    trained_on: TrainedOn = TrainedOn.TRAIN


class VersionOut(Schema):
    number: int
    state: ModelState
    message: str = Field(description="Why there is no model, when failed; what is being done, while building.")
    owner: str | None
    search: int | None
    trial: int | None
    digest: str = Field(description="Of the bundle's content; empty until it is built.")
    created_at: datetime


class VersionDetail(VersionOut):
    document: Document = Field(description="Data, space, protocol, architecture, metrics, seeds and code version; empty until it is built.")


class ModelOut(Schema):
    name: str
    versions: int
    newest: VersionOut
    promoted: VersionOut | None
    created_at: datetime


def _shown(row: VersionRow) -> dict[str, Any]:
    version = row.version
    return {
        "number": version.number,
        "state": row.state,
        "message": row.message,
        "owner": version.owner.username if version.owner else None,
        "search": version.search_id,
        "trial": version.trial_number,
        "digest": version.digest,
        "created_at": version.created_at,
        "document": version.document,
    }


def _row(name: str, number: int) -> VersionRow:
    try:
        return version_of(name, number)
    except ModelVersion.DoesNotExist as error:
        raise Http404(f"There is no version {number} of a model {name!r}.") from error


def _models(models: list[Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": row.model.name,
            "versions": row.n_versions,
            "newest": _shown(row.newest),
            "promoted": _shown(row.promoted) if row.promoted else None,
            "created_at": row.model.created_at,
        }
        for row in model_rows(models)
    ]


@router.get("", response=Page[ModelOut], summary="List models")
def model_list(request: HttpRequest, query: Query[ModelQuery]) -> Any:
    """By name."""
    models, following = page_of(models_listed(text=query.q), query, key="name")
    return {"items": _models(models), "next": following}


@router.get("/{slug:name}", response=ModelOut, summary="Get a model")
def model_get(request: HttpRequest, name: str) -> Any:
    [model] = _models([get_object_or_404(models_listed(), name=name)])
    return model


@router.post("/{slug:name}/roll-back", response=VersionDetail, auth=write, summary="Promote the version that was promoted before")
def model_back(request: HttpRequest, name: str) -> Any:
    version = model_roll_back(model_id=get_object_or_404(Model, name=name).pk)
    return _shown(_row(name, version.number))


@router.get("/{slug:name}/versions", response=Page[VersionOut], summary="List the versions of a model")
def version_list(request: HttpRequest, name: str, query: Query[PageQuery]) -> Any:
    """Newest first."""
    versions, following = page_of(versions_listed(get_object_or_404(Model, name=name)), query, key="-number")
    return {"items": [_shown(version_row(version)) for version in versions], "next": following}


@router.post("/{slug:name}/versions", response={202: VersionDetail}, auth=write, summary="Register a finalist")
def version_new(request: HttpRequest, name: str, body: RegisterIn) -> Any:
    """A worker trains it once more; the model is made when its name is new."""
    trial = named(Trial.objects, "trial", search=body.search, number=body.trial)
    version = model_register(owner=owner_of(request), name=name, trial_id=trial.pk, trained_on=body.trained_on)
    return Status(202, _shown(_row(name, version.number)))


@router.get("/{slug:name}/versions/{int:number}", response=VersionDetail, summary="Get a version")
def version_get(request: HttpRequest, name: str, number: int) -> Any:
    return _shown(_row(name, number))


@router.post("/{slug:name}/versions/{int:number}/promote", response=VersionDetail, auth=write, summary="Promote a version")
def version_promote(request: HttpRequest, name: str, number: int) -> Any:
    """It is served from now on."""
    model_promote(owner=owner_of(request), version_id=_row(name, number).version.pk)
    return _shown(_row(name, number))


@router.post("/{slug:name}/versions/{int:number}/archive", response=VersionDetail, auth=write, summary="Archive a version")
def version_archive(request: HttpRequest, name: str, number: int) -> Any:
    """Promoting it takes it out again."""
    model_archive(version_id=_row(name, number).version.pk)
    return _shown(_row(name, number))


@router.get("/{slug:name}/versions/{int:number}/bundle.zip", summary="Download a bundle", openapi_extra=ZIP)
def version_bundle(request: HttpRequest, name: str, number: int) -> FileResponse:
    version = _row(name, number).version
    if not version.bundle_blob:
        raise Http404(f"Version {number} of {name} is not built.")
    file = default_storage.open(version.bundle_blob)
    return FileResponse(file, as_attachment=True, filename=f"{name}-{number}.zip", content_type="application/zip")
