"""How every list is narrowed by a tag, and asked for what is archived (``?tag=``, ``?archived=1``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpRequest

from webapp.selectors.annotations import annotated, tags_used
from webapp.services.annotations import MAX_TAG_LENGTH, Annotatable


@dataclass(frozen=True)
class ListFilter:
    """What a list is narrowed by, and what it could be narrowed by."""

    tag: str
    archived: bool
    tags: Sequence[tuple[str, int]]
    """Tags of what is listed, with the number of rows that have each."""
    n_archived: int

    @property
    def narrows(self) -> bool:
        return bool(self.tag) or self.archived


def list_filter(request: HttpRequest, model: type[Annotatable]) -> ListFilter:
    tag = request.GET.get("tag", "").replace("\0", "")[:MAX_TAG_LENGTH]
    archived = request.GET.get("archived", "") == "1"
    rows = model._default_manager.all()
    return ListFilter(tag, archived, tags_used(annotated(rows, archived=archived)), annotated(rows, archived=True).count())
