"""What upload.js talks to: start, send chunks, ask how far it came, finish, cancel. All answers are JSON."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from gnn.errors import DataError
from webapp.forms.datasets import UploadStartForm
from webapp.models import Upload
from webapp.services.errors import Conflict
from webapp.services.uploads import CHUNK_BYTES, upload_append, upload_cancel, upload_finish, upload_start
from webapp.uploads import ChunkRefused, chunk_read, header_number


@require_POST
def upload_new(request: HttpRequest) -> HttpResponse:
    form = UploadStartForm(request.POST)
    if not form.is_valid():
        return JsonResponse({"error": " ".join(str(error) for errors in form.errors.values() for error in errors)}, status=422)
    try:
        asked = form.cleaned_data
        upload = upload_start(
            owner=_user(request),
            filename=asked["filename"],
            size=asked["size"],
            name=asked["name"],
            dataset=asked["target"],
            kind=asked["kind"],
        )
    except DataError as error:
        return JsonResponse({"error": str(error)}, status=413)
    except Conflict as conflict:
        return JsonResponse({"error": str(conflict)}, status=409)
    answer = {"url": reverse("upload", args=[upload.pk]), "finish": reverse("upload_finish", args=[upload.pk])}
    return JsonResponse(answer | {"offset": 0, "chunk_bytes": CHUNK_BYTES}, status=201)


@require_http_methods(["GET", "HEAD", "PATCH", "DELETE"])
def upload_one(request: HttpRequest, upload_id: UUID) -> HttpResponse:
    owner = _user(request)
    if request.method == "DELETE":
        upload_cancel(owner=owner, upload_id=upload_id)
        return HttpResponse(status=204)
    upload = Upload.objects.select_related("blob").filter(pk=upload_id, owner=owner)
    if request.method != "PATCH":
        return _state(get_object_or_404(upload))
    offset = header_number(request, "Upload-Offset")
    if offset is None:
        return JsonResponse({"error": "Upload-Offset must be a whole number."}, status=400)
    try:
        data = chunk_read(request, limit=CHUNK_BYTES)
        return _state(upload_append(owner=owner, upload_id=upload_id, offset=offset, data=data))
    except ChunkRefused as error:
        return JsonResponse({"error": str(error)}, status=error.status)
    except Upload.DoesNotExist:
        return JsonResponse({"error": "This upload was cancelled."}, status=404)
    except Conflict:
        return _state(get_object_or_404(upload), status=409)
    except DataError as error:
        return JsonResponse({"error": str(error)}, status=422)


@require_POST
def upload_end(request: HttpRequest, upload_id: UUID) -> HttpResponse:
    try:
        dataset = upload_finish(owner=_user(request), upload_id=upload_id, name=request.POST.get("name", "").replace("\0", ""))
    except Upload.DoesNotExist:
        return JsonResponse({"error": "This upload was cancelled. Upload the file again."}, status=404)
    except Conflict as conflict:
        return JsonResponse({"error": str(conflict)}, status=409)
    except DataError as error:
        return JsonResponse({"error": str(error)}, status=422)
    return JsonResponse({"url": reverse("dataset_mapping", args=[dataset.pk])}, status=201)


@require_POST
def upload_discard(request: HttpRequest, upload_id: UUID) -> HttpResponse:
    """Cancel from a page, where no form can send DELETE."""
    upload_cancel(owner=_user(request), upload_id=upload_id)
    return redirect("dataset_upload")


def _state(upload: Upload, *, status: int = 200) -> JsonResponse:
    offset = upload.size if upload.blob is None else upload.blob.size
    answer = {"offset": offset, "size": upload.size, "chunk_bytes": CHUNK_BYTES, "finish": reverse("upload_finish", args=[upload.pk])}
    return JsonResponse(answer, status=status)


def _user(request: HttpRequest) -> User:
    return cast(User, request.user)  # the middleware lets nobody else in
