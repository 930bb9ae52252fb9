"""A process that asks a web server and times the answers: ``python -m benchmarks.http_load``, its plan as JSON on standard input.

Open loop: requests are sent at fixed times whatever becomes of those before, and a latency counts from the time that was planned, so
that a server which stalls cannot hide it. Closed loop: each connection asks again once it is answered.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

ENOUGH = 20
"""Answers to one path that have a percentile of their own."""


@dataclass(frozen=True)
class Load:
    """What is asked, and how fast."""

    port: int
    paths: Sequence[str]
    """In turn."""
    headers: Mapping[str, str]
    connections: int
    requests: int
    rate: float | None = None
    """A second; None for as fast as they are answered."""
    bodies: Sequence[str] = ()
    """In turn: makes them POSTs of JSON."""

    def start(self) -> subprocess.Popen[str]:
        """Begin, in a process of its own; ``load_ended`` waits for it."""
        process = subprocess.Popen((sys.executable, "-m", "benchmarks.http_load"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdin is not None
        process.stdin.write(json.dumps(asdict(self)))
        process.stdin.close()
        return process

    def run(self) -> dict[str, Any]:
        """p50_ms, p95_ms, p99_ms, per_second, failed (not 200, or no answer at all), and p95_ms_of each path that was asked for often."""
        with self.start() as process:
            return load_ended(process)


def load_ended(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    found: dict[str, Any] = json.loads(process.stdout.read())
    if process.wait():
        raise SystemExit("The load generator failed.")
    return found


class _Client:
    """One connection, kept open."""

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        self._port = port
        self._lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, path: str, body: str | None) -> int:
        """The status; 0 where there is no answer."""
        content = b"" if body is None else body.encode()
        method, more = ("GET", "") if body is None else ("POST", f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n")
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            reader, writer = self._streams
            writer.write(f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{self._lines}{more}\r\n".encode() + content)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            await reader.readexactly(int(head.split("content-length:")[1].split("\r\n")[0]))
            if "connection: close" in head:
                self.close()
            return int(head.split(" ")[1])
        except (OSError, asyncio.IncompleteReadError):
            self.close()
            return 0

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None


async def _run(plan: dict[str, Any]) -> dict[str, Any]:
    clients: asyncio.Queue[_Client] = asyncio.Queue()
    for _ in range(plan["connections"]):
        clients.put_nowait(_Client(plan["port"], plan["headers"]))
    paths, bodies, statuses = plan["paths"], plan["bodies"], []
    latencies: dict[str, list[float]] = {path: [] for path in paths}
    started = time.perf_counter()

    async def ask(number: int, planned: float) -> None:
        client = await clients.get()
        path = paths[number % len(paths)]
        statuses.append(await client.ask(path, bodies[number % len(bodies)] if bodies else None))
        latencies[path].append(time.perf_counter() - planned)
        clients.put_nowait(client)

    async def keep_asking(numbers: Callable[[], int | None]) -> None:
        while (number := numbers()) is not None:
            await ask(number, time.perf_counter())

    if plan["rate"] is None:
        left = iter(range(plan["requests"]))
        await asyncio.gather(*(keep_asking(lambda: next(left, None)) for _ in range(plan["connections"])))
    else:
        running = []
        for number in range(plan["requests"]):
            planned = started + number / plan["rate"]
            if (wait := planned - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            running.append(asyncio.create_task(ask(number, planned)))
        await asyncio.gather(*running)
    seconds = time.perf_counter() - started
    while not clients.empty():
        clients.get_nowait().close()
    p50, p95, p99 = np.percentile(np.concatenate(list(latencies.values())), [50, 95, 99]) * 1e3
    found: dict[str, Any] = {"p50_ms": round(p50, 2), "p95_ms": round(p95, 2), "p99_ms": round(p99, 2)}
    found |= {"per_second": round(len(statuses) / seconds, 1), "failed": sum(status != 200 for status in statuses)}
    if by_path := {path: round(np.percentile(each, 95) * 1e3, 2) for path, each in latencies.items() if len(each) >= ENOUGH}:
        found["p95_ms_of"] = by_path
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_run(json.load(sys.stdin)))))
