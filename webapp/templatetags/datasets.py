"""How the profile of a dataset is written."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from django import template
from django.forms import BoundField, Form
from django.utils.html import json_script
from django.utils.safestring import SafeString

from webapp.models import DatasetFile

register = template.Library()


@register.simple_tag
def figure_data(document: dict[str, Any], name: str) -> SafeString:
    """A figure as JSON under the id that its chart element names."""
    return json_script(document, f"figure-{name}")


@register.filter
def percent(share: float) -> str:
    """Three digits that count: ``6.30%``, ``0.0575%``."""
    return f"{100 * share:.3g}%"


@register.filter
def share(value: float) -> str:
    """A whole percentage, rounded down: less than all is not 100%."""
    return f"{math.floor(100 * value)}%"


@register.filter
def bytes_words(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{size / 1e3:,.1f} kB"


@register.filter
def number(value: float) -> str:
    """Whole numbers in full, others with four digits that count."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


@register.filter
def signed(value: float) -> str:
    return f"{value:+,}" if isinstance(value, int) else f"{value:+,.4g}"


@register.filter
def signed_share(value: float) -> str:
    return f"{value:+.1%}"


@register.filter
def words(text: str) -> list[str]:
    return text.split()


@register.filter
def get_field(form: Form, name: str) -> BoundField:
    return form[name]


@register.filter
def reading(file: DatasetFile) -> str:
    """How a further file is read, in one line: ``user: uid, item: title``."""
    mapping = file.mapping
    if "attributes" in mapping:
        names = [attribute["name"] for attribute in mapping["attributes"]]
        more = f" and {len(names) - 8} more" if len(names) > 8 else ""
        return ", ".join(names[:8]) + more
    # The database keeps no order of members, so positions give one.
    columns = sorted(mapping["columns"].items(), key=lambda pair: pair[1] if isinstance(pair[1], int) else 0)
    pairs = [f"{role}: {_column(column)}" for role, column in columns]
    return ", ".join([*pairs, *([f"{part} part"] if (part := mapping.get("part")) else [])])


def _column(key: int | str) -> str:
    return f"column {key + 1}" if isinstance(key, int) else key


@register.filter
def weight(value: float) -> str:
    """Six digits: weights are kept in single precision, which has no more."""
    return f"{value:.6g}"


@register.filter
def day(epoch: int) -> str:
    return f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%d}"


@register.filter
def second(epoch: int) -> str:
    return f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%d %H:%M:%S}"


@register.filter
def rejected(rejects: dict[str, Any]) -> int:
    return int(rejects["rows_read"] - rejects["rows_kept"])
