"""Every format of a fitted model: written, opened, near enough; and each kind of wrong export refused in each of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from autoft.errors import BundleError, ExportError
from autoft.interfaces.exporter import Approximates, Converts, Exporter
from autoft_exporters import autoft_register_exporters
from autoft_exporters.onnx_fp16 import OnnxFp16
from autoft_exporters.onnx_int8 import OnnxInt8, OnnxInt8Small, OnnxInt8Static
from autoft_exporters.openvino import OpenVino

FORMATS = {one.name: one for one in (OnnxInt8(), OnnxInt8Small(), OnnxInt8Static(), OnnxFp16())}
_kept = {}


@pytest.fixture
def bert(exported_full):
    """A tiny BERT in full precision, with rows to scale by; exported once for all tests of this file."""
    if "bert" not in _kept:
        exported = exported_full("bert")
        rows = [exported.encoding().encode(exported.rows.take(range(at, at + 8))).arrays for at in range(0, 40, 8)]
        _kept["bert"] = replace(exported, program=replace(exported.program, samples=tuple(rows)))
    return _kept["bert"]


@pytest.fixture(params=FORMATS)
def written(request, bert, tmp_path):
    """The format, and the export in a folder of its own with that format beside full precision."""
    folder = tmp_path / "copy"
    shutil.copytree(bert.folder, folder)
    exporter = FORMATS[request.param]
    exporter.export(bert.program, bert.problem, folder)
    return exporter, replace(bert, folder=folder)


def proved(exporter, exported, session=None, encoding=None):
    return exported.prove(session=session or exporter.open(exported.folder, 1), encoding=encoding, rounding=exporter.rounding)


def refused(proof):
    assert not proof.passed
    return "; ".join(proof.reasons)


def test_all_are_exporters_made_out_of_full_precision():
    assert {one.name for one in autoft_register_exporters()} >= {"onnx", *FORMATS}
    for one in FORMATS.values():
        assert isinstance(one, Exporter)
        assert isinstance(one, Converts)
        assert one.converts == "onnx"
        assert isinstance(one, Approximates)
        assert one.rounding


def test_names_are_those_of_transformers_js_where_it_has_one(written):
    exporter, exported = written
    names = {"onnx-int8": "model_quantized", "onnx-int8-small": "model_small", "onnx-int8-static": "model_int8", "onnx-fp16": "model_fp16"}
    assert sorted(path.stem for path in (exported.folder / "onnx").iterdir()) == sorted(["model", names[exporter.name]])


def test_it_is_smaller_and_near_enough(written):
    exporter, exported = written
    proof = proved(exporter, exported)
    assert proof.passed, proof.reasons
    assert proof.rounding == exporter.rounding
    assert len(proof.combinations) >= 12
    assert proof.rows == len(exported.rows)
    assert proof.max_difference > 0
    assert proof.agreement is not None
    assert proof.agreement >= 0.95
    assert [one.difference for one in proof.worst] == sorted((one.difference for one in proof.worst), reverse=True)
    sizes = {path.stem: path.stat().st_size for path in (exported.folder / "onnx").iterdir()}
    assert max(size for name, size in sizes.items() if name != "model") < sizes["model"]


def test_the_very_tolerance_of_full_precision_would_refuse_it(written):
    exporter, exported = written
    assert not exported.prove(session=exporter.open(exported.folder, 1), tolerance=1e-6).passed


def test_static_answers_do_not_depend_on_their_neighbours(bert, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(bert.folder, folder)
    FORMATS["onnx-int8-static"].export(bert.program, bert.problem, folder)
    session = FORMATS["onnx-int8-static"].open(folder, 1)
    arrays = bert.encoding().encode(bert.rows.take(range(16))).arrays
    together = session.run(arrays)["logits"]
    for row in range(16):
        alone = session.run({name: array[row : row + 1] for name, array in arrays.items()})["logits"]
        np.testing.assert_allclose(alone[0], together[row], atol=1e-5)


class Answering:
    def __init__(self, session, change):
        self.session, self.change = session, change

    def run(self, arrays):
        return {"logits": self.change(self.session.run(arrays)["logits"])}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda logits: logits[:, ::-1], "the labels are swapped"),
        (lambda logits: logits / np.float32(1.4), "a temperature or scale that is not its own"),
        (lambda logits: logits * np.float32(1.2), "a temperature or scale that is not its own"),
        (lambda logits: logits + np.float32([0, 9]), "shifted by"),
        (lambda logits: np.full_like(logits, np.nan), "not finite"),
        (lambda logits: logits[:, :1], "has the shape"),
    ],
)
def test_wrong_outputs_are_refused_in_every_format(written, change, reason):
    exporter, exported = written
    session = Answering(exporter.open(exported.folder, 1), change)
    assert reason in refused(proved(exporter, exported, session))


def test_a_stale_temperature_is_refused_in_every_format(bert, written):
    """The weights were scaled after the graphs had been written."""
    import copy

    import torch

    exporter, exported = written
    cooled = copy.copy(bert.fitted)
    cooled.model = copy.deepcopy(bert.fitted.model)
    with torch.no_grad():
        for weight in cooled.model.classifier.parameters():
            weight.div_(1.5)
    assert "temperature" in refused(proved(exporter, replace(exported, fitted=cooled)))


def test_an_ignored_mask_is_refused_in_every_format(bert, tmp_path, written):
    exporter, exported = written
    model = onnx.load(bert.folder / "onnx" / "model.onnx")
    for node in model.graph.node:
        node.input[:] = ["all_ones" if item == "attention_mask" else item for item in node.input]
    model.graph.node.insert(0, helper.make_node("Cast", ["always"], ["all_ones"], to=TensorProto.INT64))
    model.graph.node.insert(0, helper.make_node("Equal", ["attention_mask", "attention_mask"], ["always"]))
    onnx.save(model, exported.folder / "onnx" / "model.onnx")
    exporter.export(bert.program, bert.problem, exported.folder)
    said = refused(proved(exporter, exported))
    assert "ignores the attention mask" in said or exporter.name in {"onnx-int8-static", "onnx-int8-small"}  # the scales are others


def test_another_tokenizer_is_refused_in_every_format(tmp_path, written):
    exporter, exported = written
    content = json.loads((exported.folder / "tokenizer.json").read_text())
    vocabulary = content["model"]["vocab"]
    words = [word for word in vocabulary if len(word) > 2 and not word.startswith(("[", "##"))]
    ids = [vocabulary[word] for word in words]
    vocabulary.update(zip(words, ids[1:] + ids[:1], strict=True))
    (exported.folder / "tokenizer.json").write_text(json.dumps(content))
    assert refused(proved(exporter, exported, encoding=exported.encoding()))


def test_one_weight_that_is_far_off_is_refused_in_every_format(bert, written):
    exporter, exported = written
    model = onnx.load(bert.folder / "onnx" / "model.onnx")
    bias = next(item for item in model.graph.initializer if list(item.dims) == [2])
    bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + np.float32([0, 6]), bias.name))
    onnx.save(model, exported.folder / "onnx" / "model.onnx")
    exporter.export(bert.program, bert.problem, exported.folder)
    assert refused(proved(exporter, exported))


def test_n_grams_in_int8(exported_linear):
    exporter = OnnxInt8()
    exporter.export(exported_linear.program, exported_linear.problem, exported_linear.folder)
    proof = proved(exporter, exported_linear)
    assert proof.passed, proof.reasons


def test_without_rows_there_is_nothing_to_scale_by(exported_linear):
    assert "no rows" in OnnxInt8Static().supports(exported_linear.program, exported_linear.problem)
    with pytest.raises(ExportError, match="no rows"):
        OnnxInt8Static().export(exported_linear.program, exported_linear.problem, exported_linear.folder)


def test_a_graph_that_cannot_be_read_names_the_format_to_take_instead(bert, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(bert.folder, folder)
    (folder / "onnx" / "model.onnx").write_bytes(b"not a graph")
    with pytest.raises(ExportError, match="could not be converted to onnx-int8") as error:
        OnnxInt8().export(bert.program, bert.problem, folder)
    assert "onnx" in error.value.hint
    (folder / "onnx" / "model.onnx").unlink()
    with pytest.raises(ExportError, match="is absent"):
        OnnxInt8().export(bert.program, bert.problem, folder)


def test_openvino(bert, tmp_path):
    """Opened from several threads at once, as a server does, within what its rounding may change."""
    from concurrent.futures import ThreadPoolExecutor

    folder = tmp_path / "copy"
    shutil.copytree(bert.folder, folder)
    exporter = OpenVino()
    assert exporter.supports(bert.program, bert.problem) is None
    made = exporter.export(bert.program, bert.problem, folder)
    assert made.files == ("openvino/openvino_model.xml", "openvino/openvino_model.bin")
    exported = replace(bert, folder=folder)
    session = exporter.open(folder, 1)
    proof = proved(exporter, exported, session)
    assert proof.passed, proof.reasons
    arrays = [exported.encoding().encode(exported.rows.take([row])).arrays for row in range(16)]
    alone = [session.run(one)["logits"] for one in arrays]
    with ThreadPoolExecutor(4) as pool:
        for one, other in zip(alone, pool.map(lambda given: session.run(given)["logits"], arrays), strict=True):
            np.testing.assert_array_equal(one, other)
    assert "temperature" in refused(proved(exporter, exported, Answering(session, lambda logits: logits / np.float32(1.4))))
    with pytest.raises(BundleError, match="needs the input 'attention_mask'"):
        session.run({"input_ids": arrays[0]["input_ids"]})
    (folder / "openvino" / "openvino_model.bin").unlink()
    with pytest.raises(BundleError, match="with its"):
        exporter.open(folder, 1)


def test_openvino_that_is_not_installed_says_what_to_do(bert, tmp_path, monkeypatch):
    monkeypatch.setattr("autoft_exporters.openvino.find_spec", lambda _: None)
    assert "pip install 'autoft[openvino]'" in OpenVino().supports(bert.program, bert.problem)
    with pytest.raises(ExportError, match="pip install"):
        OpenVino().export(bert.program, bert.problem, tmp_path)
    with pytest.raises(BundleError, match="pip install"):
        OpenVino().open(tmp_path, 1)


def test_openvino_tells_nobody_that_it_is_used(tmp_path):
    """Its own import writes a number of the user into their home, and sends it."""
    code = "from autoft_exporters.openvino import _library; import sys; _library(); assert sys.modules['openvino_telemetry'] is None"
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "HOME": str(tmp_path), "CI": ""}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []
