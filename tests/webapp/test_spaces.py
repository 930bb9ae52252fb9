from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from gnn.catalogue import PRESETS, build_space, preset_space
from gnn.errors import SpaceError
from gnn.space import SearchSpace
from tests.webapp.factories import make_space
from webapp.forms.spaces import SpaceForm, presets, ticked_by
from webapp.models import Space, SpaceVersion
from webapp.services.spaces import space_create, space_update

SMALL: dict[str, Any] = {
    "name": "Small",
    "source": "ticks",
    "node_dim": ["16", "32"],
    "layers": ["1", "2"],
    "operator": ["lightgcn", "gcn"],
}
SMALL_SIZE = 2 * (2 + 2 * 2)


def size_text(client: Client, data: dict[str, Any]) -> str:
    return client.post(reverse("space_size"), data).content.decode()


def test_every_decision_of_the_catalogue_has_a_card(signed_in: Client) -> None:
    text = signed_in.get(reverse("space_new")).content.decode()
    for label in (
        "Node embedding size",
        "Edge embedding size",
        "Network structure",
        "Activation",
        "Layer combination",
        "Dropout",
        "Learning rate",
    ):
        assert f"<legend>{label}</legend>" in text
    assert "Applies only where network structure is GAT, GATv2, Graph transformer." in text
    assert "Chosen anew for each layer." in text
    assert f"{preset_space('demo').size:,}" in text  # the demo preset is the starting point


@pytest.mark.parametrize("name", list(PRESETS))
def test_a_preset_is_a_starting_point_that_saves_as_itself(name: str, signed_in: Client) -> None:
    form = signed_in.get(reverse("space_new"), {"preset": name}).context["form"]
    # What a browser sends: ticks in the order in which the page lists them.
    data: dict[str, Any] = {"name": f"my {name}", "source": "ticks"}
    data |= {card.entry.name: [option.value for option in card.options if option.ticked] for card in form.cards}
    assert signed_in.post(reverse("space_new"), data).status_code == 302
    assert SearchSpace.from_json(SpaceVersion.objects.get().document).to_json() == preset_space(name).to_json()


def test_the_size_follows_the_ticks(signed_in: Client) -> None:
    assert f'<strong class="size">{SMALL_SIZE}</strong>' in size_text(signed_in, SMALL)
    assert '<strong class="size">1</strong> architecture\n' in size_text(signed_in, {"source": "ticks", "node_dim": "64"})
    assert Space.objects.count() == 0


def test_the_size_needs_no_name_but_saving_does(signed_in: Client) -> None:
    assert "This field is required" not in size_text(signed_in, SMALL | {"name": ""})
    response = signed_in.post(reverse("space_new"), SMALL | {"name": ""})
    assert response.context["form"].errors["name"] == ["This field is required."]
    assert Space.objects.count() == 0


def test_errors_are_shown_at_the_decision_that_caused_them(signed_in: Client) -> None:
    text = size_text(signed_in, SMALL | {"node_dim_more": "9999"})
    at = text.index('id="errors-node_dim"')
    assert "must be from 1 to 4096, but is 9999" in text[at : text.index('id="errors-edge_dim"')].replace("&#x27;", "'")
    assert "Not a valid space yet" in text
    text = size_text(signed_in, {"source": "ticks", "operator": ["gcn"]})
    assert "choose the number of layers too" in text[text.index('id="errors-layers"') : text.index('id="errors-operator"')]


def test_other_values_join_the_ticked_ones_in_order(signed_in: Client) -> None:
    signed_in.post(reverse("space_new"), SMALL | {"node_dim_more": "24, 8 16"})
    decisions = {decision["name"]: decision["choices"] for decision in SpaceVersion.objects.get().document["decisions"]}
    assert decisions["node_dim"] == [8, 16, 24, 32]
    form = signed_in.get(reverse("space", args=[Space.objects.get().pk])).context["form"]
    card = next(card for card in form.cards if card.entry.name == "node_dim")
    assert [option.value for option in card.options if option.ticked] == ["8", "16", "24", "32"]


@pytest.mark.parametrize("text", ["abc", "1.5", "nan", "inf", "-4", "1e400", "<script>", "９"])
def test_values_that_are_not_sizes_are_refused(text: str) -> None:
    form = SpaceForm(SMALL | {"node_dim_more": text})
    if text == "９":  # a full-width digit is a digit
        assert form.is_valid()
    else:
        assert not form.is_valid()
        assert list(form.errors) == ["node_dim"]


def test_nothing_ticked_is_refused() -> None:
    form = SpaceForm({"name": "Empty", "source": "ticks"})
    assert not form.is_valid()
    assert form.non_field_errors() == ["Tick at least one choice."]


def test_a_choice_the_engine_does_not_know_is_refused() -> None:
    form = SpaceForm(SMALL | {"operator": ["transformer"]})
    assert not form.is_valid()
    assert "'operator' cannot be 'transformer'" in form.errors["operator"][0]


