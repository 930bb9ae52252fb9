"""Bundles: what is written is what was trained, in an environment without Recsmith, and nothing else is read."""

from __future__ import annotations

import io
import json
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import safetensors
from safetensors.numpy import load_file, save_file

from gnn import bundle
from gnn.bundle.card import card
from gnn.bundle.document import ModelDocument
from gnn.bundle.fold_in import fit_fold_in
from gnn.bundle.members import MANIFEST, MODEL, pack, seal, unpack, verify
from gnn.bundle.pyg import pyg_module
from gnn.bundle.recommend import UnknownId
from gnn.catalogue import preset_space
from gnn.errors import BundleError, BundleNewer, BundleTampered, BundleTruncated, BundleUnsafe
from gnn.evaluate import EmbeddingScorer, top_unseen
from gnn.model import build_model
from gnn.protocol import Protocol
from gnn.space import Architecture
from gnn.train import TrainConfig, fit
from tests.gnn.toy import BLOCK_ITEMS, BLOCK_USERS, planted_blocks

ARCHITECTURE = Architecture.of({"node_dim": 16, "layers": 2, "operator.1": "gcn", "scorer": "mlp", "loss": "bpr", "item_bias": "learned"})


def document_of(*, users: int, items: int, dim: int, item_bias: bool, **changes: Any) -> dict[str, Any]:
    measured = {"ndcg@20": {"mean": 0.31, "sd": 0.01}, "recall@20": {"mean": 0.4, "sd": 0.02}}
    scores = {"validation": measured, "test": measured}
    return {
        "name": "films",
        "architecture": ARCHITECTURE.to_json(),
        "space": preset_space("demo").to_json(),
        "protocol": Protocol().to_json(),
        "data": {
            "name": "Films | of *all* kinds", "version": 2, "sha256": "ab" * 32, "users": users, "items": items,
            "interactions": 500, "trained_on": "train", "trained_pairs": 336,
        },
        "metrics": {
            "objective": "ndcg@20", "seeds": [1, 2], "scores": scores, "baselines": {"EASE": scores}, "verdict": "It beats EASE.",
            "interval": {"low": 0.29, "high": 0.33, "confidence": 0.95, "users": 48},
        },
        "training": {"seed": 1, "epochs": 7, "parameters": 1234},
        "code": {"digest": "cd" * 32, "libraries": {"torch": "2.13.0"}},
        "scorer": {"dim": dim, "item_bias": item_bias},
    } | changes  # fmt: skip


@pytest.fixture(scope="module")
def trained() -> tuple[EmbeddingScorer, bundle.TrainedModel]:
    """A network with a perceptron as scorer, trained on planted blocks, with ids that are not plain ASCII."""
    interactions, graph, valid = planted_blocks()
    model = build_model(ARCHITECTURE, graph, seed=1)
    result = fit(model, graph, valid, TrainConfig(max_epochs=30, patience=30))
    users, items = result.scorer.users.numpy(), result.scorer.items.numpy()
    facts = document_of(users=len(users), items=len(items), dim=users.shape[1], item_bias=True)
    ids = pl.Series("user", [f"ü{code} \U0001f3ac" for code in range(len(users))])
    return result.scorer, bundle.TrainedModel(
        users=users,
        items=items,
        seen_indptr=graph.seen_indptr.numpy(),
        seen_items=graph.seen_items.numpy(),
        user_ids=ids,
        item_ids=interactions.item_ids,
        document=ModelDocument.from_json(facts),
    )


@pytest.fixture
def folder(trained: tuple[EmbeddingScorer, bundle.TrainedModel], tmp_path: Path) -> Path:
    place = tmp_path / "bundle"
    place.mkdir()
    bundle.save(trained[1], place)
    return place


def packed(folder: Path) -> bytes:
    file = io.BytesIO()
    pack(folder, file)
    return file.getvalue()


