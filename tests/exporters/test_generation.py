"""A model that writes: exported in two parts, proved token by token, served without torch."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from autoft.data.table import Table
from autoft.errors import BundleError
from autoft.proof import Proof, prove
from autoft.runtime.bundle import EncoderRecord, Manifest, Provenance, open_bundle, write_decoder, write_manifest
from autoft.runtime.predictor import Predictor
from autoft.runtime.schemas import input_schema, schema_of
from autoft.runtime.session import OnnxSession
from autoft_exporters.generation import Generation, GreedySession
from autoft_exporters.onnx_fp32 import OnnxFp32
from autoft_plugins.encoders.text_to_text import TextToTextEncoder
from autoft_plugins.tasks.seq2seq import Seq2Seq
from small_bundle import TRAIN, environment_without

TEXTS = ["good superb", "bad", "", "nice great fine", "dull " * 20]


@pytest.fixture(scope="module")
def folder(writer, writing_data, tmp_path_factory):
    """What was exported; the tests leave it as it is."""
    folder, program = tmp_path_factory.mktemp("written"), writer[0].program()
    for name, content in program.encoder.files.items():
        (folder / name).write_bytes(content)
    (folder / "config.json").write_text(json.dumps(dict(program.config)))
    assert OnnxFp32().supports(program, writing_data.problem) is None
    exported = OnnxFp32().export(program, writing_data.problem, folder)
    assert exported.files == ("onnx/encoder_model.onnx", "onnx/decoder_model.onnx")
    return folder


@pytest.fixture
def proof_of(writer, writing_data, folder):
    def make(session=None, fitted=None, **options: Any) -> Proof:
        encoding = TextToTextEncoder().open(folder, writer[0].encoder.config)
        rows = writing_data.rows.take(writing_data.validation[:40])
        return prove(fitted or writer[0], session or OnnxFp32().open(folder, 1), encoding, Seq2Seq(), writing_data.problem, rows, **options)

    return make


@pytest.fixture
def changed(folder, tmp_path):
    """A session whose graph `name` went through `change(model)`."""

    def make(name, change):
        shutil.copytree(folder, tmp_path / "changed")
        path = tmp_path / "changed" / "onnx" / f"{name}.onnx"
        model = onnx.load(path)
        change(model)
        onnx.save(model, path)
        return OnnxFp32().open(tmp_path / "changed", 1)

    return make


def test_the_graphs_have_the_names_and_axes_that_others_look_for(folder):
    encoder, decoder = (onnx.load(folder / "onnx" / f"{name}.onnx") for name in ("encoder_model", "decoder_model"))

    def axes(values):
        return {value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim] for value in values}

    assert axes(encoder.graph.input) == {"input_ids": ["batch", "length"], "attention_mask": ["batch", "length"]}
    assert axes(encoder.graph.output) == {"last_hidden_state": ["batch", "length", 32]}
    assert axes(decoder.graph.input) == {
        "input_ids": ["batch", "decoder_length"],
        "encoder_attention_mask": ["batch", "length"],
        "encoder_hidden_states": ["batch", "length", 32],
    }
    words = json.loads((folder / "config.json").read_text())["vocab_size"]
    assert axes(decoder.graph.output) == {"logits": ["batch", 1, words]}  # of the token that comes next
    for graph in (encoder, decoder):
        onnx.checker.check_model(graph, full_check=True)


def test_other_loaders_are_told_to_leave_the_blanks(folder):
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    assert settings["clean_up_tokenization_spaces"] is False
    assert settings["model_input_names"] == ["input_ids", "attention_mask"]


def test_the_decoder_is_right_beyond_the_length_it_was_traced_with(folder, writer):
    """A T5 counts the distance of positions: the table of distances has to grow with what is written."""
    import torch

    session = OnnxSession(folder / "onnx" / "decoder_model.onnx", 1)
    generator = np.random.default_rng(3)
    for batch, length, written in ((1, 1, 1), (3, 9, 2), (2, 5, 40)):
        inputs = {
            "input_ids": generator.integers(3, 30, (batch, written)),
            "encoder_attention_mask": (np.arange(length) < generator.integers(1, length + 1, (batch, 1))).astype(np.int64),
            "encoder_hidden_states": generator.normal(size=(batch, length, 32)).astype(np.float32),
        }
        ids, mask, states = (torch.from_numpy(array) for array in inputs.values())
        with torch.no_grad():
            expected = writer[0].model(encoder_outputs=(states,), attention_mask=mask, decoder_input_ids=ids).logits
        np.testing.assert_allclose(session.run(inputs)["logits"], expected[:, -1:].numpy(), atol=1e-4)


def test_a_right_export_passes(proof_of):
    proof = proof_of()
    assert proof.passed, proof.reasons
    assert len(proof.combinations) >= 12
    assert {c.batch for c in proof.combinations} == {1, 2, 3, 5, 7}
    assert sum(c.batch for c in proof.combinations) < 50, "each row is written token by token"
    assert proof.ties == 0
    assert max(c.padding for c in proof.combinations) >= 9
    assert proof.rows == 40
    assert 0 < proof.max_difference < 1e-4


def torn(outputs):
    """As if the two likeliest first tokens of each row were equally likely."""
    for name in ("scores", "runner_up"):
        outputs[name][:, 0] = -0.8
    return outputs


class Torn:
    """The fitted model, were it torn."""

    def __init__(self, fitted):
        self.fitted, self.extra = fitted, fitted.extra

    def outputs(self, rows):
        return torn(self.fitted.outputs(rows))


class Choosing:
    """A session, torn or not, that writes another text from the first token of its third row on; `apart` moves that token's score."""

    def __init__(self, session, change, apart=0.0):
        self.session, self.change, self.apart = session, change, apart

    def run(self, arrays):
        outputs = self.change({name: array.copy() for name, array in self.session.run(arrays).items()})
        outputs["sequences"][2:3] += 3
        outputs["scores"][2:3, 1:] -= 2
        outputs["scores"][2:3, 0] = outputs["runner_up"][2:3, 0] + self.apart
        return outputs