def test_names_are_unique(signed_in: Client) -> None:
    signed_in.post(reverse("space_new"), SMALL)
    response = signed_in.post(reverse("space_new"), SMALL)
    assert response.context["form"].errors["name"] == ["There is a space named 'Small' already; choose another name."]
    assert Space.objects.count() == 1
    other = space_create(owner=None, name="Other", space=preset_space("demo"))
    with pytest.raises(SpaceError, match="'Small' already"):
        space_update(space_id=other.pk, name="Small", space=preset_space("demo"))


def test_a_saved_space_can_be_changed_copied_and_deleted(signed_in: Client) -> None:
    signed_in.post(reverse("space_new"), SMALL)
    space = Space.objects.get()
    assert space.owner is not None and space.owner.username == "ada"
    signed_in.post(reverse("space", args=[space.pk]), SMALL | {"name": "Smaller", "node_dim": ["16"]})
    space.refresh_from_db()
    assert (space.name, SearchSpace.from_json(space.versions.latest("number").document).size) == ("Smaller", SMALL_SIZE // 2)
    form = signed_in.get(reverse("space_new"), {"copy": space.pk}).context["form"]
    assert form.initial["node_dim"] == ["16"]
    assert not form.initial["name"]
    assert signed_in.get(reverse("space_delete", args=[space.pk])).status_code == 405
    signed_in.post(reverse("space_delete", args=[space.pk]))
    assert not Space.objects.exists()


def test_json_is_imported_and_its_errors_name_the_place(signed_in: Client) -> None:
    document = build_space({"layers": (1, 2), "operator": ("gcn",)}).to_json()
    signed_in.post(reverse("space_new"), {"name": "Imported", "source": "text", "document": json.dumps(document)})
    assert SpaceVersion.objects.get(space__name="Imported").document == document
    form = SpaceForm({"name": "x", "source": "text", "document": '{"schema": 1,\n "decisions": [}'})
    assert not form.is_valid()
    assert form.errors["document"] == ["Not JSON at line 2, column 16: Expecting value."]
    form = SpaceForm({"name": "x", "source": "text", "document": '{"schema": 1, "decisions": [{"name": "head", "choices": [1]}]}'})
    assert not form.is_valid()
    assert "Unknown decision 'head'" in form.errors["document"][0]


def test_conditions_that_ticks_cannot_say_are_edited_as_json(signed_in: Client) -> None:
    document = {
        "schema": 1,
        "decisions": [{"name": "node_dim", "choices": [16, 32]}, {"name": "dropout", "choices": [0.1], "when": {"node_dim": [32]}}],
    }
    assert ticked_by(SearchSpace.from_json(document)) is None
    space = make_space(SearchSpace.from_json(document), name="Conditional")
    form = signed_in.get(reverse("space", args=[space.pk])).context["form"]
    assert form.initial["source"] == "text"
    assert SearchSpace.from_text(form.initial["document"]).to_json() == document


def test_the_list_shows_exact_sizes_and_filters(signed_in: Client) -> None:
    space_create(owner=None, name="Alpha", space=build_space({"node_dim": (16, 32), "dropout": (0.0, 0.1, 0.2)}))
    space_create(owner=None, name="Beta", space=build_space({"layers": (1, 2), "operator": ("lightgcn", "gcn", "gat")}))
    rows = signed_in.get(reverse("spaces")).context["rows"]
    assert [(row.space.name, row.size, row.decisions) for row in rows] == [("Alpha", 6, 2), ("Beta", 12, 2)]
    assert [row.space.name for row in signed_in.get(reverse("spaces"), {"q": "alp"}).context["rows"]] == ["Alpha"]
    assert "Show all spaces" in signed_in.get(reverse("spaces"), {"q": "zzz"}).content.decode()


def test_an_empty_list_teaches(signed_in: Client) -> None:
    assert "No space of your own yet" in signed_in.get(reverse("spaces")).content.decode()


def test_presets_know_their_size() -> None:
    assert {preset.name: preset.size for preset in presets()} == {name: preset_space(name).size for name in PRESETS}


def test_hostile_names_are_escaped_or_refused(signed_in: Client) -> None:
    signed_in.post(reverse("space_new"), SMALL | {"name": "<script>alert(1)</script>"})
    text = signed_in.get(reverse("spaces")).content.decode()
    assert "<script>alert" not in text and "&lt;script&gt;alert" in text
    response = signed_in.post(reverse("space_new"), SMALL | {"name": "x" * 10_000})
    assert "at most 200 characters (it has 10000)" in response.content.decode()
    assert Space.objects.count() == 1


def test_wrong_ids_are_not_found(signed_in: Client) -> None:
    for url in (reverse("space", args=[999]), f"{reverse('space_new')}?copy=999", f"/spaces/{10**30}/"):
        assert signed_in.get(url).status_code == 404
    assert signed_in.post(reverse("space_delete", args=[999])).status_code == 404
