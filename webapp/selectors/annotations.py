"""Lists narrowed by tags, and by what is archived."""

from __future__ import annotations

from typing import Any

from django.db.models import CharField, Count, F, Func, QuerySet

MAX_TAGS = 50


def annotated(rows: QuerySet[Any], *, tag: str = "", archived: bool | None = None) -> QuerySet[Any]:
    """Those of ``rows`` that have the ``tag``, if one is given, and are archived or not; None takes both."""
    if tag:
        rows = rows.filter(tags__contains=[tag])
    return rows if archived is None else rows.filter(archived_at__isnull=not archived)


def tags_used(rows: QuerySet[Any]) -> list[tuple[str, int]]:
    """Tag -> how many of ``rows`` have it, the most frequent first."""
    each = Func(F("tags"), function="jsonb_array_elements_text", output_field=CharField(), set_returning=True)
    tagged = rows.order_by().annotate(tag=each).values("tag").annotate(n=Count("id", distinct=True)).order_by("-n", "tag")
    return list(tagged.values_list("tag", "n")[:MAX_TAGS])
