"""The workers page: who works where, at what and how fast; draining."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.webapp.factories import make_baseline, make_search, make_trial
from webapp.models import AuditEvent, FinalistRun, Worker
from webapp.selectors.workers import worker_rows, workers_alive, workers_heard
from webapp.services.workers import worker_drain, worker_gone, worker_seen

FACTS: dict[str, Any] = {"queues": ["trials"], "slots": 2, "threads": 1, "device": "CPU of host"}


def report(name: str = "trials@host", **facts: Any) -> bool:
    return worker_seen(name=name, **{**FACTS, **facts})


def worker(name: str = "trials@host") -> Worker:
    return Worker.objects.get(name=name)


def heard_ago(name: str, **ago: float) -> None:
    Worker.objects.filter(name=name).update(seen_at=timezone.now() - timedelta(**ago))


def test_a_worker_learns_with_its_report_that_it_should_drain(db: None) -> None:
    assert report(starts=True) is False
    worker_drain(worker_id=worker().pk, drain=True)
    assert report() is True
    assert report() is True, "until it is told otherwise"
    worker_drain(worker_id=worker().pk, drain=False)
    assert report() is False


def test_a_worker_that_starts_again_works_again(db: None) -> None:
    report(starts=True)
    worker_drain(worker_id=worker().pk, drain=True)
    Worker.objects.update(started_at=timezone.now() - timedelta(days=2))
    assert report(starts=True) is False
    assert timezone.now() - worker().started_at < timedelta(minutes=1)


def test_a_worker_that_drains_counts_no_more_as_one_that_takes_work(db: None) -> None:
    report()
    worker_drain(worker_id=worker().pk, drain=True)
    assert workers_heard().count() == 1
    assert not workers_alive(queue="trials").exists()


def test_draining_twice_is_told_once(db: None) -> None:
    report()
    for drain in (True, True, False):
        worker_drain(worker_id=worker().pk, drain=drain)
    assert list(AuditEvent.objects.order_by("id").values_list("verb", "subject_name")) == [
        ("drain", "trials@host"),
        ("undrain", "trials@host"),
    ]


def test_a_worker_that_shut_down_or_went_silent_is_shown_as_gone_for_a_day(db: None) -> None:
    for name in ("a", "b", "c", "d"):
        report(name)
    worker_gone(name="b")
    heard_ago("c", seconds=31)
    heard_ago("d", hours=25)
    assert [(row.worker.name, row.alive) for row in worker_rows()] == [("a", True), ("b", False), ("c", False)]
    report("b")
    assert {row.worker.name for row in worker_rows() if row.alive} == {"a", "b"}, "it came back"


def test_what_has_been_gone_for_a_day_is_forgotten_when_another_starts(db: None) -> None:
    report("old")
    heard_ago("old", hours=25)
    report("new")
    assert Worker.objects.count() == 2
    report("new", starts=True)
    assert [row.name for row in Worker.objects.all()] == ["new"]


def test_a_row_names_what_its_worker_does(db: None) -> None:
    report()
    search = make_search(name="Evening run")
    trial = make_trial(search, 7, worker="trials@host/41", epochs=3)
    make_trial(search, 8, worker="trials@host/42", state="completed")
    make_baseline(search, "ease", None, state="running", worker="trials@host/42")
    FinalistRun.objects.create(search=search, trial=trial, seed=1, state="running", worker="other@host/9")
    (row,) = worker_rows()
    assert [(task.kind, task.search_name, task.label, task.trial, task.epochs) for task in row.tasks] == [
        ("trial", "Evening run", "7", 7, 3),
        ("baseline", "Evening run", "ease", None, None),
    ]
    assert not row.drained


def test_rates_count_what_ended_in_the_last_hour_or_since_the_start(db: None) -> None:
    report()
    report("trials@host2")
    now = timezone.now()
    Worker.objects.update(started_at=now - timedelta(hours=3))
    Worker.objects.filter(name="trials@host2").update(started_at=now - timedelta(minutes=15))
    search = make_search()
    for number, (name, minutes, epochs) in enumerate([("host", 5, 10), ("host", 59, 20), ("host", 61, 40), ("host2", 5, 7)], start=1):
        ended = now - timedelta(minutes=minutes)
        make_trial(search, number, state="completed", worker=f"trials@{name}/1", finished_at=ended, epochs=epochs)
    first, second = worker_rows()
    assert (first.trials_per_hour, first.epochs_per_hour) == (2, 30)
    assert second.trials_per_hour == pytest.approx(4, rel=0.01) and second.epochs_per_hour == pytest.approx(28, rel=0.01)


def test_the_page_shows_states_tasks_memory_and_queues(signed_in: Client) -> None:
    report(host="host", memory_bytes=8 * 1024**3, free_bytes=2 * 1024**3, used_bytes=512 * 1024**2)
    report("control@host", queues=["control"])
    worker_drain(worker_id=worker("control@host").pk, drain=True)
    search = make_search(name="Evening run")
    make_trial(search, 7, worker="trials@host/41")
    text = signed_in.get(reverse("workers")).content.decode()
    for words in ("Evening run", "Working", "Drained", "512.0\xa0MB its own", "2.0\xa0GB of 8.0\xa0GB free on host", "Let work again"):
        assert words in text, words
    assert f'href="{reverse("trial", args=[search.pk, 7])}"' in text
    assert "<code>trials</code>" in text and "<code>control</code>" in text


def test_the_page_without_workers_teaches(signed_in: Client) -> None:
    text = signed_in.get(reverse("workers")).content.decode()
    assert "No worker was heard of for a day" in text and "manage.py up" in text


def test_the_page_costs_a_fixed_number_of_queries(signed_in: Client, django_assert_max_num_queries: Any) -> None:
    search = make_search()
    for number in range(1, 31):
        report(f"trials@host{number}")
        make_trial(search, number, worker=f"trials@host{number}/1")
    with django_assert_max_num_queries(9):
        assert signed_in.get(reverse("workers")).content.decode().count("Evening") == 0


def test_a_person_drains_and_undoes_it(signed_in: Client, user: User) -> None:
    report()
    url = reverse("worker_action", args=[worker().pk, "drain"])
    text = signed_in.post(url, follow=True).content.decode()
    assert "trials@host finishes what it does and takes no new work" in text
    assert worker().drain and AuditEvent.objects.get().actor == user
    signed_in.post(reverse("worker_action", args=[worker().pk, "undrain"]))
    assert not worker().drain
    assert signed_in.get(url).status_code == 405
    assert signed_in.post(reverse("worker_action", args=[10**17, "drain"])).status_code == 404


def test_a_page_that_is_open_is_told_what_changed(signed_in: Client) -> None:
    report()
    url = reverse("worker_live")
    first = signed_in.get(url).json()
    heard_ago("trials@host", seconds=12)
    second = signed_in.get(url).json()
    assert first["version"] == second["version"]
    assert second["fields"] == {f"seen-{worker().pk}": "12 s ago"}
    worker_drain(worker_id=worker().pk, drain=True)
    assert signed_in.get(url).json()["version"] != first["version"]
    fragment = signed_in.get(reverse("workers"), headers={"HX-Request": "true"}).content.decode()
    assert "Drained" in fragment and "<html" not in fragment
