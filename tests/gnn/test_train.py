from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gnn import losses, objectives
from gnn.errors import Diverged, OutOfMemory, TrainError
from gnn.evaluate import EmbeddingScorer, build_targets, evaluate_validation
from gnn.graph import build_graph
from gnn.layers import OPERATORS
from gnn.model import build_model
from gnn.space import Architecture
from gnn.train import EpochReport, TrainConfig, fit, refit
from gnn.trainer import Trainer, schedule
from tests.gnn.toy import BLOCK_ITEMS, HELD_OUT, planted_blocks, random_interactions

OBJECTIVE = f"recall@{HELD_OUT}"
CONFIG = TrainConfig(max_epochs=40, patience=40, objective=OBJECTIVE, cutoffs=(HELD_OUT,))


@pytest.fixture(scope="module")
def planted():
    return planted_blocks()


def network(graph, seed=0, **decisions):
    names = {"node_dim": 16, "learning_rate": 0.05, **decisions}
    return build_model(Architecture.of({name.replace("__", "."): choice for name, choice in names.items()}), graph, seed)


def train(planted, config=CONFIG, resume=None, on_epoch=None, **decisions):
    _, graph, valid = planted
    reports = []

    def note(report):
        reports.append((report.epoch, report.loss, dict(report.scores.values)))
        if on_epoch is not None:
            on_epoch(report)

    return fit(network(graph, **decisions), graph, valid, config, note, resume), reports


@pytest.mark.parametrize("edge_dim", [0, 4])
@pytest.mark.parametrize("loss", ["softmax", "bpr"])
@pytest.mark.parametrize("operator", [name for name in OPERATORS if name != "identity"])
def test_every_operator_finds_planted_blocks(planted, operator, loss, edge_dim):
    result, reports = train(planted, operator__1=operator, operator__2=operator, loss=loss, edge_dim=edge_dim)
    # No softmax is below the even chance of the items a user trains on.
    floor = math.log(BLOCK_ITEMS - HELD_OUT) if loss == "softmax" else 0.0
    first, last = reports[0][1], reports[-1][1]
    assert last - floor < 0.6 * (first - floor)
    assert result.scores.values[OBJECTIVE] > 0.97


def test_the_result_is_the_best_epoch_not_the_last(planted):
    _, graph, valid = planted
    result, reports = train(planted)
    scores = [values[OBJECTIVE] for _, _, values in reports]
    assert result.scores.values[OBJECTIVE] == max(scores) == scores[result.best_epoch - 1]
    assert result.best_epoch == scores.index(max(scores)) + 1
    again = trainer_scores(result.scorer, graph, valid)
    assert again == result.scores.values


def trainer_scores(scorer, graph, valid):
    return evaluate_validation(scorer, graph, valid, (HELD_OUT,)).values


def test_training_stops_after_patience_validations_without_improvement(planted):
    config = TrainConfig(max_epochs=40, patience=2, objective=OBJECTIVE, cutoffs=(HELD_OUT,))
    result, _ = train(planted, config)
    assert result.epochs == result.best_epoch + 2 < 40


@pytest.mark.parametrize("decisions", [{"dropout": 0.2, "l2": 1e-4, "operator__1": "gat", "edge_dim": 4}, {"loss": "bpr", "l2": 1e-3}])
def test_the_same_seed_gives_the_same_training(planted, decisions):
    config = TrainConfig(max_epochs=3, objective=OBJECTIVE, cutoffs=(HELD_OUT,), seed=5)
    torch.manual_seed(1)
    first, reports = train(planted, config, **decisions)
    torch.manual_seed(2)  # the global generator must not matter
    second, again = train(planted, config, **decisions)
    assert reports == again
    assert torch.equal(first.scorer.users, second.scorer.users)
    other = TrainConfig(max_epochs=3, objective=OBJECTIVE, cutoffs=(HELD_OUT,), seed=6)
    assert train(planted, other, **decisions)[1] != reports


