from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from webapp.services.accounts import account_ensure, first_account_ensure, signin_link_make

PASSWORD = "engines and looms"

pytestmark = pytest.mark.django_db


@pytest.fixture
def first() -> User:
    account = first_account_ensure()
    assert account is not None
    return account


def test_the_first_account_is_made_once_and_has_no_password(first: User) -> None:
    assert first_account_ensure() == first
    assert not first.has_usable_password()


def test_a_link_lets_its_holder_choose_name_and_password_once(client: Client, first: User) -> None:
    link = signin_link_make(user=first, address="")
    other = signin_link_make(user=first, address="")
    answer = client.post(link, {"username": "ada", "password": PASSWORD})
    assert answer.status_code == 302
    assert client.session["_auth_user_id"] == str(first.pk)
    for dead in (link, other):
        assert Client().get(dead).status_code == 410
        assert Client().post(dead, {"username": "eve", "password": PASSWORD}).status_code == 410
    assert Client().login(username="ada", password=PASSWORD)
    assert first_account_ensure() is None


@pytest.mark.parametrize(
    ("username", "password", "message"),
    [
        ("ada", "short", "too short"),
        ("ada", "password", "too common"),
        ("a/b", PASSWORD, "valid username"),
        ("taken", PASSWORD, "already exists"),
        ("", PASSWORD, "required"),
    ],
)
def test_a_bad_choice_is_explained_and_leaves_the_link_alive(
    client: Client, first: User, username: str, password: str, message: str
) -> None:
    account_ensure(username="taken")
    link = signin_link_make(user=first, address="")
    answer = client.post(link, {"username": username, "password": password})
    assert answer.status_code == 400
    assert message in answer.content.decode()
    assert client.get(link).status_code == 200


@pytest.mark.parametrize("path", ["/welcome/x/y/", "/welcome/MQ/abc-def/", "/welcome/99999999999999999999/abc-def/"])
def test_an_invented_link_is_dead(client: Client, path: str) -> None:
    assert client.get(path).status_code == 410


def test_pages_ask_to_sign_in_and_go_on_afterwards(client: Client) -> None:
    User.objects.create_user("ada", password=PASSWORD)
    asked = client.get(reverse("datasets"))
    assert asked.headers["Location"] == f"{reverse('login')}?next={reverse('datasets')}"
    page = client.get(asked.headers["Location"])
    assert "signin_link" in page.content.decode()
    wrong = client.post(asked.headers["Location"], {"username": "ada", "password": "wrong"})
    assert "correct username and password" in wrong.content.decode()
    right = client.post(reverse("login"), {"username": "ada", "password": PASSWORD, "next": reverse("datasets")})
    assert right.headers["Location"] == reverse("datasets")
    assert client.post(reverse("logout")).headers["Location"] == reverse("login")
    assert client.get(reverse("datasets")).status_code == 302


def test_the_command_prints_a_link_that_works(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("signin_link", "grace", "--address=http://127.0.0.1:9/")
    link = capsys.readouterr().out.strip()
    assert link.startswith("http://127.0.0.1:9/welcome/")
    assert client.get(link.removeprefix("http://127.0.0.1:9")).status_code == 200
    with pytest.raises(CommandError, match="valid username"):
        call_command("signin_link", "not a name")


def test_the_command_asks_which_account_is_meant() -> None:
    for name in ("ada", "grace"):
        User.objects.create_user(name, password=PASSWORD)
    with pytest.raises(CommandError, match="several accounts"):
        call_command("signin_link")
