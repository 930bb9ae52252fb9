from __future__ import annotations

import numpy as np
import pytest
import torch

from gnn import losses
from gnn.catalogue.choices import CANDIDATES, LOSSES, NEGATIVES, PAIR_LOSSES
from gnn.contrastive import contrast
from gnn.errors import DataError, Diverged
from gnn.graph import build_graph
from gnn.model import Draw, build_model
from gnn.objectives import make_objective, sampled_catalogue
from gnn.space import Architecture
from gnn.train import TrainConfig, fit
from gnn.trainer import Trainer
from tests.gnn.toy import HELD_OUT, make_interactions, planted_blocks, random_interactions

OBJECTIVE = f"recall@{HELD_OUT}"


@pytest.fixture(scope="module")
def planted():
    return planted_blocks()


@pytest.fixture(scope="module")
def graph():
    interactions = random_interactions(2, n_users=30, n_items=20)
    return build_graph(interactions, np.arange(len(interactions)))


def network(graph, **decisions):
    names = {"node_dim": 16, "learning_rate": 0.05, "layers": 1, "dropout": 0.0, "averaging": 0.0, **decisions}
    return build_model(Architecture.of(names), graph, 0)


def draw(seed=0):
    return Draw(torch.Generator().manual_seed(seed))


def first_block(objective):
    return next(iter(objective.blocks(torch.Generator().manual_seed(0))))


def choices():
    yield from ({"loss": loss, "negatives": kind, "negative_count": 3} for loss in PAIR_LOSSES for kind in NEGATIVES)
    yield from ({"loss": "sampled_softmax", "candidates": kind} for kind in CANDIDATES)
    yield from ({"loss": "softmax", "popularity_offset": 0.25}, {"loss": "directau"})
    yield from ({"positives": "apart"}, {"sampled_items": 8}, {"positives": "apart", "sampled_items": 8, "popularity_offset": 0.25})
    yield from ({"contrastive": kind} for kind in ("sgl", "simgcl", "xsimgcl"))
    yield {"loss": "bpr", "contrastive": "simgcl", "combination": "concat", "edge_dropout": 0.1}


@pytest.mark.parametrize("decisions", list(choices()), ids=lambda decisions: "-".join(map(str, decisions.values())))
def test_every_objective_finds_planted_blocks(planted, decisions):
    _, graph, valid = planted
    config = TrainConfig(max_epochs=40, patience=40, objective=OBJECTIVE, cutoffs=(HELD_OUT,))
    assert fit(network(graph, **decisions), graph, valid, config).scores.values[OBJECTIVE] > 0.9


@pytest.mark.parametrize("loss", LOSSES)
def test_the_same_seed_gives_the_same_training_and_a_snapshot_goes_on(planted, loss):
    _, graph, valid = planted

    def run(resume=None):
        snapshots = []
        decisions = {"loss": loss, "contrastive": "simgcl", "message_dropout": 0.1}
        config = TrainConfig(max_epochs=3, objective=OBJECTIVE, cutoffs=(HELD_OUT,))
        result = fit(network(graph, **decisions), graph, valid, config, lambda report: snapshots.append(report.snapshot()), resume)
        return snapshots, result.scorer.items

    torch.manual_seed(1)
    snapshots, items = run()
    torch.manual_seed(2)  # the global generator must not matter
    assert torch.equal(run()[1], items)
    assert torch.equal(run(snapshots[0])[1], items)


@pytest.mark.parametrize("negatives", ["uniform", "hard"])
@pytest.mark.parametrize("loss", LOSSES)
def test_scoring_fewer_at_a_time_changes_neither_loss_nor_gradient(graph, loss, negatives):
    results = []
    for rows_at_once in (10**6, 7, 1):
        model = network(graph, loss=loss, negatives=negatives, l2=0.1, dropout=0.2)
        objective = make_objective(model, graph)
        total = objective.loss(first_block(objective), draw(), rows_at_once)
        total.backward()
        results.append([total.detach(), *(parameter.grad for parameter in model.parameters())])
    for fewer in results[1:]:
        for got, wanted in zip(fewer, results[0], strict=True):
            torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", CANDIDATES)
@pytest.mark.parametrize("corrected", ["logq", "none"])
def test_a_sampled_softmax_takes_the_chance_of_being_drawn_off(graph, kind, corrected):
    model = network(graph, loss="sampled_softmax", candidates=kind, popularity_correction=corrected, temperature=0.5)
    objective = make_objective(model, graph)
    block = first_block(objective)
    users, items = model.embed(model.propagate(None))
    ours, _ = objective.compare(block, users, items, draw(), 1)
    power = {"uniform": 0.0, "popularity": 0.75, "in_batch": 1.0}[kind]
    chance = graph.item_degree.float() ** power
    offset = (chance / chance.sum()).log() if corrected == "logq" and kind != "uniform" else torch.zeros(graph.n_items)
    drawn = block.items if kind == "in_batch" else objective.sampler((1024,), draw().generator)
    total = 0.0
    logits = (users[block.users] @ items.t() / 0.5 - offset).detach().double().numpy()
    for row, item in enumerate(block.items.tolist()):
        others = [other for other in drawn.tolist() if other != item]
        total -= np.log(np.exp(logits[row, item]) / np.exp(logits[row, [item, *others]]).sum())
    assert ours.item() == pytest.approx(total / len(block.items), rel=1e-4)


