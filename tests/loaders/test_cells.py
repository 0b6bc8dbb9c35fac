"""Every cell of the table in docs/formats.md, with the real loader."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers

from autoft.data.table import Table
from autoft.steps.package import package
from autoft_plugins.tasks.entities import constraints
from loader_claims import ANSWERS, GRAPH, LOADERS, LOGITS, NOT, ROWS, Row
from same_answers import TOLERANCE, close

pytestmark = [pytest.mark.loaders, pytest.mark.slow]

KIND = {"token-classification": "token-classification"}
"""transformers' word for the task; text-classification for the others that read."""
GRAPHS = {
    "onnx": {"dtype": "fp32"},
    "onnx-int8": {"dtype": "q8"},
    "onnx-int8-static": {"dtype": "int8"},
    "onnx-int8-small": {"dtype": "fp32", "suffix": "_small"},  # "fp32" adds nothing to a file's name
}
GENERATES = "seq2seq"


def of(*names: str) -> pytest.MarkDecorator:
    """The rows of these names, or all."""
    return pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in ROWS if row.name in names or not names])


cells = of()


def kind(row: Row) -> str:
    return KIND.get(row.task, "text-classification")


def how(row: Row) -> str:
    """How the model itself is asked."""
    return "apart" if row.pairs and row.plugin == "frozen" else "logits"


def same_logits(found: Sequence[Any], expected: Sequence[np.ndarray]) -> bool:
    """`found` as {"dims", "data"}; the same numbers in the same shape, whatever axes of one stand before."""
    if len(found) != len(expected):
        return False
    pairs = [(np.array(one["data"]).reshape(one["dims"]), other) for one, other in zip(found, expected, strict=True)]
    return all(one.shape == other.shape and np.allclose(one, other, rtol=TOLERANCE, atol=TOLERANCE) for one, other in pairs)


def same_scores(found: Sequence[Sequence[dict[str, Any]]], answers: Sequence[dict[str, Any]]) -> bool:
    """Lists of {"label", "score"}, the likeliest first, as autoft's answers of classes, labels or a number say."""
    return len(found) == len(answers) and all(map(_same_scores, found, answers))


def _same_scores(found: Sequence[dict[str, Any]], answer: dict[str, Any]) -> bool:
    if "scores" not in answer:
        return len(found) == 1 and close(answer["score"], found[0]["score"])
    scores = {one["label"]: one["score"] for one in found}
    alike = scores.keys() == answer["scores"].keys() and all(close(score, scores[label]) for label, score in answer["scores"].items())
    best = found[0]["label"]
    return alike and ("label" not in answer or answer["label"] == best)


def differ(logits: Sequence[np.ndarray]) -> bool:
    """Whether the inputs get different answers at all: else a wrong loader would not show."""
    firsts = np.array([one.reshape(-1, one.shape[-1])[0] for one in logits])
    return bool(np.ptp(firsts, axis=0).max() > 10 * TOLERANCE)


@cells
@pytest.mark.parametrize("name", GRAPHS)
def test_transformers_js(row: Row, name: str, made, js) -> None:
    claim, _ = row.cells["transformers.js"]
    if name == "onnx-int8-static" and row.task == GENERATES:
        assert not (made(row).bundle / "onnx" / "decoder_model_int8.onnx").exists()
        return
    bundle = made(row)
    request = {"folder": bundle.bundle, **GRAPHS[name], "task": kind(row), "texts": bundle.inputs}
    options = {"top_k": len(bundle.understood.problem.labels) or 1}
    if row.task == GENERATES:
        assert claim == LOGITS
        _written_by_js(bundle, name, request, js)
        return
    if claim == NOT:
        assert "error" in js(how="pipeline", options=options, **request)
        assert "error" in js(how="logits", **request)
        return
    logits = bundle.logits(name)
    assert differ(logits)
    assert same_logits(js.answers(how=how(row), **request), logits)
    given = {} if kind(row) == "token-classification" else {"options": options}
    by_pipeline = _by_pipeline(js(how="pipeline", **given, **request))
    if row.pairs:
        assert all(len(answer) == 2 for answer in by_pipeline), "then it may have read a pair, not two texts"
    elif claim == ANSWERS or row.task == "multi-label":
        assert same_scores(by_pipeline, bundle.answers(name))
    elif row.task == "token-classification":
        assert not any("start" in one for answer in by_pipeline for one in answer), "then the entities can be compared"
    else:
        assert [one["score"] for answer in by_pipeline for one in answer] == [1.0] * len(bundle.inputs)


