from __future__ import annotations

from django.conf import settings
from django.db import models


class MappingTemplate(models.Model):
    """How a file of one shape was read last, offered again for the next file of that shape."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="mapping_templates")
    shape = models.CharField(max_length=64)
    """SHA-256 of ``gnn.sources.Detected.shape``: format and column names."""
    mapping = models.JSONField()
    filename = models.CharField(max_length=255)
    """The file it was confirmed for, as the page says."""
    used_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "shape"], name="template_shape")]

    def __str__(self) -> str:
        return f"template of {self.filename}"
