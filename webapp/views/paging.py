from __future__ import annotations

from typing import Any

from django.core.paginator import Page
from django.http import HttpRequest


def page_numbers(page: Page[Any]) -> list[int | str]:
    """Page numbers to link to, with an ellipsis for those left out."""
    return list(page.paginator.get_elided_page_range(page.number, on_each_side=2, on_ends=1))


def search_text(request: HttpRequest) -> str:
    """What a list is filtered by (``?q=``); PostgreSQL takes no NUL in a text."""
    return request.GET.get("q", "")[:200].replace("\0", "")
