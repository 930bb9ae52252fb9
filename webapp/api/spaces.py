"""Search spaces: presets, saved ones, and how large one is before it is saved."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema, Status
from pydantic import Field

from gnn.catalogue import PRESETS, check_trainable, preset_space
from gnn.space import SearchSpace
from webapp.api.auth import authorised, owner_of
from webapp.api.fields import Document, Name, Text
from webapp.api.paging import Page, PageQuery, page_of
from webapp.models import Space, SpaceVersion
from webapp.selectors.spaces import SpaceRow, space_rows, spaces_listed, versions_listed
from webapp.services.spaces import space_create, space_delete, space_update

router = Router(auth=authorised("read"), tags=["Search spaces"])
write = authorised("write")


class SpaceQuery(PageQuery):
    q: Text = Field(default="", description="Part of the name.")


class SpaceIn(Schema):
    name: Name
    document: Document = Field(description="The space: `schema` and `decisions`, as in a preset.")


class DocumentIn(Schema):
    document: Document


class SizeOut(Schema):
    size: int = Field(description="How many different architectures it holds.")
    decisions: int


class SpaceOut(SizeOut):
    id: int
    name: str
    owner: str | None
    version: int = Field(description="The newest; saving another document makes the next.")
    created_at: datetime
    updated_at: datetime


class SpaceDetail(SpaceOut):
    document: Document


class SpaceVersionOut(Schema):
    number: int
    author: str | None
    created_at: datetime
    searches: int = Field(description="Searches that began with it.")


class SpaceVersionDetail(SpaceVersionOut):
    document: Document


class PresetOut(SizeOut):
    name: str
    document: Document


def _shown(space: Space) -> dict[str, Any]:
    [row] = space_rows([space])
    return _row_shown(row)


def _row_shown(row: SpaceRow) -> dict[str, Any]:
    space = row.space
    plain = {name: getattr(space, name) for name in ("id", "name", "created_at", "updated_at")}
    held = {"version": row.version.number, "document": row.version.document, "size": row.size, "decisions": row.decisions}
    return plain | held | {"owner": space.owner.username if space.owner else None}


def _version_shown(version: SpaceVersion) -> dict[str, Any]:
    plain = {name: getattr(version, name) for name in ("number", "created_at")}
    return plain | {"author": version.author.username if version.author else None, "searches": version.started}  # type: ignore[attr-defined]


def _preset(name: str) -> dict[str, Any]:
    space = preset_space(name)
    return {"name": name, "size": space.size, "decisions": len(space.specs), "document": space.to_json()}


@router.get("", response=Page[SpaceOut], summary="List saved spaces")
def space_list(request: HttpRequest, query: Query[SpaceQuery]) -> Any:
    """By name."""
    spaces, following = page_of(spaces_listed(text=query.q), query, key="name")
    return {"items": [_row_shown(row) for row in space_rows(spaces)], "next": following}


@router.post("", response={201: SpaceDetail}, auth=write, summary="Save a space")
def space_new(request: HttpRequest, body: SpaceIn) -> Any:
    space = space_create(owner=owner_of(request), name=body.name, space=SearchSpace.from_json(body.document))
    return Status(201, _shown(space))


@router.post("/size", response=SizeOut, summary="Check a space and count its architectures")
def space_size(request: HttpRequest, body: DocumentIn) -> Any:
    """Saves nothing."""
    space = SearchSpace.from_json(body.document)
    check_trainable(space)
    return {"size": space.size, "decisions": len(space.specs)}


@router.get("/presets", response=list[PresetOut], summary="List presets")
def preset_list(request: HttpRequest) -> Any:
    return [_preset(name) for name in PRESETS]


@router.get("/presets/{slug:name}", response=PresetOut, summary="Get a preset")
def preset_get(request: HttpRequest, name: str) -> Any:
    if name not in PRESETS:
        raise Http404(f"There is no preset '{name}'; there are {', '.join(PRESETS)}.")
    return _preset(name)


@router.get("/{int:space_id}", response=SpaceDetail, summary="Get a space")
def space_get(request: HttpRequest, space_id: int) -> Any:
    return _shown(get_object_or_404(spaces_listed(), pk=space_id))


@router.get("/{int:space_id}/versions", response=list[SpaceVersionOut], summary="List the versions of a space")
def space_version_list(request: HttpRequest, space_id: int) -> Any:
    """The newest first, at most 100."""
    return [_version_shown(version) for version in versions_listed(get_object_or_404(Space, pk=space_id).pk)[:100]]


@router.get("/{int:space_id}/versions/{int:number}", response=SpaceVersionDetail, summary="Get a version of a space")
def space_version_get(request: HttpRequest, space_id: int, number: int) -> Any:
    version = get_object_or_404(versions_listed(space_id), number=number)
    return _version_shown(version) | {"document": version.document}


@router.put("/{int:space_id}", response=SpaceDetail, auth=write, summary="Change a space")
def space_change(request: HttpRequest, space_id: int, body: SpaceIn) -> Any:
    """Another document is saved as a new version; searches that ran with it keep theirs."""
    get_object_or_404(Space, pk=space_id)
    space = SearchSpace.from_json(body.document)
    return _shown(space_update(space_id=space_id, name=body.name, space=space, author=owner_of(request)))


@router.delete("/{int:space_id}", response={204: None}, auth=write, summary="Delete a space")
def space_remove(request: HttpRequest, space_id: int) -> Any:
    get_object_or_404(Space, pk=space_id)
    space_delete(space_id=space_id)
    return Status(204, None)
