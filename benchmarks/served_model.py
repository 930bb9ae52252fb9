"""A model with random embeddings, registered and served as any other. Uses tables: import it where Django is set up."""

from __future__ import annotations

import http.client
import io
import json
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import psutil
from django.contrib.auth.models import User

from gnn import bundle
from gnn.bundle.document import Code, Data, Measured, Metrics, ModelDocument, ScorerFacts, Scores, Training
from gnn.bundle.members import pack
from gnn.catalogue import preset_space
from gnn.code import code_digest, library_versions
from gnn.protocol import Protocol
from serving import lists
from serving.shelf import LOOK_EVERY
from webapp.enums import BatchFormat, BatchState, Scope
from webapp.models import Batch, ModelVersion
from webapp.processes import commands_running, processes_running, procfile_commands, stack_environment
from webapp.services.batches import batch_ask, batch_compute
from webapp.services.models import model_import, model_promote
from webapp.services.tokens import token_create

RANKING_SECONDS = 600.0
"""Most that ranking may take."""
PROMOTE_EVERY = 2.0
"""Seconds between two promotions."""


class Served:
    """Two versions of a model, the first promoted, and a token to ask with."""

    name = "benchmark"

    def __init__(self, home: Path, users: int, items: int, dim: int, seen: int) -> None:
        self.home = home
        self.users = users
        self.versions = [_version(seed, users, items, dim, seen, self.name) for seed in range(2)]
        model_promote(owner=None, version_id=self.versions[0].pk)
        owner = User.objects.create_user("benchmark")
        _, self.secret = token_create(owner=owner, name="benchmark", scopes=[Scope.RECOMMEND])

    @contextmanager
    def processes(self) -> Iterator[int]:
        """The web and the scoring process; gives the port of the first."""
        port = _free_port()
        environment = stack_environment(self.home, {"RECSMITH_PORT": port, "RECSMITH_RATE_LIMIT": 10**6, "RECSMITH_HOME": self.home})
        with processes_running(("scoring", "web"), environment, self.home / "serve.log") as self.running:
            yield port

    @contextmanager
    def torch_endpoint(self) -> Iterator[int]:
        """The web process's command with the naive endpoint in place of Recsmith."""
        port = _free_port()
        folder = self.home / "models" / self.versions[0].digest
        environment = stack_environment(self.home, {"RECSMITH_PORT": port, "RECSMITH_HOME": self.home, "BENCHMARK_BUNDLE": folder})
        command = procfile_commands()["web"].replace("webapp.wsgi", "benchmarks.peers.torch_endpoint")
        with commands_running([command], environment, self.home / "torch.log") as self.running:
            yield port

    def cpu_seconds(self) -> float:
        """That the running processes and their children have used."""
        trees = [psutil.Process(process.pid) for process in self.running]
        times = [each.cpu_times() for tree in trees for each in (tree, *tree.children(recursive=True))]
        return float(sum(each.user + each.system for each in times))

    def ranked(self) -> float:
        """Wait until the lists of all users are ranked and taken up; gives the seconds that took, during which questions are answered."""
        started = time.monotonic()
        file = self.home / "models" / self.versions[0].digest / lists.FILE
        while not file.exists():
            if time.monotonic() - started > RANKING_SECONDS:
                raise SystemExit(f"The lists of all users were not ranked within {RANKING_SECONDS:g} s.")
            time.sleep(0.1)
        seconds = time.monotonic() - started
        time.sleep(2 * LOOK_EVERY)
        return seconds

    def fold_in_ms(self, port: int, headers: dict[str, str], items: list[str], *, k: int, repeat: int) -> float:
        """Median milliseconds of a request for somebody new with these items, over HTTP."""
        connection = http.client.HTTPConnection("127.0.0.1", port)
        body = json.dumps({"items": items, "k": k})
        times = []
        for _ in range(repeat):
            started = time.perf_counter()
            connection.request("POST", f"/api/v1/models/{self.name}/recommend/new", body, headers | {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = response.read()
            times.append((time.perf_counter() - started) * 1e3)
            if response.status != 200 or json.loads(answer)["source"] != "fold_in":
                raise SystemExit(f"Folding in failed: {answer[:500]!r}")
        connection.close()
        return statistics.median(times)

    def promote_until(self, done: Callable[[], bool]) -> int:
        """Promote one version after the other; gives how often."""
        count = 0
        while not done():
            time.sleep(PROMOTE_EVERY)
            count += 1
            model_promote(owner=None, version_id=self.versions[count % 2].pk)
        return count

    def rank_everybody(self, k: int) -> float:
        """Seconds from the start of the task to the stored Parquet file of all users' best items."""
        batch = batch_ask(owner=None, version_id=self.versions[0].pk, k=k, exclude_seen=True, file_format=BatchFormat.PARQUET)
        batch_compute(batch_id=batch.pk)
        done = Batch.objects.get(pk=batch.pk)
        if done.state != BatchState.READY or done.rows != self.users * k or done.seconds is None:
            raise SystemExit(f"The ranking of all users ended {done.state}: {done.message}")
        return done.seconds


def _version(seed: int, users: int, items: int, dim: int, seen: int, name: str) -> ModelVersion:
    generator = np.random.default_rng(seed)
    pairs = np.sort(generator.integers(items, size=(users, seen)), axis=1)
    scores = Scores(validation={"ndcg@20": Measured(mean=0, sd=0)}, test={"ndcg@20": Measured(mean=0, sd=0)})
    space = preset_space("demo")
    document = ModelDocument(
        name=name,
        architecture=space.sample(generator).to_json(),
        space=space.to_json(),
        protocol=Protocol().to_json(),
        data=Data(
            name="random", version=1, sha256="", users=users, items=items, interactions=users * seen, trained_on="train", trained_pairs=0
        ),
        metrics=Metrics(objective="ndcg@20", seeds=(seed,), scores=scores, interval=None, baselines={}, verdict=""),
        training=Training(seed=seed, epochs=0, parameters=0),
        code=Code(digest=code_digest(), libraries=library_versions()),
        scorer=ScorerFacts(dim=dim, item_bias=False),
    )
    trained = bundle.TrainedModel(
        users=generator.normal(size=(users, dim)).astype(np.float32),
        items=generator.normal(size=(items, dim)).astype(np.float32),
        seen_indptr=np.arange(users + 1) * seen,
        seen_items=pairs.ravel(),
        user_ids=pl.Series([f"user-{code}" for code in range(users)]),
        item_ids=pl.Series([f"item-{code}" for code in range(items)]),
        document=document,
    )
    with tempfile.TemporaryDirectory() as place, io.BytesIO() as file:
        bundle.save(trained, Path(place))
        pack(Path(place), file)
        file.seek(0)
        return model_import(owner=None, file=file, name=name)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
