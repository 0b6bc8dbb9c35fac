"""Weights that travel by content."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from autoft.errors import AutoftError, SourceError
from autoft.sources.carrying import carried, unpack


def content(folder: Path):
    return lambda name: np.fromfile(folder / name, np.uint8)


def test_a_source_arrives_as_it_was(tiny_source, tmp_path):
    source = tiny_source("bert")
    hashes = carried(source.folder)
    unpack(tmp_path / "sources" / "there", hashes, content(source.folder))
    there = tmp_path / "sources" / "there"
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= set(hashes)
    assert {path.name: path.read_bytes() for path in there.iterdir()} == {name: (source.folder / name).read_bytes() for name in hashes}
    assert [path.name for path in there.parent.iterdir()] == ["there"]


def test_only_what_is_read_travels(tmp_path):
    wanted = ["added_tokens.json", "config.json", "merges.txt", "model.safetensors", "spiece.model", "vocab.txt"]
    for name in [*wanted, "modeling_mine.py", "pytorch_model.bin", "training_args.bin", "README.md", "adapter.safetensors"]:
        (tmp_path / name).write_text(name)
    (tmp_path / "onnx").mkdir()
    assert list(carried(tmp_path)) == wanted
    assert carried(tmp_path)["vocab.txt"] == hashlib.sha256(b"vocab.txt").hexdigest()


@pytest.mark.skipif(os.name == "nt", reason="links want rights there")
def test_links_into_the_hubs_cache_are_followed(tmp_path):
    (tmp_path / "blob").write_text("{}")
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "snapshot" / "config.json").symlink_to(tmp_path / "blob")
    hashes = carried(tmp_path / "snapshot")
    unpack(tmp_path / "there", hashes, content(tmp_path / "snapshot"))
    assert not (tmp_path / "there" / "config.json").is_symlink()


@pytest.mark.parametrize(
    ("hashes", "error", "said"),
    [
        ({"a.json": hashlib.sha256(b"x").hexdigest(), "config.json": "0" * 64}, SourceError, "config.json of the source did not arrive"),
        ({"../config.json": hashlib.sha256(b"x").hexdigest()}, AutoftError, "is no name of a file below"),
    ],
)
def test_what_did_not_arrive_right_is_not_there(tmp_path, hashes, error, said):
    with pytest.raises(error, match=said):
        unpack(tmp_path / "sources" / "there", hashes, lambda _: np.frombuffer(b"x", np.uint8))
    assert list((tmp_path / "sources").iterdir()) == []
    assert not (tmp_path / "config.json").exists()


def test_an_empty_file_is_a_file(tmp_path):
    unpack(tmp_path / "there", {"a.json": hashlib.sha256(b"").hexdigest()}, lambda _: np.empty(0, np.uint8))
    assert (tmp_path / "there" / "a.json").read_bytes() == b""
