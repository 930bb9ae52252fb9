"""Building a version of a model: the finalist's architecture trained once more, and written as a bundle."""

from __future__ import annotations

import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np

from gnn import bundle
from gnn.bundle.document import Code, Data, ModelDocument, ScorerFacts, Training
from gnn.code import code_digest, library_versions
from gnn.evaluate import EmbeddingScorer
from gnn.graph import Graph, build_graph
from gnn.interactions import Interactions
from gnn.model import build_model
from gnn.protocol import Protocol
from gnn.settings import Settings
from gnn.space import Architecture
from gnn.train import EpochReport, TrainConfig, refit
from searchworker.celery import device_name, draining
from searchworker.features import node_features
from searchworker.ownership import Abandoned, GivenBack
from searchworker.prepared import TrainingData
from searchworker.training import Checkpoints, prepared_data, train_on
from searchworker.trial import train_architecture
from webapp.models import ModelBuild
from webapp.selectors.datasets import dataset_interactions
from webapp.selectors.models import finalist_metrics
from webapp.services import models, runs


def build_version(build: ModelBuild) -> None:
    """Train, write the bundle, and store it with its version."""
    protocol, architecture = Protocol.from_json(build.search.protocol), Architecture.of(build.trial.architecture)
    interactions = dataset_interactions(build.search.dataset)
    if build.planned_epochs is None:
        train = partial(_as_searched, build, architecture, prepared_data(build, protocol).training, protocol)
    else:
        train = partial(_on_everything, build, architecture, interactions, protocol)
    started = time.perf_counter()
    graph, scorer, facts = train()
    seconds = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as place:
        bundle.save(_trained(build, architecture, interactions, graph, scorer, facts), Path(place))
        models.model_build_complete(build, bundle=bundle.load(Path(place)), train_seconds=seconds)


def _as_searched(
    build: ModelBuild, architecture: Architecture, training: TrainingData, protocol: Protocol
) -> tuple[Graph, EmbeddingScorer, Training]:
    """On the training part, until validation stops improving, as finalists are."""
    checkpoints = Checkpoints(build)

    def on_epoch(report: EpochReport) -> None:
        _report(build, report.epoch)
        checkpoints.keep(report, leaving=draining.is_set())

    train = partial(train_architecture, architecture, training, protocol, seed=build.seed, device=device_name(), on_epoch=on_epoch)
    trained = train_on(build, train)
    assert isinstance(trained.scorer, EmbeddingScorer)  # all networks end in embeddings to multiply
    return training.graph, trained.scorer, Training(seed=build.seed, epochs=trained.best_epoch, parameters=trained.parameters)


def _on_everything(
    build: ModelBuild, architecture: Architecture, interactions: Interactions, protocol: Protocol
) -> tuple[Graph, EmbeddingScorer, Training]:
    """On all interactions, for the epochs that were chosen; begun again after a lost worker."""
    known = node_features(build.search, interactions)
    graph = build_graph(interactions, np.arange(len(interactions)), known.user, known.item)

    def on_epoch(epoch: int) -> None:
        _report(build, epoch)
        if draining.is_set():
            raise GivenBack

    model = build_model(architecture, graph, build.seed)
    config = TrainConfig(
        protocol.max_epochs, protocol.patience, protocol.objective, protocol.cutoffs, seed=build.seed, device=device_name()
    )
    epochs = build.planned_epochs or protocol.max_epochs
    scorer = refit(model, graph, config, epochs, on_epoch)
    return graph, scorer, Training(seed=build.seed, epochs=epochs, parameters=model.parameter_count)


def _report(build: ModelBuild, epoch: int) -> None:
    if not (runs.run_renew(build) and models.model_build_report(build, epochs=epoch)):
        raise Abandoned


def _trained(
    build: ModelBuild, architecture: Architecture, interactions: Interactions, graph: Graph, scorer: EmbeddingScorer, facts: Training
) -> bundle.TrainedModel:
    search, dataset, version = build.search, build.search.dataset, build.version
    users, items = scorer.users.cpu().numpy(), scorer.items.cpu().numpy()
    document = ModelDocument(
        name=version.model.name,
        architecture=architecture.to_json(),
        space=search.space,
        protocol=search.protocol,
        data=Data(
            name=dataset.name,
            version=dataset.version,
            sha256=dataset.data_blob,
            users=interactions.n_users,
            items=interactions.n_items,
            interactions=len(interactions),
            trained_on="all" if build.planned_epochs is not None else "train",
            trained_pairs=graph.n_edges,
        ),
        metrics=finalist_metrics(search, build.trial),
        training=facts,
        code=Code(digest=code_digest(), libraries=library_versions()),
        scorer=ScorerFacts(dim=items.shape[1], item_bias=Settings.of(architecture).item_bias),
    )
    return bundle.TrainedModel(
        users=users,
        items=items,
        seen_indptr=graph.seen_indptr.cpu().numpy(),
        seen_items=graph.seen_items.cpu().numpy(),
        user_ids=interactions.user_ids,
        item_ids=interactions.item_ids,
        document=document,
    )
