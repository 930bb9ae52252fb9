from __future__ import annotations

from dataclasses import dataclass

from webapp.enums import BatchState
from webapp.models import Batch, ModelVersion

SHOWN_BATCHES = 20


@dataclass(frozen=True)
class BatchRow:
    """A file with the best items of all users, as pages show it."""

    batch: Batch
    percent: float
    """Of the users, how many are ranked."""

    @property
    def is_open(self) -> bool:
        """Whether a worker has yet to end it."""
        return self.batch.state in (BatchState.QUEUED, BatchState.RUNNING)

    @property
    def state(self) -> str:
        return self.batch.state

    def get_state_display(self) -> str:
        return str(BatchState(self.batch.state).label)


def batches_of(version: ModelVersion) -> list[BatchRow]:
    """The newest files of a version, newest first."""
    users = max(1, int(version.document.get("data", {}).get("users", 1)))
    return [
        BatchRow(batch, 100 * batch.users_done / users) for batch in Batch.objects.filter(version=version).order_by("-id")[:SHOWN_BATCHES]
    ]
