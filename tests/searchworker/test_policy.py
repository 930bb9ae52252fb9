"""The policy and the update arithmetic against values computed by hand or in numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gnn.space import Architecture
from searchworker.encoding import INACTIVE, SpaceEncoding
from searchworker.policy import (
    LOGIT_BOUND,
    Policy,
    clipped_surrogate,
    generalised_advantages,
    normalised,
    relative,
)
from tests.searchworker.landscapes import LAYERED

ENCODING = SpaceEncoding(LAYERED)
SHALLOW = LAYERED.architecture({"dim": 32, "layers": 1, "operator.1": "gat", "activation.1": "elu", "rate": 0.1})
PLAIN = LAYERED.architecture({"dim": 16, "layers": 2, "operator.1": "plain", "operator.2": "gcn", "activation.2": "relu", "rate": 0.01})


def trained_policy() -> Policy:
    """A policy whose weights are all at work, unlike a new one's heads."""
    generator = torch.Generator().manual_seed(3)
    policy = Policy(ENCODING, generator)
    with torch.no_grad():
        for weights in policy.parameters():
            weights.normal_(0, 0.5, generator=generator)
    return policy


def numpy_log_probs(policy: Policy, architecture: Architecture) -> dict[str, float]:
    """The log-probability of each choice, one decision after the other as the docstring of Policy says."""
    weights = {name: value.detach().numpy().astype(np.float64) for name, value in policy.named_parameters()}
    before, log_probs = np.zeros(weights["decision"].shape[1]), {}
    for i, decision in enumerate(LAYERED.decisions):
        if decision.name not in architecture:
            continue
        hidden = np.tanh(before + weights["decision"][i])
        slots = [int(slot) for slot in ENCODING.choices[i, : len(decision.choices)]]
        scores = weights["head"][slots] @ hidden + weights["bias"][i, : len(decision.choices)]
        scores = LOGIT_BOUND * np.tanh(scores / LOGIT_BOUND)
        chosen = decision.choices.index(architecture[decision.name])
        log_probs[decision.name] = float(scores[chosen] - np.log(np.exp(scores).sum()))
        before += weights["choice"][int(ENCODING.first_choice[i]) + chosen]
    return log_probs


def test_rows_and_architectures_are_two_spellings_of_the_same() -> None:
    generator = np.random.default_rng(0)
    for _ in range(50):
        architecture = LAYERED.sample(generator)
        assert ENCODING.architecture(ENCODING.row(architecture)) == architecture


def test_layers_of_a_spec_share_their_slots_and_others_do_not() -> None:
    slots = {decision.name: ENCODING.choices[i, : len(decision.choices)].tolist() for i, decision in enumerate(LAYERED.decisions)}
    assert slots["operator.1"] == slots["operator.3"]
    assert len({slot for name in ("dim", "layers", "operator.1", "activation.1", "rate") for slot in slots[name]}) == 16


@pytest.mark.parametrize("architecture", [SHALLOW, PLAIN])
def test_log_probabilities_are_those_of_numpy_and_only_active_decisions_have_any(architecture: Architecture) -> None:
    policy = trained_policy()
    evaluation = policy.evaluate(torch.tensor([ENCODING.row(SHALLOW), ENCODING.row(architecture), ENCODING.row(PLAIN)]))
    expected = numpy_log_probs(policy, architecture)
    for i, decision in enumerate(LAYERED.decisions):
        assert evaluation.log_probs[1, i].item() == pytest.approx(expected.get(decision.name, 0.0), abs=1e-5)
        assert (evaluation.entropies[1, i] > 0).item() == (decision.name in architecture)
        assert evaluation.active[1, i].item() == (decision.name in architecture)


def test_what_is_drawn_is_in_the_space() -> None:
    rows = trained_policy().sample(32, torch.Generator().manual_seed(0))
    for row in rows.tolist():
        assert ENCODING.architecture(row) in LAYERED


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_choices_are_drawn_as_often_as_their_probability_says(temperature: float) -> None:
    policy = trained_policy()
    rows = policy.sample(20_000, torch.Generator().manual_seed(0), temperature)
    for choice, log_probability in enumerate(policy.evaluate(rows[:1], temperature).log_softmax[0, 0].tolist()):
        share = (rows[:, 0] == choice).float().mean().item()
        assert share == pytest.approx(math.exp(log_probability), abs=4 * math.sqrt(math.exp(log_probability) / 20_000))


def test_a_higher_temperature_flattens() -> None:
    policy = trained_policy()
    rows = policy.sample(200, torch.Generator().manual_seed(0))
    cold, hot = (policy.evaluate(rows, temperature).entropies[:, 0] for temperature in (1.0, 4.0))
    assert hot.mean() > cold.mean()


