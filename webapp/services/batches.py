"""The best items of all users of a model as a file, computed by a worker."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator
from typing import IO

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from django.contrib.auth.models import User
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import F, QuerySet

from gnn.bundle.ranking import rank_all
from gnn.bundle.recommend import Model
from gnn.errors import BundleError
from webapp.embedded import home_folder
from webapp.enums import BatchFormat, BatchState, ModelState
from webapp.models import Batch, ModelVersion
from webapp.queue import RANK_ALL, enqueue_on_commit
from webapp.selectors.models import bundle_opened
from webapp.services.blob_release import blobs_release
from webapp.services.errors import Conflict

logger = logging.getLogger(__name__)

MAX_K = 1000
MAX_ATTEMPTS = 3
LOST_MESSAGE = f"The worker died {MAX_ATTEMPTS} times over this, most likely killed for using too much memory. Ask for fewer items."
REPORT_EVERY = 0.5
"""Seconds between two writes of the progress."""


@transaction.atomic
def batch_ask(*, owner: User | None, version_id: int, k: int, exclude_seen: bool, file_format: BatchFormat) -> Batch:
    """Have the best ``k`` items of every user written to a file; what was asked for before is given again, and tried again if it failed.

    Raises:
        ModelVersion.DoesNotExist: there is no such version.
        Conflict: it is not built, or ``k`` is out of range.
    """
    version = ModelVersion.objects.get(pk=version_id)
    if version.state == ModelState.BUILDING:
        raise Conflict(f"Version {version.number} of {version.model} is not built, so it recommends nothing.")
    if not 1 <= k <= MAX_K:
        raise Conflict(f"The number of items must be between 1 and {MAX_K:,}, but is {k:,}.")
    asked = {"version": version, "k": k, "exclude_seen": exclude_seen, "format": file_format}
    batch, made = Batch.objects.select_for_update().get_or_create(**asked, defaults={"owner": owner})
    if not made and batch.state == BatchState.FAILED:
        batch.state, batch.message, batch.attempts, batch.users_done = BatchState.QUEUED, "", 0, 0
        batch.save(update_fields=["state", "message", "attempts", "users_done"])
        made = True
    if made:
        enqueue_on_commit(RANK_ALL, batch.pk)
    return batch


def batch_compute(*, batch_id: int) -> None:
    """Rank all items for all users and store the file; does nothing when that is done. Only one process at a time may."""
    batch = Batch.objects.select_related("version__model").filter(pk=batch_id, state__in=(BatchState.QUEUED, BatchState.RUNNING)).first()
    if batch is None:
        return
    rows = Batch.objects.filter(pk=batch_id)
    if batch.attempts >= MAX_ATTEMPTS:
        rows.update(state=BatchState.FAILED, message=LOST_MESSAGE)
        return
    rows.update(state=BatchState.RUNNING, attempts=F("attempts") + 1, users_done=0)
    started = time.perf_counter()
    try:
        model = bundle_opened(batch.version, home_folder() / "models").model
        with tempfile.TemporaryFile() as file:
            count = _write(file, model, batch, rows)
            with transaction.atomic():
                saved = default_storage.save("batch", File(file))
                seconds = time.perf_counter() - started
                done = {"state": BatchState.READY, "users_done": len(model.users), "rows": count, "result_blob": saved, "seconds": seconds}
                if not rows.update(**done):
                    blobs_release({saved})
    except BundleError as error:
        rows.update(state=BatchState.FAILED, message=str(error))
    except MemoryError:
        rows.update(state=BatchState.FAILED, message="The ranking does not fit the memory of the worker. Ask for fewer items.")
    except OSError as error:
        logger.exception("Batch %s could not be written.", batch_id)
        rows.update(state=BatchState.FAILED, message=f"The file could not be written: {error.strerror or error}.")


def _write(file: IO[bytes], model: Model, batch: Batch, progress: QuerySet[Batch]) -> int:
    """Write the file; gives its number of rows."""
    blocks = _blocks(model, batch, progress)
    if batch.format == BatchFormat.PARQUET:
        return _write_parquet(file, blocks)
    count = 0
    for frame in blocks:
        frame.write_csv(file, include_header=file.tell() == 0)
        count += len(frame)
    return count


def _write_parquet(file: IO[bytes], blocks: Iterator[pl.DataFrame]) -> int:
    count = 0
    first = next(blocks).to_arrow(compat_level=pl.CompatLevel.oldest())
    with pq.ParquetWriter(file, first.schema, compression="zstd") as writer:
        writer.write_table(first)
        count += len(first)
        for frame in blocks:
            writer.write_table(frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
            count += len(frame)
    return count


def _blocks(model: Model, batch: Batch, progress: QuerySet[Batch]) -> Iterator[pl.DataFrame]:
    """A row for each user and each of the user's items, best first."""
    users, items = pl.Series("user", model.user_ids, dtype=pl.String), pl.Series("item", model.item_ids, dtype=pl.String)
    reported = time.monotonic()
    for start, codes, scores in rank_all(model, batch.k, exclude_seen=batch.exclude_seen):
        lengths = [len(chosen) for chosen in codes]
        yield pl.DataFrame(
            {
                "user": users[np.repeat(np.arange(start, start + len(codes)), lengths)],
                "rank": np.concatenate([np.arange(1, length + 1, dtype=np.int32) for length in lengths]),
                "item": items[np.concatenate(codes)],
                "score": np.concatenate(scores),
            }
        )
        if time.monotonic() - reported >= REPORT_EVERY:
            progress.update(users_done=start + len(codes))
            reported = time.monotonic()
