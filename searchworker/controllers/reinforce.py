"""REINFORCE (Williams 1992) with a moving baseline, updated at every outcome."""

from __future__ import annotations

from typing import ClassVar

from searchworker.controllers.learned import LearnedController
from searchworker.policy import relative


class Reinforce(LearnedController):
    """Ascends the gradient of the expected reward, estimated on the outcomes in the memory.

    Advantages are by rank among the latest outcomes, so the baseline follows the policy as it gets better.
    An outcome counts by how likely the policy still is to draw it, compared with when it was asked for
    (importance weight, cut at 1): it can be used again, may come late, and fades when left behind.
    """

    name: ClassVar[str] = "reinforce"
    learning_rate = 0.02
    entropy_bonus = (0.2, 0.1)
    memory = 32
    elite = 8
    warm_up = 4
    """Outcomes before the first update; fewer give no baseline to speak of."""
    steps = 3
    """Steps of the optimiser at each outcome."""

    def _update(self) -> None:
        if len(self._latest) < self.warm_up:
            return
        batch = self._latest.with_elite(self._best, self._standings)
        advantages = relative(batch.standings, batch.elite)
        for _ in range(self.steps):
            now = self._policy.evaluate(batch.rows)
            log_probs = now.log_probs.sum(1)
            weights = (log_probs - batch.behaviours.sum(1)).exp().clamp(max=1).detach()
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
