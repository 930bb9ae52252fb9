"""What upload.js asks of the server, through Django's client."""

from __future__ import annotations

from typing import Any

from django.test import Client
from django.urls import reverse


def begin(client: Client, content: bytes, filename: str = "toy.csv", **more: Any) -> Any:
    return client.post(reverse("upload_new"), {"filename": filename, "size": len(content), "name": ""} | more)


def patch(client: Client, url: str, offset: int, data: bytes) -> Any:
    return client.patch(url, data, content_type="application/offset+octet-stream", headers={"Upload-Offset": str(offset)})


def send(client: Client, content: bytes, filename: str = "toy.csv") -> Any:
    """As upload.js does it, without any trouble; gives the last answer."""
    made = begin(client, content, filename).json()
    for at in range(0, len(content), made["chunk_bytes"]):
        assert patch(client, made["url"], at, content[at : at + made["chunk_bytes"]]).status_code == 200
    return client.post(made["finish"])
