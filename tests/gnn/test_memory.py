from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from gnn import contrastive, memory, negatives, objectives, train
from gnn.catalogue import CATALOGUE
from gnn.catalogue.choices import OPERATORS, SCORERS
from gnn.device import available_memory, group_memory, pick_device
from gnn.errors import OutOfMemory
from gnn.memory import MIB, estimate_bytes
from gnn.model import build_model
from gnn.settings import Settings
from gnn.space import Architecture
from gnn.train import TrainConfig, fit
from tests.gnn.toy import planted_blocks

SIZES = {"n_users": 9000, "n_items": 6000, "n_edges": 200_000, "n_buckets": 1}

MEASURE = """
import json, resource, sys
import numpy as np, psutil
from gnn.device import set_threads
from gnn.evaluate import build_targets
from gnn.heap import give_back_memory, keep_freed_memory
from gnn.graph import build_graph
from gnn.model import build_model
from gnn.space import Architecture
from gnn.train import TrainConfig, fit
from tests.gnn.toy import make_interactions

def prepared(n_users, n_items, n_edges):
    generator = np.random.default_rng(0)
    codes = generator.permutation(n_users * n_items)[: n_edges + n_edges // 10]
    interactions = make_interactions(np.stack([codes // n_items, codes % n_items], axis=1), n_users, n_items)
    graph = build_graph(interactions, np.arange(n_edges))
    return graph, build_targets(interactions, np.arange(n_edges, len(codes)), graph)

set_threads(1)
keep_freed_memory()
architecture = Architecture.of(json.loads(sys.argv[1]))
graph, valid = prepared(50, 40, 300)
fit(build_model(architecture, graph, 0), graph, valid, TrainConfig(1))  # compiles, and loads libraries
graph, valid = prepared(*map(int, sys.argv[2:]))
give_back_memory()
before = psutil.Process().memory_info().rss
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # the highest so far is forgotten
fit(build_model(architecture, graph, 0), graph, valid, TrainConfig(2))
print(next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM")) - before)
"""


def estimate(**values: object) -> int:
    return estimate_bytes(Settings.of(Architecture.of({name.replace("__", "."): value for name, value in values.items()})), **SIZES)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak of a process is read as Linux has it")
@pytest.mark.parametrize(
    "values",
    [
        {"node_dim": 128, "layers": 3},
        {"node_dim": 128, "layers": 2, "operator.1": "gatv2", "operator.2": "gcn", "combination": "concat"},
        {"node_dim": 128, "layers": 1, "loss": "bpr", "negative_count": 8},
    ],
)
def test_what_training_takes_is_within_a_factor_of_two(values):
    sizes = [str(SIZES[name]) for name in ("n_users", "n_items", "n_edges")]
    command = [sys.executable, "-c", MEASURE, json.dumps(values), *sizes]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    measured = int(done.stdout)
    assert measured / 2 < estimate(**values) < 2 * measured


def test_the_sizes_of_a_step_are_those_of_the_objectives():
    for name in ("SCORES_AT_ONCE", "USERS_PER_STEP", "PAIRS_PER_STEP", "SQUARE_PAIRS", "ITEMS_PER_STEP", "CANDIDATES", "MIN_STEPS"):
        assert getattr(memory, name) == getattr(objectives, name)
    assert (memory.HARD_POOL, memory.CONTRASTED) == (negatives.HARD_POOL, contrastive.MAX_NODES)


def test_every_operator_and_scorer_has_its_arrays():
    assert set(memory.KEPT) == set(OPERATORS) and set(memory.TAIL) == set(SCORERS)


@pytest.mark.parametrize("operator", CATALOGUE["operator"].offered)
@pytest.mark.parametrize("combination", CATALOGUE["combination"].offered)
def test_more_width_or_layers_take_more(operator, combination):
    def of(node_dim: int, layers: int) -> int:
        operators = {f"operator__{layer}": operator for layer in range(1, layers + 1)}
        return estimate(node_dim=node_dim, layers=layers, combination=combination, **operators)

    assert of(16, 1) < of(32, 1) < of(32, 2) < of(64, 2) < of(64, 3)


