"""What is cut, refused, or given up: long rows, full queues, late answers, clients that left, clients that are slow."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient

import autoft
import encoder_bundles
from autoft.cli.predict import command as predict_command
from autoft.loading import load_predictor
from autoft.runtime.predictor import Predictor
from autoft.serving import connections
from autoft.serving import requests as requests_module
from autoft.serving.app import create_app
from autoft.serving.engine import Engine
from http_servers import Client, connected, in_thread, until

LONG = "x " * 100
"""More tokens than `encoder_bundles.LONGEST`."""


def client_of(folder: Path, engine: Engine | None = None, **options: bool) -> TestClient:
    return TestClient(create_app(load_predictor(folder, threads=1, **options), name="cut", engine=engine), raise_server_exceptions=False)


# Rows that are longer than the model reads


def test_answers_to_rows_that_were_cut_say_so(tmp_path: Path) -> None:
    client = client_of(encoder_bundles.tokens(tmp_path / "cut"))
    assert "truncated" not in client.post("/predict", json={"text": "x"}).json()
    assert client.post("/predict", json={"text": LONG}).json()["truncated"] is True
    answers = client.post("/predict", json={"inputs": ["x", LONG, "y", LONG]}).json()
    assert ["truncated" in answer for answer in answers] == [False, True, False, True]
    (classes,) = client.post("/", json={"inputs": LONG}).json()
    assert {*classes[0]} == {"label", "score"}
    answer = client.get("/openapi.json").json()["paths"]["/predict"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer["anyOf"][0]["properties"]["truncated"]["type"] == "boolean"


def test_one_of_two_texts_that_was_cut_counts(tmp_path: Path) -> None:
    client = client_of(encoder_bundles.token_pairs(tmp_path / "cut"))
    assert client.post("/predict", json={"text": "x", "text_pair": LONG}).json()["truncated"] is True


def test_python_and_files_of_lines_say_so_and_cells_do_not(tmp_path: Path) -> None:
    bundle = encoder_bundles.tokens(tmp_path / "cut")
    assert [answer.get("truncated") for answer in autoft.load(bundle, threads=1).predict([LONG, "x"])] == [True, None]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in (LONG, "x")))
    outputs = {}
    for suffix in ("jsonl", "csv"):
        output = tmp_path / f"answers.{suffix}"
        arguments = [str(bundle), "--input", str(tmp_path / "rows.jsonl"), "--output", str(output)]
        done = CliRunner().invoke(predict_command, arguments, catch_exceptions=False)
        assert done.exit_code == 0
        outputs[suffix] = output.read_text()
    assert [json.loads(line).get("truncated") for line in outputs["jsonl"].splitlines()] == [True, None]
    assert outputs["csv"].splitlines()[0] == "text,label,score"
    parquet = pytest.importorskip("pyarrow.parquet", reason="pip install 'autoft[parquet]'")
    output = tmp_path / "answers.parquet"
    arguments = [str(bundle), "--input", str(tmp_path / "rows.jsonl"), "--output", str(output)]
    assert CliRunner().invoke(predict_command, arguments, catch_exceptions=False).exit_code == 0
    assert "truncated" not in parquet.read_table(output).column_names


def test_without_truncation_long_rows_are_refused_by_name(tmp_path: Path) -> None:
    client = client_of(encoder_bundles.tokens(tmp_path / "cut"), truncate=False)
    assert client.post("/predict", json={"text": "x " * 22}).status_code == 200
    for path, body, field in (
        ("/predict", {"text": LONG}, "text"),
        ("/predict", {"inputs": ["x", LONG, "y"]}, "inputs.1"),
        ("/", {"inputs": LONG}, "inputs"),
        ("/", {"inputs": [*"abcdefghijkl", LONG]}, "inputs.12"),
    ):
        response = client.post(path, json=body)
        assert (response.status_code, response.json()["field"]) == (422, field)
        assert "24 tokens" in response.json()["error"]
    pairs = client_of(encoder_bundles.token_pairs(tmp_path / "pairs"), truncate=False)
    response = pairs.post("/predict", json={"text": LONG, "text_pair": "x"})
    assert (response.status_code, set(response.json())) == (422, {"error"})


# Load


class Held:
    """A predictor whose graph does not end before `held` is set; `rows` are those that reached it."""

    def __init__(self, predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
        self.held, self.begun, self.rows = threading.Event(), threading.Semaphore(0), 0
        run = predictor._session.run

        def slow(arrays):
            self.rows += len(arrays["ids"])
            self.begun.release()
            assert self.held.wait(60)
            return run(arrays)

        monkeypatch.setattr(predictor._session, "run", slow)


def post(address: str, body: object, into: list) -> threading.Thread:
    def ask() -> None:
        with Client(address) as client:
            into.append(client.ask("POST", "/predict", body)[0])

    thread = threading.Thread(target=ask)
    thread.start()
    return thread


def test_a_full_queue_says_when_to_come_again(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with in_thread(bundle, queue=3) as (address, made), Client(address) as client:
        held = Held(made.bundles["bundle"].predictor, monkeypatch)
        statuses: list[int] = []
        threads = [post(address, {"text": "great"}, statuses) for _ in range(3)]
        until(lambda: made.engine.waiting == 3)
        for path, body in (("/predict", {"text": "great"}), ("/", {"inputs": ["great"]})):
            status, headers, answer = client.ask("POST", path, body)
            assert status == 429
            assert int(headers["Retry-After"]) >= 1
            assert "later" in answer["error"]
        assert client.ask("GET", "/health/ready")[0] == 200
        held.held.set()
        for thread in threads:
            thread.join(60)
        assert statuses == [200] * 3
        assert client.ask("POST", "/predict", {"text": "great"})[0] == 200


def test_an_answer_that_is_late_is_given_up(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with in_thread(bundle, timeout=0.2) as (address, made), Client(address) as client:
        held = Held(made.bundles["bundle"].predictor, monkeypatch)
        for _ in range(4):  # of two threads: the last two wait in vain
            status, _, answer = client.ask("POST", "/predict", {"text": "great"})
            assert (status, answer) == (504, {"error": "there was no answer within 0.2 seconds"})
        held.held.set()
        assert client.ask("POST", "/predict", {"text": "great"})[0] == 200
        assert held.rows <= 3
        assert made.engine.waiting == 0


def test_what_a_client_asked_that_is_gone_is_not_computed(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = json.dumps({"inputs": ["great"] * 100}).encode()
    request = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
    with in_thread(bundle) as (address, made):
        held = Held(made.bundles["bundle"].predictor, monkeypatch)
        statuses: list[int] = []
        threads = [post(address, {"text": "great"}, statuses) for _ in range(2)]
        for _ in threads:
            assert held.begun.acquire(timeout=30)
        left = [connected(address, request) for _ in range(5)]
        until(lambda: made.engine.waiting == 502)
        for connection in left:
            connection.close()
        until(lambda: made.engine.waiting == 2)
        held.held.set()
        for thread in threads:
            thread.join(60)
        assert statuses == [200, 200]
        with Client(address) as client:
            client.predict()
        assert held.rows == 3


# Clients that are slow


@pytest.fixture
def impatient(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server that waits for less than a second."""
    monkeypatch.setattr(connections, "HEADER_SECONDS", 0.4)
    monkeypatch.setattr(requests_module, "BODY_SECONDS", 0.4)
    with in_thread(bundle) as (address, _):
        yield address


