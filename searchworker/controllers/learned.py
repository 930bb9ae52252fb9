"""What REINFORCE and PPO share: drawing from the policy without repeats, the memory, the collapse alarm, and the state."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from gnn.space import PLAIN_RULES, Architecture, SearchSpace, SpaceRules
from searchworker.controllers.base import Controller, Outcome, Proposal
from searchworker.controllers.memory import Entry, Memory
from searchworker.critic import Critic
from searchworker.encoding import INACTIVE, space_encoding
from searchworker.policy import Policy

USUAL_TRIALS = 100
"""Length of a search at which the learning rate is as stated; it changes with the inverse root of the length."""
ADAM_EPSILON = 1e-5
CANDIDATES = 16
"""New architectures among which the critic chooses. More would make its search of the policy's, fewer would leave it little to say."""
SCREENED = 2
"""Every second proposal is chosen by the critic. The others are the policy's first new draw: with chosen ones only, all outcomes
are alike in what the critic knows to matter, and the policy would have nothing to compare and learn nothing."""
DRAWS = 64
"""Architectures drawn together; most are repeats once the policy has found what is good."""
ROUNDS = 12
"""Rounds of draws, each at a higher temperature, that candidates may take; without any, random search makes the proposal."""
ROUND_TEMPERATURE = 1.15
REPEAT_DECAY = 0.8
"""Memory of the running repeat rate, per proposal."""
ALARM = 0.5
"""Repeat rate above which the policy counts as collapsed."""
ALARM_BOOST = 4.0
"""At full alarm the entropy bonus is this much larger, on top."""
MARGINAL_SAMPLES = 64
WARM_STEPS = 60
WARM_ENTROPY = 0.6
"""Share of the uniform entropy below which earlier searches stop narrowing the policy."""


