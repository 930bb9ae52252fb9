from __future__ import annotations

from gnn.catalogue import PRESETS, build_space, preset_space
from gnn.space import DecisionSpec, SearchSpace
from gnn.space_changes import moved, space_changes

SMALL = {"node_dim": (16, 32), "layers": (1, 2), "operator": ("lightgcn", "gat"), "heads": (1, 2), "dropout": (0.0, 0.1)}


def test_a_space_does_not_differ_from_itself() -> None:
    for name in PRESETS:
        again = SearchSpace.from_json(preset_space(name).to_json())
        assert space_changes(preset_space(name), again) == [] and not moved(preset_space(name), again)


def test_changes_name_decisions_choices_and_conditions() -> None:
    after = build_space({"node_dim": (32, 64), "layers": (1, 2), "operator": ("gat", "lightgcn"), "l2": (0.0,), "dropout": (0, 0.1)})
    changes = {change.name: change for change in space_changes(build_space(SMALL), after)}
    assert list(changes) == ["node_dim", "operator", "l2", "heads"]  # of dropout, 0 is spelled another way only
    assert (changes["node_dim"].added, changes["node_dim"].removed, changes["node_dim"].reordered) == ([64], [16], False)
    assert (changes["operator"].added, changes["operator"].removed, changes["operator"].reordered) == ([], [], True)
    assert (changes["l2"].before, changes["l2"].added, changes["l2"].removed) == (None, [0.0], [])
    assert (changes["heads"].after, changes["heads"].added, changes["heads"].removed) == (None, [], [1, 2])
    assert not any(change.condition_changed for change in changes.values())


def test_another_condition_is_a_change_however_its_choices_are_ordered() -> None:
    def conditional(*allowed: int) -> SearchSpace:
        return SearchSpace([DecisionSpec("node_dim", (16, 32, 64)), DecisionSpec("dropout", (0.1, 0.2), None, {"node_dim": allowed})])

    assert space_changes(conditional(16, 32), conditional(32, 16)) == []
    [change] = space_changes(conditional(16, 32), conditional(16))
    assert change.condition_changed and (change.added, change.removed, change.reordered) == ([], [], False)


def test_the_order_in_which_decisions_are_taken_is_told_apart() -> None:
    before = SearchSpace([DecisionSpec("node_dim", (16,)), DecisionSpec("dropout", (0.1,))])
    after = SearchSpace([DecisionSpec("dropout", (0.1,)), DecisionSpec("node_dim", (16,)), DecisionSpec("l2", (0.0,))])
    assert moved(before, after) and not moved(before, before)
    assert [change.name for change in space_changes(before, after)] == ["l2"]
