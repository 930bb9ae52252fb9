"""What may spoil a search on a dataset, and how it is best judged; sentences for a person."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from gnn.interactions import Interactions
from gnn.sources.mapping import PARTS
from gnn.sources.rejects import Rejects

Ints = np.ndarray[Any, np.dtype[np.int64]]

FEW = 3
"""Users with fewer interactions cannot train, validate and test."""
_MISSING_WORDS = ("null", "nan", "none", "na", "n/a", "\\n", "undefined")
_EARLY, _LATE = 473_385_600, 4_102_444_800  # 1985 and 2100
_SMALL, _LARGE = 20_000, 2_000_000
"""Interactions below which a small space is enough, and above which a lean one is needed."""


def warnings(interactions: Interactions, rejects: Rejects, per_user: Ints, pairs: int) -> list[str]:
    """Sentences about what may spoil a search."""
    found = []
    n = len(interactions)
    if rejects.total > 0.05 * rejects.rows_read:
        found.append(f"{rejects.total / rejects.rows_read:.0%} of the rows were rejected. Look at the reasons before you trust the rest.")
    if n > pairs:
        found.append(f"{n - pairs:,} rows repeat a user and item already seen. They stay in the data; the graph joins a pair once.")
    found += _of_weights(interactions)
    if few := int((per_user < FEW).sum()):
        found.append(
            f"{few:,} of {interactions.n_users:,} users have fewer than {FEW} interactions, too few to judge recommendations for them."
        )
    if n < 1000:
        found.append(f"{n:,} interactions are few: scores will differ much by chance from one split to another.")
    found += _of_times(interactions)
    found += _of_division(interactions)
    for kind, ids, codes in (("user", interactions.user_ids, interactions.user), ("item", interactions.item_ids, interactions.item)):
        found += _of_ids(kind, ids, codes)
    return found


def recommend(interactions: Interactions, per_user: Ints) -> dict[str, str]:
    """A split and a space to begin with, each with the reason: ``split``, ``reason``, ``space``, ``space_reason``."""
    time, n = interactions.timestamp, len(interactions)
    if interactions.part is not None and (interactions.part == PARTS.index("test")).any():
        split, reason = "predefined", "The data came divided, so that scores compare with those of others on the same division."
    elif time is not None and time.min() < time.max():
        split, reason = "temporal", "The rows have times, and a model in use never knows the future."
    elif np.median(per_user) < 2 * FEW:
        split, reason = "leave_one_out", "Most users have few interactions, and this keeps all but two of each for training."
    else:
        split, reason = "ratio", "The rows have no times, and most users have interactions enough to give a share to each part."
    if n > _LARGE:
        space, space_reason = "lightgcn-family", f"{n:,} interactions are many: these architectures cost least for each epoch."
    elif n < _SMALL:
        space, space_reason = "demo", f"{n:,} interactions are few: a small space is searched through before chance decides."
    else:
        space, space_reason = "seed-paper", "The size allows for operators of every kind."
    return {"split": split, "reason": reason, "space": space, "space_reason": space_reason}


def _of_weights(interactions: Interactions) -> list[str]:
    found = []
    weight = interactions.weight
    if weight is not None and weight.min() == weight.max():
        found.append(f"Every weight is {weight[0]:g}, so weights tell the model nothing.")
    elif weight is not None and ((weight == 0) | (weight == 1)).all():
        found.append("Every weight is 0 or 1. If 0 means that nothing came of it, the column is a label, not a weight.")
    if weight is not None and (negative := int((weight < 0).sum())):
        found.append(f"{negative:,} rows have a negative weight; they still count as interactions.")
    label = interactions.label
    if label is not None and label.min() == label.max():
        found.append(f"Every label is {label[0]:g}, so labels tell the model nothing.")
    elif label is not None:
        found.append(
            f"{int((label == 0).sum()):,} of {len(label):,} rows have the label 0. They count as interactions unless the preparation keeps "
            "only positive labels."
        )
    for name, names in (("behaviour", interactions.behaviour_names), ("domain", interactions.domain_names)):
        if names is not None and len(names) == 1:
            found.append(f"Every row has the {name} {names[0]!r}, so it tells the model nothing.")
    return found


def _of_times(interactions: Interactions) -> list[str]:
    time = interactions.timestamp
    if time is None:
        return []
    found = []
    if time.min() == time.max():
        found.append("Every timestamp is the same, so a split by time is not possible.")
    elif interactions.part is None:
        found.append("The rows have times. A random split lets a model learn from the future; a split by time is closer to real use.")
    if time.min() < _EARLY or time.max() > _LATE:
        found.append("Some times lie before 1985 or after 2100. Check the unit of the timestamp column.")
    return found


def _of_division(interactions: Interactions) -> list[str]:
    """A given split whose parts share what they should not."""
    part = interactions.part
    if part is None:
        return []
    found = []
    pair = interactions.user.astype(np.int64) * interactions.n_items + interactions.item
    train = np.sort(pair[part == 0])
    time = interactions.timestamp
    for code, name in ((1, "validation"), (2, "test")):
        held_out = pair[part == code]
        if len(held_out) == 0 or len(train) == 0:
            continue
        leaked = int((train[np.minimum(np.searchsorted(train, held_out), len(train) - 1)] == held_out).sum())
        if leaked:
            found.append(
                f"{leaked:,} of {len(held_out):,} {name} rows are in training too. They are left out when recommendations are judged."
            )
        unknown = ~np.isin(np.arange(interactions.n_users), interactions.user[part == 0])[interactions.user[part == code]]
        if unknown.any():
            found.append(f"{int(unknown.sum()):,} {name} rows are of users who have no training row, so nothing can be learned of them.")
        if time is not None and time[part == 0].max() > time[part == code].min():
            found.append(f"Some training rows are later than some {name} rows: the given split lets a model learn from the future.")
    return found


def _of_ids(kind: str, ids: pl.Series, codes: np.ndarray[Any, np.dtype[np.int32]]) -> list[str]:
    """Ids that mean that there is none, and ids that differ only by case or spaces."""
    plain = ids.str.strip_chars().str.to_lowercase()
    found = []
    for code in plain.is_in(_MISSING_WORDS).arg_true():
        found.append(f"{int((codes == code).sum()):,} rows have the {kind} {ids[int(code)]!r}, which looks like a missing value.")
    closed = plain.str.replace_all(r"\s+", "")
    if twins := len(closed) - closed.n_unique():
        twice = closed.filter(~closed.is_first_distinct())[0]
        examples = ids.filter(closed == twice).head(2).to_list()
        found.append(
            f"{twins:,} {kind} ids differ from another only by case or spaces, such as {examples[0]!r} and {examples[1]!r}. "
            "They count as different."
        )
    return found
