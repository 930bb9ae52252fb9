"""The versions that are served: a copy in memory of what the database says is promoted."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

from django.db import Error as DatabaseError
from django.db import close_old_connections

from gnn.errors import BundleError, DataError
from serving import lists
from serving.attributes import ItemAttributes
from serving.served import Served, Split
from webapp.enums import DatasetState, FileKind
from webapp.models import Experiment, ModelVersion
from webapp.selectors.dataset_attributes import attribute_tables
from webapp.selectors.experiments import experiments_running
from webapp.selectors.models import bundle_opened
from webapp.selectors.served import promoted_versions

logger = logging.getLogger(__name__)

LOOK_EVERY = 1.0
"""Seconds between two looks at what is promoted."""


class Shelf(dict[str, Served]):
    """Name of a model -> its version that is served.

    A version is loaded while the one before it still answers, and put in its place at once; questions that began with the old one
    hold it until they are answered, and then it is gone.
    """

    def __init__(self, cache: Path) -> None:
        super().__init__()
        self._cache = cache
        self._broken: dict[str, str] = {}
        self._ranking: asyncio.subprocess.Process | None = None
        self._unranked: set[str] = set()

    async def keep_up(self) -> None:
        """Follow promotions until cancelled."""
        try:
            while True:
                await self.rank()
                await asyncio.sleep(LOOK_EVERY)
                await self.look()
        finally:
            if self._ranking is not None and self._ranking.returncode is None:
                self._ranking.terminate()

    async def look(self) -> None:
        """Load what was promoted and drop what no longer is; what cannot be loaded leaves the version before it served."""
        found = await asyncio.to_thread(self.changes)
        if found is None:
            return
        gone, loaded, splits = found
        for name in gone:
            del self[name]
        for served in loaded:
            self[served.name] = served
            logger.info("Version %d of %s is served.", served.number, served.name)
        for name, served in self.items():
            served.split = splits.get(name)

    async def rank(self) -> None:
        """Take up the lists that are ranked, and have the next ones ranked by a process of its own, one at a time."""
        versions = (*self.values(), *(served.split.treatment for served in self.values() if served.split is not None))
        waiting = [served for served in versions if served.lists is None and lists.worthwhile(served.model)]
        for served in waiting:
            served.lists = lists.opened(self._folder(served.digest), served.model)
        if self._ranking is not None and self._ranking.returncode is None:
            return
        if (missing := next((each for each in waiting if each.lists is None and each.digest not in self._unranked), None)) is not None:
            self._unranked.add(missing.digest)  # what fails once is not tried again: answers only take longer
            command = (sys.executable, "-m", "serving.lists", str(self._folder(missing.digest)))
            self._ranking = await asyncio.create_subprocess_exec(*command)

    def _folder(self, digest: str) -> Path:
        return self._cache / digest

    def changes(self) -> tuple[set[str], list[Served], dict[str, Split]] | None:
        """Names that are no longer served, the versions that now are, and the experiments that run; None while that cannot be known."""
        close_old_connections()
        try:
            promoted = promoted_versions()
            gone = set(self) - {version.model.name for version in promoted}
            running = [experiment for experiment in experiments_running() if experiment.model.name not in gone]
            loaded = [served for version in promoted if self._is_new(version) and (served := self._load(version))]
            return gone, loaded, {experiment.model.name: split for experiment in running if (split := self._split(experiment))}
        except DatabaseError as error:
            logger.warning("The database was away, so promotions are seen later: %s", error)
            return None

    def _split(self, experiment: Experiment) -> Split | None:
        """The experiment as it is served already, or its treatment loaded."""
        version = experiment.treatment
        served = self.get(version.model.name)
        if served is not None and served.split is not None and served.split.experiment == experiment.pk:
            return served.split
        treatment = self._load(version)
        return None if treatment is None else Split(experiment.pk, experiment.salt, experiment.percent, treatment)

    def _is_new(self, version: ModelVersion) -> bool:
        served = self.get(version.model.name)
        return served is None or (served.number, served.digest) != (version.number, version.digest)

    def _load(self, version: ModelVersion) -> Served | None:
        name = version.model.name
        try:
            bundle = bundle_opened(version, self._cache)
        except (BundleError, OSError) as error:
            if self._broken.get(name) != version.digest:  # said once, and tried again
                logger.error("%s cannot be served: %s", version, error)
            self._broken[name] = version.digest
            return None
        served = Served(name, version.number, version.digest, bundle.model, _attributes(version, bundle.model.item_ids))
        served.warm()
        return served


def _attributes(version: ModelVersion, items: list[str]) -> ItemAttributes:
    """Those of the dataset that the version was searched on, while it is there."""
    dataset = version.search.dataset if version.search else None
    if dataset is None or dataset.state != DatasetState.READY:
        return ItemAttributes()
    try:
        return ItemAttributes.of(attribute_tables(dataset, FileKind.ITEM_ATTRIBUTES), items)
    except (DataError, FileNotFoundError) as error:
        logger.warning("%s is served without the attributes of its items: %s", version, error)
        return ItemAttributes()
