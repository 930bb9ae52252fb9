"""The first minutes with one's own file: upload over a bad line, columns, preview, and bad files that are explained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.nasty_files import NASTY, Nasty
from tests.toy_dataset import toy_csv, toy_dataset
from webapp.models import Blob, Dataset, Upload

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.slow]

CHUNK = 4 << 20


def choose(page: Page, file: Path) -> None:
    page.goto("/datasets/upload/")
    page.locator("input[type=file]").set_input_files(file)


def toy_rows() -> list[list[str]]:
    return [line.split(",") for line in toy_csv().decode().splitlines()[1:]]


def recbole() -> bytes:
    head = "user_id:token\titem_id:token\trating:float\ttimestamp:float"
    return "\n".join([head, *("\t".join(row) for row in toy_rows())]).encode() + b"\n"


def movielens() -> bytes:
    return "\n".join("::".join([row[0][1:], row[1][1:], *row[2:]]) for row in toy_rows()).encode() + b"\n"


def test_three_kinds_of_files_become_ready(signed_in_page: Page, tmp_path: Path) -> None:
    page = signed_in_page
    for name, content in (("clicks.csv", toy_csv() + b"u1,i1,many,1\n"), ("ratings.dat", movielens()), ("toy.inter", recbole())):
        file = tmp_path / name
        file.write_bytes(content)
        choose(page, file)
        page.get_by_role("button", name="Upload").click()
        expect(page.get_by_role("heading", name=f"What is in {name}?")).to_be_visible()
        expect(page.locator("select[name=role_2]")).to_have_value("weight")  # guessed despite one odd value
        page.get_by_text("Preparation", exact=False).first.click()
        page.get_by_label("Weight at least").fill("4")
        page.get_by_role("button", name="Show the effect").click()
        expect(page.get_by_role("row", name=re.compile("weight at least 4"))).to_be_visible()
        page.get_by_label("Weight at least").fill("")
        page.get_by_role("button", name="Read the dataset").dblclick()
        expect(page.get_by_role("link", name="Start a search")).to_be_visible()
        expect(page.locator(".chart svg.main-svg").first).to_be_visible()
        expect(page.locator("dl.facts").first).to_contain_text("60")
    assert Dataset.objects.count() == 3


@pytest.fixture
def large_file(tmp_path: Path) -> Path:
    file = tmp_path / "large.csv"
    file.write_bytes(b"user,item,rating,timestamp\n" + b"".join(toy_csv().partition(b"\n")[2] for _ in range(700)))
    assert file.stat().st_size > 2 * CHUNK
    return file


def test_an_upload_goes_on_after_the_connection_broke_and_after_the_tab_was_closed(signed_in_page: Page, large_file: Path) -> None:
    page, offsets = signed_in_page, []

    def break_sometimes(route: Route) -> None:
        if route.request.method != "PATCH":
            route.continue_()
            return
        offsets.append(int(route.request.headers["upload-offset"]))
        if len(offsets) in (2, 4):
            route.abort("connectionreset")
        else:
            route.continue_()

    page.context.route("**/datasets/uploads/*/", break_sometimes)
    choose(page, large_file)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_text("Trying again; what was sent is kept")).to_be_visible()
    page.close()
    page = page.context.new_page()
    choose(page, large_file)
    expect(page.get_by_role("row", name=re.compile("large.csv a new dataset .* of .* MB"))).to_be_visible()
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("heading", name="What is in large.csv?")).to_be_visible()
    # Each chunk was stored once: the first is not sent again.
    assert offsets.count(0) == 1
    assert Blob.objects.get().size == large_file.stat().st_size


def test_cancel_and_a_file_that_changes_leave_nothing(signed_in_page: Page, large_file: Path) -> None:
    page = signed_in_page
    page.route(
        "**/datasets/uploads/*/", lambda route: route.abort("connectionreset") if route.request.method == "PATCH" else route.continue_()
    )
    choose(page, large_file)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_text("Trying again")).to_be_visible()
    assert Upload.objects.count() == 1
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled. Nothing was stored.")).to_be_visible()
    page.unroute("**/datasets/uploads/*/")

    choose(page, large_file)
    with large_file.open("ab") as file:
        file.write(b"u1,i1,5,1700000000\n")
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("[data-upload-error]")).to_contain_text("changed while it was sent")
    page.goto("/datasets/")
    expect(page.get_by_text("No dataset yet")).to_be_visible()
    assert (Upload.objects.count(), Blob.objects.count()) == (0, 0)


def test_a_server_that_fails_at_the_end_is_told_and_asked_again_only_by_a_person(signed_in_page: Page, tmp_path: Path) -> None:
    page, asked = signed_in_page, []
    file = tmp_path / "clicks.csv"
    file.write_bytes(toy_csv())

    def fail_twice(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) > 2:
            route.continue_()
        elif len(asked) == 1:
            route.fulfill(status=503, body="<h1>Unavailable</h1>")
        else:
            route.fulfill(status=503, json={"error": "The disk of the server is full."})

    page.route("**/datasets/uploads/*/finish/", fail_twice)
    choose(page, file)
    for message in ("The server could not take the file (status 503).", "The disk of the server is full."):
        page.get_by_role("button", name="Upload").click()
        expect(page.locator("[data-upload-error]")).to_have_text(f"{message} What was sent is kept: press Upload to try again.")
        page.wait_for_timeout(2500)  # longer than the first two waits after a broken connection
    assert len(asked) == 2
    assert Upload.objects.get().blob is not None
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("heading", name="What is in clicks.csv?")).to_be_visible()
    assert Blob.objects.get().size == file.stat().st_size


def test_an_expired_session_is_told(signed_in_page: Page, tmp_path: Path) -> None:
    page = signed_in_page
    file = tmp_path / "clicks.csv"
    file.write_bytes(toy_csv())
    choose(page, file)
    page.context.clear_cookies(name="sessionid")
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("[data-upload-error]")).to_contain_text("signed out")


def test_bad_files_are_explained_where_they_are_met(signed_in_page: Page, tmp_path: Path) -> None:
    page, corpus = signed_in_page, {nasty.name: nasty for nasty in NASTY}

    def upload(name: str) -> Nasty:
        nasty = corpus[name]
        file = tmp_path / nasty.filename
        file.write_bytes(nasty.content)
        choose(page, file)
        page.get_by_role("button", name="Upload").click()
        return nasty

    for name in ("PNG named .csv", "zip in zip"):
        nasty = upload(name)
        expect(page.locator("[data-upload-error]")).to_contain_text(nasty.refused)
        expect(page.get_by_role("button", name="Upload")).to_be_enabled()
    assert (Upload.objects.count(), Blob.objects.count()) == (0, 0)

    nasty = upload("formulas and markup")
    expect(page.get_by_role("cell", name="<script>alert(1)</script>", exact=True)).to_be_visible()
    page.get_by_role("button", name="Read the dataset").click()
    expect(page.get_by_role("row", name=re.compile(r"weight is not a number 1 line 43, rating: =cmd\(\)"))).to_be_visible()
    expect(page.get_by_text("42 rows read = 41 kept + 1 rejected.")).to_be_visible()

    nasty = upload("long gzip cut off")
    page.get_by_role("button", name="Read the dataset").click()
    expect(page.get_by_role("alert")).to_contain_text(nasty.invalid)
    page.get_by_role("link", name="Correct the columns").click()
    expect(page.get_by_role("button", name="Read the dataset")).to_be_visible()


def test_social_edges_are_attached_in_a_new_version(signed_in_page: Page, tmp_path: Path) -> None:
    page, base = signed_in_page, toy_dataset()
    file = tmp_path / "trust.csv"
    file.write_bytes(b"user,friend\nu1,u2\nu3,u4\n")
    page.goto(f"/datasets/{base.pk}/")
    page.get_by_role("button", name="New version").click()
    page.get_by_role("button", name="Attach social edges").click()
    expect(page.get_by_label("What the file holds")).to_have_value("social")
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("row", name=re.compile("trust.csv.*Social edges"))).to_be_visible()
    page.get_by_role("button", name="Read the dataset").click()
    expect(page.get_by_role("heading", name=re.compile("version 2 .*Ready"))).to_be_visible()
