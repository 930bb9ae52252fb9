"""Which versions of models are served."""

from __future__ import annotations

from webapp.enums import ModelState
from webapp.models import ModelVersion


def promoted_versions() -> list[ModelVersion]:
    """The promoted version of every model, without its document, with the dataset that it was searched on."""
    promoted = ModelVersion.objects.filter(state=ModelState.PROMOTED).defer("document")
    return list(promoted.select_related("model", "search__dataset").order_by("id"))
