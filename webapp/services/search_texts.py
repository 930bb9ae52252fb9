"""What a language model made of the texts of a search's items: computed by one worker, found again by all others."""

from __future__ import annotations

from django.core.files.storage import default_storage
from django.db import transaction

from webapp.blobs import bytes_file
from webapp.models import Search


@transaction.atomic
def search_take_texts(search: Search, *, key: str) -> bool:
    """Use the features that some search has under ``key``; False where none has."""
    # Locked, so that it is not deleted together with the blob before this search refers to that too.
    owner = Search.objects.select_for_update().filter(text_key=key).exclude(text_blob="").order_by("pk").first()
    if owner is not None:
        _refer(search, key=key, blob=owner.text_blob)
    return owner is not None


@transaction.atomic
def search_keep_texts(search: Search, *, key: str, features: bytes) -> None:
    """Store the features that were computed for ``key``."""
    _refer(search, key=key, blob=default_storage.save("texts", bytes_file(features)))


def _refer(search: Search, *, key: str, blob: str) -> None:
    search.text_key, search.text_blob = key, blob
    search.save(update_fields=["text_key", "text_blob"])
