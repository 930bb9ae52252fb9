"""The panel of notes, tags and the archive on the page of a thing, and the address of that page."""

from __future__ import annotations

from typing import Any

from django import template
from django.template.context import Context
from django.urls import reverse
from django.utils.translation import gettext

from webapp.models import ApiToken, Dataset, Model, Search, Space, Worker
from webapp.services.annotations import MAX_NOTE, Annotatable
from webapp.services.audit import KINDS, Subject

register = template.Library()


def subject_url(row: Subject) -> str:
    """The page of what an event of the audit trail is about."""
    match row:
        case Dataset():
            return reverse("dataset", args=[row.pk])
        case Space():
            return reverse("space", args=[row.pk])
        case Search():
            return reverse("search", args=[row.pk])
        case Model():
            return reverse("model", args=[row.name])
        case Worker():
            return reverse("workers")
        case ApiToken():
            return reverse("tokens")


@register.simple_tag
def subject_link(row: Subject) -> str:
    return subject_url(row)


@register.filter
def fact_label(name: str) -> str:
    """What a fact of an event is called."""
    labels = {
        "trials": gettext("trials more"),
        "planned": gettext("trials planned"),
        "trial": gettext("trial"),
        "version": gettext("version"),
        "searches": gettext("searches with it"),
        "tags": gettext("tags"),
        "scopes": gettext("scopes"),
        "experiment": gettext("experiment"),
        "percent": gettext("percent of the users"),
        "imported": gettext("imported"),
        "file_added": gettext("file added"),
        "file_read_as": gettext("columns chosen of"),
        "file_removed": gettext("file taken away"),
    }
    return labels.get(name, name)


@register.filter
def is_list(value: Any) -> bool:
    return isinstance(value, list)


@register.inclusion_tag("annotations/panel.html", takes_context=True)
def annotations_of(context: Context, row: Annotatable) -> dict[str, Any]:
    """Note, tags and archive of a dataset, space, search or model."""
    return {
        "row": row,
        "kind": KINDS[type(row)],
        "max_note": MAX_NOTE,
        "list_url": {Dataset: "datasets", Space: "spaces", Search: "searches", Model: "models"}[type(row)],
        "csrf_token": context.get("csrf_token"),
    }
