"""What the scoring process answers to each kind of question.

A product of all items with one user reads the embeddings once, from the processor's cache where they fit; one product for several users
copies them first, which pays from sixteen users on. So questions that come at the same time are answered one by one, each as if it were
alone, and only a list of users is multiplied together.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import numpy as np
from pydantic_core import to_json

from gnn.bundle.recommend import best
from serving.lists import DEPTH
from serving.neighbours import nearest_items
from serving.selection import Filters, Refused, chosen, known_items
from serving.served import Served
from webapp.scoring import Answer

Array = np.ndarray[Any, np.dtype[Any]]
Question = Mapping[str, Any]

_SORTED = json.JSONEncoder(sort_keys=True)

USERS_AT_ONCE = 64
"""Of a list of users: the more, the less each takes, and the longer others wait."""
REASONS = 3
"""Items that explain another one."""
SAMPLE = 12
"""Users to try."""
NOTHING_LEFT = "The filters leave no item to recommend."
SEEN_EVERYTHING = "The user has every item that could be recommended."


def answer(shelf: Mapping[str, Served], question: Question) -> Answer | Coroutine[None, None, Answer]:
    """Answer a question: its ``kind``, the ``model``, and what the kind needs (``webapp.api.recommend`` says what).

    One about several users is answered in steps, between which others get their turn.

    Args:
        shelf: name of a model -> its version that is served; one version answers a question to its end.
    """
    served = shelf.get(question["model"])
    if served is None:
        return Answer(404, "", f"No version of a model {question['model'][:100]!r} is served. Promote one; it is served seconds later.")
    if question["kind"] == "user" and question.get("split", True):
        served = served.for_user(question["user"])
    etag = _etag(served, question)
    if etag in question["known"]:
        return Answer(304, etag, "")
    if question["kind"] == "users":
        return _in_steps(served, question)
    try:
        found = KINDS[question["kind"]](served, question)
    except Refused as refusal:
        return Answer(refusal.status, "", str(refusal))
    return _said(served, etag, found)


async def _in_steps(served: Served, question: Question) -> Answer:
    try:
        found = await _users(served, question)
    except Refused as refusal:
        return Answer(refusal.status, "", str(refusal))
    return _said(served, "", found)


def _said(served: Served, etag: str, found: dict[str, Any]) -> Answer:
    return Answer(200, etag, "", to_json({"model": served.name, "version": served.number} | found))


async def _users(served: Served, question: Question) -> dict[str, Any]:
    made: dict[str, dict[str, Any]] = {}
    by_version: dict[int, tuple[Served, list[str]]] = {}
    for user in dict.fromkeys(question["users"]):
        version = served.for_user(user)
        by_version.setdefault(version.number, (version, []))[1].append(user)
    for number, (version, users) in by_version.items():
        made |= {user: found | {"version": number} for user, found in (await _lists(version, question, users)).items()}
    return {"lists": [made[user] for user in question["users"]]} | _ignored(_filters(served, question).ignored)


async def _lists(served: Served, question: Question, users: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The list of each of ``users``, all of which get this version."""
    filters = _filters(served, question)
    lists: dict[str, dict[str, Any]] = {}
    for start in range(0, len(users), USERS_AT_ONCE):
        some = users[start : start + USERS_AT_ONCE]
        made = {user: listed for user in some if (listed := _listed(served, question, user)) is not None}
        rest = [user for user in some if user not in made]
        codes = [code for user in rest if (code := served.model.user_codes.get(user)) is not None]
        rows = iter(served.users[codes] @ served.items.T)
        for user in rest:
            made[user] = _list_of(served, question, filters, user, next(rows) if user in served.model.user_codes else None)
        lists |= made
        await asyncio.sleep(0)  # questions about one user need not wait for all of these
    return lists


def _user(served: Served, question: Question) -> dict[str, Any]:
    if (listed := _listed(served, question, question["user"])) is not None:
        return listed
    filters, code = _filters(served, question), served.model.user_codes.get(question["user"])
    scores = None if code is None else served.items @ served.users[code]
    return _list_of(served, question, filters, question["user"], scores) | _ignored(filters.ignored)


