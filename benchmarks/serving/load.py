"""Load on a server, from a process of its own: `python -m serving.load` reads an order from standard input and writes what it saw.

Clients keep their connections open and ask one text after the other. With a rate they do so at moments that are set beforehand (Poisson),
and a latency counts from that moment: a server that falls behind is not spared by clients that wait for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from serving.systems import Server

SETTLE = 1.0
"""Seconds of load before anything counts, and after a flood before it has to be calm."""
WATCHED = 0.5
"""Seconds between two looks at the memory."""


def throughput(server: Server, texts: list[str], *, clients: int, seconds: float) -> dict[str, Any]:
    """Requests a second of clients that ask without pause."""
    return summary(Clients(server, texts, clients=clients, seconds=seconds).seen(), seconds)


def latencies(server: Server, texts: list[str], *, clients: int, seconds: float, rate: float | None = None) -> dict[str, Any]:
    """Milliseconds, p50 and p99, of clients that ask without pause, or `rate` times a second together."""
    return summary(Clients(server, texts, clients=clients, seconds=seconds, rate=rate).seen(), seconds)


def flood(server: Server, texts: list[str], *, connections: int, seconds: float, calm_ms: float) -> dict[str, Any]:
    """Which statuses there were, how the memory grew, and the p99 of one client in the second after the first one after."""
    flooding = Clients(server, texts, clients=connections, seconds=seconds)
    memory = []
    while flooding.process.poll() is None:
        memory.append(server.resident_mb())
        time.sleep(WATCHED)
    seen = flooding.seen()
    time.sleep(SETTLE)
    after = latencies(server, texts, clients=1, seconds=1.0)
    statuses: dict[str, int] = {}
    for _, _, status in seen:
        statuses[str(status)] = statuses.get(str(status), 0) + 1
    half = len(memory) // 2
    grown = max(memory[half:], default=0.0) - max(memory[:half], default=0.0)
    return {"flood_statuses": statuses, "flood_grown_mb": grown, "flood_most_mb": max(memory, default=0.0)} | {
        "after_flood_p99_ms": after["p99_ms"],
        "before_flood_p99_ms": calm_ms,
    }


class Clients:
    """The process of the clients. What it saw goes through a file: a pipe would be full before it has ended."""

    def __init__(self, server: Server, texts: list[str], **order: Any) -> None:
        self._said = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        self.process = subprocess.Popen([sys.executable, "-m", "serving.load"], stdin=subprocess.PIPE, stdout=self._said, text=True)
        assert self.process.stdin is not None
        with self.process.stdin as pipe:
            json.dump({"address": server.address, **server.asks._asdict(), "texts": texts, **order}, pipe)

    def seen(self) -> list[tuple[float, float, int]]:
        """Moment, milliseconds and status of each request, once it has ended; status 0 where there was no response."""
        if self.process.wait():
            sys.exit(f"the clients ended with {self.process.returncode}")
        with self._said as said:
            said.seek(0)
            return [(moment, ms, status) for moment, ms, status in json.load(said)]


def summary(seen: list[tuple[float, float, int]], seconds: float) -> dict[str, Any]:
    """Of what was asked once the load had settled."""
    kept = [(ms, status) for moment, ms, status in seen if moment >= SETTLE]
    good = sorted(ms for ms, status in kept if status == 200)
    if not good:
        sys.exit(f"no request of {len(kept)} was answered with 200")
    return {
        "requests_per_second": len(good) / seconds,
        "p50_ms": quantile(good, 0.5),
        "p99_ms": quantile(good, 0.99),
        "errors": len(kept) - len(good),
    }


def quantile(ordered: list[float], share: float) -> float:
    """Of sorted values, the nearest."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


# In the process of the clients


async def clients(order: dict[str, Any]) -> list[tuple[float, float, int]]:
    """All of them."""
    begun = time.perf_counter()
    end = begun + SETTLE + order["seconds"]
    seen: list[tuple[float, float, int]] = []
    moments = iter(planned(order.get("rate"), SETTLE + order["seconds"]))
    asked = iter(range(10**12))
    await asyncio.gather(*(client(order, begun, end, moments, asked, seen) for _ in range(order["clients"])))
    return seen


def planned(rate: float | None, seconds: float) -> list[float]:
    """When requests are due, in seconds from the beginning; none where clients do not wait."""
    if rate is None:
        return []
    generator, moment, found = random.Random(0), 0.0, []
    while (moment := moment + generator.expovariate(rate)) < seconds:
        found.append(moment)
    return found


async def client(order: dict[str, Any], begun: float, end: float, moments: Any, asked: Any, seen: list[Any]) -> None:
    """One, on one connection."""
    place, texts, rate = urlsplit(order["address"]), order["texts"], order.get("rate")
    reader = writer = None
    while True:
        due = time.perf_counter() - begun
        if rate is not None:
            due = next(moments, None)
            if due is None:
                break
            await asyncio.sleep(max(0.0, begun + due - time.perf_counter()))
        elif time.perf_counter() >= end:
            break
        status = 0
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError, IndexError):
            if writer is None:
                reader, writer = await asyncio.open_connection(place.hostname, place.port)
            text = texts[next(asked) % len(texts)]
            body = json.dumps({order["field"]: [text] if order["listed"] else text}).encode()
            head = f"POST {order['path']} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            status, stays = await response(reader)
            if not stays:
                writer.close()
                writer = None
        if status == 0 and writer is not None:
            writer.close()
            writer = None
        seen.append((due, (time.perf_counter() - begun - due) * 1000, status))
    if writer is not None:
        writer.close()


async def response(reader: Any) -> tuple[int, bool]:
    """Its status, and whether the connection stays open. The body is read and left."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    lines = head.split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
    await reader.readexactly(int(headers["content-length"]))
    return int(lines[0].split()[1]), headers.get("connection") != "close"


if __name__ == "__main__":
    json.dump(asyncio.run(clients(json.load(sys.stdin))), sys.stdout)
