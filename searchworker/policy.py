"""The autoregressive policy over a search space, and the update arithmetic that its controllers share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from searchworker.encoding import INACTIVE, SpaceEncoding
from searchworker.standing import EPSILON, REWARD_BOUND

HIDDEN = 32
"""Width of the hidden layer; the whole controller state stays near 100 KB, as it is stored at every step."""
LOGIT_BOUND = 3.0
"""Logits are squashed into (-bound, bound), so that no choice ever becomes unreachable."""


@dataclass(frozen=True)
class Evaluation:
    """What the policy says of B architectures; every tensor [B, D] is 0 where the decision is not active."""

    log_probs: Tensor
    entropies: Tensor
    values: Tensor
    """Expected standardised reward before the decision is made."""
    active: Tensor
    log_softmax: Tensor
    """Log-probability of every choice, also where the decision is not active; [B, D, C]."""


class Policy(nn.Module):
    """A distribution over architectures: one decision after the other, each given the choices before it.

    The network is a neural autoregressive distribution estimator (Larochelle and Murray 2011): the
    embeddings of the choices made so far are summed, a decision adds its own embedding, and one tanh layer
    feeds a head for the choices and a head for the value. Heads are shared by the layers of one spec; a
    bias per expanded decision lets layers differ. Heads start at zero, so a new policy draws as random
    search does. A decision that is not active is not sampled, has no probability and adds nothing.
    """

    def __init__(self, encoding: SpaceEncoding, generator: torch.Generator) -> None:
        super().__init__()
        self.encoding = encoding
        decisions = len(encoding.decisions)
        self.choice = nn.Parameter(_uniform(generator, decisions, encoding.width, HIDDEN)[encoding.offered])
        """One row for each choice of each decision; padding would be stored with every state."""
        self.decision = nn.Parameter(_uniform(generator, decisions, HIDDEN))
        self.head = nn.Parameter(torch.zeros(encoding.slots, HIDDEN))
        self.bias = nn.Parameter(torch.zeros(decisions, encoding.width))
        self.value = nn.Parameter(torch.zeros(HIDDEN + 1))
        """Weights of the value head, then its bias."""

    def sample(self, count: int, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        """Draw ``count`` independent architectures, [count, D]; a higher ``temperature`` flattens every decision.

        In numpy, whose calls cost a fraction of torch's on arrays this small.
        """
        encoding = self.encoding
        choice, decision, head, bias = (weights.detach().numpy() for weights in (self.choice, self.decision, self.head, self.bias))
        # The choice with the smallest E_c / p_c, E_c exponential, is c with probability p_c; p_c need not be normalised.
        race = torch.empty(len(encoding.decisions), count, encoding.width)
        race = race.exponential_(generator=generator).clamp(min=1e-30).log().numpy()
        rows = np.full((count, len(encoding.decisions)), INACTIVE)
        before = np.zeros((count, HIDDEN), dtype=np.float32)
        for i, (choices, first) in enumerate(zip(encoding.choices_of, encoding.first_choice.tolist(), strict=True)):
            active = encoding.active(i, rows)
            if not active.any():
                continue
            scores = np.tanh(before + decision[i]) @ head[choices].T + bias[i, : len(choices)]
            logits = np.tanh(scores / LOGIT_BOUND) * (LOGIT_BOUND / temperature)
            chosen = (logits - race[i, :, : len(choices)]).argmax(1)
            rows[:, i] = np.where(active, chosen, INACTIVE)
            before += active[:, None] * choice[first + chosen]
        return torch.from_numpy(rows)

    def evaluate(self, rows: Tensor, temperature: float | Sequence[float] = 1.0) -> Evaluation:
        """What the policy says of given rows [B, D], with gradients; ``temperature`` is that of all or of each, [B]."""
        active = rows != INACTIVE
        chosen = rows.clamp(min=0)
        embedded = self.choice[self.encoding.first_choice + chosen] * active.unsqueeze(2)
        before = embedded.cumsum(1) - embedded
        hidden = torch.tanh(before + self.decision)
        scores = torch.einsum("bdh,dch->bdc", hidden, self.head[self.encoding.choices]) + self.bias
        bounded = LOGIT_BOUND / torch.tensor(temperature).view(-1, 1, 1) * torch.tanh(scores / LOGIT_BOUND)
        log_softmax = bounded.masked_fill(~self.encoding.offered, -torch.inf).log_softmax(-1)
        log_probs = log_softmax.gather(2, chosen.unsqueeze(2)).squeeze(2)
        values = hidden @ self.value[:-1] + self.value[-1]
        zero = torch.zeros(())
        return Evaluation(
            log_probs=torch.where(active, log_probs, zero),
            entropies=torch.where(active, _entropy(log_softmax), zero),
            values=torch.where(active, values, zero),
            active=active,
            log_softmax=log_softmax,
        )


def _uniform(generator: torch.Generator, *shape: int) -> Tensor:
    bound = 1 / math.sqrt(HIDDEN)
    return torch.empty(shape).uniform_(-bound, bound, generator=generator)


def _entropy(log_softmax: Tensor) -> Tensor:
    """Entropy in nats [...] of log-probabilities [..., C]; a choice that is not offered adds nothing."""
    return -(log_softmax.exp() * log_softmax.clamp(min=torch.finfo(log_softmax.dtype).min)).sum(-1)


def normalised(advantages: Tensor, mask: Tensor) -> Tensor:
    """Shift and scale the masked advantages to mean 0 and deviation 1, as cleanrl and SB3 do; one alone is left as it is."""
    chosen = advantages[mask]
    if chosen.numel() < 2:
        return advantages * mask
    return (advantages - chosen.mean()) / (chosen.std() + EPSILON) * mask


def relative(standings: Tensor, elite: Tensor) -> Tensor:
    """Advantages [M] of standings [M] by rank among those that are not ``elite``, with mean 0 and deviation 1 over these.

    Utilities are those of natural evolution strategies (Wierstra et al. 2014, section 3.1): the logarithm of the rank, for the
    better half, so that the few best differ most. They do not depend on the scale of rewards; equal ones share their rank.
    Elite outcomes count nothing below the mean: they were kept for being good, and are no fair sample.
    """
    fair = standings[~elite]
    above = (fair > standings[:, None]).sum(1) + ((fair == standings[:, None]).sum(1) - 1) / 2
    utilities = (math.log(len(fair) / 2 + 1) - above.clamp(min=0).log1p()).clamp(min=0)
    spread = utilities[~elite].std(correction=0) + EPSILON
    advantages = ((utilities - utilities[~elite].mean()) / spread).clamp(-REWARD_BOUND, REWARD_BOUND)
    return torch.where(elite, advantages.clamp(min=0), advantages)


@dataclass(frozen=True)
class Surrogate:
    """PPO's clipped objective (to be minimised) with its health figures."""

    loss: Tensor
    kl: float
    clip_fraction: float


