"""Leaderboards of a search and of a dataset, as pages and as files."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from webapp.models import Dataset, Search
from webapp.selectors.comparable import Judged, judged
from webapp.selectors.leaderboard import MOST_ROWS, Board, BoardRow, Group, board, groups_of, metric_chosen, metrics_of
from webapp.selectors.searches import METRIC_LABELS, objective_of
from webapp.views.paging import page_numbers

SPLITS = {
    "ratio": gettext_lazy("a random share of each user's interactions"),
    "leave_one_out": gettext_lazy("each user's last interactions"),
    "temporal": gettext_lazy("the newest interactions"),
    "k_fold": gettext_lazy("one of several parts"),
    "predefined": gettext_lazy("the parts the data came in"),
}
"""What is held out, by split."""
SETTINGS = {
    "valid_fraction": gettext_lazy("validation share %(value)s"),
    "test_fraction": gettext_lazy("test share %(value)s"),
    "split_seed": gettext_lazy("split seed %(value)s"),
    "folds": gettext_lazy("%(value)s parts"),
    "fold": gettext_lazy("part %(value)s tests"),
    "valid_fold": gettext_lazy("part %(value)s validates"),
}

COLUMNS = (
    "rank", "kind", "search", "trial", "model", "valid", "valid_low", "valid_high", "valid_beyond_best_baseline", "test", "test_low",
    "test_high", "test_sd", "seeds", "ahead_of", "ahead", "ahead_low", "ahead_high", "ahead_p", "parameters", "seconds", "latency_ms",
)  # fmt: skip


@require_safe
def search_leaderboard(request: HttpRequest, search_id: int) -> HttpResponse:
    """All models of a search, ranked."""
    search = _search(search_id)
    return render(request, "leaderboard/search.html", {"search": search, "protocol_key": judged(search).key, **_context(request, [search])})


@require_safe
def search_leaderboard_file(request: HttpRequest, search_id: int, kind: str) -> HttpResponse:
    search = _search(search_id)
    return _file(_asked(request, [search], size=MOST_ROWS), kind, f"search-{search.pk}-leaderboard")


@require_safe
def dataset_leaderboard(request: HttpRequest, dataset_id: int) -> HttpResponse:
    """The models of all searches of a dataset that judge alike; ``?protocol=`` chooses how."""
    dataset = get_object_or_404(Dataset.objects.defer("profile"), pk=dataset_id)
    groups = groups_of(dataset)
    group = _group(request, groups)
    context = {
        "dataset": dataset,
        "dataset_id": str(dataset.pk),
        "groups": [(some, judged_words(some.judged)) for some in groups],
        "group": group,
        "searches": {search.pk: search for search in group.searches} if group else {},
        **(_context(request, group.searches) if group else {}),
    }
    return render(request, "leaderboard/dataset.html", context)


@require_safe
def dataset_leaderboard_file(request: HttpRequest, dataset_id: int, kind: str) -> HttpResponse:
    dataset = get_object_or_404(Dataset.objects.defer("profile"), pk=dataset_id)
    group = _group(request, groups_of(dataset))
    return _file(_asked(request, group.searches if group else [], size=MOST_ROWS), kind, f"dataset-{dataset.pk}-leaderboard")


def judged_words(how: Judged) -> str:
    """How scores came about, in one line."""
    settings = [str(SETTINGS[name]) % {"value": value} for name, value in how.settings if value is not None]
    if how.reward == "k_fold":
        settings.append(_("mean over all parts that do not test"))
    return ", ".join([str(SPLITS[how.split]), *settings])


def _search(search_id: int) -> Search:
    return get_object_or_404(Search.objects.select_related("dataset").defer("space", "importance"), pk=search_id)


def _group(request: HttpRequest, groups: Sequence[Group]) -> Group | None:
    """The group asked for, or that of the newest search; None without a search."""
    asked = request.GET.get("protocol", "")
    return next((group for group in groups if group.judged.key == asked), groups[0] if groups else None)


def _asked(request: HttpRequest, searches: Sequence[Search], **options: Any) -> Board:
    metric = metric_chosen(searches, request.GET.get("metric", ""), request.GET.get("k", ""))
    return board(searches, metric, **options)


def _context(request: HttpRequest, searches: Sequence[Search]) -> dict[str, Any]:
    table = _asked(request, searches, page=request.GET.get("page", 1))
    names, lengths = metrics_of(searches)
    name, k = table.metric.split("@")
    objectives = {objective_of(search) for search in searches}
    return {
        "board": table,
        "page": table.page,
        "page_numbers": page_numbers(table.page),
        "names": [(one, METRIC_LABELS[one], one == name) for one in names],
        "lengths": [(length, str(length) == k) for length in lengths],
        "compared": table.metric in objectives,
        "measured_alike": len(objectives) == 1,
    }


def _file(table: Board, kind: str, name: str) -> HttpResponse:
    rows = sorted((*table.baselines, *table.rows), key=lambda row: row.rank)
    documents = [_document(row) for row in rows]
    if kind == "json":
        response: HttpResponse = JsonResponse({"metric": table.metric, "rows": documents}, json_dumps_params={"indent": 2})
    else:
        response = HttpResponse(content_type="text/csv; charset=utf-8")
        writer = csv.DictWriter(response, ["metric", *COLUMNS])
        writer.writeheader()
        writer.writerows({"metric": table.metric, **document} for document in documents)
    response["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    return response


def _document(row: BoardRow) -> dict[str, Any]:
    low, high = row.valid.interval or (None, None)
    test_low, test_high = (row.test.interval if row.test else None) or (None, None)
    test, ahead = row.test.value if row.test else None, row.ahead
    paired = (ahead.other, ahead.difference, ahead.low, ahead.high, ahead.p) if ahead else (None,) * 5
    values = (
        row.rank, row.kind, row.search_id, row.number, row.name, row.valid.value, low, high, row.beyond, test, test_low, test_high,
        row.test_sd, row.seeds, *paired, row.parameters, row.seconds, row.latency_ms,
    )  # fmt: skip
    return dict(zip(COLUMNS, values, strict=True))
