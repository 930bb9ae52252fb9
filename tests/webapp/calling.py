"""A program that talks to the API of the test server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client

from webapp.enums import Scope
from webapp.services.tokens import token_create


class Program:
    """Sends JSON and a token with every scope."""

    def __init__(self, owner: User) -> None:
        _, self.secret = token_create(owner=owner, name="test", scopes=list(Scope))
        self.client = Client(headers={"Authorization": f"Bearer {self.secret}"})

    def get(self, path: str, **query: Any) -> Any:
        return self.ask("get", path, query_params=query)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.ask("post", path, data=body, content_type="application/json", headers=headers)

    def put(self, path: str, body: Any = None) -> Any:
        return self.ask("put", path, data=body, content_type="application/json")

    def delete(self, path: str, **query: Any) -> Any:
        return self.ask("delete", path, query_params=query)

    def ask(self, method: str, path: str, **request: Any) -> Any:
        return getattr(self.client, method)(f"/api/v1{path}", **request)

    def pages(self, path: str, **query: Any) -> Iterator[list[dict[str, Any]]]:
        """Every page of a list."""
        cursor = ""
        while True:
            page = self.get(path, cursor=cursor, **query).json()
            yield page["items"]
            if page["next"] is None:
                return
            cursor = page["next"]


def refused(answer: HttpResponse, status: int) -> dict[str, Any]:
    """The problem that an answer is; fails where it is none, or of another status."""
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()  # type: ignore[attr-defined]
    assert set(problem) == {"type", "title", "status", "detail", "errors"} and problem["status"] == status
    return problem
