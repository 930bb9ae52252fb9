from __future__ import annotations

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()


@register.filter
def coded(text: str) -> SafeString:
    """What stands between backticks as code."""
    parts = (format_html("<code>{}</code>" if at % 2 else "{}", part) for at, part in enumerate(text.split("`")))
    return format_html_join("", "{}", ((part,) for part in parts))
