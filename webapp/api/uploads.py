"""Large files in chunks: start, send, ask how far it came, finish, cancel. A broken connection costs one chunk."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Header, Router, Schema, Status
from pydantic import Field, model_validator

from gnn.errors import DataError
from webapp.api.auth import authorised, owner_of
from webapp.api.datasets import DatasetDetail, dataset_shown
from webapp.api.errors import ApiError, named
from webapp.api.fields import Name
from webapp.enums import FileKind
from webapp.models import Dataset, Upload
from webapp.selectors.uploads import uploads_unfinished
from webapp.services.uploads import CHUNK_BYTES, upload_append, upload_cancel, upload_finish, upload_start
from webapp.uploads import chunk_read

router = Router(auth=authorised("write"), tags=["Uploads"])

CHUNK: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
}


Offset = Annotated[int, Header(alias="Upload-Offset", ge=0, le=2**62)]


class UploadIn(Schema):
    filename: Name
    size: int = Field(ge=0, le=2**62, description="Bytes of the whole file.")
    name: str = Field(default="", max_length=200, description="Of the dataset; left out, it is named after the file.")
    dataset: int | None = Field(default=None, description="The dataset that this file is added to.")
    kind: FileKind | None = Field(default=None, description="What the file adds to `dataset`.")

    @model_validator(mode="after")
    def _check(self) -> UploadIn:
        if (self.dataset is None) != (self.kind is None):
            raise ValueError("give both `dataset` and `kind` for a further file, or neither for a new dataset")
        return self


class UploadOut(Schema):
    id: UUID
    filename: str
    size: int
    offset: int = Field(description="The next byte that is expected.")
    chunk_bytes: int = Field(description="Send at most so many bytes at once, and in all chunks but the last a multiple of 2^20.")
    created_at: datetime

    @staticmethod
    def resolve_offset(upload: Upload) -> int:
        return upload.size if upload.blob is None else upload.blob.size

    @staticmethod
    def resolve_chunk_bytes(upload: Upload) -> int:
        return CHUNK_BYTES


class Uploads(Schema):
    items: list[UploadOut]


@router.get("", response=Uploads, summary="List your unfinished uploads")
def upload_list(request: HttpRequest) -> Any:
    """The latest first; a server keeps only so many for one person."""
    return {"items": uploads_unfinished(owner_of(request))}


@router.post("", response={201: UploadOut}, summary="Start an upload")
def upload_new(request: HttpRequest, body: UploadIn) -> Any:
    dataset = None if body.dataset is None else named(Dataset.objects, "dataset", pk=body.dataset)
    try:
        upload = upload_start(
            owner=owner_of(request), filename=body.filename, size=body.size, name=body.name, dataset=dataset, kind=body.kind or ""
        )
    except DataError as error:
        raise ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error)) from error
    return Status(201, upload)


@router.get("/{uuid:upload_id}", response=UploadOut, summary="Ask how far an upload came")
def upload_get(request: HttpRequest, upload_id: UUID) -> Any:
    return get_object_or_404(Upload.objects.select_related("blob"), pk=upload_id, owner=owner_of(request))


@router.patch("/{uuid:upload_id}", response=UploadOut, summary="Send a chunk", openapi_extra=CHUNK)
def upload_chunk(request: HttpRequest, upload_id: UUID, upload_offset: Offset) -> Any:
    """`Upload-Offset` is the place of its first byte in the file. After a 409 ask how far the upload came and go on there."""
    return upload_append(owner=owner_of(request), upload_id=upload_id, offset=upload_offset, data=chunk_read(request, limit=CHUNK_BYTES))


@router.post("/{uuid:upload_id}/finish", response={201: DatasetDetail}, summary="Finish an upload")
def upload_end(request: HttpRequest, upload_id: UUID) -> Any:
    """Turns a complete upload into a dataset, or into a further file of one; asked again, gives that dataset."""
    return Status(201, dataset_shown(upload_finish(owner=owner_of(request), upload_id=upload_id).pk))


@router.delete("/{uuid:upload_id}", response={204: None}, summary="Cancel an upload")
def upload_discard(request: HttpRequest, upload_id: UUID) -> Any:
    upload_cancel(owner=owner_of(request), upload_id=upload_id)
    return Status(204, None)
