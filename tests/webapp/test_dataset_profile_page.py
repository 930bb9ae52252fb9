from __future__ import annotations

import csv
import io

from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse

from gnn.sources.rejects import Example, Reason, RejectedRows
from tests.toy_dataset import toy_dataset
from tests.webapp.factories import make_dataset
from webapp.blobs import bytes_file
from webapp.models import Dataset, DatasetFile
from webapp.selectors.profile_changes import Change, profile_changes


def rejected_rows(*texts: str) -> str:
    file = io.BytesIO()
    log = RejectedRows(file)
    log.write(Reason.WEIGHT_NOT_NUMBER, [Example(line, "rating", text) for line, text in enumerate(texts, start=2)])
    log.finish()
    return default_storage.save("rejects", bytes_file(file.getvalue()))


def test_rejected_rows_come_as_a_file_that_a_spreadsheet_does_not_run(signed_in: Client) -> None:
    dataset = toy_dataset()
    url = reverse("dataset_rejects", args=[dataset.pk])
    assert signed_in.get(url).status_code == 404
    Dataset.objects.filter(pk=dataset.pk).update(rejects_blob=rejected_rows("=cmd()", "many, many", "<b>"), filename="my.data.csv")
    answer = signed_in.get(url)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="my-rejected-rows.csv"'
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode())))  # type: ignore[attr-defined]
    assert rows == [
        ["line", "column", "reason", "text"],
        ["2", "rating", "weight is not a number", "'=cmd()"],
        ["3", "rating", "weight is not a number", "many, many"],
        ["4", "rating", "weight is not a number", "<b>"],
    ]
    default_storage.delete(Dataset.objects.get().rejects_blob)
    assert signed_in.get(url).status_code == 404


def test_a_further_file_has_its_own_rejected_rows(signed_in: Client) -> None:
    dataset = toy_dataset()
    edges = {"kind": "social", "columns": {"user": 0, "friend": 1}}
    file = DatasetFile.objects.create(
        dataset=dataset, kind="social", filename="trust.csv", source_blob="x", mapping=edges, rejects_blob=rejected_rows("x")
    )
    url = f"{reverse('dataset_rejects', args=[dataset.pk])}?file={file.pk}"
    assert f'href="{url}"' in signed_in.get(reverse("dataset", args=[dataset.pk])).content.decode()
    assert b"".join(signed_in.get(url).streaming_content).count(b"\n") == 2  # type: ignore[attr-defined]
    other = make_dataset()
    assert signed_in.get(f"{reverse('dataset_rejects', args=[other.pk])}?file={file.pk}").status_code == 404


def test_two_profiles_are_compared_number_by_number() -> None:
    before = {"users": 4, "items": 5, "density": 0.5, "per_user": {"mean": 2.0}, "rejects": {"rows_read": 0}}
    after = {"users": 6, "items": 5, "density": 0.25, "per_user": {"mean": 2.0}, "rejects": {"rows_read": 9}, "pairs": 3}
    changes = profile_changes(before, after)
    assert changes == [Change("Users", 4, 6), Change("Density", 0.5, 0.25), Change("Rows read", 0, 9)]
    assert [(change.difference, change.share) for change in changes] == [(2, 0.5), (-0.25, -0.5), (9, None)]


def test_a_version_shows_what_changed_and_the_old_one_points_to_it(signed_in: Client) -> None:
    first = toy_dataset()
    second = toy_dataset()
    profile = second.profile | {"users": first.profile["users"] + 15}
    Dataset.objects.filter(pk=second.pk).update(previous=first, version=2, profile=profile)
    text = signed_in.get(reverse("dataset", args=[second.pk])).content.decode()
    assert "Compared with version 1" in text
    assert (
        '<td class="num">60</td><td class="num">75</td><td class="num">+15 <span class="text-body-secondary">(+25.0%)</span></td>' in text
    )
    assert "version 2" in signed_in.get(reverse("dataset", args=[first.pk])).content.decode()
    assert "v2" in signed_in.get(reverse("datasets")).content.decode()


def test_the_recommendation_leads_to_a_filled_in_search(signed_in: Client) -> None:
    dataset = toy_dataset()
    advice = {"split": "temporal", "reason": "The rows have times.", "space": "lightgcn-family", "space_reason": "It is small."}
    steps = [{"name": name, "label": name, "users": 9, "items": 8, "interactions": 7} for name in ("read", "core")]
    profile = dataset.profile | {"recommended": advice, "preparation": {"settings": {}, "steps": steps}}
    Dataset.objects.filter(pk=dataset.pk).update(profile=profile)
    text = signed_in.get(reverse("dataset", args=[dataset.pk])).content.decode()
    link = f"{reverse('search_new')}?dataset={dataset.pk}&amp;split=temporal&amp;space_source=preset:lightgcn-family"
    assert f'href="{link}"' in text
    assert "It is small." in text
    assert 'fw-normal">core</th><td class="num">9</td><td class="num">8</td><td class="num">7</td>' in text
    form = signed_in.get(link.replace("&amp;", "&")).context["form"]
    assert (form["split"].value(), form["space_source"].value()) == ("temporal", "preset:lightgcn-family")
