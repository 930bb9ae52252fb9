"""Models from a shell: out of one installation, into another, and what they recommend."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from gnn.bundle import load
from tests.webapp.test_model_services import bundle_file
from webapp.models import Model, ModelVersion
from webapp.services.models import model_import, model_promote

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSMITH_HOME", str(tmp_path / "home"))


@pytest.fixture
def version() -> ModelVersion:
    return model_import(owner=None, file=bundle_file())


def output(*arguments: Any, **options: Any) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out, **options)
    return out.getvalue()


def test_a_model_goes_out_and_in_again(version: ModelVersion, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    assert output("model_export", "films", "--out", str(folder)) == f"{folder}\n"
    assert load(folder).digest == version.digest
    listed = subprocess.run(
        (sys.executable, str(folder / "recommend.py"), "--user", "b", "-k", "2"), check=True, capture_output=True, text=True
    )
    answer = json.loads(output("model_recommend", str(version.pk), "--user", "b", "-k", "2", "--json"))
    assert [line.split("\t")[0] for line in listed.stdout.splitlines()] == [row["item"] for row in answer]
    document = version.document
    Model.objects.all().delete()  # another installation
    assert output("model_import", str(folder)) == "films/1\n"
    assert ModelVersion.objects.get().document == document
    zipped = tmp_path / "films.zip"
    zipped.write_bytes(bundle_file().getvalue())
    assert output("model_import", str(zipped)) == "films/1\n", "it is there already"
    assert output("model_import", str(zipped), "--name", "cinema") == "cinema/1\n"


def test_recommendations_are_those_of_the_bundle(version: ModelVersion, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    output("model_export", f"films/{version.number}", "--out", str(folder))
    model = load(folder).model
    text = output("model_recommend", "films", "--user", "a", "-k", "3")
    assert [line.split()[2] for line in text.splitlines() if line.strip()[:1].isdigit()] == [item for item, _ in model.recommend("a", 3)]
    answer = json.loads(output("model_recommend", "films", "--items", "i0", "i3", "-k", "9", "--json"))
    assert [(row["item"], row["score"]) for row in answer] == model.recommend_new(["i0", "i3"], 9)


def test_a_name_means_the_promoted_version(version: ModelVersion) -> None:
    newer = model_import(owner=None, file=bundle_file(1))
    scores = {row.pk: output("model_recommend", str(row.pk), "--user", "a", "--json") for row in (version, newer)}
    assert output("model_recommend", "films", "--user", "a", "--json") == scores[newer.pk], "the newest while none is promoted"
    model_promote(owner=None, version_id=version.pk)
    assert output("model_recommend", "films", "--user", "a", "--json") == scores[version.pk]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("model_recommend", "films", "--user", "zoe"), "does not know the user 'zoe'"),
        (("model_recommend", "films", "--items", "x"), "knows none of the 1 item"),
        (("model_recommend", "films", "--user", "a", "-k", "0"), "k must be at least 1"),
        (("model_recommend", "nothing", "--user", "a"), "no built version 'nothing'"),
        (("model_recommend", "films/x", "--user", "a"), "no built version 'films/x'"),
        (("model_recommend", "999999999999999999999", "--user", "a"), "no built version"),
        (("model_export", "films/7", "--out", "anywhere"), "no built version 'films/7'"),
        (("model_import", "nowhere.zip"), "cannot be opened: No such file"),
    ],
)
def test_mistakes_are_told(version: ModelVersion, arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        output(*arguments)


def test_what_is_there_is_not_overwritten(version: ModelVersion, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(CommandError, match="is not empty"):
        output("model_export", "films", "--out", str(tmp_path))
    with pytest.raises(CommandError, match="cannot be written"):
        output("model_export", "films", "--out", str(tmp_path / "mine.txt"))


def test_a_damaged_bundle_is_not_taken_in(version: ModelVersion, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    output("model_export", "films", "--out", str(folder))
    (folder / "model.json").unlink()
    with pytest.raises(CommandError, match=r"lacks model\.json"):
        output("model_import", str(folder))
    damaged = tmp_path / "damaged.zip"
    damaged.write_bytes(bundle_file(2).getvalue()[:-100])
    with pytest.raises(CommandError, match="not complete"):
        output("model_import", str(damaged))
    assert ModelVersion.objects.count() == 1


def test_the_architecture_as_text_is_that_of_the_bundle(version: ModelVersion, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    output("model_export", "films", "--out", str(folder))
    assert output("model_architecture", "films") == (folder / "architecture.py").read_text()
    assert output("model_architecture", "films/1", "--to", "recbole") == (folder / "recbole.yaml").read_text()
    with pytest.raises(CommandError, match="There is no built version 'songs'"):
        output("model_architecture", "songs")


def test_the_scorer_is_written_for_other_runtimes(version: ModelVersion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "scorer.onnx"
    assert output("model_onnx", "films", "--out", str(file)) == f"{file}\n"
    assert version.digest.encode() in file.read_bytes()
    with pytest.raises(CommandError, match="cannot be written"):
        output("model_onnx", "films", "--out", str(tmp_path / "nowhere" / "scorer.onnx"))
    monkeypatch.delitem(sys.modules, "gnn.bundle.onnx_scorer")
    monkeypatch.setitem(sys.modules, "onnx", None)  # as where it is not installed
    with pytest.raises(CommandError, match="needs the package onnx: pip install -r requirements-onnx.txt"):
        output("model_onnx", "films", "--out", str(file))
