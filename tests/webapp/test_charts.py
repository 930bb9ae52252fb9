from __future__ import annotations

import json
import re
from pathlib import Path

from gnn.space import Architecture
from webapp.charts.architectures import draw_architecture
from webapp.charts.searches import baseline_traces, new_traces, reward_curve, reward_figure
from webapp.charts.trials import epoch_series, loss_figure, metrics_figure, thin
from webapp.models import TrialEpoch
from webapp.selectors.searches import BaselineState
from webapp.selectors.searches_live import CurvePoint

POINTS = [
    CurvePoint(1, 11, 0.20),
    CurvePoint(2, 12, None, "Diverged"),
    CurvePoint(3, 13, 0.30),
    CurvePoint(4, 14, 0.25),
]
TWO_ARMS = [
    CurvePoint(1, 1, 0.20),
    CurvePoint(2, 2, 0.40, arm="random"),
    CurvePoint(3, 3, 0.30),
    CurvePoint(4, 4, 0.10, arm="random"),
    CurvePoint(5, 5, 0.90, arm="manual"),
]
BASELINES = [
    BaselineState("ease", "EASE", "completed", 0.27, ""),
    BaselineState("itemknn", "ItemKNN", "running", None, ""),
]


def test_reward_curve_keeps_failures_apart_from_scores() -> None:
    curve = reward_curve(POINTS)
    arm = curve.arms["controller"]
    assert (arm.scored.x, arm.scored.y) == ([1, 3, 4], [0.20, 0.30, 0.25])
    assert (arm.best.x, arm.best.y) == ([1, 3, 4], [0.20, 0.30, 0.30])
    assert (curve.failed.x, curve.failed.customdata) == ([2], [[12, "Diverged"]])


def test_reward_curve_goes_on_from_the_best_before() -> None:
    assert reward_curve(POINTS[2:], best={"controller": 0.28}).arms["controller"].best.y == [0.30, 0.30]
    assert reward_curve(POINTS[3:], best={"controller": 0.30, "random": 0.5}).arms["controller"].best.y == [0.30]


def test_the_best_so_far_of_one_arm_knows_nothing_of_the_others() -> None:
    columns = reward_curve(TWO_ARMS, best={"random": 0.35}).to_json()
    lines = {f"{kind}:{arm}" for kind in ("scored", "best", "mean") for arm in ("controller", "random")}
    assert set(columns) == lines | {"scored:manual", "failed"}
    assert (columns["best:controller"]["x"], columns["best:controller"]["y"]) == ([1, 3], [0.20, 0.30])
    assert (columns["best:random"]["x"], columns["best:random"]["y"]) == ([2, 4], [0.40, 0.40])
    assert columns["scored:manual"] == {"x": [5], "y": [0.90], "customdata": [[5]]}


def test_arms_have_a_colour_and_a_mark_of_their_own() -> None:
    figure = reward_figure(reward_curve(TWO_ARMS), [], label="NDCG@20", planned=5)
    traces = {trace["meta"]: trace for trace in figure["data"]}
    marks = [traces[f"scored:{arm}"]["marker"] for arm in ("controller", "random", "manual")]
    assert len({mark["color"] for mark in marks}) == len({mark["symbol"] for mark in marks}) == 3
    assert traces["best:random"]["line"]["color"] == traces["scored:random"]["marker"]["color"]
    assert traces["best:random"]["name"] == "Random search, best so far"
    assert "best:manual" not in traces
    assert (traces["best:random"]["legendgroup"], traces["best:random"]["showlegend"]) == (traces["scored:random"]["legendgroup"], False)


def test_an_open_page_is_given_the_empty_traces_of_arms_it_may_lack() -> None:
    traces = new_traces(reward_curve(TWO_ARMS[3:]), BASELINES, label="NDCG@20", until=5)
    assert [(trace["meta"], list(trace["x"])) for trace in traces] == [
        ("scored:random", []), ("best:random", []), ("mean:random", []), ("scored:manual", []), ("baseline:ease", [0, 5]),
    ]  # fmt: skip


def test_reward_figure_marks_failures_on_an_axis_of_their_own() -> None:
    figure = json.loads(json.dumps(reward_figure(reward_curve(POINTS), BASELINES, label="NDCG@20", planned=10)))
    traces = {trace["meta"]: trace for trace in figure["data"]}
    assert list(traces) == ["scored:controller", "best:controller", "mean:controller", "failed", "baseline:ease"]
    assert traces["failed"]["yaxis"] == "y2"
    assert figure["layout"]["yaxis2"]["visible"] is False
    assert traces["best:controller"]["line"]["shape"] == "hv"
    assert traces["baseline:ease"]["x"] == [0, 10]
    assert traces["baseline:ease"]["y"] == [0.27, 0.27]
    assert traces["baseline:ease"]["line"]["dash"] == "dash"
    assert figure["layout"]["yaxis"]["title"]["text"] == "Validation NDCG@20"
    assert figure["layout"]["xaxis"]["title"]["text"] == "Trials, in the order they ended"
    assert not figure["layout"].get("template")  # the theme is the page's


