"""Rows are locked in one order: a run before its blobs."""

from __future__ import annotations

import threading

import pytest
from django.core.files.storage import default_storage
from django.db import connection, transaction

from tests.waiting import wait_for
from tests.webapp.factories import make_search, make_trial
from webapp.blobs import bytes_file
from webapp.models import Blob, Trial
from webapp.services import runs


@pytest.mark.django_db(transaction=True)
def test_storing_a_checkpoint_locks_the_run_before_the_blob() -> None:
    trial = make_trial(make_search(), 1)
    name = default_storage.save("checkpoint", bytes_file(b"what another search has stored"))

    def store() -> None:
        try:
            runs.run_save_checkpoint(trial, checkpoint=b"what another search has stored")
        finally:
            connection.close()

    def waits() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            return bool(cursor.fetchone()[0])

    storing = threading.Thread(target=store)
    with transaction.atomic():
        list(Trial.objects.select_for_update().filter(pk=trial.pk))
        storing.start()
        wait_for(waits, seconds=20, what="the other transaction to wait for the trial")
        # Held by the other transaction, this would be a deadlock.
        assert Blob.objects.select_for_update(nowait=True).get(name=name)
    storing.join()
    assert Trial.objects.get(pk=trial.pk).checkpoint_blob == name
