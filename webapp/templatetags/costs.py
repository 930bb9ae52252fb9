"""How predictions of memory and time look."""

from __future__ import annotations

from django import template

from webapp.templatetags.display import duration

register = template.Library()


@register.filter
def mib(value: float) -> str:
    """Memory given in MiB, to two digits or so: ``135 MiB``, ``1.3 GiB``."""
    return f"{value:,.0f} MiB" if value < 1024 else f"{value / 1024:,.1f} GiB"


@register.filter
def short_time(value: float) -> str:
    """Seconds as ``duration`` says them, with milliseconds below one."""
    return duration(value) if value >= 1 else f"{1000 * value:.2g} ms" if value < 0.0995 else f"{1000 * value:.0f} ms"