def _listed(served: Served, question: Question, user: str) -> dict[str, Any] | None:
    """What was ranked beforehand for a user; None for who is not known, has a list too short, or where the question asks for more."""
    code = served.model.user_codes.get(user)
    plain = question["exclude_seen"] and not question["explain"] and question["mmr_lambda"] is None
    unfiltered = question["allow"] is None and not question["deny"] and not question["where"]
    if served.lists is None or code is None or question["k"] > DEPTH or not (plain and unfiltered):
        return None
    best_of_user = served.lists[code, : question["k"]].tolist()
    if best_of_user[-1][0] < 0:
        return None
    items = [_called(served, item) | {"score": score} for item, score in best_of_user]
    return {"user": user, "source": "model", "items": items, "empty": ""}


def _list_of(served: Served, question: Question, filters: Filters, user: str, scores: Array | None) -> dict[str, Any]:
    """The list of a user with these scores [n_items], which are changed; None for one whom the model does not know."""
    if scores is not None:
        found = _list(served, question, filters, scores, served.model.seen(served.model.user_codes[user]), "model")
    elif question["fallback"] == "none":
        raise Refused(404, f"The model does not know the user {user[:100]!r}. Recommend from a list of items, or allow a fallback.")
    else:
        found = _popular(served, question, filters)
    return {"user": user} | found


def _new(served: Served, question: Question) -> dict[str, Any]:
    filters = _filters(served, question)
    codes, unknown = known_items(served, question["items"])
    if len(codes):
        found = _list(served, question, filters, served.items @ served.model.embed(codes), codes, "fold_in")
    elif question["fallback"] == "none":
        raise Refused(404, f"The model knows none of the {len(unknown)} item(s).")
    else:
        found = _popular(served, question, filters)
    return found | _ignored((*unknown, *filters.ignored))


def _popular(served: Served, question: Question, filters: Filters) -> dict[str, Any]:
    """What most users have, for somebody of whom nothing is known."""
    return _list(served, question, filters, served.popularity.copy(), np.zeros(0, dtype=np.int64), "popularity")


def _similar(served: Served, question: Question) -> dict[str, Any]:
    code, filters = _item(served, question["item"]), _filters(served, question)
    scores = served.model.directions @ served.model.directions[code]
    scores[code] = -np.inf
    filters.apply(scores)
    picked = chosen(served, scores, question["k"], None)
    found = {"item": question["item"], "items": _named(served, picked, scores), "empty": "" if len(picked) else NOTHING_LEFT}
    return found | _ignored(filters.ignored)


def _scores(served: Served, question: Question) -> dict[str, Any]:
    users = [served.model.user_codes.get(user) for user, _ in question["pairs"]]
    items = [served.model.item_codes.get(item) for _, item in question["pairs"]]
    known = [(user, item) for user, item in zip(users, items, strict=True) if user is not None and item is not None]
    left, right = np.array(known, dtype=np.int64).reshape(-1, 2).T
    products = iter(np.einsum("nd,nd->n", served.users[left], served.items[right]).tolist())
    pairs = []
    for (user, item), user_code, item_code in zip(question["pairs"], users, items, strict=True):
        unknown = [kind for kind, code in (("user", user_code), ("item", item_code)) if code is None]
        pairs.append({"user": user, "item": item, "score": None if unknown else next(products), "unknown": unknown})
    return {"pairs": pairs}


def _known(served: Served, question: Question) -> dict[str, Any]:
    """Which users and items the model knows, in the order of the question."""
    users, items = served.model.user_codes, served.model.item_codes
    return {"users": [user in users for user in question["users"]], "items": [item in items for item in question["items"]]}