@pytest.mark.parametrize(
    "more",
    [
        {"averaging": 0.9}, {"edge_dropout": 0.2}, {"dropout": 0.2}, {"l2": 1e-4}, {"contrastive": "sgl"}, {"contrastive": "simgcl"},
        {"operator__1": "gcn"}, {"operator__1": "gat"}, {"edge_dim": 8}, {"activation__1": "elu", "operator__1": "gcn"},
    ],
)  # fmt: skip
def test_what_is_kept_besides_takes_more(more):
    plain = {"dropout": 0.0, "averaging": 0.0}
    assert estimate(**plain | more) > estimate(**plain)


def test_heads_and_negatives_take_more():
    assert estimate(operator__1="gat", heads__1=4) > estimate(operator__1="gat", heads__1=1)
    assert estimate(loss="bpr", negative_count=16) > estimate(loss="bpr", negative_count=1)


def test_a_sample_of_a_large_catalogue_takes_less_than_all_of_it():
    few_users = {**SIZES, "n_users": 100, "n_items": 1_000_000, "n_edges": 1000}
    whole, sample = (Settings.of(Architecture.of({"sampled_items": count})) for count in (0, 1024))
    assert estimate_bytes(sample, **few_users) < estimate_bytes(whole, **few_users)


def test_the_weights_by_hand():
    """Twice as many features of an item: 7 more rows of 64 numbers, held six times, eight with an average."""
    for averaging, copies in ((0.0, 6), (0.9, 8)):
        settings = Settings.of(Architecture.of({"node_dim": 64, "inputs": "both", "averaging": averaging}))
        few, many = (estimate_bytes(settings, **SIZES, item_width=width) for width in (7, 14))
        assert many - few == 7 * 64 * 4 * copies


def test_training_that_would_not_fit_is_refused_before_it_starts(monkeypatch):
    _, graph, valid = planted_blocks()
    settings = Settings.of(Architecture.of({}))
    needed = estimate_bytes(settings, graph.n_users, graph.n_items, graph.n_edges, n_buckets=graph.n_buckets)
    epochs = []

    def run() -> None:
        fit(build_model(Architecture.of({}), graph, 0), graph, valid, TrainConfig(1), lambda report: epochs.append(report.epoch))

    monkeypatch.setattr(train, "available_memory", lambda device: needed)
    run()
    assert epochs == [1]
    monkeypatch.setattr(train, "available_memory", lambda device: 3 * MIB)
    with pytest.raises(OutOfMemory, match=rf"about {-(-needed // MIB)} MiB .* cpu has 3 MiB available.*smaller node_dim"):
        run()
    assert epochs == [1]


def test_the_memory_available_is_part_of_the_machines():
    assert 0 < available_memory(pick_device("cpu")) < psutil.virtual_memory().total


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_the_tightest_control_group_counts(tmp_path):
    membership = tmp_path / "membership"
    groups = tmp_path / "groups"
    write(groups / "outer", memory__max="1000\n", memory__current="700\n", memory__stat="anon 600\ninactive_file 100\n")
    write(groups / "outer/inner", memory__max="max\n", memory__current="500\n", memory__stat="inactive_file 0\n")
    membership.write_text("1:cpu,cpuacct:/elsewhere\n0::/outer/inner\n")
    assert group_memory(groups, membership) == 1000 - 700 + 100
    write(groups / "outer/inner", memory__max="550\n")
    assert group_memory(groups, membership) == 50
    write(groups / "outer/inner", memory__current="600\n")
    assert group_memory(groups, membership) == 0


def test_control_groups_of_the_first_version(tmp_path):
    membership = tmp_path / "membership"
    files = {"memory__limit_in_bytes": "900\n", "memory__usage_in_bytes": "400\n", "memory__stat": "total_inactive_file 30\n"}
    write(tmp_path / "groups/memory", **files)
    # The path is the host's; a container sees only the root.
    membership.write_text("4:cpuset,memory:/docker/abc\n0::/\n")
    assert group_memory(tmp_path / "groups", membership) == 530


def test_no_control_group_is_no_limit(tmp_path):
    assert group_memory(tmp_path, tmp_path / "missing") == float("inf")