@pytest.mark.parametrize("positives", ["compete", "apart"])
def test_a_sample_of_everything_is_the_catalogue(graph, positives):
    def loss(sampled_items):
        model = network(graph, positives=positives, popularity_offset=0.5, sampled_items=sampled_items)
        objective = make_objective(model, graph)
        value = objective.loss(first_block(objective), draw(), 4)
        value.backward()
        return value.detach(), model.nodes.grad

    for got, wanted in zip(loss(1000), loss(0), strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-6)


def test_sampled_items_stand_for_the_catalogue_on_average():
    generator, positives = torch.Generator().manual_seed(0), torch.tensor([7, 3, 3])
    values, sums = torch.arange(20.0).exp2().sqrt(), []
    for _ in range(4000):
        items, weight = sampled_catalogue(20, positives, 5, generator)
        assert len(items) == 7 and {3, 7} <= set(items.tolist()) and (items.diff() > 0).all()
        sums.append((values[items] * weight).sum())
    assert torch.stack(sums).mean().item() == pytest.approx(values.sum().item(), rel=0.05)


def test_a_popularity_offset_is_added_in_training_alone(graph):
    model, plain = network(graph, temperature=0.3, popularity_offset=0.5), network(graph, temperature=0.3)
    assert torch.equal(torch.cat(model.embeddings()), torch.cat(plain.embeddings()))
    objective = make_objective(model, graph)
    block = first_block(objective)
    users, items = model()
    ours, _ = objective.compare(block, users, items, draw(), 100)
    popularity = graph.item_degree.clamp(min=1).float()
    logits = users[block.users] @ items.t() / 0.3 + 0.5 * (popularity / popularity.sum()).log()
    reference = -torch.log_softmax(logits, dim=1)[block.rows, block.items].mean()
    torch.testing.assert_close(ours, reference, rtol=1e-5, atol=1e-5)


def test_constraints_weigh_pairs_as_the_paper_does(graph, monkeypatch):
    seen = []
    monkeypatch.setattr(losses, "constrained_bce", lambda *arguments: seen.append(arguments) or arguments[0].sum())
    objective = make_objective(network(graph, loss="ultragcn"), graph)
    block = first_block(objective)
    objective.loss(block, draw(), 10**6)
    user, item = graph.user_degree.numpy(), graph.item_degree.numpy()
    edges = np.repeat(np.arange(graph.n_users), user), graph.seen_items.numpy()
    weight = lambda u, i: 1 / user[u] * np.sqrt((user[u] + 1) / (item[i] + 1))  # noqa: E731
    np.testing.assert_allclose(seen[0][2], weight(block.users.numpy(), block.items.numpy()) / weight(*edges).mean(), rtol=1e-5)


def test_the_l2_term_is_the_norm_of_the_embeddings_used(graph):
    plain, ruled = (make_objective(network(graph, loss="bpr", l2=l2), graph) for l2 in (0.0, 0.5))
    block, nodes = first_block(plain), plain.model.nodes
    negatives = plain.negatives(block, lambda *_: None, draw().generator).flatten()
    norm = sum(nodes[used].square().sum() for used in (block.users, graph.n_users + block.items, graph.n_users + negatives))
    difference = ruled.loss(block, draw(), 1) - plain.loss(block, draw(), 1)
    assert difference.item() == pytest.approx(0.25 * norm.item() / len(block.users), rel=1e-3)


def test_noise_has_its_length_and_keeps_the_orthant():
    x = torch.randn(50, 8, generator=torch.Generator().manual_seed(0))
    moved = Draw(torch.Generator().manual_seed(0), noise=0.2).disturb(x) - x
    torch.testing.assert_close(moved.norm(dim=1), torch.full((50,), 0.2))
    assert torch.equal(moved.sign(), x.sign())


def test_views_that_are_not_disturbed_agree_as_far_as_nodes_differ(graph):
    """Each contrastive term falls to that of identical views as its disturbance falls to nothing."""
    users, items = torch.arange(1, 9), torch.arange(1, 9)
    for kind, small in (("sgl", {"contrastive_drop": 0.01}), ("simgcl", {"contrastive_noise": 1e-3})):
        model = network(graph, contrastive=kind, **small)
        outputs = model.propagate(None)
        same = model.combine(outputs)
        cosines = [torch.nn.functional.normalize(same[nodes]) for nodes in (users, graph.n_users + items)]
        expected = sum(-torch.log_softmax(c @ c.t() / 0.2, dim=1).diagonal().mean() for c in cosines)
        assert contrast(model, outputs, users, items, draw()).item() == pytest.approx(expected.item(), rel=0.05)


def test_a_catalogue_of_one_item_is_refused():
    graph = build_graph(make_interactions([(0, 0), (1, 0)], 2, 1), np.arange(2))
    with pytest.raises(DataError, match="The catalogue has 1 item"):
        make_objective(network(graph), graph)


def test_users_who_have_seen_everything_have_no_negatives():
    graph = build_graph(make_interactions([(0, 0), (0, 1), (1, 0)], 2, 2), np.arange(3))
    blocks = list(make_objective(network(graph, loss="bpr"), graph).blocks(torch.Generator()))
    assert torch.cat([block.users for block in blocks]).tolist() == [1]
    full = build_graph(make_interactions([(0, 0), (0, 1)], 1, 2), np.arange(2))
    with pytest.raises(DataError, match="Every user has seen all 2 items"):
        make_objective(network(full, loss="bce"), full)


def test_embeddings_that_alignment_alone_draws_together_are_a_collapse(planted):
    _, graph, valid = planted
    run = Trainer(network(graph, loss="directau", uniformity=0.01), graph, valid, 0)
    with torch.no_grad():
        run.model.nodes[:] = 1.0
    run.train_epoch()
    with pytest.raises(Diverged, match="collapsed"):
        run.check_embeddings(*run.model.embeddings())
