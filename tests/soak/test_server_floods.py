"""A server under more than it can take: many connections, many that send nothing, processes killed again and again."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import random
import re
import signal
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from autoft.serving.connections import allow_many
from http_servers import Client, Process, connected, until
from small_bundle import make_bundle

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]

BODY = b'{"inputs": [' + b", ".join([b'"great words of a text"'] * 8) + b"]}"
REQUEST = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%s" % (len(BODY), BODY)


@pytest.fixture(scope="module", autouse=True)
def _many_files() -> None:
    allow_many()


async def flooded(address: str, connections: int, seconds: float) -> Counter[int]:
    """The statuses of requests on so many connections at once, without pause."""
    place, found, end = urlsplit(address), Counter[int](), time.monotonic() + seconds

    async def ask() -> None:
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        while time.monotonic() < end:
            writer.write(REQUEST)
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            assert length
            await reader.readexactly(int(length[1]))
            found[int(head.split()[1])] += 1
        writer.close()

    await asyncio.gather(*(ask() for _ in range(connections)))
    return found


def resident(process: int) -> int:
    """In KiB."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
    assert found
    return int(found[1])


def test_320_connections_for_a_minute_get_answers_or_429(tmp_path: Path) -> None:
    with Process(tmp_path, make_bundle(tmp_path / "shop"), "--queue", "1000") as server:
        asyncio.run(flooded(server.address, 320, 15))
        before = resident(server.process.pid)
        found = asyncio.run(flooded(server.address, 320, 60))
        assert set(found) == {200, 429}, found
        assert found[200] > 1000
        assert resident(server.process.pid) < before * 1.1 + 4096
        with Client(server.address) as client:
            started = time.monotonic()
            client.predict()
            assert time.monotonic() - started < 1
        assert server.stop() == 0
        assert "Traceback" not in server.log


def test_a_thousand_half_open_requests_starve_nobody(tmp_path: Path) -> None:
    with Process(tmp_path, make_bundle(tmp_path / "shop")) as server:
        half = [connected(server.address, REQUEST[: (7 * number) % (len(REQUEST) - 1)]) for number in range(1000)]
        with Client(server.address) as client:
            for _ in range(100):
                client.predict()
        for connection in half:
            connection.settimeout(60)
            with contextlib.suppress(ConnectionError):
                while connection.recv(4096):
                    pass
            connection.close()
        with Client(server.address) as client:
            client.predict()
        assert len(list(Path(f"/proc/{server.process.pid}/fd").iterdir())) < 100


def test_workers_are_killed_again_and_again(tmp_path: Path) -> None:
    generator, answers, ended = random.Random(0), Counter[str](), threading.Event()

    def ask(address: str) -> None:
        while not ended.is_set():
            try:
                with Client(address) as client:
                    for _ in range(20):
                        client.predict()
                        answers["good"] += 1
            except (OSError, http.client.HTTPException):
                answers["lost"] += 1

    with Process(tmp_path, make_bundle(tmp_path / "shop"), "--workers", "3") as server:
        threads = [threading.Thread(target=ask, args=(server.address,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for _ in range(20):
            before = answers["good"]
            worker = generator.choice(server.children)
            os.kill(worker, generator.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV]))
            until(lambda before=before: answers["good"] > before + 50)
            until(lambda worker=worker: worker not in server.children and len(server.children) == 3)
        ended.set()
        for thread in threads:
            thread.join(90)
        assert answers["lost"] < answers["good"] / 10
        assert server.stop() == 0
