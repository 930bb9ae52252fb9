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


def curl_for_feedback(address: str) -> str:
    """Args: address: where feedback is sent to."""
    event = '{"id": "\'$(date +%s%N)\'", "kind": "click", "user": "42", "item": "7", "time": "\'$(date -u +%Y-%m-%dT%H:%M:%SZ)\'"}'
    return (
        f'curl --fail-with-body -H "Authorization: Bearer ${SECRET}" -H "Content-Type: application/json" \\\n'
        f"  -d '{{\"events\": [{event}]}}' \\\n  {shlex.quote(address)}"
    )


def python_feedback(address: str) -> str:
    """Needs nothing but Python."""
    return f"""\
import json
import os
import uuid
from datetime import datetime, timezone
from urllib.request import Request, urlopen


def event(kind, user, item):
    # Keep the id with the event: sent again after a lost answer, it is still one event.
    now = datetime.now(timezone.utc).isoformat()
    return {{"id": str(uuid.uuid4()), "kind": kind, "user": user, "item": item, "time": now}}


def send(events):
    request = Request("{quote(address, safe=":/[]")}", json.dumps({{"events": events}}).encode())
    request.add_header("Authorization", "Bearer " + os.environ["{SECRET}"])
    request.add_header("Content-Type", "application/json")
    with urlopen(request) as response:
        return json.load(response)


print(send([event("impression", "42", "7"), event("click", "42", "7")])["events"])
"""