def test_a_bundle_that_was_opened_is_the_model(trained: tuple[EmbeddingScorer, bundle.TrainedModel], folder: Path) -> None:
    scorer, given = trained
    opened = bundle.load(folder)
    assert opened.document == given.document
    assert opened.model.user_ids == given.user_ids.to_list()
    assert opened.model.item_ids == given.item_ids.to_list()
    np.testing.assert_array_equal(opened.model.users, scorer.users.numpy())
    for code in range(len(given.users)):
        np.testing.assert_array_equal(opened.model.seen(code), given.seen_items[given.seen_indptr[code] : given.seen_indptr[code + 1]])
    assert pl.read_parquet(folder / "users.parquet")["id"].to_list() == given.user_ids.to_list()
    assert isinstance(opened.model.items.base, np.memmap) or isinstance(opened.model.items, np.memmap)


CLEAN = """
import sys
sys.path[:0] = [{packages!r}]
import json
import numpy as np
sys.path.insert(0, {folder!r})
import recommend
model = recommend.Model.load({folder!r})
scores = np.stack([model.scores(user) for user in model.user_ids])
lists = [[item for item, _ in model.recommend(user, 20)] for user in model.user_ids]
np.save({out!r}, scores)
print(json.dumps({{"lists": lists, "modules": sorted({{name.partition(".")[0] for name in sys.modules}})}}))
"""


def test_scores_are_equal_for_every_user_where_only_numpy_and_safetensors_are(
    trained: tuple[EmbeddingScorer, bundle.TrainedModel], folder: Path, tmp_path: Path
) -> None:
    # Without the environment's packages; a folder that links to two of them is all there is beside the standard library.
    packages = tmp_path / "packages"
    packages.mkdir()
    for package in (np, safetensors):
        place = Path(str(package.__file__)).parent
        for found in (place, place.with_name(f"{place.name}.libs")):
            if found.exists():
                (packages / found.name).symlink_to(found)
    program = CLEAN.format(packages=str(packages), folder=str(folder), out=str(tmp_path / "scores.npy"))
    done = subprocess.run((sys.executable, "-I", "-S", "-B", "-c", program), check=True, capture_output=True, text=True, cwd=tmp_path)
    answer = json.loads(done.stdout)
    assert not {"torch", "polars", "gnn", "pydantic"} & set(answer["modules"])
    scorer, given = trained
    users = np.arange(len(given.users))
    expected = scorer.users.double() @ scorer.items.double().T
    assert np.abs(np.load(tmp_path / "scores.npy") - expected.numpy()).max() < 1e-5
    best = top_unseen(scorer.users @ scorer.items.T, users, given.seen_indptr, given.seen_items, 20)
    names = given.item_ids.to_list()
    assert answer["lists"] == [[names[item] for item in row if item >= 0] for row in best]


