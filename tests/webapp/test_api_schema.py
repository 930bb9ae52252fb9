"""Schemathesis against the OpenAPI document: every answer is documented, and none is a fault of the server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction

from gnn.catalogue import preset_space
from tests.webapp.calling import Program
from tests.webapp.factories import make_baseline, make_curve, make_dataset, make_finalist, make_search, make_trials, make_worker
from tests.webapp.fuzzing import fuzz, operations
from webapp.enums import DatasetState, FileKind, SearchState
from webapp.models import DatasetFile, Model, ModelVersion
from webapp.services.datasets import dataset_upload
from webapp.services.spaces import space_create
from webapp.services.uploads import upload_start
from webapp.uploads import upload_limit_bytes


@contextlib.contextmanager
def undone() -> Iterator[None]:
    """Take back what happens meanwhile, so that every request meets the same rows."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture
def one_connection() -> Iterator[None]:
    """Let requests keep the connection whose transaction the test rolls back, as Django's own test client does."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def known(user: User) -> dict[str, list[Any]]:
    """Path parameter -> values that exist, of rows in different states."""
    uploaded = dataset_upload(owner=user, name="", filename="a.csv", file=ContentFile(b"user,item\nu1,i1\nu2,i2\n"))
    ready = make_dataset(profile={"users": 2, "items": 2, "interactions": 2, "pairs": 2, "timeline": None, "parts": None}, owner=user)
    file = DatasetFile.objects.create(dataset=uploaded, kind=FileKind.SOCIAL, filename="b.csv", source_blob=uploaded.source_blob)
    invalid = make_dataset(state=DatasetState.INVALID)
    running, finished = make_search(dataset=ready), make_search(dataset=ready, state=SearchState.FINISHED)
    for search in (running, finished):
        trials = make_trials(search, [0.1, None, 0.3])
        make_curve(trials[0], [0.1, 0.2])
        make_baseline(search, "ease", 0.2)
    make_finalist(trials[2], [0.3, 0.31])
    make_worker()
    version = ModelVersion.objects.create(model=Model.objects.create(name="films"), number=1, state="ready")
    space = space_create(owner=user, name="Mine", space=preset_space("demo"))
    upload = upload_start(owner=user, filename="c.csv", size=min(100, upload_limit_bytes()))
    return {
        "dataset_id": [uploaded.pk, ready.pk, invalid.pk],
        "file_id": [file.pk],
        "search_id": [running.pk, finished.pk],
        "number": [1, 2, 3],
        "space_id": [space.pk],
        "upload_id": [str(upload.pk)],
        "name": [version.model.name, "demo"],
    }


@pytest.mark.slow
@pytest.mark.usefixtures("one_connection")
def test_every_answer_is_documented_and_none_is_a_fault(program: Program, known: dict[str, list[Any]], subtests: pytest.Subtests) -> None:
    for operation in operations():
        if "recommend" in operation.tags:
            continue  # `tests.serving` asks these, with a scoring process
        with subtests.test(operation.label):
            fuzz(operation, secret=program.secret, known=known, around=undone)