def clipped_surrogate(log_probs: Tensor, behaviour: Tensor, advantages: Tensor, active: Tensor, clip: float) -> Surrogate:
    """Mean over the active decisions of PPO's clipped surrogate (Schulman et al. 2017, eq. 7); all inputs [B, D].

    The ratio is against the stored behaviour. ``kl`` is the estimator ``(r - 1) - log r`` of J. Schulman,
    "Approximating KL Divergence" (2020), which cleanrl logs too.
    """
    log_ratio = (log_probs - behaviour)[active]
    ratio = log_ratio.exp()
    gain = advantages[active]
    loss = -torch.min(ratio * gain, ratio.clamp(1 - clip, 1 + clip) * gain).mean()
    with torch.no_grad():
        kl = (ratio - 1 - log_ratio).mean().item()
        clip_fraction = ((ratio - 1).abs() > clip).float().mean().item()
    return Surrogate(loss, kl, clip_fraction)


def generalised_advantages(rewards: Tensor, values: Tensor, active: Tensor, decay: float) -> Tensor:
    """GAE (Schulman et al. 2016) without discount, for one reward [B] after the last active decision; gives [B, D].

    ``decay`` is the lambda: 1 compares each value with the final reward, 0 with the next value only.
    """
    advantages = torch.zeros_like(values)
    following, carried = rewards, torch.zeros_like(rewards)
    for i in reversed(range(values.shape[1])):
        carried = torch.where(active[:, i], following - values[:, i] + decay * carried, carried)
        following = torch.where(active[:, i], values[:, i], following)
        advantages[:, i] = torch.where(active[:, i], carried, 0.0)
    return advantages
