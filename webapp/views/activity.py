from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from webapp.enums import AuditVerb, SubjectKind
from webapp.selectors.audit import actors_known, event_rows, events_listed, events_page
from webapp.views.paging import page_numbers

COMMAND = "-"
"""In the address, for what a command on the server did; no account has this name alone."""


@require_safe
def activity(request: HttpRequest) -> HttpResponse:
    """Who did what when; ``?kind=&subject=`` is the list of one thing."""
    kind, verb, who = (request.GET.get(name, "").replace("\0", "")[:150] for name in ("kind", "verb", "who"))
    kind = kind if kind in SubjectKind.values else ""
    verb = verb if verb in AuditVerb.values else ""
    number = request.GET.get("subject", "")
    subject_id = int(number) if kind and number.isascii() and number.isdecimal() and len(number) < 19 else None
    actor = None if not who else "" if who == COMMAND else who
    events = events_listed(kind=kind, subject_id=subject_id, verb=verb, actor=actor)
    page = events_page(events, page=request.GET.get("page", 1))
    rows = event_rows(list(page))
    context = {
        "page": page,
        "page_numbers": page_numbers(page),
        "rows": rows,
        "kinds": SubjectKind.choices,
        "verbs": AuditVerb.choices,
        "actors": actors_known(),
        "kind": kind,
        "verb": verb,
        "who": who,
        "command": COMMAND,
        "subject_id": subject_id,
        "subject": rows[0] if rows and subject_id is not None else None,
        "narrows": bool(kind or verb or who),
    }
    return render(request, "activity/list.html", context)
