"""The API as programs see it: access, errors, pages, ETags, and what each part gives and does."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from gnn.catalogue import preset_space
from tests.webapp.calling import Program, refused
from tests.webapp.factories import make_baseline, make_curve, make_dataset, make_finalist, make_search, make_trials, make_worker
from tests.webapp.test_model_services import bundle_file
from webapp.blobs import PART_BYTES
from webapp.enums import DatasetState, Scope, SearchState
from webapp.models import Dataset, Model, ModelVersion, Search, Space, Trial, Worker
from webapp.services.datasets import dataset_ingest
from webapp.services.models import model_import
from webapp.services.spaces import space_create
from webapp.services.tokens import token_create

pytestmark = pytest.mark.usefixtures("static_files")

CSV = b"user,item,rating\n" + b"".join(b"u%d,i%d,%d\n" % (n % 7, n % 5, n % 3 + 1) for n in range(30))
PROFILE = {"users": 7, "items": 5, "interactions": 30, "pairs": 30, "timeline": None, "parts": None}


# --- access -----------------------------------------------------------------------------------------------------------


def test_no_token_no_answer(client: Client, user: User) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer"}):
        answer = client.get("/api/v1/datasets", headers=headers)
        assert refused(answer, 401)["title"] == "Unauthorized"
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_session_of_the_browser_is_no_token(signed_in: Client) -> None:
    refused(signed_in.post("/api/v1/spaces", {}, content_type="application/json"), 401)


def test_a_token_does_what_its_scopes_say(client: Client, user: User) -> None:
    _, secret = token_create(owner=user, name="reader", scopes=[Scope.READ])
    headers = {"Authorization": f"Bearer {secret}"}
    assert client.get("/api/v1/datasets", headers=headers).status_code == 200
    problem = refused(client.post("/api/v1/spaces", {}, content_type="application/json", headers=headers), 403)
    assert "'write'" in problem["detail"]


# --- errors -----------------------------------------------------------------------------------------------------------


def test_a_wrong_method_is_a_problem_that_names_the_right_ones(program: Program) -> None:
    answer = program.delete("/datasets")
    assert refused(answer, 405)["title"] == "Method Not Allowed"
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "POST"}


def test_a_wrong_value_is_named(program: Program) -> None:
    problem = refused(program.get("/datasets", limit=1000), 422)
    assert [error["field"] for error in problem["errors"]] == ["query.limit"]
    problem = refused(program.post("/uploads", {"filename": "a.csv", "size": -1}), 422)
    assert [error["field"] for error in problem["errors"]] == ["body.size"]


@pytest.mark.parametrize("body", ["{", "[1, NaN]", '{"name": 1e999}', '{"name": "\\u0000"}', '{"\\ud800": 1}', "[" * 100_000])
def test_a_body_that_cannot_be_kept_is_refused(program: Program, body: str) -> None:
    answer = program.ask("post", "/spaces/size", data=body, content_type="application/json")
    assert "parse" in refused(answer, 400)["detail"]


def test_a_body_that_is_too_large_is_refused(program: Program) -> None:
    body = '{"document": "%s"}' % ("x" * 3_000_000)
    refused(program.ask("post", "/spaces/size", data=body, content_type="application/json"), 413)


def test_a_request_that_django_suspects_is_a_problem(program: Program) -> None:
    refused(program.get("/datasets", q=["a"] * 1001), 400)
    broken = "multipart/form-data; boundary=é"
    refused(program.ask("post", "/datasets", data=b"x", content_type=broken), 400)


def test_an_unexpected_error_tells_nothing_but_is_logged(
    program: Program, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    search = make_search()
    Search.objects.filter(pk=search.pk).update(protocol={"metric": 3})  # a row that no code of ours writes
    monkeypatch.setattr("webapp.selectors.searches.Protocol.from_json", lambda document: {}["secret detail"])
    with caplog.at_level(logging.ERROR):
        problem = refused(program.get(f"/searches/{search.pk}"), 500)
    assert "secret" not in problem["detail"] and "secret detail" in caplog.text


# --- pages ------------------------------------------------------------------------------------------------------------


def fill_models(n: int) -> None:
    for number in range(n):
        ModelVersion.objects.create(model=Model.objects.create(name=f"model-{number}"), number=1, state="ready")


def fill_workers(n: int) -> None:
    for number in range(n):
        worker = make_worker()
        Worker.objects.filter(pk=worker.pk).update(name=f"worker-{number}")


def fill_searches(n: int) -> None:
    dataset = make_dataset()
    for _ in range(n):
        make_trials(make_search(dataset=dataset), [0.1, None])


def fill_spaces(n: int) -> None:
    for number in range(n):
        space_create(owner=User.objects.get(), name=f"space {number}", space=preset_space("demo"))


LISTS: dict[str, tuple[Callable[[int], Any], str]] = {
    "/datasets": (lambda n: [make_dataset(owner=User.objects.get()) for _ in range(n)], "id"),
    "/spaces": (fill_spaces, "name"),
    "/searches": (fill_searches, "id"),
    "/models": (fill_models, "name"),
    "/workers": (fill_workers, "name"),
}


@pytest.mark.parametrize("path", LISTS)
def test_pages_hold_each_row_once_and_take_as_many_queries_for_many_rows(program: Program, path: str) -> None:
    fill, key = LISTS[path]
    fill(7)
    program.get(path)  # the use of the token is written now, not while queries are counted
    pages = list(program.pages(path, limit=3))
    assert [len(page) for page in pages] == [3, 3, 1]
    found = [row[key] for page in pages for row in page]
    assert len(set(found)) == 7 and found == sorted(found, reverse=key == "id")
    counts = []
    for limit in (1, 7):
        with CaptureQueriesContext(connection) as queries:
            assert len(program.get(path, limit=limit).json()["items"]) == limit
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 4, counts


def test_rows_that_come_and_go_shift_nothing(program: Program) -> None:
    datasets = [make_dataset().pk for _ in range(6)]
    first = program.get("/datasets", limit=2).json()
    make_dataset()
    Dataset.objects.filter(pk=datasets[-1]).delete()
    second = program.get("/datasets", limit=2, cursor=first["next"]).json()
    assert [row["id"] for row in second["items"]] == [datasets[-3], datasets[-4]]


@pytest.mark.parametrize("cursor", ["x", "WyItaWQiLCAxXQ", "WyJuYW1lIiwgImEiXQ", "bnVsbA", "\x00", "é"])
def test_a_cursor_of_something_else_is_refused(program: Program, cursor: str) -> None:
    path = "/spaces" if cursor.startswith("WyIt") else "/datasets"
    assert refused(program.get(path, cursor=cursor), 422)["errors"][0]["field"] == "query.cursor"


def test_an_answer_that_is_known_is_not_sent_again(program: Program) -> None:
    dataset = make_dataset()
    answer = program.get(f"/datasets/{dataset.pk}")
    again = program.ask("get", f"/datasets/{dataset.pk}", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304 and again.content == b""
    Dataset.objects.update(name="Another")
    assert program.ask("get", f"/datasets/{dataset.pk}", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 200


def test_head_is_get_without_its_body(program: Program) -> None:
    dataset = make_dataset()
    head, get = (program.ask(method, f"/datasets/{dataset.pk}") for method in ("head", "get"))
    assert head.status_code == 200 and head.content == b"" and head.headers["ETag"] == get.headers["ETag"]


# --- datasets ---------------------------------------------------------------------------------------------------------


def test_a_dataset_comes_in_one_request_and_is_mapped(program: Program, user: User) -> None:
    file = SimpleUploadedFile("clicks.csv", CSV, "text/csv")
    made = program.ask("post", "/datasets", data={"file": file, "name": "Clicks"})
    assert made.status_code == 201 and made.json()["state"] == "uploaded" and made.json()["owner"] == "ada"
    path = f"/datasets/{made.json()['id']}"
    detected = program.get(f"{path}/detected").json()
    assert [column["name"] for column in detected["columns"]] == ["user", "item", "rating"]
    assert detected["mapping"]["columns"] == {"user": 0, "item": 1, "weight": 2}
    mapping = detected["mapping"] | {"columns": {"user": 0, "item": 1}}
    answer = program.put(f"{path}/mapping", {"mapping": mapping, "preparation": {"core": 2}})
    assert answer.status_code == 202 and answer.json()["state"] == "ingesting"
    assert answer.json()["mapping"]["columns"] == {"user": 0, "item": 1} and answer.json()["preparation"]["core"] == 2
    assert program.put(f"{path}/mapping", {"mapping": mapping, "preparation": {"core": 2}}).status_code == 202  # the same again
    assert "other columns" in refused(program.put(f"{path}/mapping", {"preparation": {"core": 3}}), 409)["detail"]
    assert program.post(f"{path}/cancel").json()["state"] == "uploaded"
    assert program.delete(path).status_code == 204
    refused(program.get(path), 404)


def test_a_file_that_is_no_table_is_refused(program: Program) -> None:
    file = SimpleUploadedFile("a.csv", b"\x00\x01\x02" * 100)
    refused(program.ask("post", "/datasets", data={"file": file}), 422)
    assert not Dataset.objects.exists()


def test_a_file_comes_in_chunks(program: Program) -> None:
    content = b"user,item\n" + b"u1,i1\n" * (PART_BYTES // 6)
    upload = program.post("/uploads", {"filename": "big.csv", "size": len(content), "name": "Big"}).json()
    path = f"/uploads/{upload['id']}"

    def send(offset: int, data: bytes) -> Any:
        headers = {"Upload-Offset": str(offset)}
        return program.ask("patch", path, data=data, content_type="application/octet-stream", headers=headers)

    assert send(0, content[:PART_BYTES]).json()["offset"] == PART_BYTES
    refused(send(0, content[:PART_BYTES]), 409)
    assert program.get(path).json()["offset"] == PART_BYTES
    refused(program.post(f"{path}/finish"), 409)
    assert [row["id"] for row in program.get("/uploads").json()["items"]] == [upload["id"]]
    assert send(PART_BYTES, content[PART_BYTES:]).json()["offset"] == len(content)
    dataset = program.post(f"{path}/finish")
    assert dataset.status_code == 201 and dataset.json()["name"] == "Big"
    assert program.post(f"{path}/finish").json()["id"] == dataset.json()["id"]
    assert program.get("/uploads").json()["items"] == []


def test_nobody_sees_the_upload_of_another_person(program: Program) -> None:
    upload = program.post("/uploads", {"filename": "a.csv", "size": 10}).json()
    eve = Program(User.objects.create_user("eve"))
    refused(eve.get(f"/uploads/{upload['id']}"), 404)
    refused(eve.post(f"/uploads/{upload['id']}/finish"), 404)
    assert eve.get("/uploads").json()["items"] == []
    assert eve.delete(f"/uploads/{upload['id']}").status_code == 204  # and nothing is gone
    assert program.delete(f"/uploads/{upload['id']}").status_code == 204
    refused(program.get(f"/uploads/{upload['id']}"), 404)


def test_a_ready_dataset_has_a_profile_and_versions(program: Program) -> None:
    dataset = make_dataset(profile=PROFILE)
    assert program.get(f"/datasets/{dataset.pk}").json()["users"] == 7
    assert program.get("/datasets").json()["items"][0]["interactions"] == 30
    assert program.get(f"/datasets/{dataset.pk}/profile").json() == PROFILE
    version = program.post(f"/datasets/{dataset.pk}/versions").json()
    assert (version["version"], version["previous"], version["state"]) == (2, dataset.pk, "uploaded")
    assert program.get(f"/datasets/{dataset.pk}").json()["next_versions"] == [version["id"]]
    refused(program.get(f"/datasets/{version['id']}/profile"), 404)
    refused(program.get(f"/datasets/{dataset.pk}/rejects.csv"), 404)


def test_a_side_table_is_added_mapped_and_taken_away(program: Program) -> None:
    dataset = program.ask("post", "/datasets", data={"file": SimpleUploadedFile("clicks.csv", CSV)}).json()
    content = b"name,other\nu1,u2\nu2,u3\n"
    refused(program.post("/uploads", {"filename": "friends.csv", "size": len(content), "dataset": dataset["id"]}), 422)
    asked = {"filename": "friends.csv", "size": len(content), "dataset": dataset["id"], "kind": "social"}
    upload = f"/uploads/{program.post('/uploads', asked).json()['id']}"
    program.ask("patch", upload, data=content, content_type="application/octet-stream", headers={"Upload-Offset": "0"})
    [file] = program.post(f"{upload}/finish").json()["files"]
    assert (file["kind"], file["filename"]) == ("social", "friends.csv")
    path = f"/datasets/{dataset['id']}/files/{file['id']}"
    mapped = program.put(f"{path}/mapping", {"kind": "social", "columns": {"user": 0, "friend": 1}})
    assert mapped.json()["mapping"]["columns"] == {"user": 0, "friend": 1}
    wrong = {"kind": "triples", "columns": {"head": 0, "relation": 1, "tail": 2}}
    assert "holds social edges" in refused(program.put(f"{path}/mapping", wrong), 422)["detail"]
    assert program.delete(path).status_code == 204
    assert program.get(f"/datasets/{dataset['id']}").json()["files"] == []
    refused(program.delete(path), 404)


def test_rejected_rows_are_downloaded(program: Program) -> None:
    file = SimpleUploadedFile("clicks.csv", CSV + b",i9,2\n")
    path = f"/datasets/{program.ask('post', '/datasets', data={'file': file}).json()['id']}"
    program.put(f"{path}/mapping", {})
    dataset_ingest(dataset_id=int(path.rpartition("/")[2]))
    assert program.get(path).json()["has_rejects"] is True
    answer = program.get(f"{path}/rejects.csv")
    assert answer.headers["Content-Type"].startswith("text/csv") and b"32,user,missing user" in b"".join(answer.streaming_content)


def test_a_dataset_in_use_stays(program: Program) -> None:
    search = make_search(state=SearchState.FINISHED)
    path = f"/datasets/{search.dataset_id}"
    refused(program.delete(path), 409)
    assert program.delete(path, with_searches=True).status_code == 204
    assert not Search.objects.exists()


# --- spaces -----------------------------------------------------------------------------------------------------------


def test_a_space_is_made_changed_and_deleted(program: Program) -> None:
    preset = program.get("/spaces/presets/demo").json()
    assert preset["size"] == preset_space("demo").size
    assert preset in program.get("/spaces/presets").json()
    size = program.post("/spaces/size", {"document": preset["document"]}).json()
    assert size == {"size": preset["size"], "decisions": preset["decisions"]}
    made = program.post("/spaces", {"name": "Mine", "document": preset["document"]})
    assert made.status_code == 201 and made.json()["owner"] == "ada"
    problem = refused(program.post("/spaces", {"name": "Mine", "document": preset["document"]}), 422)
    assert problem["errors"][0]["field"] == "name"
    path = f"/spaces/{made.json()['id']}"
    assert program.put(path, {"name": "Ours", "document": preset["document"]}).json()["name"] == "Ours"
    assert program.get(path).json()["document"] == preset["document"]
    assert program.delete(path).status_code == 204 and not Space.objects.exists()


def test_a_space_that_cannot_be_trained_is_refused(program: Program) -> None:
    document = {"schema": 1, "decisions": [{"name": "depth", "choices": [1, 2]}]}
    assert "depth" in refused(program.post("/spaces/size", {"document": document}), 422)["detail"]


# --- searches ---------------------------------------------------------------------------------------------------------


def start(on: Dataset, **changes: Any) -> dict[str, Any]:
    return {"dataset": on.pk, "preset": "demo", "planned_trials": 6, "protocol": {"max_epochs": 12}} | changes


def test_a_repeated_start_gives_the_same_search(program: Program) -> None:
    dataset = make_dataset(profile=PROFILE)
    first = program.post("/searches", start(dataset), **{"Idempotency-Key": "night"})
    again = program.post("/searches", start(dataset), **{"Idempotency-Key": "night"})
    assert first.status_code == again.status_code == 201 and first.json()["id"] == again.json()["id"]
    assert first.json()["planned_trials"] == 6 and first.json()["protocol"]["max_epochs"] == 12
    refused(program.post("/searches", start(dataset, seed=5), **{"Idempotency-Key": "night"}), 409)
    eve = Program(User.objects.create_user("eve"))
    assert eve.post("/searches", start(dataset, seed=5), **{"Idempotency-Key": "night"}).status_code == 201
    program.post("/searches", start(dataset))
    program.post("/searches", start(dataset))
    assert Search.objects.count() == 4


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"preset": None}, 422, "one of `preset`, `space` and `document`"),
        ({"preset": "none"}, 422, "none"),
        ({"dataset": 10**12}, 422, "no dataset 1000000000000"),
        ({"controller": "luck"}, 422, "no controller 'luck'"),
        ({"planned_trials": 0}, 422, "planned_trials"),
        ({"protocol": {"split": "temporal"}}, 422, "no times"),
        ({"plan": {"budget": {"seconds": "inf"}}}, 422, "finite"),
        ({"plan": {"budgets": {}}}, 422, "budgets"),
    ],
)
def test_a_search_that_cannot_be_is_not_started(program: Program, changes: dict[str, Any], status: int, words: str) -> None:
    dataset = make_dataset(profile=PROFILE)
    assert words in refused(program.post("/searches", start(dataset, **changes)), status)["detail"]
    assert not Search.objects.exists()


def test_a_search_needs_a_ready_dataset(program: Program) -> None:
    dataset = make_dataset(state=DatasetState.UPLOADED)
    assert "a search needs a ready one" in refused(program.post("/searches", start(dataset)), 409)["detail"]


def test_a_clone_is_as_the_other_but_for_what_is_said(program: Program) -> None:
    search = make_search(dataset=make_dataset(profile=PROFILE), seed=3)
    clone = program.post(f"/searches/{search.pk}/clone", {"seed": 4, "name": "Again"}).json()
    assert clone["id"] != search.pk and (clone["seed"], clone["name"], clone["planned_trials"]) == (4, "Again", 10)
    assert (clone["protocol"], clone["plan"], clone["space"]) == (search.protocol, search.plan, search.space)


def test_a_search_is_paused_resumed_extended_and_stopped(program: Program) -> None:
    search = make_search()
    path = f"/searches/{search.pk}"
    assert program.post(f"{path}/pause").json()["state"] == "paused"
    assert "only a running search" in refused(program.post(f"{path}/finish"), 409)["detail"]
    assert program.post(f"{path}/extend", {"trials": 5, "seen": 10}).json()["planned_trials"] == 15
    refused(program.post(f"{path}/extend", {"trials": 5, "seen": 10}), 409)
    assert program.post(f"{path}/resume").json()["state"] == "running"
    assert program.post(f"{path}/stop").json()["state"] == "stopped"
    refused(program.post(f"{path}/pause"), 409)
    refused(program.post("/searches/999/pause"), 404)


def test_a_live_search_says_what_is_new(program: Program) -> None:
    search = make_search()
    make_trials(search, [0.1, None, 0.3])
    live = program.get(f"/searches/{search.pk}/live").json()
    assert [(point["number"], point["reward"]) for point in live["points"]] == [(1, 0.1), (2, None), (3, 0.3)]
    assert live["cursor"] == 3 and live["progress"]["best"]["number"] == 3 and live["progress"]["done"] == 3
    later = program.get(f"/searches/{search.pk}/live", after=3).json()
    assert later["points"] == [] and later["cursor"] == 3
    refused(program.get(f"/searches/{search.pk}/live", after=-1), 422)


def test_trials_are_filtered_paged_and_shown(program: Program) -> None:
    search = make_search()
    trials = make_trials(search, [0.1, None, 0.3, 0.2, 0.25])
    path = f"/searches/{search.pk}/trials"
    program.get(path)
    assert [row["number"] for page in program.pages(path, limit=2) for row in page] == [1, 2, 3, 4, 5]
    assert [row["number"] for page in program.pages(path, limit=2, newest_first=True) for row in page] == [5, 4, 3, 2, 1]
    assert [row["number"] for row in program.get(path, state="failed").json()["items"]] == [2]
    assert program.get(path, arm="random").json()["items"] == []
    refused(program.get(path, state="lucky"), 422)
    counts = []
    for limit in (1, 5):
        with CaptureQueriesContext(connection) as queries:
            program.get(path, limit=limit)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 4
    failed = program.get(f"{path}/2").json()
    assert failed["score"] is None and failed["failure"] == "diverged" and failed["message"] == "The loss became nan."
    assert program.get(f"{path}/3").json()["score"] == 0.3
    make_curve(trials[2], [0.1, 0.2, 0.3])
    epochs = [row for page in program.pages(f"{path}/3/epochs", limit=2) for row in page]
    assert [row["epoch"] for row in epochs] == [1, 2, 3] and epochs[1]["scores"]["ndcg@20"] == 0.2
    refused(program.get(f"{path}/99"), 404)


def test_an_architecture_by_hand_is_queued_once(program: Program) -> None:
    search = make_search()
    [other] = make_trials(search, [0.1])
    Trial.objects.filter(pk=other.pk).delete()
    path = f"/searches/{search.pk}/trials"
    made = program.post(path, {"architecture": other.architecture})
    assert made.status_code == 201 and made.json()["arm"] == "manual" and made.json()["state"] == "queued"
    assert "already" in refused(program.post(path, {"architecture": other.architecture}), 409)["detail"]
    refused(program.post(path, {"architecture": {"layers": 99}}), 422)


def test_the_leaderboard_has_baselines_and_test_scores_after_the_end(program: Program) -> None:
    search = make_search(state=SearchState.FINISHED)
    trials = make_trials(search, [0.1, 0.3])
    make_baseline(search, "ease", 0.2)
    make_finalist(trials[1], [0.28, 0.30])
    board = program.get(f"/searches/{search.pk}/leaderboard").json()
    assert [(row["rank"], row["kind"], row["number"]) for row in board["rows"]] == [(1, "trial", 2), (2, "baseline", None), (3, "trial", 1)]
    assert board["rows"][0]["test_scores"]["ndcg@20"]["mean"] == pytest.approx(0.29)
    assert board["objective"] == "ndcg@20" and "ahead of the best baseline" in board["verdict"]
    arms = program.get(f"/searches/{search.pk}/arms").json()
    assert arms["comparisons"] == [] and arms["importance"] == {}


# --- models -----------------------------------------------------------------------------------------------------------


def test_versions_are_promoted_rolled_back_and_archived(program: Program) -> None:
    model = Model.objects.create(name="films")
    for number in (1, 2):
        ModelVersion.objects.create(model=model, number=number, state="ready", digest=f"d{number}")
    path = "/models/films"
    assert [row["number"] for row in program.get(f"{path}/versions").json()["items"]] == [2, 1]
    assert program.post(f"{path}/versions/1/promote").json()["state"] == "promoted"
    program.post(f"{path}/versions/2/promote")
    assert program.get(path).json()["promoted"]["number"] == 2
    refused(program.post(f"{path}/versions/2/archive"), 409)
    assert program.post(f"{path}/roll-back").json()["number"] == 1
    assert program.post(f"{path}/versions/2/archive").json()["state"] == "archived"
    refused(program.get(f"{path}/versions/2/bundle.zip"), 404)
    refused(program.get(f"{path}/versions/3"), 404)
    refused(program.get("/models/nothing"), 404)


def test_a_bundle_is_downloaded_as_it_is_stored(program: Program) -> None:
    version = model_import(owner=None, file=bundle_file(), name="films")
    shown = program.get("/models/films/versions/1").json()
    assert shown["digest"] == version.digest and shown["document"] == version.document
    answer = program.get("/models/films/versions/1/bundle.zip")
    with default_storage.open(version.bundle_blob) as stored:
        assert b"".join(answer.streaming_content) == stored.read()
    assert answer.headers["Content-Type"] == "application/zip" and "films-1.zip" in answer.headers["Content-Disposition"]


def test_a_finalist_is_registered(program: Program) -> None:
    search = make_search(state=SearchState.FINISHED)
    trials = make_trials(search, [0.1, 0.3])
    make_finalist(trials[1], [0.28])
    version = program.post("/models/films/versions", {"search": search.pk, "trial": 2})
    assert version.status_code == 202 and version.json()["state"] == "building" and version.json()["trial"] == 2
    again = program.post("/models/films/versions", {"search": search.pk, "trial": 2})
    assert again.json()["number"] == 1
    assert "not tested" in refused(program.post("/models/films/versions", {"search": search.pk, "trial": 1}), 409)["detail"]
    refused(program.post("/models/films/versions", {"search": search.pk, "trial": 9}), 422)
