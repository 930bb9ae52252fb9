"""Titles and values of items, from a table of attributes as it is read from a file."""

from __future__ import annotations

import io

import pytest
from django.core.files.storage import default_storage

from gnn.sources import detect
from gnn.sources.side import read_side
from gnn.sources.side_guess import guess_side_mapping
from serving.attributes import ItemAttributes
from serving.shelf import Shelf
from tests.webapp.factories import make_dataset, make_search
from tests.webapp.test_model_services import bundle_file
from webapp.blobs import bytes_file
from webapp.embedded import home_folder
from webapp.enums import DatasetState, FileKind
from webapp.models import Dataset, DatasetFile, ModelVersion
from webapp.services.models import model_import, model_promote

ITEMS = """item,title,year,genres
i1,Alpha Movie,1999,Drama|Comedy
i3,Beta Movie,1999,Drama
i0,Gamma Movie,2001, War | Drama
i9,Nobody has it,2001,War
i4,,2001,
"""


def read() -> tuple[bytes, object]:
    mapping = guess_side_mapping(detect(io.BytesIO(ITEMS.encode()), "items.csv"), "item_attributes")
    table, _ = read_side(io.BytesIO(ITEMS.encode()), mapping, "items.csv")
    file = io.BytesIO()
    table.to_parquet(file)
    return file.getvalue(), mapping.to_json()


def test_values_and_titles_by_hand() -> None:
    mapping = guess_side_mapping(detect(io.BytesIO(ITEMS.encode()), "items.csv"), "item_attributes")
    table, _ = read_side(io.BytesIO(ITEMS.encode()), mapping, "items.csv")
    found = ItemAttributes.of([table], [f"i{code}" for code in range(5)])
    assert list(found.titles)[:4] == ["Gamma Movie", "Alpha Movie", None, "Beta Movie"]
    assert not found.titles[4]
    assert {
        name: {value: codes.tolist() for value, codes in values.items()} for name, values in found.values.items() if name != "title"
    } == {
        "year": {"1999": [1, 3], "2001": [0, 4]},
        "genres": {"Drama": [0, 1, 3], "Comedy": [1], "War": [0]},
    }


@pytest.mark.django_db(transaction=True)
def test_a_served_version_has_those_of_its_dataset() -> None:
    content, mapping = read()
    dataset: Dataset = make_dataset()
    DatasetFile.objects.create(
        dataset=dataset, kind=FileKind.ITEM_ATTRIBUTES, filename="items.csv", source_blob="x", mapping=mapping,
        data_blob=default_storage.save("side", bytes_file(content)),
    )  # fmt: skip
    version = model_import(owner=None, file=bundle_file())
    ModelVersion.objects.filter(pk=version.pk).update(search=make_search(dataset=dataset))
    model_promote(owner=None, version_id=version.pk)
    shelf = Shelf(home_folder() / "models")
    found = shelf.changes()[1][0].attributes
    assert list(found.titles)[:2] == ["Gamma Movie", "Alpha Movie"]
    Dataset.objects.filter(pk=dataset.pk).update(state=DatasetState.INVALID)
    assert shelf.changes()[1][0].attributes.values == {}
