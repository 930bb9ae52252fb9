"""The best items of every user, ranked beforehand: the most frequent question is then answered by looking it up.

A list holds, bit for bit, what a question would be answered with while there is none: both ways multiply all items with one user and
take ``best``. ``python -m serving.lists FOLDER`` ranks the bundle in that folder, at the lowest priority.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from gnn import bundle
from gnn.bundle.recommend import Model, best

Array = np.ndarray[Any, np.dtype[Any]]

FILE = "lists.npy"
"""In the folder of an unpacked bundle, with which it goes."""
DEPTH = 100
"""Items of a list; longer ones are ranked when they are asked for."""
ENTRY = np.dtype([("code", "<i4"), ("score", "<f4")])
MOST_BYTES = 2**30
"""What the lists of a model may take on disk and, as they are used, in memory; a model with more users is ranked when asked."""


def worthwhile(model: Model) -> bool:
    """Whether the lists of all users are not too much to keep."""
    return len(model.users) * DEPTH * ENTRY.itemsize <= MOST_BYTES


def ranked(model: Model) -> Array:
    """ENTRY [n_users, DEPTH]: the best items of each user that the user has not seen; codes of -1 follow where there are fewer."""
    users, items = np.asarray(model.users), np.asarray(model.items)
    lists = np.zeros((len(users), DEPTH), dtype=ENTRY)
    lists["code"] = -1
    for code in range(len(users)):
        scores = items @ users[code]
        scores[model.seen(code)] = -np.inf
        found = best(scores, DEPTH)
        lists["code"][code, : len(found)] = found
        lists["score"][code, : len(found)] = scores[found]
    return lists


def opened(folder: Path, model: Model) -> Array | None:
    """The lists of a bundle, memory-mapped; None where there are none yet."""
    try:
        lists: Array = np.load(folder / FILE, mmap_mode="r", allow_pickle=False)
    except (FileNotFoundError, ValueError):
        return None
    return lists if lists.dtype == ENTRY and lists.shape == (len(model.users), DEPTH) else None


def write(folder: Path) -> None:
    """Rank the bundle in ``folder`` and put its lists there, at once and whole."""
    lists = ranked(bundle.load(folder).model)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        np.save(Path(place) / FILE, lists, allow_pickle=False)
        (Path(place) / FILE).rename(folder / FILE)


def main() -> None:
    os.nice(19)
    write(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
