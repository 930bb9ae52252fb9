from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from gnn.errors import SpaceError
from gnn.plan import SearchPlan
from gnn.protocol import METRIC_NAMES, Protocol
from gnn.space import SearchSpace
from webapp.forms.search_plan import PlanForm, plan_initial
from webapp.forms.space_sources import newest_version, space_at, space_sources
from webapp.models import Dataset, Search, SpaceVersion
from webapp.selectors.datasets import datasets_ready
from webapp.selectors.rounds import plan_of
from webapp.selectors.searches import CONTROLLER_LABELS, METRIC_LABELS
from webapp.services.searches import CONTROLLER_NAMES, MAX_TRIALS, MAX_WORKERS

SPLITS = [
    ("ratio", _("Random share of each user's interactions")),
    ("leave_one_out", _("Last interaction of each user")),
    ("temporal", _("By time: train on the past, test on the future")),
    ("k_fold", _("Cross-validation: one fold tests, the next validates")),
    ("predefined", _("As the data came divided")),
]

PROTOCOL_FIELDS = (
    "split", "valid_fraction", "test_fraction", "folds", "fold", "metric", "k", "max_epochs", "patience", "finalists", "finalist_seeds",
    "split_seed",
)  # fmt: skip

DEFAULTS = Protocol()


class SearchForm(PlanForm):
    """Everything a search freezes; valid only with ``self.space``, ``self.protocol`` and ``self.plan``."""

    start_token = forms.UUIDField(widget=forms.HiddenInput)
    name = forms.CharField(max_length=200, required=False, help_text=_("Left empty, it is named after the dataset and the controller."))
    dataset = forms.ModelChoiceField(
        Dataset.objects.none(),
        empty_label=_("Choose a dataset"),
        label=_("Dataset"),
        error_messages={"invalid_choice": _("This dataset was deleted, archived or is not ready; choose another.")},
    )
    space_source = forms.ChoiceField(label=_("Search space"))
    metric = forms.ChoiceField(
        choices=[(name, METRIC_LABELS[name]) for name in METRIC_NAMES], initial=DEFAULTS.metric, label=_("Metric to maximise")
    )
    k = forms.IntegerField(
        min_value=1,
        max_value=1000,
        initial=DEFAULTS.k,
        label="K",
        help_text=_("Length of the recommended list the metric looks at."),
    )
    controller = forms.ChoiceField(
        choices=[(name, CONTROLLER_LABELS.get(name, name)) for name in CONTROLLER_NAMES], widget=forms.RadioSelect, initial="ppo"
    )
    planned_trials = forms.IntegerField(
        min_value=1,
        max_value=MAX_TRIALS,
        initial=40,
        label=_("Trials"),
        help_text=_("How many architectures to train and score."),
    )
    workers = forms.IntegerField(
        min_value=1,
        max_value=MAX_WORKERS,
        initial=2,
        label=_("Parallel trials"),
        help_text=_("How many may train at the same time."),
    )
    seed = forms.IntegerField(
        min_value=0,
        max_value=2**31 - 1,
        initial=1,
        help_text=_("With one parallel trial, the same seed replays the same search."),
    )
    split = forms.ChoiceField(choices=SPLITS, initial=DEFAULTS.split, label=_("Hold out"))
    valid_fraction = forms.FloatField(initial=DEFAULTS.valid_fraction, label=_("Validation share"), help_text=_("Guides the search."))
    test_fraction = forms.FloatField(initial=DEFAULTS.test_fraction, label=_("Test share"), help_text=_("Looked at once, at the end."))
    folds = forms.IntegerField(min_value=3, max_value=100, initial=DEFAULTS.folds, help_text=_("Parts of a cross-validation."))
    fold = forms.IntegerField(
        min_value=0,
        max_value=99,
        initial=DEFAULTS.fold,
        label=_("Fold that tests"),
        help_text=_("Counted from 0; in a cross-validation."),
    )
    max_epochs = forms.IntegerField(min_value=1, max_value=100_000, initial=DEFAULTS.max_epochs, label=_("Epochs at most"))
    patience = forms.IntegerField(
        min_value=1,
        max_value=1000,
        initial=DEFAULTS.patience,
        help_text=_("Validations without a better score before a trial ends."),
    )
    finalists = forms.IntegerField(
        min_value=1,
        max_value=20,
        initial=DEFAULTS.finalists,
        help_text=_("Best architectures that are trained again and tested."),
    )
    finalist_seeds = forms.IntegerField(min_value=1, max_value=20, initial=DEFAULTS.finalist_seeds, label=_("Seeds per finalist"))
    split_seed = forms.IntegerField(
        min_value=0,
        max_value=2**31 - 1,
        initial=DEFAULTS.split_seed,
        label=_("Split seed"),
        help_text=_("Searches to compare need the same one."),
    )

    space: SearchSpace | None = None
    space_version: SpaceVersion | None = None
    protocol: Protocol | None = None
    plan: SearchPlan | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        datasets = self.fields["dataset"]
        assert isinstance(datasets, forms.ModelChoiceField)
        datasets.queryset = datasets_ready()
        if not self.is_bound and (newest := newest_version(str(self.initial.get("space_source") or ""))):
            self.initial["space_source"] = newest
        chosen = str(self.data.get("space_source") or self.initial.get("space_source") or "preset:demo")
        sources = self.fields["space_source"]
        assert isinstance(sources, forms.ChoiceField)
        sources.choices = space_sources(chosen)
        for name, value in (("start_token", uuid.uuid4()), ("space_source", "preset:demo")):
            self.initial.setdefault(name, value)

    def unknown_initial(self) -> str:
        """What an address asks for that is not there; empty where everything is."""
        dataset, source = str(self.initial.get("dataset") or ""), str(self.initial.get("space_source") or "")
        queryset = self.fields["dataset"].queryset  # type: ignore[attr-defined]
        if dataset and not (dataset.isascii() and dataset.isdecimal() and len(dataset) < 19 and queryset.filter(pk=dataset).exists()):
            return gettext("There is no dataset %(id)s that is ready; choose one.") % {"id": dataset[:20]}
        offered = {value for _group, choices in self.fields["space_source"].choices for value, _name in choices}  # type: ignore[attr-defined]
        if source and source not in offered:
            return gettext("There is no space '%(source)s'; choose one.") % {"source": source[:60]}
        return ""

    @property
    def protocol_errors(self) -> bool:
        """Whether a folded field of how quality is judged has something to say."""
        return any(name in self.errors for name in PROTOCOL_FIELDS if name not in ("metric", "k"))

    @property
    def plan_errors(self) -> bool:
        """Whether a folded field of how the search spends has something to say."""
        return any(name in self.errors for name in self.PLAN_FIELDS if name != "text_model")

    def clean_space_source(self) -> str:
        source: str = self.cleaned_data["space_source"]
        try:
            self.space, self.space_version = space_at(source)
        except SpaceError as error:
            raise forms.ValidationError(str(error)) from error
        return source

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not any(name in self.errors for name in PROTOCOL_FIELDS):
            try:
                self.protocol = Protocol.from_json({name: cleaned[name] for name in PROTOCOL_FIELDS})
            except SpaceError as error:
                # Two settings that do not go together name no field: the shares, or a fold that is not there.
                pair = "fold" if cleaned["fold"] >= cleaned["folds"] else "valid_fraction"
                self.add_error(error.field or pair, str(error))
        if self.protocol is not None and not any(name in self.errors for name in self.PLAN_FIELDS):
            try:
                self.plan = self.plan_for(self.protocol)
            except SpaceError as error:
                self.add_space_error(error)
        if not cleaned.get("name") and isinstance(dataset := cleaned.get("dataset"), Dataset):
            cleaned["name"] = f"{dataset.name[:150]}, {CONTROLLER_LABELS.get(cleaned.get('controller', ''), '')}"
        return cleaned

    @classmethod
    def initial_of(cls, search: Search) -> dict[str, Any]:
        """What the form shows to start ``search`` again, or one that is a little different."""
        protocol = Protocol.from_json(search.protocol).to_json()
        plain = ("name", "controller", "planned_trials", "workers", "seed")
        return {
            "dataset": search.dataset_id,
            "space_source": f"search:{search.pk}",
            **{name: getattr(search, name) for name in plain},
            **{name: protocol[name] for name in PROTOCOL_FIELDS},
            **plan_initial(plan_of(search)),
        }

    def renew_token(self) -> None:
        """Let the form, shown again, start a search of its own."""
        self.data = {name: self.data.get(name) for name in self.fields} | {"start_token": str(uuid.uuid4())}

    def add_space_error(self, error: SpaceError) -> None:
        """Show an error of the library at the field it names; errors of the space itself at the choice of space."""
        if error.field in self.fields:
            self.add_error(error.field, str(error))
        else:
            self.add_error("space_source" if error.field else None, str(error))


def protocol_words(protocol: Protocol) -> list[tuple[str, str]]:
    """Every setting of a protocol as (label, value), as the form names them."""
    words = dict(SPLITS) | METRIC_LABELS
    settings = protocol.to_json()
    rows = [
        (str(SearchForm.base_fields[name].label or name.capitalize()), str(words.get(str(settings[name]), settings[name])))
        for name in PROTOCOL_FIELDS
        if protocol.split == "k_fold" or name not in ("folds", "fold")
    ]
    return [*rows, (gettext("Reported at K"), ", ".join(map(str, protocol.cutoffs)))]
