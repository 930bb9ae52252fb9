"""What a person should know about a dataset before searching on it: counts, long tail, time line, warnings; bounded JSON."""

from __future__ import annotations

from typing import Any

import numpy as np

from gnn.advice import FEW, recommend, warnings
from gnn.interactions import Interactions
from gnn.meta_features import meta_features
from gnn.sources.mapping import PARTS
from gnn.sources.rejects import Rejects

MAX_POINTS = 200
"""Of any series."""
FIRST_ROWS = 10
MAX_TEXT = 200
"""Characters of an id as shown."""
_DAY = 86_400
TIME_STEPS = (3600, _DAY, 7 * _DAY, 28 * _DAY, 91 * _DAY, 365 * _DAY)
"""Seconds of one bar of the time line: the shortest that needs at most ``MAX_POINTS`` bars is taken."""
_SKEWED = 20
"""A largest weight this many times the median is drawn on a logarithmic axis."""

Ints = np.ndarray[Any, np.dtype[np.int64]]


def profile(interactions: Interactions, rejects: Rejects) -> dict[str, Any]:
    """Describe interactions that have at least one row."""
    per_user = np.bincount(interactions.user, minlength=interactions.n_users)
    per_item = np.bincount(interactions.item, minlength=interactions.n_items)
    distinct = interactions.distinct_pairs()
    pairs = len(distinct)
    time = interactions.timestamp
    return {
        "users": interactions.n_users,
        "items": interactions.n_items,
        "interactions": len(interactions),
        "pairs": pairs,
        "density": pairs / (interactions.n_users * interactions.n_items),
        "per_user": _spread(per_user),
        "per_item": _spread(per_item),
        "time": None if time is None else {"first": int(time.min()), "last": int(time.max())},
        "roles": _roles(interactions),
        "parts": _parts(interactions),
        "rejects": rejects.to_json(),
        "warnings": warnings(interactions, rejects, per_user, pairs),
        "recommended": recommend(interactions, per_user),
        "cold": {"users": int((per_user < FEW).sum()), "items": int((per_item < FEW).sum()), "below": FEW},
        "degrees": {"user": _degrees(per_user), "item": _degrees(per_item)},
        "user_tail": _tail(per_user),
        "item_tail": _tail(per_item),
        "weights": None if interactions.weight is None else _histogram(interactions.weight.astype(np.float64)),
        "timeline": None if time is None else _timeline(time),
        "first_rows": _first_rows(interactions),
        "meta_features": meta_features(distinct // interactions.n_items, distinct % interactions.n_items).to_json(),
    }


def _roles(interactions: Interactions) -> dict[str, Any]:
    """What is known besides weight and time; only what the data has."""
    roles: dict[str, Any] = {}
    if (label := interactions.label) is not None:
        roles["label"] = {"positive": int((label > 0).sum()), "share": float((label > 0).mean())}
    for name, codes, names in (
        ("behaviour", interactions.behaviour, interactions.behaviour_names),
        ("domain", interactions.domain, interactions.domain_names),
    ):
        if codes is not None and names is not None:
            counts = np.bincount(codes, minlength=len(names))
            most = np.argsort(-counts, kind="stable")[:MAX_POINTS]
            roles[name] = {"names": [names[int(at)][:MAX_TEXT] for at in most], "counts": counts[most].tolist(), "distinct": len(names)}
    if (propensity := interactions.propensity) is not None:
        roles["propensity"] = {"min": float(propensity.min()), "mean": float(propensity.mean()), "max": float(propensity.max())}
    if (position := interactions.position) is not None:
        roles["position"] = {"min": int(position.min()), "max": int(position.max())}
    return roles


def _parts(interactions: Interactions) -> dict[str, int] | None:
    if interactions.part is None:
        return None
    return dict(zip(PARTS, np.bincount(interactions.part, minlength=len(PARTS)).tolist(), strict=True))


def _spread(counts: Ints) -> dict[str, float]:
    return {"mean": float(counts.mean()), "median": float(np.median(counts)), "min": int(counts.min()), "max": int(counts.max())}


def _degrees(counts: Ints) -> dict[str, list[int]]:
    """How many users or items have from ``low`` to below the next ``low`` interactions; limits double."""
    limits = 2 ** np.arange(int(counts.max()).bit_length() + 1)
    limits = np.concatenate([[0], limits])
    found, _ = np.histogram(counts, np.append(limits, limits[-1] * 2))
    return {"low": limits.tolist(), "count": found.tolist()}


def _tail(counts: Ints) -> dict[str, list[int]]:
    """Counts from the largest to the smallest at ranks spread evenly on a logarithmic axis, the first and last included."""
    ordered = np.sort(counts)[::-1]
    ranks = np.unique(np.geomspace(1, len(ordered), min(len(ordered), MAX_POINTS)).round().astype(np.int64))
    return {"rank": ranks.tolist(), "count": ordered[ranks - 1].tolist()}


def _histogram(weights: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Any]:
    """Every value with its count when they are few, else counts between edges (``len(edges) == len(count) + 1``)."""
    values, counts = np.unique(weights, return_counts=True)
    if len(values) <= 50:
        return {"kind": "values", "value": values.tolist(), "count": counts.tolist()}
    log = bool(values[0] > 0 and values[-1] > _SKEWED * np.median(weights))
    edges = np.geomspace(values[0], values[-1], 51) if log else np.linspace(values[0], values[-1], 51)
    # Rounding must not push the extremes out of their bins.
    edges[0], edges[-1] = values[0], values[-1]
    counts, _ = np.histogram(weights, edges)
    return {"kind": "bins", "log": log, "edges": edges.tolist(), "count": counts.tolist()}


def _timeline(time: Ints) -> dict[str, Any]:
    """Interactions in each step of time; ``start`` is the first second of a step."""
    first, last = int(time.min()), int(time.max())
    step = next((step for step in TIME_STEPS if (last - first) // step < MAX_POINTS - 1), -(-(last - first + 1) // (MAX_POINTS - 1)))
    origin = first // step * step
    counts = np.bincount((time - origin) // step)
    return {"step": step, "start": (origin + step * np.arange(len(counts))).tolist(), "count": counts.tolist()}


def _first_rows(interactions: Interactions) -> list[dict[str, Any]]:
    rows = []
    for at in range(min(FIRST_ROWS, len(interactions))):
        row: dict[str, Any] = {
            "user": interactions.user_ids[int(interactions.user[at])][:MAX_TEXT],
            "item": interactions.item_ids[int(interactions.item[at])][:MAX_TEXT],
        }
        if interactions.weight is not None:
            row["weight"] = float(interactions.weight[at])
        if interactions.timestamp is not None:
            row["timestamp"] = int(interactions.timestamp[at])
        rows.append(row)
    return rows
