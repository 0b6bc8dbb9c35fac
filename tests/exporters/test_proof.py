"""The gate: right exports pass, and each kind of wrong export is refused with its reason."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from autoft.data.table import Table
from autoft.errors import BundleError, ExportError
from autoft.proof import Proof
from autoft.runtime.session import OnnxSession

_kept: dict[str, Any] = {}


@pytest.fixture
def bert(exported_full):
    """A tiny BERT, exported once for all tests of this file."""
    if "bert" not in _kept:
        _kept["bert"] = exported_full("bert")
    return _kept["bert"]


@pytest.fixture
def changed(tmp_path) -> Callable[..., OnnxSession]:
    """The session of an export after `change(model)`."""

    def make(exported, change: Callable[[onnx.ModelProto], None]) -> OnnxSession:
        model = onnx.load(exported.folder / "onnx" / "model.onnx")
        change(model)
        path = tmp_path / "changed.onnx"
        onnx.save(model, path)
        return OnnxSession(path, 1)

    return make


def refused(proof: Proof) -> str:
    assert not proof.passed
    assert proof.reasons
    assert Proof.model_validate_json(proof.model_dump_json()) == proof
    return "; ".join(proof.reasons)


def rename_input_uses(model: onnx.ModelProto, name: str, new: str) -> None:
    for node in model.graph.node:
        node.input[:] = [new if item == name else item for item in node.input]


def test_a_right_export_passes(bert):
    proof = bert.prove()
    assert proof.passed, proof.reasons
    assert proof.reasons == ()
    assert len(proof.combinations) >= 12
    assert {c.batch for c in proof.combinations} >= {1, 3, 33}
    assert min(c.length for c in proof.combinations) == 2  # the two special tokens alone
    assert {0, 3, 17} <= {c.padding for c in proof.combinations}
    assert proof.rows == len(bert.rows)
    assert 0 < max(c.difference for c in proof.combinations) <= proof.max_difference < 1e-4


def test_a_fixed_batch_axis(bert, changed):
    def fix(model):
        for value in model.graph.input:
            value.type.tensor_type.shape.dim[0].dim_value = 2

    assert "the batch axis is fixed at 2" in refused(bert.prove(session=changed(bert, fix)))


def test_a_fixed_length_axis(bert, changed):
    def fix(model):
        for value in model.graph.input:
            value.type.tensor_type.shape.dim[1].dim_value = 24

    assert "the length axis is fixed at 24" in refused(bert.prove(session=changed(bert, fix)))


def test_an_ignored_attention_mask(bert, changed):
    def ignore(model):
        rename_input_uses(model, "attention_mask", "all_ones")
        ones = [
            helper.make_node("Equal", ["attention_mask", "attention_mask"], ["always"]),
            helper.make_node("Cast", ["always"], ["all_ones"], to=TensorProto.INT64),
        ]
        for node in reversed(ones):
            model.graph.node.insert(0, node)

    proof = bert.prove(session=changed(bert, ignore))
    assert "ignores the attention mask" in refused(proof)
    assert all(c.difference < 1e-4 for c in proof.combinations if not c.padding)


def test_swapped_labels(bert, changed):
    proof = bert.prove(session=changed(bert, swap))
    assert "the labels are swapped" in refused(proof)
    assert "'praise' stands where 'blame' belongs" in refused(proof)
    assert proof.changed_labels == len(bert.rows)


def swap(model):
    for node in model.graph.node:
        node.output[:] = ["straight" if item == "logits" else item for item in node.output]
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 0]), "order"))
    model.graph.node.append(helper.make_node("Gather", ["straight", "order"], ["logits"], axis=1))


@pytest.mark.parametrize("kind", ["bert", "exported_linear"])
def test_one_perturbed_weight(kind, request, changed):
    exported = request.getfixturevalue(kind)

    def perturb(model):
        weight = max((item for item in model.graph.initializer if len(item.dims) == 1 and item.dims[0] >= 2), key=lambda item: item.dims[0])
        values = numpy_helper.to_array(weight).copy()
        values[len(values) // 2] += 0.05
        weight.CopyFrom(numpy_helper.from_array(values, weight.name))

    reason = refused(exported.prove(session=changed(exported, perturb)))
    assert "answers differ by up to" in reason
    assert "weight of the graph" in reason


@pytest.mark.parametrize("kind", ["bert", "exported_linear"])
def test_a_stale_temperature(kind, request):
    """The graph was written before the temperature was folded into the weights."""
    exported = request.getfixturevalue(kind)
    scale, shift = np.full(2, 1 / 1.7), np.zeros(2)
    folded = replace(exported, fitted=exported.fitted.rescaled(scale, shift))
    proof = folded.prove()
    assert "the logits are 1.7 times those of the fitted model: a stale temperature or scale?" in refused(proof)
    assert proof.changed_labels == 0  # nothing but the scale tells
    assert exported.prove().passed  # the weights that were exported are as they were


def test_a_temperature_that_graph_and_weights_both_hold(exported_linear, export_bundle, tmp_path):
    fitted = exported_linear.fitted.rescaled(np.full(2, 1 / 1.7), np.zeros(2))
    data = SimpleNamespace(problem=exported_linear.problem, rows=exported_linear.rows)
    folded = export_bundle(fitted, data, tmp_path / "folded")
    assert folded.prove().passed


@pytest.mark.parametrize(
    ("scale", "shift", "said"),
    [
        ([2.0, 1.0], [0.0, 0.0], "the logits of 'blame' are 0.5 times those of the fitted model:"),
        ([1.0, 4.0], [0.0, 1.0], "the logits of 'praise' are 0.25 times those of the fitted model - 0.25:"),
        ([0.2, 0.25], [3.0, 0.0], "the logits of 'blame' are 5 times those of the fitted model - 15:"),
    ],
)
def test_a_wrong_scale_of_a_label(exported_linear, scale, shift, said):
    folded = replace(exported_linear, fitted=exported_linear.fitted.rescaled(np.array(scale), np.array(shift)))
    assert said in refused(folded.prove())


def test_another_tokenizer(bert, tmp_path):
    folder = tmp_path / "other"
    shutil.copytree(bert.folder, folder)
    content = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = content["model"]["vocab"]
    words = [word for word in vocabulary if len(word) > 2 and not word.startswith(("[", "##"))]
    ids = [vocabulary[word] for word in words]
    vocabulary.update(zip(words, ids[1:] + ids[:1], strict=True))
    (folder / "tokenizer.json").write_text(json.dumps(content))
    assert "another tokenizer" in refused(bert.prove(encoding=bert.encoding(folder)))


def test_ids_beyond_the_vocabulary(bert, tmp_path):
    folder = tmp_path / "other"
    shutil.copytree(bert.folder, folder)
    content = json.loads((folder / "tokenizer.json").read_text())
    content["model"]["vocab"]["screen"] = 50_000
    (folder / "tokenizer.json").write_text(json.dumps(content))
    assert "does not run" in refused(bert.prove(encoding=bert.encoding(folder)))


def test_n_grams_pass_without_a_length(exported_linear):
    proof = exported_linear.prove()
    assert proof.passed, proof.reasons
    assert len(proof.combinations) >= 12
    assert {c.length for c in proof.combinations} == {None}
    assert {c.batch for c in proof.combinations} == {1, 2, 3, 7, 33}


def test_n_grams_with_swapped_labels(exported_linear, changed):
    assert "the labels are swapped" in refused(exported_linear.prove(session=changed(exported_linear, swap)))


def test_n_grams_with_another_vocabulary(exported_linear, tmp_path):
    content = json.loads((exported_linear.folder / "vocabulary.json").read_text())
    content["words"] = content["words"][1:] + content["words"][:1]
    (tmp_path / "vocabulary.json").write_text(json.dumps(content))
    assert "the encoder" in refused(exported_linear.prove(encoding=exported_linear.encoding(tmp_path)))


class Answering:
    """A session that changes the outputs of another."""

    def __init__(self, session, change):
        self.session, self.change = session, change

    def run(self, arrays):
        return self.change(self.session.run(arrays))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda out: {"scores": out["logits"]}, "no output 'logits', only scores"),
        (lambda out: {"logits": out["logits"][:, :1]}, "has the shape 1 x 1 where the fitted model gives 1 x 2"),
        (lambda out: {"logits": out["logits"][:1]}, "has the shape 1 x 2 where the fitted model gives 2 x 2"),
        (lambda out: {"logits": np.full_like(out["logits"], np.nan)}, "not finite"),
        (lambda out: {"logits": out["logits"] + np.float32(np.inf)}, "not finite"),
    ],
)
def test_outputs_that_cannot_be_compared(exported_linear, change, reason):
    assert reason in refused(exported_linear.prove(session=Answering(exported_linear.session(), change)))


def test_one_changed_label_is_enough(exported_linear):
    """Within a wide tolerance, a flipped decision still refuses the export."""
    session = exported_linear.session()
    gap = np.ptp(exported_linear.fitted.outputs(exported_linear.rows)["logits"], axis=1)
    nudge = np.float32(gap.min() * 1.01)

    def flip(out):
        logits = out["logits"]
        close = np.ptp(logits, axis=1) <= gap.min() + 1e-5
        logits[close] += np.where(logits[close] == logits[close].min(axis=1, keepdims=True), nudge, 0)
        return {"logits": logits}

    proof = exported_linear.prove(session=Answering(session, flip), tolerance=float(nudge) * 2)
    assert proof.changed_labels >= 1
    assert "another label" in refused(proof)
    assert len(proof.reasons) == 1


def test_a_session_that_fails(exported_linear):
    def fail(_):
        raise BundleError("the graph is upset")

    proof = exported_linear.prove(session=Answering(exported_linear.session(), fail))
    assert "does not run" in refused(proof)
    assert "the graph is upset" in refused(proof)
    assert proof.rows == 0
    assert proof.max_difference is None


def test_it_ends_where_the_graphs_own_pace_leaves_time_for_the_rows_behind_it(exported_linear):
    exported_linear.rows = exported_linear.rows.take(np.arange(200) % len(exported_linear.rows))
    for seconds, then, rows in ((100.0, 0, 200), (100.0, 200, 200), (None, 10**9, 200), (100.0, 10**9, 64), (0.0, 0, 64)):
        proof = exported_linear.prove(seconds=seconds, then=then)
        assert (proof.rows, proof.of_rows, proof.passed) == (rows, 200, True), (seconds, then)


def test_no_rows_no_proof(exported_linear):
    exported_linear.rows = Table({"text": []})
    with pytest.raises(ExportError, match="without rows"):
        exported_linear.prove()