def test_reward_figure_of_nothing_is_empty() -> None:
    figure = reward_figure(reward_curve([]), [], label="NDCG@20", planned=5)
    assert [trace["x"] for trace in figure["data"]] == [[]]


def test_each_baseline_has_a_dash_and_a_colour_of_its_own() -> None:
    traces = baseline_traces([BaselineState(name, name, "completed", 0.1, "") for name in "abc"], until=3)
    assert len({trace["line"]["dash"] for trace in traces}) == 3
    assert len({trace["line"]["color"] for trace in traces}) == 3


def epoch(number: int, **scores: float) -> TrialEpoch:
    return TrialEpoch(epoch=number, loss=5.0 - number, scores={f"{name}@20": value for name, value in scores.items()}, seconds=1)


def test_epoch_series_has_no_point_where_there_is_no_score() -> None:
    series = epoch_series([epoch(1, ndcg=0.1), epoch(2), epoch(3, ndcg=0.3)], ["ndcg@20", "recall@20"])
    assert series == {
        "loss": {"x": [1, 2, 3], "y": [4.0, 3.0, 2.0]},
        "ndcg@20": {"x": [1, 3], "y": [0.1, 0.3]},
        "recall@20": {"x": [], "y": []},
    }


def test_epoch_figures_name_their_axes_and_mark_the_best_epoch() -> None:
    series = epoch_series([epoch(1, ndcg=0.1, recall=0.2), epoch(2, ndcg=0.2, recall=0.3)], ["ndcg@20", "recall@20"])
    metrics = metrics_figure(series, objective="ndcg@20", best_epoch=2)
    assert {trace["name"]: trace["line"]["width"] for trace in metrics["data"]} == {"NDCG@20": 2.6, "Recall@20": 1.3}
    assert metrics["layout"]["shapes"][0]["x0"] == 2
    assert "shapes" not in metrics_figure(series, objective="ndcg@20", best_epoch=None)["layout"]
    loss = loss_figure(series)
    assert loss["data"][0]["y"] == [4.0, 3.0]
    assert loss["layout"]["yaxis"]["title"]["text"] == "Training loss"


def test_long_curves_are_thinned_evenly() -> None:
    epochs = [epoch(number) for number in range(1, 10_001)]
    kept = [row.epoch for row in thin(epochs, 100)]
    assert (len(kept), kept[0], kept[-1]) == (100, 1, 10_000)
    assert len(set(kept)) == 100


def test_an_architecture_is_drawn_from_embeddings_to_score() -> None:
    drawing = draw_architecture(
        Architecture.of(
            {"node_dim": 32, "layers": 2, "operator.1": "gcn", "activation.1": "relu", "operator.2": "lightgcn", "combination": "mean"}
        )
    )
    assert [(box.title, box.note) for box in drawing.boxes] == [
        ("User and item embeddings", "32 numbers each"),
        ("GCN", "layer 1, ReLU"),
        ("LightGCN", "layer 2"),
        ("Mean", "combination"),
        ("Score", "cosine, trained by softmax"),
    ]
    assert len(drawing.arrows) == 4
    assert len(drawing.skips) == 2  # the embeddings and layer 1; layer 2 comes straight down
    assert all(box.y >= 0 and box.y + drawing.box_height <= drawing.height for box in drawing.boxes)


def test_what_a_layer_does_and_adds_is_drawn_and_said() -> None:
    drawing = draw_architecture(
        Architecture.of(
            {
                "layers": 2, "operator.1": "gat", "heads.1": 4, "normalisation.1": "layer", "skip.1": "initial", "operator.2": "sage",
                "skip.2": "residual", "combination": "last", "loss": "bpr",
            }
        ),
        name="one",
    )  # fmt: skip
    assert [(box.title, box.note) for box in drawing.boxes[1:]] == [
        ("GAT ×4", "layer 1, layer norm"),
        ("GraphSAGE", "layer 2"),
        ("Last layer", "combination"),
        ("Score", "dot product, trained by BPR"),
    ]
    assert len(drawing.skips) == 2  # both skip connections, on the left, within the picture
    assert all(0 < int(path.split(" H")[1].split(" ")[0]) < drawing.left for path in drawing.skips)
    assert "Layer 2 adds a skip connection from the layer before" in drawing.words


def test_the_last_layer_alone_has_no_lines_around_it() -> None:
    assert draw_architecture(Architecture.of({"layers": 3, "combination": "last"})).skips == []


def test_only_charts_import_plotly() -> None:
    root = Path(__file__).parents[2] / "webapp"
    users = {
        path.relative_to(root).parts[0] for path in root.rglob("*.py") if re.search(r"^\s*(import|from) plotly", path.read_text(), re.M)
    }
    assert users == {"charts"}
