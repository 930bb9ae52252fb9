from __future__ import annotations

from typing import Any

from django.core.files.storage import default_storage

from gnn.catalogue.inputs import offers_features
from gnn.side_profile import Described
from gnn.sources.side import SideTable, side_mapping
from webapp.enums import FileKind
from webapp.models import Dataset, Search
from webapp.selectors.rounds import plan_of

ATTRIBUTE_KINDS = (FileKind.USER_ATTRIBUTES, FileKind.ITEM_ATTRIBUTES)


def dataset_described(dataset: Dataset) -> Described:
    """What the attributes of a dataset come to, from its profile; nothing before it is READY."""
    return Described.by(dataset.profile.get("side", ()))


def attribute_tables(dataset: Dataset, kind: FileKind) -> list[SideTable]:
    """The tables of attributes of one kind of a READY dataset, as they were added."""
    tables = []
    for row in dataset.files.filter(kind=kind).order_by("id"):
        with default_storage.open(row.data_blob) as file:
            tables.append(SideTable.from_parquet(file, side_mapping(row.mapping)))
    return tables


def attributes_content(dataset: Dataset) -> list[tuple[str, dict[str, Any]]]:
    """What the features of a READY dataset depend on: the content of each table of attributes, and how it is read."""
    return list(dataset.files.filter(kind__in=ATTRIBUTE_KINDS).order_by("id").values_list("data_blob", "mapping"))


def features_words(search: Search) -> str:
    """What networks of a search may know of users and items besides their ids, in one line; empty for ids alone."""
    if not offers_features(search.space):
        return ""
    described, model = dataset_described(search.dataset), plan_of(search).text_model
    texts = f"{' and '.join(described.item_texts)} as read by {model}" if model else ""
    return ", ".join(filter(None, (numbers_words(described), texts)))


def numbers_words(described: Described) -> str:
    """How many numbers the attributes give."""
    widths = ((described.item_width, "item"), (described.user_width, "user"))
    return " and ".join(f"{width:,} number{'s' * (width > 1)} of each {kind}" for width, kind in widths if width)
