from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from gnn.catalogue import PRESETS, build_space, preset_space
from gnn.errors import SpaceError
from gnn.space import SearchSpace
from tests.webapp.factories import make_dataset, make_space
from webapp.forms.spaces import SpaceForm, presets, rounded, ticked_by
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


# --- order, versions, drawing, costs, differences ---


def test_choices_keep_the_order_they_are_put_in(signed_in: Client) -> None:
    signed_in.post(reverse("space_new"), SMALL | {"node_dim": ["32", "16"], "node_dim_more": "8", "operator": ["gcn", "lightgcn"]})
    space = Space.objects.get()
    choices = {decision["name"]: decision["choices"] for decision in space.versions.get().document["decisions"]}
    assert (choices["node_dim"], choices["operator"]) == ([32, 16, 8], ["gcn", "lightgcn"])
    cards = {card.entry.name: card for card in signed_in.get(reverse("space", args=[space.pk])).context["form"].cards}
    assert [option.value for option in cards["node_dim"].options][:4] == ["32", "16", "8", "64"]
    assert [option.value for option in cards["operator"].options][:3] == ["gcn", "lightgcn", "sgc"]


def test_every_decision_says_what_a_random_draw_makes_of_it() -> None:
    form = SpaceForm(SMALL | {"dropout": ["0.1"], "heads": ["1", "2"], "loss": ["bpr", "softmax", "ccl"]})
    assert form.is_valid()
    weights = {card.entry.name: card.weight for card in form.cards}
    assert weights["node_dim"] == "2 choices, each drawn with 50 %."
    assert weights["loss"] == "3 choices, each drawn with 33.3 %."
    assert weights["dropout"] == "One choice: nothing to decide."
    assert weights["heads"] == "Left out: nothing that is ticked lets it apply."
    assert weights["learning_rate"] == "Not searched: stays at 0.01."
    assert weights["scorer"] == "Not searched: each objective takes the scorer it was published with."


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ('{"schema": 1,\n "decisions": [}', "Not JSON at line 2, column 16"),
        ('{"schema": 1,\n "decisions": [\n  {"name": "node_dim",\n   "choices": []}]}', "Line 4: "),
        (
            '{"schema": 1,\n "decisions": [\n  {"name": "l2", "choices": [0.1]},\n\n  {"name": "l2", "choices": [0.2]}]}',
            "Line 5: Decision 'l2' appears",
        ),
        (
            '{"schema": 1,\n "decisions": [\n  {"name": "l2", "choices": [0.1]},\n  {"name": "head", "choices": [1]}]}',
            "Line 4: Unknown decision",
        ),
        ('{\n "decisions": [{"name": "l2", "choices": [0.1]}],\n "schema": 7}', "Line 3: The search space has schema 7"),
        ('{"schema": 1,\n "decisions": [{"name": "a]\\"}{",\n "choices": [1]}]}', "Line 2: "),
        ("[" * 60_000, "Nested too deeply"),
    ],
)
def test_an_error_of_json_names_its_line(document: str, message: str) -> None:
    form = SpaceForm({"name": "x", "source": "text", "document": document})
    assert not form.is_valid()
    assert message in form.errors["document"][0]
    if message.startswith("Line"):
        assert form.line == int(message[5])


def test_what_is_saved_again_is_a_version_and_earlier_ones_stay(signed_in: Client) -> None:
    signed_in.post(reverse("space_new"), SMALL)
    space = Space.objects.get()
    url = reverse("space", args=[space.pk])
    signed_in.post(url, SMALL | {"name": "Renamed", "seen": 1})
    assert space.versions.count() == 1, "another name is no version"
    signed_in.post(url, SMALL | {"node_dim": ["16"], "seen": 1})
    assert list(space.versions.values_list("number", flat=True)) == [2, 1]
    page = signed_in.get(url, {"version": "1"})
    assert page.context["form"].initial["node_dim"] == ["16", "32"]
    assert "An earlier version" in page.content.decode()
    assert signed_in.get(url).context["form"].initial["node_dim"] == ["16"]
    for wrong in ("3", "x", "9" * 30, "-1"):
        assert signed_in.get(url, {"version": wrong}).status_code == 404
    file = signed_in.get(reverse("space_file", args=[space.pk, 1]))
    assert file.headers["Content-Disposition"] == 'attachment; filename="small-1.json"'
    assert SearchSpace.from_text(file.content.decode()).to_json() == space.versions.get(number=1).document


def test_a_version_saved_in_another_tab_is_not_passed_over(signed_in: Client) -> None:
    space = make_space(build_space({"node_dim": (16, 32)}), name="Shared")
    url = reverse("space", args=[space.pk])
    base = {"name": "Shared", "source": "ticks", "seen": "1"}
    signed_in.post(url, base | {"node_dim": ["16", "64"]})
    page = signed_in.post(url, base | {"node_dim": ["32", "64"]})
    [error] = page.context["form"].non_field_errors()
    assert "'Shared' was saved meanwhile; this page began from version 1. Save again to keep yours" in error
    form = page.context["form"]
    assert (form["node_dim"].value(), form["seen"].value(), space.versions.count()) == (["32", "64"], "2", 2)
    signed_in.post(url, base | {"node_dim": ["32", "64"], "seen": form["seen"].value()})
    assert space.versions.count() == 3