@pytest.mark.parametrize(
    "decisions",
    [
        {"dropout": 0.2, "operator__1": "sage", "edge_dim": 4},
        {"loss": "bpr"},
        {"schedule": "cosine", "averaging": 0.98, "clip": 0.1, "operator__1": "gcn"},
    ],
)
@pytest.mark.parametrize("stopped_after", [1, 4])
def test_a_resumed_run_equals_the_undisturbed_one(planted, decisions, stopped_after):
    config = TrainConfig(max_epochs=7, patience=3, objective=OBJECTIVE, cutoffs=(HELD_OUT,))
    undisturbed, reports = train(planted, config, **decisions)

    class Stop(Exception):
        pass

    snapshots = []

    def stop(report):
        if report.epoch == stopped_after:
            snapshots.append(report.snapshot())
            raise Stop

    with pytest.raises(Stop):
        train(planted, config, on_epoch=stop, **decisions)
    resumed, rest = train(planted, config, resume=snapshots[0], seed=99, **decisions)
    assert rest == reports[stopped_after:]
    assert (resumed.best_epoch, resumed.epochs) == (undisturbed.best_epoch, undisturbed.epochs)
    assert resumed.scores.values == undisturbed.scores.values
    for name, values in undisturbed.scores.per_user.items():
        assert resumed.scores.per_user[name].tolist() == values.tolist()
    assert torch.equal(resumed.scorer.users, undisturbed.scorer.users)
    assert torch.equal(resumed.scorer.items, undisturbed.scorer.items)


def test_a_snapshot_of_the_last_epoch_ends_at_once(planted):
    config = TrainConfig(max_epochs=3, objective=OBJECTIVE, cutoffs=(HELD_OUT,))
    kept = []
    full, _ = train(planted, config, on_epoch=lambda report: kept.append(report.snapshot()))
    resumed, reports = train(planted, config, resume=kept[-1])
    assert reports == [] and resumed.epochs == 3
    assert torch.equal(resumed.scorer.items, full.scorer.items)


@pytest.mark.parametrize("document", [b"", b"not a snapshot", b"\x80\x04pickle"])
def test_what_is_no_snapshot_is_refused(planted, document):
    with pytest.raises(TrainError, match="not a training snapshot"):
        train(planted, resume=document)


def test_a_snapshot_of_another_network_is_refused(planted):
    kept = []
    config = TrainConfig(max_epochs=1, objective=OBJECTIVE, cutoffs=(HELD_OUT,))
    train(planted, config, on_epoch=lambda report: kept.append(report.snapshot()))
    with pytest.raises(TrainError, match="another network"):
        train(planted, config, resume=kept[0], node_dim=8)


def test_a_loss_that_is_not_finite_diverges(planted):
    _, graph, valid = planted
    model = network(graph)
    with torch.no_grad():
        model.nodes[0, 0] = torch.nan
    with pytest.raises(Diverged, match="epoch 1"):
        fit(model, graph, valid, CONFIG)


def test_dead_layers_are_a_collapse(planted):
    _, graph, valid = planted
    model = network(graph, layers=1, operator__1="gcn", activation__1="relu", combination="last")
    with torch.no_grad():
        model.layers[0].operator.lin.bias.fill_(-100.0)
    with pytest.raises(Diverged, match="collapsed"):
        fit(model, graph, valid, CONFIG)


def test_equal_embeddings_are_a_collapse(planted):
    _, graph, valid = planted
    run = Trainer(network(graph), graph, valid, 0)
    spread = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    run.check_embeddings(spread, spread)
    same_but_for_the_bias = torch.cat([torch.ones(5, 2), torch.arange(5.0)[:, None]], dim=1)
    with pytest.raises(Diverged, match="item embeddings collapsed"):
        run.check_embeddings(spread, same_but_for_the_bias)
    with pytest.raises(Diverged, match="user embeddings stopped"):
        run.check_embeddings(spread * torch.inf, spread)


def out_of_memory(*_, **__):
    raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")


def test_memory_that_runs_out_is_typed(planted, monkeypatch):
    monkeypatch.setattr(objectives, "catalogue_softmax", out_of_memory)
    with pytest.raises(OutOfMemory, match="do not fit cpu"):
        train(planted)


def test_scores_are_cut_smaller_before_giving_up(planted, monkeypatch):
    rows = []

    def small_only(users, items, block, temperature, rows_at_once, *, rivals):
        rows.append(rows_at_once)
        if rows_at_once > 4:
            out_of_memory()
        return losses.catalogue_softmax(users, items, block, temperature, rows_at_once, rivals=rivals)

    config = TrainConfig(max_epochs=2, objective=OBJECTIVE, cutoffs=(HELD_OUT,))
    undisturbed, _ = train(planted, config, dropout=0.2)
    monkeypatch.setattr(objectives, "catalogue_softmax", small_only)
    result, _ = train(planted, config, dropout=0.2)
    assert max(rows) > 4 and rows[-1] <= 4
    torch.testing.assert_close(result.scorer.items, undisturbed.scorer.items, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("loss", "function"), [("bpr", "bpr"), ("sampled_softmax", "sampled_softmax")])
