"""The table of trials of a search: filtered, sorted and paged by the database, and counted by what it can be filtered by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import or_
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Count, Expression, F, OrderBy, Q, QuerySet
from django.http import QueryDict
from django.utils.translation import gettext

from gnn.space import Choice, SearchSpace, choice_text
from webapp.enums import ArmName, Failure, RunState
from webapp.models import Search, Trial
from webapp.selectors.choices import choice_table
from webapp.selectors.trial_columns import Column, choice_words, columns_chosen, expanded, trial_columns
from webapp.selectors.trials import decision_label, trials_listed

PAGE_SIZES = (10, 25, 50, 100)
USUAL_SIZE = 25
EXPORT_CHUNK = 500
"""Trials that a download holds in memory at once."""


@dataclass(frozen=True)
class TrialFilter:
    """Which trials are shown; an empty field shows all. ``choices`` is decision -> choice, made at any layer."""

    state: str = ""
    arm: str = ""
    failure: str = ""
    rung: int | None = None
    choices: Mapping[str, Choice] = field(default_factory=dict)

    @classmethod
    def of(cls, search: Search, query: QueryDict) -> TrialFilter:
        """What the URL asks for; what does not exist asks for nothing."""
        state, arm, failure, rung = (query.get(name, "") for name in ("state", "arm", "failure", "rung"))
        choices = {
            spec.name: choice
            for spec in SearchSpace.from_json(search.space).specs
            for choice in spec.choices
            if query.get(f"d.{spec.name}", "") == choice_text(choice)
        }
        return cls(
            state=state if state in RunState.values else "",
            arm=arm if arm in ArmName.values else "",
            failure=failure if failure in Failure.values else "",
            rung=int(rung) - 1 if rung.isascii() and rung.isdecimal() and len(rung) < 4 and int(rung) > 0 else None,
            choices=choices,
        )

    def apply(self, search: Search, trials: QuerySet[Any]) -> QuerySet[Any]:
        given = {"state": self.state, "arm": self.arm, "failure": self.failure, "rung": self.rung}
        trials = trials.filter(**{name: value for name, value in given.items() if value not in ("", None)})
        if not self.choices:
            return trials
        space = SearchSpace.from_json(search.space)
        for spec in space.specs:
            if spec.name in self.choices:
                at_any_layer = [Q(**{f"architecture__{name}": self.choices[spec.name]}) for name in expanded(space, spec)]
                trials = trials.filter(reduce(or_, at_any_layer))
        return trials

    def words(self) -> list[tuple[str, str, str]]:
        """(parameter in the URL, label, value) of everything that filters but the state."""
        words = [(f"d.{name}", decision_label(name), choice_words(choice)) for name, choice in self.choices.items()]
        if self.arm:
            words.append(("arm", gettext("Arm"), str(ArmName(self.arm).label)))
        if self.failure:
            words.append(("failure", gettext("Failure"), str(Failure(self.failure).label)))
        if self.rung is not None:
            words.append(("rung", gettext("Rung"), str(self.rung + 1)))
        return words


@dataclass(frozen=True)
class TrialRow:
    trial: Trial
    cells: Sequence[tuple[Column, Any]]


@dataclass(frozen=True)
class TrialTable:
    page: Page[Any]
    rows: Sequence[TrialRow]
    columns: Sequence[Column]
    offered: Mapping[str, Column]
    counts: Mapping[str, int]
    """State -> trials in it that pass all other filters."""
    chosen: TrialFilter
    sort: str
    size: int


def trial_table(search: Search, query: QueryDict) -> TrialTable:
    """The page of trials that the URL asks for, in two queries; a column, sort or size that does not exist falls back to the usual."""
    offered = trial_columns(search)
    columns = columns_chosen(offered, query.getlist("column"))
    chosen = TrialFilter.of(search, query)
    sort = query.get("sort", "")
    sort = sort if sort.removeprefix("-") in offered else "-number"
    size = {str(some): some for some in PAGE_SIZES}.get(query.get("size", ""), USUAL_SIZE)
    anyhow = replace(chosen, state="").apply(search, Trial.objects.filter(search=search))
    counts = dict(anyhow.values_list("state").annotate(Count("id")).order_by())
    paginator = Paginator(chosen.apply(search, trials_listed(search)).order_by(*ordering(offered, sort)), size)
    # The counts are already here: no second COUNT.
    paginator.__dict__["count"] = counts.get(chosen.state, 0) if chosen.state else sum(counts.values())
    page = paginator.get_page(query.get("page", 1))
    rows = [TrialRow(trial, [(column, column.value(trial)) for column in columns]) for trial in page]
    return TrialTable(page, rows, columns, offered, counts, chosen, sort, size)


def ordering(columns: Mapping[str, Column], sort: str) -> list[OrderBy | str]:
    """What has no value comes last, whichever way; equal ones by their number."""
    column = columns[sort.removeprefix("-")]
    if column.name == "number":
        return [sort]
    return [*(_ordered(expression, descending=sort.startswith("-")) for expression in column.order), "number"]


def _ordered(expression: Expression | F, *, descending: bool) -> OrderBy:
    return OrderBy(expression, descending=descending, nulls_last=True)


def trials_exported(search: Search, query: QueryDict) -> Iterator[Trial]:
    """All trials that pass the filters, in the order of the table, a chunk at a time."""
    offered = trial_columns(search)
    sort = query.get("sort", "")
    sort = sort if sort.removeprefix("-") in offered else "number"
    trials = TrialFilter.of(search, query).apply(search, trials_listed(search)).order_by(*ordering(offered, sort))
    return iter(trials.iterator(chunk_size=EXPORT_CHUNK))


@dataclass(frozen=True)
class Facet:
    """Something trials can be filtered by; ``options`` are (value in the URL, words, trials of the search that have it)."""

    name: str
    label: str
    options: Sequence[tuple[str, str, int]]


def trial_facets(search: Search) -> list[Facet]:
    """How many trials of the search made each choice, at any layer."""
    table = choice_table(search)
    facets = []
    for spec in SearchSpace.from_json(search.space).specs:
        if len(spec.choices) > 1:
            made = table.codes[:, [decision.name.partition(".")[0] == spec.name for decision in table.decisions]]
            counts = [int((made == place).any(axis=1).sum()) for place in range(len(spec.choices))]
            options = [(choice_text(choice), choice_words(choice), count) for choice, count in zip(spec.choices, counts, strict=True)]
            facets.append(Facet(f"d.{spec.name}", decision_label(spec.name), options))
    return facets


def fact_facets(search: Search) -> list[Facet]:
    """Arms, rungs and failures with their numbers of trials."""
    found = Trial.objects.filter(search=search).values_list("arm", "rung", "failure").annotate(Count("id")).order_by()
    arms: dict[str, int] = {}
    rungs: dict[int, int] = {}
    failures: dict[str, int] = {}
    for arm, rung, failure, count in found:
        arms[arm] = arms.get(arm, 0) + count
        rungs[rung] = rungs.get(rung, 0) + count
        failures[failure] = failures.get(failure, 0) + count
    return [
        Facet("arm", gettext("Arm"), [(arm.value, str(arm.label), arms[arm]) for arm in ArmName if arm in arms]),
        Facet("rung", gettext("Rung"), [(str(rung + 1), str(rung + 1), count) for rung, count in sorted(rungs.items())]),
        Facet("failure", gettext("Failure"), [(kind.value, str(kind.label), failures[kind]) for kind in Failure if kind in failures]),
    ]
