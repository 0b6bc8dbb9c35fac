"""From a text to its label in one graph: the tokens of the bundle's own tokenizer, and each kind of wrong graph refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from autoft.data.table import Table
from autoft.errors import BundleError, ExportError
from autoft.interfaces.exporter import Converts, Exporter, ReadsRows, encoding_before
from autoft.interfaces.problem import Head
from autoft_exporters.onnx_text import ODD_TEXTS, OnnxText, check_tokens
from autoft_exporters.word_pieces import word_pieces

FILE = "onnx/model_text.onnx"
EXPORTER = OnnxText()
_kept = {}


@pytest.fixture
def bert(exported_full):
    """A tiny BERT with the graph that takes texts beside that which takes tokens; exported once for all tests of this file."""
    if "bert" not in _kept:
        exported = exported_full("bert")
        made = EXPORTER.export(exported.program, exported.problem, exported.folder)
        assert made.files == (FILE,)
        assert made.details["onnxruntime_extensions"]
        _kept["bert"] = exported
    return _kept["bert"]


@pytest.fixture
def copied(bert, tmp_path):
    """In a folder that a test may change."""
    shutil.copytree(bert.folder, tmp_path / "copy")
    return replace(bert, folder=tmp_path / "copy")


def encoding_of(exported):
    return encoding_before(EXPORTER, exported.encoding(), exported.program.encoder.config)


def proved(exported, session=None):
    return exported.prove(session=session or EXPORTER.open(exported.folder, 1), encoding=encoding_of(exported))


def refused(exported, session=None):
    proof = proved(exported, session)
    assert not proof.passed
    return "; ".join(proof.reasons)


def rewritten(exported, change):
    """With a graph in which `change` made something of the constant of a name."""
    model = onnx.load(exported.folder / FILE)
    change(model.graph)
    onnx.save(model, exported.folder / FILE)
    return exported


def test_it_is_an_exporter_that_reads_texts(bert):
    assert isinstance(EXPORTER, Exporter)
    assert isinstance(EXPORTER, Converts)
    assert isinstance(EXPORTER, ReadsRows)
    assert EXPORTER.supports(bert.program, bert.problem) is None
    assert encoding_before(EXPORTER, bert.encoding(), bert.program.encoder.config).inputs[0].name == "text"


def test_it_is_proved_as_the_graph_of_tokens_is(bert):
    proof = proved(bert)
    assert proof.passed, proof.reasons
    assert proof.rounding is None
    assert proof.max_difference < 1e-4
    assert proof.rows == len(bert.rows)
    assert len(proof.combinations) >= 12
    assert any(one.padding for one in proof.combinations)


def test_it_answers_odd_texts_as_pytorch_does(bert):
    """As somebody else asks it: onnxruntime, the library of the extensions, and texts."""
    import onnxruntime as ort
    import onnxruntime_extensions

    options = ort.SessionOptions()
    options.register_custom_ops_library(onnxruntime_extensions.get_library_path())
    session = ort.InferenceSession(bert.folder / FILE, options)
    assert [one.name for one in session.get_inputs()] == ["text"]
    expected = bert.fitted.outputs(Table({"text": list(ODD_TEXTS)}))["logits"]
    probabilities = np.exp(expected) / np.exp(expected).sum(axis=1, keepdims=True)
    label, scores, ids = session.run(["label", "scores", "input_ids"], {"text": np.array(ODD_TEXTS, object)})
    np.testing.assert_allclose(scores, probabilities, atol=1e-4)
    assert label.tolist() == [bert.problem.labels[place] for place in expected.argmax(axis=1)]
    assert ids.shape[1] == bert.program.encoder.config["max_length"]
    for row, text in enumerate(ODD_TEXTS):
        alone = session.run(["scores"], {"text": np.array([text], object)})[0]
        np.testing.assert_allclose(alone[0], scores[row], atol=1e-5)


def test_a_batch_is_padded_to_what_the_proof_asks_for(bert):
    encoding = encoding_of(bert)
    rows = bert.rows.take([0, 1])
    session = EXPORTER.open(bert.folder, 1)
    widths = []

    def run(arrays):
        widths.append(arrays["input_ids"].shape)
        return session.run(arrays)

    padded = encoding.encode(rows, pad_to=24).answered(run)["logits"]
    assert widths == [(3, 24)]
    np.testing.assert_allclose(padded, encoding.encode(rows).answered(run)["logits"], atol=1e-5)


def changed(name, change):
    def apply(graph):
        one = next(item for item in graph.initializer if item.name == name)
        one.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(one)), name))

    return apply


def test_swapped_names_are_refused(copied):
    assert "the labels are swapped" in refused(rewritten(copied, changed("label/names", lambda names: names[::-1])))


def test_swapped_outputs_are_refused(copied):
    class Swapped:
        def run(self, arrays):
            outputs = EXPORTER.open(copied.folder, 1).run(arrays)
            return {**outputs, "logits": outputs["logits"][:, ::-1]}

    assert "the labels are swapped" in refused(copied, Swapped())


@pytest.mark.parametrize("factor", [1 / 1.4, 1.2])
def test_scores_of_another_temperature_are_refused(copied, factor):
    def apply(graph):
        node = next(node for node in graph.node if node.op_type == "Softmax" and node.output[0] == "scores")
        graph.initializer.append(numpy_helper.from_array(np.float32(factor), "factor"))
        place = list(graph.node).index(node)
        graph.node.insert(place, onnx.helper.make_node("Mul", [node.input[0], "factor"], ["heated"]))
        node.input[0] = "heated"

    assert "by a temperature" in refused(rewritten(copied, apply))


def test_a_stale_temperature_is_refused(bert):
    """The weights were scaled after the graph had been written."""
    import copy

    import torch

    cooled = copy.copy(bert.fitted)
    cooled.model = copy.deepcopy(bert.fitted.model)
    with torch.no_grad():
        for weight in cooled.model.classifier.parameters():
            weight.div_(1.5)
    assert "temperature" in refused(replace(bert, fitted=cooled))


def test_another_vocabulary_is_refused_with_the_text(copied):
    def apply(graph):
        node = next(node for node in graph.node if node.op_type == "LabelEncoder")
        numbers = next(item for item in node.attribute if item.name == "values_int64s")
        numbers.ints[10], numbers.ints[12], numbers.ints[13] = numbers.ints[13], numbers.ints[10], numbers.ints[12]
        for place in range(20, 40):
            numbers.ints[place] = 20 + (place + 1) % 20

    assert "otherwise than the bundle's tokenizer" in refused(rewritten(copied, apply))
    assert "the graph reads '" in refused(copied)


def test_a_tokenizer_whose_tokens_differ_is_refused_with_the_text(bert, tmp_path, monkeypatch):
    """Its accents stay, where the bundle's tokenizer takes them off."""
    pieces = word_pieces(bert.program.encoder.files["tokenizer.json"].decode())
    plain = tuple((before, after) for before, after in pieces.characters.changed if before != "é")
    monkeypatch.setattr(
        "autoft_exporters.onnx_text.word_pieces", lambda _: replace(pieces, characters=replace(pieces.characters, changed=plain))
    )
    shutil.copytree(bert.folder, tmp_path / "copy")
    (tmp_path / "copy" / FILE).unlink()
    with pytest.raises(ExportError, match="reads 'café CAFÉ"):
        EXPORTER.export(bert.program, bert.problem, tmp_path / "copy")
    assert not (tmp_path / "copy" / FILE).exists()


