"""The scoring process's end of its socket; ``webapp.scoring`` is the other one and describes the messages."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
from collections.abc import Coroutine
from pathlib import Path

from serving.answers import answer
from serving.shelf import Shelf
from webapp.scoring import LENGTH, MAX_QUESTION, Answer

logger = logging.getLogger(__name__)

SECONDS_TO_END = 5.0
"""Between the wish to end and the end, for questions under way."""


class Connection(asyncio.Protocol):
    """Takes questions apart from the bytes that arrive, and answers each."""

    def __init__(self, shelf: Shelf, open_connections: set[Connection]) -> None:
        self._shelf = shelf
        self._open = open_connections
        self._arrived = bytearray()
        self._transport: asyncio.Transport | None = None
        self.working: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._open.add(self)

    def connection_lost(self, exception: Exception | None) -> None:
        self._open.discard(self)

    def data_received(self, data: bytes) -> None:
        self._arrived += data
        while len(self._arrived) >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self._arrived)
            if length > MAX_QUESTION:
                logger.error("A question of %d bytes is longer than any that Recsmith asks; its connection is closed.", length)
                self.close()
                return
            end = LENGTH.size + length
            if len(self._arrived) < end:
                return
            content = bytes(self._arrived[LENGTH.size : end])
            del self._arrived[:end]
            self._take(content)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _take(self, content: bytes) -> None:
        """Answer at once; what takes long goes on beside other questions."""
        try:
            said = answer(self._shelf, json.loads(content))
        except Exception:
            self._say(_failure())
        else:
            if isinstance(said, Answer):
                self._say(said)
            else:
                task = asyncio.get_running_loop().create_task(self._later(said))
                self.working.add(task)
                task.add_done_callback(self.working.discard)

    async def _later(self, coming: Coroutine[None, None, Answer]) -> None:
        try:
            said = await coming
        except Exception:
            said = _failure()
        self._say(said)

    def _say(self, said: Answer) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(said.packed())


def _failure() -> Answer:
    logger.exception("A question could not be answered.")
    return Answer(500, "", "An unexpected error occurred; the log of the scoring process has it.")


async def serve(address: str | tuple[str, int], cache: Path) -> None:
    """Answer at ``address``, from bundles unpacked into ``cache``, until SIGTERM or SIGINT; questions under way are answered first."""
    loop = asyncio.get_running_loop()
    asked_to_end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_end.set)
    shelf = Shelf(cache)
    await shelf.look()
    connections: set[Connection] = set()

    def connection() -> Connection:
        return Connection(shelf, connections)

    if isinstance(address, tuple):
        server = await loop.create_server(connection, *address)
    else:
        Path(address).parent.mkdir(parents=True, exist_ok=True)
        server = await loop.create_unix_server(connection, address)
        os.chmod(address, 0o600)
    logger.info("The scoring process serves %d model(s).", len(shelf))
    following = loop.create_task(shelf.keep_up())
    await asyncio.wait([loop.create_task(asked_to_end.wait()), following], return_when=asyncio.FIRST_COMPLETED)
    server.close()
    if working := [task for each in connections for task in each.working]:
        await asyncio.wait(working, timeout=SECONDS_TO_END)
    for each in list(connections):
        each.close()
    if following.done():
        following.result()  # raises what ended it
    following.cancel()
