from __future__ import annotations

import numpy as np
import polars as pl

from gnn.interactions import Interactions
from gnn.profile import profile
from gnn.sources.rejects import Rejects
from webapp.charts.datasets import cold_figure, dataset_figures, degree_lines, tail_lines, time_bars, weight_bars
from webapp.charts.side_tables import MAX_BARS, coverage_bars, coverage_figure, size_bars, size_figure


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
    assert [figure.name for figure in dataset_figures(profile(plain, Rejects(3, 3)))] == ["tail", "degrees", "cold"]
    timed = Interactions(codes, codes, np.array([1, 2, 3], np.float32), np.array([1, 2, 3], np.int64), ids, ids)
    figures = dataset_figures(profile(timed, Rejects(3, 3)))
    assert [figure.name for figure in figures] == ["tail", "degrees", "weights", "timeline", "cold"]
    tail = figures[0].document
    assert tail["data"][0]["name"] == "items"
    assert (tail["data"][0]["x"], tail["data"][0]["y"]) == ([1, 2], [2, 1])
    assert tail["layout"]["xaxis"]["type"] == tail["layout"]["yaxis"]["type"] == "log"
    assert figures[2].document["data"][0]["y"] == [1, 1, 1]


def test_degrees_stand_in_the_middle_of_their_class_and_empty_classes_are_left_out() -> None:
    lines = degree_lines({"user": {"low": [0, 1, 2, 4, 8], "count": [7, 5, 0, 3, 1]}, "item": {"low": [0, 1], "count": [0, 2]}})
    assert lines["user"].x == [1.0, round((4 * 7) ** 0.5, 3), round((8 * 15) ** 0.5, 3)]
    assert lines["user"].y == [5, 3, 1]
    assert lines["user"].labels == ["1 interaction", "4 to 7 interactions", "8 to 15 interactions"]
    assert (lines["item"].x, lines["item"].y) == ([1.0], [2])


def test_cold_and_other_users_and_items_add_up() -> None:
    figure = cold_figure({"users": 1, "items": 5, "below": 3}, {"users": 4, "items": 5})
    cold, others = figure["data"]
    assert (cold["y"], cold["x"], others["x"]) == (["1 of<br>4 users", "5 of<br>5 items"], [0.25, 1.0], [0.75, 0.0])
    assert cold["customdata"] == [[1, "users"], [5, "items"]]
    assert "fewer than 3" in cold["name"]


SIDE = [
    {"filename": "films.csv", "kind": "item_attributes", "rows": 9, "coverage": 0.5, "unknown": 1,
     "attributes": [{"name": "genre", "type": "multi", "coverage": 0.25}]},
    {"filename": "trust.csv", "kind": "social", "rows": 90, "coverage": 0.1, "edges": 88, "unknown": 1, "loops": 1},
    {"filename": "kg.csv", "kind": "triples", "rows": 1000, "coverage": 1.0, "entities": 300, "relations": 0, "unknown_links": 0},
]  # fmt: skip


def test_side_tables_show_coverage_and_the_sizes_of_their_graphs() -> None:
    assert [(bar.label, bar.value) for bar in coverage_bars(SIDE)] == [
        ("films.csv", 0.5), ("· genre", 0.25), ("trust.csv", 0.1), ("kg.csv", 1.0),
    ]  # fmt: skip
    assert coverage_bars(SIDE)[1].hover == "25.0% of the items have a value of genre"
    # A size of 0 has no place on a logarithmic axis.
    assert [(bar.label, bar.value) for bar in size_bars(SIDE)] == [
        ("trust.csv: social edges", 88), ("kg.csv: triples", 1000), ("kg.csv: entities", 300),
    ]  # fmt: skip
    document = size_figure(size_bars(SIDE))
    assert (document["data"][0]["x"], document["layout"]["xaxis"]["type"]) == ([88, 1000, 300], "log")
    many = [SIDE[0] | {"attributes": [{"name": "x" * 200, "type": "multi", "coverage": 1.0}] * 500}]
    drawn = coverage_figure(coverage_bars(many))
    assert len(drawn["data"][0]["x"]) == MAX_BARS
    assert len(drawn["layout"]["yaxis"]["ticktext"][1]) == 40


def test_a_profile_with_side_tables_has_their_figures_and_an_older_one_has_fewer() -> None:
    codes, ids = np.array([0, 1, 1], np.int32), pl.Series(["a", "b"])
    described = profile(Interactions(codes, codes, None, None, ids, ids), Rejects(3, 3)) | {"side": SIDE}
    figures = dataset_figures(described)
    assert [figure.name for figure in figures] == ["tail", "degrees", "cold", "coverage", "sizes"]
    assert [figure.has_own_height for figure in figures] == [False, False, False, True, True]
    older = {key: value for key, value in described.items() if key not in ("degrees", "cold", "side")}
    assert [figure.name for figure in dataset_figures(older)] == ["tail"]