def test_decisions_that_are_not_active_contribute_nothing() -> None:
    policy = trained_policy()
    rows = torch.tensor([ENCODING.row(SHALLOW)])
    policy.evaluate(rows).log_probs.sum().backward()
    absent = (rows[0] == INACTIVE).nonzero().flatten()
    assert len(absent) == 4
    choices = torch.cat([torch.arange(len(ENCODING.choices_of[i])) + ENCODING.first_choice[i] for i in absent])
    assert len(policy.choice) == sum(len(decision.choices) for decision in LAYERED.decisions)
    of_absent = [(policy.bias, absent), (policy.decision, absent), (policy.choice, choices)]
    for weights, rows_of in of_absent:
        assert weights.grad is not None
        assert not weights.grad[rows_of].any()
    with torch.no_grad():
        before = policy.evaluate(rows)
        for weights, rows_of in of_absent:
            weights[rows_of] += 5
        after = policy.evaluate(rows)
    assert torch.equal(before.log_probs, after.log_probs)
    assert torch.equal(before.values, after.values)


def test_the_clipped_surrogate_is_that_of_the_paper() -> None:
    log_half, log_double, log_same = math.log(0.5), math.log(2.0), 0.0
    behaviour = torch.full((2, 3), -1.0)
    log_probs = behaviour + torch.tensor([[log_double, log_half, log_same], [log_double, log_half, 7.0]])
    advantages = torch.tensor([[1.0, 1.0, 1.0], [-1.0, -1.0, 9.0]])
    active = torch.tensor([[True, True, True], [True, True, False]])
    surrogate = clipped_surrogate(log_probs, behaviour, advantages, active, clip=0.2)
    # Gains: a rise beyond the clip earns no more (1.2), a fall of a good one counts in full (0.5), and mirrored.
    assert surrogate.loss.item() == pytest.approx(-(1.2 + 0.5 + 1.0 - 2.0 - 0.8) / 5)
    assert surrogate.clip_fraction == pytest.approx(4 / 5)
    assert surrogate.kl == pytest.approx((2 * (1 - math.log(2)) + 2 * (-0.5 + math.log(2))) / 5, abs=1e-6)


def test_beyond_the_clip_there_is_no_gradient_in_the_direction_of_the_advantage() -> None:
    log_probs = torch.tensor([[1.0, 1.0]], requires_grad=True)
    clipped_surrogate(log_probs, torch.zeros(1, 2), torch.tensor([[1.0, -1.0]]), torch.ones(1, 2, dtype=torch.bool), 0.2).loss.backward()
    assert log_probs.grad is not None
    assert log_probs.grad[0, 0] == 0
    assert log_probs.grad[0, 1] > 0


def test_generalised_advantages_skip_decisions_that_are_not_active() -> None:
    rewards, values = torch.tensor([2.0]), torch.tensor([[0.5, 9.0, 1.0]])
    active = torch.tensor([[True, False, True]])
    last = 2.0 - 1.0
    first = (1.0 - 0.5) + 0.5 * last
    assert generalised_advantages(rewards, values, active, 0.5).tolist() == [[first, 0.0, last]]
    assert generalised_advantages(rewards, values, active, 1.0).tolist() == [[1.5, 0.0, 1.0]]
    assert generalised_advantages(rewards, values, active, 0.0).tolist() == [[0.5, 0.0, 1.0]]


def test_normalised_advantages_have_mean_zero_and_one_alone_is_kept() -> None:
    mask = torch.tensor([[True, True, False], [True, True, False]])
    result = normalised(torch.tensor([[1.0, 2.0, 50.0], [3.0, 6.0, 50.0]]), mask)
    assert result[mask].tolist() == pytest.approx(((np.array([1, 2, 3, 6]) - 3) / np.std([1, 2, 3, 6], ddof=1)).tolist())
    assert not result[~mask].any()
    assert normalised(torch.tensor([[3.0, 7.0]]), torch.tensor([[True, False]])).tolist() == [[3.0, 0.0]]
    assert normalised(torch.full((1, 3), 4.0), torch.ones(1, 3, dtype=torch.bool)).tolist() == [[0.0, 0.0, 0.0]]


def test_relative_advantages_are_by_rank_and_the_elite_never_speaks_against() -> None:
    fair = torch.tensor([0.1, 0.4, 0.3, 0.2])
    utilities = np.maximum(0, math.log(3) - np.log([4, 1, 2, 3]))
    expected = (utilities - utilities.mean()) / utilities.std()
    assert relative(fair, torch.zeros(4, dtype=torch.bool)).numpy() == pytest.approx(expected, abs=1e-5)
    assert relative(1000 * fair - 7, torch.zeros(4, dtype=torch.bool)).numpy() == pytest.approx(expected, abs=1e-5)
    with_elite = relative(torch.cat([fair, torch.tensor([0.5, 0.0])]), torch.tensor([False] * 4 + [True] * 2))
    assert with_elite[:4].numpy() == pytest.approx(expected, abs=1e-5)
    assert with_elite[4] >= with_elite[1]
    assert with_elite[5] == 0
    assert relative(torch.ones(3), torch.zeros(3, dtype=torch.bool)).tolist() == [0.0, 0.0, 0.0]
