from __future__ import annotations

from django import template

register = template.Library()


@register.filter
def percentage(share: float) -> str:
    """A share or a difference of shares in percent, with the minus sign of print."""
    return f"{100 * share:.2f} %".replace("-", "−")
