"""A bundle is served only if every file is the one that was proved."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from autoft.errors import BundleError
from autoft.interfaces.task import Decoder
from autoft.runtime.bundle import Manifest, open_bundle, write_decoder, write_manifest
from small_bundle import make_bundle, problem


def edit(bundle: Path, **changes: object) -> None:
    path = bundle / "autoft.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_what_was_written_is_read_back(bundle: Path) -> None:
    opened = open_bundle(bundle)
    assert opened.problem == problem()
    assert set(opened.manifest.files) == {"onnx/model.onnx", "vocabulary.json", "decoder.npz"}
    assert all(len(digest) == 64 for digest in opened.manifest.files.values())
    decoder = opened.decoder()
    assert decoder.config == {"function": "softmax"}
    assert decoder.arrays["threshold"].tolist() == [0.5]
    assert json.loads((bundle / "autoft.json").read_text())["schema"] == 1
    assert Manifest.model_json_schema(by_alias=True)["properties"]["schema"]["default"] == 1


@pytest.mark.parametrize("name", ["onnx/model.onnx", "vocabulary.json", "decoder.npz"])
def test_a_changed_file_is_named(bundle: Path, name: str) -> None:
    content = bytearray((bundle / name).read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / name).write_bytes(content)
    with pytest.raises(BundleError, match="was changed after") as caught:
        open_bundle(bundle)
    assert name in caught.value.message
    assert caught.value.exit_code == 2


def test_an_absent_file_is_named(bundle: Path) -> None:
    (bundle / "vocabulary.json").unlink()
    with pytest.raises(BundleError, match=r"vocabulary\.json is absent"):
        open_bundle(bundle)


def test_links_are_refused(bundle: Path, tmp_path: Path) -> None:
    (bundle / "vocabulary.json").rename(tmp_path / "elsewhere.json")
    (bundle / "vocabulary.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(BundleError, match="symbolic link"):
        open_bundle(bundle)


def test_a_linked_folder_is_refused(bundle: Path, tmp_path: Path) -> None:
    (bundle / "onnx").rename(tmp_path / "graphs")
    (bundle / "onnx").symlink_to(tmp_path / "graphs", target_is_directory=True)
    with pytest.raises(BundleError, match="symbolic link"):
        open_bundle(bundle)


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "onnx/../../secret", "onnx\\model.onnx", "C:secret", "", ".", "a//b"])
def test_paths_outside_are_refused(bundle: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text("x")
    edit(bundle, files={name: "0" * 64})
    with pytest.raises(BundleError, match="no path inside the bundle"):
        open_bundle(bundle)


def test_a_folder_in_place_of_a_file(bundle: Path) -> None:
    edit(bundle, files={"onnx": "0" * 64})
    with pytest.raises(BundleError, match="no plain file"):
        open_bundle(bundle)


def test_a_newer_schema_is_refused_with_the_version_that_wrote_it(bundle: Path) -> None:
    edit(bundle, schema=2, autoft="9.1")
    with pytest.raises(BundleError, match=r"autoft 9\.1 in schema 2"):
        open_bundle(bundle)


def test_unknown_fields_of_the_same_schema_are_fine(bundle: Path) -> None:
    edit(bundle, something_new={"a": 1})
    assert open_bundle(bundle).manifest.exporter == "onnx"


def test_a_graph_that_nobody_proved_is_refused(bundle: Path) -> None:
    (bundle / "onnx" / "model.data").write_bytes(b"weights")
    with pytest.raises(BundleError, match=r"model\.data does not belong"):
        open_bundle(bundle)


@pytest.mark.parametrize(
    ("content", "reason"), [("{", "no manifest"), ("[]", "no manifest"), ("{}", "Field required"), ("\0", "no manifest")]
)
def test_what_is_no_manifest(bundle: Path, content: str, reason: str) -> None:
    (bundle / "autoft.json").write_text(content)
    with pytest.raises(BundleError, match=reason):
        open_bundle(bundle)


def test_what_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"is no bundle: it has no autoft\.json"):
        open_bundle(tmp_path)
    with pytest.raises(BundleError, match="there is no folder"):
        open_bundle(tmp_path / "nowhere")


def test_a_link_is_not_hashed_into_a_manifest(bundle: Path, tmp_path: Path) -> None:
    manifest = open_bundle(bundle).manifest
    (bundle / "link").symlink_to(tmp_path)
    with pytest.raises(BundleError, match="symbolic link"):
        write_manifest(bundle, manifest)


def test_pickled_arrays_are_neither_written_nor_read(bundle: Path) -> None:
    with pytest.raises(BundleError, match="holds Python objects"):
        write_decoder(bundle, Decoder({}, {"bad": np.array([{}], dtype=object)}))
    np.savez(bundle / "decoder.npz", bad=np.array([{}], dtype=object))
    write_manifest(bundle, open_bundle(make_bundle(bundle.with_name("other"))).manifest)
    with pytest.raises(BundleError, match="cannot be read"):
        open_bundle(bundle).decoder()
