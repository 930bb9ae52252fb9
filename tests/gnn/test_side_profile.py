"""What a profile keeps of attributes, and what is read from it again."""

from __future__ import annotations

import io

import pytest

from gnn.attributes import features
from gnn.side_profile import Described, describe_side
from gnn.sources import detect
from gnn.sources.kinds import Kind
from gnn.sources.side import SideTable, read_side
from gnn.sources.side_guess import guess_side_mapping
from tests.gnn.toy import random_interactions


def table(text: str, kind: Kind) -> SideTable:
    return read_side(io.BytesIO(text.encode()), guess_side_mapping(detect(io.BytesIO(text.encode()), "f.csv"), kind), "f.csv")[0]


def test_widths_and_texts_are_those_of_the_features() -> None:
    interactions = random_interactions()
    items, users = interactions.item_ids, interactions.user_ids
    films = "item_id,colour,size,plot\n" + "".join(
        f"{name},{'red' if at % 2 else 'blue'},{at}.5,a long story number {at}\n" for at, name in enumerate(items)
    )
    ages = "user_id,age\n" + "".join(f"{name},{20.5 + at}\n" for at, name in enumerate(users))
    strangers = "item_id,note\nx1,nobody knows this one\nx2,nor that one here\n"
    tables = [("films", table(films, "item_attributes")), ("ages", table(ages, "user_attributes"))]
    described = Described.by(describe_side([*tables, ("strangers", table(strangers, "item_attributes"))], interactions))
    assert described == Described(user_width=1, item_width=3, item_texts=("plot",))
    assert described.item_width == features(tables[0][1], items).matrix.shape[1]


@pytest.mark.parametrize(("types", "width"), [(["numeric", "multi"], 2), (["text"], 0)])
def test_a_profile_of_before_is_taken_to_have_a_number_for_each_attribute(types: list[str], width: int) -> None:
    attributes = [{"name": f"a{at}", "type": type_, "coverage": 0.5} for at, type_ in enumerate(types)]
    side = [{"kind": "item_attributes", "attributes": attributes}, {"kind": "social", "edges": 3}]
    assert Described.by(side).item_width == width
    assert Described.by([]) == Described(0, 0, ())