def test_a_text_that_the_graph_reads_otherwise_is_no_answer(bert):
    """The operators end a text at a null character."""
    rows = Table({"text": ["great", "great\0 awful"]})
    with pytest.raises(BundleError, match="otherwise than the bundle's tokenizer") as error:
        encoding_of(bert).encode(rows).answered(EXPORTER.open(bert.folder, 1).run)
    assert "'great\\x00 awful'" in error.value.message


def test_letters_may_keep_their_case_and_special_tokens_be_looked_for_late(bert):
    """As published tokenizers have them: a mask that takes the blanks before it, and a token that is looked for in normalised texts."""
    told = json.loads(bert.program.encoder.files["tokenizer.json"])
    told["normalizer"]["lowercase"] = False
    size = len(told["model"]["vocab"])
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    told["added_tokens"] += [plain | {"id": size, "content": "<mask>", "lstrip": True}]
    told["added_tokens"] += [plain | {"id": size + 1, "content": "<odd>", "normalized": True}]
    content = json.dumps(told)
    check_tokens(word_pieces(content), content, 24)


def with_tokenizer(program, **parts):
    told = json.loads(program.encoder.files["tokenizer.json"])
    told.update(parts)
    files = {**program.encoder.files, "tokenizer.json": json.dumps(told).encode()}
    return replace(program, encoder=replace(program.encoder, files=files))


def test_what_it_cannot_take_is_said(bert, exported_linear, monkeypatch):
    program, problem = bert.program, bert.problem
    words = json.loads(program.encoder.files["tokenizer.json"])["model"]["vocab"]
    assert "ngrams" in EXPORTER.supports(exported_linear.program, exported_linear.problem).replace("-", "")
    many = problem.model_copy(update={"task": "multi-label", "head": Head(kind="multi_label_classification", outputs=2)})
    assert "one label of a text, and the answers of multi-label are others" in EXPORTER.supports(program, many)
    pairs = problem.model_copy(update={"inputs": ("text", "text_pair")})
    assert "this model takes text, text_pair" in EXPORTER.supports(program, pairs)
    grown = with_tokenizer(program, model={"type": "BPE", "vocab": {"a": 0}, "merges": []})
    assert "of the kind BPE" in EXPORTER.supports(grown, problem)
    assert "by Lowercase and BertPreTokenizer" in EXPORTER.supports(with_tokenizer(program, normalizer={"type": "Lowercase"}), problem)
    keeping = {"type": "BertNormalizer", "clean_text": False, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}
    assert "keeps control characters" in EXPORTER.supports(with_tokenizer(program, normalizer=keeping), problem)
    token = {
        "id": words["[SEP]"],
        "content": "[SEP]",
        "single_word": True,
        "lstrip": True,
        "rstrip": False,
        "normalized": False,
        "special": True,
    }
    assert "between words alone" in EXPORTER.supports(with_tokenizer(program, added_tokens=[token]), problem)
    monkeypatch.setattr("autoft_exporters.onnx_text.find_spec", lambda _: None)
    assert "pip install 'autoft[text-graph]'" in EXPORTER.supports(program, problem)
    with pytest.raises(ExportError, match="pip install"):
        EXPORTER.export(program, problem, bert.folder)
    with pytest.raises(BundleError, match="pip install"):
        EXPORTER.open(bert.folder, 1)


def test_what_is_absent_is_said(copied):
    (copied.folder / FILE).unlink()
    with pytest.raises(BundleError, match="absent"):
        EXPORTER.open(copied.folder, 1)
    (copied.folder / "onnx" / "model.onnx").write_bytes(b"not a graph")
    with pytest.raises(ExportError, match="could not be converted to onnx-text"):
        EXPORTER.export(copied.program, copied.problem, copied.folder)
    (copied.folder / "onnx" / "model.onnx").unlink()
    with pytest.raises(ExportError, match="is absent"):
        EXPORTER.export(copied.program, copied.problem, copied.folder)
