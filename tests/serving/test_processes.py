"""Servers of several processes, and what becomes of requests when processes end."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoft.serving import server as server_module
from autoft.serving.assembled import assembled
from autoft.serving.server import address_of, bind
from http_servers import ADMIN_KEY, Client, Process, connected, options_for, until
from small_bundle import LABELS, make_bundle, problem

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes in /proc")

NEW = ("new-bad", "new-good")


def bundle_of(folder: Path, labels: tuple[str, ...]) -> Path:
    return make_bundle(folder, problem=problem().model_copy(update={"labels": labels}))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="module")
def several(folder: Path) -> Iterator[Process]:
    """Two processes that serve, with a key."""
    bundle = bundle_of(folder / "shop", LABELS)
    with Process(folder, bundle, "--workers", "2", "--log-format", "json", AUTOFT_API_KEYS=f"admin:{ADMIN_KEY}") as server:
        yield server


def client_of(server: Process) -> Client:
    return Client(server.address, authorization=f"Bearer {ADMIN_KEY}")


def labels_of(server: Process, times: int = 12) -> set[str]:
    """Of answers on connections of their own."""
    found = set()
    for _ in range(times):
        with client_of(server) as client:
            found.add(client.predict()["label"])
    return found


def counted(server: Process) -> float:
    """Answers to /predict, as whichever process is asked tells it."""
    request = urllib.request.Request(f"{server.address}/metrics", headers={"authorization": f"Bearer {ADMIN_KEY}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        told = re.search(r'^autoft_requests_total{route="/predict",status="200"} (\S+)', answer.read().decode(), re.MULTILINE)
    return float(told[1]) if told else 0.0


def test_any_process_counts_for_all(several: Process) -> None:
    before = counted(several)
    labels_of(several, 12)
    assert {counted(several) for _ in range(6)} == {before + 12}


def test_a_worker_that_is_killed_is_started_again_and_the_others_go_on(several: Process) -> None:
    assert "2 workers" in several.log
    assert labels_of(several) == {"good"}
    first, second = several.children
    clients = [client_of(several) for _ in range(12)]
    for client in clients:
        client.predict()
    os.kill(first, signal.SIGKILL)
    for client in clients:
        with contextlib.suppress(OSError, http.client.HTTPException), client:  # those of the one that is gone
            assert client.predict()["label"] == "good"
    assert labels_of(several) == {"good"}
    until(lambda: first not in several.children and len(several.children) == 2)
    now = several.children
    assert second in now
    assert f"worker {first} ended with SIGKILL" in several.log
    (newer,) = set(now) - {second}
    os.kill(second, signal.SIGSTOP)  # so that the new one has to answer
    try:
        with client_of(several) as client:
            assert client.predict()["label"] == "good"
    finally:
        os.kill(second, signal.SIGCONT)
    assert newer in several.children


def test_a_swap_reaches_all_workers_and_those_that_are_started_later(several: Process, folder: Path) -> None:
    other = bundle_of(folder / "other", NEW)
    with client_of(several) as client:
        status, _, _ = client.ask("POST", "/admin/swap", {"bundle": str(other)})
    assert status == 200
    until(lambda: several.log.count("shop: swapped") == 2)
    assert labels_of(several) == {"new-good"}
    for worker in several.children:
        os.kill(worker, signal.SIGKILL)
    killed = set(several.children)
    until(lambda: len(several.children) == 2 and not killed & set(several.children))
    assert labels_of(several) == {"new-good"}


def test_they_end_together_and_leave_nothing(several: Process) -> None:
    workers = several.children
    assert len(workers) == 2
    assert several.stop() == 0
    until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
    assert "Traceback" not in several.log
    assert "great" not in several.log


def test_workers_do_not_outlive_the_one_that_watches_over_them(folder: Path) -> None:
    bundle = bundle_of(folder / "alone", LABELS)
    with Process(folder, bundle, "--workers", "2") as server:
        workers = server.children
        server.process.send_signal(signal.SIGKILL)
        until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))


def test_a_bundle_that_cannot_be_opened_ends_all_with_2(folder: Path) -> None:
    bundle = bundle_of(folder / "changed", LABELS)
    (bundle / "onnx" / "model.onnx").write_bytes(b"")
    with pytest.raises(AssertionError, match=r"model\.onnx was changed") as caught, Process(folder, bundle, "--workers", "2"):
        pass
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize("workers", [1, 2])
def test_no_request_that_was_taken_is_lost_at_the_end(folder: Path, workers: int) -> None:
    bundle = bundle_of(folder / f"ending{workers}", LABELS)
    counts, failed, ended = [0] * 6, [], threading.Event()

    def ask(place: int, address: str) -> None:
        while not ended.is_set():
            try:
                with Client(address) as client:
                    while not ended.is_set():
                        status, headers, answer = client.ask("POST", "/predict", {"inputs": ["great"] * 20})
                        counts[place] += status == 200 and len(answer) == 20
                        if status != 200:
                            failed.append(status)
                        if headers["Connection"] == "close":
                            break
            except (OSError, http.client.HTTPException):
                return

    with Process(folder, bundle, "--workers", str(workers)) as server:
        threads = [threading.Thread(target=ask, args=(place, server.address)) for place in range(len(counts))]
        for thread in threads:
            thread.start()
        until(lambda: sum(counts) > 60)
        status = server.stop()
        ended.set()
        for thread in threads:
            thread.join(60)
        assert status == 0
        assert failed == []
        assert len(re.findall(r"POST /predict 200", server.log)) == sum(counts)
        assert not re.search(r"POST /predict (4|5)", server.log)
        assert "Traceback" not in server.log


def test_a_request_that_is_on_its_way_when_the_server_is_told_to_stop_is_answered(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "LAST_REQUESTS", 60)
    with bind("127.0.0.1", 0) as listener, assembled(options_for(bundle_of(folder / "way", LABELS))) as made:
        address, server = address_of(listener), server_module.Server(made.app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        with Client(address) as client, Client(address) as idle:
            client.predict()
            assert idle.ask("GET", "/health/live")[1]["Connection"] is None
            server.should_exit = True
            until(lambda: made.app.closing)
            for one in (client, idle):
                status, headers, _ = one.ask("POST", "/predict", {"text": "great"})
                assert (status, headers["Connection"]) == (200, "close")
        thread.join(30)
        assert not thread.is_alive()
        with pytest.raises(ConnectionRefusedError):
            connected(address)
