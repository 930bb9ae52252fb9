from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.core.paginator import Page, Paginator
from django.db.models import Count, QuerySet

from gnn.space import SearchSpace
from webapp.models import Space, SpaceVersion
from webapp.selectors.annotations import annotated


@dataclass(frozen=True)
class SpaceRow:
    """A saved space with its newest version."""

    space: Space
    version: SpaceVersion
    size: int
    decisions: int


def spaces_listed(*, text: str = "") -> QuerySet[Space]:
    """Saved spaces by name, with their owners."""
    spaces = Space.objects.select_related("owner").order_by("name")
    return spaces.filter(name__icontains=text) if text else spaces


def spaces_page(*, text: str = "", page: int | str = 1, size: int = 25, tag: str = "", archived: bool = False) -> Page[Space]:
    return Paginator(annotated(spaces_listed(text=text), tag=tag, archived=archived), size).get_page(page)


def space_rows(spaces: Iterable[Space]) -> list[SpaceRow]:
    listed = list(spaces)
    newest = {version.space_id: version for version in _newest().filter(space__in=listed)}
    rows = []
    for space in listed:
        parsed = SearchSpace.from_json(newest[space.pk].document)
        rows.append(SpaceRow(space, newest[space.pk], parsed.size, len(parsed.specs)))
    return rows


def space_choices(*, limit: int = 500) -> list[SpaceVersion]:
    """The newest version of each saved space, without what it holds, by name; for a form."""
    newest = _newest().values("pk")
    return list(SpaceVersion.objects.filter(pk__in=newest).select_related("space").defer("document").order_by("space__name")[:limit])


def space_version(space_id: int, number: int | None = None) -> SpaceVersion | None:
    """A version of a saved space, the newest without a ``number``; None where there is none."""
    versions = SpaceVersion.objects.filter(space_id=space_id).select_related("space")
    return versions.order_by("-number").first() if number is None else versions.filter(number=number).first()


def versions_listed(space_id: int) -> QuerySet[SpaceVersion]:
    """Versions of a saved space, the newest first, with their authors and how many searches ``started`` with each."""
    versions = SpaceVersion.objects.filter(space_id=space_id).select_related("author")
    return versions.annotate(started=Count("searches")).order_by("-number")


def _newest() -> QuerySet[SpaceVersion]:
    """The newest version of each space."""
    return SpaceVersion.objects.order_by("space_id", "-number").distinct("space_id")