def test_a_choice_between_equally_likely_tokens_is_forgiven_and_counted(proof_of, folder, writer):
    session = OnnxFp32().open(folder, 1)
    proof = proof_of(session=Choosing(session, torn), fitted=Torn(writer[0]))
    assert proof.passed, proof.reasons
    assert proof.ties > 2
    assert proof.changed_labels == 0
    assert Proof.model_validate_json(proof.model_dump_json()) == proof


def test_a_choice_that_only_one_side_finds_hard_is_refused(proof_of, folder, writer):
    session = OnnxFp32().open(folder, 1)
    assert "sequences differ" in refused(proof_of(session=Choosing(session, dict)))
    assert refused(proof_of(session=Choosing(session, torn, 0.01), fitted=Torn(writer[0])))


def test_much_is_written_in_pieces(folder):
    """Rows times tokens at once are bounded, however many rows are asked about."""
    encoder, decoder = (OnnxSession(folder / "onnx" / f"{name}.onnx", 1) for name in ("encoder_model", "decoder_model"))
    seen = []

    class Watching:
        def run(self, arrays):
            seen.append(arrays["input_ids"].shape[0])
            return decoder.run(arrays)

    settings = replace(Generation.of(folder), most=4)
    ids = np.random.default_rng(0).integers(3, 30, (40, 512))
    arrays = {"input_ids": ids, "attention_mask": (np.arange(512) < 8 + np.arange(40)[:, None]).astype(np.int64)}
    outputs = GreedySession(encoder, Watching(), settings).run(arrays)
    assert max(seen) == 32
    assert {name: array.shape for name, array in outputs.items()} == dict.fromkeys(("sequences", "scores", "runner_up"), (40, 4))
    alone = GreedySession(encoder, decoder, settings).run({name: array[35:36] for name, array in arrays.items()})
    np.testing.assert_array_equal(outputs["sequences"][35, : alone["sequences"].shape[1]], alone["sequences"][0])


def refused(proof):
    assert not proof.passed
    assert Proof.model_validate_json(proof.model_dump_json()) == proof
    return "; ".join(proof.reasons)


@pytest.mark.parametrize("name", ["encoder_model", "decoder_model"])
def test_a_perturbed_weight_is_refused(proof_of, changed, name):
    def perturb(model):
        weight = max((item for item in model.graph.initializer if len(item.dims) == 2), key=lambda item: item.dims[0] * item.dims[1])
        values = numpy_helper.to_array(weight).copy()
        values[:, 0] += 0.01
        weight.CopyFrom(numpy_helper.from_array(values, weight.name))

    reason = refused(proof_of(session=changed(name, perturb)))
    assert "answers differ by up to" in reason or "where the fitted model gives" in reason