def _history(served: Served, question: Question) -> dict[str, Any]:
    """What a user has, and some other users, for the page that tries a model."""
    counts = np.diff(served.model.tensors["seen_indptr"])
    some = np.flatnonzero(counts) if counts.any() else np.arange(len(counts))
    sample = some[np.linspace(0, len(some) - 1, min(SAMPLE, len(some))).astype(int)]
    user = question["user"] or served.model.user_ids[sample[0]]
    code = served.model.user_codes.get(user)
    items = served.model.seen(code) if code is not None else np.zeros(0, dtype=np.int64)
    return {
        "user": user,
        "known": code is not None,
        "items": [_called(served, item) for item in items[: question["k"]].tolist()],
        "total": len(items),
        "sample": [served.model.user_ids[other] for other in sample],
    }


def _neighbours(served: Served, question: Question) -> dict[str, Any]:
    """The list of a baseline for a user, beside the model's."""
    code = served.model.user_codes.get(question["user"])
    if code is None:
        return {"items": []}
    tensors, has = served.model.tensors, served.model.seen(code)
    scores = nearest_items(tensors["seen_indptr"], tensors["seen_items"], len(served.items), has)
    scores[has] = -np.inf
    scores[scores == 0] = -np.inf  # not near at all
    return {"items": _named(served, best(scores, question["k"]), scores)}


def _filters(served: Served, question: Question) -> Filters:
    return Filters.of(served, allow=question["allow"], deny=question["deny"], where=question["where"])


def _list(served: Served, question: Question, filters: Filters, scores: Array, has: Array, source: str) -> dict[str, Any]:
    """The best of ``scores`` [n_items], which is changed, for somebody who ``has`` these items."""
    if question["exclude_seen"]:
        scores[has] = -np.inf
        everything = len(has) == len(scores)
    else:
        everything = False
    filters.apply(scores)
    picked = chosen(served, scores, question["k"], question["mmr_lambda"] if source != "popularity" else None)
    items = _named(served, picked, scores)
    if question["explain"]:
        for item, because in zip(items, _reasons(served, picked, has), strict=True):
            item["because"] = because
    return {"source": source, "items": items, "empty": "" if items else SEEN_EVERYTHING if everything else NOTHING_LEFT}


def _reasons(served: Served, picked: Array, has: Array) -> list[list[dict[str, Any]]]:
    """For each item, those of the person's items that are most like it: cosine of the embeddings, and its share of all that are like it."""
    likeness = np.maximum(served.model.directions[picked] @ served.model.directions[has].T, 0)
    totals = np.maximum(likeness.sum(axis=1), np.finfo(np.float32).tiny)
    return [
        [
            _called(served, int(has[at])) | {"similarity": round(float(row[at]), 6), "share": round(float(row[at] / total), 6)}
            for at in np.argsort(-row, kind="stable")[:REASONS]
            if row[at] > 0
        ]
        for row, total in zip(likeness, totals, strict=True)
    ]


def _named(served: Served, codes: Array, scores: Array) -> list[dict[str, Any]]:
    return [_called(served, code) | {"score": score} for code, score in zip(codes.tolist(), scores[codes].tolist(), strict=True)]


def _called(served: Served, code: int) -> dict[str, Any]:
    called: dict[str, Any] = {"item": served.model.item_ids[code]}
    title = served.attributes.titles[code] if served.attributes.titles else None
    return called | {"title": title} if title else called


def _item(served: Served, item: str) -> int:
    code = served.model.item_codes.get(item)
    if code is None:
        raise Refused(404, f"The model does not know the item {item[:100]!r}.")
    return code


def _ignored(items: Sequence[str]) -> dict[str, Any]:
    """Items of the question that the model does not know."""
    return {"ignored": list(items)} if items else {}


def _etag(served: Served, question: Question) -> str:
    """Of version and question."""
    asked = _SORTED.encode({name: value for name, value in question.items() if name != "known"})
    return f'"{hashlib.sha256(f"{served.digest}{served.number}{asked}".encode()).hexdigest()[:32]}"'


KINDS: dict[str, Callable[[Served, Question], dict[str, Any]]] = {
    "user": _user,
    "new": _new,
    "similar": _similar,
    "scores": _scores,
    "known": _known,
    "history": _history,
    "neighbours": _neighbours,
}