class LearnedController(Controller):
    """A controller with a policy network, an Adam optimiser and its own generators.

    It learns from a memory of the latest outcomes, and from the best ones of the whole search (the elite), which stay
    for as long as they are above the average of the others and then speak for themselves only, never against.

    A training costs seconds and a draw next to nothing, so for every second proposal the policy draws several candidates and the
    critic, a model of what finished, picks the one to train; DyNA-PPO (Angermueller et al. 2020) uses a model to the same end.
    The stored behaviour is the policy's own probability of the draw and leaves the choice out. So the policy learns from
    its draws tilted to what the critic prefers, and follows it there, as in expert iteration (Anthony et al. 2017): a bias that
    is wanted, since rewards are those of real training and expected improvement keeps looking where little is known.
    Ratios, clip and KL compare the policy with itself only, and mean what they mean without a critic.

    An architecture that the policy draws again is not trained again: its reward is known, and enters
    the memory as if it had just been told. When the running rate of such repeats (and of architectures that may not
    be trained) passes ``ALARM``, the policy has collapsed onto what it already knows: :attr:`alarm` grows from 0
    to 1 and the controllers raise their entropy bonus with it, until new architectures are drawn again.
    """

    learning_rate: ClassVar[float]
    """Adam's, for a search of ``USUAL_TRIALS``."""
    memory: ClassVar[int]
    """Latest outcomes kept for updates."""
    elite: ClassVar[int]
    """Best outcomes kept for updates."""
    entropy_bonus: ClassVar[tuple[float, float]]
    """Weight of the mean entropy of a decision at the start and at the end of the search."""

    def __init__(self, space: SearchSpace, seed: int, total: int, rules: SpaceRules = PLAIN_RULES) -> None:
        super().__init__(space, seed, total, rules)
        self._encoding = space_encoding(space)
        self._torch_generator = torch.Generator().manual_seed(seed)
        self._policy = Policy(self._encoding, self._torch_generator)
        self._optimiser = self._new_optimiser()
        self.repeat_rate = 0.0
        self._latest = Memory(self.memory)
        self._best = Memory(self.elite)
        self._critic = Critic()

    def _new_optimiser(self) -> torch.optim.Adam:
        # A short search must commit early, a long one can afford to look around first.
        haste = min(2.0, max(0.5, math.sqrt(USUAL_TRIALS / self.total)))
        return torch.optim.Adam(self._policy.parameters(), lr=haste * self.learning_rate, eps=ADAM_EPSILON)

    @property
    def alarm(self) -> float:
        """0 while new architectures are drawn, growing to 1 when no draw is of use."""
        return max(0.0, self.repeat_rate - ALARM) / (1 - ALARM)

    def _propose(self, n: int) -> list[Proposal]:
        proposals: list[Proposal] = []
        while len(proposals) < n and (proposal := self._next() or self._filler()) is not None:
            proposals.append(proposal)
        return proposals

    def _next(self) -> Proposal | None:
        """Claim the first new draw or, at every second proposal, the most promising of several; None if none may be proposed."""
        finished = self._critic.numbers()
        candidates: dict[tuple[int, ...], float] = {}  # row -> temperature of its draw
        repeated: dict[tuple[int, ...], tuple[int, float]] = {}  # row -> number, temperature
        drawn = repeats = 0
        screened = len(self._table) % SCREENED == SCREENED - 1
        proposal: Proposal | None = None
        for attempt in range(ROUNDS):
            temperature = ROUND_TEMPERATURE**attempt
            drawn += DRAWS
            for row in map(tuple, self._policy.sample(DRAWS, self._torch_generator, temperature).tolist()):
                if row not in finished:
                    candidates.setdefault(row, temperature)
                    continue
                repeats += 1
                if not candidates:
                    repeated.pop(row, None)  # the newest counts as the latest
                    repeated[row] = finished[row], temperature
            if screened and len(candidates) < CANDIDATES and attempt < ROUNDS - 1:
                continue
            rows = list(candidates)
            for row in self._most_promising_first(rows) if screened else rows:
                architecture = self._encoding.architecture(row)
                temperature = candidates.pop(row)
                if self._claim(architecture):
                    by_critic = screened and self._critic.is_informed
                    proposal = Proposal(architecture, self._behaviour(row, temperature) | {"by_critic": by_critic})
                    break
                repeats += 1
                repeated[row] = self._number(architecture), temperature
            if proposal is not None:
                break
        self._recall(repeated)
        self.repeat_rate += (1 - REPEAT_DECAY) * (repeats / drawn - self.repeat_rate)
        return proposal

    def _most_promising_first(self, rows: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
        """Distinct rows, in the order drawn where the critic makes no difference."""
        improvement = self._critic.improvement(np.array(rows).reshape(-1, len(self._encoding.decisions)), self._standings)
        return [rows[position] for position in np.argsort(-improvement, kind="stable")]

    def _filler(self) -> Proposal | None:
        architecture = self._claim_random()
        return None if architecture is None else Proposal(architecture, self._uniform_behaviour(architecture))

    def _recall(self, repeated: Mapping[tuple[int, ...], tuple[int, float]]) -> None:
        """Answer repeated draws from the table of rewards, those that have an answer yet; row -> (number, temperature)."""
        answered = {row: told for row, (number, _) in repeated.items() if (told := self._table.told(number))[0]}
        if not answered:
            return
        rows = torch.tensor(list(answered))
        with torch.no_grad():
            log_probs = self._policy.evaluate(rows, [repeated[row][1] for row in answered]).log_probs
        for i, (row, (rungs, reward)) in enumerate(answered.items()):
            self._latest.put(repeated[row][0], Entry(rows[i], log_probs[i], reward, rungs - 1))

    def _behaviour(self, row: tuple[int, ...], temperature: float) -> dict[str, Any]:
        with torch.no_grad():
            drawn = self._policy.evaluate(torch.tensor([row]), temperature)
        active = [(j, decision.name) for j, decision in enumerate(self._encoding.decisions) if row[j] != INACTIVE]
        log_probs, entropies = drawn.log_probs[0].tolist(), drawn.entropies[0].tolist()
        return {
            "log_probs": {name: log_probs[j] for j, name in active},
            "entropies": {name: entropies[j] for j, name in active},
            "value": float(drawn.values[0, 0]),
        }

    def _uniform_behaviour(self, architecture: Architecture) -> dict[str, Any]:
        entropies = {d.name: math.log(len(d.choices)) for d in self._encoding.decisions if d.name in architecture}
        return {"log_probs": {name: -entropy for name, entropy in entropies.items()}, "entropies": entropies, "value": 0.0}

    def _learn(self, outcome: Outcome, number: int) -> None:
        choices = self._encoding.row(outcome.architecture)
        self._critic.put(number, choices, outcome.reward, outcome.rung)
        row = torch.tensor(choices)
        if outcome.behaviour:
            log_probs = outcome.behaviour["log_probs"]
            behaviour = torch.tensor([log_probs.get(decision.name, 0.0) for decision in self._encoding.decisions])
        else:  # chosen by others: as if the policy had drawn it now
            with torch.no_grad():
                behaviour = self._policy.evaluate(row[None]).log_probs[0]
        entry = Entry(row, behaviour, outcome.reward, outcome.rung)
        self._latest.put(number, entry)
        self._best.put_best(number, entry, self._standings)
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

    def _warm(self, examples: list[tuple[Architecture, float]]) -> None:
        """Raise the probability of the examples (weighted cross-entropy), while every decision stays open."""
        rows = torch.tensor([self._encoding.row(architecture) for architecture, _ in examples])
        weights = torch.tensor([weight for _, weight in examples])
        for _ in range(WARM_STEPS):
            now = self._policy.evaluate(rows)
            if bool((now.entropies.sum(1) < WARM_ENTROPY * self._uniform_entropy(rows)).any()):
                break
            self._step(-(weights[:, None] * now.log_probs).sum() / (weights[:, None] * now.active).sum())
        self._optimiser = self._new_optimiser()

    def _uniform_entropy(self, rows: Tensor) -> Tensor:
        """Entropy [B] of random search along the active decisions of rows [B, D]."""
        return ((rows != INACTIVE) * self._encoding.offered.sum(1).log()).sum(1)

    def marginals(self) -> dict[str, list[float]]:
        """Mean distribution of each decision over a fixed batch of samples that make it active.

        The batch comes from a generator of its own, so asking changes no proposal. A decision that
        no sample makes active has zeros: the policy has ruled it out.
        """
        rows = self._policy.sample(MARGINAL_SAMPLES, torch.Generator().manual_seed(self.seed))
        with torch.no_grad():
            drawn = self._policy.evaluate(rows)
        counts = drawn.active.sum(0).clamp(min=1)
        means = (drawn.log_softmax.exp() * drawn.active.unsqueeze(2)).sum(0) / counts.unsqueeze(1)
        return {decision.name: means[i, : len(decision.choices)].tolist() for i, decision in enumerate(self._encoding.decisions)}

    def state_dict(self) -> dict[str, Any]:
        optimiser = self._optimiser.state_dict()["state"]
        return super().state_dict() | {
            "torch_generator": self._torch_generator.get_state(),
            "policy": {name: value.clone() for name, value in self._policy.state_dict().items()},
            "optimiser": {str(i): {name: value.clone() for name, value in slots.items()} for i, slots in optimiser.items()},
            "repeat_rate": self.repeat_rate,
            "latest": self._latest.state_dict(),
            "best": self._best.state_dict(),
            "critic": self._critic.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self._torch_generator.set_state(state["torch_generator"])
        self._policy.load_state_dict(state["policy"])
        groups = self._optimiser.state_dict()["param_groups"]
        slots = {int(i): {name: value.clone() for name, value in values.items()} for i, values in state["optimiser"].items()}
        self._optimiser.load_state_dict({"state": slots, "param_groups": groups})
        self.repeat_rate = state["repeat_rate"]
        self._latest.load_state_dict(state["latest"])
        self._best.load_state_dict(state["best"])
        self._critic.load_state_dict(state["critic"])
