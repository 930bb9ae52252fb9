"""What the networks of a search may know of users and items: attributes as numbers, texts as a language model reads them."""

from __future__ import annotations

import hashlib
import json
import logging

import numpy as np
from django.core.files.storage import default_storage

from gnn.attributes import Matrix, features_of, texts_of
from gnn.catalogue.inputs import offers_features
from gnn.interactions import Interactions
from gnn.text_features import SentenceEncoder, content_key, pack_features, text_features, unpack_features
from searchworker.celery import device_name
from searchworker.prepared import NodeFeatures
from webapp.enums import FileKind
from webapp.models import Search
from webapp.selectors.dataset_attributes import attribute_tables, attributes_content
from webapp.selectors.datasets import dataset_interactions
from webapp.selectors.rounds import plan_of
from webapp.services.locks import TEXTS, advisory_lock
from webapp.services.search_texts import search_keep_texts, search_take_texts

log = logging.getLogger(__name__)


def features_hash(search: Search) -> str:
    """A hash of the content of all features, having read the texts if no worker did; empty where no network would embed any.

    Raises:
        TextModelMissing: there are texts to read, and this worker cannot.
    """
    if not offers_features(search.space):
        return ""
    if model := plan_of(search).text_model:
        _read_texts(search, model)
    content = json.dumps([attributes_content(search.dataset), search.text_blob], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def node_features(search: Search, interactions: Interactions) -> NodeFeatures:
    """The features whose hash ``features_hash`` gave."""
    if not offers_features(search.space):
        return NodeFeatures()
    users, items = (attribute_tables(search.dataset, kind) for kind in (FileKind.USER_ATTRIBUTES, FileKind.ITEM_ATTRIBUTES))
    blocks = [block for block in (features_of(items, interactions.item_ids), _text_block(search)) if block is not None]
    return NodeFeatures(features_of(users, interactions.user_ids), np.concatenate(blocks, axis=1) if blocks else None)


def _text_block(search: Search) -> Matrix | None:
    if not search.text_blob:
        return None
    with default_storage.open(search.text_blob) as file:
        return unpack_features(file.read())


def _read_texts(search: Search, model: str) -> None:
    """Let the language model read the texts of all items, unless this or another search has had the same done."""
    search.refresh_from_db(fields=["text_key", "text_blob"])
    if search.text_blob:
        return
    texts = texts_of(attribute_tables(search.dataset, FileKind.ITEM_ATTRIBUTES), dataset_interactions(search.dataset).item_ids)
    key = content_key(model, texts)
    # Whoever comes second waits for what the first computes. Other keys in the same slot only wait longer.
    with advisory_lock(TEXTS, int(key[:7], 16), wait=True):
        if search_take_texts(search, key=key):
            return
        log.info("%s reads the texts of %d items.", model, len(texts))
        search_keep_texts(search, key=key, features=pack_features(text_features(texts, SentenceEncoder(model, device_name()))))
