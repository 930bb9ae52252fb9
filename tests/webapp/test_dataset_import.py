"""The shell's import of folders and of several files, through the real service."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from gnn.protocol import Protocol
from gnn.sources.side import SideTable, side_mapping
from gnn.splits import split
from webapp.enums import DatasetState, FileKind
from webapp.models import Dataset
from webapp.selectors.datasets import dataset_interactions

pytestmark = pytest.mark.django_db


def ratings(first: int, last: int) -> str:
    return "user,item,rating\n" + "".join(f"u{at % 9},i{at % 13},{at % 5 + 1}\n" for at in range(first, last))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "README.txt").write_text("not data")
    (tmp_path / "picture.csv").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "train.csv").write_text(ratings(0, 80))
    (tmp_path / "test.csv").write_text(ratings(80, 110) + ",i1,1\n")
    (tmp_path / "items.csv").write_text("item,colour\n" + "".join(f"i{at},{'red' if at % 2 else 'blue'}\n" for at in range(10)))
    (tmp_path / "trust.csv").write_text("u1,u2\nu2,u3\nu1,zz\n")
    return tmp_path


def test_a_folder_is_imported_with_its_split_and_side_tables(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("dataset_import", str(folder), "--name", "shop")
    dataset = Dataset.objects.get()
    assert (dataset.state, dataset.name, dataset.version) == (DatasetState.READY, "shop", 1)
    out, err = capsys.readouterr()
    assert "picture.csv is left out: The file picture.csv is a PNG picture" in err
    assert (
        "train.csv is read as text divided by comma , with user 'user' (95% sure), item 'item' (95% sure), weight 'rating' (95% sure)"
        in err
    )
    assert "110 interactions" in out and "30 test" in out and "items.csv: 10 rows of item attributes, coverage 76.9%" in out
    interactions = dataset_interactions(dataset)
    parts = split(interactions, Protocol(split="predefined", valid_fraction=0.2))
    assert len(parts.test) == 30 and len(parts.train) + len(parts.valid) == 80 and len(parts.valid) > 0
    assert interactions.part is not None and np.bincount(interactions.part).tolist() == [80, 0, 30]
    files = {file.filename: file for file in dataset.files.all()}
    assert {name: file.kind for name, file in files.items()} == {
        "test.csv": FileKind.INTERACTIONS,
        "items.csv": FileKind.ITEM_ATTRIBUTES,
        "trust.csv": FileKind.SOCIAL,
    }
    with default_storage.open(files["items.csv"].data_blob) as stored:
        table = SideTable.from_parquet(stored, side_mapping(files["items.csv"].mapping))
    assert table.table.head(1).rows() == [("i0", "blue")]
    with default_storage.open(files["test.csv"].rejects_blob) as stored:
        rows = list(csv.reader(io.StringIO(stored.read().decode())))
    assert rows == [["line", "column", "reason", "text"], ["32", "user", "missing user", ""]]
    rejects = dataset.profile["rejects"]
    assert (rejects["rows_read"], rejects["rows_kept"]) == (111, 110)
    assert rejects["reasons"][0]["examples"] == [{"line": 32, "column": "test.csv: user", "text": ""}]
    social = next(side for side in dataset.profile["side"] if side["kind"] == "social")
    assert (social["edges"], social["unknown"]) == (2, 1)


def test_the_limit_of_decompressed_bytes_holds_for_folders_too(folder: Path, settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "large.csv.gz").write_bytes(gzip.compress(b"item,note\n" + b"i1,%s\n" % (b"x" * 1_200_000)))
    settings.RECSMITH_DECOMPRESS_LIMIT_MB = 1
    call_command("dataset_import", str(folder))
    assert "large.csv.gz is left out: large.csv.gz holds more than 1 MB when decompressed" in capsys.readouterr().err


def test_lines_above_a_table_are_seen_or_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "export.csv"
    path.write_text("sep=,\n# of a shop\n\n" + ratings(0, 80) + ",i1,1\n")
    call_command("dataset_import", str(path))
    out, err = capsys.readouterr()
    assert "export.csv is read as text divided by comma ,, lines 1 to 3 skipped, with user 'user'" in err
    assert "81 rows read, 80 kept, 1 rejected" in out and "first in line 85" in out
    call_command("dataset_import", str(path), "--skip-lines", "5", "--no-header")
    out, err = capsys.readouterr()
    assert "lines 1 to 5 skipped" in err and "80 rows read, 79 kept" in out
    for wrong in ("-1", "1001"):
        with pytest.raises(CommandError, match="--skip-lines must be from 0 to 1,000"):
            call_command("dataset_import", str(path), "--skip-lines", wrong)


def test_parts_with_other_lines_above_them_are_read_each_by_its_own(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("# training\n\n" + ratings(0, 80))
    (tmp_path / "test.csv").write_text(ratings(80, 110))
    call_command("dataset_import", str(tmp_path))
    profile = Dataset.objects.get().profile
    assert (profile["rejects"]["rows_read"], profile["rejects"]["rows_kept"]) == (110, 110)


def test_how_numbers_are_written_can_be_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "plays.csv"
    path.write_text("user;item;plays\n" + "".join(f"u{at % 9};i{at % 13};{at % 5 + 1},{at:03}\n" for at in range(80)))
    call_command("dataset_import", str(path))
    assert "note: plays.csv: In column 'plays' the comma of numbers such as 1,000 may be the decimal sign" in capsys.readouterr().err
    call_command("dataset_import", str(path), "--numbers", "1,234.5")
    first, second = (dataset_interactions(dataset).weight for dataset in Dataset.objects.order_by("pk"))
    assert first is not None and second is not None
    np.testing.assert_allclose(1000 * first, second, rtol=1e-6)


def test_what_files_are_can_be_said(folder: Path) -> None:
    (folder / "plays").write_text(ratings(0, 40))
    (folder / "buys").write_text(ratings(40, 60))
    call_command(
        "dataset_import", f"behaviour:play={folder / 'plays'}", f"behaviour:buy={folder / 'buys'}", f"social={folder / 'trust.csv'}"
    )
    dataset = Dataset.objects.get()
    interactions = dataset_interactions(dataset)
    assert interactions.behaviour is not None and np.bincount(interactions.behaviour).tolist() == [40, 20]
    assert interactions.behaviour_names is not None and interactions.behaviour_names.to_list() == ["play", "buy"]
    assert dataset.profile["roles"]["behaviour"] == {"names": ["play", "buy"], "counts": [40, 20], "distinct": 2}


def test_domains_keep_equal_item_numbers_apart(tmp_path: Path) -> None:
    for name in ("books", "films"):
        (tmp_path / name).write_text(ratings(0, 40))
    call_command("dataset_import", f"domain:books={tmp_path / 'books'}", f"domain:films={tmp_path / 'films'}")
    dataset = Dataset.objects.get()
    assert (dataset.profile["users"], dataset.profile["items"], dataset.profile["interactions"]) == (9, 26, 80)


def test_how_a_file_is_understood_tells_guesses_from_what_was_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "r.csv").write_text("".join(f"{at % 9};{at % 13};{at % 5}\n" for at in range(80)))
    call_command("dataset_import", str(tmp_path / "r.csv"), "--user-column", "2", "--item-column", "1")
    assert "semicolon ; with user 'column 2' (as said), item 'column 1' (as said), weight 'column 3' (50% sure)" in capsys.readouterr().err


def test_matrices_named_like_a_split_are_refused(tmp_path: Path) -> None:
    matrix = "".join(" ".join(str((user * item) % 5) for item in range(40)) + "\n" for user in range(30))
    for name in ("train.ascii", "test.ascii"):
        (tmp_path / name).write_text(matrix)
    with pytest.raises(
        CommandError,
        match="train.ascii has no column that can be taken for the user or the item.*Say .* --user-column COLUMN and --item-column",
    ):
        call_command("dataset_import", str(tmp_path))
    assert not Dataset.objects.exists()


def test_a_second_column_of_items_is_named_where_other_tables_are_joined_by_the_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"{at % 9},{at % 13},{100 + at % 13},{at % 5 + 1}\n" for at in range(80))
    (tmp_path / "ratings.csv").write_text("user_id,item_idx,movie_id,rating\n" + rows)
    (tmp_path / "movies.csv").write_text("movie_id,genre\n" + "".join(f"{at},{'war' if at % 2 else 'love'}\n" for at in range(7, 120)))
    call_command("dataset_import", str(tmp_path))
    out, err = capsys.readouterr()
    assert "coverage 46.2%" in out  # of the items 0 to 12, the table has 7 to 12
    assert "note: ratings.csv: 'movie_id' could be the item as well as 'item_idx'. Other tables are joined by the item" in err
    assert "could be the user" not in err
    call_command("dataset_import", str(tmp_path), "--item-column", "movie_id")
    out, err = capsys.readouterr()
    assert "coverage 100.0%" in out
    assert "could be the item" not in err
    call_command("dataset_import", str(tmp_path / "ratings.csv"))
    assert "could be the item" not in capsys.readouterr().err


def test_a_log_without_users_is_refused_with_what_to_do(tmp_path: Path) -> None:
    rows = "".join(f"{at},{at % 13},{at % 3},{at % 2},f{at % 4},0.0\n" for at in range(80))
    (tmp_path / "all.csv").write_text(",item_id,position,click,user_feature_0,user-item_affinity_0\n" + rows)
    with pytest.raises(CommandError, match="all.csv has no column that can be taken for the user; .*add a column that tells the user"):
        call_command("dataset_import", str(tmp_path / "all.csv"))
    assert not Dataset.objects.exists()


def test_parquet_is_imported(tmp_path: Path) -> None:
    pl.read_csv(ratings(0, 80).encode()).write_parquet(tmp_path / "r.parquet")
    call_command("dataset_import", str(tmp_path / "r.parquet"))
    assert Dataset.objects.get().mapping["columns"] == {"user": "user", "item": "item", "weight": "rating"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["planet={}/train.csv"], "'planet' before = must be one of train, valid, test, interactions"),
        (["social={}/trust.csv", "social={}/items.csv"], "None of the files holds interactions"),
        (["{}/none.csv", "{}/train.csv"], "none.csv cannot be opened: No such file"),
    ],
)
def test_what_cannot_be_imported_is_told(folder: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        call_command("dataset_import", *(argument.format(folder) for argument in arguments))
    assert not Dataset.objects.exists()


def test_several_tables_of_interactions_in_a_folder_are_behaviours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "play.tsv").write_text("User_ID\tGame_ID\tHours\n" + "".join(f"{at % 9}\t{at % 13}\t{at / 2}\n" for at in range(80)))
    (tmp_path / "buy.tsv").write_text("User_ID\tGame_ID\tPurchase\n" + "".join(f"{at % 9}\t{at % 13}\t1.0\n" for at in range(20)))
    (tmp_path / "user_info.tsv").write_text("New_ID\tReal_ID\n" + "".join(f"{at}\t{9000 + 7 * at}\n" for at in range(60)))
    call_command("dataset_import", str(tmp_path))
    err = capsys.readouterr().err
    assert "Each file of interactions is taken as a behaviour: buy (buy.tsv), play (play.tsv)." in err
    assert "user_info.tsv is left out: No column of user_info.tsv describes anything" in err
    assert Dataset.objects.get().profile["roles"]["behaviour"] == {"names": ["play", "buy"], "counts": [80, 20], "distinct": 2}


def test_several_tables_whose_users_and_items_are_not_named_are_refused(tmp_path: Path) -> None:
    for name in ("play.csv", "buy.csv"):
        (tmp_path / name).write_text("".join(f"{at % 9},{at % 13}\n" for at in range(80)))
    with pytest.raises(CommandError, match=r"must hold interactions, but 2 do \(buy.csv, play.csv\)"):
        call_command("dataset_import", str(tmp_path))
    assert not Dataset.objects.exists()


def test_a_folder_with_files_only_in_subfolders_names_the_command_for_each(tmp_path: Path) -> None:
    (tmp_path / "README.txt").write_text("two data sets")
    for name in ("sport", "phone calls"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "r.csv").write_text(ratings(0, 80))
    (tmp_path / "empty").mkdir()
    with pytest.raises(CommandError, match="itself holds no table, but its subfolders hold files") as told:
        call_command("dataset_import", str(tmp_path))
    assert str(told.value).splitlines()[1:] == [
        f"  manage.py dataset_import '{tmp_path}/phone calls'",
        f"  manage.py dataset_import {tmp_path}/sport",
    ]


def test_some_parts_and_some_not_is_refused(folder: Path) -> None:
    (folder / "more.csv").write_text(ratings(0, 20))
    with pytest.raises(CommandError, match="more.csv is no part of a split, but other files are"):
        call_command("dataset_import", str(folder / "train.csv"), str(folder / "test.csv"), f"interactions={folder / 'more.csv'}")
