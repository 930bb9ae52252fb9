"""Which interactions train, which validate and which test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gnn.errors import DataError, SpaceError
from gnn.protocol import Protocol
from gnn.sources.mapping import PARTS

if TYPE_CHECKING:
    from gnn.interactions import Interactions

Array = np.ndarray[Any, np.dtype[np.signedinteger[Any]]]
_TRAIN, _VALID, _TEST = range(len(PARTS))


@dataclass(frozen=True, eq=False)
class Split:
    """Positions of interactions, each ascending int64; disjoint, and together all of them."""

    train: Array
    valid: Array
    test: Array


def split(interactions: Interactions, protocol: Protocol) -> Split:
    """Split as the protocol says; the same seed gives the same split.

    - ratio: a random share of each user's interactions. Shares are rounded down, but a user with enough
      interactions gives at least one to test, then one to validation; one always stays in training.
    - leave_one_out: each user's last interaction tests and the one before validates, by time, or by row
      where there is no time. One always stays in training.
    - temporal: the newest shares of all interactions test and validate; ties keep the order of rows.
    - k_fold: each user's interactions are dealt to the folds in random order. The fold that the protocol names
      tests, and one other, if not named the next one, validates: over all of them each interaction tests once. A user with fewer
      interactions than folds may have none in training.
    - predefined: as the data came divided. Where it has no validation part, one is taken from training as by ratio.

    Raises:
        DataError: training, validation or test would be empty.
        SpaceError: a temporal split of interactions without time, or a predefined one of data that came undivided.
    """
    if protocol.split == "temporal":
        part = _temporal(interactions, protocol)
    elif protocol.split == "leave_one_out":
        part = _leave_one_out(interactions)
    elif protocol.split == "k_fold":
        part = _k_fold(interactions, protocol)
    elif protocol.split == "predefined":
        part = _predefined(interactions, protocol)
    else:
        part = _ratio(interactions.user, protocol, test_fraction=protocol.test_fraction)
    parts = Split(*(np.flatnonzero(part == which).astype(np.int64) for which in (_TRAIN, _VALID, _TEST)))
    for name in PARTS:
        if len(getattr(parts, name)) == 0:
            raise DataError(
                f"A {protocol.split} split of {len(interactions)} interactions by {interactions.n_users} users leaves none for '{name}'."
            )
    return parts


def _ratio(user: Array, protocol: Protocol, *, test_fraction: float) -> Array:
    """Part of each row of these users; without a test fraction there is no test part."""
    generator = np.random.default_rng(protocol.split_seed)
    from_end, count = _places(user, generator.permutation(len(user)))
    test = np.floor(test_fraction * count + 1e-9)
    valid = np.floor(protocol.valid_fraction * count + 1e-9)
    if test_fraction:
        test = np.where((test == 0) & (count - valid > 1), 1, test)
    valid = np.where((valid == 0) & (count - test > 1), 1, valid)
    return _cut(from_end, valid, test)


def _predefined(interactions: Interactions, protocol: Protocol) -> Array:
    if interactions.part is None:
        raise SpaceError("A predefined split needs data that came divided into training and test; this dataset did not.", field="split")
    part = interactions.part.astype(np.int64)
    if not (part == _VALID).any():
        train = np.flatnonzero(part == _TRAIN)
        part[train] = _ratio(interactions.user[train], protocol, test_fraction=0)
    return part


def _k_fold(interactions: Interactions, protocol: Protocol) -> Array:
    generator = np.random.default_rng(protocol.split_seed)
    place, _ = _places(interactions.user, generator.permutation(len(interactions)))
    # Dealing starts at a random fold for each user, so that short histories do not all land in the first ones.
    start = generator.integers(protocol.folds, size=interactions.n_users)
    fold = (place + start[interactions.user]) % protocol.folds
    valid = (protocol.fold + 1) % protocol.folds if protocol.valid_fold is None else protocol.valid_fold
    return np.where(fold == protocol.fold, _TEST, np.where(fold == valid, _VALID, _TRAIN))


def _leave_one_out(interactions: Interactions) -> Array:
    rows = np.arange(len(interactions))
    rank = rows
    if interactions.timestamp is not None:
        rank = np.empty_like(rows)
        rank[np.lexsort((rows, interactions.timestamp))] = rows
    from_end, count = _places(interactions.user, rank)
    return _cut(from_end, (count >= 3).astype(np.int64), (count >= 2).astype(np.int64))


def _temporal(interactions: Interactions, protocol: Protocol) -> Array:
    if interactions.timestamp is None:
        raise SpaceError("A temporal split needs interactions with a timestamp; this dataset has none.", field="split")
    n = len(interactions)
    from_end = np.empty(n, dtype=np.int64)
    from_end[np.lexsort((np.arange(n), interactions.timestamp))] = np.arange(n)[::-1]
    return _cut(from_end, np.floor(protocol.valid_fraction * n), np.floor(protocol.test_fraction * n))


def _places(user: Array, rank: Array) -> tuple[Array, Array]:
    """Each interaction's place counted from the end of its user's, by ascending rank, and its user's total."""
    order = np.argsort(user.astype(np.int64) * len(user) + rank)  # one key, which sorts faster than two
    counts = np.bincount(user)
    ends = np.cumsum(counts)
    from_end = np.empty(len(user), dtype=np.int64)
    from_end[order] = ends[user[order]] - 1 - np.arange(len(user))
    return from_end, counts[user]


def _cut(from_end: Array, valid: Any, test: Any) -> Array:
    return np.where(from_end < test, _TEST, np.where(from_end < test + valid, _VALID, _TRAIN))