def test_a_random_architecture_is_drawn_and_another_on_demand(signed_in: Client) -> None:
    first = signed_in.post(reverse("space_preview"), SMALL | {"draw_number": "0"})
    again = signed_in.post(reverse("space_preview"), SMALL | {"draw_number": "0"})
    assert first.context["words"] == again.context["words"]
    assert 'name="draw_number" value="1"' in first.content.decode() and "<svg" in first.content.decode()
    words = {signed_in.post(reverse("space_preview"), SMALL | {"draw_number": str(n)}).context["words"] for n in range(12)}
    assert len(words) > 3
    nothing = signed_in.post(reverse("space_preview"), {"source": "ticks", "draw_number": "9" * 30})
    assert "nothing to draw until the space is valid" in nothing.content.decode()


def test_the_largest_of_a_space_are_told_on_a_dataset(signed_in: Client) -> None:
    dataset = make_dataset(name="Movies", profile={"users": 900, "items": 1700, "pairs": 100_000})
    page = signed_in.post(reverse("space_preview"), SMALL | {"on_dataset": dataset.pk})
    text = page.content.decode()
    assert "The largest of the space on Movies" in text
    assert f"{page.context['costs'].memory:,.0f} MiB" in text
    assert page.context["most"].startswith("d32 · GCN → GCN"), "dense layers and the wider embedding need most"
    assert "Choose a dataset to see" in signed_in.post(reverse("space_preview"), SMALL | {"on_dataset": "999"}).content.decode()


def test_a_space_of_one_choice_each_and_one_of_ten_to_the_thirty_are_counted(signed_in: Client) -> None:
    one = {"name": "One", "source": "ticks", "node_dim": "32", "layers": "1", "operator": "gcn", "dropout": "0.1"}
    assert '<strong class="size">1</strong>' in size_text(signed_in, one)
    values = [round(0.01 * n, 2) for n in range(1, 65)]
    names = ("dropout", "message_dropout", "edge_dropout", "l2", "learning_rate", "averaging", "temperature", "popularity_offset", "clip")
    wide = preset_space("full").to_json()
    for decision in wide["decisions"]:
        if decision["name"] in names:
            decision["choices"] = values
    enormous = SearchSpace.from_json(wide)
    assert enormous.size > 10**30
    text = {"name": "Enormous", "source": "text", "document": json.dumps(wide)}
    shown = size_text(signed_in, text)
    assert f"{enormous.size:,}" in shown and f"× 10{str(len(str(enormous.size)) - 1).translate(SUPERSCRIPTS)}" in shown
    assert signed_in.post(reverse("space_preview"), text).status_code == 200
    signed_in.post(reverse("space_new"), text)
    space = Space.objects.get(name="Enormous")
    assert signed_in.get(reverse("space", args=[space.pk])).status_code == signed_in.get(reverse("spaces")).status_code == 200


SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@pytest.mark.parametrize(
    ("size", "text"), [(10**9 - 1, ""), (10**9, "1.0 × 10⁹"), (2_294_092_681, "2.3 × 10⁹"), (10**31 - 1, "1.0 × 10³¹")]
)
def test_a_long_size_is_rounded_beside_the_exact_one(size: int, text: str) -> None:
    assert rounded(size) == text


def test_two_versions_are_compared(signed_in: Client) -> None:
    space = make_space(build_space({"node_dim": (16, 32), "dropout": (0.0,)}), name="Mine")
    space_update(space_id=space.pk, name="Mine", space=build_space({"node_dim": (32, 64), "l2": (0.0, 0.1)}))
    page = signed_in.get(reverse("space_changes"), {"before": f"saved:{space.pk}:1", "after": f"saved:{space.pk}:2"})
    rows = [(row.label, row.kind, row.kept, row.added, row.removed) for row in page.context["rows"]]
    assert rows == [
        ("Node embedding size", "changed", ["32"], ["64"], ["16"]),
        ("L2 regularisation", "added", [], ["0", "0.1"], []),
        ("Dropout", "removed", [], [], ["0"]),
    ]
    same = signed_in.get(reverse("space_changes"), {"before": "preset:demo", "after": "preset:demo"}).content.decode()
    assert "Both are the same space." in same
    assert not signed_in.get(reverse("space_changes")).context["form"].is_bound
    for wrong in ("saved:999", "preset:none", "x", f"saved:{space.pk}:9"):
        form = signed_in.get(reverse("space_changes"), {"before": wrong, "after": "preset:demo"}).context["form"]
        assert list(form.errors) == ["before"]


def test_the_page_of_a_space_takes_as_many_queries_for_many_versions(signed_in: Client, django_assert_max_num_queries: Any) -> None:
    space = make_space(build_space({"node_dim": (1, 2)}))
    for size in range(3, 40):
        space_update(space_id=space.pk, name=space.name, space=build_space({"node_dim": (1, size)}))
    signed_in.get("/")
    with django_assert_max_num_queries(12):
        signed_in.get(reverse("space", args=[space.pk]))
    with django_assert_max_num_queries(12):
        signed_in.get(reverse("space_changes"), {"before": f"saved:{space.pk}:1", "after": f"saved:{space.pk}:2"})
