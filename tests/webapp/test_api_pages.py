"""The pages about the API: tokens of a person, and the reference."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from webapp.api.reference import reference_of
from webapp.enums import Scope
from webapp.models import ApiToken
from webapp.selectors.tokens import token_of_secret
from webapp.services.tokens import MAX_TOKENS, token_create


def test_a_secret_is_shown_once(signed_in: Client, user: User) -> None:
    made = signed_in.post("/account/tokens/", {"name": "nightly <upload>", "scopes": ["read", "write"], "days": "30"})
    assert made.status_code == 201 and "no-store" in made.headers["Cache-Control"]
    [secret] = re.findall(r'value="(recsmith_[^"]+)"', made.content.decode())
    token = token_of_secret(secret)
    assert token is not None and token.owner == user and token.scopes == ["read", "write"] and token.expires_at is not None
    page = signed_in.get("/account/tokens/").content.decode()
    assert "nightly &lt;upload&gt;" in page and secret not in page


@pytest.mark.parametrize(
    ("form", "field"), [({"name": "", "scopes": ["read"]}, "name"), ({"name": "a"}, "scopes"), ({"name": "a", "scopes": ["all"]}, "scopes")]
)
def test_a_token_without_name_or_scope_is_not_made(signed_in: Client, form: dict[str, object], field: str) -> None:
    answer = signed_in.post("/account/tokens/", form)
    assert answer.status_code == 422 and list(answer.context["form"].errors) == [field] and not ApiToken.objects.exists()


def test_one_too_many_is_a_message(signed_in: Client, user: User) -> None:
    for _ in range(MAX_TOKENS):
        token_create(owner=user, name="a", scopes=[Scope.READ])
    answer = signed_in.post("/account/tokens/", {"name": "a", "scopes": ["read"]})
    assert answer.status_code == 422 and "Revoke one of them first" in answer.content.decode()


def test_a_person_revokes_their_own_tokens_only(signed_in: Client, user: User) -> None:
    token, secret = token_create(owner=user, name="mine", scopes=[Scope.READ])
    other, kept = token_create(owner=User.objects.create_user("eve"), name="hers", scopes=[Scope.READ])
    assert "hers" not in signed_in.get("/account/tokens/").content.decode()
    for each in (token, other):
        assert signed_in.post(f"/account/tokens/{each.pk}/revoke/").status_code == 302
    assert token_of_secret(secret) is None and token_of_secret(kept) is not None
    assert signed_in.get(f"/account/tokens/{token.pk}/revoke/").status_code == 405


def test_the_page_of_tokens_is_for_people_who_signed_in(client: Client, db: None) -> None:
    assert client.get("/account/tokens/").status_code == 302


def test_the_reference_shows_every_operation_and_object_and_loads_nothing_from_elsewhere(client: Client, db: None) -> None:
    document = client.get("/api/v1/openapi.json").json()
    page = client.get("/api/v1/docs").content.decode()
    for path, methods in document["paths"].items():
        assert path in page
        for operation in methods.values():
            assert f'id="{operation["operationId"]}"' in page
    anchors = set(re.findall(r'id="(object-[^"]+)"', page))
    assert anchors == {f"object-{name}" for name in document["components"]["schemas"]}
    assert set(re.findall(r'href="#(object-[^"]+)"', page)) <= anchors
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)


def test_no_two_operations_share_a_name(client: Client, db: None) -> None:
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    names = [operation["operationId"] for methods in paths.values() for operation in methods.values()]
    assert len(set(names)) == len(names)


def test_types_are_written_in_words() -> None:
    properties = {
        "a": {"type": "integer", "minimum": 1, "maximum": 9, "default": 3},
        "b": {"anyOf": [{"$ref": "#/components/schemas/Thing"}, {"type": "null"}]},
        "c": {"type": "array", "items": {"enum": ["x", "y"]}},
        "d": {"type": "object", "additionalProperties": {"type": "number"}},
        "e": {"type": "string", "format": "uuid"},
    }
    schemas = {"Thing": {"properties": properties, "required": ["a"], "description": "A thing."}}
    [thing] = reference_of({"paths": {}, "components": {"schemas": schemas}}).objects
    words = {field.name: "".join(text for text, _ in field.type.parts) for field in thing.fields}
    assert words == {"a": "integer, 1 to 9", "b": "Thing or null", "c": "list of x | y", "d": "object of number", "e": "uuid"}
    assert [(field.required, field.default) for field in thing.fields][:2] == [(True, "3"), (False, "")]
    assert [link for field in thing.fields for _, link in field.type.parts if link] == ["Thing"]
