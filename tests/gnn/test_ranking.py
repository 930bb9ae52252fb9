"""The best items, against a full stable sort."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gnn.bundle.ranking import rank_all
from gnn.bundle.recommend import GROUP, best
from tests.serving.worlds import make_model


def sorted_best(scores: np.ndarray, k: int) -> list[int]:
    order = np.argsort(-scores.astype(np.float64), kind="stable")
    return [int(code) for code in order if scores[code] > -np.inf][:k]


@given(
    st.integers(1, GROUP * 40),
    st.integers(1, 60),
    st.sampled_from([0.0, 0.5, 0.99, 1.0]),
    st.sampled_from([0, 1, 6]),
    st.integers(0, 2**32 - 1),
)
def test_best_is_a_stable_sort(n: int, k: int, left_out: float, decimals: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    scores = np.round(generator.normal(size=n), decimals).astype(np.float32)  # few decimals: many ties
    scores[generator.random(n) < left_out] = -np.inf
    assert best(scores, k).tolist() == sorted_best(scores, k)


def test_all_users_get_what_each_gets_alone() -> None:
    model = make_model()
    for exclude_seen in (True, False):
        rows = [
            (start + at, codes, scores)
            for start, lists, values in rank_all(model, 20, exclude_seen=exclude_seen)
            for at, (codes, scores) in enumerate(zip(lists, values, strict=True))
        ]
        assert [code for code, _, _ in rows] == list(range(len(model.users)))
        for code, codes, scores in rows:
            alone = model.recommend(model.user_ids[code], 20, exclude_seen=exclude_seen)
            assert [model.item_ids[item] for item in codes] == [item for item, _ in alone]
            np.testing.assert_allclose(scores, [score for _, score in alone], atol=1e-5)
