from __future__ import annotations

import numpy as np
import polars as pl

from gnn.interactions import Interactions
from gnn.profile import profile
from gnn.sources.rejects import Rejects
from webapp.charts.datasets import dataset_figures, tail_lines, time_bars, weight_bars


def test_counts_of_zero_are_left_out_of_the_tail() -> None:
    lines = tail_lines({"item_tail": {"rank": [1, 2, 3], "count": [9, 1, 0]}, "user_tail": {"rank": [1], "count": [10]}})
    assert lines == {"item": ([1, 2], [9, 1]), "user": ([1], [10])}


def test_few_weights_have_a_bar_each() -> None:
    bars = weight_bars({"kind": "values", "value": [0.5, 1.0, 5.0], "count": [2, 3, 4]})
    assert (bars.x, bars.y, bars.width) == (["0.5", "1", "5"], [2, 3, 4], None)


def test_many_weights_have_bins() -> None:
    bars = weight_bars({"kind": "bins", "log": False, "edges": [0.0, 2.0, 6.0], "count": [7, 1]})
    assert (bars.x, bars.y, bars.width, bars.labels) == ([1.0, 4.0], [7, 1], [2.0, 4.0], ["0 to 2", "2 to 6"])


def test_bars_of_time_cover_their_step() -> None:
    bars = time_bars({"step": 86_400, "start": [0, 86_400], "count": [3, 0]})
    assert bars.x == ["1970-01-01 12:00:00", "1970-01-02 12:00:00"]
    assert bars.width == [86_400_000.0, 86_400_000.0]
    assert bars.labels == ["from 1970-01-01", "from 1970-01-02"]


def test_only_figures_with_data_are_drawn() -> None:
    codes = np.array([0, 1, 1], np.int32)
    ids = pl.Series(["a", "b"])
    plain = Interactions(codes, codes, None, None, ids, ids)
    assert [figure.name for figure in dataset_figures(profile(plain, Rejects(3, 3)))] == ["tail"]
    timed = Interactions(codes, codes, np.array([1, 2, 3], np.float32), np.array([1, 2, 3], np.int64), ids, ids)
    figures = dataset_figures(profile(timed, Rejects(3, 3)))
    assert [figure.name for figure in figures] == ["tail", "weights", "timeline"]
    tail = figures[0].document
    assert tail["data"][0]["name"] == "items"
    assert (tail["data"][0]["x"], tail["data"][0]["y"]) == ([1, 2], [2, 1])
    assert tail["layout"]["xaxis"]["type"] == tail["layout"]["yaxis"]["type"] == "log"
    assert figures[1].document["data"][0]["y"] == [1, 1, 1]
