"""Folders of several files that belong together, taken file by file through the page: a split, side tables, edges."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.toy_dataset import toy_csv
from webapp.enums import DatasetState, FileKind
from webapp.models import Dataset

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.slow]

REAL_DATA = "RECSMITH_TEST_DATA"
"""Names a folder with public datasets as they are published; they may not be in this repository."""
READING_MS = 120_000


@dataclass(frozen=True)
class Part:
    """A file of a folder and what a person says of it."""

    filename: str
    kind: FileKind = FileKind.INTERACTIONS
    part: str = ""


@dataclass(frozen=True)
class Expected:
    users: int
    items: int
    interactions: int
    parts: dict[str, int] | None = None
    sides: tuple[tuple[str, int], ...] = ()
    """Kind and rows of each side table."""


LISTS = (Part("train.txt", part="train"), Part("test.txt", part="test"))
MOVIES = (Part("ratings.dat"), Part("movies.dat", FileKind.ITEM_ATTRIBUTES))
TRUST = (Part("Ciao.rating"), Part("Ciao.trust", FileKind.SOCIAL))
ATOMIC = (
    Part("toy.inter"),
    Part("toy.item", FileKind.ITEM_ATTRIBUTES),
    Part("toy.user", FileKind.USER_ATTRIBUTES),
    Part("toy.net", FileKind.SOCIAL),
    Part("toy.kg", FileKind.TRIPLES),
    Part("toy.link", FileKind.ITEM_LINKS),
)


def toy_rows() -> list[list[str]]:
    """User, item, rating and time, ids as numbers."""
    rows = [line.split(",") for line in toy_csv().decode().splitlines()[1:]]
    return [[row[0][1:], row[1][1:], *row[2:]] for row in rows]


def write(folder: Path, filename: str, header: str, rows: list[list[str]], delimiter: str, encoding: str = "utf-8") -> None:
    lines = [*([header] if header else []), *(delimiter.join(row) for row in rows)]
    (folder / filename).write_bytes("".join(f"{line}\n" for line in lines).encode(encoding))


def lists_of_items(folder: Path) -> Expected:
    """As LightGCN and its relatives publish a split: one user a line, two files."""
    items: dict[str, list[str]] = {}
    for user, item, *_ in toy_rows():
        items.setdefault(user, []).append(item)
    for filename, taken in (("train.txt", slice(2, None)), ("test.txt", slice(0, 2))):
        write(folder, filename, "", [[user, *own[taken][: None if at else 1]] for at, (user, own) in enumerate(items.items())], " ")
    per_user = [len(own) for own in items.values()]
    train, test = 1 + sum(n - 2 for n in per_user[1:]), 1 + 2 * len(per_user[1:])
    return Expected(60, 40, train + test, {"train": train, "valid": 0, "test": test})


def movielens(folder: Path) -> Expected:
    """As MovieLens-1M is published: double colons, no header, titles in Latin-1."""
    rows = toy_rows()
    write(folder, "ratings.dat", "", rows, "::")
    films = [[str(at), f"Amélie et l'été {at} ({1980 + at})", "Drama|Comedy" if at % 3 else "Thriller"] for at in range(40)]
    write(folder, "movies.dat", "", films, "::", "latin-1")
    return Expected(60, 40, len(rows), sides=(("item_attributes", 40),))


def atomic_files(folder: Path) -> Expected:
    """As RecBole wants a dataset: a file for each kind of rows, the types in the header."""
    rows = toy_rows()
    write(folder, "toy.inter", "user_id:token\titem_id:token\trating:float\ttimestamp:float", rows, "\t")
    items = [[str(at), f"genre{at % 4} genre{at % 3}", f"{at / 2}"] for at in range(40)]
    write(folder, "toy.item", "item_id:token\tgenre:token_seq\tprice:float", items, "\t")
    write(
        folder, "toy.user", "user_id:token\tage:float\tgender:token", [[str(at), str(20 + at % 40), "MF"[at % 2]] for at in range(60)], "\t"
    )
    write(folder, "toy.net", "source_id:token\ttarget_id:token", [[str(at), str((at + 4) % 60)] for at in range(60)], "\t")
    triples = [[f"m.{at}", "film.genre", f"g.{at % 4}"] for at in range(40)]
    write(folder, "toy.kg", "head_id:token\trelation_id:token\ttail_id:token", triples, "\t")
    write(folder, "toy.link", "item_id:token\tentity_id:token", [[str(at), f"m.{at}"] for at in range(40)], "\t")
    sides = (("item_attributes", 40), ("user_attributes", 60), ("social", 60), ("triples", 40), ("item_links", 40))
    return Expected(60, 40, len(rows), sides=sides)


def send(page: Page, file: Path) -> None:
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Upload").click()


def import_folder(page: Page, folder: Path, parts: tuple[Part, ...]) -> Dataset:
    """As a person does it: the first file, then each further one, saying what no file can say of itself."""
    first, *further = parts
    page.goto("/datasets/upload/")
    send(page, folder / first.filename)
    expect(page.get_by_role("heading", name=f"What is in {first.filename}?")).to_be_visible()
    for part in further:
        page.get_by_role("link", name="Add a file").click()
        page.get_by_label("What the file holds").select_option(part.kind.value)
        send(page, folder / part.filename)
        row = page.get_by_role("row", name=re.compile(re.escape(part.filename)))
        expect(row).to_contain_text(str(part.kind.label))
        if part.part:
            row.get_by_role("link", name="Columns").click()
            page.get_by_label("The rows are").select_option(part.part)
            page.get_by_role("button", name="Use these columns").click()
            expect(page.get_by_role("row", name=re.compile(f"{re.escape(part.filename)}.*{part.part} part"))).to_be_visible()
    if first.part:
        page.get_by_label("The rows are").select_option(first.part)
    page.get_by_role("button", name="Read the dataset").click()
    expect(page.get_by_role("link", name="Start a search")).to_be_visible(timeout=READING_MS)
    expect(page.locator(".chart svg.main-svg").first).to_be_visible()
    return Dataset.objects.get()


def check(page: Page, dataset: Dataset, expected: Expected) -> None:
    profile = dataset.profile
    assert dataset.state == DatasetState.READY
    assert (profile["users"], profile["items"], profile["interactions"]) == (expected.users, expected.items, expected.interactions)
    assert profile["rejects"]["rows_read"] == profile["rejects"]["rows_kept"]
    assert (profile["parts"] or None) == expected.parts
    assert [(side["kind"], side["rows"]) for side in profile["side"]] == list(expected.sides)
    for count in (expected.users, expected.items, expected.interactions):
        expect(page.locator("dl.facts").first).to_contain_text(f"{count:,}")


@pytest.mark.parametrize(
    ("make", "parts"), [(lists_of_items, LISTS), (movielens, MOVIES), (atomic_files, ATOMIC)], ids=["lists", "movielens", "recbole"]
)
def test_a_folder_of_a_known_form_becomes_one_dataset(
    make: Callable[[Path], Expected], parts: tuple[Part, ...], signed_in_page: Page, tmp_path: Path
) -> None:
    expected = make(tmp_path)
    check(signed_in_page, import_folder(signed_in_page, tmp_path, parts), expected)


@pytest.mark.skipif(not os.environ.get(REAL_DATA), reason=f"{REAL_DATA} names no folder of public datasets")
@pytest.mark.parametrize(
    ("name", "parts", "expected"),
    [
        ("gowalla", LISTS, Expected(29_858, 40_981, 1_027_370, {"train": 810_128, "valid": 0, "test": 217_242})),
        ("movietweetings", MOVIES, Expected(16_554, 10_506, 100_000, sides=(("item_attributes", 10_506),))),
        ("ciao", TRUST, Expected(17_615, 16_121, 72_665, sides=(("social", 40_133),))),
    ],
    ids=["gowalla", "movietweetings", "ciao"],
)
def test_a_published_folder_gives_its_published_counts(
    name: str, parts: tuple[Part, ...], expected: Expected, signed_in_page: Page
) -> None:
    folder = Path(os.environ[REAL_DATA]) / name
    check(signed_in_page, import_folder(signed_in_page, folder, parts), expected)
