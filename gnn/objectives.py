"""Training objectives as an architecture decides them: which blocks make an epoch, and the loss of one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from typing import Generic, TypeVar

import torch
from torch import Tensor

from gnn import losses
from gnn.catalogue.choices import PAIR_LOSSES
from gnn.contrastive import contrast
from gnn.errors import DataError
from gnn.graph import Graph
from gnn.losses import catalogue_softmax
from gnn.model import Draw, Recommender
from gnn.negatives import PairNegatives, PopularitySampler
from gnn.pairs import pair_scores, rows, squared_norm
from gnn.sampling import PairBlock, UserBlock, pair_blocks, user_blocks

MIN_STEPS = 8
"""Steps of an epoch that a small dataset gets at least, where its users allow."""
USERS_PER_STEP = (16, 512)
"""Fewest and most users in a softmax step: fewer are too noisy, more update too seldom."""
PAIRS_PER_STEP = (256, 8192)
"""Fewest and most interactions in a step that compares them with negatives."""
SQUARE_PAIRS = 2048
"""Most interactions in a step that compares all of them with each other."""
ITEMS_PER_STEP = 2**18
"""Negatives that a step looks at, about."""
CANDIDATES = 1024
"""Items that stand for the catalogue in a sampled softmax, apart from those of the batch."""

SCORES_AT_ONCE = 2**23
"""Scores of a softmax over the catalogue held in memory at a time (32 MiB)."""

B = TypeVar("B", UserBlock, PairBlock)


class Objective(ABC, Generic[B]):
    """The part of training that depends on the loss; the regularisers are common."""

    size: int
    """Users or interactions of a step, about."""
    rows_at_once: int
    """Users or interactions whose scores are held in memory at a time, unless memory turns out to be scarce."""

    def __init__(self, model: Recommender, graph: Graph) -> None:
        self.model = model
        self.settings = model.settings
        self.graph = graph

    @abstractmethod
    def blocks(self, generator: torch.Generator) -> Iterator[B]:
        """The steps of one epoch."""

    @abstractmethod
    def compare(self, block: B, users: Tensor, items: Tensor, draw: Draw, rows_at_once: int) -> tuple[Tensor, Tensor]:
        """The loss without regularisers, and the nodes whose embeddings it regularises, which may repeat."""

    def loss(self, block: B, draw: Draw, rows_at_once: int) -> Tensor:
        """The loss of one step.

        Args:
            rows_at_once: memory bound on the users or interactions scored at a time; does not change the result
                beyond rounding.
        """
        settings = self.settings
        own = replace(draw, noise=settings.contrastive_noise) if settings.contrastive == "xsimgcl" else draw
        outputs = self.model.propagate(own)
        users, items = self.model.embed(outputs)
        total, used = self.compare(block, users, items, draw, rows_at_once)
        if settings.l2:
            total = total + 0.5 * settings.l2 / len(block.users) * squared_norm(self.model.inputs(), used)
        if settings.contrastive != "none":
            total = total + settings.contrastive_weight * contrast(self.model, outputs, block.users, block.items, draw)
        return total


class CatalogueObjective(Objective[UserBlock]):
    """Softmax over the whole catalogue, or a sample of it, for blocks of users."""

    def __init__(self, model: Recommender, graph: Graph) -> None:
        super().__init__(model, graph)
        self.size = _step_size(graph.n_users, MIN_STEPS, USERS_PER_STEP)
        self.rows_at_once = max(1, SCORES_AT_ONCE // graph.n_items)
        popularity = graph.item_degree.clamp(min=1).float()
        self.offset = (popularity / popularity.sum()).log()[:, None]

    def blocks(self, generator: torch.Generator) -> Iterator[UserBlock]:
        return user_blocks(self.graph, self.size, generator)

    def compare(self, block: UserBlock, users: Tensor, items: Tensor, draw: Draw, rows_at_once: int) -> tuple[Tensor, Tensor]:
        settings, chosen = self.settings, users[block.users]
        every_item = torch.arange(self.graph.n_users, self.graph.n_nodes, device=block.users.device)
        used = torch.cat([block.users, every_item])
        added = settings.popularity_offset * self.offset
        if settings.sampled_items:
            drawn, weight = sampled_catalogue(self.graph.n_items, block.items, settings.sampled_items, draw.generator)
            items, added = rows(items, drawn), added[drawn] + weight.log()[:, None]
            block = replace(block, items=torch.searchsorted(drawn, block.items))
            rows_at_once = max(1, rows_at_once * self.graph.n_items // len(drawn))
        if settings.sampled_items or settings.popularity_offset:
            # One more column adds to the scores in training alone.
            chosen = torch.cat([chosen, chosen.new_ones(len(chosen), 1)], dim=1)
            items = torch.cat([items, settings.temperature * added], dim=1)
        # Half precision only pays on a GPU, and only the scores are large enough to want it.
        with torch.autocast("cuda", torch.bfloat16, enabled=users.is_cuda):
            loss = catalogue_softmax(chosen, items, block, settings.temperature, rows_at_once, rivals=settings.positives == "compete")
        return loss, used


class PairObjective(Objective[PairBlock]):
    """Interactions compared with negatives drawn for each."""

    rows_at_once = PAIRS_PER_STEP[1]

    def __init__(self, model: Recommender, graph: Graph) -> None:
        super().__init__(model, graph)
        self.negatives = PairNegatives(graph, self.settings.negatives, self.settings.negative_count)
        self.usable = (self.negatives.even.unseen > 0) & (graph.user_degree > 0)
        if not self.usable.any():
            raise DataError(
                f"Every user has seen all {graph.n_items} items, so '{self.settings.loss}' has no unseen item to compare with; "
                "choose softmax or directau."
            )
        most = max(1, ITEMS_PER_STEP // self.negatives.looked_at)
        self.size = min(_step_size(graph.n_edges, 2 * MIN_STEPS, PAIRS_PER_STEP), most)
        user, item = graph.user_degree.float(), graph.item_degree.float()
        self.user_share, self.item_share = (user + 1).sqrt() / user.clamp(min=1), (item + 1).rsqrt()
        of_edges = self.user_share[torch.repeat_interleave(graph.user_degree)] * self.item_share[graph.seen_items]
        self.mean_share = of_edges.mean()

    def blocks(self, generator: torch.Generator) -> Iterator[PairBlock]:
        return pair_blocks(self.graph, self.usable, self.size, generator)

    def compare(self, block: PairBlock, users: Tensor, items: Tensor, draw: Draw, rows_at_once: int) -> tuple[Tensor, Tensor]:
        def score(some: Tensor, of: Tensor) -> Tensor:
            return pair_scores(users, items, some, of) / self.settings.temperature

        def score_all(some: Tensor, of: Tensor) -> Tensor:
            return torch.cat([score(*part) for part in zip(some.split(rows_at_once), of.split(rows_at_once), strict=True)])

        negatives = self.negatives(block, score_all, draw.generator)
        compared = torch.cat([block.items[:, None], negatives], dim=1)

        def part(some: slice) -> Tensor:
            own = PairBlock(block.users[some], block.items[some])
            scores = score(own.users, compared[some])
            return self._loss(own, scores[:, 0], scores[:, 1:], negatives[some]) * (len(own.users) / len(block.users))

        used = torch.cat([block.users, self.graph.n_users + compared.flatten()])
        return losses.in_parts(len(block.users), rows_at_once, part).sum(), used

    def _loss(self, block: PairBlock, positive: Tensor, negative: Tensor, negatives: Tensor) -> Tensor:
        settings = self.settings
        match settings.loss:
            case "bpr":
                return losses.bpr(positive, negative)
            case "bce":
                return losses.bce(positive, negative)
            case "margin":
                return losses.margin_loss(positive, negative, settings.margin)
            case "ccl":
                return losses.cosine_contrastive(positive, negative, settings.margin, settings.negative_weight)
            case _:
                # sqrt(d_u + 1) / d_u / sqrt(d_i + 1), as in the paper, in units of its mean over all interactions.
                user = self.user_share[block.users] / self.mean_share
                weight, other = user * self.item_share[block.items], user[:, None] * self.item_share[negatives]
                return losses.constrained_bce(positive, negative, weight, other)


class SquareObjective(Objective[PairBlock]):
    """All interactions of a step compared with each other or with one sample of the catalogue."""

    rows_at_once = PAIRS_PER_STEP[1]

    def __init__(self, model: Recommender, graph: Graph) -> None:
        super().__init__(model, graph)
        self.size = min(_step_size(graph.n_edges, 2 * MIN_STEPS, PAIRS_PER_STEP), SQUARE_PAIRS)
        kind = self.settings.candidates
        self.sampler = PopularitySampler(graph, {"uniform": 0.0, "in_batch": 1.0}.get(kind, 0.75))
        corrected = self.settings.loss == "sampled_softmax" and self.settings.corrected and kind != "uniform"
        self.log_chance = self.sampler.chance.log().float() if corrected else torch.zeros_like(self.sampler.chance).float()

    def blocks(self, generator: torch.Generator) -> Iterator[PairBlock]:
        return pair_blocks(self.graph, self.graph.user_degree > 0, self.size, generator)

    def compare(self, block: PairBlock, users: Tensor, items: Tensor, draw: Draw, rows_at_once: int) -> tuple[Tensor, Tensor]:
        used = torch.cat([block.users, self.graph.n_users + block.items])
        some, theirs = rows(users, block.users), rows(items, block.items)
        if self.settings.loss == "directau":
            spread = (losses.uniformity(some, rows_at_once) + losses.uniformity(theirs, rows_at_once)) / 2
            return losses.alignment(some, theirs) + self.settings.uniformity * spread, used
        drawn = block.items if self.settings.candidates == "in_batch" else self.sampler((CANDIDATES,), draw.generator)
        some = some / self.settings.temperature
        positive = (some * theirs).sum(1) - self.log_chance[block.items]
        catalogue, offset = rows(items, drawn).t(), self.log_chance[drawn]

        def part(own: slice) -> Tensor:
            loss = losses.sampled_softmax(positive[own], some[own] @ catalogue - offset, block.items[own, None] == drawn)
            return loss * (len(positive[own]) / len(positive))

        return losses.in_parts(len(positive), rows_at_once, part).sum(), used


def make_objective(model: Recommender, graph: Graph) -> Objective[UserBlock] | Objective[PairBlock]:
    """The objective of a network.

    Raises:
        DataError: the catalogue has a single item, or no user has an unseen item where the objective needs one.
    """
    if graph.n_items < 2:
        raise DataError(f"The catalogue has {graph.n_items} item, so there is nothing to rank.")
    if model.settings.loss == "softmax":
        return CatalogueObjective(model, graph)
    return PairObjective(model, graph) if model.settings.loss in PAIR_LOSSES else SquareObjective(model, graph)


def sampled_catalogue(n_items: int, positives: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Items that stand for the catalogue in a step: all positives, and ``count`` of the others, each as likely as any.

    Returns:
        Their codes, ascending int64 [C], and how many items each stands for, [C]: with these weights the sum over
        the sample has the expectation of the sum over the catalogue.
    """
    weight = torch.zeros(n_items)
    positive = positives.cpu()
    weight[positive] = 1.0
    others = torch.nonzero(weight == 0).flatten()
    some = others[torch.randperm(len(others), generator=generator)[:count]]
    weight[some] = len(others) / max(1, len(some))
    drawn = torch.nonzero(weight).flatten()
    return drawn.to(positives.device), weight[drawn].to(positives.device)


def _step_size(total: int, steps: int, limits: tuple[int, int]) -> int:
    return min(max(total // steps, limits[0]), limits[1])
