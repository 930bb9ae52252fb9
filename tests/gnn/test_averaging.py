from __future__ import annotations

import pytest
import torch

from gnn.averaging import WeightAverage


def test_the_average_is_a_mean_at_first_and_then_forgets_exponentially():
    network = torch.nn.Linear(1, 1, bias=False)
    average = WeightAverage(network, 0.75)
    expected, seen = 0.0, [3.0, -1.0, 4.0, 1.0, 5.0, -9.0]
    for step, value in enumerate(seen):
        with torch.no_grad():
            network.weight.fill_(value)
        average.update()
        expected = sum(seen[: step + 1]) / (step + 1) if step < 4 else 0.75 * expected + 0.25 * value
        assert average.average["weight"].item() == pytest.approx(expected)
    with average.in_place():
        assert network.weight.item() == pytest.approx(expected)
    assert network.weight.item() == -9.0
    assert average.average["weight"].item() == pytest.approx(expected)


def test_an_error_inside_leaves_the_weights_in_place():
    network = torch.nn.Linear(2, 2)
    before = network.weight.detach().clone()
    average = WeightAverage(network, 0.9)
    with torch.no_grad():
        average.average["weight"].zero_()
    with pytest.raises(ZeroDivisionError), average.in_place():
        raise ZeroDivisionError
    assert torch.equal(network.weight, before)