def _by_pipeline(said: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """Lists of {"label", "score"}: pipeline gives one alone where one is asked for; none where it fails."""
    return [answer if isinstance(answer, list) else [answer] for answer in said.get("answers", [])]


def _written_by_js(bundle: Any, name: str, request: dict[str, Any], js: Any) -> None:
    """By the two graphs in a loop; pipeline cannot."""
    refused = js(how="pipeline", **{**request, "task": "text2text-generation"})
    assert "decoder_model_merged" in refused["error"]
    settings = transformers.GenerationConfig.from_pretrained(bundle.bundle)
    ends = settings.eos_token_id if isinstance(settings.eos_token_id, list) else [settings.eos_token_id]
    facts = {"most": settings.max_new_tokens, "start": settings.decoder_start_token_id, "ends": ends}
    found = js.answers(how="greedy", **{**request, "texts": [{"text": text, **facts} for text in bundle.inputs]})
    session = bundle.session(name)
    for one, arrays, answer in zip(found, bundle.arrays(), bundle.answers(name), strict=True):
        states = session._encoder.run(arrays)["last_hidden_state"]
        first = np.full((1, 1), facts["start"], np.int64)
        inputs = {"input_ids": first, "encoder_attention_mask": arrays["attention_mask"], "encoder_hidden_states": states}
        logits = session._decoder.run(inputs)["logits"]
        np.testing.assert_allclose(one["logits"], logits[0, -1], rtol=TOLERANCE, atol=TOLERANCE)
        assert one["text"] == answer["text"]
    blanks = Table({"text": ["it is good . not bad ."]})
    ids = bundle.encoding.encode(blanks).arrays["input_ids"]
    assert list(bundle.encoding.texts(ids)) == blanks["text"]
    assert js.answers(how="decode", folder=bundle.bundle, texts=ids.tolist()) == blanks["text"]


@cells
def test_pipeline(row: Row, made) -> None:
    claim, note = row.cells["pipeline()"]
    bundle = made(row)
    if row.task == GENERATES:
        assert claim == NOT
        _written_by_transformers(bundle)
        return
    records: list[Any] = [record if row.pairs else record["text"] for record in bundle.records()]
    if note == "n-grams":
        with pytest.raises((ValueError, OSError, KeyError)):
            transformers.pipeline(kind(row), model=str(bundle.folder / "model"))
        return
    pipe = transformers.pipeline(kind(row), model=str(bundle.folder / "model"))
    if row.task == "token-classification":
        assert claim == LOGITS
        _tokens(row, bundle, pipe)
        return
    found = [pipe(record, top_k=None, truncation=True) for record in records]
    if claim == NOT:
        assert not same_scores(found, bundle.answers())
        return
    assert differ(bundle.logits())
    assert same_scores(found, bundle.answers())


def _tokens(row: Row, bundle: Any, pipe: Any) -> None:
    """A logit a token; the same entities where no tag of the likeliest is out of place."""
    import torch

    logits = bundle.logits()
    assert differ(logits)
    with torch.no_grad():
        made = [pipe.model(**pipe.tokenizer(text, return_tensors="pt", truncation=True)).logits for text in bundle.inputs]
    assert same_logits([{"dims": list(one.shape), "data": one.flatten().tolist()} for one in made], logits)
    if row.crf:
        return
    between, first = constraints(bundle.understood.problem.head.outputs)
    compared = 0
    for text, table, answer in zip(bundle.inputs, bundle.rows(), bundle.answers(), strict=True):
        encoded = bundle.encoding.encode(table)
        tags = encoded.answered(bundle.session().run)["logits"][0].argmax(axis=1)
        if first[tags[0]] or any(between[a, b] for a, b in pairwise(tags)):
            continue
        found = pipe(text, aggregation_strategy="first")
        places = [(one["entity_group"], one["start"], one["end"]) for one in found]
        assert places == [(one["entity_group"], one["start"], one["end"]) for one in answer["entities"]]
        assert all(close(one["score"], float(other["score"])) for one, other in zip(answer["entities"], found, strict=True))
        compared += len(found)
    assert compared >= 3


def _written_by_transformers(bundle: Any) -> None:
    """No pipeline, but `generate`."""
    folder = str(bundle.folder / "model")
    with pytest.raises(KeyError):
        transformers.pipeline("text2text-generation", model=folder)
    model, tokenizer = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder), transformers.AutoTokenizer.from_pretrained(folder)
    for text, answer in zip(bundle.inputs, bundle.answers(), strict=True):
        written = model.generate(**tokenizer(text, return_tensors="pt", truncation=True))
        assert tokenizer.decode(written[0], skip_special_tokens=True).strip() == answer["text"]


@cells
def test_optimum(row: Row, made, optimum) -> None:
    claim, _ = row.cells["optimum"]
    bundle = made(row)
    request = {"folder": bundle.bundle, "task": kind(row), "texts": bundle.inputs}
    if claim == NOT:
        assert "error" in optimum(how="pipeline", **request)
        assert "error" in optimum(how="logits", **request)
        return
    if row.task == GENERATES:
        assert optimum.answers(how="generate", **request) == [answer["text"] for answer in bundle.answers()]
        return
    logits = bundle.logits()
    assert differ(logits)
    assert same_logits(optimum.answers(how=how(row), **request), logits)
    if claim == ANSWERS or row.task == "multi-label":
        assert same_scores(optimum.answers(how="pipeline", **request), bundle.answers())


