"""A real server process on loopback."""

from __future__ import annotations

import json
import math
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from autoft.errors import InputError
from autoft.runtime.advice import Advice, Machine, Setting
from autoft.runtime.bundle import write_advice
from autoft.runtime.session import available_cores
from autoft.serving.served import setting
from autoft.serving.server import address_of, bind
from small_bundle import TRAIN, environment_without


def start(bundle: Path, *arguments: str, absent: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """`autoft serve` where the packages in `absent` cannot be imported."""
    command = [sys.executable, "-m", "autoft", "serve", str(bundle), *arguments]
    return subprocess.Popen(command, env=environment_without(absent, bundle.parent / "blocker"), stderr=subprocess.PIPE, text=True)


@pytest.fixture
def server(bundle: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = start(bundle, "--port", "0", absent=TRAIN)
    try:
        line = process.stderr.readline()
        address = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert address, line + process.stderr.read()
        yield process, address[0]
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def post(address: str, body: object) -> dict:
    request = urllib.request.Request(f"{address}/predict", json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def test_it_answers_holds_no_torch_and_ends_with_0(server: tuple[subprocess.Popen[str], str]) -> None:
    process, address = server
    assert post(address, {"text": "great"})["label"] == "good"
    with urllib.request.urlopen(f"{address}/docs", timeout=30) as page:
        assert b"openapi.json" in page.read()
    maps = Path(f"/proc/{process.pid}/maps")
    if maps.exists():
        held = maps.read_text()
        assert "onnxruntime" in held
        assert not re.search(r"/(torch|transformers|ray|sklearn|scipy|pandas|pyarrow)/", held)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0
    log = process.stderr.read()
    assert "POST /predict 200" in log
    assert "great" not in log
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("further", "flags", "said", "sessions"),
    [
        (0, (), "3 sessions of 2 threads, 4 rows a batch, as autoft bench advised; Ctrl-C", 3),
        (0, ("--threads", "1"), "/); Ctrl-C", 1),
        (0, ("--sessions", "2"), "/); Ctrl-C", 2),
        (1, (), "the bundle's advice is for", available_cores() // math.isqrt(available_cores())),
    ],
)
def test_it_says_whether_it_takes_the_bundles_advice(bundle: Path, further: int, flags: tuple[str, ...], said: str, sessions: int) -> None:
    machine = Machine(processor="p", cores=available_cores() + further, system="s")
    found = {"sessions": 3, "threads": 2, "batch": 4}
    write_advice(bundle, Advice(**found, files=Setting(**found), format="onnx", measured={}, machine=machine, when="now"))
    process = start(bundle, "--port", "0", *flags)
    try:
        line = process.stderr.readline()
        assert said in line
        address = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert address, line + process.stderr.read()
        with urllib.request.urlopen(f"{address[0]}/info", timeout=30) as info:
            assert json.load(info)["sessions"] == sessions
        assert post(address[0], {"inputs": ["awful", "great"]})[1]["label"] == "good"
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def test_advice_for_another_format_is_not_said_to_be_taken() -> None:
    machine = Machine(processor="p", cores=available_cores(), system="s")
    found = {"sessions": 3, "threads": 2, "batch": 4}
    advice = Advice(**found, files=Setting(**found), format="onnx", measured={}, machine=machine, when="now")
    bundle = SimpleNamespace(manifest=SimpleNamespace(advice=advice, exporter="onnx"))
    predictor = SimpleNamespace(bundle=bundle, at_once=3, threads=2, batch=4, budget=None)
    assert setting(predictor, None) == "; 3 sessions of 2 threads, 4 rows a batch, as autoft bench advised"
    predictor.budget = 16384
    assert setting(predictor, None) == "; 3 sessions of 2 threads, as autoft bench advised; 16,384 tokens a batch"
    said = setting(predictor, "onnx-int8")
    assert "the format onnx, not for" in said
    assert "onnx-int8 here: not taken" in said


def test_ctrl_c_ends_with_0(server: tuple[subprocess.Popen[str], str]) -> None:
    process, address = server
    assert post(address, {"inputs": ["awful"]})[0]["label"] == "bad"
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 0


def test_accepted_requests_are_finished_after_sigterm(server: tuple[subprocess.Popen[str], str]) -> None:
    process, address = server
    answers: list[dict] = []
    body = {"inputs": ["great " * 1000] * 1000}
    asking = threading.Thread(target=lambda: answers.append(post(address, body)))
    asking.start()
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    asking.join(timeout=60)
    assert process.wait(timeout=30) == 0
    assert [len(answer) for answer in answers] == [1000]


def test_a_port_in_use_ends_with_2(bundle: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start(bundle, "--port", str(port))
        _, error = process.communicate(timeout=60)
    assert process.returncode == 2
    assert f"port {port} on 127.0.0.1 is in use" in error
    assert "--port" in error
    assert "Traceback" not in error


def test_a_changed_bundle_is_not_served(bundle: Path) -> None:
    (bundle / "onnx" / "model.onnx").write_bytes(b"")
    process = start(bundle, "--port", "0")
    _, error = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "model.onnx was changed" in error


def test_without_the_serve_extra_it_says_how_to_get_it(bundle: Path) -> None:
    process = start(bundle, "--port", "0", absent=("fastapi",))
    _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "autoft[serve]" in error


def test_addresses() -> None:
    with bind("127.0.0.1", 0) as listener:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address_of(listener))
        _, port = listener.getsockname()
        with pytest.raises(InputError, match="in use") as caught:
            bind("127.0.0.1", port)
        assert caught.value.exit_code == 2
    for host in ("no.such.host.invalid", "203.0.113.1"):
        with pytest.raises(InputError) as caught:
            bind(host, 0)
        assert host in caught.value.message
        assert caught.value.exit_code == 2


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1100])
def test_the_docs_page_lists_and_tries_the_endpoints(server: tuple[subprocess.Popen[str], str], width: int) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    from playwright.sync_api import sync_playwright

    _, address = server
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 900})
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"{address}/docs")
        page.get_by_label("request body").first.fill('{"text": "great"}')
        page.get_by_role("button", name="Send").first.click()
        page.get_by_text("Response 200").wait_for()
        assert '"label": "good"' in page.locator("main").inner_text()
        assert page.locator("details").count() == 14
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert said == []
        browser.close()
