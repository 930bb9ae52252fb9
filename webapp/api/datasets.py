"""Datasets: what was uploaded, how its columns are read, what came of that, and its versions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Annotated, Any, cast

from django.conf import settings
from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from ninja import File, Form, Query, Router, Schema, Status, UploadedFile
from ninja.decorators import decorate_view
from pydantic import Field

from gnn.errors import DataError
from gnn.preparation import Preparation
from gnn.sources import Detected, Mapping
from gnn.sources.side import AttributesMapping, EdgesMapping
from webapp.api.auth import authorised, owner_of
from webapp.api.errors import problem
from webapp.api.fields import NO_NUL, Document, Text
from webapp.api.paging import Page, PageQuery, page_of
from webapp.enums import DatasetState, FileKind, PreviewState
from webapp.models import Dataset, DatasetFile, PreparationPreview
from webapp.selectors.dataset_files import file_detected
from webapp.selectors.datasets import datasets_listed
from webapp.selectors.mapping_templates import template_for
from webapp.services.dataset_files import dataset_file_map, dataset_file_remove, dataset_version_start
from webapp.services.dataset_removal import dataset_cancel, dataset_delete
from webapp.services.datasets import dataset_confirm, dataset_upload
from webapp.services.errors import Conflict
from webapp.services.mapping_templates import template_remember
from webapp.services.previews import preview_ask
from webapp.uploads import FORM_BYTES, upload_limit_bytes

router = Router(auth=authorised("read"), tags=["Datasets"])
write = authorised("write")

NewName = Annotated[str, Form(max_length=200, pattern=NO_NUL)]


class DatasetQuery(PageQuery):
    q: Text = Field(default="", description="Part of the name.")


class DatasetOut(Schema):
    id: int
    name: str
    state: DatasetState
    owner: str | None
    filename: str
    version: int
    users: int | None = Field(description="null until the dataset is ready, as are the other counts.")
    items: int | None
    interactions: int | None
    created_at: datetime

    @staticmethod
    def resolve_owner(dataset: Dataset) -> str | None:
        return dataset.owner.username if dataset.owner else None


class FileOut(Schema):
    id: int
    kind: FileKind
    filename: str
    mapping: Document = Field(description="How it is read; empty until somebody says so.")


class DatasetDetail(DatasetOut):
    message: str = Field(description="What is wrong and what to do, when invalid.")
    mapping: Document
    preparation: Document
    rows_read: int | None = Field(description="How far the worker has come, while the dataset is read.")
    previous: int | None = Field(description="The dataset that this one is the next version of.")
    next_versions: list[int]
    files: list[FileOut] = Field(description="Further files: side tables, and more rows.")
    has_rejects: bool = Field(description="Whether rows of the first file were rejected.")

    @staticmethod
    def resolve_users(dataset: Dataset) -> int | None:
        return cast(int | None, dataset.profile.get("users"))

    @staticmethod
    def resolve_items(dataset: Dataset) -> int | None:
        return cast(int | None, dataset.profile.get("items"))

    @staticmethod
    def resolve_interactions(dataset: Dataset) -> int | None:
        return cast(int | None, dataset.profile.get("interactions"))

    @staticmethod
    def resolve_previous(dataset: Dataset) -> int | None:
        return dataset.previous_id

    @staticmethod
    def resolve_next_versions(dataset: Dataset) -> list[int]:
        return [version.pk for version in dataset.next_versions.all()]

    @staticmethod
    def resolve_files(dataset: Dataset) -> list[DatasetFile]:
        return list(dataset.files.all())

    @staticmethod
    def resolve_has_rejects(dataset: Dataset) -> bool:
        return bool(dataset.rejects_blob)


class ColumnOut(Schema):
    index: int
    name: str
    is_number: bool
    distinct: int = Field(description="Different values among the rows looked at.")


class DetectedOut(Schema):
    """A file as its first rows show it."""

    source: str
    label: str
    delimiter: str
    has_header: bool
    encoding: str
    skip_lines: int = Field(description="Lines above the header or the first row that are neither.")
    columns: list[ColumnOut]
    rows: list[list[str]]
    problems: list[str] = Field(description="What a person should know before confirming.")
    mapping: Document | None = Field(description="The mapping that seems right; null where it is not clear who did what.")


class ReadIn(Schema):
    mapping: Mapping | None = Field(default=None, description="Left out, the one that `detected` proposes.")
    preparation: Preparation | None = Field(default=None, description="Which rows are kept; left out, all.")


class PreviewOut(Schema):
    state: PreviewState
    steps: list[Document] = Field(description="Counts after each step of the preparation.")
    rejected: int
    message: str


def dataset_shown(dataset_id: int) -> Dataset:
    datasets = Dataset.objects.select_related("owner").prefetch_related("files", "next_versions")
    return get_object_or_404(datasets, pk=dataset_id)


def _not_too_large(run: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Refuse a file larger than the server takes before it is read."""

    @wraps(run)
    def limited(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if int(request.META.get("CONTENT_LENGTH") or 0) > upload_limit_bytes() + FORM_BYTES:
            return problem(413, f"The file is larger than {settings.RECSMITH_UPLOAD_LIMIT_MB:,} MB, the limit of this server.")
        return run(request, *args, **kwargs)

    return limited


@router.get("", response=Page[DatasetOut], summary="List datasets")
def dataset_list(request: HttpRequest, query: Query[DatasetQuery]) -> Any:
    """Newest first."""
    datasets, following = page_of(datasets_listed(text=query.q), query)
    return {"items": datasets, "next": following}


@router.post("", response={201: DatasetDetail}, auth=write, summary="Upload a dataset in one request")
@decorate_view(_not_too_large)
def dataset_new(request: HttpRequest, file: File[UploadedFile], name: NewName = "") -> Any:
    """For large files see `POST /uploads`. Then say how it is read with `PUT .../mapping`."""
    dataset = dataset_upload(owner=owner_of(request), name=name, filename=file.name or "file", file=file)
    return Status(201, dataset_shown(dataset.pk))


@router.get("/{int:dataset_id}", response=DatasetDetail, summary="Get a dataset")
def dataset_get(request: HttpRequest, dataset_id: int) -> Any:
    return dataset_shown(dataset_id)


@router.delete("/{int:dataset_id}", response={204: None}, auth=write, summary="Delete a dataset")
def dataset_remove(request: HttpRequest, dataset_id: int, with_searches: bool = False) -> Any:
    """With `with_searches=true` ended searches on it go too; a running one keeps it."""
    get_object_or_404(Dataset, pk=dataset_id)
    dataset_delete(dataset_id=dataset_id, with_searches=with_searches)
    return Status(204, None)


@router.get("/{int:dataset_id}/profile", response=Document, summary="Get the profile of a ready dataset")
def dataset_profile(request: HttpRequest, dataset_id: int) -> Any:
    """Counts, distributions, time line, side tables, rejected rows by reason."""
    dataset = get_object_or_404(Dataset, pk=dataset_id)
    if dataset.state != DatasetState.READY:
        raise Http404(f"Dataset {dataset_id} is {dataset.get_state_display().lower()}; only a ready one has a profile.")
    return dataset.profile


@router.get("/{int:dataset_id}/detected", response=DetectedOut, summary="Look into the uploaded file")
def dataset_detected(request: HttpRequest, dataset_id: int) -> Any:
    dataset = get_object_or_404(Dataset, pk=dataset_id)
    detected = _detected(dataset)
    try:
        mapping = _proposed(request, dataset, detected).to_json()
    except DataError:
        mapping = None  # a person has to say it
    names = ("source", "label", "delimiter", "has_header", "encoding", "skip_lines", "columns", "rows", "problems")
    return {name: getattr(detected, name) for name in names} | {"mapping": mapping}


@router.put("/{int:dataset_id}/mapping", response={202: DatasetDetail}, auth=write, summary="Say how a dataset is read, and read it")
def dataset_map(request: HttpRequest, dataset_id: int, body: ReadIn) -> Any:
    """A worker reads it; the state becomes `ready`, or `invalid` with a message. The same again changes nothing."""
    dataset = get_object_or_404(Dataset, pk=dataset_id)
    if (unread := dataset.files.filter(mapping={}).first()) is not None:
        raise Conflict(f"Say first how the columns of {unread.filename} are read.")
    detected = _detected(dataset)
    mapping = body.mapping or _proposed(request, dataset, detected)
    dataset_confirm(dataset_id=dataset.pk, mapping=mapping, preparation=body.preparation)
    template_remember(owner=owner_of(request), shape=detected.shape, mapping=mapping, filename=dataset.filename)
    return Status(202, dataset_shown(dataset.pk))


@router.post("/{int:dataset_id}/preview", response={202: PreviewOut}, auth=write, summary="Count what a preparation would leave")
def preview_new(request: HttpRequest, dataset_id: int, body: ReadIn) -> Any:
    dataset = get_object_or_404(Dataset, pk=dataset_id)
    mapping = body.mapping or _proposed(request, dataset, _detected(dataset))
    return Status(202, preview_ask(dataset_id=dataset.pk, mapping=mapping, preparation=body.preparation or Preparation()))


@router.get("/{int:dataset_id}/preview", response=PreviewOut, summary="Get the counts asked for last")
def preview_get(request: HttpRequest, dataset_id: int) -> Any:
    return get_object_or_404(PreparationPreview, dataset=dataset_id)


@router.post("/{int:dataset_id}/cancel", response=DatasetDetail, auth=write, summary="Stop reading a dataset")
def dataset_stop(request: HttpRequest, dataset_id: int) -> Any:
    get_object_or_404(Dataset, pk=dataset_id)
    return dataset_shown(dataset_cancel(dataset_id=dataset_id).pk)


@router.post("/{int:dataset_id}/versions", response={201: DatasetDetail}, auth=write, summary="Begin the next version")
def dataset_version_new(request: HttpRequest, dataset_id: int) -> Any:
    """It begins with the files and the mapping of this one. Add files with `POST /uploads`. One that is begun is given again."""
    get_object_or_404(Dataset, pk=dataset_id)
    return Status(201, dataset_shown(dataset_version_start(owner=owner_of(request), dataset_id=dataset_id).pk))


@router.put("/{int:dataset_id}/files/{int:file_id}/mapping", response=FileOut, auth=write, summary="Say how a further file is read")
def file_map(request: HttpRequest, dataset_id: int, file_id: int, body: Mapping | AttributesMapping | EdgesMapping) -> Any:
    file = get_object_or_404(DatasetFile, pk=file_id, dataset=dataset_id)
    kind = "interactions" if isinstance(body, Mapping) else body.kind
    if kind != file.kind:
        raise DataError(f"{file.filename} holds {file.get_kind_display().lower()}, but the mapping is of {kind}.")
    return dataset_file_map(file_id=file.pk, mapping=body)


@router.delete("/{int:dataset_id}/files/{int:file_id}", response={204: None}, auth=write, summary="Take a further file away")
def file_remove(request: HttpRequest, dataset_id: int, file_id: int) -> Any:
    dataset_file_remove(file_id=get_object_or_404(DatasetFile, pk=file_id, dataset=dataset_id).pk)
    return Status(204, None)


CSV: dict[str, Any] = {"responses": {200: {"description": "OK", "content": {"text/csv": {"schema": {"type": "string"}}}}}}


@router.get("/{int:dataset_id}/rejects.csv", summary="Download rejected rows", openapi_extra=CSV)
def dataset_rejects(request: HttpRequest, dataset_id: int, file: int | None = None) -> FileResponse:
    """Of the first file, or of the further one that `file` names."""
    row: Dataset | DatasetFile = get_object_or_404(Dataset, pk=dataset_id)
    if file is not None:
        row = get_object_or_404(DatasetFile, pk=file, dataset=dataset_id)
    if not row.rejects_blob or not default_storage.exists(row.rejects_blob):
        raise Http404("No row of this file was rejected.")
    return FileResponse(default_storage.open(row.rejects_blob), content_type="text/csv; charset=utf-8")


def _detected(dataset: Dataset) -> Detected:
    """The file as the mapping so far reads it, or else as it looks."""
    try:
        return file_detected(dataset.source_blob, dataset.filename)
    except FileNotFoundError as error:
        raise Http404("The uploaded file is no longer stored.") from error


def _proposed(request: HttpRequest, dataset: Dataset, detected: Detected) -> Mapping:
    """How the file was to be read before, or how this person read the last of its shape, or else what its columns suggest.

    Raises:
        DataError: they do not say who did what.
    """
    if dataset.mapping:
        return Mapping.from_json(dataset.mapping)
    known = template_for(owner=owner_of(request), shape=detected.shape)
    return detected.adapted(known[0]) if known else detected.mapping()
