from __future__ import annotations

from django.contrib.auth.models import User
from django.db.models import F, Window
from django.db.models.functions import RowNumber

from gnn.sources import Mapping
from webapp.models import MappingTemplate

KEPT = 200
"""Templates of one person; the longest unused go first."""


def template_remember(*, owner: User | None, shape: str, mapping: Mapping, filename: str) -> None:
    """Offer ``mapping`` for the next file of this shape; the newest of a shape counts."""
    MappingTemplate.objects.update_or_create(owner=owner, shape=shape, defaults={"mapping": mapping.to_json(), "filename": filename[-255:]})
    ranked = MappingTemplate.objects.filter(owner=owner).annotate(rank=Window(RowNumber(), order_by=F("used_at").desc()))
    MappingTemplate.objects.filter(pk__in=ranked.filter(rank__gt=KEPT).values("pk")).delete()
