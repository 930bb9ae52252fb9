"""Training a trial for the worker that owns it: reports after every epoch, checkpoints, rungs, folds."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from statistics import fmean
from typing import Generic

from django.core.files.storage import default_storage
from torch import Tensor

from gnn.errors import Diverged, OutOfMemory, TrainError
from gnn.latency import latency_ms
from gnn.plan import SearchPlan
from gnn.protocol import Protocol
from gnn.space import Architecture
from gnn.train import EpochReport
from searchworker.celery import device_name, draining
from searchworker.checkpoint import pack, unpack
from searchworker.features import features_hash, node_features
from searchworker.ownership import Abandoned, GivenBack
from searchworker.prepared import PreparedCache, PreparedData
from searchworker.reward import validation_measures
from searchworker.rungs import Rung
from searchworker.trial import Trained, sliced, train_architecture
from webapp.enums import ArmName, Ending
from webapp.models import FinalistRun, ModelBuild, Trial
from webapp.selectors import rounds as round_selectors
from webapp.selectors.datasets import dataset_interactions
from webapp.services import runs, trials
from webapp.services.trials import Directive

log = logging.getLogger(__name__)

CHECKPOINT_EVERY_SECONDS = 60
"""At most this much training is lost with a worker."""

ENDINGS = {Directive.FINISH: Ending.BUDGET, Directive.PRUNE: Ending.MEDIAN}

_prepared = PreparedCache()


class Checkpoints(Generic[runs.Resumable]):
    """Saves where a run would resume, now and then and when it leaves."""

    def __init__(self, run: runs.Resumable) -> None:
        self._run: runs.Resumable = run
        self._saved_at = time.monotonic()

    def keep(self, report: EpochReport, *, leaving: bool) -> None:
        """Save the state after an epoch where that is due; a run that is ``leaving`` is saved and given back.

        Raises:
            GivenBack: it leaves.
        """
        if leaving or time.monotonic() - self._saved_at > CHECKPOINT_EVERY_SECONDS:
            runs.run_save_checkpoint(self._run, checkpoint=report.snapshot())
            self._saved_at = time.monotonic()
        if leaving:
            raise GivenBack


def train_trial(trial: Trial) -> None:
    """Train a trial up to its rung, or on every fold, and write its result."""
    protocol, plan = Protocol.from_json(trial.search.protocol), round_selectors.plan_of(trial.search)
    if plan.reward == "k_fold":
        trials.trial_complete(trial, result=_cross_validated(trial, protocol, plan), ending=Ending.PATIENCE)
    else:
        _run_rung(trial, protocol, plan)


def _run_rung(trial: Trial, protocol: Protocol, plan: SearchPlan) -> None:
    rung = Rung.of(plan, protocol, trial.rung)
    data = prepared_data(trial, protocol, rung.share)
    reporter = _TrialReporter(trial, rung, protocol.objective, prune=plan.median_stop)
    trained = _train_trial(trial, data, protocol, plan, reporter)
    if plan.inherit and trial.arm == ArmName.CONTROLLER:
        score = trained.scores.values[protocol.objective]
        trials.trial_keep_embeddings(trial, embeddings=pack({"nodes": trained.nodes.cpu()}), metric=protocol.objective, score=score)
    if reporter.ending is not None and plan.grows_data and trial.rung > 0:
        # Scores on more data after fewer epochs compare with no other trial's; those of the rung before stay.
        runs.run_complete(trial, ending=reporter.ending, epochs=trained.epochs, train_seconds=trained.seconds)
        return
    result = _result(trained, data, protocol, plan)
    if reporter.ending is None and rung.holds(trained.epochs):
        trials.trial_wait(trial, result=result, checkpoint=reporter.checkpoint)
    else:
        whole = trained.epochs == protocol.max_epochs
        trials.trial_complete(trial, result=result, ending=reporter.ending or (Ending.EPOCHS if whole else Ending.PATIENCE))


def _result(trained: Trained, data: PreparedData, protocol: Protocol, plan: SearchPlan) -> trials.TrialResult:
    graph = data.training.graph
    return trials.TrialResult(
        scores=validation_measures(trained.scores, protocol.objective, graph.user_degree.numpy()),
        parameters=trained.parameters,
        epochs=trained.epochs,
        best_epoch=trained.best_epoch,
        train_seconds=trained.seconds,
        latency_ms=latency_ms(trained.scorer, graph, protocol.k) if plan.needs_latency else None,
        slices=sliced(trained.scores, graph, protocol),
    )


def _cross_validated(trial: Trial, protocol: Protocol, plan: SearchPlan) -> trials.TrialResult:
    """Train once for each fold that does not test; mean scores, summed epochs and seconds."""
    results: list[trials.TrialResult] = []
    for part in protocol.each_valid_fold():
        data = prepared_data(trial, part)
        reporter = _FoldReporter(trial, protocol.objective, after=sum(result.epochs for result in results))
        architecture = Architecture.of(trial.architecture)
        trained = train_architecture(architecture, data.training, part, seed=trial.seed, device=device_name(), on_epoch=reporter)
        results.append(_result(trained, data, part, plan))
    latencies = [result.latency_ms for result in results if result.latency_ms is not None]
    return trials.TrialResult(
        scores={name: fmean(result.scores[name] for result in results) for name in results[0].scores},
        parameters=results[0].parameters,
        epochs=sum(result.epochs for result in results),
        best_epoch=round(fmean(result.best_epoch for result in results)),
        train_seconds=sum(result.train_seconds for result in results),
        latency_ms=fmean(latencies) if latencies else None,
    )


def _train_trial(trial: Trial, data: PreparedData, protocol: Protocol, plan: SearchPlan, reporter: _TrialReporter) -> Trained:
    """Train from the trial's checkpoint, or from the start where it has none that this version can read."""
    train = partial(
        train_architecture,
        Architecture.of(trial.architecture),
        data.training,
        protocol,
        seed=trial.seed,
        device=device_name(),
        on_epoch=reporter,
    )
    if not trial.checkpoint_blob and plan.inherit and trial.arm == ArmName.CONTROLLER:
        return train(nodes=_inherited(trial))
    return train_on(trial, train)


