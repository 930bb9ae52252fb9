"""The door to the scoring process: a question in JSON, an answer that is sent on as it is.

A message is its length, four bytes in network order, and its content. A question is a JSON object; an answer is one line of JSON with
its status and version, and after the line break the body for whoever asked. A connection carries one question at a time.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import socket
import struct
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

LENGTH = struct.Struct("!I")
MAX_QUESTION = 32 * 2**20
RECEIVED_AT_ONCE = 2**16
SECONDS = 10.0
"""How long an answer may take; the longest list of users takes less than a second."""

_idle: deque[socket.socket] = deque()
"""Open connections that nobody uses; taking one and giving it back are atomic."""


class ScoringDown(Exception):
    """The scoring process cannot be reached or does not answer."""


@dataclass(frozen=True)
class Answer:
    """What the scoring process says; the statuses are those of HTTP."""

    status: int
    etag: str
    """Of the version that answered and of what was asked; empty for a refusal."""
    message: str
    """Why it is refused; else empty."""
    body: bytes = b""
    """JSON."""

    def packed(self) -> bytes:
        """As a message."""
        head = json.dumps({"status": self.status, "etag": self.etag, "message": self.message}).encode()
        return LENGTH.pack(len(head) + 1 + len(self.body)) + head + b"\n" + self.body


def ask(question: Mapping[str, Any], *, seconds: float = SECONDS) -> Answer:
    """Ask the scoring process, over a connection that is kept for the next question.

    Raises:
        ScoringDown: it does not run, is being started again, or took longer than ``seconds``.
    """
    content = json.dumps(question, separators=(",", ":")).encode()
    try:
        # One that was kept may have ended with its process. Asking changes nothing, so that asking twice is harmless.
        with contextlib.suppress(IndexError, ConnectionError):
            return _asked(_idle.pop(), content, seconds)
        _close_idle()
        return _asked(_connect(seconds), content, seconds)
    except OSError as error:
        raise ScoringDown("The scoring process does not answer.") from error


def scoring_address() -> str | tuple[str, int]:
    """The path of a Unix socket, or host and port."""
    address: str = settings.RECSMITH_SCORING
    if address.startswith("unix:"):
        return address.removeprefix("unix:")
    host, _, port = address.rpartition(":")
    return host, int(port)


def _connect(seconds: float) -> socket.socket:
    address = scoring_address()
    if isinstance(address, tuple):
        connection = socket.create_connection(address, timeout=seconds)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    else:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(seconds)
        try:
            connection.connect(address)
        except OSError:
            connection.close()
            raise
    return connection


def _asked(connection: socket.socket, content: bytes, seconds: float) -> Answer:
    try:
        connection.settimeout(seconds)
        connection.sendall(LENGTH.pack(len(content)) + content)
        head, _, body = _received(connection).partition(b"\n")
    except BaseException:  # an answer that comes later must not be taken for the next one
        connection.close()
        raise
    _idle.append(connection)
    return Answer(**json.loads(head), body=body)


@atexit.register
def _close_idle() -> None:
    with contextlib.suppress(IndexError):
        while True:
            _idle.pop().close()


def _received(connection: socket.socket) -> bytes:
    """The content of a message, most of which arrive as a whole."""
    arrived = bytearray()
    end = LENGTH.size
    while len(arrived) < end:
        part = connection.recv(max(RECEIVED_AT_ONCE, end - len(arrived)))
        if not part:
            raise ConnectionResetError("The scoring process closed the connection.")
        arrived += part
        if len(arrived) >= LENGTH.size:
            end = LENGTH.size + LENGTH.unpack_from(arrived)[0]
    return bytes(arrived[LENGTH.size :])
