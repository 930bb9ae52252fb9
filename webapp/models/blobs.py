from __future__ import annotations

from django.db import models


class Blob(models.Model):
    """A file kept in the database; ``name`` is the SHA-256 of its content, set once it is complete."""

    name = models.CharField(max_length=64, unique=True, null=True)
    size = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name or f"incomplete blob {self.pk}"


class BlobPart(models.Model):
    blob = models.ForeignKey(Blob, on_delete=models.CASCADE, related_name="parts")
    index = models.PositiveIntegerField()
    data = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["blob", "index"], name="blob_part_index")]

    def __str__(self) -> str:
        return f"part {self.index} of {self.blob_id}"