def train_on(run: Trial | FinalistRun | ModelBuild, train: Callable[..., Trained]) -> Trained:
    """Call ``train`` with the run's checkpoint, and without where it has none that this version can read."""
    checkpoint = _read_blob(run.checkpoint_blob)
    try:
        return train(checkpoint=checkpoint)
    except (OutOfMemory, Diverged):
        raise
    except TrainError as error:
        if checkpoint is None:
            raise
        log.warning("%s starts again, because its checkpoint cannot be used: %s", run, error)
        return train()


def _inherited(trial: Trial) -> Tensor | None:
    """Node embeddings of the best trial of the same size; None if there is none, or a better one has just taken its place."""
    donor = trials.trial_inherit(trial)
    try:
        document = None if donor is None else _read_blob(donor.embeddings_blob)
    except FileNotFoundError:
        return None
    return None if document is None else unpack(document)["nodes"]


def _report_epoch(trial: Trial, report: EpochReport, metric: str, *, after: int = 0, prune: bool = False) -> Directive:
    """Write an epoch, counted from ``after``, and learn what the search wants.

    Raises:
        Abandoned: it wants nothing of this attempt any more.
    """
    directive = trials.trial_report_epoch(
        trial,
        epoch=after + report.epoch,
        loss=report.loss,
        scores=report.scores.values,
        best=report.best.values[metric],
        seconds=report.seconds,
        prune=prune,
    )
    if directive is Directive.ABANDON:
        raise Abandoned
    return directive


class _TrialReporter:
    """Writes each epoch, and ends the training when its rung, the search or this worker wants it to."""

    def __init__(self, trial: Trial, rung: Rung, metric: str, prune: bool) -> None:
        self._trial = trial
        self._rung = rung
        self._metric = metric
        self._prune = prune
        self._checkpoints = Checkpoints(trial)
        self.ending: Ending | None = None
        """Why the search ended the training early."""
        self.checkpoint: bytes | None = None
        """Where the next rung goes on."""

    def __call__(self, report: EpochReport) -> bool:
        directive = _report_epoch(self._trial, report, self._metric, prune=self._prune)
        if directive in ENDINGS:
            self.ending = ENDINGS[directive]
            return True
        if self._rung.ends_at(report.epoch):
            # Written with the result: an attempt that went on from here without it would train past its rung.
            self.checkpoint = report.snapshot()
            return True
        self._checkpoints.keep(report, leaving=directive is Directive.PAUSE or draining.is_set())
        return False


class _FoldReporter:
    """Writes each epoch of one fold after those of the folds before it; a trial that is interrupted starts with the first fold again."""

    def __init__(self, trial: Trial, metric: str, after: int) -> None:
        self._trial = trial
        self._metric = metric
        self._after = after

    def __call__(self, report: EpochReport) -> None:
        directive = _report_epoch(self._trial, report, self._metric, after=self._after)
        # Fewer folds would not compare with the others' mean, so a spent budget lets the trial end.
        if directive is Directive.PAUSE or draining.is_set():
            raise GivenBack


def prepared_data(run: runs.Run, protocol: Protocol, share: float = 1.0) -> PreparedData:
    """The split and graph of a run's dataset, kept between the runs of this process."""
    search, dataset = run.search, run.search.dataset
    return _prepared.get(
        dataset.data_blob,
        protocol,
        lambda: dataset_interactions(dataset),
        share,
        features=features_hash(search),
        describe=partial(node_features, search),
    )


def _read_blob(name: str) -> bytes | None:
    if not name:
        return None
    with default_storage.open(name) as file:
        return bytes(file.read())
