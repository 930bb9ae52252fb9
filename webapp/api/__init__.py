"""The REST API under ``/api/v1``: what the pages do, for programs, through the same services and selectors."""

from __future__ import annotations

from webapp.api import datasets, models, searches, spaces, trials, uploads, workers
from webapp.api.base import Api
from webapp.api.fields import StrictParser

api = Api(
    title="Recsmith",
    version="1",
    urls_namespace="api",
    docs_url=None,
    parser=StrictParser(),
    description="Everything the pages do. Lists come in pages: send `next` of one as `cursor` for the following one.",
)

api.add_router("/datasets", datasets.router)
api.add_router("/uploads", uploads.router)
api.add_router("/spaces", spaces.router)
api.add_router("/searches", searches.router)
api.add_router("/searches", trials.router)
api.add_router("/models", models.router)
api.add_router("/workers", workers.router)
