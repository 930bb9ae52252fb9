from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from webapp.enums import FileKind
from webapp.models.blobs import Blob
from webapp.models.datasets import Dataset


class Upload(models.Model):
    """A file on its way in, chunk by chunk, so that a dropped connection costs one chunk and not the file."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="uploads")
    filename = models.CharField(max_length=255)
    size = models.BigIntegerField()
    """Bytes that the sender announced; the file may have neither more nor fewer."""
    name = models.CharField(max_length=200, blank=True)
    """Of the dataset it becomes; empty for the name of the file."""
    kind = models.CharField(max_length=16, choices=FileKind.choices, blank=True)
    """What the file adds to ``dataset``; empty for a file that becomes a dataset of its own."""
    dataset = models.ForeignKey(Dataset, null=True, on_delete=models.CASCADE, related_name="uploads")
    """The dataset it adds to, or has become."""
    blob = models.OneToOneField(Blob, null=True, on_delete=models.PROTECT, related_name="upload")
    """What arrived so far; None once the file has its place."""
    created_at = models.DateTimeField(auto_now_add=True)
    touched_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [models.Index(fields=["touched_at"], name="upload_touched")]

    def __str__(self) -> str:
        return f"upload of {self.filename}"
