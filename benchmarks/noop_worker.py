"""The worker's Celery application with trials that train nothing: they sleep, report one epoch and complete.

`celery -A benchmarks.noop_worker worker ...`. Claims, leases, heartbeats and every write are those of a real worker.
"""

from __future__ import annotations

import os
import random
import time

from searchworker.celery import app  # first: it sets Django up

# isort: split
from benchmarks.overhead_searches import SECONDS_VARIABLE
from searchworker import tasks
from searchworker.ownership import Abandoned
from webapp.enums import Ending
from webapp.models import Trial
from webapp.services import trials

__all__ = ["app"]

METRICS = tuple(f"{metric}@{k}" for metric in ("recall", "ndcg", "precision", "f1", "map", "mrr", "hit") for k in (10, 20))


def _sleep_instead(trial: Trial) -> None:
    seconds = float(os.environ[SECONDS_VARIABLE])
    time.sleep(seconds)
    scores = dict.fromkeys(METRICS, random.Random(trial.seed).random())
    directive = trials.trial_report_epoch(trial, epoch=1, loss=1.0, scores=scores, best=scores["ndcg@20"], seconds=seconds, prune=False)
    if directive is trials.Directive.ABANDON:
        raise Abandoned
    result = trials.TrialResult(scores=scores, parameters=1, epochs=1, best_epoch=1, train_seconds=seconds)
    trials.trial_complete(trial, result=result, ending=Ending.EPOCHS)


tasks.train_trial = _sleep_instead
