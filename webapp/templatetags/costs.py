"""How predictions of memory look."""

from __future__ import annotations

from django import template

register = template.Library()


@register.filter
def mib(value: float) -> str:
    """Memory given in MiB, to two digits or so: ``135 MiB``, ``1.3 GiB``."""
    return f"{value:,.0f} MiB" if value < 1024 else f"{value / 1024:,.1f} GiB"
