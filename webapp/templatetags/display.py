"""How numbers, states and form fields look on every page."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import template
from django.forms import BoundField, CheckboxInput, CheckboxSelectMultiple, RadioSelect, Select
from django.template.context import Context
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from webapp.selectors.searches import metric_label

register = template.Library()

STATE_LOOKS = {
    "uploaded": ("secondary", "file-earmark-arrow-up"),
    "ingesting": ("info", "hourglass-split"),
    "ready": ("success", "check2"),
    "invalid": ("danger", "x-octagon"),
    "queued": ("secondary", "clock"),
    "running": ("info", "play-fill"),
    "waiting": ("secondary", "hourglass-split"),
    "paused": ("warning", "pause-fill"),
    "finishing": ("info", "flag"),
    "finished": ("success", "check2"),
    "completed": ("success", "check2"),
    "stopped": ("secondary", "stop-fill"),
    "failed": ("danger", "x-octagon"),
    "building": ("info", "hourglass-split"),
    "promoted": ("success", "flag-fill"),
    "archived": ("secondary", "hdd-stack"),
}
"""State -> colour and icon: never told by colour alone."""


@register.simple_tag
def icon(name: str, extra: str = "") -> SafeString:
    return format_html('<svg class="icon {}" aria-hidden="true"><use href="{}#{}"></use></svg>', extra, _sprite(), name)


def _sprite() -> str:
    return static("vendor/bootstrap-icons-1.13.2/icons.svg")


@register.simple_tag
def state_badge(row: Any) -> SafeString:
    """The state of any row that has one, in words, with a colour and an icon."""
    colour, name = STATE_LOOKS[row.state]
    return format_html(
        '<span class="badge state bg-{0}-subtle text-{0}-emphasis">{1} {2}</span>', colour, icon(name), row.get_state_display()
    )


@register.simple_tag(takes_context=True)
def nav_link(context: Context, name: str, label: str) -> SafeString:
    """A link of the main navigation, marked while its own pages are shown."""
    url = reverse(name)
    path = context["request"].path
    current = path == url if url == "/" else path.startswith(url)
    return format_html(
        '<li class="nav-item"><a class="nav-link{}" href="{}"{}>{}</a></li>',
        " active" if current else "", url, SafeString(' aria-current="page"') if current else "", label,
    )  # fmt: skip


@register.simple_tag
def crumbs(*parts: str) -> SafeString:
    """Where the reader is: any number of pairs of an address and a name that lead here, and the name of this page."""
    *above, here = parts
    links = format_html_join(
        "", '<li class="breadcrumb-item"><a href="{}">{}</a></li>',
        zip(above[::2], above[1::2], strict=True),
    )  # fmt: skip
    return format_html(
        '<nav aria-label="{}"><ol class="breadcrumb">{}<li class="breadcrumb-item active" aria-current="page">{}</li></ol></nav>',
        gettext("Breadcrumb"), links, here,
    )  # fmt: skip


@register.simple_tag(takes_context=True)
def query(context: Context, **changes: Any) -> str:
    """The page's query string with ``changes`` applied; an empty value removes its parameter."""
    parameters = context["request"].GET.copy()
    for name, value in changes.items():
        if value in (None, ""):
            parameters.pop(name, None)
        else:
            parameters[name] = str(value)
    return f"?{parameters.urlencode()}"


@register.filter
def score(value: float | None) -> str:
    """A metric with four decimals, or a dash where there is none."""
    return "–" if value is None else f"{value:.4f}"


@register.filter
def metric(name: str) -> str:
    """``ndcg@20`` as people write it."""
    return metric_label(name)


@register.filter
def mean_sd(value: tuple[float, float] | None, seeds: int = 1) -> str:
    """A mean with its standard deviation, which one seed does not have."""
    if value is None:
        return "–"
    return f"{value[0]:.4f} ± {value[1]:.4f}" if seeds > 1 else f"{value[0]:.4f}"


@register.filter
def signed(value: float) -> str:
    """A difference with its sign and four decimals."""
    return f"{value:+.4f}" if round(value, 4) else "0.0000"


@register.filter
def p_value(value: float) -> str:
    """A p-value with three decimals; it is never 0."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


@register.filter
def thousands(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


@register.filter
def duration(value: float | timedelta | None) -> str:
    """Seconds as a person says them: ``8 s``, ``3 min 20 s``, ``2 h 05 min``, ``3 d 4 h``."""
    if value is None:
        return "–"
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if seconds < 10:
        return gettext("%(seconds).1f s") % {"seconds": seconds}
    whole = round(seconds)
    if whole < 60:
        return gettext("%(seconds)d s") % {"seconds": whole}
    if whole < 3600:
        return gettext("%(minutes)d min %(seconds)02d s") % {"minutes": whole // 60, "seconds": whole % 60}
    if whole < 86400:
        return gettext("%(hours)d h %(minutes)02d min") % {"hours": whole // 3600, "minutes": whole % 3600 // 60}
    return gettext("%(days)d d %(hours)d h") % {"days": whole // 86400, "hours": whole % 86400 // 3600}


@register.filter
def moment(value: datetime | None) -> SafeString:
    """A time element; page.js rewrites it in the reader's own zone."""
    if value is None:
        return SafeString("–")
    utc = value.astimezone(timezone.get_default_timezone())
    return format_html('<time datetime="{}">{} UTC</time>', utc.isoformat(timespec="seconds"), utc.strftime("%Y-%m-%d %H:%M"))


@register.filter
def ago(value: datetime) -> str:
    """How long ago a moment was."""
    return gettext("%(time)s ago") % {"time": duration(max(timedelta(), timezone.now() - value))}


@register.filter
def get(mapping: dict[str, Any] | None, key: str) -> Any:
    return None if mapping is None else mapping.get(key)


@register.filter
def styled(field: BoundField) -> SafeString:
    """A form field with the class its widget needs."""
    widget = field.field.widget
    if isinstance(widget, CheckboxSelectMultiple | RadioSelect):
        return field.as_widget()
    kind = "form-check-input" if isinstance(widget, CheckboxInput) else "form-select" if isinstance(widget, Select) else "form-control"
    return field.as_widget(attrs={"class": f"{kind} is-invalid" if field.errors else kind})
