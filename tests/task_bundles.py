"""Bundles made by hand for tasks beyond one class of several: the real tasks, and graphs of a few nodes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

from autoft.data.table import Table
from autoft.interfaces.problem import Head, Metric, Problem
from autoft.interfaces.task import Decoder
from autoft.runtime.bundle import EncoderRecord, Manifest, PluginRecord, write_decoder, write_manifest
from autoft.runtime.schemas import input_schema
from autoft_plugins.tasks.token_classification import TokenClassification
from small_bundle import make_bundle

PLUGIN = Path(__file__).with_name("toy_encoders.py")
TEXT, NUMBER = {"type": "string"}, {"type": "number"}


def problem(task: str, kind: str, labels: tuple[str, ...] = (), *, pair: bool = False) -> Problem:
    inputs = {"text": ("premise",), "text_pair": ("hypothesis",)} if pair else {"text": ("review",)}
    return Problem(
        task=task,
        fields={**inputs, "label": ("rating",)},
        inputs=tuple(inputs),
        labels=labels,
        head=Head(kind=kind, outputs=max(1, len(labels))),
        metric=Metric(name="f1"),
    )


def schema(**properties: object) -> dict:
    return {"type": "object", "properties": properties, "required": list(properties)}


def multi_label(folder: Path) -> Path:
    """The labels `bad` and `good`, each with the threshold 0.8: a text may have both, or none."""
    make_bundle(folder)
    decoder = write_decoder(folder, Decoder({"function": "sigmoid"}, {"cuts": np.log([4.0, 4.0])}))
    answer = schema(labels={"type": "array", "items": TEXT}, scores=schema(bad=NUMBER, good=NUMBER))
    return changed(
        folder, problem=problem("multi-label", "multi_label_classification", ("bad", "good")), decoder=decoder, output_schema=answer
    )


def pair_score(folder: Path) -> Path:
    """5 for two texts of the same words, 0 for texts without a common one."""
    weight = np.array([[5.0]], np.float32)
    nodes = [helper.make_node("MatMul", ["shared", "weight"], ["logits"])]
    answers = problem("pair-score", "regression", pair=True)
    write(folder, nodes, {"shared": ["batch", 1]}, ["batch", 1], {"weight": weight})
    return with_toys(folder, "overlap", problem=answers, input_schema=schema(text=TEXT, text_pair=TEXT), output_schema=schema(score=NUMBER))


def entities(folder: Path) -> Path:
    """Every run of words with capitals is a NAME."""
    weight = np.array([[0, 4, 2], [0, -6, 4], [0.5, -2, -4.5]], np.float32)
    nodes = [helper.make_node("MatMul", ["capitals", "weight"], ["logits"])]
    write(folder, nodes, {"capitals": ["batch", "words", 3]}, ["batch", "words", 3], {"weight": weight})
    entity = schema(entity_group=TEXT, score=NUMBER, word=TEXT, start={"type": "number"}, end={"type": "number"})
    answers = problem("token-classification", "token_classification", ("O", "B-NAME", "I-NAME"))
    notation = {"splitting": "list", "form": "tags", "scheme": "BIO", "bio_ids": False}
    return with_toys(
        folder,
        "capitals",
        problem=answers.model_copy(update={"extra": notation}),
        input_schema=input_schema(answers, Table({"text": ["a text"]}), TokenClassification()),
        output_schema=schema(entities={"type": "array", "items": entity}),
    )


def write(folder: Path, nodes: list, inputs: dict[str, list], output: list, weights: dict[str, np.ndarray]) -> None:
    make_bundle(folder)
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, output)],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), folder / "onnx" / "model.onnx")


def with_toys(folder: Path, encoder: str, **changes: object) -> Path:
    for name in ("vocabulary.json", "decoder.npz"):
        (folder / name).unlink()
    record = PluginRecord(name=PLUGIN.name, sha256=hashlib.sha256(PLUGIN.read_bytes()).hexdigest())
    return changed(folder, encoder=EncoderRecord(name=encoder), decoder={}, plugin_files=(record,), **changes)


def changed(folder: Path, **changes: object) -> Path:
    manifest = Manifest.model_validate_json((folder / "autoft.json").read_bytes())
    write_manifest(folder, manifest.model_copy(update=changes))
    return folder
