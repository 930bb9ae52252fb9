"""Recommend from a trained model with numpy and safetensors alone.

``python recommend.py --user ID -k 20`` for a user of the training data, ``--items ID ID ...`` for anybody else, ``--similar ID``
for items like one. As a library: ``Model.load(folder).recommend("some user", 20)``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

Array = np.ndarray[Any, np.dtype[Any]]

GROUP = 64
"""Items whose best score stands for all of them in a first look."""


class UnknownId(LookupError):
    """A user or item that the model was not trained with."""


class Model:
    """Embeddings of users and items whose dot product is the score.

    Args:
        tensors: what ``model.safetensors`` holds. ``users`` [n_users, d] and ``items`` [n_items, d], float32; ``seen_indptr``
            [n_users + 1] and ``seen_items``, the items that each user was trained with, ascending; ``fold_in`` [d + 1, d];
            and the ids as UTF-8, ``user_ids`` with the limits ``user_id_offsets`` [n_users + 1], ``item_ids`` likewise.
        item_bias: whether the last column of ``items`` is a bias, which says nothing about what an item is like.
    """

    def __init__(self, tensors: Mapping[str, Array], *, item_bias: bool) -> None:
        self.tensors = tensors
        self.users, self.items = tensors["users"], tensors["items"]
        self.item_bias = item_bias

    @classmethod
    def load(cls, folder: str | Path) -> Model:
        """Read a bundle's folder as it is; its checksums are in ``manifest.json``."""
        document = json.loads((Path(folder) / "model.json").read_text(encoding="utf-8"))
        return cls(load_file(Path(folder) / "model.safetensors"), item_bias=document["scorer"]["item_bias"])

    @cached_property
    def user_ids(self) -> list[str]:
        return _texts(self.tensors["user_ids"], self.tensors["user_id_offsets"])

    @cached_property
    def item_ids(self) -> list[str]:
        return _texts(self.tensors["item_ids"], self.tensors["item_id_offsets"])

    @cached_property
    def user_codes(self) -> dict[str, int]:
        return {name: code for code, name in enumerate(self.user_ids)}

    @cached_property
    def item_codes(self) -> dict[str, int]:
        return {name: code for code, name in enumerate(self.item_ids)}

    @cached_property
    def directions(self) -> Array:
        """Embeddings of items without their bias, of length 1, [n_items, d]: their products are cosines."""
        vectors = np.asarray(self.items[:, :-1] if self.item_bias else self.items)
        directions: Array = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return directions

    def user_code(self, user: str) -> int:
        """Raises UnknownId."""
        if user not in self.user_codes:
            raise UnknownId(f"The model does not know the user {user!r}. Recommend from a list of items instead.")
        return self.user_codes[user]

    def item_code(self, item: str) -> int:
        """Raises UnknownId."""
        if item not in self.item_codes:
            raise UnknownId(f"The model does not know the item {item!r}.")
        return self.item_codes[item]

    def seen(self, code: int) -> Array:
        """Codes of the items that a user was trained with, ascending."""
        start, end = self.tensors["seen_indptr"][code : code + 2]
        return self.tensors["seen_items"][start:end]

    def scores(self, user: str) -> Array:
        """Scores of all items for a user, float32 [n_items]."""
        scores: Array = self.items @ self.users[self.user_code(user)]
        return scores

    def embed(self, codes: Array) -> Array:
        """The embedding of somebody new who has these items, float32 [d].

        It is linear in the mean of the items' embeddings; the coefficients are those that fit the training users best.
        """
        mean = self.items[codes].mean(axis=0)
        embedding: Array = np.append(mean, np.float32(1)) @ self.tensors["fold_in"]
        return embedding

    def recommend(self, user: str, k: int, *, exclude_seen: bool = True) -> list[tuple[str, float]]:
        """The best ``k`` items of a user with their scores, best first; fewer where the catalogue has no more."""
        seen = self.seen(self.user_code(user)) if exclude_seen else np.zeros(0, dtype=np.int64)
        return self._named(self.scores(user), seen, k)

    def recommend_new(self, items: Sequence[str], k: int, *, exclude_seen: bool = True) -> list[tuple[str, float]]:
        """The best ``k`` items for somebody new who has ``items``; those that the model does not know are left out.

        Raises:
            UnknownId: the model knows none of them.
        """
        codes = np.array(sorted({self.item_codes[item] for item in items if item in self.item_codes}), dtype=np.int64)
        if len(codes) == 0:
            raise UnknownId(f"The model knows none of the {len(items)} item(s) given.")
        return self._named(self.items @ self.embed(codes), codes if exclude_seen else codes[:0], k)

    def similar(self, item: str, k: int) -> list[tuple[str, float]]:
        """The ``k`` items whose embeddings point most nearly the same way, with the cosine."""
        code = self.item_code(item)
        return self._named(self.directions @ self.directions[code], np.array([code]), k)

    def _named(self, scores: Array, left_out: Array, k: int) -> list[tuple[str, float]]:
        return [(self.item_ids[code], float(scores[code])) for code in top(scores, left_out, k)]


