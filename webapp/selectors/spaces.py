from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet

from gnn.space import SearchSpace
from webapp.models import Space


@dataclass(frozen=True)
class SpaceRow:
    space: Space
    size: int
    decisions: int


def spaces_listed(*, text: str = "") -> QuerySet[Space]:
    """Saved spaces by name, with their owners."""
    spaces = Space.objects.select_related("owner").order_by("name")
    return spaces.filter(name__icontains=text) if text else spaces


def spaces_page(*, text: str = "", page: int | str = 1, size: int = 25) -> Page[Space]:
    return Paginator(spaces_listed(text=text), size).get_page(page)


def space_rows(spaces: Iterable[Space]) -> list[SpaceRow]:
    rows = []
    for space in spaces:
        parsed = SearchSpace.from_json(space.document)
        rows.append(SpaceRow(space, parsed.size, len(parsed.specs)))
    return rows


def space_choices(*, limit: int = 500) -> list[Space]:
    """Saved spaces by name, for a form."""
    return list(Space.objects.order_by("name")[:limit])