@cells
def test_mlflow(row: Row, made, mlflow, tmp_path: Path) -> None:
    assert row.cells["mlflow.onnx"][0] == LOGITS
    bundle = made(row)
    arrays, session = bundle.arrays()[0], bundle.session()
    asked = {"model": (arrays, None)}
    if row.task == GENERATES:
        states = session._encoder.run(arrays)
        written = {"input_ids": np.zeros((1, 1), np.int64), "encoder_attention_mask": arrays["attention_mask"]}
        further = {**written, "encoder_hidden_states": states["last_hidden_state"]}
        asked = {"encoder_model": (arrays, states), "decoder_model": (further, session._decoder.run(further))}
    for graph, (inputs, expected) in asked.items():
        np.savez(tmp_path / "arrays.npz", **inputs)
        outputs = tmp_path / f"{graph}.npz"
        path = bundle.bundle / "onnx" / f"{graph}.onnx"
        said = mlflow(graph=path, arrays=tmp_path / "arrays.npz", saved=tmp_path / graph, outputs=outputs)
        assert "error" not in said, said
        found, wanted = dict(np.load(outputs)), expected or session.run(inputs)
        assert found.keys() == wanted.keys()
        for name, array in wanted.items():
            np.testing.assert_allclose(found[name], array, rtol=TOLERANCE, atol=TOLERANCE)


@cells
def test_triton(row: Row, made, tmp_path: Path) -> None:
    """Triton does not run here: its configuration and the graph it is for agree in names, types and axes."""
    import onnx

    assert row.cells["Triton"] == (GRAPH, "agrees")
    bundle = made(row)
    package(bundle.bundle, ["triton"], tmp_path, bundle.catalog)
    models = sorted((tmp_path / "triton" / "model_repository").iterdir())
    assert len(models) == (2 if row.task == GENERATES else 1)
    for model in models:
        said = _ports((model / "config.pbtxt").read_text(encoding="utf-8"))
        graph = onnx.load(model / "1" / "model.onnx", load_external_data=False).graph
        kinds = {onnx.TensorProto.INT64: "TYPE_INT64", onnx.TensorProto.FLOAT: "TYPE_FP32"}
        tensors = [(one.name, one.type.tensor_type) for one in (*graph.input, *graph.output)]
        # The first axis is Triton's batch.
        real = [(name, kinds[kind.elem_type], [axis.dim_value or -1 for axis in kind.shape.dim][1:]) for name, kind in tensors]
        assert said == real
        assert re.search(r"^max_batch_size: [1-9]", (model / "config.pbtxt").read_text(encoding="utf-8"), re.M)


def _ports(text: str) -> list[tuple[str, str, list[int]]]:
    found = re.findall(r'name: "([^"]+)"\s+data_type: (\w+)\s+dims: \[ ([^\]]*) \]', text)
    return [(name, kind, [int(number) for number in dims.split(",")]) for name, kind, dims in found]


@of("text-classification-full")
def test_transformers_js_cuts_long_texts_otherwise(row: Row, made, js) -> None:
    """It drops the token that ends a text; every other loader keeps it."""
    bundle = made(row)
    text = " ".join(["the invoice is wrong"] * 400)
    (table,) = [bundle.understood.task.check_inputs(bundle.understood.problem, [{"text": text}])]
    expected = bundle.encoding.encode(table).arrays["input_ids"][0].tolist()
    (found,) = js.answers(how="ids", folder=bundle.bundle, texts=[text])
    assert len(found) == len(expected)
    assert found[:-1] == expected[:-1]
    assert found[-1] != expected[-1]


@of("pair-classification-full")
def test_transformers_js_has_to_be_asked_which_text_a_token_is_of(row: Row, made, js, tmp_path: Path) -> None:
    """Where the tokenizer has no class of its own."""
    bundle = made(row)
    folder = tmp_path / "run" / "bundle"
    shutil.copytree(bundle.bundle, folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"tokenizer_class": "PreTrainedTokenizerFast"}), encoding="utf-8")
    request = {"how": "logits", "folder": folder, "dtype": "fp32", "task": kind(row), "texts": bundle.inputs}
    assert not same_logits(js.answers(**request), bundle.logits())
    assert same_logits(js.answers(options={"return_token_type_ids": True}, **request), bundle.logits())


def test_every_loader_has_a_test_and_every_claim_is_a_known_one() -> None:
    assert all(tuple(row.cells) == LOADERS for row in ROWS)
    assert {claim for row in ROWS for claim, _ in row.cells.values()} == {ANSWERS, LOGITS, GRAPH, NOT}
    assert all(note for row in ROWS for claim, note in row.cells.values() if claim == NOT)
    assert math.isclose(TOLERANCE, 1e-4)