def test_pairs_are_compared_fewer_at_a_time_before_giving_up(planted, monkeypatch, loss, function):
    held, whole = [], getattr(losses, function)

    def small_only(positive, *others):
        held.append(len(positive))
        if len(positive) > 50:
            out_of_memory()
        return whole(positive, *others)

    config = TrainConfig(max_epochs=2, objective=OBJECTIVE, cutoffs=(HELD_OUT,))
    undisturbed, _ = train(planted, config, dropout=0.2, loss=loss)
    monkeypatch.setattr(losses, function, small_only)
    result, _ = train(planted, config, dropout=0.2, loss=loss)
    assert max(held) > 50 and max(held[-10:]) <= 50
    torch.testing.assert_close(result.scorer.items, undisturbed.scorer.items, rtol=1e-2, atol=1e-3)
    monkeypatch.setattr(losses, function, out_of_memory)
    with pytest.raises(OutOfMemory, match="do not fit cpu"):
        train(planted, loss=loss)


def test_the_cosine_schedule_falls_from_one_to_nearly_zero(planted):
    assert [schedule("cosine", epoch, 4) for epoch in range(5)] == pytest.approx([1, 0.5 + 0.5**1.5, 0.5, 0.5 - 0.5**1.5, 0])
    assert schedule("constant", 3, 4) == 1
    _, graph, valid = planted
    run = Trainer(network(graph, schedule="cosine", learning_rate=0.1), graph, valid, 0, max_epochs=4)
    rates = [run.train_epoch() and run.optimizer.param_groups[0]["lr"] for _ in range(4)]
    assert rates == pytest.approx([0.1 * schedule("cosine", epoch, 4) for epoch in range(4)])


def test_clipping_bounds_the_gradient_a_step_follows(planted):
    _, graph, valid = planted
    norms = {}
    for clip in (0.0, 1e-3):
        run = Trainer(network(graph, clip=clip, operator__1="gcn"), graph, valid, 0)
        run.train_epoch()
        norms[clip] = torch.cat([weight.grad.flatten() for weight in run.model.parameters()]).norm().item()
    assert norms[0.0] > 1e-2
    assert norms[1e-3] == pytest.approx(1e-3, rel=1e-3)


def test_what_is_kept_is_the_average_while_training_goes_on_from_the_weights(planted):
    _, graph, valid = planted
    plain, run = (Trainer(network(graph, averaging=decay), graph, valid, 0) for decay in (0.0, 0.9))
    for _ in range(3):
        scores = evaluate_validation(EmbeddingScorer(*run.embeddings()), graph, valid, (HELD_OUT,))
        assert run.train_epoch() == plain.train_epoch()
        run.note(scores, OBJECTIVE, 0.0)
    assert torch.equal(run.model.nodes, plain.model.nodes)
    average = run.average.average["nodes"].clone()
    assert not torch.equal(average, run.model.nodes)
    run.best_value = -np.inf
    run.note(scores, OBJECTIVE, 0.0)
    run.load_best()
    assert torch.equal(run.model.nodes, average)


def test_other_errors_pass_through(planted, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("a bug")

    monkeypatch.setattr(objectives, "catalogue_softmax", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        train(planted)


def test_cold_users_do_not_disturb_training():
    interactions = random_interactions(1, n_users=20, n_items=12)
    index = np.arange(len(interactions))
    graph = build_graph(interactions, index[::2])
    valid = build_targets(interactions, index[1::2], graph)
    result = fit(network(graph), graph, valid, TrainConfig(max_epochs=2))
    assert graph.cold_users and torch.isfinite(result.scorer.users).all()


@pytest.mark.parametrize(
    "arguments", [{"max_epochs": 0}, {"patience": 0}, {"objective": "ndcg"}, {"objective": "ndcg@7"}, {"objective": "clicks@20"}]
)
def test_a_config_that_makes_no_sense_is_refused(arguments):
    with pytest.raises(ValueError, match="but are|objective"):
        TrainConfig(**arguments)


def test_a_refit_has_the_weights_of_as_many_epochs_of_a_fit() -> None:
    """A refit walks the way of a fit that is not done yet: the same steps at the same learning rates."""
    _, graph, valid = planted_blocks()
    architecture = Architecture.of({"node_dim": 8, "layers": 1, "schedule": "cosine", "averaging": 0})
    config = TrainConfig(max_epochs=6, patience=6, seed=3)
    models = [build_model(architecture, graph, 3) for _ in range(2)]
    last: list[torch.Tensor] = []

    def keep(report: EpochReport) -> bool:
        last[:] = models[0].embeddings()
        return report.epoch == 4

    fit(models[0], graph, valid, config, keep)
    epochs: list[int] = []
    scorer = refit(models[1], graph, config, 4, epochs.append)
    assert epochs == [1, 2, 3, 4]
    assert torch.equal(scorer.users, last[0])
    assert torch.equal(scorer.items, last[1])
