from __future__ import annotations

import enum
from collections.abc import Mapping

from django.core.files.storage import default_storage
from django.db import transaction

from webapp.blobs import bytes_file
from webapp.enums import SearchState
from webapp.models import Search, Trial, TrialEpoch
from webapp.services.runs import lease_end, owned, run_complete


class Directive(enum.Enum):
    """What the search wants of a run that just reported."""

    CONTINUE = enum.auto()
    PAUSE = enum.auto()
    """Save a checkpoint and give the trial back."""
    ABANDON = enum.auto()
    """Stop at once and write nothing: another attempt owns the trial, or the search has ended."""


@transaction.atomic
def trial_report_epoch(trial: Trial, *, epoch: int, loss: float, scores: Mapping[str, float], seconds: float) -> Directive:
    """Write one point of the learning curve, renew the lease, and learn whether to go on."""
    if not owned(trial).update(lease_expires_at=lease_end(), epochs=epoch):
        return Directive.ABANDON
    # An attempt that starts again writes its epochs over those of the lost one.
    TrialEpoch.objects.bulk_create(
        [TrialEpoch(trial=trial, epoch=epoch, loss=loss, scores=dict(scores), seconds=seconds)],
        update_conflicts=True,
        unique_fields=["trial", "epoch"],
        update_fields=["loss", "scores", "seconds"],
    )
    state = Search.objects.values_list("state", flat=True).get(pk=trial.search_id)
    return Directive.PAUSE if state == SearchState.PAUSED else Directive.CONTINUE


def trial_save_checkpoint(trial: Trial, *, checkpoint: bytes) -> None:
    """Keep the state of training in place of the checkpoint before it."""
    before = trial.checkpoint_blob
    saved = default_storage.save("checkpoint", bytes_file(checkpoint))
    if saved == before:
        return
    if owned(trial).update(checkpoint_blob=saved):
        trial.checkpoint_blob = saved
        default_storage.delete(before)
    else:
        default_storage.delete(saved)


@transaction.atomic
def trial_complete(
    trial: Trial,
    *,
    scores: Mapping[str, float],
    parameters: int,
    epochs: int,
    best_epoch: int,
    train_seconds: float,
) -> bool:
    """End the trial with its validation scores; False when it is no longer this attempt's."""
    completed = run_complete(
        trial,
        scores=dict(scores),
        parameters=parameters,
        epochs=epochs,
        best_epoch=best_epoch,
        train_seconds=train_seconds,
        checkpoint_blob="",
    )
    if completed:
        # A lost attempt may have gone further than the one that finished.
        TrialEpoch.objects.filter(trial=trial, epoch__gt=epochs).delete()
        if trial.checkpoint_blob:
            default_storage.delete(trial.checkpoint_blob)
    return completed
