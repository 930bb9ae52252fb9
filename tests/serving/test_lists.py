"""Lists that are ranked beforehand: bit for bit what is answered without them, and used only where they hold the answer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gnn import bundle
from gnn.bundle.members import unpack
from serving import lists
from tests.serving.worlds import ITEMS, USERS, asked, make_served, told
from tests.webapp.test_model_services import bundle_file


@pytest.mark.parametrize("k", [1, 20, lists.DEPTH])
@pytest.mark.parametrize("item_bias", [False, True])
def test_with_and_without_lists_the_bytes_are_the_same(k: int, item_bias: bool) -> None:
    ranked, fresh = make_served(item_bias=item_bias), make_served(item_bias=item_bias)
    ranked.lists = lists.ranked(ranked.model)
    for user in (*ranked.model.user_ids, "nobody"):
        assert asked(ranked, "user", user=user, k=k) == asked(fresh, "user", user=user, k=k)


def test_lists_are_read_and_not_ranked_again() -> None:
    served = make_served()
    served.lists = lists.ranked(served.model)
    served.lists["score"][2, 0] = 77.0
    assert told(served, "user", user="u2")["items"][0]["score"] == 77.0
    [several, alone] = told(served, "users", users=["u2", "nobody", "u2"])["lists"][::2]
    assert several == alone
    assert alone["items"][0]["score"] == 77.0


@pytest.mark.parametrize(
    "more",
    [
        {"k": lists.DEPTH + 1}, {"exclude_seen": False}, {"allow": ["i3", "i4"]}, {"deny": ["i5"]}, {"mmr_lambda": 0.5}, {"explain": True},
        {"user": "u6"},
    ],
)  # fmt: skip
def test_what_lists_do_not_hold_is_ranked_when_asked(more: dict[str, Any]) -> None:
    served = make_served()
    expected = told(served, "user", **{"user": "u2"} | more)
    served.lists = np.zeros((USERS, lists.DEPTH), dtype=lists.ENTRY)
    served.lists["code"][6] = -1  # who has everything
    assert told(served, "user", **{"user": "u2"} | more) == expected


def test_a_process_of_its_own_writes_them(tmp_path: Path) -> None:
    unpack(bundle_file(), tmp_path)
    model = bundle.load(tmp_path).model
    assert lists.opened(tmp_path, model) is None
    subprocess.run((sys.executable, "-m", "serving.lists", str(tmp_path)), check=True, timeout=60)
    found = lists.opened(tmp_path, model)
    assert found is not None
    for code, user in enumerate(model.user_ids):
        taken = found[code][found["code"][code] >= 0]
        expected = model.recommend(user, lists.DEPTH)
        assert [(model.item_ids[item], score) for item, score in taken.tolist()] == expected
    assert bundle.load(tmp_path).digest, "the bundle is as before"


def test_lists_of_another_model_or_half_a_file_are_not_taken(tmp_path: Path) -> None:
    model = make_served().model
    np.save(tmp_path / lists.FILE, np.zeros((USERS + 1, lists.DEPTH), dtype=lists.ENTRY))
    assert lists.opened(tmp_path, model) is None
    np.save(tmp_path / lists.FILE, np.zeros((USERS, lists.DEPTH)))
    assert lists.opened(tmp_path, model) is None
    (tmp_path / lists.FILE).write_bytes(b"nothing")
    assert lists.opened(tmp_path, model) is None


def test_a_model_with_too_many_users_goes_without() -> None:
    most = lists.MOST_BYTES // lists.ENTRY.itemsize // lists.DEPTH
    model = make_served().model
    assert lists.worthwhile(model)
    model.users = np.lib.stride_tricks.as_strided(model.users, (most + 1, 5), (0, 4))
    assert not lists.worthwhile(model)
    assert ITEMS > lists.DEPTH, "else the tests above show nothing"
