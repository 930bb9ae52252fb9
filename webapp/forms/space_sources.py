"""Where a form may take a search space from, as the value of a field.

``preset:NAME`` is a preset, ``saved:ID`` the newest version of a saved space, ``saved:ID:NUMBER`` any of its versions, and
``search:ID`` the space of a search.
"""

from __future__ import annotations

from django.utils.translation import gettext as _

from gnn.catalogue import PRESETS, preset_space
from gnn.errors import SpaceError
from gnn.space import SearchSpace
from webapp.models import Search, SpaceVersion
from webapp.selectors.spaces import space_choices, space_version

Choices = list[tuple[str, list[tuple[str, str]]]]


def space_sources(*chosen: str) -> Choices:
    """What a field offers: presets, the newest version of each saved space, and what is ``chosen`` besides."""
    saved = [(f"saved:{version.space_id}:{version.number}", _version_label(version)) for version in space_choices()]
    searches: list[tuple[str, str]] = []
    for source in dict.fromkeys(chosen):
        kind, _colon, which = source.partition(":")
        if kind == "saved" and source not in dict(saved) and (version := _version_named(which)) is not None:
            saved.append((source, _version_label(version)))
        if kind == "search" and (search := _number(which)) is not None and Search.objects.filter(pk=search).exists():
            searches.append((source, _("the space of search %(number)d") % {"number": search}))
    presets = [(f"preset:{name}", name) for name in PRESETS]
    groups = [(_("Presets"), presets), (_("Saved spaces"), saved), (_("Earlier searches"), searches)]
    return [(label, choices) for label, choices in groups if choices]


def space_at(source: str) -> tuple[SearchSpace, SpaceVersion | None]:
    """The space that a source is, and the version of a saved one that it was taken from.

    Raises:
        SpaceError: there is none, or this version of Recsmith cannot read it.
    """
    kind, _colon, which = source.partition(":")
    if kind == "preset":
        return preset_space(which), None
    if kind == "search" and (number := _number(which)) is not None:
        search = Search.objects.select_related("space_version").filter(pk=number).first()
        if search is not None:
            return SearchSpace.from_json(search.space), search.space_version
    if kind == "saved" and (version := _version_named(which)) is not None:
        return SearchSpace.from_json(version.document), version
    raise SpaceError(_("There is no space '%(source)s' any more; choose another.") % {"source": source[:60]})


def newest_version(source: str) -> str:
    """The source of the newest version of the saved space that ``saved:ID`` is; empty for another source."""
    kind, _colon, which = source.partition(":")
    version = _version_named(which) if kind == "saved" and ":" not in which else None
    return "" if version is None else f"saved:{version.space_id}:{version.number}"


def _version_named(which: str) -> SpaceVersion | None:
    space_id, colon, number = which.partition(":")
    if _number(space_id) is None or (colon and _number(number) is None):
        return None
    return space_version(int(space_id), int(number) if colon else None)


def _version_label(version: SpaceVersion) -> str:
    return _("%(space)s, version %(number)d") % {"space": version.space.name, "number": version.number}


def _number(text: str) -> int | None:
    """A number that an id may be."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None
