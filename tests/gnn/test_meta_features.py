from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnn.meta_features import MetaFeatures, meta_features


def exact_clustering(present: np.ndarray) -> float:
    """4 times the cycles of length 4 over the paths of length 3, from the matrix."""
    common = present.astype(int) @ present.T
    pairs = common[np.triu_indices(len(common), 1)]
    cycles = (pairs * (pairs - 1) // 2).sum()
    users, items = np.nonzero(present)
    paths = ((present.sum(1)[users] - 1) * (present.sum(0)[items] - 1)).sum()
    return 4 * cycles / paths if paths else 0.0


def test_a_small_table_by_hand():
    """Ten users with an item each, all the same but one: 2 items, 10 of 20 pairs."""
    found = meta_features(np.arange(10), np.array([0] * 9 + [1]))
    assert found.log_users == 1
    assert found.log_items == pytest.approx(np.log10(2))
    assert found.log_density == pytest.approx(np.log10(0.5))
    assert found.user_gini == 0
    assert found.item_gini == pytest.approx((9 - 1) / (2 * 10))
    assert found.clustering == 0


def test_where_everybody_has_everything_every_path_is_closed():
    user, item = np.divmod(np.arange(12), 4)
    assert meta_features(user, item).clustering == 1


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), n_users=st.integers(2, 30), n_items=st.integers(2, 30), share=st.floats(0.05, 0.9))
def test_the_clustering_is_that_of_the_matrix(seed, n_users, n_items, share):
    present = np.random.default_rng(seed).random((n_users, n_items)) < share
    present[0, 0] = True
    assert meta_features(*np.nonzero(present)).clustering == pytest.approx(exact_clustering(present), abs=0.02)


def test_the_order_of_pairs_and_the_codes_do_not_matter_beyond_the_draw():
    generator = np.random.default_rng(0)
    user, item = np.nonzero(generator.random((40, 30)) < 0.2)
    shuffled = generator.permutation(len(user))
    one, other = meta_features(user, item), meta_features(user[shuffled] + 7, 3 * item[shuffled])
    assert one.to_json() | {"clustering": 0} == pytest.approx(other.to_json() | {"clustering": 0})
    assert one.clustering == pytest.approx(other.clustering, abs=0.02)


def test_they_survive_json():
    found = meta_features(np.array([0, 1, 1]), np.array([0, 0, 1]))
    assert MetaFeatures.from_json(found.to_json()) == found
