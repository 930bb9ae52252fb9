"""How programs ask a model that is served, as text to copy."""

from __future__ import annotations

import json
import shlex
from urllib.parse import quote

SECRET = "RECSMITH_TOKEN"
"""The variable that holds the secret of a token."""


def curl_for_user(address: str, user: str, k: int) -> str:
    """Args: address: of the model's operations, without a slash at its end."""
    return (
        f'curl --fail-with-body --get -H "Authorization: Bearer ${SECRET}" \\\n'
        f"  --data-urlencode {shlex.quote(f'user={user}')} -d k={k} {shlex.quote(f'{address}/recommend')}"
    )


def curl_for_items(address: str, items: list[str], k: int) -> str:
    body = json.dumps({"items": items, "k": k}, ensure_ascii=False)
    return (
        f'curl --fail-with-body -H "Authorization: Bearer ${SECRET}" -H "Content-Type: application/json" \\\n'
        f"  -d {shlex.quote(body)} {shlex.quote(f'{address}/recommend/new')}"
    )


def python_client(address: str, user: str, k: int) -> str:
    """Needs nothing but Python."""
    return f"""\
import json
import os
from urllib.parse import urlencode
from urllib.request import Request, urlopen


def recommend(user, k={k}):
    query = urlencode({{"user": user, "k": k}})
    request = Request(f"{quote(address, safe=":/[]")}/recommend?{{query}}")
    request.add_header("Authorization", "Bearer " + os.environ["{SECRET}"])
    with urlopen(request) as response:
        return json.load(response)["items"]


for item in recommend({user!r}):
    print(item["item"], item["score"])
"""
