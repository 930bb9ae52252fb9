from __future__ import annotations

import uuid
from typing import Any

from django import forms

from gnn.catalogue import PRESETS, preset_space
from gnn.errors import SpaceError
from gnn.protocol import METRIC_NAMES, Protocol
from gnn.space import SearchSpace
from webapp.enums import DatasetState
from webapp.models import Dataset, Space
from webapp.selectors.searches import METRIC_LABELS
from webapp.selectors.spaces import space_choices
from webapp.services.searches import CONTROLLER_NAMES, MAX_TRIALS, MAX_WORKERS

CONTROLLER_LABELS = {"ppo": "PPO", "reinforce": "REINFORCE", "random": "Random"}

SPLITS = [
    ("ratio", "Random share of each user's interactions"),
    ("leave_one_out", "Last interaction of each user"),
    ("temporal", "By time: train on the past, test on the future"),
]

PROTOCOL_FIELDS = (
    "split", "valid_fraction", "test_fraction", "metric", "k", "max_epochs", "patience", "finalists", "finalist_seeds", "split_seed",
)  # fmt: skip

DEFAULTS = Protocol()


class SearchForm(forms.Form):
    """Everything a search freezes; valid only with ``self.space`` and ``self.protocol``."""

    start_token = forms.UUIDField(widget=forms.HiddenInput)
    name = forms.CharField(max_length=200, required=False, help_text="Left empty, it is named after the dataset and the controller.")
    dataset = forms.ModelChoiceField(Dataset.objects.none(), empty_label="Choose a dataset")
    space_source = forms.ChoiceField(label="Search space")
    metric = forms.ChoiceField(
        choices=[(name, METRIC_LABELS[name]) for name in METRIC_NAMES], initial=DEFAULTS.metric, label="Metric to maximise"
    )
    k = forms.IntegerField(
        min_value=1, max_value=1000, initial=DEFAULTS.k, label="K", help_text="Length of the recommended list the metric looks at."
    )
    controller = forms.ChoiceField(
        choices=[(name, CONTROLLER_LABELS.get(name, name)) for name in CONTROLLER_NAMES], widget=forms.RadioSelect, initial="ppo"
    )
    planned_trials = forms.IntegerField(
        min_value=1, max_value=MAX_TRIALS, initial=40, label="Trials", help_text="How many architectures to train and score."
    )
    workers = forms.IntegerField(
        min_value=1, max_value=MAX_WORKERS, initial=2, label="Parallel trials", help_text="How many may train at the same time."
    )
    seed = forms.IntegerField(
        min_value=0, max_value=2**31 - 1, initial=1, help_text="With one parallel trial, the same seed replays the same search."
    )
    split = forms.ChoiceField(choices=SPLITS, initial=DEFAULTS.split, label="Hold out")
    valid_fraction = forms.FloatField(initial=DEFAULTS.valid_fraction, label="Validation share", help_text="Guides the search.")
    test_fraction = forms.FloatField(initial=DEFAULTS.test_fraction, label="Test share", help_text="Looked at once, at the end.")
    max_epochs = forms.IntegerField(min_value=1, max_value=100_000, initial=DEFAULTS.max_epochs, label="Epochs at most")
    patience = forms.IntegerField(
        min_value=1, max_value=1000, initial=DEFAULTS.patience, help_text="Validations without a better score before a trial ends."
    )
    finalists = forms.IntegerField(
        min_value=1, max_value=20, initial=DEFAULTS.finalists, help_text="Best architectures that are trained again and tested."
    )
    finalist_seeds = forms.IntegerField(min_value=1, max_value=20, initial=DEFAULTS.finalist_seeds, label="Seeds per finalist")
    split_seed = forms.IntegerField(
        min_value=0,
        max_value=2**31 - 1,
        initial=DEFAULTS.split_seed,
        label="Split seed",
        help_text="Searches to compare need the same one.",
    )

    space: SearchSpace | None = None
    protocol: Protocol | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        datasets = self.fields["dataset"]
        assert isinstance(datasets, forms.ModelChoiceField)
        datasets.queryset = Dataset.objects.filter(state=DatasetState.READY).order_by("-id")
        sources = self.fields["space_source"]
        assert isinstance(sources, forms.ChoiceField)
        saved = [(f"saved:{space.pk}", space.name) for space in space_choices()]
        presets = [(f"preset:{name}", name) for name in PRESETS]
        sources.choices = [("Presets", presets), *([("Saved spaces", saved)] if saved else [])]
        for name, value in (("start_token", uuid.uuid4()), ("space_source", "preset:demo")):
            self.initial.setdefault(name, value)

    @property
    def advanced_errors(self) -> bool:
        """Whether a folded field has something to say."""
        return any(name in self.errors for name in ("seed", *PROTOCOL_FIELDS) if name not in ("metric", "k"))

    def clean_space_source(self) -> str:
        source: str = self.cleaned_data["space_source"]
        kind, _, which = source.partition(":")
        try:
            if kind == "preset":
                self.space = preset_space(which)
            else:
                self.space = SearchSpace.from_json(Space.objects.values_list("document", flat=True).get(pk=which))
        except SpaceError as error:
            raise forms.ValidationError(str(error)) from error
        return source

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not any(name in self.errors for name in PROTOCOL_FIELDS):
            try:
                self.protocol = Protocol.from_json({name: cleaned[name] for name in PROTOCOL_FIELDS})
            except SpaceError as error:
                self.add_space_error(error)
        if not cleaned.get("name") and isinstance(dataset := cleaned.get("dataset"), Dataset):
            cleaned["name"] = f"{dataset.name[:150]}, {CONTROLLER_LABELS.get(cleaned.get('controller', ''), '')}"
        return cleaned

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
        (str(SearchForm.base_fields[name].label or name.capitalize()), words.get(str(settings[name]), str(settings[name])))
        for name in PROTOCOL_FIELDS
    ]
    return [*rows, ("Reported at K", ", ".join(map(str, protocol.cutoffs)))]
