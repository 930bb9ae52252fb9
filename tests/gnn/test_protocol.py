from __future__ import annotations

import pytest

from gnn.errors import SpaceError
from gnn.protocol import Protocol


def test_a_protocol_survives_json():
    protocol = Protocol(split="temporal", metric="recall", k=5, ks=(10, 50), split_seed=3)
    assert Protocol.from_json(protocol.to_json()) == protocol


def test_the_objective_and_all_list_lengths():
    protocol = Protocol(metric="f1", k=7, ks=(20, 10))
    assert protocol.objective == "f1@7"
    assert protocol.cutoffs == (7, 10, 20)


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"metric": "coverage"}, "metric"),
        ({"k": 0}, "k"),
        ({"split": "random"}, "split"),
        ({"seed": 1}, "seed"),
        ({"valid_fraction": 0.6}, "valid_fraction"),
        ({"valid_fraction": 0.45, "test_fraction": 0.45}, None),
        ({"folds": 2}, "folds"),
        ({"folds": 4, "fold": 4}, None),
        ({"ks": []}, None),
        ({"ks": [0]}, None),
        ([], None),
    ],
)
def test_a_setting_at_fault_is_named(document, field):
    with pytest.raises(SpaceError, match="^Protocol") as caught:
        Protocol.from_json(document)
    assert caught.value.field == field


def test_a_protocol_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        Protocol().k = 3


def test_a_check_of_several_settings_speaks_for_itself() -> None:
    with pytest.raises(SpaceError, match=r"^Protocol: valid_fraction 0\.49 and test_fraction 0\.49 leave less"):
        Protocol.from_json({"valid_fraction": 0.49, "test_fraction": 0.49})
