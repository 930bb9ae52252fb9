from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.paginator import Page
from django.http import HttpRequest, QueryDict


def page_numbers(page: Page[Any]) -> list[int | str]:
    """Page numbers to link to, with an ellipsis for those left out."""
    return list(page.paginator.get_elided_page_range(page.number, on_each_side=2, on_ends=1))


def search_text(request: HttpRequest) -> str:
    """What a list is filtered by (``?q=``); PostgreSQL takes no NUL in a text."""
    return request.GET.get("q", "")[:200].replace("\0", "")


def tidy(query: QueryDict, **usual: Sequence[str]) -> QueryDict:
    """Without what asks for nothing, or for the values of a parameter that are ``usual`` anyway."""
    kept = query.copy()
    for name, values in query.lists():
        if not any(values) or (name in usual and set(values) | {usual[name][0]} == set(usual[name])):
            del kept[name]
    return kept