def test_the_script_answers_on_a_command_line(folder: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run((sys.executable, str(folder / "recommend.py"), *arguments), check=False, capture_output=True, text=True)

    model = bundle.load(folder).model
    expected = [f"{item}\t{score:.6f}" for item, score in model.recommend(model.user_ids[3], 5)]
    assert run("--user", model.user_ids[3], "-k", "5").stdout.splitlines() == expected
    assert len(run("--items", "i1", "i2", "nobody's", "-k", "4").stdout.splitlines()) == 4
    unknown = run("--user", "nobody")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert unknown.stderr.startswith("The model does not know the user 'nobody'.")
    assert "k must be at least 1, but is 0." in run("--user", model.user_ids[3], "-k", "0").stderr


def test_what_a_model_recommends(folder: Path) -> None:
    model = bundle.load(folder).model
    everything = model.recommend(model.user_ids[0], 10**6)
    assert len(everything) == len(model.items) - len(model.seen(0))
    assert [score for _, score in everything] == sorted((score for _, score in everything), reverse=True)
    assert len(model.recommend(model.user_ids[0], 10**6, exclude_seen=False)) == len(model.items)
    with pytest.raises(UnknownId, match="knows none of the 2 item"):
        model.recommend_new(["x", "y"], 3)
    block = {f"i{item}" for item in range(BLOCK_ITEMS)}
    assert {item for item, _ in model.recommend_new(["i0", "i1", "i2"], 7)} == block - {"i0", "i1", "i2"}
    assert {item for item, _ in model.similar("i4", 9)} == block - {"i4"}


def test_equal_scores_keep_the_order_of_items() -> None:
    scores = np.array([1.0, 2.0, 2.0, 3.0, 2.0], dtype=np.float32)
    assert bundle.recommend.top(scores, np.array([3]), 2).tolist() == [1, 2]
    assert bundle.recommend.top(scores, np.array([0, 1, 2, 3, 4]), 2).tolist() == []


def test_fold_in_is_the_ridge_regression_it_says() -> None:
    generator = np.random.default_rng(0)
    items, counts = generator.normal(size=(30, 4)), generator.integers(0, 6, 200)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    seen = np.concatenate([np.sort(generator.choice(30, count, replace=False)) for count in counts])
    truth = generator.normal(size=(5, 4))
    means = np.array([items[seen[a:b]].mean(0) if b > a else np.full(4, np.nan) for a, b in zip(indptr[:-1], indptr[1:], strict=True)])
    users = np.column_stack([means, np.ones(200)]) @ truth
    users[counts == 0] = 99.0  # nothing is known of them, so they must not count
    found = fit_fold_in(users, items, indptr, seen)
    have = counts > 0
    design = np.column_stack([means[have], np.ones(have.sum())])
    penalty = 1e-3 * np.square(design[:, :4]).sum() / 4
    stacked = np.vstack([design, np.sqrt(penalty) * np.eye(5)[:4]])
    expected = np.linalg.lstsq(stacked, np.vstack([users[have], np.zeros((4, 4))]))[0]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(found, truth, atol=0.05)


def test_somebody_new_is_recommended_the_block_of_their_items(trained: tuple[EmbeddingScorer, bundle.TrainedModel], folder: Path) -> None:
    """The held-out items of a block are the only ones that are new to its users, so the right answer is planted."""
    model, given = bundle.load(folder).model, trained[1]
    right = 0
    for user in range(len(given.users)):
        items = [given.item_ids[int(code)] for code in model.seen(user)]
        found = {int(item[1:]) // BLOCK_ITEMS for item, _ in model.recommend_new(items, 3)}
        right += found == {user // BLOCK_USERS}
    assert right == len(given.users)


def test_the_same_model_gives_the_same_bytes(trained: tuple[EmbeddingScorer, bundle.TrainedModel], folder: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    again.mkdir()
    bundle.save(trained[1], again)
    assert packed(again) == packed(folder)


def test_a_zip_file_is_the_folder(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "unpacked"
    target.mkdir()
    assert unpack(io.BytesIO(packed(folder)), target) == verify(folder)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_card_says_what_a_reader_needs(folder: Path) -> None:
    text = (folder / "MODEL_CARD.md").read_text()
    for part in (
        "# films",
        "Films \\| of \\*all\\* kinds, version 2",
        "| this architecture | 0.3100 ± 0.0100 | 0.3100 ± 0.0100 |",
        "| EASE |",
        "The 95% interval of test ndcg@20 over 48 users is 0.2900 to 0.3300",
        "- `node_dim`: 16",
        "Seed 1; epochs trained: 7; parameters: 1,234",
        "How evenly it recommends items was not measured.",
    ):
        assert part in text


def test_the_card_says_how_evenly_items_are_recommended() -> None:
    document = document_of(users=3, items=3, dim=2, item_bias=False)
    measured = {"coverage@20": {"mean": 0.3456, "sd": 0.0}, "gini@20": {"mean": 0.8123, "sd": 0.0}, "coverage@10": {"mean": 0.1, "sd": 0.0}}
    document["metrics"]["scores"] = {"validation": {}, "test": measured}
    assert "hold 34.6% of the catalogue; the Gini index of how often they hold each item is 0.812" in card(
        ModelDocument.from_json(document)
    )


def test_the_architecture_comes_as_text_for_others_to_train(folder: Path) -> None:
    assert (folder / "architecture.py").read_text() == pyg_module(ARCHITECTURE)
    assert "no model whose layers are GCN and LightGCN" in (folder / "recbole.yaml").read_text()


def test_a_bundle_of_before_can_be_read_and_packed_as_it_was(folder: Path, tmp_path: Path) -> None:
    document = json.loads((folder / MANIFEST).read_text())
    for name in set(MODEL.members[2]) - set(MODEL.members[1]):
        del document["members"][name]
        (folder / name).unlink()
    (folder / MANIFEST).write_text(json.dumps(document | {"schema": 1}))
    digest = bundle.load(folder).digest
    target = tmp_path / "unpacked"
    target.mkdir()
    assert unpack(io.BytesIO(packed(folder)), target) == digest
    assert {path.name for path in target.iterdir()} == {MANIFEST, *MODEL.members[1]}


def change(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))


def change_array(folder: Path, name: str, make: Callable[[np.ndarray], np.ndarray]) -> None:
    """Another array under true checksums: the work of somebody who knows the format."""
    tensors = load_file(folder / "model.safetensors")
    save_file(tensors | {name: make(tensors[name])}, folder / "model.safetensors")
    seal(folder)


def change_document(folder: Path, text: str) -> None:
    (folder / "model.json").write_text(text)
    seal(folder)


def poison(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(pickle.dumps({"users": [1, 2, 3]}))
    seal(folder)


def flip(folder: Path) -> None:
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-5] ^= 1
    (folder / "model.safetensors").write_bytes(content)


def add_array(folder: Path) -> None:
    save_file(load_file(folder / "model.safetensors") | {"more": np.zeros(1, np.float32)}, folder / "model.safetensors")
    seal(folder)


def not_finite(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array[0, 0] = np.nan
    return array


DAMAGES: dict[str, tuple[Callable[[Path], object], type[BundleError], str]] = {
    "a byte": (flip, BundleTampered, "model.safetensors is not the file that the bundle was made with"),
    "a text": (lambda f: change(f / "MODEL_CARD.md", b"films", b"filmz"), BundleTampered, "MODEL_CARD.md is not the file"),
    "cut off": (lambda f: (f / "model.json").write_bytes(b"{"), BundleTruncated, "model.json has 1 of"),
    "missing": (lambda f: (f / "items.parquet").unlink(), BundleTruncated, "lacks items.parquet"),
    "newer": (lambda f: change(f / MANIFEST, b'"schema": 2', b'"schema": 3'), BundleNewer, "schema 3, but this version reads up to 2"),
    "schema 0": (lambda f: change(f / MANIFEST, b'"schema": 2', b'"schema": 0'), BundleTampered, "KeyError 0"),
    "older with more": (
        lambda f: change(f / MANIFEST, b'"schema": 2', b'"schema": 1'),
        BundleTampered,
        "but names LICENCES.md, MODEL_CARD.md, arch",
    ),
    "no manifest": (lambda f: (f / MANIFEST).unlink(), BundleError, "has no manifest.json"),
    "another manifest": (lambda f: (f / MANIFEST).write_text("[1]"), BundleTampered, "manifest.json is not what a bundle has"),
    "endless size": (lambda f: change(f / MANIFEST, b'"bytes": ', b'"bytes": 1e999, "b": '), BundleTampered, "OverflowError"),
    "another format": (lambda f: change(f / MANIFEST, b"recsmith.bundle", b"recsmith.cheese"), BundleError, "recsmith.cheese"),
    "huge": (lambda f: change(f / MANIFEST, b'"bytes": ', b'"bytes": 9' + b"0" * 15), BundleUnsafe, "more than 64 GiB"),
    "pickle": (poison, BundleUnsafe, "model.safetensors is not a safetensors file"),
    "not JSON": (lambda f: change_document(f, "{'a': 1}"), BundleTampered, "model.json is not JSON"),
    "deep": (lambda f: change_document(f, "[" * 100_000), BundleTampered, "model.json is not JSON"),
    "facts": (lambda f: change_document(f, "{}"), BundleTampered, "name: Field required"),
    "not finite": (lambda f: change_array(f, "items", not_finite), BundleTampered, "'items' has values that are not finite"),
    "type": (lambda f: change_array(f, "users", lambda a: a.astype(np.float64)), BundleTampered, "'users' has the type F64"),
    "shape": (lambda f: change_array(f, "fold_in", lambda a: a[1:]), BundleTampered, "'fold_in' must be F32 of shape"),
    "limits": (lambda f: change_array(f, "seen_indptr", lambda a: a[::-1].copy()), BundleTampered, "do not divide 'seen_items'"),
    "codes": (lambda f: change_array(f, "seen_items", lambda a: a + np.int32(99)), BundleTampered, "names items from 99"),
    "extra": (add_array, BundleTampered, "The arrays must be users"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_not_as_written_is_refused_with_its_reason(folder: Path, damage: str) -> None:
    spoil, kind, message = DAMAGES[damage]
    spoil(folder)
    with pytest.raises(kind, match=message) as error:
        bundle.load(folder)
    assert type(error.value) is kind


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("architecture", {"operator.1": "cheese", "layers": 1}, "cheese"),
        ("protocol", {"k": 0}, "k"),
        ("space", {"schema": 9, "decisions": []}, "space"),
        ("training", {"seed": 1, "epochs": -1, "parameters": 1}, "training.epochs"),
        ("extra", 1, "extra"),
    ],
)
def test_facts_are_checked(field: str, value: Any, message: str) -> None:
    with pytest.raises(BundleTampered, match=message):
        ModelDocument.from_json(document_of(users=3, items=3, dim=2, item_bias=False) | {field: value})


def rezipped(folder: Path, *, extra: dict[str, bytes] | None = None, leave_out: str = "", compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name in (MANIFEST, *MODEL.members[MODEL.schema]):
            if name != leave_out:
                archive.write(folder / name, name)
        for name, content in (extra or {}).items():
            archive.writestr(name, content)
    return file.getvalue()


def bomb(folder: Path) -> bytes:
    (folder / "MODEL_CARD.md").write_bytes(bytes(50_000_000))
    seal(folder)
    return rezipped(folder, compression=zipfile.ZIP_DEFLATED)


ARCHIVES: dict[str, tuple[Callable[[Path], bytes], type[BundleError], str]] = {
    "zip slip": (lambda f: rezipped(f, extra={"../evil.py": b"x"}), BundleUnsafe, "outside its folder"),
    "absolute": (lambda f: rezipped(f, extra={"/etc/evil": b"x"}), BundleUnsafe, "outside its folder"),
    "drive": (lambda f: rezipped(f, extra={"C:evil": b"x"}), BundleUnsafe, "outside its folder"),
    "unnamed": (lambda f: rezipped(f, extra={"evil.py": b"x"}), BundleTampered, "'evil.py' that its manifest does not name"),
    "missing": (lambda f: rezipped(f, leave_out="model.json"), BundleTruncated, "lacks model.json"),
    "truncated": (lambda f: packed(f)[:-200], BundleTruncated, "damaged or not complete"),
    "flipped": (lambda f: (data := bytearray(packed(f))).__setitem__(20_000, data[20_000] ^ 1) or bytes(data), BundleTampered, "CRC"),
    "bomb": (bomb, BundleUnsafe, "more than 100 times its size"),
    "other zip": (lambda f: rezipped(f, leave_out=MANIFEST), BundleError, "it has no manifest.json"),
    "no zip": (lambda f: pickle.dumps([1]), BundleError, "not a zip file"),
    "empty": (lambda f: b"", BundleError, "not a zip file"),
}


@pytest.mark.parametrize("case", ARCHIVES)
def test_a_zip_file_that_is_no_bundle_is_refused_with_its_reason(folder: Path, tmp_path: Path, case: str) -> None:
    make, kind, message = ARCHIVES[case]
    target = tmp_path / "place" / "unpacked"
    target.mkdir(parents=True)
    with pytest.raises(kind, match=message) as error:
        unpack(io.BytesIO(make(folder)), target)
    assert type(error.value) is kind
    assert [path.name for path in target.parent.iterdir()] == ["unpacked"]
