"""Proximal policy optimisation (Schulman et al. 2017); choosing for one decision is one action."""

from __future__ import annotations

from typing import Any, ClassVar

import torch

from gnn.space import PLAIN_RULES, SearchSpace, SpaceRules
from searchworker.controllers.learned import LearnedController
from searchworker.policy import clipped_surrogate, generalised_advantages, normalised, relative


class Ppo(LearnedController):
    """Updates after every ``batch`` outcomes, on these and the ones before them that are still in the memory.

    The ratio is always against the probability at the time of asking, so outcomes of an older policy, or
    told late by a slow worker, are weighed right and stop counting once the clip is reached.
    """

    name: ClassVar[str] = "ppo"
    learning_rate = 0.014
    entropy_bonus = (0.05, 0.02)
    memory = 16
    elite = 4
    batch = 4
    """New outcomes per update; small, as a whole search may have twenty."""
    epochs = 8
    clip = 0.3
    kl_stop = 0.1
    """Mean divergence from the behaviour of the memory beyond which an update ends."""
    gae_decay = 0.95
    value_weight = 0.5

    def __init__(self, space: SearchSpace, seed: int, total: int, rules: SpaceRules = PLAIN_RULES) -> None:
        super().__init__(space, seed, total, rules)
        self._pending = 0

    def _update(self) -> None:
        self._pending += 1
        if self._pending < self.batch:
            return
        self._pending = 0
        batch = self._latest.with_elite(self._best, self._standings)
        with torch.no_grad():
            before = self._policy.evaluate(batch.rows)
            raw = generalised_advantages(relative(batch.standings, batch.elite), before.values, before.active, self.gae_decay)
        returns = raw + before.values
        advantages = normalised(raw, before.active)
        advantages = torch.where(batch.elite[:, None], advantages.clamp(min=0), advantages)
        for _ in range(self.epochs):
            now = self._policy.evaluate(batch.rows)
            surrogate = clipped_surrogate(now.log_probs, batch.behaviours, advantages, now.active, self.clip)
            entropy = now.entropies[now.active].mean()
            value_loss = (now.values - returns)[now.active].square().mean()
            loss = surrogate.loss - self._entropy_weight() * entropy + self.value_weight * value_loss
            self._step(loss)
            if surrogate.kl > self.kl_stop:
                break
        self.diagnostics = {
            "loss": loss.item(),
            "value_loss": value_loss.item(),
            "mean_advantage": raw[before.active].mean().item(),
            "advantage_std": raw[before.active].std(correction=0).item(),
            "entropy": entropy.item(),
            "kl": surrogate.kl,
            "clip_fraction": surrogate.clip_fraction,
            "repeat_rate": self.repeat_rate,
        }

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"pending": self._pending}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self._pending = state["pending"]
