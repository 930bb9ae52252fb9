"""The table of trials on the page of a search: a fragment, what it can be filtered by, and downloads of what it shows."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from gnn.protocol import METRIC_NAMES, Protocol
from gnn.space import SearchSpace
from webapp.enums import RunState
from webapp.models import Search, Trial
from webapp.selectors.searches import objective_of
from webapp.selectors.trial_columns import USUAL
from webapp.selectors.trial_table import PAGE_SIZES, fact_facets, trial_facets, trial_table, trials_exported
from webapp.views.paging import page_numbers, tidy

FACTS = (
    "number", "state", "arm", "rung", "reward", "failure", "message", "ending", "epochs", "best_epoch", "parameters", "train_seconds",
    "latency_ms", "worker", "started_at", "finished_at", "key", "seed",
)  # fmt: skip
"""Fields of a trial that downloads have."""


@require_safe
def search_trials(request: HttpRequest, search_id: int) -> HttpResponse:
    """The table of trials as a fragment; the page's URL follows what its form asks for."""
    search = get_object_or_404(Search, pk=search_id)
    response = render(request, "searches/trials.html", trials_context(request, search))
    if request.headers.get("HX-Trigger") == "trials-form":
        response.headers["HX-Push-Url"] = f"{reverse('search', args=[search.pk])}?{tidy(request.GET, column=USUAL).urlencode()}"
    return response


def _without(query: QueryDict, name: str) -> str:
    rest = query.copy()
    for gone in (name, "page"):
        rest.pop(gone, None)
    return f"?{rest.urlencode()}"


@require_safe
def search_facets(request: HttpRequest, search_id: int) -> HttpResponse:
    """What trials can be filtered by, with counts, as a fragment."""
    search = get_object_or_404(Search, pk=search_id)
    facets = [
        {
            "name": facet.name,
            "label": facet.label,
            "chosen": request.GET.get(facet.name, ""),
            "options": facet.options,
        }
        for facet in (*fact_facets(search), *trial_facets(search))
    ]
    return render(request, "searches/facets.html", {"search": search, "facets": facets})


def trials_context(request: HttpRequest, search: Search) -> dict[str, Any]:
    table = trial_table(search, request.GET)
    shown = {column.name for column in table.columns}
    groups: dict[str, list[tuple[str, str, bool]]] = {}
    for column in table.offered.values():
        groups.setdefault(str(column.group), []).append((column.name, str(column.label), column.name in shown))
    return {
        "search": search,
        "table": table,
        "objective": objective_of(search),
        "page_numbers": page_numbers(table.page),
        "sizes": PAGE_SIZES,
        "states": [(value, label, table.counts[value]) for value, label in RunState.choices if table.counts.get(value)],
        "total": sum(table.counts.values()),
        "filters": [(label, value, _without(request.GET, name)) for name, label, value in table.chosen.words()],
        "facets_given": [(name, request.GET[name]) for name, _, _ in table.chosen.words()],
        "column_groups": list(groups.items()),
    }


@require_safe
def search_trials_csv(request: HttpRequest, search_id: int) -> StreamingHttpResponse:
    """All trials that pass the filters of the URL, a line each: facts, validation metrics, decisions."""
    search = get_object_or_404(Search, pk=search_id)
    return _attachment(_csv_lines(search, request), search, "csv", "text/csv; charset=utf-8")


@require_safe
def search_trials_json(request: HttpRequest, search_id: int) -> StreamingHttpResponse:
    """The same as a JSON list."""
    search = get_object_or_404(Search, pk=search_id)
    return _attachment(_json_parts(search, request), search, "json", "application/json")


def _attachment(parts: Iterator[str], search: Search, extension: str, content_type: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(parts, content_type=content_type)
    response.headers["Content-Disposition"] = f'attachment; filename="search-{search.pk}-trials.{extension}"'
    return response


def _csv_lines(search: Search, request: HttpRequest) -> Iterator[str]:
    protocol = Protocol.from_json(search.protocol)
    metrics = [f"{name}@{k}" for k in protocol.cutoffs for name in METRIC_NAMES]
    decisions = [decision.name for decision in SearchSpace.from_json(search.space).decisions]
    buffer = StringIO()
    writer = csv.writer(buffer)
    writer.writerow([*FACTS, *metrics, *decisions])
    for trial in trials_exported(search, request.GET):
        facts = _facts(trial)
        chosen = trial.architecture
        writer.writerow([_inert(value) for value in (*facts.values(), *map(trial.scores.get, metrics), *map(chosen.get, decisions))])
        if buffer.tell() > 32_000:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def _inert(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula, as text (OWASP, "CSV Injection")."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _json_parts(search: Search, request: HttpRequest) -> Iterator[str]:
    separator = "[\n"
    for trial in trials_exported(search, request.GET):
        yield separator + json.dumps({**_facts(trial), "scores": trial.scores, "architecture": trial.architecture})
        separator = ",\n"
    yield "[]\n" if separator == "[\n" else "\n]\n"


def _facts(trial: Trial) -> Mapping[str, Any]:
    facts = {name: getattr(trial, name) for name in FACTS}
    facts["reward"] = trial.shown  # type: ignore[attr-defined]
    facts["rung"] += 1
    for name in ("started_at", "finished_at"):
        facts[name] = facts[name].isoformat(timespec="milliseconds") if facts[name] else None
    return facts