def all_of(connection: socket.socket) -> bytes:
    """What comes until the other side closes; bytes on their way when it did may have become a reset."""
    found = b""
    try:
        while piece := connection.recv(4096):
            found += piece
    except ConnectionResetError:
        pass
    connection.close()
    return found


def test_half_open_requests_are_closed_and_hold_nobody_up(impatient: str) -> None:
    starts = [b"", b"G", b"POST /predict HTTP/1.1\r\n", b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-le"]
    half = [connected(impatient, start) for start in starts * 10]
    started = time.monotonic()
    with Client(impatient) as client:
        for _ in range(20):
            assert client.predict()["label"] == "good"
    answered = time.monotonic() - started
    for connection in half:
        assert all_of(connection) == b""
    assert time.monotonic() - started < 20
    assert answered < 20


def test_a_byte_now_and_then_gives_no_more_time(impatient: str) -> None:
    connection = connected(impatient, b"POST /predict HTTP/1.1\r\n")
    started = time.monotonic()
    try:
        while time.monotonic() - started < 20:
            connection.sendall(b"x: y\r\n")
            time.sleep(0.05)
    except OSError:
        pass
    assert time.monotonic() - started < 15
    connection.close()


def test_a_second_request_that_does_not_come_whole_is_closed_too(impatient: str) -> None:
    first = b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n"
    connection = connected(impatient, first)
    answer = b""
    while not answer.endswith(b"}"):
        answer += connection.recv(4096)
    assert b"200 OK" in answer
    connection.sendall(first[:12])
    assert all_of(connection) == b""


def test_a_body_that_does_not_come_is_answered_with_408(impatient: str) -> None:
    head = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 20\r\n\r\n{"
    half = [connected(impatient, head) for _ in range(10)]
    with Client(impatient) as client:
        assert client.predict()["label"] == "good"
    for connection in half:
        assert connection.recv(4096).startswith(b"HTTP/1.1 408 ")
        connection.close()


def test_wrong_bytes_end_in_400_without_a_traceback(impatient: str, capfd: pytest.CaptureFixture[str]) -> None:
    for sent in (
        b"\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\ncontent-length: x\r\n\r\n",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n",
    ):
        found = all_of(connected(impatient, sent))
        assert found.startswith(b"HTTP/1.1 400 "), sent
    with Client(impatient) as client:
        client.predict()
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"text": "' + b"a" * 10 * 2**20 + b'"}', 413),
        (b"[" * 500_000, 422),
        (b'{"text": ' * 100_000, 422),
        (b'{"inputs": [' + b'"a",' * 1500 + b'"a"]}', 413),
        (b'{"inputs": []}', 200),
        (b'{"inputs": [{}]}', 422),
        (b'{"text": "\\u0000 \\ud800"}', 200),
        (b'{"text": "' + b"word " * 100_000 + b'"}', 200),
    ],
)
def test_wrong_input_over_the_wire(bundle: Path, body: bytes, status: int) -> None:
    client = client_of(bundle)
    response = client.post("/predict", content=body)
    assert response.status_code == status
    assert "Traceback" not in response.text
