"""What REINFORCE and PPO share: drawing from the policy without repeats, the collapse alarm, and the state."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor

from gnn.space import SearchSpace
from searchworker.controllers.base import Controller, Outcome, Proposal
from searchworker.encoding import SpaceEncoding
from searchworker.policy import Draw, Policy

USUAL_TRIALS = 100
"""Length of a search at which the learning rate is as stated; it changes with the inverse root of the length."""
ADAM_EPSILON = 1e-5
DRAWS = 16
"""Architectures drawn together; later ones only count when the earlier ones were repeats."""
ROUNDS = 4
"""Rounds of draws, each at a higher temperature, before a proposal is filled by random search."""
ROUND_TEMPERATURE = 1.5
REPEAT_DECAY = 0.8
"""Memory of the running repeat rate, per ask."""
ALARM = 0.5
"""Repeat rate above which the policy counts as collapsed."""
ALARM_BOOST = 4.0
"""At full alarm the entropy bonus is this much larger, on top."""
MARGINAL_SAMPLES = 256


class LearnedController(Controller):
    """A controller with a policy network, an Adam optimiser and its own generators.

    Repeats that the policy draws are counted. When the running repeat rate passes ``ALARM`` the policy has
    collapsed onto what it already knows: :attr:`alarm` grows from 0 to 1 and the controllers raise their
    entropy bonus with it, until new architectures are drawn again.
    """

    learning_rate: ClassVar[float]
    """Adam's, for a search of ``USUAL_TRIALS``."""
    memory: ClassVar[int]
    """Outcomes kept for updates."""
    entropy_bonus: ClassVar[tuple[float, float]]
    """Weight of the mean entropy of a decision at the start and at the end of the search."""

    def __init__(self, space: SearchSpace, seed: int, total: int) -> None:
        super().__init__(space, seed, total)
        self._encoding = SpaceEncoding(space)
        self._torch_generator = torch.Generator().manual_seed(seed)
        self._policy = Policy(self._encoding, self._torch_generator)
        # A short search must commit early, a long one can afford to look around first.
        haste = min(2.0, max(0.5, math.sqrt(USUAL_TRIALS / total)))
        self._optimiser = torch.optim.Adam(self._policy.parameters(), lr=haste * self.learning_rate, eps=ADAM_EPSILON)
        self.repeat_rate = 0.0
        decisions = len(self._encoding.decisions)
        # The latest outcomes, oldest first: rows [M, D], log-probabilities at the time of asking [M, D], rewards [M].
        self._rows = torch.zeros(0, decisions, dtype=torch.long)
        self._behaviours = torch.zeros(0, decisions)
        self._rewards = torch.zeros(0, dtype=torch.float64)

    @property
    def alarm(self) -> float:
        """0 while new architectures are drawn, growing to 1 when every draw is a repeat."""
        return max(0.0, self.repeat_rate - ALARM) / (1 - ALARM)

    @property
    def progress(self) -> float:
        """Share of the planned trials that have been told, at most 1."""
        return min(1.0, (len(self._asked) - len(self._in_flight)) / self.total)

    def _propose(self, n: int) -> list[Proposal]:
        proposals: list[Proposal] = []
        drawn = repeats = 0
        for attempt in range(ROUNDS):
            if len(proposals) == n:
                break
            draw = self._policy.sample(max(DRAWS, 2 * n), self._torch_generator, ROUND_TEMPERATURE**attempt)
            for i, row in enumerate(draw.rows.tolist()):
                if len(proposals) == n:
                    break
                architecture = self._encoding.architecture(row)
                drawn += 1
                if self._claim(architecture):
                    proposals.append(Proposal(architecture, self._behaviour(draw, i)))
                else:
                    repeats += 1
        if drawn:
            self.repeat_rate += (1 - REPEAT_DECAY) * (repeats / drawn - self.repeat_rate)
        proposals += [self._filler() for _ in range(n - len(proposals))]
        return proposals

    def _behaviour(self, draw: Draw, i: int) -> dict[str, Any]:
        active = [(j, decision.name) for j, decision in enumerate(self._encoding.decisions) if draw.rows[i, j] >= 0]
        log_probs, entropies = draw.log_probs[i].tolist(), draw.entropies[i].tolist()
        return {
            "log_probs": {name: log_probs[j] for j, name in active},
            "entropies": {name: entropies[j] for j, name in active},
            "value": float(draw.values[i, 0]),
        }

    def _filler(self) -> Proposal:
        architecture = self._claim_random()
        choices = {decision.name: len(decision.choices) for decision in self._encoding.decisions if decision.name in architecture}
        entropies = {name: float(torch.tensor(float(count)).log()) for name, count in choices.items()}
        return Proposal(architecture, {"log_probs": {name: -e for name, e in entropies.items()}, "entropies": entropies, "value": 0.0})

    def _learn(self, outcome: Outcome) -> None:
        log_probs = outcome.behaviour["log_probs"]
        behaviour = [log_probs.get(decision.name, 0.0) for decision in self._encoding.decisions]
        self._rows = _appended(self._rows, self._encoding.row(outcome.architecture), self.memory)
        self._behaviours = _appended(self._behaviours, behaviour, self.memory)
        self._rewards = _appended(self._rewards, outcome.reward, self.memory)
        self._update()

    @abstractmethod
    def _update(self) -> None:
        """Improve the policy with the memory, whose last outcome is new."""

    def _entropy_weight(self) -> float:
        start, end = self.entropy_bonus
        return (start + (end - start) * self.progress) * (1 + ALARM_BOOST * self.alarm)

    def _step(self, loss: Tensor) -> None:
        self._optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._policy.parameters(), 1.0)
        self._optimiser.step()

    def marginals(self) -> dict[str, list[float]]:
        """Mean distribution of each decision over a fixed batch of samples that make it active.

        The batch comes from a generator of its own, so asking changes no proposal. A decision that
        no sample makes active has zeros: the policy has ruled it out.
        """
        draw = self._policy.sample(MARGINAL_SAMPLES, torch.Generator().manual_seed(self.seed))
        counts = (draw.rows >= 0).sum(0).clamp(min=1)
        means = draw.probabilities.sum(0) / counts.unsqueeze(1)
        return {decision.name: means[i, : len(decision.choices)].tolist() for i, decision in enumerate(self._encoding.decisions)}

    def state_dict(self) -> dict[str, Any]:
        optimiser = self._optimiser.state_dict()["state"]
        return super().state_dict() | {
            "torch_generator": self._torch_generator.get_state(),
            "policy": {name: value.clone() for name, value in self._policy.state_dict().items()},
            "optimiser": {str(i): {name: value.clone() for name, value in slots.items()} for i, slots in optimiser.items()},
            "repeat_rate": self.repeat_rate,
            "rows": self._rows.to(torch.int16),
            "behaviours": self._behaviours,
            "rewards": self._rewards,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self._torch_generator.set_state(state["torch_generator"])
        self._policy.load_state_dict(state["policy"])
        groups = self._optimiser.state_dict()["param_groups"]
        slots = {int(i): {name: value.clone() for name, value in values.items()} for i, values in state["optimiser"].items()}
        self._optimiser.load_state_dict({"state": slots, "param_groups": groups})
        self.repeat_rate = state["repeat_rate"]
        self._rows = state["rows"].long()
        self._behaviours = state["behaviours"]
        self._rewards = state["rewards"]


def _appended(memory: Tensor, entry: list[int] | list[float] | float, limit: int) -> Tensor:
    """A new tensor with ``entry`` at the end of ``memory``, cut to the latest ``limit``."""
    return torch.cat([memory, torch.tensor([entry], dtype=memory.dtype)])[-limit:]
