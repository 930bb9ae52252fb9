"""REINFORCE (Williams 1992) with a moving baseline, updated at every tell."""

from __future__ import annotations

from typing import ClassVar

from searchworker.controllers.learned import LearnedController


class Reinforce(LearnedController):
    """Ascends the gradient of the expected reward, estimated on the latest outcomes.

    Each outcome is weighted by how likely the policy still is to draw it, compared with when it was asked
    for (importance weight, cut at 1), so outcomes can be used again and may come late.
    """

    name: ClassVar[str] = "reinforce"
    learning_rate = 0.01
    entropy_bonus = (0.5, 0.05)
    memory = 64
    steps = 2

    def _update(self, fresh: int) -> None:
        advantages = self._standardised_rewards()
        for _ in range(self.steps):
            now = self._policy.evaluate(self._rows)
            log_probs = now.log_probs.sum(1)
            weights = (log_probs - self._behaviours.sum(1)).exp().clamp(max=1).detach()
            entropy = now.entropies[now.active].mean()
            loss = -(weights * advantages * log_probs).mean() - self._entropy_weight() * entropy
            self._step(loss)
        self.diagnostics = {
            "loss": loss.item(),
            "mean_advantage": advantages.mean().item(),
            "advantage_std": advantages.std(correction=0).item(),
            "entropy": entropy.item(),
            "repeat_rate": self.repeat_rate,
        }