def test_an_ignored_mask_is_refused(proof_of, changed):
    def ignore(model):
        for node in model.graph.node:
            node.input[:] = ["all_ones" if item == "encoder_attention_mask" else item for item in node.input]
        same = onnx.helper.make_node("Equal", ["encoder_attention_mask", "encoder_attention_mask"], ["always"])
        model.graph.node.insert(0, onnx.helper.make_node("Cast", ["always"], ["all_ones"], to=onnx.TensorProto.INT64))
        model.graph.node.insert(0, same)

    assert refused(proof_of(session=changed("decoder_model", ignore)))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"most": 2}, "sequences has the shape"),
        ({"start": 5}, "where the fitted model gives"),
        ({"ends": (0,)}, "where the fitted model gives"),
    ],
)
def test_other_settings_are_refused(proof_of, folder, change, reason):
    encoder, decoder = (OnnxSession(folder / "onnx" / f"{name}.onnx", 1) for name in ("encoder_model", "decoder_model"))
    assert reason in refused(proof_of(session=GreedySession(encoder, decoder, replace(Generation.of(folder), **change))))


def test_one_changed_token_is_named(proof_of, folder):
    session = OnnxFp32().open(folder, 1)

    class Other:
        def run(self, arrays):
            outputs = session.run(arrays)
            sequences = outputs["sequences"].copy()
            sequences[-1, 0] += 1
            return {**outputs, "sequences": sequences}

    reason = refused(proof_of(session=Other()))
    assert "sequences differ in 1 of 1 rows, first in row 1, place 1" in reason


def test_a_session_says_what_is_missing(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "bundle")
    settings = tmp_path / "bundle" / "generation_config.json"
    settings.write_text('{"eos_token_id": 1}')
    with pytest.raises(BundleError, match="decoder_start_token_id"):
        OnnxFp32().open(tmp_path / "bundle", 1)
    settings.unlink()
    with pytest.raises(BundleError, match=r"no generation_config\.json"):
        OnnxFp32().open(tmp_path / "bundle", 1)
    (tmp_path / "bundle" / "onnx" / "decoder_model.onnx").unlink()
    with pytest.raises(BundleError, match=r"no decoder_model\.onnx"):
        OnnxFp32().open(tmp_path / "bundle", 1)


def test_other_pairs_of_parts_are_not_supported(writer, writing_data):
    program = writer[0].program()
    twice = replace(program, parts=(program.parts[0], program.parts[0]))
    assert "2 parts (encoder_model, encoder_model)" in OnnxFp32().supports(twice, writing_data.problem)


def test_the_bundle_answers_as_the_fitted_model_and_without_torch(writer, writing_data, folder, tmp_path):
    fitted, problem, task = writer[0], writing_data.problem, Seq2Seq()
    rows = Table({"text": TEXTS})
    expected = task.decode(problem, task.fit_decoder(problem, {}, writing_data.targets), fitted.outputs(rows), rows)
    assert expected[0] == {"text": "good superb"}
    bundle = tmp_path / "bundle"
    shutil.copytree(folder, bundle)
    manifest = Manifest(
        autoft="0.1.0",
        created="2026-01-01T00:00:00+00:00",
        problem=problem,
        exporter="onnx",
        encoder=EncoderRecord(name=fitted.encoder.name, config=dict(fitted.encoder.config)),
        decoder=write_decoder(bundle, task.fit_decoder(problem, {}, writing_data.targets)),
        input_schema=input_schema(problem, rows),
        output_schema=schema_of(expected),
        provenance=Provenance(candidate="full:tiny-t5"),
    )
    write_manifest(bundle, manifest)
    predictor = Predictor(open_bundle(bundle), task=task, encoder=TextToTextEncoder(), exporter=OnnxFp32(), threads=1)
    answers = predictor.predict(TEXTS)
    assert [{"text": answer["text"]} for answer in answers] == expected
    assert [answer.get("truncated", False) for answer in answers] == [text == max(TEXTS, key=len) for text in TEXTS]
    outputs = predictor.outputs(rows)
    np.testing.assert_array_equal(outputs["sequences"], fitted.outputs(rows)["sequences"])
    script = f"import autoft, json; print(json.dumps(autoft.load({str(bundle)!r}).predict({TEXTS!r})))"
    environment = environment_without(TRAIN, tmp_path / "blocker")
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == answers
