"""The REST API under ``/api/v1``: what the pages do, for programs, through the same services and selectors."""

from __future__ import annotations

from webapp.api.base import Api

api = Api(
    title="Recsmith",
    version="1",
    urls_namespace="api",
    docs_url=None,
    description="Everything the pages do. Lists come in pages: send `next` of one as `cursor` for the following one.",
)