def top(scores: Array, left_out: Array, k: int) -> Array:
    """Codes of the best ``k`` of ``scores`` [n_items] without those ``left_out``, best first; equal scores keep the order of items."""
    if k < 1:
        raise ValueError(f"k must be at least 1, but is {k}.")
    scores = np.array(scores, dtype=np.float32)
    scores[left_out] = -np.inf
    return best(scores, k)


def best(scores: Array, k: int) -> Array:
    """Codes of the best ``k`` of ``scores`` [n_items], best first, without those of minus infinity; equal ones keep the order of items.

    The k-th best of the maxima of disjoint groups is a lower bound of the k-th best score, so that whatever is below cannot be among
    the best. That bound takes one pass over the scores, and leaves little to sort.
    """
    groups = len(scores) // GROUP
    candidates = None
    if groups > k > 0:
        # Group g holds the items g, g + groups, g + 2 * groups, ...: a maximum along rows of many columns runs in vector registers.
        maxima = scores[: groups * GROUP].reshape(GROUP, groups).max(axis=0)
        bound = np.partition(maxima, groups - k)[groups - k]
        if bound > -np.inf:
            candidates = np.flatnonzero(scores >= bound)
    if candidates is None:
        candidates = np.flatnonzero(scores > -np.inf)
    values = scores[candidates]
    if len(values) > k > 0:
        kept = values >= np.partition(values, len(values) - k)[len(values) - k]
        candidates, values = candidates[kept], values[kept]
    chosen: Array = candidates[np.argsort(-values, kind="stable")[:k]]
    return chosen


def _texts(data: Array, offsets: Array) -> list[str]:
    content = data.tobytes()
    return [content[start:end].decode() for start, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Recommend from the model in this folder; one item and its score a line.")
    whom = parser.add_mutually_exclusive_group(required=True)
    whom.add_argument("--user", metavar="ID", help="a user of the training data")
    whom.add_argument("--items", metavar="ID", nargs="+", help="what somebody new has or likes")
    whom.add_argument("--similar", metavar="ID", help="an item to find others like")
    parser.add_argument("-k", type=int, default=20, help="how many (default: 20)")
    parser.add_argument("--with-seen", action="store_true", help="also items that the user has already")
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent, help="of the bundle (default: where this file lies)")
    options = parser.parse_args(arguments)
    model = Model.load(options.folder)
    try:
        if options.user is not None:
            found = model.recommend(options.user, options.k, exclude_seen=not options.with_seen)
        elif options.items is not None:
            found = model.recommend_new(options.items, options.k, exclude_seen=not options.with_seen)
        else:
            found = model.similar(options.similar, options.k)
    except (UnknownId, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    for item, score in found:
        print(f"{item}\t{score:.6f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
