"""What a text finds: datasets, searches, spaces and models by name, note or tag, and architectures by key or choices."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast

from gnn.catalogue import CATALOGUE, LABELS, describe
from gnn.space import Architecture
from webapp.enums import RunState
from webapp.models import Dataset, Model, Search, Space, Trial

MOST = 10
"""Of each group."""
NEWEST_TRIALS = 20_000
"""Among which architectures are found by their choices: these are read one by one."""
SHORTEST_KEY = 4

_KEY = re.compile(rf"[0-9a-f]{{{SHORTEST_KEY},16}}")
_CHOICE = re.compile(r"([a-z_]+(?:\.[0-9]+)?)[=:](\S+)")


@dataclass(frozen=True)
class FoundArchitecture:
    """A trial whose architecture was found."""

    trial: Trial
    description: str
    score: float | None


@dataclass(frozen=True)
class Found:
    """The newest of each group, at most ``MOST`` and one, which tells that there are more."""

    text: str
    datasets: Sequence[Dataset] = ()
    searches: Sequence[Search] = ()
    spaces: Sequence[Space] = ()
    models: Sequence[Model] = ()
    architectures: Sequence[FoundArchitecture] = ()

    @property
    def nothing(self) -> bool:
        return not (self.datasets or self.searches or self.spaces or self.models or self.architectures)


def find(text: str) -> Found:
    """Look ``text`` up everywhere, the archive too; upper and lower case are the same."""
    text = text.strip()
    if not text:
        return Found(text)
    searches = Search.objects.select_related("dataset").defer("space").filter(_named(text) | Q(dataset__name__icontains=text))
    return Found(
        text=text,
        datasets=_newest(Dataset.objects.defer("profile", "mapping").filter(_named(text) | Q(filename__icontains=text))),
        searches=_newest(searches),
        spaces=_newest(Space.objects.filter(_named(text))),
        models=_newest(Model.objects.filter(_named(text))),
        architectures=[_architecture(trial) for trial in _trials(text)],
    )


def _named(text: str) -> Q:
    return Q(name__icontains=text) | Q(note__icontains=text) | Q(tags__contains=[text.lower()])


def _newest(rows: QuerySet[Any]) -> list[Any]:
    return list(rows.order_by("-id")[: MOST + 1])


def _trials(text: str) -> list[Trial]:
    """Trials whose key begins with the text, or else, among the newest, those with every choice that it names.

    ``operator.1=gat`` asks for that choice of that decision, and ``GAT`` for it anywhere.
    """
    trials = Trial.objects.select_related("search").only("number", "key", "architecture", "reward", "state", "search__name")
    if _KEY.fullmatch(text.lower()) and (found := _newest(trials.filter(key__startswith=text.lower()))):
        return found
    wanted = [_chosen(word) for word in text.split()]
    if None in wanted:
        return []  # a word that names no choice: nothing has to be read
    newest = Trial.objects.order_by("-id").values("pk")[:NEWEST_TRIALS]
    chosen = trials.filter(pk__in=newest).annotate(written=Cast("architecture", TextField()))
    return _newest(chosen.filter(*(each for each in wanted if each is not None)))


def _chosen(word: str) -> Q | None:
    """What an architecture must have for ``word``; None where no architecture could."""
    if choice := _CHOICE.fullmatch(word.lower()):
        name, value = choice.groups()
        return Q(architecture__contains={name: _value(value)}) if name.partition(".")[0] in CATALOGUE else None
    names = [name for name, label in LABELS.items() if word.lower() in (name, label.lower())]
    return Q(*(Q(written__contains=f'"{name}"') for name in names), _connector=Q.OR) if names else None


def _value(text: str) -> str | int | float:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        value = float(text)
    except ValueError:
        return text
    return value if math.isfinite(value) else text


def _architecture(trial: Trial) -> FoundArchitecture:
    scored = trial.state not in (RunState.FAILED, RunState.STOPPED)
    return FoundArchitecture(trial, describe(Architecture.of(trial.architecture)), trial.reward if scored else None)
