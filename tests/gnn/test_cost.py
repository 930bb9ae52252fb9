from __future__ import annotations

import gzip
from collections.abc import Iterator

import numpy as np
import polars as pl
import pytest

from benchmarks.graphs import ML_100K
from benchmarks.landscape import FOLDER, OUTSIDE, table_space
from gnn.catalogue import preset_space
from gnn.cost import KINDS, MEASURED, Rates, epoch_work, fit_rates, mean_epochs
from gnn.plan import Rungs
from gnn.settings import Settings
from gnn.space import Architecture

PLAIN = {"node_dim": 8, "layers": 1, "operator.1": "lightgcn", "combination": "last", "loss": "softmax", "averaging": 0.0}


def work_of(**changes: object) -> dict[str, float]:
    """The work of a small network on 160 users, 50 items and 1,000 pairs, in operations."""
    work = epoch_work(Settings.of(Architecture.of(PLAIN | changes)), 160, 50, 1000)  # type: ignore[arg-type]
    return dict(zip(KINDS, work * 1e9, strict=True))


def test_work_is_what_is_counted_by_hand() -> None:
    # 160 users in blocks of 20 are 8 steps, each a forward and a backward at twice the price, and one more forward validates.
    steps, passes = 8, 3 * 8 + 1
    work = work_of()
    assert work["propagation"] == pytest.approx(passes * 2000 * 8)
    assert work["overhead"] == pytest.approx(passes * 2 * 1000)
    assert work["nodes"] == pytest.approx(passes * 210 * (3 * 8 + 8))
    assert work["optimiser"] == pytest.approx(steps * (210 * 8 + 50))  # embeddings and item biases
    assert work["objective"] == pytest.approx((3 * 160 * 50 + 160 * 50) * (8 + 8))
    assert work["attention"] == work["weights"] == work["adjacencies"] == work["contrast"] == 0


def test_more_to_do_is_more_work() -> None:
    assert work_of(**{"operator.1": "gcn"})["weights"] == pytest.approx(25 * 210 * (8 * 8 + 8))
    assert work_of(**{"operator.1": "gat", "heads.1": 2})["attention"] == pytest.approx(25 * 3 * 2000)
    assert work_of(edge_dropout=0.1)["adjacencies"] == pytest.approx(8 * 2000)
    assert work_of(contrastive="xsimgcl")["contrast"] == pytest.approx(3 * 8 * (160**2 + 50**2) * 16)
    assert work_of(contrastive="sgl")["propagation"] == pytest.approx((3 * 8 * 3 + 1) * 2000 * 8)
    assert work_of(loss="bpr", negative_count=4)["objective"] == pytest.approx((3 * 1000 * 5 + 160 * 50) * 16)


def drawn_work(n: int) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [epoch_work(Settings.of(preset_space("full").sample(generator)), 900, 1700, 80_000) for _ in range(n)]


def test_rates_are_found_again() -> None:
    works = drawn_work(120)
    planted = Rates(tuple(float(rate) for rate in np.linspace(3, 0.5, len(KINDS)) * MEASURED.seconds), 1.0)
    fitted = fit_rates(works[:80], [planted.epoch_seconds(work) for work in works[:80]])
    assert error(fitted, [(work, planted.epoch_seconds(work)) for work in works[80:]]) < 1.05
    assert error(MEASURED, [(work, planted.epoch_seconds(work)) for work in works[80:]]) > 1.5
    assert fitted.trials == 80


def test_a_few_trials_tell_the_speed_and_leave_the_proportions() -> None:
    works = drawn_work(40)
    fitted = fit_rates(works[:3], [5 * MEASURED.epoch_seconds(work) for work in works[:3]])
    for work in works[3:]:
        assert fitted.epoch_seconds(work) == pytest.approx(5 * MEASURED.epoch_seconds(work), rel=1e-3)
    assert fit_rates(works[:2], [1.0, 1.0]) is MEASURED


def table_epochs() -> Iterator[tuple[np.ndarray, float]]:
    """Work and seconds of an epoch of architectures that were trained on MovieLens-100K for another purpose."""
    decisions = [decision.name for decision in table_space().decisions]
    with gzip.open(FOLDER / "ml-100k.csv.gz") as file:
        table = pl.read_csv(file.read()).filter(pl.col("failure").is_null()).sample(300, seed=0)
    for row in table.iter_rows(named=True):
        chosen = {name: row[name] for name in decisions if row[name] is not None}
        yield epoch_work(Settings.of(Architecture.of(chosen | OUTSIDE)), *ML_100K), row["seconds"] / row["epochs"]


def error(rates: Rates, epochs: list[tuple[np.ndarray, float]]) -> float:
    """The factor within which two of three predictions are."""
    return float(np.exp(np.quantile([abs(np.log(rates.epoch_seconds(work) / seconds)) for work, seconds in epochs], 2 / 3)))


def test_predictions_hold_on_networks_that_the_rates_were_not_fitted_to() -> None:
    epochs = list(table_epochs())
    assert error(MEASURED, epochs) < 1.6
    fitted = fit_rates(*map(list, zip(*epochs[:12], strict=True)))
    assert error(fitted, epochs[12:]) < 1.25


@pytest.mark.parametrize(
    ("rungs", "epochs"),
    [
        (None, 100),
        (Rungs(first=4, factor=3, count=3), 4 + 8 / 3 + 88 / 9),
        (Rungs(first=200, factor=3, count=2), 100),
        (Rungs(by="data", factor=2, count=3), 25 + 50 / 2 + 100 / 4),
    ],
)
def test_rungs_shorten_an_average_trial(rungs: Rungs | None, epochs: float) -> None:
    assert mean_epochs(rungs, 100) == pytest.approx(epochs)
