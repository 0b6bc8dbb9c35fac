"""docs/serving.md: its Python runs, its curl commands are answered, and its tables name what there is."""

from __future__ import annotations

import re
import shlex
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoft.loading import load_predictor
from autoft.serving.app import create_app
from autoft.serving.drift import FEWEST, MUCH, SOME
from autoft.serving.metrics import Metrics
from autoft.serving.request_log import KEPT, MOST_BYTES
from http_servers import listening
from small_bundle import make_bundle
from task_bundles import NUMBER, TEXT, schema

PAGE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text(encoding="utf-8")
NAME = "reviews"
SCORES = schema(label=TEXT, score=NUMBER, scores=schema(bad=NUMBER, good=NUMBER))


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = make_bundle(tmp_path_factory.mktemp("served") / "bundle", output_schema=SCORES)
    with listening(create_app(load_predictor(folder, threads=1), name=NAME)) as found:
        yield found.removeprefix("http://")


@pytest.mark.parametrize("block", [pytest.param(block, id=re.findall(r"(?:import|from) (\w+)", block)[-1]) for block in blocks("python")])
def test_clients(address: str, block: str, capsys: pytest.CaptureFixture[str]) -> None:
    for name in re.findall(r"^(?:import|from) ([\w.]+)", block, flags=re.MULTILINE):
        pytest.importorskip(name)
    host, _, port = address.partition(":")
    block = block.replace("127.0.0.1:8000", address).replace('"127.0.0.1", 8000', f'"{host}", {port}')
    assert address in block or port in block
    exec(compile(block, "docs/serving.md", "exec"), {})
    assert "bad" in capsys.readouterr().out


def test_curl(address: str) -> None:
    commands = [line for block in blocks("sh") for line in block.replace("\\\n", " ").splitlines()]
    assert len(commands) == 4
    for command in commands:
        words = shlex.split(command)
        (url,) = [word for word in words if word.startswith("http://")]
        headers = dict(re.split(r":\s*", words[place + 1]) for place, word in enumerate(words) if word == "-H")
        body = words[words.index("-d") + 1].encode()
        with urllib.request.urlopen(urllib.request.Request(url.replace("127.0.0.1:8000", address), body, headers), timeout=30) as answer:
            assert answer.status == 200


def test_tables_and_numbers() -> None:
    told = set(re.findall(r"^\| `(autoft_\w+)` \|", PAGE, flags=re.MULTILINE))
    there = {family.name + ("_total" if family.type == "counter" else "") for family in Metrics().registry.collect()}
    assert told == there
    assert f"before there are {FEWEST} values" in PAGE
    assert f"below {SOME}, or" in PAGE
    assert f"{MUCH} and above" in PAGE
    assert f"At {MOST_BYTES >> 20} MiB" in PAGE
    assert f"to `requests.{KEPT - 1}.jsonl`" in PAGE
