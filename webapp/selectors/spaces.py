from __future__ import annotations

from dataclasses import dataclass

from django.core.paginator import Page, Paginator

from gnn.space import SearchSpace
from webapp.models import Space


@dataclass(frozen=True)
class SpaceRow:
    space: Space
    size: int
    decisions: int


def spaces_page(*, text: str = "", page: int | str = 1, size: int = 25) -> Page[Space]:
    spaces = Space.objects.select_related("owner").order_by("name")
    if text:
        spaces = spaces.filter(name__icontains=text)
    return Paginator(spaces, size).get_page(page)


def space_rows(page: Page[Space]) -> list[SpaceRow]:
    rows = []
    for space in page:
        parsed = SearchSpace.from_json(space.document)
        rows.append(SpaceRow(space, parsed.size, len(parsed.specs)))
    return rows


def space_choices(*, limit: int = 500) -> list[Space]:
    """Saved spaces by name, for a form."""
    return list(Space.objects.order_by("name")[:limit])
