from __future__ import annotations

import json

import numpy as np
import pytest

from gnn.__main__ import main
from gnn.baselines import BASELINES, linear
from tests.gnn.toy import planted_blocks

FAST = ["--k", "3", "--metric", "recall", "--threads", "1", "--json"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    interactions, _, _ = planted_blocks()
    file = tmp_path_factory.mktemp("table") / "plays.csv"
    rows = zip(interactions.user.tolist(), interactions.item.tolist(), strict=True)
    file.write_text("user,item\n" + "".join(f"u{user},i{item}\n" for user, item in rows))
    return file


@pytest.fixture(scope="module")
def folder(table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("split")
    header, *rows = table.read_text().splitlines()
    order = np.random.default_rng(0).permutation(len(rows))
    for part, index in zip(("train", "valid", "test"), np.split(order, [380, 430]), strict=True):
        (folder / f"{part}.csv").write_text("\n".join([header, *(rows[i] for i in index)]) + "\n")
    return folder


def run(capsys, *arguments):
    status = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.parametrize("kind", ["table", "folder"])
def test_fit_then_evaluate_agree_on_validation(kind, request, tmp_path, capsys):
    path, model = request.getfixturevalue(kind), tmp_path / "model.safetensors"
    decisions = json.dumps({"node_dim": 16, "learning_rate": 0.05})
    status, out, _ = run(capsys, "fit", path, *FAST, "--arch", decisions, "--max-epochs", 20, "--out", model)
    trained = json.loads(out)
    assert status == 0 and trained["validation"]["recall@3"] > 0.8
    status, out, _ = run(capsys, "evaluate", path, *FAST, "--model", model)
    judged = json.loads(out)
    assert status == 0 and judged["validation"] == trained["validation"]
    assert judged["test"]["recall@3"] > 0.8


def test_baselines_are_judged_on_both_parts(table, capsys):
    status, out, _ = run(capsys, "baselines", table, *FAST)
    report = json.loads(out)
    assert status == 0 and list(report) == list(BASELINES)
    assert report["ease"]["test"]["recall@3"] > 0.9 > report["popularity"]["test"]["recall@3"]


def test_a_baseline_that_needs_too_much_memory_is_told_beside_the_others(table, capsys, monkeypatch):
    monkeypatch.setattr(linear, "EASE_MAX_ITEMS", 1)
    only = ("--only", "ease", "--only", "popularity")
    status, out, err = run(capsys, "baselines", table, *FAST, *only)
    report = json.loads(out)
    assert status == 0 and list(report) == ["ease", "popularity"]
    assert "dense matrix" in report["ease"]["error"] and 0 < report["popularity"]["test"]["recall@3"] < 1
    status, out, _ = run(capsys, "baselines", table, *FAST[:-1], *only)
    assert "ease: EASE needs" in out and "popularity" in out and "recall@3" in out


def test_without_json_people_read_a_table_and_with_it_one_line(folder, tmp_path, capsys):
    file = tmp_path / "architecture.json"
    file.write_text('{"node_dim": 8}')
    status, out, err = run(capsys, "fit", folder, "--arch", file, "--max-epochs", 1, "--threads", 1)
    assert status == 0 and "best_epoch: 1" in out and "ndcg@20" in out and "validation" in out
    assert "1/1" in err, "the progress bar is on standard error"
    status, out, _ = run(capsys, "fit", folder, "--arch", file, "--max-epochs", 1, "--threads", 1, "--json")
    assert out.count("\n") == 1 and json.loads(out)["architecture"] == {"node_dim": 8}


def test_a_model_of_other_items_is_refused(table, folder, tmp_path, capsys):
    model = tmp_path / "model.safetensors"
    run(capsys, "fit", folder, *FAST, "--max-epochs", 1, "--out", model)
    status, out, err = run(capsys, "evaluate", table, *FAST, "--model", model)
    assert (status, out) == (1, "") and "other users or items" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--arch", '{"width": 1}'], "Unknown decision"),
        (["--arch", "nowhere.json"], "neither JSON nor a file"),
        (["--arch", '{"node_dim": [1]}'], "JSON object of decisions"),
        (["--k", "0"], "Protocol setting k"),
        (["--split", "temporal"], "timestamp"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(table, capsys, arguments, message):
    status, out, err = run(capsys, "fit", table, *arguments)
    assert (status, out) == (1, "") and message in err


def test_a_missing_file_is_named(tmp_path, capsys):
    status, _, err = run(capsys, "baselines", tmp_path / "none.csv")
    assert status == 1 and "none.csv cannot be read" in err
    status, _, err = run(capsys, "baselines", tmp_path)
    assert status == 1 and "holds no file that can be read as a table" in err
