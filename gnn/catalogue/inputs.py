"""What a space makes of a dataset's attributes, and of one that has none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gnn.catalogue.rules import Sizes
from gnn.errors import SpaceError
from gnn.plan import SearchPlan
from gnn.side_profile import Described
from gnn.space import Choice, DecisionSpec, SearchSpace

MOST_TEXT_WIDTH = 1024
"""Numbers that a language model is taken to make of a text until it is read; those in common use make 384 to 1024."""


def offers_features(document: Mapping[str, Any]) -> bool:
    """Whether some architecture of a space, given as JSON, embeds attributes."""
    return any(choice != "ids" for spec in document["decisions"] if spec["name"] == "inputs" for choice in spec["choices"])


def feature_sizes(described: Described, plan: SearchPlan) -> Sizes:
    """Widths of the features that a search on such a dataset has, at most."""
    return Sizes(user_width=described.user_width, item_width=described.item_width + (MOST_TEXT_WIDTH if plan.text_model else 0))


def space_on(space: SearchSpace, described: Described, plan: SearchPlan) -> SearchSpace:
    """What is open in ``space`` on such a dataset: without features, the only inputs are ids, so that nothing is sampled in vain.

    Raises:
        SpaceError: the space has no network of ids alone, or texts are to be read that are not there or that no network would embed.
    """
    if plan.text_model and not described.item_texts:
        raise SpaceError(
            "The dataset has no item attribute that is free text. Leave the language model empty, or choose such columns in a new version.",
            field="text_model",
        )
    if plan.text_model and not offers_features(space.to_json()):
        raise SpaceError(
            "The space has networks of ids alone, so texts would be read in vain. Leave the language model empty, or offer "
            "'features' or 'both' for the decision 'inputs', as the preset 'attributes' does.",
            field="text_model",
        )
    if not offers_features(space.to_json()) or plan.text_model or described.user_width or described.item_width:
        return space
    return _of_ids_alone(space, described)


def _of_ids_alone(space: SearchSpace, described: Described) -> SearchSpace:
    """``space`` with ids as the only inputs, and without decisions that only others make active."""
    kept: dict[str, DecisionSpec] = {}
    for spec in space.specs:
        choices: tuple[Choice, ...] = spec.choices
        if spec.name == "inputs":
            choices = tuple(choice for choice in choices if choice == "ids")
            if not choices:
                remedy = "name a language model that reads its texts" if described.item_texts else "add a table of item or user attributes"
                raise SpaceError(
                    f"'inputs' can only be {' or '.join(map(str, spec.choices))}, but the dataset has no attributes of users or items. "
                    f"Offer 'ids', or {remedy}.",
                    field="inputs",
                )
        counted = spec.per is None or spec.per in kept
        if counted and all(parent in kept and set(allowed) & set(kept[parent].choices) for parent, allowed in spec.when.items()):
            kept[spec.name] = DecisionSpec(spec.name, choices, spec.per, spec.when)
    return SearchSpace(list(kept.values()))
